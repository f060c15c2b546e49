/*
 * The search convention of lists: filter, paging and sorting from the query to SQL (http-api.md 2).
 *
 * Values travel as parameters; only names of the tables below ever become part of a statement.
 */
#ifndef SLUICE_API_SEARCH_H
#define SLUICE_API_SEARCH_H

#include "api/api.h"

/* A field clients may name. */
struct search_field {
    const char *model;  /* "requests", "tasks"...; NULL: pseudo-field without model */
    const char *name;
    const char *sql;    /* expression on the main tables, or on those of `within` */
    char type;          /* t text, l text in lower case (values in any), i integer, b boolean, z timestamp */
    const char *within; /* for other models: "EXISTS (SELECT FROM tasks t WHERE ... AND %s)", else NULL */
};

struct search_spec {
    const char *model;      /* of the main entity */
    const char *collection; /* member of the answer */
    const char *also;       /* a second name the rows go by, or NULL */
    const char *select;     /* json_build_object(...) of one row */
    const char *from;       /* "requests r LEFT JOIN ..." */
    const char *count_from; /* what counting needs of it */
    const char *where;      /* condition that always holds; "true" when none */
    const char *order;      /* default, "r.created_on DESC, r.id DESC" */
    const char *tie;        /* appended to every other order: "r.id DESC" */
    const char *estimate;   /* table whose estimated size serves when there is no filter; NULL = count */
    const struct search_field *fields;
    size_t n_fields;
    /* another criterion instead of this one (one alone, with "field"); NULL: as they come */
    struct val (*translate)(struct api_call *c, struct val criterion);
    bool skip_empty;        /* criteria with an absent or empty value do not restrict */
};

/* A compiled search. */
struct search {
    const struct search_spec *spec;
    struct buf where; /* condition with $n */
    struct db_arg *args;
    size_t n_args;
    int64_t page, size; /* size 0: all rows */
    struct buf order;
    struct val sorting; /* echo */
    bool filtered;
    bool count; /* false: c=0 */
};

/*
 * Read filter, paging and sorting of the request.  extra is another condition of ours (with its one argument as $1), or NULL.
 * ERR_INVALID says what is wrong: "filter: unknown field \"x\"", "filter: unknown op \"y\"".
 */
MUST_CHECK int search_read(struct api_call *c, const struct search_spec *spec, const char *extra,
                           const struct db_arg *extra_arg, struct search *s, struct err *e);
/* A parameter for one more condition of ours behind search_read(): its number for buf_addf(&s->where, " AND x = $%zu", n). */
MUST_CHECK int search_arg(struct search *s, struct db_arg arg, size_t *n, struct err *e);
/* Run it and set the answer with all members of http-api.md 2.4. */
MUST_CHECK int search_answer(struct api_call *c, struct search *s, struct err *e);
/* Number of rows that match. */
MUST_CHECK int search_count(struct api_call *c, struct search *s, int64_t *out, struct err *e);
/* All rows as a list of objects, at most `max`. */
MUST_CHECK int search_rows(struct api_call *c, struct search *s, int64_t max, struct val *out, struct err *e);
/* as=csv: the rows as a download, a column per name of the comma list. */
MUST_CHECK int search_csv(struct api_call *c, struct search *s, const char *filename, const char *columns, struct err *e);

#endif
