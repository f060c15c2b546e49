/*
 * Whitespace control, raw blocks, comments, line statements.
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

static const struct row white[] = {
    {"white 1", "a\n{% if 1 %}\n  b\n{% endif %}\nc\n", {.trim_blocks = true}, "a\n  b\nc"},
    {"white 2", "  {% if 1 %}  \n  x {% endif %}\n", {.trim_blocks = true}, "    \n  x "},
    {"white 3", "  {%+ if 1 %}\n{%- endif %}  z", {.trim_blocks = true}, "    z"},
    {"white 4", "  {# c #}\n x", {.trim_blocks = true}, "   x"},
    {"white 5", "{% if 1 -%}\n a \n{%- endif +%}\n", {.trim_blocks = true}, "a"},
    {"white 6", "\n\n{{ a }}\n", {.trim_blocks = true}, "\n\n1"},
    {"white 7", "x\r\ny\rz\n", {.trim_blocks = true}, "x\ny\nz"},
    {"white 8", "  {{ a }}\n  {% set q = \"\n\" %}{{ q }}", {.trim_blocks = true}, "  1\n  \n"},
    {"white 9", "a {%- raw %} b {% endraw -%} c", {.trim_blocks = true}, "a b c"},
    {"white 10", "\t{% raw %}\n {{ }}\n\t{% endraw %}\n", {.trim_blocks = true}, "\t\n {{ }}\n\t"},
    {"white 11", " {%- if 1 +%} a {%+ endif -%} b", {.trim_blocks = true}, " a b"},
    {"white 12", "{{- a -}}  x  {{- b }}", {.trim_blocks = true}, "1xtwo"},
    {"white 13", "{#- c -#} z", {.trim_blocks = true}, "z"},
    {"white 14",
     "  {% if 1 %}{% if 1 %}\n  {% endif %}\n  {% endif %}",
     {.trim_blocks = true},
     "      "},
    {"white 15", "a\n{% if 1 %}\n  b\n{% endif %}\nc\n", {.lstrip_blocks = true}, "a\n\n  b\n\nc"},
    {"white 16", "  {% if 1 %}  \n  x {% endif %}\n", {.lstrip_blocks = true}, "  \n  x "},
    {"white 17", "  {%+ if 1 %}\n{%- endif %}  z", {.lstrip_blocks = true}, "    z"},
    {"white 18", "  {# c #}\n x", {.lstrip_blocks = true}, "\n x"},
    {"white 19", "{% if 1 -%}\n a \n{%- endif +%}\n", {.lstrip_blocks = true}, "a"},
    {"white 20", "\n\n{{ a }}\n", {.lstrip_blocks = true}, "\n\n1"},
    {"white 21", "x\r\ny\rz\n", {.lstrip_blocks = true}, "x\ny\nz"},
    {"white 22", "  {{ a }}\n  {% set q = \"\n\" %}{{ q }}", {.lstrip_blocks = true}, "  1\n\n"},
    {"white 23", "a {%- raw %} b {% endraw -%} c", {.lstrip_blocks = true}, "a b c"},
    {"white 24", "\t{% raw %}\n {{ }}\n\t{% endraw %}\n", {.lstrip_blocks = true}, "\n {{ }}\n"},
    {"white 25", " {%- if 1 +%} a {%+ endif -%} b", {.lstrip_blocks = true}, " a b"},
    {"white 26", "{{- a -}}  x  {{- b }}", {.lstrip_blocks = true}, "1xtwo"},
    {"white 27", "{#- c -#} z", {.lstrip_blocks = true}, "z"},
    {"white 28",
     "  {% if 1 %}{% if 1 %}\n  {% endif %}\n  {% endif %}",
     {.lstrip_blocks = true},
     "\n\n"},
    {"white 29",
     "a\n{% if 1 %}\n  b\n{% endif %}\nc\n",
     {.trim_blocks = true, .lstrip_blocks = true},
     "a\n  b\nc"},
    {"white 30",
     "  {% if 1 %}  \n  x {% endif %}\n",
     {.trim_blocks = true, .lstrip_blocks = true},
     "  \n  x "},
    {"white 31",
     "  {%+ if 1 %}\n{%- endif %}  z",
     {.trim_blocks = true, .lstrip_blocks = true},
     "    z"},
    {"white 32", "  {# c #}\n x", {.trim_blocks = true, .lstrip_blocks = true}, " x"},
    {"white 33",
     "{% if 1 -%}\n a \n{%- endif +%}\n",
     {.trim_blocks = true, .lstrip_blocks = true},
     "a"},
    {"white 34", "\n\n{{ a }}\n", {.trim_blocks = true, .lstrip_blocks = true}, "\n\n1"},
    {"white 35", "x\r\ny\rz\n", {.trim_blocks = true, .lstrip_blocks = true}, "x\ny\nz"},
    {"white 36",
     "  {{ a }}\n  {% set q = \"\n\" %}{{ q }}",
     {.trim_blocks = true, .lstrip_blocks = true},
     "  1\n\n"},
    {"white 37",
     "a {%- raw %} b {% endraw -%} c",
     {.trim_blocks = true, .lstrip_blocks = true},
     "a b c"},
    {"white 38",
     "\t{% raw %}\n {{ }}\n\t{% endraw %}\n",
     {.trim_blocks = true, .lstrip_blocks = true},
     "\n {{ }}\n"},
    {"white 39",
     " {%- if 1 +%} a {%+ endif -%} b",
     {.trim_blocks = true, .lstrip_blocks = true},
     " a b"},
    {"white 40", "{{- a -}}  x  {{- b }}", {.trim_blocks = true, .lstrip_blocks = true}, "1xtwo"},
    {"white 41", "{#- c -#} z", {.trim_blocks = true, .lstrip_blocks = true}, "z"},
    {"white 42",
     "  {% if 1 %}{% if 1 %}\n  {% endif %}\n  {% endif %}",
     {.trim_blocks = true, .lstrip_blocks = true},
     ""},
    {"white 43",
     "a\n{% if 1 %}\n  b\n{% endif %}\nc\n",
     {.keep_trailing_newline = true},
     "a\n\n  b\n\nc\n"},
    {"white 44",
     "  {% if 1 %}  \n  x {% endif %}\n",
     {.keep_trailing_newline = true},
     "    \n  x \n"},
    {"white 45", "  {%+ if 1 %}\n{%- endif %}  z", {.keep_trailing_newline = true}, "    z"},
    {"white 46", "  {# c #}\n x", {.keep_trailing_newline = true}, "  \n x"},
    {"white 47", "{% if 1 -%}\n a \n{%- endif +%}\n", {.keep_trailing_newline = true}, "a\n"},
    {"white 48", "\n\n{{ a }}\n", {.keep_trailing_newline = true}, "\n\n1\n"},
    {"white 49", "x\r\ny\rz\n", {.keep_trailing_newline = true}, "x\ny\nz\n"},
    {"white 50",
     "  {{ a }}\n  {% set q = \"\n\" %}{{ q }}",
     {.keep_trailing_newline = true},
     "  1\n  \n"},
    {"white 51", "a {%- raw %} b {% endraw -%} c", {.keep_trailing_newline = true}, "a b c"},
    {"white 52",
     "\t{% raw %}\n {{ }}\n\t{% endraw %}\n",
     {.keep_trailing_newline = true},
     "\t\n {{ }}\n\t\n"},
    {"white 53", " {%- if 1 +%} a {%+ endif -%} b", {.keep_trailing_newline = true}, " a b"},
    {"white 54", "{{- a -}}  x  {{- b }}", {.keep_trailing_newline = true}, "1xtwo"},
    {"white 55", "{#- c -#} z", {.keep_trailing_newline = true}, "z"},
    {"white 56",
     "  {% if 1 %}{% if 1 %}\n  {% endif %}\n  {% endif %}",
     {.keep_trailing_newline = true},
     "  \n  \n  "},
    {"white 57",
     "a\n{% if 1 %}\n  b\n{% endif %}\nc\n",
     {.newline_sequence = {"\r\n", 2}},
     "a\r\n\r\n  b\r\n\r\nc"},
    {"white 58",
     "  {% if 1 %}  \n  x {% endif %}\n",
     {.newline_sequence = {"\r\n", 2}},
     "    \r\n  x "},
    {"white 59", "  {%+ if 1 %}\n{%- endif %}  z", {.newline_sequence = {"\r\n", 2}}, "    z"},
    {"white 60", "  {# c #}\n x", {.newline_sequence = {"\r\n", 2}}, "  \r\n x"},
    {"white 61", "{% if 1 -%}\n a \n{%- endif +%}\n", {.newline_sequence = {"\r\n", 2}}, "a"},
    {"white 62", "\n\n{{ a }}\n", {.newline_sequence = {"\r\n", 2}}, "\r\n\r\n1"},
    {"white 63", "x\r\ny\rz\n", {.newline_sequence = {"\r\n", 2}}, "x\r\ny\r\nz"},
    {"white 64",
     "  {{ a }}\n  {% set q = \"\n\" %}{{ q }}",
     {.newline_sequence = {"\r\n", 2}},
     "  1\r\n  \r\n"},
    {"white 65", "a {%- raw %} b {% endraw -%} c", {.newline_sequence = {"\r\n", 2}}, "a b c"},
    {"white 66",
     "\t{% raw %}\n {{ }}\n\t{% endraw %}\n",
     {.newline_sequence = {"\r\n", 2}},
     "\t\r\n {{ }}\r\n\t"},
    {"white 67", " {%- if 1 +%} a {%+ endif -%} b", {.newline_sequence = {"\r\n", 2}}, " a b"},
    {"white 68", "{{- a -}}  x  {{- b }}", {.newline_sequence = {"\r\n", 2}}, "1xtwo"},
    {"white 69", "{#- c -#} z", {.newline_sequence = {"\r\n", 2}}, "z"},
    {"white 70",
     "  {% if 1 %}{% if 1 %}\n  {% endif %}\n  {% endif %}",
     {.newline_sequence = {"\r\n", 2}},
     "  \r\n  \r\n  "},
    {"white 71",
     "# for i in c\n{{ i }}\n# endfor\nx",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     "1\n2\n3\nx"},
    {"white 72",
     "  # if 1:\n  y\n  # endif",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     "  y\n"},
    {"white 73",
     "# set x = [1,\n 2]\n{{ x }}",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     "[1, 2]"},
    {"white 74",
     "a # b\n# endif",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     "! TemplateSyntaxError"},
    {"white 75",
     "## for",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     ""},
    {"white 76",
     "x ## comment\ny",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     "x\ny"},
    {"white 77",
     "# for i in c: ## cc\n- {{ i }} ## z\n# endfor",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     "! TemplateSyntaxError"},
    {"white 78",
     "#- if 1\n  a\n#- endif\n",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     "  a"},
    {"white 79",
     "# if 1\n# endif",
     {.line_statement_prefix = {"#", 1}, .line_comment_prefix = {"##", 2}},
     ""},
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
    return CASES(white, check);
}
