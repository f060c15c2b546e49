/*
 * Documents sealed in chunks and wrapped keys: the vectors of migration.md 7.5, and every change
 * that must be noticed.
 */
#include "crypto/document_seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "crypto/key_wrap.h"
#include "crypto/seal_int.h"
#include "support/cases.h"

#define HEAD                                                                                       \
    "0201000000071000000102030405060708090a0b1c131fe40e70adabf4b0838d6a3e10734321bb373e44f0467c54" \
    "89e1e7dc95c7914850f673fd6926dc7fa1ff1e958bf3"
#define CHUNK "dbcb1f5dfdd1de1025ce8cbad57d00ebac9a034d2a"
#define WRAPPED                                                                                    \
    "030100000007000102030405060708090a0b6723f438e1c0e43ca568bda09dc45642b3e7b507c44e694b005edfbe" \
    "21543e8dc4eefca1d211d1314c3f21484b447e3d"

static const unsigned char nonce[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static void range(unsigned char key[32], unsigned first)
{
    for (unsigned i = 0; i < 32; i++)
        key[i] = (unsigned char)(first + i);
}

static void document_vector(void **state)
{
    struct arena *a = arena_new(0);
    unsigned char key[32], content_key[32], back[32], head[DOCUMENT_HEAD], chunk[5 + 16], plain[5];
    struct err e = {0};
    size_t size = 0;

    (void)state;
    range(key, 0x20);
    range(content_key, 0x40);
    document_head_with_nonce(7, key, nonce, content_key, 42, head);
    assert_string_equal(crypto_hex(a, head, sizeof head).p, HEAD);
    document_chunk_seal(content_key, 0, true, STR("hello"), chunk);
    assert_string_equal(crypto_hex(a, chunk, sizeof chunk).p, CHUNK);
    assert_int_equal(document_head_open(key, str_make((char *)head, sizeof head), 42, back, &size, &e), 0);
    assert_memory_equal(back, content_key, 32);
    assert_int_equal(size, 65536);
    assert_true(document_chunk_open(back, 0, true, str_make((char *)chunk, sizeof chunk), plain));
    assert_memory_equal(plain, "hello", 5);
    arena_free(a);
}

static void every_bit_counts(void **state)
{
    unsigned char key[32], content_key[32], back[32], head[DOCUMENT_HEAD], chunk[5 + 16], plain[8];
    struct err e = {0};
    size_t size;

    (void)state;
    range(key, 0x20);
    range(content_key, 0x40);
    document_head_seal(7, key, content_key, 42, head);
    for (size_t bit = 0; bit < sizeof head * 8; bit++) {
        head[bit / 8] ^= (unsigned char)(1 << (bit % 8));
        assert_int_equal(document_head_open(key, str_make((char *)head, sizeof head), 42, back, &size, &e), -1);
        head[bit / 8] ^= (unsigned char)(1 << (bit % 8));
    }
    assert_int_equal(document_head_open(key, str_make((char *)head, sizeof head), 43, back, &size, &e), -1);
    assert_string_equal(e.msg, "seal does not open");
    assert_int_equal(document_head_open(content_key, str_make((char *)head, sizeof head), 42, back, &size, &e), -1);
    document_chunk_seal(content_key, 3, false, STR("hello"), chunk);
    for (size_t bit = 0; bit < sizeof chunk * 8; bit++) {
        chunk[bit / 8] ^= (unsigned char)(1 << (bit % 8));
        assert_false(document_chunk_open(content_key, 3, false, str_make((char *)chunk, sizeof chunk), plain));
        chunk[bit / 8] ^= (unsigned char)(1 << (bit % 8));
    }
    assert_false(document_chunk_open(content_key, 2, false, str_make((char *)chunk, sizeof chunk), plain));
    assert_false(document_chunk_open(content_key, 3, true, str_make((char *)chunk, sizeof chunk), plain));
    assert_false(document_chunk_open(content_key, 3, false, str_make((char *)chunk, 15), plain));
    assert_true(document_chunk_open(content_key, 3, false, str_make((char *)chunk, sizeof chunk), plain));
}

static void wrapped_key_vector(void **state)
{
    struct arena *a = arena_new(0);
    unsigned char key[32], outside[32];
    struct kek k;
    struct str sealed;
    struct secret back;
    struct err e = {0};

    (void)state;
    range(key, 0x20);
    range(outside, 0);
    kek_of(outside, &k);
    assert_string_equal(k.fingerprint, "630dcd2966c43366");
    sealed = seal_of_kind(KIND_KEY, 7, k.key, nonce, str_make((char *)key, 32), "keys.material", STR("7"), a);
    assert_string_equal(crypto_hex(a, sealed.p, sealed.len).p, WRAPPED);
    assert_int_equal(key_unwrap(&k, 7, sealed, &back, a, &e), 0);
    assert_memory_equal(back.p, key, 32);
    assert_int_equal(key_unwrap(&k, 8, sealed, &back, a, &e), -1);
    sealed = key_wrap(&k, 9, str_make((char *)key, 32), a);
    assert_int_equal(key_unwrap(&k, 9, sealed, &back, a, &e), 0);
    k.key[0] ^= 1;
    assert_int_equal(key_unwrap(&k, 9, sealed, &back, a, &e), -1);
    arena_free(a);
}

static const struct row {
    const char *name;
    const char *text; /* NULL: the 32 bytes raw */
    size_t len;       /* of it; 0: all */
    unsigned mode;
    const char *error; /* NULL: it is read */
} rows[] = {
    {"raw", NULL, 32, 0600, NULL},
    {"hex", "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f\n", 0, 0640, NULL},
    {"base64", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0, 0400, NULL},
    {"short", NULL, 31, 0600, "-kek: expected 32 bytes, got 31"},
    {"empty", "", 0, 0600, "-kek: expected 32 bytes, got 0"},
    {"long", "0123456789012345678901234567890123456789", 0, 0600, "-kek: expected 32 bytes, got 40"},
    {"readable by everyone", NULL, 32, 0644, "is readable by everyone (mode 0644)"},
    {"writable by its group", NULL, 32, 0660, "is writable by its group (mode 0660)"},
};

static void reads_key_file(const struct row *r)
{
    char path[] = "/tmp/kek-XXXXXX";
    unsigned char key[32];
    struct kek k;
    struct err e = {0};
    int fd = mkstemp(path);
    int rc;

    range(key, 0);
    assert_true(fd >= 0);
    if (r->text != NULL)
        assert_int_equal(write(fd, r->text, strlen(r->text)), strlen(r->text));
    else
        assert_int_equal(write(fd, key, r->len), r->len);
    assert_int_equal(fchmod(fd, r->mode), 0);
    close(fd);
    rc = kek_read(path, &k, &e);
    unlink(path);
    if (r->error == NULL) {
        assert_int_equal(rc, 0);
        assert_string_equal(k.fingerprint, "630dcd2966c43366");
        return;
    }
    assert_int_equal(rc, -1);
    assert_int_equal(e.code, ERR_CONFIG);
    if (strstr(e.msg, r->error) == NULL)
        fail_msg("%s", e.msg);
}

static void no_file(void **state)
{
    struct kek k;
    struct err e = {0};

    (void)state;
    assert_int_equal(kek_read("/does/not/exist", &k, &e), -1);
    assert_string_equal(e.msg, "-kek: cannot read /does/not/exist: No such file or directory");
}

static void key_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        reads_key_file(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_vector),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(wrapped_key_vector),
        cmocka_unit_test(key_files),
        cmocka_unit_test(no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
