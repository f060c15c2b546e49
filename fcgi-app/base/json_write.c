/*
 * Values to JSON text.
 */
#include <math.h>
#include <stdlib.h>

#include "base/bigint.h"
#include "base/json_int.h"
#include "base/utf8.h"
#include "base/value_int.h"

struct writer {
    struct buf *out;
    unsigned style;
    unsigned indent;
    unsigned level;
};

static void write_value(struct writer *w, struct val v);

/* ---- strings ----------------------------------------------------------------------------- */

static void put_unit(uint32_t unit, struct buf *out)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {
        '\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};

    buf_add(out, text, sizeof(text));
}

static void put_escape(uint32_t cp, struct buf *out)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *known = cp > 0 && cp < 0x80 ? strchr(from, (int)cp) : NULL;

    if (known != NULL) {
        char text[2] = {'\\', to[known - from]};
        buf_add(out, text, sizeof(text));
    } else if (cp < 0x10000) {
        put_unit(cp, out);
    } else {
        put_unit(0xd800 + ((cp - 0x10000) >> 10), out);
        put_unit(0xdc00 + ((cp - 0x10000) & 0x3ff), out);
    }
}

/* The first byte from `p` on that the style does not let through as it is. */
static const char *plain_run(const char *p, const char *end, unsigned style)
{
    uint64_t high = 0;

    if ((style & (JSON_ASCII | JSON_HTML)) == 0)
        return json_plain_run(p, end, &high);
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        if ((style & JSON_ASCII) != 0 && c >= 0x7f)
            break;
        if ((style & JSON_HTML) != 0 && (c == '<' || c == '>' || c == '&' || c == '\''))
            break;
    }
    return p;
}

void json_write_string(struct str s, unsigned style, struct buf *out)
{
    const char *p = s.p;
    const char *end = s.p + s.len;

    buf_putc(out, '"');
    while (p < end) {
        const char *stop = plain_run(p, end, style);
        buf_add(out, p, (size_t)(stop - p));
        p = stop;
        if (p < end)
            put_escape(utf8_next(&p, end), out);
    }
    buf_putc(out, '"');
}

/* ---- containers -------------------------------------------------------------------------- */

static void new_line(struct writer *w)
{
    static const char blanks[] = "                ";
    size_t n = (size_t)w->indent * w->level;

    buf_putc(w->out, '\n');
    for (; n > sizeof(blanks) - 1; n -= sizeof(blanks) - 1)
        buf_add(w->out, blanks, sizeof(blanks) - 1);
    buf_add(w->out, blanks, n);
}

/* What stands in front of item `i`. */
static void separate(struct writer *w, uint32_t i)
{
    if (i > 0)
        buf_putc(w->out, ',');
    if (w->indent > 0)
        new_line(w);
    else if (i > 0 && (w->style & JSON_SPACED) != 0)
        buf_putc(w->out, ' ');
}

static void write_list(struct writer *w, const struct val_list *l)
{
    buf_putc(w->out, '[');
    w->level++;
    for (uint32_t i = 0; i < l->n && !w->out->over; i++) {
        separate(w, i);
        write_value(w, l->items[i]);
    }
    w->level--;
    if (w->indent > 0 && l->n > 0)
        new_line(w);
    buf_putc(w->out, ']');
}

/* Python's json makes names of the simple values; others get their str(). */
static void write_name(struct writer *w, struct val key)
{
    if (key.type == VAL_STR) {
        json_write_string(val_text(key), w->style, w->out);
    } else if (key.type >= VAL_NULL && key.type <= VAL_FLOAT) {
        buf_putc(w->out, '"');
        write_value(w, key);
        buf_putc(w->out, '"');
    } else {
        json_write_string(val_str_of(key, w->out->a), w->style, w->out);
    }
}

static int by_key(const void *a, const void *b)
{
    const struct val_pair *x = *(const struct val_pair *const *)a;
    const struct val_pair *y = *(const struct val_pair *const *)b;
    int order = 0;

    if (val_cmp(x->key, y->key, &order) != 0) /* kinds that Python would not sort */
        order = (x->key.type > y->key.type) - (x->key.type < y->key.type);
    return order == 0 || order == VAL_UNORDERED ? (x > y) - (x < y) : order;
}

/* The pairs in the order of their keys, or NULL to take them as they come. */
static const struct val_pair **sorted(const struct writer *w, const struct val_dict *d)
{
    if ((w->style & JSON_SORTED) == 0 || d->n < 2)
        return NULL;
    const struct val_pair **order = arena_alloc(w->out->a, d->n * sizeof(*order));
    for (uint32_t i = 0; i < d->n; i++)
        order[i] = &d->pairs[i];
    qsort(order, d->n, sizeof(*order), by_key);
    return order;
}

static void write_dict(struct writer *w, const struct val_dict *d)
{
    const struct val_pair **order = sorted(w, d);

    buf_putc(w->out, '{');
    w->level++;
    for (uint32_t i = 0; i < d->n && !w->out->over; i++) {
        const struct val_pair *pair = order != NULL ? order[i] : &d->pairs[i];
        separate(w, i);
        write_name(w, pair->key);
        buf_putc(w->out, ':');
        if (w->indent > 0 || (w->style & JSON_SPACED) != 0)
            buf_putc(w->out, ' ');
        write_value(w, pair->value);
    }
    w->level--;
    if (w->indent > 0 && d->n > 0)
        new_line(w);
    buf_putc(w->out, '}');
}

static void write_nested(struct writer *w, struct val v)
{
    if (!val_enter()) {
        buf_add_c(w->out, "null");
        return;
    }
    if (v.type == VAL_OBJ) {
        write_value(w, v.u.obj->cls->json(v.u.obj, w->out->a));
    } else {
        v = val_open(v);
        if (v.type == VAL_DICT)
            write_dict(w, v.u.dict);
        else
            write_list(w, v.u.list);
    }
    val_leave();
}

static void write_value(struct writer *w, struct val v)
{
    char number[32];

    switch (v.type) {
    case VAL_BOOL:
        buf_add_c(w->out, v.u.b ? "true" : "false");
        break;
    case VAL_INT:
        buf_add_int(w->out, v.u.i);
        break;
    case VAL_BIGINT:
        bigint_write(v.u.big, w->out);
        break;
    case VAL_FLOAT:
        if (isfinite(v.u.f))
            buf_add(w->out, number, val_float_repr(v.u.f, number));
        else
            buf_add_c(w->out, "null");
        break;
    case VAL_STR:
        json_write_string(val_text(v), w->style, w->out);
        break;
    case VAL_LIST:
    case VAL_TUPLE:
    case VAL_DICT:
        write_nested(w, v);
        break;
    case VAL_OBJ:
        if (v.u.obj->cls->json != NULL) {
            write_nested(w, v);
            break;
        }
        json_write_string(val_str_of(v, w->out->a), w->style, w->out);
        break;
    case VAL_BYTES:
        json_write_string(val_str_of(v, w->out->a), w->style, w->out);
        break;
    default:
        buf_add_c(w->out, "null");
        break;
    }
}

void json_write(struct val v, unsigned style, int indent, struct buf *out)
{
    struct writer w = {.out = out, .style = style, .indent = indent > 0 ? (unsigned)indent : 0};

    write_value(&w, v);
}

struct str json_text(struct val v, struct arena *a)
{
    struct buf out;

    buf_init(&out, SIZE_MAX, a);
    json_write(v, JSON_COMPACT, 0, &out);
    return str_make(buf_cstr(&out), out.len);
}
