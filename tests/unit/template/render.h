/*
 * What the tests of the template language share: rendering a source among stored templates.
 */
#ifndef SLUICE_TESTS_UNIT_TEMPLATE_RENDER_H
#define SLUICE_TESTS_UNIT_TEMPLATE_RENDER_H

#include "support/cases.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "template/tmpl.h"

struct stored {
    const char *name;
    const char *source;
};

/* Loader over an array of struct stored that ends with a NULL name. */
static inline int load_stored(void *ctx, struct str name, struct str *source, struct arena *a,
                              struct err *e)
{
    const struct stored *s;

    (void)a;
    for (s = ctx; s != NULL && s->name != NULL; s++) {
        if (str_eq_c(name, s->name)) {
            *source = str_c(s->source);
            return 0;
        }
    }
    err_set(e, ERR_NOT_FOUND, "no template \"%.*s\"", STR_ARG(name));
    return -1;
}

/* What the template prints, or "! Error: message" (with " at line:column" when it has one). */
static inline const char *render(struct arena *a, const char *source, const struct tmpl_env *env,
                                 struct tmpl_run *run, bool place)
{
    struct tmpl *t = NULL;
    struct err e = {0};
    struct buf out;
    const char *text;

    buf_init(&out, 64 * MIB, a);
    if (tmpl_compile(&t, str_c(source), STR(""), env, &e) != 0 ||
        tmpl_render(t, run, &out, a, &e) != 0) {
        text = arena_printf(a, "! %s: %s", tmpl_exc_name((enum tmpl_exc)e.app_code), e.msg);
        if (place)
            text = arena_printf(a, "%s at %d:%d", text, e.line, e.column);
    } else {
        text = buf_cstr(&out);
    }
    tmpl_unref(t);
    return text;
}

static inline struct val context(struct arena *a, const char *json)
{
    struct val v = val_null();
    struct err e = {0};

    if (json_parse_copy(str_c(json), &v, a, &e) != 0)
        abort();
    return v;
}

#endif
