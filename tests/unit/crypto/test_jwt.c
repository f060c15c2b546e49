/*
 * Tokens: what verifies, and what must not.
 */
#include "crypto/crypto.h"

#include "base/json.h"
#include "support/cases.h"

enum { NOW = 1700000000 };

/* Keys are made once: a pair takes a while. */
static struct {
    struct arena *a;
    struct jwt_key *own, *other;
    struct str own_pem, pub_pem;
} k;

static void make_keys(void)
{
    struct err e = {0};
    struct str priv, pub, priv2, pub2;

    k.a = arena_new(0);
    assert_int_equal(jwt_keygen(&priv, &pub, k.a, &e), 0);
    assert_int_equal(jwt_keygen(&priv2, &pub2, k.a, &e), 0);
    assert_int_equal(jwt_key_private(&k.own, priv, STR("5"), k.a, &e), 0);
    assert_int_equal(jwt_key_private(&k.other, priv2, STR("5"), k.a, &e), 0);
    k.own_pem = priv;
    k.pub_pem = pub;
}

static struct str token_of(const struct jwt_key *key, const char *claims, struct arena *a)
{
    struct err e = {0};
    struct val v;
    struct str out;

    assert_int_equal(json_parse(str_c(claims), &v, a, &e), 0);
    assert_int_equal(jwt_sign(key, v, &out, a, &e), 0);
    return out;
}

static const struct row {
    const char *name, *claims, *want; /* NULL: verifies */
} rows[] = {
    {"good", "{\"sub\":\"1\",\"exp\":1700000060}", NULL},
    {"not before reached", "{\"exp\":1700000060,\"nbf\":1700000000}", NULL},
    {"float time", "{\"exp\":1700000000.5}", NULL},
    {"expired", "{\"exp\":1699999999}", "token expired"},
    {"expires now", "{\"exp\":1700000000}", "token expired"},
    {"without end", "{\"sub\":\"1\"}", "token not valid"},
    {"end is text", "{\"exp\":\"1700000060\"}", "token not valid"},
    {"end is null", "{\"exp\":null}", "token not valid"},
    {"too early", "{\"exp\":1700000060,\"nbf\":1700000001}", "token not valid"},
};

static void claims(const struct row *r)
{
    struct arena *a = arena_new(0);
    const struct jwt_key *keys[] = {k.own};
    struct err e = {0};
    struct val out;
    struct str t = token_of(k.own, r->claims, a);
    int rc = jwt_verify(keys, 1, t, NOW, &out, a, &e);

    if (r->want == NULL) {
        assert_int_equal(rc, 0);
    } else {
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_UNAUTHORIZED);
        assert_string_equal(e.msg, r->want);
    }
    arena_free(a);
}

/* {"alg":"none"} and HS256 signed with the text of the public key: the two classic forgeries. */
static struct str forged(const char *head, bool hmac, struct arena *a)
{
    struct str h = crypto_b64url(a, str_c(head));
    struct str b = crypto_b64url(a, STR("{\"sub\":\"1\",\"exp\":1700000060}"));
    struct str input = str_printf(a, "%.*s.%.*s", STR_ARG(h), STR_ARG(b));
    unsigned char mac[64];
    size_t n = 0;

    if (hmac)
        assert_true(crypto_hmac("sha256", k.pub_pem, input, mac, &n));
    return str_printf(a, "%.*s.%.*s", STR_ARG(input),
                      STR_ARG(crypto_b64url(a, str_make((char *)mac, n))));
}

static void forgeries(void **state)
{
    struct arena *a = arena_new(0);
    const struct jwt_key *keys[] = {k.own};
    struct str good = token_of(k.own, "{\"exp\":1700000060}", a);
    struct str tokens[] = {
        forged("{\"alg\":\"none\",\"typ\":\"JWT\"}", false, a),
        forged("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", true, a),
        forged("{\"alg\":\"RS256\",\"typ\":\"JWT\"}", true, a),
        forged("{\"alg\":\"RS256\",\"crit\":[\"x\"]}", true, a),
        forged("[]", true, a),
        forged("{", true, a),
        token_of(k.other, "{\"exp\":1700000060}", a),
        str_slice(good, 0, good.len - 1),
        str_printf(a, "%.*s.", STR_ARG(good)),
        STR(""),
        STR("null"),
        STR("undefined"),
        STR(".."),
        STR("a.b.c"),
        STR("a.b"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        struct err e = {0};
        struct val out;

        assert_int_equal(jwt_verify(keys, 1, tokens[i], NOW, &out, a, &e), -1);
        assert_int_equal(e.code, ERR_UNAUTHORIZED);
        assert_string_equal(e.msg, "token not valid");
    }
    arena_free(a);
}

static void every_byte_counts(void **state)
{
    struct arena *a = arena_new(0);
    const struct jwt_key *keys[] = {k.own};
    struct str good = token_of(k.own, "{\"exp\":1700000060}", a);
    char *p = arena_dup(a, good.p, good.len);

    (void)state;
    for (size_t i = 0; i + 1 < good.len; i++) { /* the very last digit holds unused bits */
        struct err e = {0};
        struct val out;
        char was = p[i];

        p[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(jwt_verify(keys, 1, str_make(p, good.len), NOW, &out, a, &e), -1);
        p[i] = was;
    }
    arena_free(a);
}

static void keys_by_id(void **state)
{
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct jwt_key *renamed;
    struct val out;
    struct str t = token_of(k.own, "{\"exp\":1700000060}", a);

    (void)state;
    assert_int_equal(jwt_key_private(&renamed, k.own_pem, STR("6"), a, &e), 0);
    {
        const struct jwt_key *only_renamed[] = {renamed};
        const struct jwt_key *both[] = {renamed, k.own};

        assert_int_equal(jwt_verify(only_renamed, 1, t, NOW, &out, a, &e), -1);
        assert_int_equal(jwt_verify(both, 2, t, NOW, &out, a, &e), 0);
    }
    assert_true(str_eq(jwt_key_public_pem(k.own, a), k.pub_pem));
    assert_int_equal(jwt_key_private(&renamed, STR("not a key"), STR("6"), a, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forgeries),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(keys_by_id),
    };
    int failed;

    make_keys();
    failed = cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, claims);
    arena_free(k.a);
    return failed;
}
