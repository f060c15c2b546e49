/*
 * Templates of the pongo2 dialect: lexer, compiler and VM under a small budget.
 *
 * The first byte chooses autoescape; the rest is the source.
 */
#include <stdlib.h>

#include "base/json.h"
#include "template/tmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char vars[] =
    "{\"a\": 1, \"b\": \"two <b>\", \"l\": [1, \"x\", 2.5], \"m\": {\"x\": {\"y\": [null, true]}}, "
    "\"n\": null,"
    " \"u\": \"h\\u00e9llo w\\u00f6rld\", \"big\": 123456789012345678901234567890, \"f\": 1.5}";

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
        {"child", "{% extends 'base' %}{% block two %}{{ block.Super }}{{ a }}{% endblock %}"},
        {"mod", "{% macro m(x, y=2) export %}<{{ x }},{{ y }}>{% endmacro %}"},
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

static void render(const struct tmpl *t, struct arena *a)
{
    struct tmpl_run run = {
        .loader = loader,
        .budget =
            {.steps = 20000, .time_ms = 1000, .memory = 8 * MIB, .output = 64 * KIB, .depth = 50},
        .random_seed = 1,
    };
    struct err e = {0};
    struct buf out;

    buf_init(&out, MIB, a);
    must(json_parse_copy(str_c(vars), &run.vars, a, &e) == 0);
    if (tmpl_render(t, &run, &out, a, &e) != 0)
        must(e.app_code != TMPL_EXC_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct tmpl_env env = tmpl_env_platform;
    struct tmpl *t = NULL;
    struct err e = {0};
    struct buf dump;
    /* a copy of its own, so that a byte read beyond the end is found */
    char *source = arena_dup(a, data + (size > 0), size - (size > 0));

    env.dialect = TMPL_PONGO2;
    env.autoescape = size > 0 && (data[0] & 1) != 0;
    if (tmpl_compile(&t, str_make(source, size - (size > 0)), STR("fuzz"), &env, &e) == 0) {
        buf_init(&dump, MIB, a);
        tmpl_dump(t, &dump);
        render(t, a);
    } else {
        must(e.line > 0 && e.column > 0 && e.msg[0] != '\0');
    }
    tmpl_unref(t);
    arena_free(a);
    return 0;
}
