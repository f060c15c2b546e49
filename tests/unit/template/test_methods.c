/*
 * Methods: changing lists and dictionaries, views, numbers, letters beyond ASCII.
 */
#include "unit/template/renders.h"

static const struct render_row rows[] = {
    {"append",
     "{% set l = [] %}{% do l.append(1) %}{% do l.extend('ab') %}{% do l.insert(0, 'x') %}{{ l }}",
     "['x', 1, 'a', 'b']", NULL},
    {"pop", "{% set l = [1, 2, 3] %}{{ l.pop() }}{{ l.pop(0) }}{{ l }}", "31[2]", NULL},
    {"pop from nothing", "{{ [].pop() }}", "! IndexError", NULL},
    {"sort in place",
     "{% set l = [3, 1] %}{{ l.sort() }}{{ l }}{% do l.sort(reverse=true) %}{{ l }}",
     "None[1, 3][3, 1]", NULL},
    {"sort of mixed", "{{ [1, 'a'].sort() }}", "! TypeError", NULL},
    {"update", "{% set d = {'a': 1} %}{% do d.update({'b': 2}, c=3) %}{{ d }}",
     "{'a': 1, 'b': 2, 'c': 3}", NULL},
    {"setdefault and pop",
     "{% set d = {} %}{{ d.setdefault('k', []) }}{{ d.pop('k') }}{{ d.pop('k', 'none') }}",
     "[][]none", NULL},
    {"pop of a missing key", "{{ {}.pop('k') }}", "! KeyError", NULL},
    {"views",
     "{% set d = {'a': 1} %}{{ d.items() }}{{ d.keys() }}{{ d.values() }}{{ 'a' in d.keys() }}",
     "dict_items([('a', 1)])dict_keys(['a'])dict_values([1])True", NULL},
    {"views follow",
     "{% set d = {} %}{% set k = d.keys() %}{% do d.update(x=1) %}{{ k|list }}{{ k|length }}",
     "['x']1", NULL},
    {"loop over items", "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}",
     "a1b2", NULL},
    {"tuples do not change", "{{ (1, 2).append(3) }}", "! UndefinedError", NULL},
    {"tuples count", "{{ (1, 2, 1).count(1) }}{{ (1, 2).index(2) }}", "21", NULL},
    {"sharp s",
     "{{ '\xC3\x9F'.upper() }}{{ 'STRASSE'.casefold() == 'stra\xC3\x9F"
     "e'.casefold() }}",
     "SSTrue", NULL},
    {"final sigma", "{{ '\xCE\x9F\xCE\xA3'.lower() }}", "\xCE\xBF\xCF\x82", NULL},
    {"find counts letters",
     "{{ '\xC3\xA9\xE2\x82\xACx'.find('x') }}{{ '\xC3\xA9\xE2\x82\xACx'.index('x', 1) }}", "22",
     NULL},
    {"padding counts letters",
     "[{{ '\xC3\xA9'.rjust(3) }}][{{ '\xC3\xA9'.center(4, '\xE2\x82\xAC') }}]",
     "[  \xC3\xA9][\xE2\x82\xAC\xC3\xA9\xE2\x82\xAC\xE2\x82\xAC]", NULL},
    {"translate", "{{ 'abc'.translate({97: 'X', 98: none}) }}", "Xc", NULL},
    {"bytes",
     "{{ 'h\xC3\xA9'.encode() }}{{ 'h\xC3\xA9'.encode().decode() }}{{ 'a'.encode().hex() }}",
     "b'h\\xc3\\xa9'h\xC3\xA9"
     "61",
     NULL},
    {"numbers",
     "{{ (5).bit_length() }}{{ (10**20).bit_length() }}{{ (1.5).as_integer_ratio() }}{{ "
     "(2.0).is_integer() }}",
     "367(3, 2)True", NULL},
    {"unknown method", "{{ 'a'.nope() }}", "! UndefinedError", NULL},
    {"private names", "{{ ''.__class__.__mro__ }}", "! SecurityError", NULL},
    {"join wants texts", "{{ ','.join([1]) }}", "! TypeError", NULL},
    {"fill beyond memory", "{{ 'a'.ljust(10**12) }}", "! LimitError", NULL},
};

/* What a rendering is given is shared with others: only what it made itself may change. */
static const struct shared_row {
    const char *name;
    const char *source;
} shared[] = {
    {"append", "{% do v.list.append(1) %}"},
    {"sort", "{% do v.list.sort() %}"},
    {"clear", "{% do v.dict.clear() %}"},
    {"update", "{% do v.dict.update(a=1) %}"},
};

static void refuses(const struct shared_row *r)
{
    struct arena *data = arena_new(0);
    struct arena *a = arena_new(0);
    struct tmpl_run run = {0};
    struct tmpl *t = NULL;
    struct buf out;
    struct err e = {0};

    assert_int_equal(
        json_parse(STR("{\"v\": {\"list\": [3, 2], \"dict\": {\"b\": 1}}}"), &run.vars, data, &e),
        0);
    buf_init(&out, MIB, a);
    assert_int_equal(tmpl_compile(&t, str_c(r->source), STR("row"), &tmpl_env_platform, &e), 0);
    assert_int_equal(tmpl_render(t, &run, &out, a, &e), -1);
    assert_int_equal(e.app_code, TMPL_EXC_SECURITY);
    assert_string_equal(json_text(run.vars, a).p, "{\"v\":{\"list\":[3,2],\"dict\":{\"b\":1}}}");
    tmpl_unref(t);
    arena_free(a);
    arena_free(data);
}

int main(void)
{
    return CASES(rows, renders) + CASES(shared, refuses);
}
