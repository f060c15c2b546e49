/*
 * What every callable begins with: raising, and binding its arguments.
 */
#include "template/callable.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_NAMES = 24 };

int call_raise(struct call *c, enum tmpl_exc exc, const char *fmt, ...)
{
    va_list ap;
    char text[ERR_TEXT_MAX];

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(c->e,
            exc == TMPL_EXC_LIMIT                                     ? ERR_LIMIT
            : exc == TMPL_EXC_NOT_FOUND || exc == TMPL_EXC_NONE_FOUND ? ERR_NOT_FOUND
                                                                      : ERR_INVALID,
            "%s", text);
    c->e->app_code = (int)exc;
    return -1;
}

/* The names of a binding, taken apart. */
struct signature {
    struct str names[MAX_NAMES];
    bool optional[MAX_NAMES];
    size_t n;
    size_t n_mandatory;
    bool rest;
};

static void read_names(const char *text, struct signature *sig)
{
    struct str left = str_c(text);

    memset(sig, 0, sizeof(*sig));
    while (left.len > 0 && sig->n < MAX_NAMES) {
        struct str name = str_cut(&left, ',');

        if (name.len > 0 && name.p[0] == '*') {
            sig->rest = true;
            continue;
        }
        if (name.len > 0 && name.p[name.len - 1] == '=') {
            name.len--;
            sig->optional[sig->n] = true;
        } else {
            sig->n_mandatory++;
        }
        sig->names[sig->n++] = name;
    }
}

static int too_many(struct call *c, const struct signature *sig)
{
    size_t least = sig->n_mandatory;
    char range[64];

    if (least == sig->n)
        (void)snprintf(range, sizeof(range), "%zu positional argument%s", sig->n,
                       sig->n == 1 ? "" : "s");
    else
        (void)snprintf(range, sizeof(range), "from %zu to %zu positional arguments", least, sig->n);
    return call_raise(c, TMPL_EXC_TYPE, "%s() takes %s but %zu %s given", c->name, range, c->n_pos,
                      c->n_pos == 1 ? "was" : "were");
}

static int missing(struct call *c, const struct signature *sig, const bool *given)
{
    struct buf b;
    size_t n = 0;
    size_t i;
    size_t seen = 0;

    for (i = 0; i < sig->n; i++)
        n += !sig->optional[i] && !given[i];
    if (n == 0)
        return 0;
    buf_init(&b, ERR_TEXT_MAX, c->a);
    for (i = 0; i < sig->n; i++) {
        if (sig->optional[i] || given[i])
            continue;
        if (seen > 0)
            buf_add_c(&b, seen + 1 < n ? ", " : n > 2 ? ", and " : " and ");
        buf_addf(&b, "'%.*s'", STR_ARG(sig->names[i]));
        seen++;
    }
    return call_raise(c, TMPL_EXC_TYPE, "%s() missing %zu required positional argument%s: %s",
                      c->name, n, n == 1 ? "" : "s", buf_cstr(&b));
}

/* Positional arguments only, none too many, none missing: the usual case.  Anything else goes the
 * long way. */
static bool bind_positional(const struct call *c, const char *names, struct val *out)
{
    const char *p = names;
    size_t i = 0;

    for (; *p != '\0'; i++) {
        const char *end = p;

        while (*end != ',' && *end != '\0')
            end++;
        if (*p == '*')
            return true;
        if (i < c->n_pos)
            out[i] = c->pos[i];
        else if (end == p || end[-1] != '=')
            return false;
        p = *end == ',' ? end + 1 : end;
    }
    return c->n_pos <= i;
}

int call_bind(struct call *c, const char *names, struct val *out)
{
    struct signature sig;
    bool given[MAX_NAMES] = {false};
    size_t i;
    size_t k;

    if (LIKELY(c->n_kw == 0) && bind_positional(c, names, out))
        return 0;
    read_names(names, &sig);
    if (c->n_pos > sig.n && !sig.rest)
        return too_many(c, &sig);
    for (i = 0; i < c->n_pos && i < sig.n; i++) {
        out[i] = c->pos[i];
        given[i] = true;
    }
    for (k = 0; k < c->n_kw; k++) {
        for (i = 0; i < sig.n && !str_eq(sig.names[i], c->kw[k].name); i++)
            ;
        if (i == sig.n)
            return call_raise(c, TMPL_EXC_TYPE, "%s() got an unexpected keyword argument '%.*s'",
                              c->name, STR_ARG(c->kw[k].name));
        if (given[i])
            return call_raise(c, TMPL_EXC_TYPE, "%s() got multiple values for argument '%.*s'",
                              c->name, STR_ARG(c->kw[k].name));
        out[i] = c->kw[k].value;
        given[i] = true;
    }
    return missing(c, &sig, given);
}
