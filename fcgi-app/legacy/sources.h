/*
 * Where the settings of a former platform stand: files, env files, compose files, supervisord files
 * (migration.md 6.3).  Each gives services with their names and values.
 */
#ifndef SLUICE_LEGACY_SOURCES_H
#define SLUICE_LEGACY_SOURCES_H

#include "legacy/yaml.h"

/* A name and what it is set to; where, for messages. */
struct legacy_value {
    struct str name; /* lower case, '-' as '_' */
    struct str text;
    struct str where; /* "line 12 of /etc/apio.yml", "service px1n" */
};

struct legacy_service {
    struct legacy_service *next;
    struct str name;   /* "apiocore", "p1": empty when the source names none */
    struct str source; /* file */
    bool proxy;        /* the old proxy module, else the core */
    struct legacy_value *values;
    size_t n_values;
    const struct yaml_node *file; /* of APIO_CONFIG_FILE or --file; NULL: none */
    struct str file_name;
};

/* What all sources gave. */
struct legacy_sources {
    struct arena *a;
    struct legacy_service *first, **last;
    struct val list;    /* [{"path", "sha256"}] for the record */
    struct buf *notes;  /* one line each: what was seen and left out */
    bool gaps;          /* something could not be read */
};

void legacy_sources_init(struct legacy_sources *s, struct buf *notes, struct arena *a);

/* --file=PATH (the core's) or --file=NAME:PATH (a proxy's).  ERR_USAGE with the file and line. */
MUST_CHECK int legacy_file(struct legacy_sources *s, const char *arg, struct err *e);
/* --env-file: NAME=value lines, optional quotes. */
MUST_CHECK int legacy_env_file(struct legacy_sources *s, const char *arg, struct err *e);
/* --compose: services whose command runs the old modules. */
MUST_CHECK int legacy_compose(struct legacy_sources *s, const char *path, struct err *e);
/* --supervisord: [program:x] sections likewise. */
MUST_CHECK int legacy_supervisord(struct legacy_sources *s, const char *path, struct err *e);

/* The value of a name: of the environment first, else of the file; .text.p NULL when unset.  A
 * difference between the two is noted. */
struct legacy_value legacy_get(struct legacy_sources *s, const struct legacy_service *svc,
                               const char *name);
/* A whole file into `a`, noted in the list; "cannot read /etc/apio.yml: permission denied". */
MUST_CHECK int legacy_read(struct legacy_sources *s, const char *path, struct str *out,
                           struct err *e);
/* The same of a file that holds secrets: no digest of it is kept. */
MUST_CHECK int legacy_read_secret(struct legacy_sources *s, const char *path, struct str *out,
                                  struct err *e);
/* A line of the record: what was read, and a digest of it ("" : none). */
void legacy_source_add(struct legacy_sources *s, const char *path, const char *digest);

#endif
