/*
 * Python's view of a text: stripping, lines, words, slices, searching and replacing.
 */
#include "template/text.h"

static bool has_cp(struct str set, uint32_t cp)
{
    const char *p = set.p;
    const char *end = set.p + set.len;

    while (p < end) {
        if (utf8_next(&p, end) == cp)
            return true;
    }
    return false;
}

static bool strips(const struct str *chars, uint32_t cp)
{
    return chars == NULL ? text_space(cp) : has_cp(*chars, cp);
}

/* Start of the code point that ends before `end`. */
static const char *cp_before(const char *begin, const char *end)
{
    const char *p = end - 1;

    while (p > begin && ((unsigned char)*p & 0xC0) == 0x80)
        p--;
    return p;
}

struct str text_strip(struct str s, const struct str *chars, unsigned sides)
{
    const char *p = s.p;
    const char *end = s.p + s.len;

    while ((sides & TEXT_LEFT) != 0 && p < end) {
        const char *q = p;

        if (!strips(chars, utf8_next(&q, end)))
            break;
        p = q;
    }
    while ((sides & TEXT_RIGHT) != 0 && p < end) {
        const char *q = cp_before(p, end);
        const char *r = q;

        if (!strips(chars, utf8_next(&r, end)))
            break;
        end = q;
    }
    return str_make(p, (size_t)(end - p));
}

/* Bytes of the line end at p, 0 when there is none. */
static size_t line_end(const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;

    if (c == '\n' || c == '\v' || c == '\f' || (c >= 0x1C && c <= 0x1E))
        return 1;
    if (c == '\r')
        return p + 1 < end && p[1] == '\n' ? 2 : 1;
    if (c == 0xC2 && p + 1 < end && (unsigned char)p[1] == 0x85)
        return 2;
    if (c == 0xE2 && p + 2 < end && (unsigned char)p[1] == 0x80 &&
        ((unsigned char)p[2] & 0xFE) == 0xA8)
        return 3;
    return 0;
}

bool text_line(struct str *rest, struct str *line, struct str *ending)
{
    const char *p = rest->p;
    const char *end = rest->p + rest->len;

    if (rest->len == 0)
        return false;
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < 0x20 || c >= 0xC2) {
            size_t n = line_end(p, end);

            if (n > 0) {
                *line = str_make(rest->p, (size_t)(p - rest->p));
                *ending = str_make(p, n);
                *rest = str_make(p + n, (size_t)(end - p) - n);
                return true;
            }
        }
    }
    *line = *rest;
    *ending = str_make(end, 0);
    *rest = str_make(end, 0);
    return true;
}

bool text_word_next(struct str *rest, struct str *word)
{
    const char *p = rest->p;
    const char *end = rest->p + rest->len;
    const char *from;

    while (p < end) {
        const char *q = p;

        if (!text_space(utf8_next(&q, end)))
            break;
        p = q;
    }
    from = p;
    while (p < end) {
        const char *q = p;

        if (text_space(utf8_next(&q, end)))
            break;
        p = q;
    }
    *word = str_make(from, (size_t)(p - from));
    *rest = str_make(p, (size_t)(end - p));
    return word->len > 0;
}

struct str text_slice(struct str s, size_t from, size_t to)
{
    size_t start;
    size_t length;

    if (to <= from)
        return str_make(s.p, 0);
    start = utf8_offset(s, from);
    length = utf8_offset(str_make(s.p + start, s.len - start), to - from);
    return str_make(s.p + start, length);
}

void text_bounds(int64_t len, int64_t *from, int64_t *to)
{
    if (*from < 0)
        *from = *from < -len ? 0 : *from + len;
    if (*to < 0)
        *to = *to < -len ? 0 : *to + len;
    if (*from > len)
        *from = len + 1; /* beyond even an empty match at the end */
    if (*to > len)
        *to = len;
}

/*
 * From the right with a rolling hash (Rabin and Karp): comparing at each place would take for ever
 * for a long needle that nearly fits everywhere.
 */
static ptrdiff_t rfind_long(struct str s, struct str needle)
{
    const uint64_t prime = 4294967291u;
    const uint64_t base = 1000003;
    size_t m = needle.len;
    size_t at = s.len - m;
    uint64_t want = 0;
    uint64_t have = 0;
    uint64_t top = 1; /* weight of the window's last byte */

    for (size_t i = m; i-- > 0;) {
        want = (want * base + (unsigned char)needle.p[i]) % prime;
        have = (have * base + (unsigned char)s.p[at + i]) % prime;
        if (i > 0)
            top = top * base % prime;
    }
    for (;;) {
        if (have == want && memcmp(s.p + at, needle.p, m) == 0)
            return (ptrdiff_t)at;
        if (at == 0)
            return -1;
        have += prime - (unsigned char)s.p[at + m - 1] * top % prime;
        at--;
        have = (have % prime * base + (unsigned char)s.p[at]) % prime;
    }
}

ptrdiff_t text_rfind(struct str s, struct str needle)
{
    enum { SHORT = 16 };

    if (needle.len > s.len)
        return -1;
    if (needle.len > SHORT)
        return rfind_long(s, needle);
    for (size_t i = s.len - needle.len + 1; i-- > 0;) {
        if (needle.len == 0 || memcmp(s.p + i, needle.p, needle.len) == 0)
            return (ptrdiff_t)i;
    }
    return -1;
}

size_t text_count(struct str s, struct str needle)
{
    size_t n = 0;

    if (needle.len == 0)
        return utf8_len(s) + 1;
    for (;;) {
        ptrdiff_t at = str_find(s, needle);

        if (at < 0)
            return n;
        n++;
        s = str_slice(s, (size_t)at + needle.len, s.len);
    }
}

static void replace_empty(struct str s, struct str with, int64_t max, struct buf *out)
{
    const char *p = s.p;
    const char *end = s.p + s.len;

    while (p < end) {
        const char *q = p;

        if (max == 0)
            break;
        utf8_next(&q, end);
        buf_add_str(out, with);
        buf_add(out, p, (size_t)(q - p));
        p = q;
        max--;
    }
    if (p == end && max != 0)
        buf_add_str(out, with);
    else
        buf_add(out, p, (size_t)(end - p));
}

void text_replace(struct str s, struct str old, struct str with, int64_t max, struct buf *out)
{
    if (old.len == 0) {
        replace_empty(s, with, max, out);
        return;
    }
    while (max != 0) {
        ptrdiff_t at = str_find(s, old);

        if (at < 0)
            break;
        buf_add(out, s.p, (size_t)at);
        buf_add_str(out, with);
        s = str_slice(s, (size_t)at + old.len, s.len);
        max--;
    }
    buf_add_str(out, s);
}

void text_fill(struct str fill, size_t n, struct buf *out)
{
    char *to;

    if (n == 0)
        return;
    if (fill.len != 1) {
        for (size_t i = 0; i < n && !out->over; i++)
            buf_add_str(out, fill);
        return;
    }
    to = buf_reserve(out, n);
    if (to == NULL)
        return;
    memset(to, fill.p[0], n);
    out->len += n;
}
