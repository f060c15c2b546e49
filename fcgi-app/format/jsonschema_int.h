/*
 * What the parts of JSON Schema share.
 *
 *   jsonschema.c           the entry, and the index of documents
 *   jsonschema_ref.c       resources ($id), anchors, finding what a reference names
 *   jsonschema_uri.c       resolving URI references
 *   jsonschema_compile.c   a schema to its list of checks: keywords that assert
 *   jsonschema_nest.c      likewise: keywords that hold schemas
 *   jsonschema_assert.c    running keywords that assert
 *   jsonschema_apply.c     running keywords that hold schemas
 *   jsonschema_validate.c  one schema against one value, and the list of errors
 *   jsonschema_format.c    `format`: the table; dates, addresses and identifiers stand in
 *                          jsonschema_time.c, jsonschema_net.c and jsonschema_idn.c
 *   jsonschema_meta.c      the built-in meta-schemas
 */
#ifndef SLUICE_FORMAT_JSONSCHEMA_INT_H
#define SLUICE_FORMAT_JSONSCHEMA_INT_H

#include "base/map.h"
#include "format/json_equal.h"
#include "format/jsonschema.h"
#include "format/regex.h"

/* ---- compiled schemas -------------------------------------------------------------------- */

struct js_check;
struct js_frame;
struct js_resource;
struct js_run;
struct js_schema;

/* Run one check: 1 = holds, 0 = does not (said by js_error), -1 = ERR_LIMIT. */
typedef int js_check_fn(struct js_run *r, const struct js_check *c, struct val data,
                        struct js_frame *f);

/* properties, patternProperties and additionalProperties belong together. */
struct js_members {
    struct map props; /* name -> struct js_schema * */
    const struct regex **patterns;
    const struct js_schema **pattern_schemas;
    size_t n_patterns;
    const struct js_schema *rest; /* NULL: anything */
};

/* prefixItems and items (draft-07: items and additionalItems). */
struct js_items {
    const struct js_schema **prefix;
    size_t n_prefix;
    const struct js_schema *rest; /* NULL: anything */
};

/* One line of dependencies, dependentRequired or dependentSchemas. */
struct js_dependency {
    struct str when;
    struct str *required;
    size_t n_required;
    const struct js_schema *schema; /* NULL: names only */
};

struct js_check {
    js_check_fn *run;
    struct js_check *next;
    union {
        unsigned types; /* bits of enum js_type */
        struct val value;
        int64_t count;
        struct {
            const struct regex *re;
            struct str text;
        } pattern;
        const struct js_format *format;
        struct {
            struct str *names;
            size_t n;
        } required;
        struct js_members *members;
        struct js_items *items;
        struct {
            const struct js_schema *schema;
            int64_t min, max; /* max -1: no ceiling */
            bool marks;       /* fitting items count as evaluated */
        } contains;
        struct {
            const struct js_schema **list;
            size_t n;
        } all;
        struct {
            const struct js_schema *test, *yes, *no;
        } branch;
        struct {
            struct js_dependency *list;
            size_t n;
        } dependencies;
        const struct js_schema *schema;
        struct {
            const struct js_schema *target;
            struct str anchor; /* looked for among the resources entered */
        } dynamic;
    } u;
};

struct js_schema {
    struct js_check *checks;
    bool never;  /* the schema `false` */
    bool tracks; /* has unevaluatedItems or unevaluatedProperties */
    const struct js_resource *resource;
};

/* A schema with a name of its own ($id), or the whole document. */
struct js_resource {
    struct str uri; /* absolute, without fragment */
    struct val root;
    enum jsonschema_draft draft;
    struct map anchors;         /* name -> struct js_anchor * */
    struct map dynamic_schemas; /* name -> struct js_schema *, for $dynamicRef */
    struct js_resource *next;
};

struct js_anchor {
    struct val schema;
    bool dynamic;
};

struct jsonschema {
    const struct js_schema *root;
};

enum js_type {
    JS_NULL = 1,
    JS_BOOLEAN = 2,
    JS_INTEGER = 4,
    JS_NUMBER = 8,
    JS_STRING = 16,
    JS_ARRAY = 32,
    JS_OBJECT = 64,
};

/* ---- compiling --------------------------------------------------------------------------- */

/* Everything known while compiling. */
struct js_compiler {
    struct js_resource *resources;
    struct map by_uri;  /* resource URI -> struct js_resource * */
    struct map sites;   /* identity of a schema object -> struct js_site * */
    struct map dynamic; /* anchors some $dynamicRef names */
    bool forced;        /* $schema is not looked at */
    unsigned flags;
    int depth;
    struct arena *a;
    struct err *e;
};

/* Where a schema object stands, and what it was compiled to. */
struct js_site {
    struct js_resource *resource;
    struct js_schema *schema; /* NULL until compiled */
};

/* Compile `schema` (object or boolean) which stands in `res`; each object once.  `where` is said in
 * errors. */
MUST_CHECK int js_compile(struct js_compiler *c, struct val schema, struct js_resource *res,
                          const char *where, struct js_schema **out);
/* ERR_INVALID "<keyword>: <message>". */
int js_refuse(struct js_compiler *c, const char *keyword, const char *message);
/* A new check at the end of the schema's list. */
struct js_check *js_add(struct js_compiler *c, struct js_schema *s, js_check_fn *run);
/* Keywords that hold schemas; called for every schema object. */
MUST_CHECK int js_compile_nested(struct js_compiler *c, struct js_schema *s, struct val schema,
                                 struct js_resource *res);
/* $ref and $dynamicRef. */
MUST_CHECK int js_compile_refs(struct js_compiler *c, struct js_schema *s, struct val schema,
                               struct js_resource *res);
MUST_CHECK int js_count(struct js_compiler *c, struct val v, const char *keyword, int64_t *out);
MUST_CHECK int js_text_list(struct js_compiler *c, struct val list, const char *keyword,
                            struct str **out, size_t *n);
MUST_CHECK int js_pattern(struct js_compiler *c, struct str pattern, const char *keyword,
                          const struct regex **out);

/* ---- references -------------------------------------------------------------------------- */

/* Register the document: its resources, anchors and schema objects. */
MUST_CHECK int js_index(struct js_compiler *c, struct val root, struct str uri,
                        enum jsonschema_draft draft, struct js_resource **out);
/* The entry for a schema object, or NULL. */
struct js_site *js_site_of(const struct js_compiler *c, struct val schema);
/* What `ref`, standing in `res`, names.  *anchor: the anchor's entry when it names one, else NULL.
 * Fails with ERR_INVALID: not found, or another document. */
MUST_CHECK int js_resolve(struct js_compiler *c, struct str ref, struct js_resource *res,
                          struct val *out, struct js_resource **out_res,
                          const struct js_anchor **anchor, struct str *fragment);
/* RFC 3986 5.2: `ref` against `base`. */
struct str js_uri_resolve(struct str base, struct str ref, struct arena *a);
/* Splits at '#'. */
struct str js_uri_fragment(struct str *uri, bool *has);
/* %XX read as bytes; false when the result is not UTF-8. */
bool js_uri_decode(struct str s, struct str *out, struct arena *a);
/* Index the built-in document called `uri`; *found = false when there is none. */
MUST_CHECK int js_meta_load(struct js_compiler *c, struct str uri, bool *found);
/* The draft a "$schema" names, AUTO when it is not one of ours. */
enum jsonschema_draft js_draft_of(struct str uri);

/* ---- validating -------------------------------------------------------------------------- */

/* Where in the data we are; the list goes up. */
struct js_path {
    const struct js_path *up;
    struct str name;
    size_t index;
    bool is_index;
};

/* Which members or items some keyword looked at already; one per value, for unevaluated*. */
struct js_seen {
    uint64_t *bits; /* NULL: none */
    size_t n;       /* of the value */
    bool all;
};

/* The resources entered, innermost first: the dynamic scope. */
struct js_scope {
    const struct js_scope *up;
    const struct js_resource *resource;
};

/* One schema against one value. */
struct js_frame {
    const struct js_path *path;
    const struct js_scope *scope;
    struct js_seen *seen; /* NULL: nobody asks */
};

struct js_run {
    struct arena *a;
    struct err *e;
    struct jsonschema_error *first;
    struct jsonschema_error *last;
    size_t room; /* for so many more errors */
    int64_t steps;
    size_t memory_end; /* arena_used() at which it ends */
    int depth;
    bool quiet; /* only whether, not why: stop at the first failure */
};

/* `schema` against `data` at `path`; *seen gathers what was looked at, or is NULL. */
MUST_CHECK int js_validate(struct js_run *r, const struct js_schema *schema, struct val data,
                           const struct js_path *path, const struct js_scope *scope,
                           struct js_seen *seen);
/* Likewise without errors. */
MUST_CHECK int js_probe(struct js_run *r, const struct js_schema *schema, struct val data,
                        const struct js_path *path, const struct js_scope *scope,
                        struct js_seen *seen);
/* -1 = ERR_LIMIT. */
MUST_CHECK int js_steps(struct js_run *r, size_t n);
/* Note an error at the frame's place, or at its member `name` (empty = the place itself); returns
 * 0. */
int js_error(struct js_run *r, const struct js_frame *f, const char *fmt, ...) PRINTF_LIKE(3, 4);
int js_error_at(struct js_run *r, const struct js_path *path, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void js_seen_add(struct js_run *r, struct js_seen *seen, size_t i);
bool js_seen_has(const struct js_seen *seen, size_t i);
void js_seen_merge(struct js_run *r, struct js_seen *into, const struct js_seen *from);
/* How deep in the data the error is. */
size_t js_error_depth(const struct jsonschema_error *x);
/* Append errors that were kept aside. */
void js_error_take(struct js_run *r, struct jsonschema_error *list);
/* JSON text of `v`, cut when long: for messages. */
const char *js_show(struct js_run *r, struct val v);

/* Checks by keyword; see jsonschema_assert.c and jsonschema_apply.c. */
js_check_fn js_run_type, js_run_const, js_run_enum, js_run_multiple_of, js_run_maximum,
    js_run_exclusive_maximum, js_run_minimum, js_run_exclusive_minimum, js_run_max_length,
    js_run_min_length, js_run_pattern, js_run_format, js_run_max_items, js_run_min_items,
    js_run_unique_items, js_run_max_properties, js_run_min_properties, js_run_required;
js_check_fn js_run_members, js_run_names, js_run_items, js_run_contains, js_run_all_of,
    js_run_any_of, js_run_one_of, js_run_not, js_run_branch, js_run_dependencies, js_run_ref,
    js_run_dynamic_ref, js_run_unevaluated_items, js_run_unevaluated_properties;

/* ---- formats ----------------------------------------------------------------------------- */

struct js_format {
    const char *name;
    const char *what; /* "is not ..." */
    bool (*fits)(struct str s, struct arena *a);
};

/* NULL for a format that is not known (which is then only noted). */
const struct js_format *js_format_find(struct str name);

bool js_is_date(struct str s, struct arena *a);
bool js_is_time(struct str s, struct arena *a);
bool js_is_date_time(struct str s, struct arena *a);
bool js_is_duration(struct str s, struct arena *a);
bool js_is_ipv4(struct str s, struct arena *a);
bool js_is_ipv6(struct str s, struct arena *a);
bool js_is_uri(struct str s, struct arena *a);
bool js_is_uri_reference(struct str s, struct arena *a);
bool js_is_iri(struct str s, struct arena *a);
bool js_is_iri_reference(struct str s, struct arena *a);
bool js_is_uri_template(struct str s, struct arena *a);
bool js_is_hostname(struct str s, struct arena *a);
bool js_is_idn_hostname(struct str s, struct arena *a);

#endif
