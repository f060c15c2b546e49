/*
 * What filters, tests, functions and methods share: arguments, numbers, results, attribute paths.
 */
#include "template/library_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/bigint.h"
#include "base/utf8.h"
#include "template/text.h"

int lib_look(struct call *c, struct val v)
{
    struct iter it;

    return v.type == VAL_UNDEF ? iter_init(c, v, &it) : 0;
}

int lib_text(struct call *c, struct val v, struct val *out)
{
    struct buf b;

    if (LIKELY(v.type == VAL_STR)) {
        *out = v;
        return 0;
    }
    lib_buf(c, &b);
    if (lib_put_text(c, v, &b) != 0)
        return -1;
    return lib_finish(c, &b, lib_is_number(v) ? VAL_F_ASCII : 0, out);
}

int lib_put_text(struct call *c, struct val v, struct buf *out)
{
    if (v.type == VAL_UNDEF)
        return vm_undef_text(c, v, out);
    val_to_str(v, out);
    return 0;
}

int lib_int(struct call *c, struct val v, int64_t *out)
{
    if (v.type == VAL_INT)
        *out = v.u.i;
    else if (v.type == VAL_BOOL)
        *out = v.u.b;
    else if (v.type == VAL_BIGINT)
        *out = bigint_sign(v.u.big) < 0 ? INT64_MIN : INT64_MAX;
    else
        return call_raise(c, TMPL_EXC_TYPE, "'%s' object cannot be interpreted as an integer",
                          v.type == VAL_UNDEF ? "Undefined" : val_type_name(v));
    return 0;
}

int lib_need_text(struct call *c, struct val v, const char *what, struct str *out)
{
    if (v.type != VAL_STR)
        return call_raise(c, TMPL_EXC_TYPE, "%s must be str, not %s", what, val_type_name(v));
    *out = val_text(v);
    return 0;
}

int lib_number(struct call *c, struct val v, double *out)
{
    if (v.type == VAL_UNDEF)
        return vm_fail_undefined(c, v);
    if (!lib_is_number(v))
        return call_raise(c, TMPL_EXC_TYPE, "must be real number, not %s", val_type_name(v));
    return lib_to_float(c, v, out);
}

/* ---- texts to numbers ---------------------------------------------------------------------- */

/* Copy `s` without blanks around it and single underscores between digits; false when badly placed.
 */
static bool plain_digits(struct str s, char *out, size_t room, size_t *len)
{
    size_t n = 0;

    s = text_strip(s, NULL, TEXT_BOTH);
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.p[i];

        if ((unsigned char)ch >= 0x80) {
            const char *p = s.p + i;
            int digit = text_digit(utf8_next(&p, s.p + s.len));

            if (digit < 0)
                return false;
            ch = (char)('0' + digit);
            i = (size_t)(p - s.p) - 1;
        } else if (ch == '_') {
            bool between = i > 0 && i + 1 < s.len && s.p[i - 1] != '_' && s.p[i + 1] != '_';

            if (!between)
                return false;
            continue;
        }
        if (n + 1 >= room)
            return false;
        out[n++] = ch;
    }
    out[n] = '\0';
    *len = n;
    return n > 0;
}

/* Python's float grammar: strtod also takes hexadecimal, which float() does not. */
static bool float_spelling(const char *s)
{
    size_t digits = 0;

    if (*s == '+' || *s == '-')
        s++;
    if (strcasecmp(s, "inf") == 0 || strcasecmp(s, "infinity") == 0 || strcasecmp(s, "nan") == 0)
        return true;
    for (; *s >= '0' && *s <= '9'; s++)
        digits++;
    if (*s == '.') {
        for (s++; *s >= '0' && *s <= '9'; s++)
            digits++;
    }
    if (digits == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '+' || *s == '-')
            s++;
        if (*s < '0' || *s > '9')
            return false;
        while (*s >= '0' && *s <= '9')
            s++;
    }
    return *s == '\0';
}

bool lib_parse_float(struct str s, double *out)
{
    char text[1024];
    size_t len;

    if (!plain_digits(s, text, sizeof text, &len) || !float_spelling(text))
        return false;
    *out = strtod(text, NULL);
    return true;
}

static int base_of_prefix(const char *p, size_t len)
{
    if (len < 2 || p[0] != '0')
        return 0;
    switch (p[1] | 32) {
    case 'x':
        return 16;
    case 'o':
        return 8;
    case 'b':
        return 2;
    default:
        return 0;
    }
}

bool lib_parse_int(struct str s, int base, struct val *out, struct arena *a)
{
    char small[64];
    size_t room = s.len + 2;
    char *text = room <= sizeof small ? small : arena_alloc(a, room);
    size_t len;
    size_t sign;
    int prefix;

    if (!plain_digits(s, text, room, &len))
        return false;
    sign = text[0] == '+' || text[0] == '-';
    prefix = base_of_prefix(text + sign, len - sign);
    if (prefix != 0 && (base == 0 || base == prefix)) {
        memmove(text + sign, text + sign + 2, len - sign - 2);
        len -= 2;
        base = prefix;
        if (len == sign || text[sign] == '+' || text[sign] == '-')
            return false;
    } else if (base == 0) {
        base = 10;
        for (size_t i = sign; len > sign + 1 && text[sign] == '0' && i < len; i++) {
            if (text[i] != '0') /* 012 is no literal */
                return false;
        }
    }
    return bigint_parse(str_make(text, len), base, out, a);
}

int lib_to_float(struct call *c, struct val v, double *out)
{
    switch (v.type) {
    case VAL_BOOL:
        *out = v.u.b;
        return 0;
    case VAL_INT:
        *out = (double)v.u.i;
        return 0;
    case VAL_FLOAT:
        *out = v.u.f;
        return 0;
    case VAL_BIGINT:
        *out = bigint_to_double(v.u.big);
        if (isinf(*out))
            return call_raise(c, TMPL_EXC_OVERFLOW, "int too large to convert to float");
        return 0;
    case VAL_STR:
        if (!lib_parse_float(val_text(v), out))
            return call_raise(c, TMPL_EXC_VALUE, "could not convert string to float: %.*s",
                              STR_ARG(lib_repr(c, v)));
        return 0;
    case VAL_UNDEF:
        return vm_fail_undefined(c, v);
    default:
        return call_raise(c, TMPL_EXC_TYPE,
                          "float() argument must be a string or a real number, not '%s'",
                          val_type_name(v));
    }
}

static int float_to_int(struct call *c, double f, struct val *out)
{
    if (isnan(f))
        return call_raise(c, TMPL_EXC_VALUE, "cannot convert float NaN to integer");
    if (isinf(f))
        return call_raise(c, TMPL_EXC_OVERFLOW, "cannot convert float infinity to integer");
    f = trunc(f);
    *out = fabs(f) < 9e18 ? val_int((int64_t)f) : bigint_from_double(f, c->a);
    return 0;
}

int lib_to_int(struct call *c, struct val v, int base, struct val *out)
{
    switch (v.type) {
    case VAL_BOOL:
        *out = val_int(v.u.b);
        return 0;
    case VAL_INT:
    case VAL_BIGINT:
        *out = v;
        return 0;
    case VAL_FLOAT:
        return float_to_int(c, v.u.f, out);
    case VAL_STR:
        if (!lib_parse_int(val_text(v), base, out, c->a))
            return call_raise(c, TMPL_EXC_VALUE, "invalid literal for int() with base %d: %.*s",
                              base, STR_ARG(lib_repr(c, v)));
        return 0;
    case VAL_UNDEF:
        return vm_fail_undefined(c, v);
    default:
        return call_raise(
            c, TMPL_EXC_TYPE,
            "int() argument must be a string, a bytes-like object or a real number, not '%s'",
            val_type_name(v));
    }
}

/*
 * Rounded half to even at 10**digits, as the nearest float to that decimal.
 *
 * When f * 10**digits is clearly not half way between two integers, one division gives it exactly;
 * else the C library's decimals, which are exact, decide.
 */
static double round_float(double f, int64_t digits)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                    1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    char text[512];
    double scale;

    if (!isfinite(f) || digits > 323)
        return f;
    if (digits < -308)
        return copysign(0.0, f);
    if (digits >= 0 && (size_t)digits < COUNT_OF(powers)) {
        double x = f * powers[digits];

        if (fabs(x) < 4e15 && fabs(fabs(x - floor(x)) - 0.5) > 1e-9 + fabs(x) * 5e-16)
            return nearbyint(x) / powers[digits];
    }
    if (digits >= 0) {
        snprintf(text, sizeof text, "%.*f", (int)digits, f);
        return strtod(text, NULL);
    }
    scale = pow(10.0, (double)-digits);
    return nearbyint(f / scale) * scale;
}

static int round_int(struct call *c, struct val v, int64_t digits, struct val *out)
{
    int64_t unit = 1;
    int64_t n;
    int64_t rest;

    if (v.type == VAL_BOOL)
        v = val_int(v.u.b);
    *out = v;
    if (digits >= 0 || v.type == VAL_BIGINT)
        return 0;
    if (lib_int(c, v, &n) != 0)
        return -1;
    if (digits < -18) {
        *out = val_int(0);
        return 0;
    }
    for (int64_t i = digits; i < 0; i++)
        unit *= 10;
    rest = n % unit;
    n -= rest;
    if (rest < 0) {
        rest += unit;
        n -= unit;
    }
    if (rest > unit / 2 || (rest == unit / 2 && (n / unit) % 2 != 0 && unit > 1))
        n += unit;
    *out = val_int(n);
    return 0;
}

int lib_round(struct call *c, struct val v, int64_t digits, struct val *out)
{
    double f;

    if (lib_is_int(v))
        return round_int(c, v, digits, out);
    if (v.type != VAL_FLOAT)
        return call_raise(c, TMPL_EXC_TYPE, "type %s doesn't define __round__ method",
                          val_type_name(v));
    f = round_float(v.u.f, digits);
    if (isinf(f) && isfinite(v.u.f))
        return call_raise(c, TMPL_EXC_OVERFLOW, "rounded value too large to represent");
    *out = val_float(f);
    return 0;
}

struct str lib_repr(struct call *c, struct val v)
{
    struct buf b;

    buf_init(&b, 512, c->a);
    val_to_repr(v, &b);
    return utf8_repair(c->a, buf_str(&b));
}

int lib_apply(struct call *c, struct val callee, const struct val *args, size_t n, struct val *out)
{
    struct call sub = *c;

    sub.self = val_null();
    sub.pos = args;
    sub.n_pos = n;
    sub.kw = NULL;
    sub.n_kw = 0;
    return vm_call(&sub, callee, out);
}

bool lib_has_affix(struct val text, struct val affix, bool at_end)
{
    if (text.type != VAL_STR)
        return false;
    if (affix.type == VAL_LIST || affix.type == VAL_TUPLE) {
        for (size_t i = 0; i < val_count(affix); i++) {
            if (lib_has_affix(text, val_at(affix, i), at_end))
                return true;
        }
        return false;
    }
    if (affix.type != VAL_STR)
        return false;
    return at_end ? str_ends(val_text(text), val_text(affix))
                  : str_starts(val_text(text), val_text(affix));
}

bool lib_platform(const struct call *c)
{
    const struct tmpl_env *env = vm_env(c->vm);

    return env->dialect == TMPL_PONGO2 || (env->ext_do && env->ext_loopcontrols);
}

int lib_pass_error(struct call *c)
{
    char msg[ERR_TEXT_MAX];

    memcpy(msg, c->e->msg, sizeof msg);
    return call_raise(c, c->e->code == ERR_LIMIT ? TMPL_EXC_LIMIT : TMPL_EXC_VALUE, "%s", msg);
}

/* ---- results ---------------------------------------------------------------------------- */

void lib_buf(struct call *c, struct buf *b)
{
    size_t budget = vm_run(c->vm)->budget.memory;

    buf_init(b, budget != 0 && budget < LIB_TEXT_MAX ? budget : LIB_TEXT_MAX, c->a);
}

int lib_finish(struct call *c, struct buf *b, uint8_t flags, struct val *out)
{
    if (UNLIKELY(b->over))
        return call_raise(c, TMPL_EXC_LIMIT, "the memory budget is used up: a text grew too long");
    *out = lib_str(buf_str(b), flags);
    return 0;
}

int lib_case(struct call *c, struct val text, int how, uint8_t keep, struct val *out)
{
    bool over;
    struct str s = text_cased(val_text(text), (enum text_case)how, LIB_TEXT_MAX, c->a, &over);

    if (UNLIKELY(over))
        return call_raise(c, TMPL_EXC_LIMIT, "the memory budget is used up: a text grew too long");
    *out = lib_str(s, text.flags & keep);
    return 0;
}

size_t lib_text_len(struct val text)
{
    return (text.flags & VAL_F_ASCII) != 0 ? text.len : utf8_len(val_text(text));
}

int lib_items(struct call *c, struct val v, const struct val **items, size_t *n)
{
    struct val list = v;

    if (v.type != VAL_LIST && v.type != VAL_TUPLE && iter_list(c, v, &list) != 0)
        return -1;
    (void)val_at(list, 0); /* opens unread JSON */
    *items = list.u.list->items;
    *n = list.u.list->n;
    return vm_spend(c, (int64_t)*n);
}

uint64_t lib_random_below(struct call *c, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t r;

    do {
        r = vm_random(c->vm);
    } while (r >= limit);
    return r % n;
}

/* ---- attribute paths ------------------------------------------------------------------------ */

static struct val path_part(struct str s, struct arena *a)
{
    struct val n;

    if (text_is(s, TEXT_IS_DIGIT) && bigint_parse(s, 10, &n, a))
        return n;
    return val_str(s);
}

int attr_path_init(struct call *c, struct attr_path *p, struct val attribute, struct val otherwise,
                   bool fold)
{
    struct str s = val_text(attribute);
    size_t dots = 0;

    *p = (struct attr_path){.otherwise = otherwise, .fold = fold};
    if (val_is(attribute, VAL_NULL))
        return 0;
    if (attribute.type != VAL_STR) {
        p->parts = arena_dup(c->a, &attribute, sizeof attribute);
        p->n = 1;
        return 0;
    }
    for (size_t i = 0; i < s.len; i++)
        dots += s.p[i] == '.';
    p->parts = ARENA_ARRAY(c->a, struct val, dots + 1);
    for (p->n = 0; p->n <= dots; p->n++)
        p->parts[p->n] = path_part(str_cut(&s, '.'), c->a);
    return 0;
}

int attr_path_get(struct call *c, const struct attr_path *p, struct val item, struct val *out)
{
    for (size_t i = 0; i < p->n; i++) {
        struct val part = p->parts[i];
        struct val found = val_undef(NULL);

        if (item.type == VAL_DICT && part.type == VAL_STR)
            found = val_get_str(item, val_text(part));
        if (val_is_undef(found) && vm_getitem(c, item, part, &found) != 0)
            return -1;
        item = found;
        if (val_is_undef(item) && !val_is_undef(p->otherwise))
            item = p->otherwise;
    }
    if (p->fold && item.type == VAL_STR)
        return lib_case(c, item, TEXT_LOWER, VAL_F_ASCII, out);
    *out = item;
    return 0;
}

int lib_attr_only(struct call *c, struct val obj, struct str name, struct val *out)
{
    callable_fn *fn;
    const char *qualified;

    *out = vm_undef_attr(c, obj, name);
    if (obj.type == VAL_UNDEF || obj.type == VAL_OBJ || str_starts(name, STR("_")) ||
        method_find(obj, name, &fn, &qualified))
        return vm_getattr(c, obj, name, out);
    return 0;
}
