/*
 * Readings of a stored Fernet key: what "Fernet32" means is written nowhere, so every reading that
 * makes sense is offered, and the MAC of a token says which one is right (migration.md 7.3).
 */
#include "base/arena.h"
#include "base/ascii.h"
#include "crypto/fernet.h"

static bool from_hex(struct str text, struct str *out, struct arena *a)
{
    char *p = arena_alloc(a, text.len / 2 + 1);

    if (text.len == 0 || text.len % 2 != 0)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = ascii_hex(text.p[i]), low = ascii_hex(text.p[i + 1]);

        if (high < 0 || low < 0)
            return false;
        p[i / 2] = (char)(high * 16 + low);
    }
    *out = str_make(p, text.len / 2);
    return true;
}

static int base32_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

static bool from_base32(struct str text, struct str *out, struct arena *a)
{
    char *p = arena_alloc(a, text.len * 5 / 8 + 1);
    uint32_t v = 0;
    unsigned bits = 0;
    size_t n = 0;

    while (text.len > 0 && text.p[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        int d = base32_value(text.p[i]);

        if (d < 0)
            return false;
        v = (v << 5 | (uint32_t)d) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            p[n++] = (char)(v >> bits & 0xff);
        }
    }
    *out = str_make(p, n);
    return n > 0;
}

static bool known(const struct fernet_key *list, size_t n, const struct fernet_key *k)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].half == k->half && memcmp(list[i].sign, k->sign, k->half) == 0 &&
            memcmp(list[i].encrypt, k->encrypt, k->half) == 0)
            return true;
    return false;
}

static size_t add(struct fernet_key *list, size_t n, struct str bytes, bool swapped)
{
    struct fernet_key k = {.half = bytes.len / 2};

    if ((bytes.len != 32 && bytes.len != 64) || n == FERNET_READINGS_MAX)
        return n;
    memcpy(k.sign, bytes.p + (swapped ? k.half : 0), k.half);
    memcpy(k.encrypt, bytes.p + (swapped ? 0 : k.half), k.half);
    if (!known(list, n, &k))
        list[n++] = k;
    crypto_wipe(&k, sizeof k);
    return n;
}

static void wipe(struct str s)
{
    crypto_wipe((void *)(uintptr_t)s.p, s.len);
}

size_t fernet_readings(struct str material, struct fernet_key out[FERNET_READINGS_MAX])
{
    struct arena *a = arena_new(1024);
    struct str text = str_trim(material), forms[4];
    size_t n_forms = 0, n = 0;

    if (crypto_unb64(a, text, &forms[n_forms]))
        n_forms++;
    if (from_base32(text, &forms[n_forms], a))
        n_forms++;
    if (from_hex(text, &forms[n_forms], a))
        n_forms++;
    /* the specification's order of halves first, for each form */
    for (size_t i = 0; i < n_forms; i++)
        n = add(out, n, forms[i], false);
    n = add(out, n, material, false);
    for (size_t i = 0; i < n_forms; i++)
        n = add(out, n, forms[i], true);
    n = add(out, n, material, true);
    for (size_t i = 0; i < n_forms; i++)
        wipe(forms[i]);
    arena_free(a);
    return n;
}
