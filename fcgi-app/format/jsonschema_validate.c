/*
 * Validating: one schema against one value, the list of errors, and what was evaluated.
 *
 * Depth and steps are bounded: a schema that refers to itself without going deeper into the data,
 * or that multiplies its alternatives, ends with ERR_LIMIT.
 */
#include "format/jsonschema_int.h"

#include "base/json.h"

enum { DEPTH_MAX = 1500, SHOWN_MAX = 80, BITS = 64 };

int js_steps(struct js_run *r, size_t n)
{
    if (n > (size_t)r->steps) {
        r->steps = 0;
        err_set(r->e, ERR_LIMIT, "checking the data against the schema needs too many steps");
        return -1;
    }
    if (arena_used(r->a) > r->memory_end) {
        err_set(r->e, ERR_LIMIT, "checking the data against the schema needs too much memory");
        return -1;
    }
    r->steps -= (int64_t)n;
    return 0;
}

/* ---- what was evaluated ------------------------------------------------------------------ */

static size_t words(const struct js_seen *seen)
{
    return seen->n / BITS + 1;
}

void js_seen_add(struct js_run *r, struct js_seen *seen, size_t i)
{
    if (seen == NULL || seen->all || i >= seen->n)
        return;
    if (seen->bits == NULL)
        seen->bits = ARENA_ARRAY(r->a, uint64_t, words(seen));
    seen->bits[i / BITS] |= (uint64_t)1 << (i % BITS);
}

bool js_seen_has(const struct js_seen *seen, size_t i)
{
    if (seen->all)
        return true;
    return seen->bits != NULL && (seen->bits[i / BITS] >> (i % BITS) & 1) != 0;
}

void js_seen_merge(struct js_run *r, struct js_seen *into, const struct js_seen *from)
{
    if (into == NULL || from == NULL)
        return;
    into->all = into->all || from->all;
    if (into->all || from->bits == NULL)
        return;
    if (into->bits == NULL)
        into->bits = ARENA_ARRAY(r->a, uint64_t, words(into));
    for (size_t i = 0; i < words(into); i++)
        into->bits[i] |= from->bits[i];
}

/* ---- errors ------------------------------------------------------------------------------ */

static size_t path_length(const struct js_path *path)
{
    size_t n = 0;

    for (; path != NULL; path = path->up)
        n++;
    return n;
}

/* "items.3.name" */
static struct str path_text(const struct js_path *path, struct arena *a)
{
    size_t n = path_length(path);
    const struct js_path **parts = ARENA_ARRAY(a, const struct js_path *, n);
    struct buf b;

    for (size_t i = n; i > 0; i--, path = path->up)
        parts[i - 1] = path;
    buf_init(&b, MIB, a);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(&b, '.');
        if (parts[i]->is_index)
            buf_addf(&b, "%zu", parts[i]->index);
        else
            buf_add_str(&b, parts[i]->name);
    }
    return buf_str(&b);
}

/* An error with what only we need to know of it. */
struct noted {
    struct jsonschema_error said;
    size_t depth;
};

size_t js_error_depth(const struct jsonschema_error *x)
{
    return ((const struct noted *)(const void *)x)->depth;
}

static void append(struct js_run *r, struct jsonschema_error *x)
{
    if (r->last != NULL)
        r->last->next = x;
    else
        r->first = x;
    r->last = x;
    x->next = NULL;
    r->room--;
}

void js_error_take(struct js_run *r, struct jsonschema_error *list)
{
    while (list != NULL && r->room > 0) {
        struct jsonschema_error *next = list->next;

        append(r, list);
        list = next;
    }
}

static void add_error(struct js_run *r, const struct js_path *path, const char *fmt, va_list ap)
{
    struct noted *x;

    if (r->quiet || r->room == 0)
        return;
    x = ARENA_NEW(r->a, struct noted);
    x->said.path = path_text(path, r->a);
    x->said.message = str_c(arena_vprintf(r->a, fmt, ap));
    x->depth = path_length(path);
    append(r, &x->said);
}

int js_error(struct js_run *r, const struct js_frame *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_error(r, f->path, fmt, ap);
    va_end(ap);
    return 0;
}

int js_error_at(struct js_run *r, const struct js_path *path, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_error(r, path, fmt, ap);
    va_end(ap);
    return 0;
}

const char *js_show(struct js_run *r, struct val v)
{
    struct buf b;
    struct str text;
    size_t n = SHOWN_MAX;

    if (r->quiet)
        return "";
    buf_init(&b, 64 * KIB,
             r->a); /* of what is longer some pieces are missing, beyond what we show */
    json_write(v, JSON_SPACED, 0, &b);
    text = buf_str(&b);
    if (text.len <= SHOWN_MAX && !b.over)
        return buf_cstr(&b);
    while (n > 0 && n < text.len && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    text = str_slice(text, 0, n);
    return arena_printf(r->a, "%.*s...", STR_ARG(text));
}

/* ---- one schema, one value --------------------------------------------------------------- */

static int run_checks(struct js_run *r, const struct js_schema *schema, struct val data,
                      struct js_frame *f)
{
    int valid = 1;

    for (const struct js_check *c = schema->checks; c != NULL; c = c->next) {
        int rc;

        if (!valid &&
            (c->run == js_run_unevaluated_items || c->run == js_run_unevaluated_properties))
            continue; /* would only repeat what is wrong already */
        rc = c->run(r, c, data, f);
        if (rc < 0)
            return -1;
        if (rc == 0) {
            valid = 0;
            if (r->quiet || r->room == 0)
                return 0;
        }
    }
    return valid;
}

int js_validate(struct js_run *r, const struct js_schema *schema, struct val data,
                const struct js_path *path, const struct js_scope *scope, struct js_seen *seen)
{
    struct js_scope entered = {.up = scope, .resource = schema->resource};
    struct js_seen own = {.n = val_count(data)};
    struct js_frame f = {.path = path, .scope = scope, .seen = schema->tracks ? &own : seen};
    int rc;

    if (schema->never)
        return js_error(r, &f, "is not allowed");
    if (js_steps(r, 1) != 0)
        return -1;
    if (++r->depth > DEPTH_MAX) {
        err_set(r->e, ERR_LIMIT, "the schema refers to itself more than %d deep", DEPTH_MAX);
        return -1;
    }
    if (scope == NULL || scope->resource != schema->resource)
        f.scope = &entered;
    rc = run_checks(r, schema, data, &f);
    r->depth--;
    if (rc == 1 && schema->tracks)
        js_seen_merge(r, seen, &own);
    return rc;
}

int js_probe(struct js_run *r, const struct js_schema *schema, struct val data,
             const struct js_path *path, const struct js_scope *scope, struct js_seen *seen)
{
    bool quiet = r->quiet;
    int rc;

    r->quiet = true;
    rc = js_validate(r, schema, data, path, scope, seen);
    r->quiet = quiet;
    return rc;
}
