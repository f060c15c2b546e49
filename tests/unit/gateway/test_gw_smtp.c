/*
 * Addresses and header texts of mails (workflow-engine.md 3.21; RFC 5322, 2047).
 */
#include "support/cases.h"

#include "base/arena.h"
#include "base/json.h"
#include "gateway/gw_smtp.h"

static const struct row {
    const char *name;
    const char *text;
    const char *want; /* "name <address>|..."; NULL: refused */
} rows[] = {
    {"none", " \n", ""},
    {"one", "a@x.org", "a@x.org|"},
    {"commas, semicolons, blanks, lines", "a@x, b@x;c@x d@x\ne@x\r\n", "a@x|b@x|c@x|d@x|e@x|"},
    {"with a name", "Ann Other <a@x>", "Ann Other <a@x>|"},
    {"several names", "Ann <a@x>, \"Other, Bob\" <b@x>", "Ann <a@x>|Other, Bob <b@x>|"},
    {"only brackets", "<a@x>; <b@x>", "a@x|b@x|"},
    {"no address", "ann", NULL},
    {"no host", "ann@", NULL},
    {"no user", "@x", NULL},
    {"two at once", "Ann a@x <b@x> c@x", NULL},
    {"a line break in an address", "<a@x\nBcc: b@x>", NULL},
    {"a carriage return in a name", "A\rB <a@x>", NULL},
    {"brackets inside", "a<b@x", NULL},
};

static void reads(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct gw_mailboxes list;
    struct err e;
    struct buf b;

    buf_init(&b, 4096, a);
    if (gw_mail_addresses(str_c(r->text), &list, a, &e) != 0) {
        assert_null(r->want);
        assert_int_equal(e.code, ERR_INVALID);
    } else {
        for (size_t i = 0; i < list.n; i++)
            if (list.items[i].name.len > 0)
                buf_addf(&b, "%.*s <%.*s>|", STR_ARG(list.items[i].name), STR_ARG(list.items[i].address));
            else
                buf_addf(&b, "%.*s|", STR_ARG(list.items[i].address));
        if (r->want == NULL)
            fail_msg("%s", buf_cstr(&b));
        assert_string_equal(buf_cstr(&b), r->want);
    }
    arena_free(a);
}

static void encodes_words(void **state)
{
    struct arena *a = arena_new(0);

    (void)state;
    assert_string_equal(str_cstr(a, gw_mail_words(STR("plain"), a)), "plain");
    assert_string_equal(str_cstr(a, gw_mail_words(STR("été"), a)), "=?utf-8?B?w6l0w6k=?=");
    assert_string_equal(str_cstr(a, gw_mail_words(STR("=?utf-8?B?eA==?="), a)),
                        "=?utf-8?B?PT91dGYtOD9CP2VBPT0/PQ==?="); /* not decoded by the reader */
    /* words of at most 75 characters that hold whole characters */
    assert_non_null(strstr(str_cstr(a, gw_mail_words(STR("éééééééééééééééééééééééé"), a)), "?=\r\n =?utf-8?B?"));
    arena_free(a);
}

static void bounds_recipients(void **state)
{
    struct arena *a = arena_new(0);
    struct gw_mailboxes list;
    struct err e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20, a);
    for (int i = 0; i <= GW_MAIL_RECIPIENTS; i++)
        buf_add_c(&b, "a@x,");
    assert_int_equal(gw_mail_addresses(buf_str(&b), &list, a, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    arena_free(a);
}

static void guards_addresses(void **state)
{
    static const char *const hosts[] = {"169.254.169.254", "[::ffff:169.254.169.254]", "2852039166"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct arena *a = arena_new(0);
        struct cfg cfg = {.a = a};
        struct gw_mail mail = {.subject = STR("s"), .body = STR("b")};
        struct gw_mail_answer out;
        struct err e = {0};

        assert_int_equal(json_parse(str_c(arena_printf(a, "{\"smtp\":{\"host\":\"%s\",\"from\":\"a@x.org\"}}", hosts[i])), &cfg.doc, a, &e), 0);
        assert_int_equal(gw_mail_addresses(STR("b@x.org"), &mail.to, a, &e), 0);
        assert_int_equal(gw_smtp_send(&cfg, &mail, &out, a, &e), -1);
        if (strstr(e.msg, "must not be called: it has a link-local address") == NULL)
            fail_msg("%s: %s", hosts[i], e.msg);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(encodes_words), cmocka_unit_test(bounds_recipients), cmocka_unit_test(guards_addresses)};

    return CASES(rows, reads) + cmocka_run_group_tests(more, NULL, NULL);
}
