/*
 * UTF-8: checking, counting and walking code points.
 */
#include "base/utf8.h"

#include "base/arena.h"

static const uint64_t high_bits = 0x8080808080808080U;

static bool follows(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of ASCII at the start of p..p+n, eight at a time: always stops at a byte that is not. */
static size_t ascii_run(const char *p, size_t n)
{
    size_t i = 0;
    uint64_t w = 0;

    for (; i + 8 <= n; i += 8) {
        memcpy(&w, p + i, 8);
        if ((w & high_bits) != 0)
            break;
    }
    while (i < n && (unsigned char)p[i] < 0x80)
        i++;
    return i;
}

/*
 * Length of the well-formed sequence at p (n > 0 bytes left), or 0.  *bad becomes the bytes of the
 * longest prefix that could have begun one: what a repair replaces as one (Unicode 15, 3.9, table
 * 3-7).
 */
static size_t sequence(const unsigned char *p, size_t n, size_t *bad)
{
    unsigned char lead = p[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t len = 0;

    *bad = 1;
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0xe0)
        low = 0xa0; /* shorter form exists */
    else if (lead == 0xed)
        high = 0x9f; /* surrogates */
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    for (size_t i = 1; i < len; i++) {
        if (i >= n || p[i] < low || p[i] > high)
            return 0;
        *bad = i + 1;
        low = 0x80;
        high = 0xbf;
    }
    return len;
}

size_t utf8_check(struct str s)
{
    size_t i = 0;
    size_t bad = 0;

    while (i < s.len) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x80) {
            i += ascii_run(s.p + i, s.len - i);
        } else if (c >= 0xc2 && c < 0xe0 && s.len - i >= 2 && follows(s.p[i + 1])) {
            i += 2; /* most of what is not ASCII, as far as Cyrillic and Greek go */
        } else {
            size_t n = sequence((const unsigned char *)s.p + i, s.len - i, &bad);
            if (n == 0)
                return i;
            i += n;
        }
    }
    return s.len;
}

bool utf8_is_ascii(struct str s)
{
    return ascii_run(s.p, s.len) == s.len;
}

size_t utf8_len(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += !follows(s.p[i]);
    return n;
}

uint32_t utf8_next(const char **p, const char *end)
{
    const unsigned char *s = (const unsigned char *)*p;
    size_t left = (size_t)(end - *p);
    uint32_t cp = s[0];
    size_t len = 1;

    if (cp >= 0xf0 && left >= 4) {
        cp = (cp & 0x07) << 18 | (s[1] & 0x3fU) << 12 | (s[2] & 0x3fU) << 6 | (s[3] & 0x3fU);
        len = 4;
    } else if (cp >= 0xe0 && left >= 3) {
        cp = (cp & 0x0f) << 12 | (s[1] & 0x3fU) << 6 | (s[2] & 0x3fU);
        len = 3;
    } else if (cp >= 0xc0 && left >= 2) {
        cp = (cp & 0x1f) << 6 | (s[1] & 0x3fU);
        len = 2;
    }
    *p += len;
    return cp;
}

size_t utf8_put(char out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

size_t utf8_offset(struct str s, size_t index)
{
    size_t i = 0;

    while (i < s.len && index > 0) {
        do
            i++;
        while (i < s.len && follows(s.p[i]));
        index--;
    }
    return i;
}

struct str utf8_repair(struct arena *a, struct str s)
{
    static const char replacement[3] = "\xef\xbf\xbd";
    size_t good = utf8_check(s);
    size_t at = good;
    size_t i = good;

    if (good == s.len)
        return str_dup(a, s);
    char *out = arena_bytes(a, s.len * 3 + 1);
    memcpy(out, s.p, good);
    while (i < s.len) {
        size_t bad = 0;
        size_t n = sequence((const unsigned char *)s.p + i, s.len - i, &bad);
        if (n > 0) {
            memcpy(out + at, s.p + i, n);
            at += n;
            i += n;
        } else {
            memcpy(out + at, replacement, sizeof(replacement));
            at += sizeof(replacement);
            i += bad;
        }
    }
    out[at] = '\0';
    return str_make(arena_grow(a, out, s.len * 3 + 1, at + 1), at);
}
