/*
 * Filters: with none, undefined and the wrong type, budgets, and where the platform differs from
 * plain Jinja2.
 */
#include "template/callable.h"
#include "unit/template/renders.h"

static const struct render_row bad_input[] = {
    {"pp_dict of none", "{{ none|pp_dict }}", "null", NULL},
    {"pp_dict of infinity", "{{ ('inf'|float)|pp_dict }}", "! ValueError", NULL},
    {"dict_filter of undefined", "{{ missing|dict_filter('a') }}", "{}", NULL},
    {"dict_filter of a number", "{{ 5|dict_filter('a') }}", "! TypeError", NULL},
    {"json_query of none", "{{ none|json_query('a') }}", "None", NULL},
    {"json_query of undefined", "{{ missing|json_query('a') }}", "None", NULL},
    {"json_query of a text", "{{ 'abc'|json_query('length(@)') }}", "3", NULL},
    {"json_query without expression", "{{ {}|json_query }}", "! TypeError", NULL},
    {"rest2dict of a number", "{{ 5|rest2dict }}", "5", NULL},
    {"rest2dict of blanks", "{{ '  '|rest2dict }}", "{}", NULL},
    {"url_qs of undefined", "{{ missing|url_qs }}", "{}", NULL},
    {"url_path of none", "[{{ none|url_path }}]", "[]", NULL},
    {"url_raw_query of undefined", "[{{ missing|url_raw_query }}]", "[]", NULL},
    {"combine of undefined", "{{ missing|combine({'a': 1}) }}", "{'a': 1}", NULL},
    {"combine of a list", "{{ [1]|combine({}) }}", "! TypeError", NULL},
    {"combine with an unknown option", "{{ {}|combine({}, deep=true) }}", "! TypeError", NULL},
    {"combine with an unknown merge", "{{ {}|combine({}, list_merge='x') }}", "! ValueError", NULL},
    {"regex_replace of undefined", "[{{ missing|regex_replace('a') }}]", "[]", NULL},
    {"regex_replace with a bad group", "{{ 'a'|regex_replace('a', '\\\\9') }}", "! ValueError",
     NULL},
    {"regex_findall of none", "{{ none|regex_findall('a') }}", "[]", NULL},
    {"regex_search of a number", "{{ 1234|regex_search('2.') }}", "23", NULL},
    {"regex_search for a missing group", "{{ 'a'|regex_search('a', '\\\\3') }}", "! ValueError",
     NULL},
    {"regex_search without pattern", "{{ 'a'|regex_search }}", "! TypeError", NULL},
    {"union with none", "{{ [1]|union(none) }}", "[1]", NULL},
    {"intersect of mixed types", "{{ [1, '1', 1.0]|intersect([1]) }}", "[1]", NULL},
    {"difference of a number", "{{ 5|difference([1]) }}", "! TypeError", NULL},
    {"b64encode of none", "[{{ none|b64encode }}]", "[]", NULL},
    {"b64encode of a number", "{{ 12|b64encode }}", "MTI=", NULL},
    {"b64decode over lines", "{{ 'aMOp\\nbGxv'|b64decode }}", "h\xC3\xA9llo", NULL},
    {"phonenumber of a number", "{{ 33612345678|phonenumber_valid }}", "False", NULL},
    {"phonenumber of undefined", "{{ missing|phonenumber_cc }} {{ missing|phonenumber_type }}",
     "None UNKNOWN", NULL},
    {"strftime of none", "{{ none|strftime('%Y') }}", "! TypeError", NULL},
    {"strftime of undefined", "{{ missing|strftime('%Y') }}", "! UndefinedError", NULL},
    {"strftime without format", "{{ '2021-01-01'|strftime }}", "! TypeError", NULL},
    {"to_datetime of none", "{{ none|to_datetime }}", "! TypeError", NULL},
    {"to_datetime of epoch seconds", "{{ 86400|to_datetime }} {{ '0'|to_datetime }}",
     "1970-01-02 00:00:00 1970-01-01 00:00:00", NULL},
    {"to_bool of undefined", "{{ missing|to_bool }}", "False", NULL},
    {"hmac of none", "{{ none|hmac == ''|hmac }}", "True", NULL},
    {"chunked of none", "{{ none|chunked(2) }}", "[]", NULL},
    {"chunked of a number", "{{ 5|chunked(2) }}", "! TypeError", NULL},
    {"timedelta of a bad text", "{{ 'x'|timedelta(days=1) }}", "! ValueError", NULL},
    {"timedelta with an unknown unit", "{{ now()|timedelta(years=1) }}", "! TypeError", NULL},
    {"startswith of none", "{{ none is startswith('a') }} {{ 'a' is startswith(none) }}",
     "False False", NULL},
    {"unknown filter", "{{ 1|nope }}", "! TemplateAssertionError", NULL},
    {"too many arguments", "{{ 'a'|upper(1) }}", "! TypeError", NULL},
    {"missing argument", "{{ 'a'|replace('b') }}", "! TypeError", NULL},
    {"unknown keyword", "{{ 'a'|center(width=3, fill='x') }}", "! TypeError", NULL},
};

static const struct render_row budgets[] = {
    {"center beyond memory", "{{ 'a'|center(10**12) }}", "! LimitError", NULL},
    {"batch filled beyond memory", "{{ [1]|batch(10**12, 0) }}", "! LimitError", NULL},
    {"format width beyond memory", "{{ '%1000000000d'|format(5) }}", "! LimitError", NULL},
    {"exploding pattern", "{{ ('a' * 40)|regex_search('(a+)+$b') is defined }}", "True", NULL},
};

static const struct render_row plain[] = {
    {"unique ignores case", "{{ ['b', 'A', 'a', 'b']|unique|list }}", "['b', 'A']", NULL},
    {"unique wants hashable items", "{{ [[1]]|unique|list }}", "! TypeError", NULL},
    {"range has no ceiling", "{{ range(200000)|length }}", "200000", NULL},
};

static const struct render_row lazy[] = {
    {"a large list is walked where it lies",
     "{{ v|map(attribute='a')|sum }} {{ v|sort(attribute='a', reverse=true)|first }}", "3 {'a': 2}",
     "{\"v\": [{\"a\": 1}, {\"a\": 2}]}"},
    {"a generator is used up", "{% set g = [1, 2]|map('string') %}{{ g|list }}{{ g|list }}",
     "['1', '2'][]", NULL},
    {"a generator prints as a list", "{{ [1, 2]|select('odd') }} {{ 'ab'|batch(1) }}",
     "[1] [['a'], ['b']]", NULL},
    {"reversed dictionaries", "{{ {'a': 1, 'b': 2}|reverse|list }} {{ {'a': 1}|last }}",
     "['b', 'a'] a", NULL},
    {"sets of lists are no slower than sets", "{{ range(50000)|chunked(1)|unique|list|length }}",
     "50000", NULL},
    {"lists and objects by what they hold",
     "{{ [[1], [1.0], {'a': 1, 'b': 2}, {'b': 2, 'a': 1}]|unique|list }}",
     "[[1], {'a': 1, 'b': 2}]", NULL},
    {"long words wrap in time", "{{ ('a' * 200000)|wordwrap(1)|length }}", "399999", NULL},
    {"long needles from the right", "{{ ('a' * 400000).rfind('a' * 200000 ~ 'b') }}", "-1", NULL},
    {"groups unpack",
     "{% for k, vs in [{'a': 1}]|groupby('a') %}{{ k }}{{ vs|length }}{% endfor %}", "11", NULL},
    {"groups have names and places",
     "{% set g = ([{'a': 1}]|groupby('a'))[0] %}{{ g.grouper }}{{ g[0] }}{{ g[-1] }}",
     "11[{'a': 1}]", NULL},
};

static void renders_plain(const struct render_row *r)
{
    renders_in(r, &tmpl_env_plain);
}

/* A budget's error has no name in Python; the test only wants it to be the budget's. */
static void ends(const struct render_row *r)
{
    struct arena *a = arena_new(0);
    struct tmpl_run run = {.vars = val_dict_new(a, 0)};
    struct tmpl *t = NULL;
    struct buf out;
    struct err e = {0};

    buf_init(&out, MIB, a);
    assert_int_equal(tmpl_compile(&t, str_c(r->source), STR("row"), &tmpl_env_platform, &e), 0);
    if (r->want[0] == '!') {
        assert_int_equal(tmpl_render(t, &run, &out, a, &e), -1);
        assert_int_equal(e.app_code, TMPL_EXC_LIMIT);
    } else if (tmpl_render(t, &run, &out, a, &e) != 0) {
        assert_int_equal(e.app_code, TMPL_EXC_LIMIT);
    }
    tmpl_unref(t);
    arena_free(a);
}

/* The tables are searched by halves: they must be sorted and know all their names. */
static const char *const filter_names[] = {
#define FILTER(name, fn, input, autoescape) name,
#include "template/filters/filters.def"
#undef FILTER
};

static const struct table_row {
    const char *name;
} tables[] = {{"filters.def"}};

static void sorted(const struct table_row *r)
{
    (void)r;
    for (size_t i = 0; i < COUNT_OF(filter_names); i++) {
        if (i > 0)
            assert_true(strcmp(filter_names[i - 1], filter_names[i]) < 0);
        assert_non_null(filter_find(str_c(filter_names[i])));
    }
    assert_null(filter_find(STR("zzz")));
    assert_null(filter_find(STR("")));
}

int main(void)
{
    return CASES(bad_input, renders) + CASES(plain, renders_plain) + CASES(lazy, renders) +
           CASES(budgets, ends) + CASES(tables, sorted);
}
