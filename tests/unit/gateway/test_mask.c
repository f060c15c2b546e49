/*
 * What is hidden before it is stored (gateway-proxy.md 8 "Masking").
 */
#include "support/cases.h"

#include "base/arena.h"
#include "gateway/mask.h"

static const struct key {
    const char *name;
    bool hidden;
} keys[] = {
    {"password", true},     {"userPassword", true}, {"PASSWD", true},     {"api_key", true},
    {"apiKey", true},       {"private-key", false}, {"privateKey", true}, {"token", true},
    {"access_token", true}, {"clientSecret", true}, {"pin", true},        {"PIN", true},
    {"shipping", false},    {"pinCode", false},     {"name", false},      {"signedPassword", true},
    {"passcode", true},     {"credentials", true},  {"", false},
};

static void hides_keys(const struct key *k)
{
    assert_int_equal(mask_key(str_c(k->name)), k->hidden);
}

static const struct body {
    const char *name;
    const char *type;
    const char *body;
    size_t max;
    const char *want;
} bodies[] = {
    {"JSON at any depth", "application/json",
     "{\"a\":[{\"password\":\"x\",\"b\":1}],\"token\":null}", 1000,
     "{\"a\":[{\"password\":\"********\",\"b\":1}],\"token\":null}"},
    {"JSON without a type", "", "{\"secret\":{\"a\":1}}", 1000, "{\"secret\":\"********\"}"},
    {"form", "application/x-www-form-urlencoded", "a=1&password=x&b=2", 1000,
     "a=1&password=********&b=2"},
    {"XML", "text/xml", "<a><password>x</password><b>y</b></a>", 1000,
     "<a><password>********</password><b>y</b></a>"},
    {"XML with a namespace", "text/xml", "<n:newPassword t=\"1\">x</n:newPassword>", 1000,
     "<n:newPassword t=\"1\">********</n:newPassword>"},
    {"XML broken off", "text/xml", "<a><password", 1000, "<a><password"},
    {"plain text", "text/plain", "hello", 1000, "hello"},
    {"plain text with a key word", "text/plain", "my password is x", 1000, "text/plain, 16 bytes"},
    {"not UTF-8", "image/png", "\xff\xfe", 1000, "image/png, 2 bytes"},
    {"a type that is not UTF-8", "image/\xff", "\xff\xfe", 1000, "binary, 2 bytes"},
    {"cut", "text/plain", "hello", 3, "hel"},
    {"cut between characters", "text/plain", "h\xc3\xa9llo", 2, "h"},
    {"empty", "text/plain", "", 10, ""},
};

static void masks_bodies(const struct body *b)
{
    struct arena *a = arena_new(0);
    struct str got = mask_body(str_c(b->type), str_c(b->body), b->max, a);

    assert_string_equal(str_cstr(a, got), b->want);
    arena_free(a);
}

static const struct url {
    const char *name;
    const char *url;
    const char *want;
} urls[] = {
    {"without query", "http://h/a", "http://h/a"},
    {"nothing secret", "http://h/a?b=1", "http://h/a?b=1"},
    {"a token", "http://h/a?b=1&token=x", "http://h/a?b=1&token=********"},
};

static void masks_urls(const struct url *u)
{
    struct arena *a = arena_new(0);

    assert_string_equal(str_cstr(a, mask_url(str_c(u->url), a)), u->want);
    arena_free(a);
}

int main(void)
{
    return CASES(keys, hides_keys) + CASES(bodies, masks_bodies) + CASES(urls, masks_urls);
}
