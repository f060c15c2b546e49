/*
 * tojson, pp_dict, rest2dict (json), json_query: JSON out, in, and searched.
 */
#include <math.h>

#include "base/json.h"
#include "base/utf8.h"
#include "format/jmespath.h"
#include "template/filters/flt.h"
#include "template/literal.h"

struct check {
    struct call *c;
    bool strict; /* Python's rules: no undefined, keys that can be sorted */
    bool finite; /* no NaN, no infinity */
};

static int not_json(struct call *c, struct val v)
{
    return call_raise(c, TMPL_EXC_TYPE, "Object of type %s is not JSON serializable",
                      v.type == VAL_UNDEF ? "Undefined" : val_type_name(v));
}

static int check_value(const struct check *k, struct val v, int depth);

static int check_dict(const struct check *k, struct val v, int depth)
{
    struct val key;
    struct val value;
    uint8_t first = VAL_UNDEF;

    for (size_t i = 0; val_pair_at(v, i, &key, &value); i++) {
        uint8_t kind = lib_is_number(key) ? (uint8_t)VAL_INT : key.type;

        if (key.type != VAL_STR && key.type != VAL_NULL && !lib_is_number(key))
            return call_raise(k->c, TMPL_EXC_TYPE,
                              "keys must be str, int, float, bool or None, not %s",
                              val_type_name(key));
        if (k->strict && i > 0 && (kind != first || kind == VAL_NULL)) /* sorting compares them */
            return call_raise(k->c, TMPL_EXC_TYPE,
                              "'<' not supported between instances of '%s' and another type",
                              val_type_name(key));
        first = kind;
        if (check_value(k, value, depth + 1) != 0)
            return -1;
    }
    return 0;
}

static int check_value(const struct check *k, struct val v, int depth)
{
    if (depth > LIMIT_JSON_DEPTH)
        return call_raise(k->c, TMPL_EXC_LIMIT, "nested deeper than %d", LIMIT_JSON_DEPTH);
    switch (v.type) {
    case VAL_UNDEF:
        return k->strict ? not_json(k->c, v) : lib_look(k->c, v);
    case VAL_BYTES:
        return not_json(k->c, v);
    case VAL_FLOAT:
        if (k->finite && !isfinite(v.u.f))
            return call_raise(k->c, TMPL_EXC_VALUE,
                              "Out of range float values are not JSON compliant");
        return 0;
    case VAL_OBJ:
        return v.u.obj->cls->json == NULL ? not_json(k->c, v) : 0;
    case VAL_DICT:
        return check_dict(k, v, depth);
    case VAL_LIST:
    case VAL_TUPLE:
        if (vm_spend(k->c, (int64_t)val_count(v)) != 0)
            return -1;
        for (size_t i = 0; i < val_count(v); i++) {
            if (check_value(k, val_at(v, i), depth + 1) != 0)
                return -1;
        }
        return 0;
    default:
        return 0;
    }
}

static int write_json(struct call *c, unsigned style, struct val indent, uint8_t flags,
                      struct val *out)
{
    int64_t n = 0;
    struct buf b;

    if (!val_is_none(indent) && lib_int(c, indent, &n) != 0)
        return -1;
    lib_buf(c, &b);
    json_write(c->self, style, n < 0 ? 0 : n > 100 ? 100 : (int)n, &b);
    return lib_finish(c, &b, flags, out);
}

int flt_tojson(struct call *c, struct val *out)
{
    struct check k = {.c = c, .strict = true};
    struct val indent = val_null();

    if (call_bind(c, "indent=", &indent) != 0 || check_value(&k, c->self, 0) != 0)
        return -1;
    return write_json(c, JSON_SPACED | JSON_ASCII | JSON_SORTED | JSON_HTML, indent,
                      VAL_F_MARKUP | VAL_F_ASCII, out);
}

int flt_pp_dict(struct call *c, struct val *out)
{
    struct check k = {.c = c, .finite = true};
    struct val indent = val_null();

    if (call_bind(c, "indent=", &indent) != 0 || check_value(&k, c->self, 0) != 0)
        return -1;
    return write_json(c, JSON_SPACED, indent, 0, out);
}

/* ---- rest2dict --------------------------------------------------------------------------------
 */

/* JSON first, then relaxed literals. */
static int parse_text(struct call *c, struct str s, struct val *out)
{
    struct err e;

    if (json_parse(s, out, c->a, &e) == 0)
        return 0;
    if (literal_parse(s, 0, out, c->a, &e) == 0)
        return 0;
    return call_raise(c, TMPL_EXC_VALUE, "%s", e.msg);
}

/* A member "body" that is JSON text is read too, one level deep. */
static struct val open_body(struct call *c, struct val v)
{
    struct val body = v.type == VAL_DICT ? val_get(v, "body") : val_undef(NULL);
    struct val data;
    struct val copy;
    struct val key;
    struct val value;
    struct err e;

    if (body.type != VAL_STR || json_parse(val_text(body), &data, c->a, &e) != 0)
        return v;
    copy = val_dict_new(c->a, val_count(v));
    for (size_t i = 0; val_pair_at(v, i, &key, &value); i++)
        val_dict_set(copy, key, val_eq(key, VAL_STR_LIT("body")) ? data : value);
    return copy;
}

int flt_rest2dict(struct call *c, struct val *out)
{
    struct val v = c->self;
    bool text = v.type == VAL_STR || v.type == VAL_BYTES;
    struct str s;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    s = v.type == VAL_BYTES ? utf8_repair(c->a, val_text(v)) : val_text(v);
    if (val_is_none(v) || (text && str_trim(s).len == 0)) {
        *out = val_dict_new(c->a, 0);
        return 0;
    }
    if (text && parse_text(c, s, &v) != 0)
        return -1;
    *out = open_body(c, v);
    return 0;
}

int flt_json_query(struct call *c, struct val *out)
{
    struct val expression = val_null();
    struct val data = c->self;
    struct jmespath *q;
    struct str text;

    if (call_bind(c, "expr", &expression) != 0 ||
        lib_need_text(c, expression, "json_query expression", &text) != 0)
        return -1;
    if (data.type == VAL_STR) {
        struct str s = str_trim(val_text(data));

        if (s.len > 0 && (s.p[0] == '{' || s.p[0] == '[') && parse_text(c, s, &data) != 0)
            return -1;
    }
    if (val_is_undef(data))
        data = val_null();
    if (jmespath_compile(&q, text, c->a, c->e) != 0 ||
        jmespath_search(q, data, out, c->a, c->e) != 0)
        return lib_pass_error(c);
    if (val_is_undef(*out))
        *out = val_null();
    return 0;
}
