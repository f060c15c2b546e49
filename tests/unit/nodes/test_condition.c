/*
 * Conditions of search_transactions (workflow-engine.md 3.40).
 */
#include "support/cases.h"

#include "nodes/condition.h"

static const struct row {
    const char *name;
    const char *text;
    const char *want; /* the statement's part and its values; "!" and a part of the error */
} rows[] = {
    {"empty", "", "true"},
    {"a text", "status = 'ACTIVE'", "((i.status = $1::text)) ACTIVE"},
    {"two quotes", "activity == \"it's\"", "((a.name = $1::text)) it's"},
    {"a doubled quote", "label = 'it''s'", "((i.label = $1::text)) it's"},
    {"a number", "instance_id>=12", "((i.id >= $1::bigint)) 12"},
    {"a number as text", "user_id != '7'", "((i.user_id <> $1::bigint)) 7"},
    {"unequal", "label <> 'x'", "((i.label <> $1::text)) x"},
    {"less", "activity_id<3", "((i.activity_id < $1::bigint)) 3"},
    {"and binds tighter", "id=1 or id=2 and id=3",
     "((i.id = $1::bigint) OR (i.id = $2::bigint) AND (i.id = $3::bigint)) 1 2 3"},
    {"parentheses", "(id=1 or id=2) and not id=3",
     "(((i.id = $1::bigint) OR (i.id = $2::bigint)) AND NOT (i.id = $3::bigint)) 1 2 3"},
    {"words in any case", "STATUS = 'a' AND Label IS NOT NULL", "((i.status = $1::text) AND (i.label IS NOT NULL)) a"},
    {"in", "id in (1, 2,3)", "((i.id IN ($1::bigint,$2::bigint,$3::bigint))) 1 2 3"},
    {"not in", "status not in ('a')", "((i.status NOT IN ($1::text))) a"},
    {"like", "label like 'a%'", "((i.label LIKE $1::text)) a%"},
    {"not ilike", "label not ilike '%a'", "((i.label NOT ILIKE $1::text)) %a"},
    {"null", "user_id is null", "((i.user_id IS NULL))"},
    {"an older spelling", "status = 'CLOSED_IN_ERRORS'", "((i.status = $1::text)) CLOSED_IN_ERROR"},
    {"a time in UTC", "created_on > '2026-01-02 03:04:05'",
     "((i.created_on > $1::text::timestamptz)) 2026-01-02 03:04:05Z"},
    {"a day", "created_on > '2026-01-02'", "((i.created_on > $1::text::timestamptz)) 2026-01-02 00:00:00Z"},
    {"a time with zone", "updated_on <= '2026-01-02T03:04:05+02:00'",
     "((i.updated_on <= $1::text::timestamptz)) 2026-01-02T03:04:05+02:00"},
    {"a guid", "guid = '0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee'",
     "((i.guid = $1::text::uuid)) 0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"},
    {"part of a guid", "guid like '0190%'", "((i.guid::text LIKE $1::text)) 0190%"},
    {"SQL in a value stays a value", "label = '; drop table x; --'", "((i.label = $1::text)) ; drop table x; --"},
    {"unknown field", "password = 'x'", "!unknown field \"password\""},
    {"SQL as a field", "1=1", "!the name of a field is expected at character 1"},
    {"no comparison", "status", "!a comparison is expected"},
    {"no value", "status =", "!a value is expected"},
    {"a field as value", "status = label", "!a value is expected"},
    {"a text for a number", "id = 'x'", "!a whole number is expected"},
    {"no time", "created_on > 'yesterday'", "!a time such as"},
    {"no guid", "guid = 'x'", "!a guid is expected"},
    {"like on a number", "id like '1%'", "!like needs a field that is a text"},
    {"a text without end", "status = 'x", "!a text without end at character 10"},
    {"something behind", "id=1 id=2", "!\"and\" or \"or\" is expected at character 6"},
    {"open parenthesis", "(id=1", "!\")\" is expected"},
    {"an odd character", "id=1;", "!an unexpected character at character 5"},
    {"half an operator", "id ! 1", "!a comparison is expected"},
};

static void compiles(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct condition *c;
    struct err e;
    struct buf b;

    buf_init(&b, 4096, a);
    if (condition_compile(str_c(r->text), &c, a, &e) != 0) {
        if (r->want[0] != '!' || strstr(e.msg, r->want + 1) == NULL)
            fail_msg("%s", e.msg);
        assert_int_equal(e.code, ERR_INVALID);
        arena_free(a);
        return;
    }
    buf_add_str(&b, c->sql);
    for (size_t i = 0; i < c->n_args; i++)
        if (c->args[i].s.p != NULL)
            buf_addf(&b, " %.*s", STR_ARG(c->args[i].s));
        else
            buf_addf(&b, " %lld", (long long)c->args[i].i);
    assert_string_equal(buf_cstr(&b), r->want);
    arena_free(a);
}

static void bounds(void **state)
{
    struct arena *a = arena_new(0);
    struct condition *c;
    struct err e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20, a);
    for (int i = 0; i < CONDITION_DEPTH + 1; i++)
        buf_putc(&b, '(');
    assert_int_equal(condition_compile(buf_str(&b), &c, a, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    b.len = 0;
    buf_add_c(&b, "id in (0");
    for (int i = 0; i < CONDITION_ARGS_MAX; i++)
        buf_add_c(&b, ",1");
    buf_putc(&b, ')');
    assert_int_equal(condition_compile(buf_str(&b), &c, a, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    b.len = 0;
    while (b.len <= CONDITION_BYTES)
        buf_putc(&b, ' ');
    assert_int_equal(condition_compile(buf_str(&b), &c, a, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(bounds)};

    return CASES(rows, compiles) + cmocka_run_group_tests(more, NULL, NULL);
}
