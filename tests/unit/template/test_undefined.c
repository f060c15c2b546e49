/*
 * What strict, chainable and debug undefined values do.
 */
#include "render.h"

struct row {
    const char *name;
    const char *source;
    struct tmpl_env options; /* over the platform's defaults */
    const char *want;        /* "! Error" when it fails */
};

static const char vars[] = "{\"a\": 1, \"b\": \"two\", \"c\": [1, 2, 3], \"d\": {\"x\": 1, \"y\": "
                           "{\"z\": 2}, \"items\": 5}, \"e\": \"\", \"n"
                           "\": null, \"t\": true, \"f\": 1.5, \"html\": \"<b>&\", \"tree\": "
                           "[{\"v\": 1, \"k\": [{\"v\": 2, \"k\": []}, {"
                           "\"v\": 3, \"k\": [{\"v\": 4, \"k\": []}]}]}]}";

static const struct row undef[] = {
    {"another class of undefined",
     "{{ q == (a if e) }}",
     {.undefined = TMPL_UNDEF_CHAINABLE},
     "False"},
    {"an inline if does not chain",
     "{{ (a if e).x }}",
     {.undefined = TMPL_UNDEF_CHAINABLE},
     "! UndefinedError"},
    {"autoescape nobody looks at",
     "{% autoescape q %}{{ 1 }}{% endautoescape %}x",
     {.undefined = TMPL_UNDEF_STRICT},
     "1x"},
    {"autoescape is looked at",
     "{% autoescape q %}{{ a }}{% endautoescape %}x",
     {.undefined = TMPL_UNDEF_STRICT},
     "! UndefinedError"},
    {"changed compares",
     "{% for i in c %}{{ loop.changed(q) }}{% endfor %}",
     {.undefined = TMPL_UNDEF_STRICT},
     "! UndefinedError"},
    {"undef 1", "{{ x }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 2", "{{ x.y }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 3", "{{ d.nope }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 4", "{{ d.nope.z }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 5", "{{ c[9] }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 6", "{{ c[\"k\"] }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 7", "{{ x ~ 1 }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 8", "{% if x %}1{% endif %}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 9",
     "{% for i in x %}{% endfor %}",
     {.undefined = TMPL_UNDEF_STRICT},
     "! UndefinedError"},
    {"undef 10", "{{ x == 1 }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 11", "{{ x is defined }}", {.undefined = TMPL_UNDEF_STRICT}, "False"},
    {"undef 12", "{{ x|default(1) }}", {.undefined = TMPL_UNDEF_STRICT}, "1"},
    {"undef 13", "{{ x + 1 }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 14", "{{ [x] }}", {.undefined = TMPL_UNDEF_STRICT}, "[Undefined]"},
    {"undef 15", "{{ not x }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 16", "{{ x and 1 }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 17", "{{ 1 if x }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 18", "{{ x in [1] }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 19", "{{ 1 in x }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 20", "{{ \"a\" if false }}", {.undefined = TMPL_UNDEF_STRICT}, ""},
    {"undef 21", "{{ x[\"a\"][\"b\"] }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 22", "{{ x() }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 23",
     "{{ x.y.z|default(\"q\") }}",
     {.undefined = TMPL_UNDEF_STRICT},
     "! UndefinedError"},
    {"undef 24", "{{ x|upper }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 25", "{{ x|length }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 26", "{{ x|string }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 27", "{{ {x:1} }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 28", "{{ d[x] }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 29", "{% set y = x %}{{ y }}", {.undefined = TMPL_UNDEF_STRICT}, "! UndefinedError"},
    {"undef 30",
     "{% for i in [1] %}{{ loop.previtem }}{% endfor %}",
     {.undefined = TMPL_UNDEF_STRICT},
     "! UndefinedError"},
    {"undef 31",
     "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}",
     {.undefined = TMPL_UNDEF_STRICT},
     "! UndefinedError"},
    {"undef 32", "{{ x }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 33", "{{ x.y }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 34", "{{ d.nope }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 35", "{{ d.nope.z }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 36", "{{ c[9] }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 37", "{{ c[\"k\"] }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 38", "{{ x ~ 1 }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "1"},
    {"undef 39", "{% if x %}1{% endif %}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 40", "{% for i in x %}{% endfor %}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 41", "{{ x == 1 }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "False"},
    {"undef 42", "{{ x is defined }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "False"},
    {"undef 43", "{{ x|default(1) }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "1"},
    {"undef 44", "{{ x + 1 }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "! UndefinedError"},
    {"undef 45", "{{ [x] }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "[Undefined]"},
    {"undef 46", "{{ not x }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "True"},
    {"undef 47", "{{ x and 1 }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 48", "{{ 1 if x }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 49", "{{ x in [1] }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "False"},
    {"undef 50", "{{ 1 in x }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "False"},
    {"undef 51", "{{ \"a\" if false }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 52", "{{ x[\"a\"][\"b\"] }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 53", "{{ x() }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "! UndefinedError"},
    {"undef 54", "{{ x.y.z|default(\"q\") }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "q"},
    {"undef 55", "{{ x|upper }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 56", "{{ x|length }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "0"},
    {"undef 57", "{{ x|string }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 58", "{{ {x:1} }}", {.undefined = TMPL_UNDEF_CHAINABLE}, "{Undefined: 1}"},
    {"undef 59", "{{ d[x] }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 60", "{% set y = x %}{{ y }}", {.undefined = TMPL_UNDEF_CHAINABLE}, ""},
    {"undef 61",
     "{% for i in [1] %}{{ loop.previtem }}{% endfor %}",
     {.undefined = TMPL_UNDEF_CHAINABLE},
     ""},
    {"undef 62",
     "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}",
     {.undefined = TMPL_UNDEF_CHAINABLE},
     ""},
    {"undef 63", "{{ x }}", {.undefined = TMPL_UNDEF_DEBUG}, "{{ x }}"},
    {"undef 64", "{{ x.y }}", {.undefined = TMPL_UNDEF_DEBUG}, "! UndefinedError"},
    {"undef 65",
     "{{ d.nope }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ no such element: dict object['nope'] }}"},
    {"undef 66", "{{ d.nope.z }}", {.undefined = TMPL_UNDEF_DEBUG}, "! UndefinedError"},
    {"undef 67",
     "{{ c[9] }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ no such element: list object[9] }}"},
    {"undef 68",
     "{{ c[\"k\"] }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ no such element: list object['k'] }}"},
    {"undef 69", "{{ x ~ 1 }}", {.undefined = TMPL_UNDEF_DEBUG}, "{{ x }}1"},
    {"undef 70", "{% if x %}1{% endif %}", {.undefined = TMPL_UNDEF_DEBUG}, ""},
    {"undef 71", "{% for i in x %}{% endfor %}", {.undefined = TMPL_UNDEF_DEBUG}, ""},
    {"undef 72", "{{ x == 1 }}", {.undefined = TMPL_UNDEF_DEBUG}, "False"},
    {"undef 73", "{{ x is defined }}", {.undefined = TMPL_UNDEF_DEBUG}, "False"},
    {"undef 74", "{{ x|default(1) }}", {.undefined = TMPL_UNDEF_DEBUG}, "1"},
    {"undef 75", "{{ x + 1 }}", {.undefined = TMPL_UNDEF_DEBUG}, "! UndefinedError"},
    {"undef 76", "{{ [x] }}", {.undefined = TMPL_UNDEF_DEBUG}, "[Undefined]"},
    {"undef 77", "{{ not x }}", {.undefined = TMPL_UNDEF_DEBUG}, "True"},
    {"undef 78", "{{ x and 1 }}", {.undefined = TMPL_UNDEF_DEBUG}, "{{ x }}"},
    {"undef 79", "{{ 1 if x }}", {.undefined = TMPL_UNDEF_DEBUG}, ""},
    {"undef 80", "{{ x in [1] }}", {.undefined = TMPL_UNDEF_DEBUG}, "False"},
    {"undef 81", "{{ 1 in x }}", {.undefined = TMPL_UNDEF_DEBUG}, "False"},
    {"undef 82", "{{ \"a\" if false }}", {.undefined = TMPL_UNDEF_DEBUG}, ""},
    {"undef 83", "{{ x[\"a\"][\"b\"] }}", {.undefined = TMPL_UNDEF_DEBUG}, "! UndefinedError"},
    {"undef 84", "{{ x() }}", {.undefined = TMPL_UNDEF_DEBUG}, "! UndefinedError"},
    {"undef 85", "{{ x.y.z|default(\"q\") }}", {.undefined = TMPL_UNDEF_DEBUG}, "! UndefinedError"},
    {"undef 86", "{{ x|length }}", {.undefined = TMPL_UNDEF_DEBUG}, "0"},
    {"undef 87", "{{ {x:1} }}", {.undefined = TMPL_UNDEF_DEBUG}, "{Undefined: 1}"},
    {"undef 88",
     "{{ d[x] }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ no such element: dict object[Undefined] }}"},
    {"undef 89", "{% set y = x %}{{ y }}", {.undefined = TMPL_UNDEF_DEBUG}, "{{ x }}"},
    {"undef 90",
     "{% for i in [1] %}{{ loop.previtem }}{% endfor %}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ undefined value printed: there is no previous item }}"},
    {"undef 91",
     "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ undefined value printed: parameter 'a' was not provided }}"},
    {"strict as the index of a list",
     "{{ [1][x] is defined }}",
     {.undefined = TMPL_UNDEF_STRICT},
     "False"},
    {"strict as the key of a dictionary",
     "{{ {}[x] is defined }}",
     {.undefined = TMPL_UNDEF_STRICT},
     "! UndefinedError"},
    {"debug through a filter",
     "{{ x|upper }}{{ x|length }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ X }}0"},
    {"debug joined and formatted",
     "{{ [x, 1]|join('-') }} {{ '%s' % x }} {{ '{}'.format(d.k) }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ x }}-1 {{ x }} {{ no such element: dict object['k'] }}"},
    {"debug of nothing to choose from",
     "{{ []|first }} {{ []|max }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ undefined value printed: No first item, sequence was empty. }} {{ undefined value "
     "printed: No aggregated item, sequence was empty. }}"},
    {"debug of an attribute",
     "{{ d|attr('k') }}",
     {.undefined = TMPL_UNDEF_DEBUG},
     "{{ no such element: dict object['k'] }}"},
    {"debug escaped",
     "{{ d.k }}",
     {.undefined = TMPL_UNDEF_DEBUG, .autoescape = true},
     "{{ no such element: dict object[&#39;k&#39;] }}"},
    {"why there is no first item",
     "{{ ([]|first).x }}",
     {0},
     "! UndefinedError: No first item, sequence was empty."},
};

/* The platform's environment with what a row says otherwise. */
static struct tmpl_env merged(const struct tmpl_env *o)
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

static void check(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct tmpl_env env = merged(&r->options);
    struct tmpl_run run = {.vars = context(a, vars), .loader = load_stored, .loader_ctx = NULL};
    const char *got = render(a, r->source, &env, &run, false);

    if (r->want[0] == '!')
        assert_memory_equal(got, r->want, strlen(r->want));
    else
        assert_string_equal(got, r->want);
    arena_free(a);
}

int main(void)
{
    return CASES(undef, check);
}
