/*
 * JMESPath, third stage: walking the tree over the data.
 *
 * There is only null here, no undefined: what is missing is null.  Steps are counted, so that no
 * expression runs for long over large data.
 */
#include "format/jmespath_int.h"

#include "base/utf8.h"
#include "format/json_equal.h"

enum { STEPS_MAX = 20000000 };
#define MEMORY_MAX (256 * MIB) /* what one search may allocate, bytes */

struct jmespath {
    struct jp_node *root;
};

int jmespath_compile(struct jmespath **out, struct str expression, struct arena *a, struct err *e)
{
    struct jmespath *q = ARENA_NEW(a, struct jmespath);

    if (utf8_check(expression) != expression.len) {
        err_set(e, ERR_INVALID, "the expression is not UTF-8");
        e->column = (int)(utf8_check(expression) + 1);
        return -1;
    }
    if (jp_parse(&q->root, expression, a, e) != 0)
        return -1;
    *out = q;
    return 0;
}

int jmespath_search(const struct jmespath *q, struct val data, struct val *out, struct arena *a,
                    struct err *e)
{
    struct jp_run r = {
        .steps = STEPS_MAX, .memory_end = arena_used(a) + MEMORY_MAX, .a = a, .e = e};

    return jp_eval(&r, q->root, data, out);
}

int jp_steps(struct jp_run *r, size_t n)
{
    if (n > (size_t)r->steps) {
        r->steps = 0;
        err_set(r->e, ERR_LIMIT, "the expression needs too many steps");
        return -1;
    }
    if (arena_used(r->a) > r->memory_end) {
        err_set(r->e, ERR_LIMIT, "the expression needs too much memory");
        return -1;
    }
    r->steps -= (int64_t)n;
    return 0;
}

/* False are null, false, "", [] and {}. */
static bool jp_truth(struct val v)
{
    if (val_is(v, VAL_BOOL))
        return v.u.b;
    if (val_is(v, VAL_STR) || val_is(v, VAL_DICT) || json_is_array(v))
        return val_count(v) > 0;
    return !val_is_none(v);
}

static struct val or_null(struct val v)
{
    return val_is_undef(v) ? val_null() : v;
}

static struct val at_index(struct val data, int64_t i)
{
    int64_t n = (int64_t)val_count(data);

    if (!json_is_array(data))
        return val_null();
    if (i < 0)
        i += n;
    return i < 0 || i >= n ? val_null() : or_null(val_at(data, (size_t)i));
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Python's slice: bounds from the end when negative, clamped to the list. */
static int64_t bound(const struct jp_node *node, int part, int64_t n, bool backwards,
                     int64_t otherwise)
{
    int64_t v = node->slice.at[part];

    if (!node->slice.has[part])
        return otherwise;
    if (v < 0)
        v = v < -n ? -1 - n : v + n;
    return backwards ? clamp(v, -1, n - 1) : clamp(v, 0, n);
}

static int slice(struct jp_run *r, const struct jp_node *node, struct val data, struct val *out)
{
    int64_t n = (int64_t)val_count(data);
    int64_t step = node->slice.has[2] ? node->slice.at[2] : 1;
    bool backwards = step < 0;
    int64_t i = bound(node, 0, n, backwards, backwards ? n - 1 : 0);
    int64_t stop = bound(node, 1, n, backwards, backwards ? -1 : n);

    *out = val_null();
    if (!json_is_array(data))
        return 0;
    if (jp_steps(r, (size_t)n) != 0)
        return -1;
    *out = val_list_new(r->a, 0);
    step = clamp(step, -n - 1, n + 1);
    for (; backwards ? i > stop : i < stop; i += step)
        val_list_add(*out, val_at(data, (size_t)i));
    return 0;
}

static int flatten(struct jp_run *r, struct val data, struct val *out)
{
    size_t n = val_count(data);

    *out = val_null();
    if (!json_is_array(data))
        return 0;
    *out = val_list_new(r->a, n);
    for (size_t i = 0; i < n; i++) {
        struct val item = val_at(data, i);
        size_t m = json_is_array(item) ? val_count(item) : 0;

        if (jp_steps(r, m + 1) != 0)
            return -1;
        if (!json_is_array(item))
            val_list_add(*out, item);
        for (size_t k = 0; k < m; k++)
            val_list_add(*out, val_at(item, k));
    }
    return 0;
}

/* node->right on `item`; what is not null goes into `list`. */
static int project_one(struct jp_run *r, const struct jp_node *node, struct val item,
                       struct val list)
{
    struct val v;

    if (node->third != NULL) {
        if (jp_eval(r, node->third, item, &v) != 0)
            return -1;
        if (!jp_truth(v))
            return 0;
    }
    if (jp_eval(r, node->right, item, &v) != 0)
        return -1;
    if (!val_is_none(v))
        val_list_add(list, v);
    return 0;
}

static int project(struct jp_run *r, const struct jp_node *node, struct val data, struct val *out)
{
    struct val from;
    struct val key;
    struct val item;
    size_t n;
    bool values = node->kind == JP_N_VALUES;

    if (jp_eval(r, node->left, data, &from) != 0)
        return -1;
    *out = val_null();
    if (values ? !val_is(from, VAL_DICT) : !json_is_array(from))
        return 0;
    n = val_count(from);
    *out = val_list_new(r->a, 0);
    for (size_t i = 0; i < n; i++) {
        if (values)
            (void)val_pair_at(from, i, &key, &item);
        else
            item = val_at(from, i);
        if (project_one(r, node, item, *out) != 0)
            return -1;
    }
    return 0;
}

/* Order is defined between two numbers, and between two texts by code points; else null. */
static struct val ordered(enum jp_token op, struct val a, struct val b)
{
    int order;

    if (!(json_is_number(a) && json_is_number(b)) && !(val_is(a, VAL_STR) && val_is(b, VAL_STR)))
        return val_null();
    if (val_cmp(a, b, &order) != 0)
        return val_null();
    switch (op) {
    case JP_LT:
        return val_bool(order < 0);
    case JP_LE:
        return val_bool(order <= 0);
    case JP_GT:
        return val_bool(order > 0);
    default:
        return val_bool(order >= 0);
    }
}

static int compare(struct jp_run *r, const struct jp_node *node, struct val data, struct val *out)
{
    struct val a;
    struct val b;

    if (jp_eval(r, node->left, data, &a) != 0 || jp_eval(r, node->right, data, &b) != 0)
        return -1;
    if (node->op == JP_EQ || node->op == JP_NE)
        *out = val_bool(json_equal(a, b) == (node->op == JP_EQ));
    else
        *out = ordered(node->op, a, b);
    return 0;
}

static int or_and(struct jp_run *r, const struct jp_node *node, struct val data, struct val *out)
{
    if (jp_eval(r, node->left, data, out) != 0)
        return -1;
    if (jp_truth(*out) == (node->kind == JP_N_OR))
        return 0;
    return jp_eval(r, node->right, data, out);
}

static int multi_select(struct jp_run *r, const struct jp_node *node, struct val data,
                        struct val *out)
{
    bool is_hash = node->kind == JP_N_HASH;
    struct val v;

    *out = val_null();
    if (val_is_none(data))
        return 0;
    *out = is_hash ? val_dict_new(r->a, node->n_items) : val_list_new(r->a, node->n_items);
    for (size_t i = 0; i < node->n_items; i++) {
        if (jp_eval(r, node->items[i], data, &v) != 0)
            return -1;
        if (is_hash)
            val_dict_set_str(*out, node->names[i], v);
        else
            val_list_add(*out, v);
    }
    return 0;
}

static int call(struct jp_run *r, const struct jp_node *node, struct val data, struct val *out)
{
    struct jp_arg *args = ARENA_ARRAY(r->a, struct jp_arg, node->n_items);

    for (size_t i = 0; i < node->n_items; i++) {
        if (node->items[i]->kind == JP_N_EXPREF)
            args[i].expr = node->items[i]->left;
        else if (jp_eval(r, node->items[i], data, &args[i].value) != 0)
            return -1;
    }
    return jp_function_call(r, node->function, args, node->n_items, out);
}

static int chain(struct jp_run *r, const struct jp_node *node, struct val data, struct val *out)
{
    struct val v;

    if (jp_eval(r, node->left, data, &v) != 0)
        return -1;
    return jp_eval(r, node->right, v, out);
}

int jp_eval(struct jp_run *r, const struct jp_node *node, struct val data, struct val *out)
{
    struct val v;

    if (jp_steps(r, 1) != 0)
        return -1;
    switch (node->kind) {
    case JP_N_CURRENT:
        *out = or_null(data);
        return 0;
    case JP_N_LITERAL:
        *out = node->value;
        return 0;
    case JP_N_FIELD:
        *out = val_is(data, VAL_DICT) ? or_null(val_get_val(data, node->value)) : val_null();
        return 0;
    case JP_N_INDEX:
        *out = at_index(data, node->number);
        return 0;
    case JP_N_SLICE:
        return slice(r, node, data, out);
    case JP_N_CHAIN:
        return chain(r, node, data, out);
    case JP_N_PROJECT:
    case JP_N_VALUES:
    case JP_N_SELECT:
        return project(r, node, data, out);
    case JP_N_FLATTEN:
        return jp_eval(r, node->left, data, &v) != 0 ? -1 : flatten(r, v, out);
    case JP_N_OR:
    case JP_N_AND:
        return or_and(r, node, data, out);
    case JP_N_NOT:
        if (jp_eval(r, node->left, data, &v) != 0)
            return -1;
        *out = val_bool(!jp_truth(v));
        return 0;
    case JP_N_COMPARE:
        return compare(r, node, data, out);
    case JP_N_LIST:
    case JP_N_HASH:
        return multi_select(r, node, data, out);
    case JP_N_CALL:
        return call(r, node, data, out);
    case JP_N_EXPREF:
        break;
    }
    err_set(r->e, ERR_INVALID, "an expression reference (&) is an argument of a function only");
    return -1;
}
