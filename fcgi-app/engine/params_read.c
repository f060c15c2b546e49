/*
 * Reading parameters as a definition holds them: a reader per family of natures.
 *
 * What holds no template lands in the image of the node's struct; the rest is remembered for
 * params.c to render.  Rules: workflow-engine.md 2.5, "Robustness rules".
 */
#include "engine/workflow_int.h"

#include "base/json.h"
#include "template/tmpl.h"

/* ---- one reader per family of kinds --------------------------------------------------------- */

struct reader {
    const struct param *p;
    struct val raw; /* as written, undefined for nothing */
    struct val params;
    struct tmpl_cache *templates;
    void *dst;
    struct param_dyn *dyn;
    bool *is_dyn;
    struct arena *a;
};

static int read_text(struct reader *r, struct err *e)
{
    struct node_text t;

    if (node_text_compile(&t, r->raw, r->templates, r->a, e) != 0) {
        err_context(e, "parameter \"%s\"", r->p->name);
        return -1;
    }
    /* a duration in business days depends on the day it is read */
    if (t.tmpl == NULL && r->p->kind != PARAM_MSEC)
        return param_convert(r->p, t.text, NULL, STR(""), r->dst, r->a, e);
    r->dyn->texts = arena_dup(r->a, &t, sizeof t);
    r->dyn->n = 1;
    *r->is_dyn = true;
    return 0;
}

static int read_plain(struct reader *r, struct err *e)
{
    struct str text = str_trim(param_raw_text(r->raw, r->a));

    (void)e;
    if (text.len == 0 && r->p->otherwise != NULL)
        text = str_c(r->p->otherwise);
    *(struct str *)r->dst = text;
    return 0;
}

static int read_choice(struct reader *r, struct err *e)
{
    struct str *dst = r->dst;

    if (read_plain(r, e) != 0)
        return -1;
    if (dst->len == 0 || r->p->values == NULL)
        return 0;
    for (const char *const *v = r->p->values; *v != NULL; v++)
        if (str_ieq(*dst, str_c(*v))) {
            *dst = str_c(*v);
            return 0;
        }
    err_set(e, ERR_INVALID, "parameter \"%s\": \"%.*s\" is not among its values", r->p->name,
            STR_ARG(str_slice(*dst, 0, 100)));
    return -1;
}

static int read_bool(struct reader *r, struct err *e)
{
    struct str text = str_trim(param_raw_text(r->raw, r->a));

    if (text.len == 0)
        text = str_c(r->p->otherwise);
    *(bool *)r->dst = str_ieq(text, STR("true")) || str_eq_c(text, "1");
    if (text.len > 0 && !*(bool *)r->dst && !str_ieq(text, STR("false")) && !str_eq_c(text, "0")) {
        err_set(e, ERR_INVALID, "parameter \"%s\": \"%.*s\" is neither true nor false", r->p->name,
                STR_ARG(str_slice(text, 0, 100)));
        return -1;
    }
    return 0;
}

static int read_expr(struct reader *r, struct err *e)
{
    struct node_expr *x = ARENA_NEW(r->a, struct node_expr);

    (void)e;
    node_expr_compile(x, r->raw, r->templates, r->a);
    *(const struct node_expr **)r->dst = x;
    return 0;
}

/* {"key":"x","cleanup":false}, its JSON text, or the plain key of older definitions. */
static int read_key(struct reader *r, struct err *e)
{
    struct val key = r->raw, data = param_raw_data(r->raw, r->a);
    struct node_key *dst = r->dst;
    struct node_text t;

    if (val_is(data, VAL_DICT)) {
        key = val_get(data, "key");
        dst->cleanup = val_get_bool(data, "cleanup", false);
    }
    if (node_text_compile(&t, key, r->templates, r->a, e) != 0) {
        err_context(e, "parameter \"%s\"", r->p->name);
        return -1;
    }
    if (t.tmpl == NULL) {
        dst->key = str_trim(t.text);
        return 0;
    }
    r->dyn->texts = arena_dup(r->a, &t, sizeof t);
    r->dyn->n = 1;
    r->dyn->cleanup = dst->cleanup;
    *r->is_dyn = true;
    return 0;
}

static int bad_shape(const struct reader *r, const char *what, struct err *e)
{
    err_set(e, ERR_INVALID, "parameter \"%s\" is not %s", r->p->name, what);
    return -1;
}

/* [{"key","value","cleanup"}] or {key: value}. */
static int read_keys(struct reader *r, struct err *e)
{
    struct node_key_values *dst = r->dst;
    struct val data = param_raw_data(r->raw, r->a);
    size_t n = val_count(data);

    if (val_is_none(r->raw))
        return 0;
    if (!val_is(data, VAL_LIST) && !val_is(data, VAL_DICT))
        return bad_shape(r, "a list of keys and values", e);
    dst->items = ARENA_ARRAY(r->a, struct node_key_value, n);
    for (size_t i = 0; i < n; i++) {
        struct node_key_value *kv = &dst->items[i];
        struct val key, value;

        if (val_is(data, VAL_DICT)) {
            val_pair_at(data, i, &key, &value);
        } else {
            struct val entry = val_at(data, i);

            if (!val_is(entry, VAL_DICT))
                return bad_shape(r, "a list of keys and values", e);
            key = val_get(entry, "key");
            value = val_get(entry, "value");
            kv->cleanup = val_truth(val_get(entry, "cleanup")) &&
                          !str_eq_c(val_text(val_get(entry, "cleanup")), "false");
        }
        if (node_text_compile(&kv->key, key, r->templates, r->a, e) != 0 ||
            node_text_compile(&kv->value, value, r->templates, r->a, e) != 0) {
            err_context(e, "parameter \"%s\", entry %zu", r->p->name, i + 1);
            return -1;
        }
    }
    dst->n = n;
    return 0;
}

/* Pairs as [[name, value], ...] or {name: value}; texts alternate in *out. */
static int pairs_compile(struct reader *r, struct val data, struct node_text **out, size_t *n,
                         bool *plain, struct err *e)
{
    size_t count = val_count(data);

    *plain = true;
    *n = 0;
    if (!val_is(data, VAL_LIST) && !val_is(data, VAL_DICT))
        return bad_shape(r, "a list of pairs", e);
    *out = ARENA_ARRAY(r->a, struct node_text, 2 * count);
    for (size_t i = 0; i < count; i++) {
        struct val part[2];

        if (val_is(data, VAL_DICT)) {
            val_pair_at(data, i, &part[0], &part[1]);
        } else {
            struct val pair = val_at(data, i);

            if (!val_is(pair, VAL_LIST) || val_count(pair) != 2)
                return bad_shape(r, "a list of pairs", e);
            part[0] = val_at(pair, 0);
            part[1] = val_at(pair, 1);
        }
        for (size_t k = 0; k < 2; k++) {
            struct node_text *t = &(*out)[2 * i + k];

            if (node_text_compile(t, part[k], r->templates, r->a, e) != 0) {
                err_context(e, "parameter \"%s\", entry %zu", r->p->name, i + 1);
                return -1;
            }
            *plain = *plain && t->tmpl == NULL;
        }
    }
    *n = 2 * count;
    return 0;
}

static int read_headers(struct reader *r, struct err *e)
{
    bool plain;

    if (val_is_none(r->raw))
        return 0;
    if (pairs_compile(r, param_raw_data(r->raw, r->a), &r->dyn->texts, &r->dyn->n, &plain, e) != 0)
        return -1;
    if (plain)
        return param_pairs_run(r->dyn->texts, r->dyn->n, NULL, r->dst, r->a, e);
    *r->is_dyn = true;
    return 0;
}

/* body, body#format, body#form, body#multipart: only the chosen one counts. */
static int read_body(struct reader *r, struct err *e)
{
    struct node_body *dst = r->dst;
    struct str format = val_text(val_get_str(r->params, str_printf(r->a, "%s#format", r->p->name)));
    struct val fields = param_raw_data(r->raw, r->a);
    bool plain;

    /* pairs without a format are what the create dialog leaves behind */
    if (str_eq_c(format, "form") ||
        (format.len == 0 && val_is(r->raw, VAL_LIST) && val_is(val_at(r->raw, 0), VAL_LIST)))
        dst->form = NODE_BODY_FORM;
    else if (str_eq_c(format, "multipart"))
        dst->form = NODE_BODY_MULTIPART;
    r->dyn->form = dst->form;
    if (dst->form == NODE_BODY_DEFAULT) {
        struct node_text t;

        if (node_text_compile(&t, r->raw, r->templates, r->a, e) != 0) {
            err_context(e, "parameter \"%s\"", r->p->name);
            return -1;
        }
        dst->text = t.text;
        if (t.tmpl == NULL)
            return 0;
        r->dyn->texts = arena_dup(r->a, &t, sizeof t);
        r->dyn->n = 1;
        *r->is_dyn = true;
        return 0;
    }
    if (format.len > 0)
        fields = param_raw_data(
            val_get_str(r->params, str_printf(r->a, "%s#%.*s", r->p->name, STR_ARG(format))), r->a);
    if (val_is_none(fields))
        return 0;
    if (pairs_compile(r, fields, &r->dyn->texts, &r->dyn->n, &plain, e) != 0)
        return -1;
    if (plain)
        return param_pairs_run(r->dyn->texts, r->dyn->n, NULL, &dst->fields, r->a, e);
    *r->is_dyn = true;
    return 0;
}

static int read_switch(struct reader *r, struct err *e)
{
    struct node_cases *dst = r->dst;
    struct val data = param_raw_data(r->raw, r->a);
    size_t n = val_count(data);

    if (val_is_none(r->raw))
        return 0;
    if (!val_is(data, VAL_LIST))
        return bad_shape(r, "a list of expressions and outputs", e);
    dst->items = ARENA_ARRAY(r->a, struct node_case, n);
    for (size_t i = 0; i < n; i++) {
        struct val pair = val_at(data, i);

        if (!val_is(pair, VAL_LIST) || val_count(pair) != 2)
            return bad_shape(r, "a list of expressions and outputs", e);
        node_expr_compile(&dst->items[i].when, val_at(pair, 0), r->templates, r->a);
        dst->items[i].output = str_trim(param_raw_text(val_at(pair, 1), r->a));
    }
    dst->n = n;
    return 0;
}

struct node_strs param_list(struct val raw, struct arena *a)
{
    struct node_strs out = {NULL, 0};

    if (val_is(raw, VAL_LIST)) {
        out.items = ARENA_ARRAY(a, struct str, val_count(raw));
        for (size_t i = 0; i < val_count(raw); i++) {
            struct str s = str_trim(param_raw_text(val_at(raw, i), a));

            if (s.len > 0)
                out.items[out.n++] = s;
        }
        return out;
    }
    if (!val_is_none(raw)) {
        struct str rest = param_raw_text(raw, a);
        size_t room = 1;

        for (size_t i = 0; i < rest.len; i++)
            room += rest.p[i] == ',';
        out.items = ARENA_ARRAY(a, struct str, room);
        while (rest.len > 0) {
            struct str s = str_trim(str_cut(&rest, ','));

            if (s.len > 0)
                out.items[out.n++] = s;
        }
    }
    return out;
}

static int read_list(struct reader *r, struct err *e)
{
    (void)e;
    *(struct node_strs *)r->dst = param_list(r->raw, r->a);
    return 0;
}

static int read_strings(struct reader *r, struct err *e)
{
    struct node_strs list = param_list(r->raw, r->a);
    bool plain = true;

    r->dyn->texts = ARENA_ARRAY(r->a, struct node_text, list.n);
    for (size_t i = 0; i < list.n; i++) {
        if (node_text_compile(&r->dyn->texts[i], val_str(list.items[i]), r->templates, r->a, e) !=
            0) {
            err_context(e, "parameter \"%s\", entry %zu", r->p->name, i + 1);
            return -1;
        }
        plain = plain && r->dyn->texts[i].tmpl == NULL;
    }
    r->dyn->n = list.n;
    if (plain)
        *(struct node_strs *)r->dst = list;
    else
        *r->is_dyn = true;
    return 0;
}

static int read_retry(struct reader *r, struct err *e)
{
    struct val v = param_raw_data(r->raw, r->a);

    if (!val_is_none(r->raw) && !val_is(v, VAL_DICT))
        return bad_shape(r, "an object", e);
    *(struct val *)r->dst = v;
    return 0;
}

typedef int read_fn(struct reader *r, struct err *e);

static read_fn *const readers[PARAM_KINDS] = {
    [PARAM_LINE] = read_text,       [PARAM_JINJA] = read_text,   [PARAM_INT] = read_text,
    [PARAM_MSEC] = read_text,       [PARAM_DATA] = read_text,    [PARAM_EXPR] = read_expr,
    [PARAM_BODY] = read_body,       [PARAM_BOOL] = read_bool,    [PARAM_CHOICE] = read_choice,
    [PARAM_KEY] = read_key,         [PARAM_KEYS] = read_keys,    [PARAM_HEADERS] = read_headers,
    [PARAM_SWITCH] = read_switch,   [PARAM_OUTPUTS] = read_list, [PARAM_ENDS] = read_list,
    [PARAM_STRINGS] = read_strings, [PARAM_RETRY] = read_retry,  [PARAM_SESSION] = read_text,
    [PARAM_ACTIVITY] = read_text,   [PARAM_TASK] = read_plain,   [PARAM_JSON] = read_text,
    [PARAM_TIMER] = read_plain,     [PARAM_ROLE] = read_plain,   [PARAM_FORM] = read_plain,
    [PARAM_XML] = read_text,
};

int param_compile(const struct param *p, struct val params, struct tmpl_cache *templates,
                  void *image, struct param_dyn *dyn, bool *is_dyn, struct arena *a, struct err *e)
{
    struct reader r = {
        .p = p,
        .raw = wf_param_raw(p, params),
        .params = params,
        .templates = templates,
        .dst = (char *)image + p->offset,
        .dyn = dyn,
        .is_dyn = is_dyn,
        .a = a,
    };

    *is_dyn = false;
    *dyn = (struct param_dyn){.param = p};
    if (p->mandatory && p->otherwise == NULL && val_is_undef(r.raw)) {
        err_set(e, ERR_INVALID, "parameter \"%s\" is empty", p->name);
        return -1;
    }
    return readers[p->kind](&r, e);
}
