/*
 * Attributes, items and slices.
 *
 * Rule: Jinja2's Environment.getattr and getitem: an attribute is looked for first as attribute
 * (method), then as item; an item the other way round; slices are Python's.  Names that begin with
 * _ are refused.
 */
#include "base/bigint.h"
#include "base/utf8.h"
#include "template/vm_int.h"

/* ---- attributes ------------------------------------------------------------------------------ */

static struct val refused(struct vm *vm, struct val obj, struct str name)
{
    return undef_make(UNDEF_SECURITY,
                      arena_printf(vm->a, "access to attribute '%.*s' of '%s' object is unsafe.",
                                   STR_ARG(name), val_type_name(obj)));
}

/* Attribute only, no item: methods and members of objects.  Undefined without a reason when there
 * is none. */
/* real, imag, numerator, denominator of numbers. */
static struct val number_attr(struct val v, struct str name)
{
    bool whole = v.type != VAL_FLOAT;

    if (v.type == VAL_BOOL)
        v = val_int(v.u.b);
    if (str_eq_c(name, "real") || (whole && str_eq_c(name, "numerator")))
        return v;
    if (str_eq_c(name, "imag"))
        return whole ? val_int(0) : val_float(0);
    return whole && str_eq_c(name, "denominator") ? val_int(1) : val_undef(NULL);
}

static struct val own_attr(struct vm *vm, struct val obj, struct str name)
{
    const struct tmpl_class *cls = tmpl_class_of(obj);
    callable_fn *fn;
    const char *qualified;
    struct val v;

    if (cls != NULL && cls->getattr != NULL) {
        v = cls->getattr(obj.u.obj, name, vm->a);
        if (v.type != VAL_UNDEF || v.u.undef_name != NULL)
            return v;
    }
    if (method_find(obj, name, &fn, &qualified))
        return bound_new(vm->a, obj, fn, qualified);
    return obj.type >= VAL_BOOL && obj.type <= VAL_FLOAT ? number_attr(obj, name) : val_undef(NULL);
}

static struct val item_by_text(struct vm *vm, struct val obj, struct str name)
{
    const struct tmpl_class *cls = tmpl_class_of(obj);

    if (obj.type == VAL_DICT)
        return val_get_str(obj, name);
    if (cls != NULL && cls->getitem != NULL)
        return cls->getitem(obj.u.obj, val_str(name), vm->a);
    return val_undef(NULL);
}

/* __class__ and the like: every object of Python has some, none may be touched.  Other names that
 * begin with _ are ordinary keys of dictionaries. */
static bool special(struct str name)
{
    return str_starts(name, STR("__")) && str_ends(name, STR("__"));
}

/* Does an attribute of this undefined value give the value again? */
static bool chains(const struct vm *vm, struct val v)
{
    return vm->undefined == TMPL_UNDEF_CHAINABLE && v.reserved != UNDEF_SECURITY &&
           v.reserved != UNDEF_LENIENT;
}

static int undefined_attr(struct vm *vm, struct val obj, struct str name, struct val *out)
{
    *out = undef_own_attr(vm, obj, name);
    if (!val_absent(*out))
        return 0;
    if (!chains(vm, obj))
        return undef_fail(&vm->call, obj);
    *out = obj;
    return 0;
}

int attr_get(struct vm *vm, struct val obj, const struct name *name, struct val *out)
{
    *out = val_undef(NULL);
    if (UNLIKELY(obj.type == VAL_UNDEF))
        return undefined_attr(vm, obj, name->s, out);
    if (obj.type == VAL_DICT && !name->dict_method) {
        *out = val_get_str(obj, name->s);
    } else if (!name->hidden || obj.type == VAL_OBJ) {
        *out = own_attr(vm, obj, name->s);
        if (val_absent(*out))
            *out = item_by_text(vm, obj, name->s);
    }
    if (val_absent(*out))
        *out = special(name->s) ? refused(vm, obj, name->s) : undef_attr(vm, obj, name->s);
    return 0;
}

int vm_getattr(struct call *c, struct val obj, struct str name, struct val *out)
{
    struct name n = {.s = name, .dict_method = true, .hidden = name.len > 0 && name.p[0] == '_'};

    return attr_get(c->vm, obj, &n, out);
}

/* ---- items
 * --------------------------------------------------------------------------------------------------
 */

/* The index as Python takes it; false when `key` is none or outside. */
static bool index_in(struct val key, int64_t n, int64_t *out)
{
    int64_t i = key.type == VAL_BOOL ? key.u.b : key.u.i;

    if (key.type != VAL_INT && key.type != VAL_BOOL)
        return false;
    if (i < 0)
        i += n;
    *out = i;
    return i >= 0 && i < n;
}

static struct val char_at(struct val text, struct val key)
{
    struct str s = val_text(text);
    size_t from;
    size_t to;
    int64_t i;
    struct val v;

    if (!index_in(key, val_len(text), &i))
        return val_undef(NULL);
    if ((text.flags & VAL_F_ASCII) != 0) {
        from = (size_t)i;
        to = from + 1;
    } else {
        const char *p;

        from = utf8_offset(s, (size_t)i);
        p = s.p + from;
        (void)utf8_next(&p, s.p + s.len);
        to = (size_t)(p - s.p);
    }
    v = val_str(str_slice(s, from, to));
    v.flags = text.flags & (VAL_F_ASCII | VAL_F_MARKUP);
    return v;
}

/* obj[key] of Python, undefined without a reason when that raises. */
static struct val own_item(struct vm *vm, struct val obj, struct val key)
{
    const struct tmpl_class *cls;
    int64_t i;

    switch (obj.type) {
    case VAL_LIST:
    case VAL_TUPLE:
        obj = val_open(obj);
        return index_in(key, obj.u.list->n, &i) ? obj.u.list->items[i] : val_undef(NULL);
    case VAL_DICT:
        return val_hashable(key) ? val_get_val(obj, key) : val_undef(NULL);
    case VAL_STR:
        return char_at(obj, key);
    case VAL_BYTES:
        return index_in(key, obj.len, &i) ? val_int((unsigned char)obj.u.s[i]) : val_undef(NULL);
    case VAL_OBJ:
        cls = tmpl_class_of(obj);
        return cls->getitem != NULL ? cls->getitem(obj.u.obj, key, vm->a) : val_undef(NULL);
    default:
        return val_undef(NULL);
    }
}

int item_get(struct vm *vm, struct val obj, struct val key, struct val *out)
{
    if (LIKELY(obj.type == VAL_LIST && key.type == VAL_INT && (obj.flags & VAL_F_LAZY) == 0 &&
               key.u.i >= 0 && (uint64_t)key.u.i < obj.u.list->n)) {
        *out = obj.u.list->items[key.u.i];
        return 0;
    }
    if (obj.type == VAL_UNDEF) {
        if (chains(vm, obj)) {
            *out = obj;
            return 0;
        }
        return undef_fail(&vm->call, obj);
    }
    if (key.type == VAL_UNDEF && obj.type == VAL_DICT && undef_look(&vm->call, key) != 0)
        return -1;
    *out = own_item(vm, obj, key);
    if (!val_absent(*out))
        return 0;
    if (key.type == VAL_STR) {
        struct str name = val_text(key);

        *out = special(name) ? refused(vm, obj, name) : own_attr(vm, obj, name);
    }
    if (val_absent(*out))
        *out = undef_element(vm, obj, key);
    return 0;
}

int vm_getitem(struct call *c, struct val obj, struct val key, struct val *out)
{
    return item_get(c->vm, obj, key, out);
}

/* ---- slices
 * ---------------------------------------------------------------------------------------------------
 */

static int slice_bound(struct vm *vm, struct val v, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    switch (v.type) {
    case VAL_NULL:
        return 0;
    case VAL_INT:
        *out = v.u.i;
        return 0;
    case VAL_BOOL:
        *out = v.u.b;
        return 0;
    case VAL_BIGINT:
        *out = bigint_sign(v.u.big) < 0 ? INT64_MIN : INT64_MAX;
        return 0;
    default:
        return vm_raise(vm, TMPL_EXC_TYPE,
                        "slice indices must be integers or None or have an __index__ method");
    }
}

static int64_t clamp(int64_t i, int64_t n, int64_t low, int64_t high)
{
    if (i < 0)
        i = i < -n ? low : i + n;
    return i < low ? low : i > high ? high : i;
}

struct slice {
    int64_t start;
    int64_t stop;
    int64_t step;
    int64_t count;
};

/* PySlice_AdjustIndices */
static int slice_init(struct vm *vm, const struct val *parts, int64_t n, struct slice *s)
{
    if (slice_bound(vm, parts[2], 1, &s->step) != 0)
        return -1;
    if (s->step == 0)
        return vm_raise(vm, TMPL_EXC_VALUE, "slice step cannot be zero");
    if (s->step < -INT64_MAX)
        s->step = -INT64_MAX;
    if (slice_bound(vm, parts[0], s->step < 0 ? INT64_MAX : 0, &s->start) != 0 ||
        slice_bound(vm, parts[1], s->step < 0 ? INT64_MIN : INT64_MAX, &s->stop) != 0)
        return -1;
    if (s->step < 0) {
        s->start = clamp(s->start, n, -1, n - 1);
        s->stop = parts[1].type == VAL_NULL ? -1 : clamp(s->stop, n, -1, n - 1);
        s->count = s->stop < s->start ? (s->start - s->stop - 1) / -s->step + 1 : 0;
    } else {
        s->start = clamp(s->start, n, 0, n);
        s->stop = clamp(s->stop, n, 0, n);
        s->count = s->start < s->stop ? (s->stop - s->start - 1) / s->step + 1 : 0;
    }
    return 0;
}

/* A slice of neighbours: no copy. */
static struct val slice_neighbours(struct val text, const struct slice *s)
{
    struct str t = val_text(text);
    bool bytes = text.type == VAL_BYTES || (text.flags & VAL_F_ASCII) != 0;
    size_t from = bytes ? (size_t)s->start : utf8_offset(t, (size_t)s->start);
    struct str rest = str_slice(t, from, t.len);

    return val_str(
        str_slice(rest, 0, bytes ? (size_t)s->count : utf8_offset(rest, (size_t)s->count)));
}

static int slice_text(struct vm *vm, struct val text, const struct slice *s, struct val *out)
{
    struct str t = val_text(text);
    struct val chars = val_null();
    struct buf b;
    int64_t i;

    if (s->step == 1 && s->count > 0) {
        *out = slice_neighbours(text, s);
    } else {
        bool bytes = text.type == VAL_BYTES || (text.flags & VAL_F_ASCII) != 0;

        if (!bytes && iter_list(&vm->call, text, &chars) != 0)
            return -1;
        buf_init(&b, SIZE_MAX, vm->a);
        for (i = 0; i < s->count; i++) {
            size_t at = (size_t)(s->start + i * s->step);

            buf_add_str(&b, bytes ? str_slice(t, at, at + 1) : val_text(val_at(chars, at)));
        }
        *out = val_str(buf_str(&b));
    }
    out->type = text.type;
    out->flags = text.flags & (VAL_F_ASCII | VAL_F_MARKUP);
    return vm_spend(&vm->call, s->count / 8);
}

static int slice_list(struct vm *vm, struct val list, const struct slice *s, struct val *out)
{
    int64_t i;

    if (vm_memory(&vm->call, (uint64_t)s->count * sizeof(struct val)) != 0)
        return -1;
    *out = list.type == VAL_LIST ? val_list_new(vm->a, (size_t)s->count)
                                 : val_tuple_new(vm->a, (size_t)s->count);
    for (i = 0; i < s->count; i++)
        val_list_add(*out, list.u.list->items[s->start + i * s->step]);
    return vm_spend(&vm->call, s->count / 8);
}

static int slice_of(struct vm *vm, struct val obj, const struct val *parts, struct val *out)
{
    const struct tmpl_class *cls = tmpl_class_of(obj);
    struct slice s;

    switch (obj.type) {
    case VAL_LIST:
    case VAL_TUPLE:
        obj = val_open(obj);
        return slice_init(vm, parts, obj.u.list->n, &s) != 0 ? -1 : slice_list(vm, obj, &s, out);
    case VAL_STR:
    case VAL_BYTES:
        return slice_init(vm, parts, val_len(obj), &s) != 0 ? -1 : slice_text(vm, obj, &s, out);
    case VAL_UNDEF:
        *out = obj;
        return chains(vm, obj) ? 0 : undef_fail(&vm->call, obj);
    case VAL_DICT:
        return vm_raise(vm, TMPL_EXC_TYPE, "unhashable type: 'slice'");
    default:
        break;
    }
    if (cls == NULL || cls->slice == NULL)
        return vm_raise(vm, TMPL_EXC_TYPE, "'%s' object is not subscriptable", val_type_name(obj));
    if (slice_init(vm, parts, val_len(obj), &s) != 0)
        return -1;
    *out = cls->slice(obj.u.obj, s.start, s.stop, s.step, vm->a);
    return 0;
}

int slice_get(struct vm *vm, struct val obj, const struct val *parts, bool lenient, struct val *out)
{
    if (slice_of(vm, obj, parts, out) == 0)
        return 0;
    if (!lenient || obj.type == VAL_OBJ || vm->e->app_code != TMPL_EXC_TYPE)
        return -1;
    err_clear(vm->e);
    *out = undef_make(UNDEF_MESSAGE,
                      arena_printf(vm->a, "%s has no such element", object_words(obj, vm->a)));
    return 0;
}
