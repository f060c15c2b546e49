/*
 * pprint: values over several lines when they do not fit on one.
 *
 * Lays out as Python's pprint.pformat does: width 80, a blank per level, keys sorted.
 */
#include "base/utf8.h"
#include "template/filters/flt.h"
#include "template/text.h"

enum { WIDTH = 80 };

struct printer {
    struct call *c;
    struct buf *out;
};

static int put_repr(struct printer *p, struct val v, int depth, struct buf *out);

/* Pairs by key; kinds that do not compare go by their type's name. */
static int sorted_pairs(struct printer *p, struct val dict, struct sort_item **out)
{
    size_t n = val_count(dict);
    struct sort_item *items = arena_alloc(p->c->a, n * sizeof *items);
    bool comparable = true;
    int order;

    for (size_t i = 0; i < n; i++) {
        struct val key;
        struct val value;

        if (!val_pair_at(dict, i, &key, &value))
            break;
        items[i].key = key;
        items[i].item = value;
        if (i > 0 && val_cmp(items[0].key, key, &order) != 0)
            comparable = false;
    }
    *out = items;
    if (comparable)
        return lib_sort(p->c, items, n, false);
    for (size_t i = 1; i < n; i++) { /* few keys are of mixed kinds: insertion is enough */
        struct sort_item one = items[i];
        size_t k = i;

        for (; k > 0; k--) {
            struct val other = items[k - 1].key;
            bool less = val_cmp(one.key, other, &order) == 0
                            ? order < 0
                            : strcmp(val_type_name(one.key), val_type_name(other)) < 0;

            if (!less)
                break;
            items[k] = items[k - 1];
        }
        items[k] = one;
    }
    return 0;
}

static int repr_dict(struct printer *p, struct val v, int depth, struct buf *out)
{
    struct sort_item *pairs;

    if (sorted_pairs(p, v, &pairs) != 0)
        return -1;
    buf_putc(out, '{');
    for (size_t i = 0; i < val_count(v); i++) {
        if (i > 0)
            buf_add(out, ", ", 2);
        if (put_repr(p, pairs[i].key, depth + 1, out) != 0)
            return -1;
        buf_add(out, ": ", 2);
        if (put_repr(p, pairs[i].item, depth + 1, out) != 0)
            return -1;
    }
    buf_putc(out, '}');
    return 0;
}

/* repr(v) with sorted dictionaries. */
static int put_repr(struct printer *p, struct val v, int depth, struct buf *out)
{
    size_t n = val_count(v);
    bool tuple = v.type == VAL_TUPLE;

    if (depth > LIMIT_JSON_DEPTH)
        return call_raise(p->c, TMPL_EXC_LIMIT, "nested deeper than %d", LIMIT_JSON_DEPTH);
    if (v.type == VAL_DICT)
        return repr_dict(p, v, depth, out);
    if (v.type != VAL_LIST && !tuple) {
        val_to_repr(v, out);
        return 0;
    }
    buf_putc(out, tuple ? '(' : '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add(out, ", ", 2);
        if (put_repr(p, val_at(v, i), depth + 1, out) != 0)
            return -1;
    }
    buf_add_c(out, tuple ? n == 1 ? ",)" : ")" : "]");
    return 0;
}

static int repr_of(struct printer *p, struct val v, struct str *out)
{
    struct buf b;

    lib_buf(p->c, &b);
    if (put_repr(p, v, 0, &b) != 0)
        return -1;
    *out = buf_str(&b);
    return 0;
}

static void new_line(struct printer *p, size_t indent)
{
    buf_putc(p->out, '\n');
    text_fill(STR(" "), indent, p->out);
}

static int print(struct printer *p, struct val v, size_t indent, size_t allowance, int level);

static int print_items(struct printer *p, struct val v, size_t indent, size_t allowance, int level)
{
    size_t n = val_count(v);

    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            buf_putc(p->out, ',');
            new_line(p, indent + 1);
        }
        if (print(p, val_at(v, i), indent + 1, i + 1 == n ? allowance : 1, level) != 0)
            return -1;
    }
    return 0;
}

static int print_dict(struct printer *p, struct val v, size_t indent, size_t allowance, int level)
{
    struct sort_item *pairs;
    size_t n = val_count(v);

    if (sorted_pairs(p, v, &pairs) != 0)
        return -1;
    buf_putc(p->out, '{');
    for (size_t i = 0; i < n; i++) {
        struct str key;

        if (repr_of(p, pairs[i].key, &key) != 0)
            return -1;
        buf_add_str(p->out, key);
        buf_add(p->out, ": ", 2);
        if (print(p, pairs[i].item, indent + 1 + utf8_len(key) + 2, i + 1 == n ? allowance + 1 : 1,
                  level) != 0)
            return -1;
        if (i + 1 < n) {
            buf_putc(p->out, ',');
            new_line(p, indent + 1);
        }
    }
    buf_putc(p->out, '}');
    return 0;
}

/* Next run of non-blanks with the blanks behind it. */
static struct str next_part(struct str *line)
{
    const char *q = line->p;
    const char *end = line->p + line->len;
    bool blank = false;
    struct str part;

    while (q < end) {
        const char *r = q;
        bool space = text_space(utf8_next(&r, end));

        if (blank && !space)
            break;
        blank = space;
        q = r;
    }
    part = str_make(line->p, (size_t)(q - line->p));
    *line = str_make(q, (size_t)(end - q));
    return part;
}

static int repr_width(struct printer *p, struct str s, struct str *repr)
{
    return repr_of(p, val_str(s), repr);
}

struct chunks {
    struct val list;
    int64_t width; /* of a chunk */
    int64_t allowance;
};

/* Cut one line of a text into chunks that fit. */
static int cut_line(struct printer *p, struct chunks *k, struct str line, bool last_line)
{
    struct str current = STR("");
    struct str repr;
    int64_t width = k->width;

    while (line.len > 0) {
        struct str part = next_part(&line);
        struct str candidate =
            str_make(current.len > 0 ? current.p : part.p, current.len + part.len);

        if (line.len == 0 && last_line)
            width -= k->allowance;
        if (repr_width(p, candidate, &repr) != 0)
            return -1;
        if ((int64_t)utf8_len(repr) <= width) {
            current = candidate;
            continue;
        }
        if (current.len > 0) {
            if (repr_width(p, current, &repr) != 0)
                return -1;
            val_list_add(k->list, val_str(repr));
        }
        current = part;
    }
    if (current.len > 0) {
        if (repr_width(p, current, &repr) != 0)
            return -1;
        val_list_add(k->list, val_str(repr));
    }
    return 0;
}

static int print_text(struct printer *p, struct val v, size_t indent, size_t allowance, int level)
{
    struct str rest = val_text(v);
    struct str line;
    struct str ending;
    struct str repr = STR("''");
    struct chunks k;

    if (level == 1) {
        indent++;
        allowance++;
    }
    k = (struct chunks){val_list_new(p->c->a, 8), WIDTH - (int64_t)indent, (int64_t)allowance};
    while (text_line(&rest, &line, &ending)) {
        line.len += ending.len;
        if (repr_width(p, line, &repr) != 0)
            return -1;
        if ((int64_t)utf8_len(repr) <= k.width - (rest.len == 0 ? k.allowance : 0))
            val_list_add(k.list, val_str(repr));
        else if (cut_line(p, &k, line, rest.len == 0) != 0)
            return -1;
    }
    if (val_count(k.list) <= 1) {
        buf_add_str(p->out, repr);
        return 0;
    }
    if (level == 1)
        buf_putc(p->out, '(');
    for (size_t i = 0; i < val_count(k.list); i++) {
        if (i > 0)
            new_line(p, indent);
        buf_add_str(p->out, val_text(val_at(k.list, i)));
    }
    if (level == 1)
        buf_putc(p->out, ')');
    return 0;
}

static int print(struct printer *p, struct val v, size_t indent, size_t allowance, int level)
{
    struct str repr;

    if (repr_of(p, v, &repr) != 0 || vm_spend(p->c, 1 + (int64_t)(repr.len / 16)) != 0)
        return -1;
    if (utf8_len(repr) + indent + allowance <= WIDTH) {
        buf_add_str(p->out, repr);
        return 0;
    }
    switch (v.type) {
    case VAL_DICT:
        return print_dict(p, v, indent, allowance, level + 1);
    case VAL_LIST:
        buf_putc(p->out, '[');
        if (print_items(p, v, indent, allowance + 1, level + 1) != 0)
            return -1;
        buf_putc(p->out, ']');
        return 0;
    case VAL_TUPLE:
        buf_putc(p->out, '(');
        if (print_items(p, v, indent, allowance + (val_count(v) == 1 ? 2 : 1), level + 1) != 0)
            return -1;
        buf_add_c(p->out, val_count(v) == 1 ? ",)" : ")");
        return 0;
    case VAL_STR:
        if (!lib_is_markup(v))
            return print_text(p, v, indent, allowance, level + 1);
        break;
    default:
        break;
    }
    buf_add_str(p->out, repr);
    return 0;
}

int flt_pprint(struct call *c, struct val *out)
{
    struct buf b;
    struct printer p = {.c = c, .out = &b};

    if (call_bind(c, "", NULL) != 0)
        return -1;
    lib_buf(c, &b);
    if (print(&p, c->self, 0, 0, 0) != 0)
        return -1;
    return lib_finish(c, &b, 0, out);
}
