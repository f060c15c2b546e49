/*
 * Rows of templates with the options of their environment; shared by the tests of whitespace, undefined values and inheritance.
 */
#ifndef SLUICE_TESTS_UNIT_TEMPLATE_OPTIONS_H
#define SLUICE_TESTS_UNIT_TEMPLATE_OPTIONS_H

#include "unit/template/render.h"

struct option_row {
    const char *name;
    const char *source;
    struct tmpl_env options; /* over the platform's defaults */
    const char *want;        /* "! Error" when it fails: a beginning of it */
};

static const char option_vars[] =
    "{\"a\": 1, \"b\": \"two\", \"c\": [1, 2, 3], \"d\": {\"x\": 1, \"y\": {\"z\": 2}, \"items\": 5}, \"e\": \"\", \"n\": null, "
    "\"t\": true, \"f\": 1.5, \"html\": \"<b>&\", "
    "\"tree\": [{\"v\": 1, \"k\": [{\"v\": 2, \"k\": []}, {\"v\": 3, \"k\": [{\"v\": 4, \"k\": []}]}]}]}";

/* The platform's environment with what a row says otherwise. */
static inline struct tmpl_env option_env(const struct tmpl_env *o)
{
    struct tmpl_env env = tmpl_env_platform;

    env.undefined = o->undefined;
    env.trim_blocks = o->trim_blocks;
    env.lstrip_blocks = o->lstrip_blocks;
    env.keep_trailing_newline = o->keep_trailing_newline;
    env.autoescape = o->autoescape;
    if (o->newline_sequence.len > 0)
        env.newline_sequence = o->newline_sequence;
    env.line_statement_prefix = o->line_statement_prefix;
    env.line_comment_prefix = o->line_comment_prefix;
    return env;
}

/* stored: what include and its like find, ended by a NULL name; or NULL. */
static inline void renders_among(const struct option_row *r, const struct stored *stored)
{
    struct arena *a = arena_new(0);
    struct tmpl_env env = option_env(&r->options);
    struct tmpl_run run = {
        .vars = context(a, option_vars), .loader = load_stored, .loader_ctx = (void *)(uintptr_t)stored};
    const char *got = render(a, r->source, &env, &run, false);

    if (r->want[0] == '!')
        assert_memory_equal(got, r->want, strlen(r->want));
    else
        assert_string_equal(got, r->want);
    arena_free(a);
}

#endif
