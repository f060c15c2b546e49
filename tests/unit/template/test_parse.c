/*
 * Syntax errors: what they say, and where they point.
 */
#include "render.h"

static const struct row {
    const char *name;
    const char *source;
    const char *want;
} rows[] = {
    {"unclosed variable", "a\n {{ b",
     "! TemplateSyntaxError: unexpected end of template, expected 'end of print "
     "statement'. at 2:6"},
    {"empty variable", "{{ }}",
     "! TemplateSyntaxError: Expected an expression, got 'end of print statement' at 1:4"},
    {"two names", "x\n\n{{ a b }}",
     "! TemplateSyntaxError: expected token 'end of print statement', got 'b' at 3:6"},
    {"column in characters", "é{{ a b }}",
     "! TemplateSyntaxError: expected token 'end of print statement', got 'b' "
     "at 1:7"},
    {"wrong bracket", "{{ (1] }}", "! TemplateSyntaxError: unexpected ']', expected ')' at 1:6"},
    {"bracket too many", "{{ 1) }}", "! TemplateSyntaxError: unexpected ')' at 1:5"},
    {"unknown character", "{{ a ? b }}", "! TemplateSyntaxError: unexpected char '?' at 5 at 1:6"},
    {"unclosed text", "{{ \"a }}", "! TemplateSyntaxError: unexpected char '\"' at 3 at 1:4"},
    {"unclosed comment", "a {# b", "! TemplateSyntaxError: Missing end of comment tag at 1:3"},
    {"unclosed raw", "{% raw %}x", "! TemplateSyntaxError: Missing end of raw directive at 1:1"},
    {"unclosed if", "{% if a %}x",
     "! TemplateSyntaxError: Unexpected end of template. Jinja was looking for the following tags: "
     "'elif' or 'else' or "
     "'endif'. The innermost block that needs to be closed is 'if'. at 1:12"},
    {"wrong end", "{% for a in b %}{% endif %}",
     "! TemplateSyntaxError: Encountered unknown tag 'endif'. Jinja was looking for the following "
     "tags: 'endfor' or "
     "'else'. The innermost block that needs to be closed is 'for'. at 1:20"},
    {"nesting mistake", "{% if a %}{% for b in c %}{% endif %}{% endfor %}",
     "! TemplateSyntaxError: Encountered unknown tag 'endif'. You probably made a nesting mistake. "
     "Jinja is expecting "
     "this tag, but currently looking for 'endfor' or 'else'. The innermost block that needs to be "
     "closed is 'for'. at "
     "1:30"},
    {"unknown tag", "{% nope %}", "! TemplateSyntaxError: Encountered unknown tag 'nope'. at 1:4"},
    {"no tag", "{% 1 %}", "! TemplateSyntaxError: tag name expected at 1:4"},
    {"unknown filter", "a\n{{ b|nope }}",
     "! TemplateAssertionError: No filter named 'nope'. at 2:6"},
    {"unknown test", "{{ b is nope }}", "! TemplateAssertionError: No test named 'nope'. at 1:6"},
    {"block twice", "{% block a %}{% endblock %}\n{% block a %}{% endblock %}",
     "! TemplateAssertionError: block 'a' defined twice at 2:4"},
    {"loop as target", "{% for loop in a %}{% endfor %}",
     "! TemplateAssertionError: Can't assign to special loop variable in for-loop target at 1:8"},
    {"break alone", "{% break %}", "! TemplateSyntaxError: 'break' outside loop at 1:4"},
    {"break in a macro in a loop",
     "{% for a in b %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
     "! TemplateSyntaxError: 'break' outside loop at 1:35"},
    {"parameter twice", "{% macro m(a, a) %}{% endmacro %}",
     "! TemplateSyntaxError: duplicate argument 'a' in macro definition at 1:15"},
    {"chained tests", "{{ a is string is number }}",
     "! TemplateSyntaxError: You cannot chain multiple tests with is at 1:16"},
    {"error while rendering", "a\n{% if true %}\n{{ 1 // 0 }}{% endif %}",
     "! ZeroDivisionError: integer division or modulo by zero at 3:0"},
    {"error inside a macro", "{% macro m() %}\n{{ x.y }}\n{% endmacro %}\n\n{{ m() }}",
     "! UndefinedError: 'x' is undefined at 2:0"},
    {"not UTF-8", "a\xff",
     "! TemplateSyntaxError: the template is not well-formed UTF-8 at byte 1 at 1:1"},
};

static void check(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct tmpl_run run = {.vars = val_dict_new(a, 0)};

    assert_string_equal(render(a, r->source, &tmpl_env_platform, &run, true), r->want);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, check);
}
