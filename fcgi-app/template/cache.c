/*
 * Compiled templates by content.
 *
 * The key is a hash of source, name and environment; on a hit all three are compared.  The least
 * recently used templates leave when the memory of all is above the bound; who holds a reference
 * keeps his.
 */
#include <pthread.h>
#include <stdlib.h>

#include "template/code.h"

enum { BUCKETS = 1024 };

struct entry {
    uint64_t hash;
    struct tmpl *t;
    struct str source; /* in the template's arena */
    size_t bytes;
    bool expr;
    struct entry *next; /* in its bucket */
    struct entry *newer;
    struct entry *older;
};

struct tmpl_cache {
    pthread_mutex_t lock;
    size_t max_bytes;
    size_t bytes;
    struct entry *newest;
    struct entry *oldest;
    struct entry *buckets[BUCKETS];
};

/* What is looked for. */
struct wanted {
    struct str source;
    struct str name;
    const struct tmpl_env *env;
    bool expr;
    uint64_t hash;
};

static uint64_t combine(uint64_t h, uint64_t x)
{
    return (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t env_hash(const struct tmpl_env *env)
{
    const struct str texts[] = {
        env->newline_sequence,      env->block_start_string,    env->block_end_string,
        env->variable_start_string, env->variable_end_string,   env->comment_start_string,
        env->comment_end_string,    env->line_statement_prefix, env->line_comment_prefix};
    uint64_t h = (uint64_t)env->dialect << 16 | (uint64_t)env->undefined << 8;
    size_t i;

    h |= (uint64_t)(env->trim_blocks | env->lstrip_blocks << 1 | env->keep_trailing_newline << 2 |
                    env->autoescape << 3 | env->ext_do << 4 | env->ext_loopcontrols << 5 |
                    env->ext_i18n << 6);
    for (i = 0; i < COUNT_OF(texts); i++)
        h = combine(h, str_hash(texts[i]));
    return h;
}

static bool same_text(struct str mine, struct str theirs, const char *otherwise)
{
    return str_eq(mine, theirs.len > 0 ? theirs : str_c(otherwise));
}

static bool same_env(const struct tmpl_env *x, const struct tmpl_env *y)
{
    return x->dialect == y->dialect && x->undefined == y->undefined &&
           x->trim_blocks == y->trim_blocks && x->lstrip_blocks == y->lstrip_blocks &&
           x->keep_trailing_newline == y->keep_trailing_newline && x->autoescape == y->autoescape &&
           x->ext_do == y->ext_do && x->ext_loopcontrols == y->ext_loopcontrols &&
           x->ext_i18n == y->ext_i18n &&
           same_text(x->newline_sequence, y->newline_sequence, "\n") &&
           same_text(x->block_start_string, y->block_start_string, "{%") &&
           same_text(x->block_end_string, y->block_end_string, "%}") &&
           same_text(x->variable_start_string, y->variable_start_string, "{{") &&
           same_text(x->variable_end_string, y->variable_end_string, "}}") &&
           same_text(x->comment_start_string, y->comment_start_string, "{#") &&
           same_text(x->comment_end_string, y->comment_end_string, "#}") &&
           str_eq(x->line_statement_prefix, y->line_statement_prefix) &&
           str_eq(x->line_comment_prefix, y->line_comment_prefix);
}

struct tmpl_cache *tmpl_cache_new(size_t max_bytes)
{
    struct tmpl_cache *c = calloc(1, sizeof(*c));

    if (c == NULL)
        abort();
    c->max_bytes = max_bytes;
    (void)pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void unlink_entry(struct tmpl_cache *c, struct entry *n)
{
    if (n->newer != NULL)
        n->newer->older = n->older;
    else
        c->newest = n->older;
    if (n->older != NULL)
        n->older->newer = n->newer;
    else
        c->oldest = n->newer;
    n->newer = NULL;
    n->older = NULL;
}

static void push_newest(struct tmpl_cache *c, struct entry *n)
{
    n->older = c->newest;
    n->newer = NULL;
    if (c->newest != NULL)
        c->newest->newer = n;
    else
        c->oldest = n;
    c->newest = n;
}

static void drop(struct tmpl_cache *c, struct entry *n)
{
    struct entry **p = &c->buckets[n->hash % BUCKETS];

    while (*p != n)
        p = &(*p)->next;
    *p = n->next;
    unlink_entry(c, n);
    c->bytes -= n->bytes;
    tmpl_unref(n->t);
    free(n);
}

void tmpl_cache_free(struct tmpl_cache *c)
{
    if (c == NULL)
        return;
    while (c->oldest != NULL)
        drop(c, c->oldest);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct entry *find(struct tmpl_cache *c, const struct wanted *w)
{
    struct entry *n;

    for (n = c->buckets[w->hash % BUCKETS]; n != NULL; n = n->next) {
        if (n->hash == w->hash && n->expr == w->expr && str_eq(n->source, w->source) &&
            str_eq(n->t->name, w->name) && (w->expr || same_env(&n->t->env, w->env)))
            return n;
    }
    return NULL;
}

/* The cached template, with a reference for the caller; NULL when it is not there. */
static struct tmpl *look_up(struct tmpl_cache *c, const struct wanted *w)
{
    struct tmpl *t = NULL;
    struct entry *n;

    (void)pthread_mutex_lock(&c->lock);
    n = find(c, w);
    if (n != NULL) {
        t = tmpl_ref(n->t);
        if (c->newest != n) {
            unlink_entry(c, n);
            push_newest(c, n);
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return t;
}

/* Keep a template just compiled; does nothing when another thread was faster or it is too large. */
static void keep(struct tmpl_cache *c, const struct wanted *w, struct tmpl *t)
{
    struct entry *n;
    size_t bytes = t->bytes + w->source.len + sizeof(*n);

    if (bytes > c->max_bytes)
        return;
    n = calloc(1, sizeof(*n));
    if (n == NULL)
        abort();
    n->hash = w->hash;
    n->expr = w->expr;
    n->bytes = bytes;
    n->source = str_dup(t->a, w->source); /* nobody else has the template yet */
    n->t = t;
    (void)pthread_mutex_lock(&c->lock);
    if (find(c, w) == NULL) {
        n->t = tmpl_ref(t);
        n->next = c->buckets[w->hash % BUCKETS];
        c->buckets[w->hash % BUCKETS] = n;
        push_newest(c, n);
        c->bytes += bytes;
        while (c->bytes > c->max_bytes && c->oldest != n)
            drop(c, c->oldest);
        n = NULL;
    }
    (void)pthread_mutex_unlock(&c->lock);
    free(n);
}

int tmpl_cache_get(struct tmpl_cache *c, struct str source, struct str name,
                   const struct tmpl_env *env, struct tmpl **out, struct err *e)
{
    struct wanted w = {source, name, env, false, 0};

    w.hash = combine(combine(str_hash(source), str_hash(name)), env_hash(env));
    *out = look_up(c, &w);
    if (*out != NULL)
        return 0;
    if (tmpl_compile(out, source, name, env, e) != 0)
        return -1;
    keep(c, &w, *out);
    return 0;
}

int tmpl_cache_expr(struct tmpl_cache *c, struct str source, struct tmpl **out, struct err *e)
{
    struct wanted w = {source, STR(""), NULL, true, 0};

    w.hash = combine(str_hash(source), 1);
    *out = look_up(c, &w);
    if (*out != NULL)
        return 0;
    if (tmpl_compile_expr(out, source, true, e) != 0)
        return -1;
    keep(c, &w, *out);
    return 0;
}
