/*
 * Template source: lexer, parser, compiler and VM under a small budget.
 *
 * The first byte chooses the environment; the rest is the source.  Whatever it is, it is compiled
 * and rendered, or refused with a line and a column.
 */
#include <stdlib.h>

#include "base/json.h"
#include "template/tmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char vars[] =
    "{\"a\": 1, \"b\": \"two <b>\", \"c\": [1, 2, 3], \"d\": {\"x\": {\"y\": [null, true]}}, "
    "\"n\": null,"
    " \"u\": \"h\\u00e9llo\", \"big\": 123456789012345678901234567890, \"f\": 1.5}";

static void must(bool ok)
{
    if (!ok)
        abort();
}

static int loader(void *ctx, struct str name, struct str *source, struct arena *a, struct err *e)
{
    static const struct {
        const char *name;
        const char *source;
    } stored[] = {
        {"base", "A{% block one %}1{% block two %}2{% endblock %}{% endblock %}"},
        {"child", "{% extends 'base' %}{% block two %}{{ super() }}{{ a }}{% endblock %}"},
        {"mod", "{% macro m(x, y=2) %}<{{ x }},{{ y }}>{{ caller is defined }}{% endmacro %}{% set "
                "v = 42 %}"},
        {"self", "{% include 'self' %}"},
        {"bad", "{{ 1 + }}"},
    };

    (void)ctx;
    (void)a;
    for (size_t i = 0; i < COUNT_OF(stored); i++) {
        if (str_eq_c(name, stored[i].name)) {
            *source = str_c(stored[i].source);
            return 0;
        }
    }
    err_set(e, ERR_NOT_FOUND, "no such template");
    return -1;
}

static struct tmpl_env env_of(uint8_t choice)
{
    struct tmpl_env env = tmpl_env_platform;

    env.ext_i18n = true;
    env.undefined = (enum tmpl_undefined)(choice & 3);
    env.autoescape = (choice & 4) != 0;
    env.trim_blocks = (choice & 8) != 0;
    env.lstrip_blocks = (choice & 16) != 0;
    env.keep_trailing_newline = (choice & 32) != 0;
    if ((choice & 64) != 0) {
        env.line_statement_prefix = STR("#");
        env.line_comment_prefix = STR("##");
    }
    return env;
}

static void render(const struct tmpl *t, struct buf *out, struct arena *a)
{
    struct tmpl_run run = {
        .loader = loader,
        .budget =
            {.steps = 20000, .time_ms = 1000, .memory = 8 * MIB, .output = 64 * KIB, .depth = 50},
        .random_seed = 1,
    };
    struct err e = {0};

    must(json_parse_copy(str_c(vars), &run.vars, a, &e) == 0);
    if (tmpl_render(t, &run, out, a, &e) != 0)
        must(e.app_code != TMPL_EXC_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct tmpl_env env = env_of(size > 0 ? data[0] : 0);
    struct tmpl *t = NULL;
    struct err e = {0};
    struct buf once;
    struct buf dump;
    /* a copy of its own, so that a byte read beyond the end is found */
    char *source = arena_dup(a, data + (size > 0), size - (size > 0));
    struct str text = str_make(source, size - (size > 0));
    int rc = (size > 0 && (data[0] & 128) != 0) ? tmpl_compile_expr(&t, text, true, &e)
                                                : tmpl_compile(&t, text, STR("fuzz"), &env, &e);

    if (rc == 0) {
        buf_init(&once, MIB, a);
        buf_init(&dump, MIB, a);
        tmpl_dump(t, &dump);
        if ((data == NULL || size == 0 || (data[0] & 128) == 0)) {
            render(t, &once, a);
        } else {
            struct tmpl_run run = {.budget = {.steps = 20000, .memory = 8 * MIB}};
            struct val v;

            must(json_parse_copy(str_c(vars), &run.vars, a, &e) == 0);
            if (tmpl_eval(t, &run, &v, a, &e) == 0)
                val_to_repr(v, &once);
        }
    } else {
        must(e.line > 0 && e.column > 0 && e.msg[0] != '\0');
    }
    tmpl_unref(t);
    arena_free(a);
    return 0;
}
