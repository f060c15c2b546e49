/*
 * Bare expressions, and what boolean expressions understand beyond Jinja2.
 */
#include "render.h"

static const char vars[] =
    "{\"a\": 1, \"name\": \"admin\", \"list\": [3, 1, 2], \"d\": {\"k\": \"v\"}, \"n\": null}";

static const struct row {
    const char *name;
    const char *source;
    const char *want; /* repr(), or "! Error" */
} rows[] = {
    {"comparison", "a == 1 and name == 'admin'", "True"},
    {"bare true", "true", "True"},
    {"bare null", "null", "None"},
    {"None and none", "None is None and none is none", "True"},
    {"is None", "n is None", "True"},
    {"is not None", "a is not None", "True"},
    {"is True", "(a == 1) is True", "True"},
    {"is not a number", "a is 2", "False"},
    {"tests of Jinja", "nope is defined", "False"},
    {"tests with arguments", "a is divisibleby 2", "False"},
    {"filters", "name|upper", "'ADMIN'"},
    {"chain", "0 < a <= 1", "True"},
    {"chain over lists", "1 in [1] in [[1]]", "True"},
    {"not in", "'x' not in name", "True"},
    {"conditional", "'y' if a else 'n'", "'y'"},
    {"list comprehension", "[x * 2 for x in list if x > 1]", "[6, 4]"},
    {"comprehension of pairs", "[k ~ v for k, v in d.items()]", "['kv']"},
    {"comprehension hides its name", "[a for a in list] == [3, 1, 2] and a == 1", "True"},
    {"generator argument", "any(x == 2 for x in list)", "True"},
    {"nested comprehension", "[[y for y in range(x)] for x in list]", "[[0, 1, 2], [0], [0, 1]]"},
    {"len", "len(list) + len(name) + len(d)", "9"},
    {"int", "int('12') + int(3.9) + int(True)", "16"},
    {"int of nonsense", "int('x')", "! ValueError"},
    {"float", "float('1.5')", "1.5"},
    {"str", "str(12) + str(None)", "'12None'"},
    {"bool", "bool([]) or bool('x')", "True"},
    {"any and all", "[any([0, 1]), all([0, 1]), any([]), all([])]", "[True, False, False, True]"},
    {"min and max", "[min(list), max(list), min(4, 2), max('a', 'b')]", "[1, 3, 2, 'b']"},
    {"min of nothing", "min([])", "! ValueError"},
    {"sum", "sum(list)", "6"},
    {"abs", "abs(-3) + abs(-1.5)", "4.5"},
    {"round", "[round(2.5), round(3.5), round(2.567, 2)]", "[2, 4, 2.57]"},
    {"sorted", "[sorted(list), sorted(list, reverse=True)]", "[[1, 2, 3], [3, 2, 1]]"},
    {"len of a number", "len(1)", "! TypeError"},
    {"variables before functions", "[len for len in [1]]", "[1]"},
    {"unknown name", "nope", "! UndefinedError"},
    {"unknown member", "d.nope == 1", "! UndefinedError"},
    {"empty", "", "! TemplateSyntaxError"},
    {"blank", "  \n", "! TemplateSyntaxError"},
    {"two expressions", "a b", "! TemplateSyntaxError"},
    {"statement", "{% if a %}", "! TemplateSyntaxError"},
    {"assignment", "a = 1", "! TemplateSyntaxError"},
    {"tuple", "a, 2", "(1, 2)"},
    {"dictionary", "{'x': a}", "{'x': 1}"},
    {"underscores", "name.__class__", "! SecurityError"},
};

static const char *evaluate(struct arena *a, const char *source)
{
    struct tmpl_run run = {.vars = context(a, vars)};
    struct tmpl *t = NULL;
    struct val v;
    struct err e = {0};
    struct buf out;

    if (tmpl_compile_expr(&t, str_c(source), true, &e) != 0 || tmpl_eval(t, &run, &v, a, &e) != 0) {
        tmpl_unref(t);
        return arena_printf(a, "! %s", tmpl_exc_name((enum tmpl_exc)e.app_code));
    }
    tmpl_unref(t); /* the value stays good as long as its arena */
    buf_init(&out, MIB, a);
    val_to_repr(v, &out);
    return buf_cstr(&out);
}

static void check(const struct row *r)
{
    struct arena *a = arena_new(0);

    assert_string_equal(evaluate(a, r->source), r->want);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, check);
}
