/*
 * What a stranger's template cannot do: every budget ends it with an error that names the budget.
 */
#include "render.h"

#include "base/limits.h"

static const struct stored stored[] = {
    {"self", "{% include 'self' %}"},
    {"ring", "{% extends 'ring' %}"},
    {"importer", "{% import 'importer' as i %}"},
    {NULL, NULL},
};

static const struct row {
    const char *name;
    const char *source;
    struct tmpl_budget budget;
    const char *want;
} rows[] = {
    {"steps",
     "{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}",
     {.steps = 50000},
     "! LimitError: the step budget"},
    {"steps suffice", "{% for i in range(100) %}{% endfor %}ok", {.steps = 50000}, "ok"},
    {"time",
     "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
     {.time_ms = 20},
     "! LimitError: the time budget"},
    {"memory of a text", "{{ 'a' * 10**10 }}", {0}, "! LimitError: the memory budget"},
    {"memory of a list", "{{ [0] * 10**9 }}", {0}, "! LimitError: the memory budget"},
    {"loop over a long range",
     "{% for i in range(10**12) %}{% endfor %}",
     {0},
     "! OverflowError: Range too big"},
    {"memory of a padded text", "{{ '%2000000000d' % 1 }}", {0}, "! LimitError: the memory budget"},
    {"memory of a padded format",
     "{{ '{:>9999999999}'.format('x') }}",
     {0},
     "! LimitError: the memory budget"},
    {"memory of a centred text",
     "{{ 'x'|center(10**10) }}",
     {0},
     "! LimitError: the memory budget"},
    {"memory of an indented text",
     "{{ ('a\n' * 1000)|indent(10**9) }}",
     {0},
     "! LimitError: the memory budget"},
    {"memory of a replaced text",
     "{{ ('a' * 10**5)|replace('a', 'b' * 10**5) }}",
     {0},
     "! LimitError: the memory budget"},
    {"regular expression that explodes",
     "{{ ('a' * 40 ~ 'b')|regex_search('^(a+)+$') }}",
     {0},
     "! LimitError"},
    {"memory of texts that double",
     "{% set ns = namespace(s='x' * 1000) %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s "
     "%}{% endfor %}",
     {.memory = 8 * MIB},
     "! LimitError: the memory budget"},
    {"memory of a list that grows while it is read",
     "{% set l = [1] %}{% for i in l %}{% do l.append(i) %}{% endfor %}",
     {.memory = 8 * MIB},
     "! LimitError: the memory budget"},
    {"output",
     "{% for i in range(10000) %}0123456789{% endfor %}",
     {.output = 1000},
     "! LimitError: the output budget"},
    {"output without a loop", "0123456789", {.output = 5}, "! LimitError: the output budget"},
    {"depth of macros",
     "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
     {0},
     "! LimitError: the depth budget"},
    {"depth of blocks",
     "{% block a %}{{ self.a() }}{% endblock %}",
     {0},
     "! LimitError: the depth budget"},
    {"depth of recursive loops",
     "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
     {0},
     "! LimitError: the depth budget"},
    {"template that includes itself",
     "{% include 'self' %}",
     {0},
     "! LimitError: templates include each other deeper"},
    {"template that extends itself",
     "{% extends 'ring' %}",
     {0},
     "! LimitError: templates include each other deeper"},
    {"template that imports itself",
     "{% import 'importer' as i %}",
     {0},
     "! LimitError: templates include each other deeper"},
    {"billion laughs",
     "{% macro a() %}lol{% endmacro %}{% macro b() %}{{ a() ~ a() ~ a() ~ a() ~ a() ~ a() ~ a() ~ "
     "a() }}{% endmacro %}"
     "{% macro c() %}{{ b() ~ b() ~ b() ~ b() ~ b() ~ b() ~ b() ~ b() }}{% endmacro %}"
     "{% macro d() %}{{ c() ~ c() ~ c() ~ c() ~ c() ~ c() ~ c() ~ c() }}{% endmacro %}"
     "{% macro e() %}{{ d() ~ d() ~ d() ~ d() ~ d() ~ d() ~ d() ~ d() }}{% endmacro %}"
     "{% macro f() %}{{ e() ~ e() ~ e() ~ e() ~ e() ~ e() ~ e() ~ e() }}{% endmacro %}"
     "{% macro g() %}{{ f() ~ f() ~ f() ~ f() ~ f() ~ f() ~ f() ~ f() }}{% endmacro %}{{ g() }}",
     {.memory = 4 * MIB},
     "! LimitError: the memory budget"},
    {"power", "{{ 2 ** 100000000 }}", {0}, "! LimitError: the integer has too many digits"},
    {"squares",
     "{% set ns = namespace(n=3) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}{% endfor "
     "%}",
     {0},
     "! LimitError: the integer has too many digits"},
};

/* Sources too long to write down: a beginning, something many times, an end. */
static const struct long_row {
    const char *name;
    const char *part;
    size_t times;
    const char *want;
} long_rows[] = {
    {"braces", "{{", 100000, "! LimitError: the template is nested deeper"},
    {"too large", "{{", 5000000, "! LimitError: the template is larger than"},
    {"brackets", "{{ [", 1, "! TemplateSyntaxError"},
    {"ifs", "{% if a %}", 50000, "! LimitError: the template is nested deeper"},
    {"blocks never closed", "{% filter upper %}", 20000,
     "! LimitError: the template is nested deeper"},
    {"comments", "{# ", 100000, "! TemplateSyntaxError: Missing end of comment tag"},
    {"raws", "{% raw %}", 50000, "! TemplateSyntaxError: Missing end of raw directive"},
};

static void check(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct tmpl_run run = {.vars = val_dict_new(a, 0),
                           .budget = r->budget,
                           .loader = load_stored,
                           .loader_ctx = (void *)(uintptr_t)stored};
    const char *got = render(a, r->source, &tmpl_env_platform, &run, false);

    if (strncmp(got, r->want, strlen(r->want)) != 0)
        assert_string_equal(got, r->want);
    arena_free(a);
}

static void check_long(const struct long_row *r)
{
    struct arena *a = arena_new(0);
    struct tmpl_run run = {.vars = val_dict_new(a, 0)};
    struct buf source;
    const char *got;
    size_t i;

    buf_init(&source, 64 * MIB, a);
    for (i = 0; i < r->times; i++)
        buf_add_c(&source, r->part);
    got = render(a, buf_cstr(&source), &tmpl_env_platform, &run, false);
    if (strncmp(got, r->want, strlen(r->want)) != 0)
        assert_string_equal(got, r->want);
    arena_free(a);
}

/* Operators in a row make a tree of one side: refused when it gets too high, fine otherwise. */
static const struct chain {
    const char *name;
    const char *link;
    size_t times;
    const char *want;
} chains[] = {
    {"sum", "1+", 500, "501"},
    {"long sum", "1+", 100000, "! LimitError: the template is nested deeper"},
    {"minus", "-", 100000, "! LimitError: the template is nested deeper"},
    {"not", "not ", 100000, "! LimitError: the template is nested deeper"},
    {"parentheses", "(", 100000, "! LimitError: the template is nested deeper"},
    {"comparisons", "1<=", 50000, "True"},
    {"many texts", "'' ", 50000, "1"},
};

static void check_chain(const struct chain *r)
{
    struct arena *a = arena_new(0);
    struct tmpl_run run = {.vars = val_dict_new(a, 0)};
    struct buf source;
    const char *got;
    size_t i;

    buf_init(&source, 64 * MIB, a);
    buf_add_c(&source, "{{ ");
    for (i = 0; i < r->times; i++)
        buf_add_c(&source, r->link);
    buf_add_c(&source, strcmp(r->link, "'' ") == 0 ? "'1' }}" : "1 }}");
    got = render(a, buf_cstr(&source), &tmpl_env_platform, &run, false);
    if (strncmp(got, r->want, strlen(r->want)) != 0)
        assert_string_equal(got, r->want);
    arena_free(a);
}

#define TEXT(s) {(s), sizeof(s) - 1}

/* A NUL is a character like others: in the text, in a literal, in the middle of a tag. */
static const struct nul {
    const char *name;
    struct str source, want; /* want empty: a syntax error */
} nuls[] = {
    {"in the text", TEXT("a\0b{{ 1 }}\0"), TEXT("a\0b1\0")},
    {"in a literal", TEXT("{{ 'x\0y' | length }}{{ 'x\0y' }}"), TEXT("3x\0y")},
    {"in an expression", TEXT("{{ 1\0 }}"), TEXT("")},
};

static void check_nul(const struct nul *r)
{
    struct arena *a = arena_new(0);
    struct tmpl_run run = {.vars = val_dict_new(a, 0)};
    struct tmpl *t = NULL;
    struct err e = {0};
    struct buf out;
    int rc;

    buf_init(&out, MIB, a);
    rc = tmpl_compile(&t, r->source, STR(""), &tmpl_env_platform, &e);
    assert_int_equal(rc, r->want.len == 0 ? -1 : 0);
    if (rc == 0) {
        assert_int_equal(tmpl_render(t, &run, &out, a, &e), 0);
        assert_true(str_eq(buf_str(&out), r->want));
    }
    tmpl_unref(t);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, check) + CASES(long_rows, check_long) + CASES(chains, check_chain) + CASES(nuls, check_nul);
}
