/*
 * Looking settings up by their place in the document.
 */
#include "config/settings.h"

const struct setting settings[] = {
#define SETTING(path, kind, min, max, def, help) {path, SETTING_##kind, min, max, def, help},
#include "config/settings.def"
#undef SETTING
};
const size_t n_settings = COUNT_OF(settings);

enum { DEPTH_MAX = 16 };

/* Does the pattern name this place?  *literal counts the names given in full. */
static bool names(const char *path, const struct place *const *steps, size_t n, unsigned *literal)
{
    struct str rest = str_c(path);
    size_t i = 0;

    *literal = 0;
    for (; i < n && rest.len > 0; i++) {
        struct str want = str_cut(&rest, '.');

        if (steps[i]->item) {
            if (!str_eq_c(want, "[]"))
                return false;
        } else if (str_eq(want, steps[i]->name)) {
            (*literal)++;
        } else if (!str_eq_c(want, "*")) {
            return false;
        }
    }
    return i == n && rest.len == 0;
}

const struct setting *setting_at(const struct place *p)
{
    const struct place *steps[DEPTH_MAX];
    const struct setting *best = NULL;
    unsigned best_literal = 0;
    unsigned literal;
    size_t n = 0;

    for (const struct place *q = p; q != NULL; q = q->up)
        if (++n > DEPTH_MAX)
            return NULL;
    for (size_t i = n; p != NULL; p = p->up)
        steps[--i] = p;
    if (n == 0)
        return NULL;
    for (size_t i = 0; i < n_settings; i++) {
        if (names(settings[i].path, steps, n, &literal) &&
            (best == NULL || literal > best_literal)) {
            best = &settings[i];
            best_literal = literal;
        }
    }
    return best;
}

const struct setting *setting_named(const char *path)
{
    for (size_t i = 0; i < n_settings; i++)
        if (strcmp(settings[i].path, path) == 0)
            return &settings[i];
    return NULL;
}

struct str place_dotted(const struct place *p, struct arena *a)
{
    struct str up;

    if (p == NULL)
        return STR("");
    up = place_dotted(p->up, a);
    return up.len == 0 ? p->name : str_printf(a, "%.*s.%.*s", STR_ARG(up), STR_ARG(p->name));
}

static void add_pointer(const struct place *p, struct buf *out)
{
    if (p == NULL)
        return;
    add_pointer(p->up, out);
    buf_putc(out, '/');
    for (size_t i = 0; i < p->name.len; i++) {
        char c = p->name.p[i];

        if (c == '~')
            buf_add_c(out, "~0");
        else if (c == '/')
            buf_add_c(out, "~1");
        else
            buf_putc(out, c);
    }
}

struct str place_pointer(const struct place *p, struct arena *a)
{
    struct buf out;

    buf_init(&out, 64 * KIB, a);
    add_pointer(p, &out);
    return buf_str(&out);
}

int setting_number(const struct setting *s, struct val v, double *out)
{
    int64_t i;

    switch (v.type) {
    case VAL_UNDEF:
    case VAL_NULL:
        return 0;
    case VAL_INT:
        *out = (double)v.u.i;
        return 1;
    case VAL_FLOAT:
        *out = v.u.f;
        return 1;
    case VAL_BOOL:
        *out = v.u.b ? 1 : 0;
        return s->kind == SETTING_COUNT ? 1 : -1;
    case VAL_STR: {
        struct str text = str_trim(val_text(v));

        if (text.len == 0)
            return 0;
        if (!str_to_int(text, &i))
            return -1;
        *out = (double)i;
        return 1;
    }
    default:
        return -1;
    }
}

bool dsn_password(struct str dsn, size_t *from, size_t *to)
{
    ptrdiff_t scheme = str_find(dsn, STR("://"));
    size_t start = scheme < 0 ? 0 : (size_t)scheme + 3;
    struct str rest = str_slice(dsn, start, dsn.len);
    ptrdiff_t query = str_find_char(rest, '?');
    ptrdiff_t at;
    ptrdiff_t colon;

    /* the last '@': a password may hold others, a host cannot */
    if (query >= 0 && str_find_char(str_slice(rest, 0, (size_t)query), '@') >= 0)
        rest.len = (size_t)query;
    at = str_rfind_char(rest, '@');
    if (at < 0)
        return false;
    colon = str_find_char(rest, ':');
    if (colon < 0 || colon >= at)
        return false;
    *from = start + (size_t)colon + 1;
    *to = start + (size_t)at;
    return *to > *from;
}
