/*
 * include, import, extends, blocks; and autoescape, which crosses all of them.
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

static const struct stored stored[] = {
    {"inc", "[{{ a }}|{{ x }}|{{ loop is defined }}]"},
    {"mod", "{% macro m(x, y=2) %}<{{ x }},{{ y }},{{ a }}>{% endmacro %}{% set v = 42 %}{% set _h "
            "= 1 %}text"},
    {"base", "A{% block one %}1{% block two %}2{% endblock %}{% endblock %}B{% block three %}3{% "
             "endblock %}"},
    {"child", "{% extends \"base\" %}{% block two %}c2{{ super() }}{% endblock %}"},
    {"self", "{% include \"self\" %}"},
    {"bad", "{{ 1 + }}"},
    {"ns", "{% set ns.x = 1 %}"},
    {"sets", "{% set q = 9 %}{{ q }}"},
    {NULL, NULL},
};

static const struct row templates[] = {
    {"templates 1", "{% include \"inc\" %}", {0}, "[1||False]"},
    {"templates 2", "{% set x = 5 %}{% include \"inc\" %}", {0}, "[1|5|False]"},
    {"templates 3",
     "{% for x in c %}{% include \"inc\" %}{% endfor %}",
     {0},
     "[1|1|False][1|2|False][1|3|False]"},
    {"templates 4",
     "{% for x in c %}{{ loop.index }}{% include \"inc\" %}{% endfor %}",
     {0},
     "1[1|1|True]2[1|2|True]3[1|3|True]"},
    {"templates 5", "{% include \"inc\" without context %}", {0}, "[||False]"},
    {"templates 6", "{% set x = 1 %}{% include \"inc\" without context %}", {0}, "[||False]"},
    {"templates 7", "{% include \"nope\" %}", {0}, "! TemplateNotFound"},
    {"templates 8", "{% include \"nope\" ignore missing %}", {0}, ""},
    {"templates 9", "{% include [\"nope\", \"inc\"] %}", {0}, "[1||False]"},
    {"templates 10", "{% include [\"nope\", \"nope2\"] %}", {0}, "! TemplatesNotFound"},
    {"templates 11", "{% include [\"nope\"] ignore missing %}", {0}, ""},
    {"templates 12", "{% include [] %}", {0}, "! TemplatesNotFound"},
    {"templates 13", "{% include x %}", {0}, "! UndefinedError"},
    {"templates 14", "{% include a %}", {0}, "! TypeError"},
    {"templates 15", "{% include \"nope\" ignore missing with context %}", {0}, ""},
    {"templates 16", "{% include \"bad\" %}", {0}, "! TemplateSyntaxError"},
    {"templates 17", "{% with x=3 %}{% include \"inc\" %}{% endwith %}", {0}, "[1|3|False]"},
    {"templates 18",
     "{% import \"mod\" as m %}{{ m.m(1) }}{{ m.v }}{{ m._h }}{{ m }}",
     {0},
     "<1,2,>42text"},
    {"templates 19", "{% import \"mod\" as m with context %}{{ m.m(1) }}", {0}, "<1,2,1>"},
    {"templates 20", "{% from \"mod\" import m, v as w %}{{ m(1, 3) }}{{ w }}", {0}, "<1,3,>42"},
    {"templates 21", "{% from \"mod\" import nope %}{{ nope }}", {0}, ""},
    {"templates 22", "{% from \"mod\" import nope %}{{ nope() }}", {0}, "! UndefinedError"},
    {"templates 23", "{% from \"mod\" import _h %}", {0}, "! TemplateAssertionError"},
    {"templates 24", "{% from \"mod\" import m with context %}{{ m(1) }}", {0}, "<1,2,1>"},
    {"templates 25", "{% from \"mod\" import m without context %}{{ m(1) }}", {0}, "<1,2,>"},
    {"templates 26", "{% import \"nope\" as m %}", {0}, "! TemplateNotFound"},
    {"templates 27", "{% import \"mod\" as m %}{{ m.zz }}", {0}, ""},
    {"templates 28", "{% import \"mod\" as m %}{{ m.zz.y }}", {0}, "! UndefinedError"},
    {"templates 29", "{% from \"mod\" import v, %}{{ v }}", {0}, "! TemplateSyntaxError"},
    {"templates 30", "{% from \"mod\" import %}", {0}, "! TemplateSyntaxError"},
    {"templates 31", "{% from \"mod\" import v w %}", {0}, "! TemplateSyntaxError"},
    {"templates 32", "{% import \"sets\" as s %}{{ s.q }}", {0}, "9"},
    {"templates 33", "{% include \"sets\" %}{{ q }}", {0}, "9"},
    {"templates 34", "{% extends \"base\" %}", {0}, "A12B3"},
    {"templates 35",
     "{% extends \"base\" %}{% block one %}x{% endblock %}ignored{{ 1/0 }}",
     {0},
     "AxB3"},
    {"templates 36",
     "{% extends \"child\" %}{% block three %}[{{ super() }}]{% endblock %}",
     {0},
     "A1c22B[3]"},
    {"templates 37",
     "{% extends \"base\" %}{% block two %}{{ super() }}{{ super() }}{% endblock %}",
     {0},
     "A122B3"},
    {"templates 38", "{% extends \"base\" %}{% block new %}{% endblock %}", {0}, "A12B3"},
    {"templates 39",
     "{% extends \"child\" %}{% block two %}{{ super.super() }}{{ super() }}{% endblock %}",
     {0},
     "A12c22B3"},
    {"templates 40",
     "{% extends \"base\" %}{% block two %}{{ super.super() }}{% endblock %}",
     {0},
     "! UndefinedError"},
    {"templates 41", "{% block a %}{{ super() }}{% endblock %}", {0}, "! UndefinedError"},
    {"templates 42", "{% block a %}A{% endblock %}{{ self.a() }}", {0}, "AA"},
    {"templates 43", "{{ self.zz() }}", {0}, "! UndefinedError"},
    {"templates 44", "{{ self }}", {0}, "<TemplateReference None>"},
    {"templates 45", "{% extends \"nope\" %}", {0}, "! TemplateNotFound"},
    {"templates 46", "{% extends x %}", {0}, "! UndefinedError"},
    {"templates 47", "{% extends \"base\" %}{% extends \"base\" %}", {0}, "! TemplateRuntimeError"},
    {"templates 48", "{% if t %}{% extends \"base\" %}{% endif %}after", {0}, "A12B3"},
    {"templates 49", "{% if not t %}{% extends \"base\" %}{% endif %}after", {0}, "after"},
    {"templates 50",
     "{% for i in c %}{% extends \"base\" %}{% endfor %}",
     {0},
     "! TemplateAssertionError"},
    {"templates 51", "{% set z = 1 %}{% block q %}{{ z }}{% endblock %}", {0}, "1"},
    {"templates 52",
     "{% extends \"base\" %}{% set z = 1 %}{% block one %}{{ z }}{% endblock %}",
     {0},
     "A1B3"},
    {"templates 53", "{% for i in c %}{% block q %}{{ i }}{% endblock %}{% endfor %}", {0}, ""},
    {"templates 54",
     "{% for i in c %}{% block q scoped %}{{ i }}{{ loop.index }}{% endblock %}{% endfor %}",
     {0},
     "112233"},
    {"templates 55", "{% block q required %}{% endblock %}", {0}, "! TemplateRuntimeError"},
    {"templates 56", "{% block q required %}x{% endblock %}", {0}, "! TemplateSyntaxError"},
    {"templates 57",
     "{% block q %}{% endblock %}{% block q %}{% endblock %}",
     {0},
     "! TemplateAssertionError"},
    {"templates 58",
     "{% block q %}{% block r %}x{% endblock %}{% endblock r %}",
     {0},
     "! TemplateSyntaxError"},
    {"templates 59", "{% block a-b %}{% endblock %}", {0}, "! TemplateSyntaxError"},
    {"templates 60",
     "{% extends \"base\" %}{% macro m() %}M{% endmacro %}{% block one %}{{ m() }}{% endblock %}",
     {0},
     "AMB3"},
    {"templates 61",
     "{% extends \"base\" %}{% import \"mod\" as mm %}{% block one %}{{ mm.v }}{% endblock %}",
     {0},
     "A42B3"},
    {"templates 62",
     "{% extends \"base\" %}{% block one %}{% set z = 3 %}{{ z }}{{ self.three() }}{% endblock %}",
     {0},
     "A33B3"},
    {"templates 63", "{% macro m() %}{% block q %}{% endblock %}{% endmacro %}{{ m() }}", {0}, ""},
    {"templates 64", "{% extends \"base\" %}{% call x() %}{% endcall %}", {0}, "! UndefinedError"},
    {"templates 65", "{% block b %}{% set zz = 1 %}{% endblock %}{{ zz }}", {0}, ""},
};

static const struct row escape[] = {
    {"escape 1",
     "{{ html }}{{ html|safe }}{{ html|e }}{{ \"<b>\" }}{{ \"<b>\"|safe }}",
     {.autoescape = true},
     "&lt;b&gt;&amp;<b>&&lt;b&gt;&amp;&lt;b&gt;<b>"},
    {"constants decide early",
     "{% autoescape a %}{{ '<' or html }}{{ '<' if 1 else html }}{% endautoescape %}",
     {0},
     "<<"},
    {"filters run late",
     "{% autoescape a %}{{ '<'|upper }}{{ ['<'] }}{{ html }}{% endautoescape %}",
     {0},
     "&lt;['<']&lt;b&gt;&amp;"},
    {"constants are joined early", "{{ 1 ~ '<'|safe }}", {.autoescape = true}, "1&lt;"},
    {"variables are not", "{{ a ~ '<'|safe }}", {.autoescape = true}, "1<"},
    {"escape 2", "{{ \"<b>\" ~ html }}", {.autoescape = true}, "&lt;b&gt;&lt;b&gt;&amp;"},
    {"escape 3", "{{ \"<b>\"|safe ~ html }}", {.autoescape = true}, "<b>&lt;b&gt;&amp;"},
    {"escape 4", "{{ (\"<i>\"|safe) + html }}", {.autoescape = true}, "<i>&lt;b&gt;&amp;"},
    {"escape 5", "{{ html + (\"<i>\"|safe) }}", {.autoescape = true}, "&lt;b&gt;&amp;<i>"},
    {"escape 6",
     "{{ (\"<i>%s</i>\"|safe) % html }}",
     {.autoescape = true},
     "<i>&lt;b&gt;&amp;</i>"},
    {"escape 7", "{{ (\"<i>\"|safe) * 2 }}", {.autoescape = true}, "<i><i>"},
    {"escape 8",
     "{% macro m(x) %}<b>{{ x }}</b>{% endmacro %}{{ m(html) }}",
     {.autoescape = true},
     "<b>&lt;b&gt;&amp;</b>"},
    {"escape 9",
     "{% set x %}<{{ html }}>{% endset %}{{ x }}",
     {.autoescape = true},
     "<&lt;b&gt;&amp;>"},
    {"escape 10",
     "{% filter upper %}<{{ html }}>{% endfilter %}",
     {.autoescape = true},
     "<&LT;B&GT;&AMP;>"},
    {"escape 11", "{% call m() %}{% endcall %}", {.autoescape = true}, "! UndefinedError"},
    {"escape 12",
     "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}<{{ html }}>{% endcall %}",
     {.autoescape = true},
     "<&lt;b&gt;&amp;>"},
    {"escape 13", "{{ [html] }}", {.autoescape = true}, "[&#39;&lt;b&gt;&amp;&#39;]"},
    {"escape 14",
     "{{ {\"a\": html} }}",
     {.autoescape = true},
     "{&#39;a&#39;: &#39;&lt;b&gt;&amp;&#39;}"},
    {"escape 15",
     "{% autoescape false %}{{ html }}{% macro m() %}{{ html }}{% endmacro %}{{ m() }}{% "
     "endautoescape %}{{ m() }}",
     {.autoescape = true},
     "! UndefinedError"},
    {"escape 16",
     "{% autoescape a %}{{ html }}{{ \"<\" ~ html }}{% endautoescape %}",
     {.autoescape = true},
     "&lt;b&gt;&amp;&lt;&lt;b&gt;&amp;"},
    {"escape 17",
     "{% autoescape n %}{{ html }}{% set q %}<{% endset %}{{ q }}{% endautoescape %}{{ q }}",
     {.autoescape = true},
     "<b>&<"},
    {"escape 18", "{{ (html|safe)[0] }}{{ (html|safe)[1:] }}", {.autoescape = true}, "<b>&"},
    {"escape 19", "{{ html|safe|upper }}", {.autoescape = true}, "<B>&"},
    {"escape 20", "{{ html.upper() }}", {.autoescape = true}, "&lt;B&gt;&amp;"},
    {"escape 21", "{{ 1 }}{{ 1.5 }}{{ none }}{{ true }}", {.autoescape = true}, "11.5NoneTrue"},
    {"escape 22",
     "{% import \"mod\" as m %}{{ m.m(html) }}{{ m }}",
     {.autoescape = true},
     "<&lt;b&gt;&amp;,2,>text"},
    {"escape 23", "{{ 1 }}", {.autoescape = true}, "1"},
    {"escape 24", "{{ (html|safe) == html }}", {.autoescape = true}, "True"},
    {"escape 25",
     "{% block q %}<{{ html }}{% endblock %}{{ self.q() }}",
     {.autoescape = true},
     "<&lt;b&gt;&amp;<&lt;b&gt;&amp;"},
    {"escape 26",
     "{% for i in tree recursive %}<{{ i.v }}{{ loop(i.k) }}{% endfor %}",
     {.autoescape = true},
     "<1<2<3<4"},
    {"escape 27", "{{ \"a\"|safe|replace(\"a\", \"<\") }}", {.autoescape = true}, "&lt;"},
    {"escape 28", "{{ (html|safe) in \"a<b>&\" }}", {.autoescape = true}, "True"},
    {"escape 29", "{{ [\"<\", \"<\"|safe]|join(\",\") }}", {.autoescape = true}, "&lt;,<"},
    {"escape 30", "{{ html|safe ~ 1 }}", {.autoescape = true}, "<b>&1"},
    {"escape 31", "{{ \"{}\"|safe|format }}", {.autoescape = true}, "{}"},
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
    struct tmpl_run run = {
        .vars = context(a, vars), .loader = load_stored, .loader_ctx = (void *)(uintptr_t)stored};
    const char *got = render(a, r->source, &env, &run, false);

    if (r->want[0] == '!')
        assert_memory_equal(got, r->want, strlen(r->want));
    else
        assert_string_equal(got, r->want);
    arena_free(a);
}

int main(void)
{
    return CASES(templates, check) + CASES(escape, check);
}
