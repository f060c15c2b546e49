/*
 * Text slices: comparing, searching, cutting, copying.
 */
#include "base/str.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/ascii.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

bool str_ieq(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return -1;
    const char *p = memmem(s.p, s.len, needle.p, needle.len);
    return p != NULL ? p - s.p : -1;
}

ptrdiff_t str_rfind_char(struct str s, char c)
{
    const char *p = s.len > 0 ? memrchr(s.p, c, s.len) : NULL;

    return p != NULL ? p - s.p : -1;
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

struct str str_cut(struct str *s, char sep)
{
    ptrdiff_t at = str_find_char(*s, sep);
    struct str head = *s;

    if (at < 0) {
        *s = str_slice(head, head.len, head.len);
        return head;
    }
    *s = str_slice(head, (size_t)at + 1, head.len);
    return str_slice(head, 0, (size_t)at);
}

bool str_is_guid(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? s.p[i] != '-' : !ascii_is_hex(s.p[i]))
            return false;
    }
    return s.len == 36;
}

bool str_to_int(struct str s, int64_t *out)
{
    bool neg = s.len > 0 && s.p[0] == '-';
    size_t i = neg || (s.len > 0 && s.p[0] == '+') ? 1 : 0;
    int64_t v = 0;

    if (i == s.len)
        return false;
    /* counted downwards, as the lowest number has no positive twin */
    for (; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, s.p[i] - '0', &v))
            return false;
    }
    if (!neg && v == INT64_MIN)
        return false;
    *out = neg ? v : -v;
    return true;
}

char *str_cstr(struct arena *a, struct str s)
{
    return arena_strndup(a, s.p, s.len);
}

struct str str_dup(struct arena *a, struct str s)
{
    return str_make(str_cstr(a, s), s.len);
}

struct str str_lower(struct arena *a, struct str s)
{
    char *p = str_cstr(a, s);

    for (size_t i = 0; i < s.len; i++)
        p[i] = lower(p[i]);
    return str_make(p, s.len);
}

struct str str_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return str_c(p);
}

/*
 * Hash: eight bytes a step, folded through a 128-bit product.  Keys come from strangers, so it
 * starts from a number drawn when the program is loaded; written once, before main.
 */
static uint64_t seed = 0x9ae16a3b2f90404fU;

__attribute__((constructor)) static void draw_seed(void)
{
    uint64_t drawn = 0;

    if (getrandom(&drawn, sizeof(drawn), GRND_NONBLOCK) == (ssize_t)sizeof(drawn))
        seed ^= drawn;
}

__extension__ typedef unsigned __int128 wide;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load(const char *p, size_t n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);
    return v;
}

uint64_t str_hash(struct str s)
{
    const uint64_t odd = 0xd6e8feb86659fd93U;
    uint64_t h = seed ^ (s.len * odd);
    const char *p = s.p;
    size_t n = s.len;

    for (; n >= 8; n -= 8, p += 8)
        h = fold(h ^ load(p, 8), odd ^ seed);
    if (n >= 4)
        h = fold(h ^ (load(p, 4) | load(p + n - 4, 4) << 32), odd ^ seed);
    else if (n > 0)
        h = fold(h ^ (load(p, 1) | load(p + n / 2, 1) << 8 | load(p + n - 1, 1) << 16), odd ^ seed);
    h = fold(h, 0xa0761d6478bd642fU);
    return h;
}
