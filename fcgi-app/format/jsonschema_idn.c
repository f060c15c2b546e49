/*
 * Formats of host names, plain and internationalised.
 *
 * Which letters a label may hold goes by general categories, which give the tables of IDNA 2008 but
 * for compatibility characters; the rules that need context are those of RFC 5892, appendix A.
 * Rules: RFC 1123 section 2.1, RFC 5890 to 5893, RFC 3492 (Punycode).
 */
#include "format/jsonschema_int.h"

#include "base/utf8.h"
#include "format/unicode.h"

enum { LABEL_MAX = 63, NAME_MAX_LEN = 253, PUNY_BASE = 36, PUNY_TMIN = 1, PUNY_TMAX = 26 };

struct label {
    uint32_t cp[4 * LABEL_MAX];
    size_t n;
};

struct range {
    uint32_t from, to;
};

static bool in_ranges(uint32_t cp, const struct range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cp >= r[i].from && cp <= r[i].to)
            return true;
    return false;
}
#define IN(cp, ranges) in_ranges((cp), (ranges), COUNT_OF(ranges))

/* Letters by category that IDNA takes out (RFC 5892, 2.6 and 2.9). */
static const struct range disallowed[] = {
    {0x640, 0x640},   {0x7fa, 0x7fa},   {0x302e, 0x302f}, {0x3031, 0x3035},
    {0x303b, 0x303b}, {0x1100, 0x11ff}, {0xa960, 0xa97f}, {0xd7b0, 0xd7ff},
};
static const struct range greek[] = {{0x370, 0x3ff}, {0x1f00, 0x1fff}};
static const struct range hebrew[] = {{0x591, 0x5f4}, {0xfb1d, 0xfb4f}};
static const struct range joining[] = {{0x620, 0x74f}, {0x750, 0x77f}, {0x8a0, 0x8ff}};
static const struct range east_asian[] = {
    {0x2e80, 0x2fdf}, {0x3005, 0x3007}, {0x3021, 0x3029}, {0x3041, 0x3096}, {0x30a1, 0x30fa},
    {0x31f0, 0x31ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x3ffff},
};
/* Canonical combining class 9. */
static const struct range viramas[] = {
    {0x94d, 0x94d},     {0x9cd, 0x9cd},     {0xa4d, 0xa4d},     {0xacd, 0xacd},
    {0xb4d, 0xb4d},     {0xbcd, 0xbcd},     {0xc4d, 0xc4d},     {0xccd, 0xccd},
    {0xd3b, 0xd3c},     {0xd4d, 0xd4d},     {0xdca, 0xdca},     {0xe3a, 0xe3a},
    {0xeba, 0xeba},     {0xf84, 0xf84},     {0x1039, 0x103a},   {0x1714, 0x1715},
    {0x1734, 0x1734},   {0x17d2, 0x17d2},   {0x1a60, 0x1a60},   {0x1b44, 0x1b44},
    {0x1baa, 0x1bab},   {0x1bf2, 0x1bf3},   {0x2d7f, 0x2d7f},   {0xa806, 0xa806},
    {0xa82c, 0xa82c},   {0xa8c4, 0xa8c4},   {0xa953, 0xa953},   {0xa9c0, 0xa9c0},
    {0xaaf6, 0xaaf6},   {0xabed, 0xabed},   {0x10a3f, 0x10a3f}, {0x11046, 0x11046},
    {0x1107f, 0x1107f}, {0x110b9, 0x110b9},
};

/* ---- Punycode ---------------------------------------------------------------------------- */

static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;

    delta = first ? delta / 700 : delta / 2;
    delta += delta / points;
    for (; delta > (PUNY_BASE - PUNY_TMIN) * PUNY_TMAX / 2; k += PUNY_BASE)
        delta /= PUNY_BASE - PUNY_TMIN;
    return k + (PUNY_BASE - PUNY_TMIN + 1) * delta / (delta + 38);
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
    if (k <= bias + PUNY_TMIN)
        return PUNY_TMIN;
    return k >= bias + PUNY_TMAX ? PUNY_TMAX : k - bias;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0' + 26;
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= 'A' && c <= 'Z' ? c - 'A' : -1;
}

/* One variable-length number; false when the text ends or it overflows. */
static bool puny_number(struct str *s, uint32_t bias, uint32_t *out)
{
    uint64_t v = 0;
    uint64_t weight = 1;

    for (uint32_t k = PUNY_BASE;; k += PUNY_BASE) {
        int digit = s->len > 0 ? digit_of(s->p[0]) : -1;
        uint32_t t = threshold(k, bias);

        if (digit < 0)
            return false;
        *s = str_slice(*s, 1, s->len);
        v += (uint64_t)digit * weight;
        if (v > 0x7fffffff)
            return false;
        if ((uint32_t)digit < t)
            break;
        weight *= PUNY_BASE - t;
        if (weight > 0x7fffffff)
            return false;
    }
    *out = (uint32_t)v;
    return true;
}

static bool puny_decode(struct str s, struct label *out)
{
    ptrdiff_t dash = str_rfind_char(s, '-');
    uint32_t bias = 72;
    uint32_t n = 0x80;
    uint32_t i = 0;
    bool first = true;

    out->n = 0;
    if (s.len > LABEL_MAX || dash == 0) /* "xn---x" is not how the other way round writes it */
        return false;
    for (ptrdiff_t k = 0; k < dash; k++)
        out->cp[out->n++] = (unsigned char)s.p[k];
    s = str_slice(s, (size_t)(dash + 1), s.len);
    if (s.len == 0)
        return false;
    while (s.len > 0) {
        uint32_t delta;
        uint32_t points = (uint32_t)out->n + 1;

        if (!puny_number(&s, bias, &delta) || out->n >= COUNT_OF(out->cp))
            return false;
        i += delta;
        bias = adapt(delta, points, first);
        first = false;
        n += i / points;
        i %= points;
        if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff))
            return false;
        memmove(out->cp + i + 1, out->cp + i, (out->n - i) * sizeof out->cp[0]);
        out->cp[i++] = n;
        out->n++;
    }
    return true;
}

/* ---- labels ------------------------------------------------------------------------------ */

static bool contextual(const struct label *l, size_t i, bool *known)
{
    uint32_t cp = l->cp[i];
    uint32_t before = i > 0 ? l->cp[i - 1] : 0;
    uint32_t after = i + 1 < l->n ? l->cp[i + 1] : 0;

    *known = true;
    switch (cp) {
    case 0xb7: /* middle dot */
        return before == 'l' && after == 'l';
    case 0x375: /* Greek keraia */
        return IN(after, greek);
    case 0x5f3: /* Hebrew geresh, gershayim */
    case 0x5f4:
        return IN(before, hebrew);
    case 0x200c: /* joiners */
        return IN(before, viramas) || (IN(before, joining) && IN(after, joining));
    case 0x200d:
        return IN(before, viramas);
    case 0x30fb: /* katakana middle dot */
        for (size_t k = 0; k < l->n; k++)
            if (IN(l->cp[k], east_asian))
                return true;
        return false;
    default:
        *known = false;
        return true;
    }
}

/* The two sets of Arabic digits do not mix. */
static bool digits_mix(const struct label *l)
{
    bool plain = false;
    bool extended = false;

    for (size_t i = 0; i < l->n; i++) {
        plain = plain || (l->cp[i] >= 0x660 && l->cp[i] <= 0x669);
        extended = extended || (l->cp[i] >= 0x6f0 && l->cp[i] <= 0x6f9);
    }
    return plain && extended;
}

/* Are the characters that need no context letters, marks and digits, and the first no mark? */
static bool categories_fit(const struct label *l)
{
    const struct regex *re = NULL;
    struct regex_match m;
    struct err ignored;
    char text[4 * COUNT_OF(l->cp)];
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        bool known;

        if (IN(l->cp[i], disallowed) || !contextual(l, i, &known))
            return false;
        if (!known)
            n += utf8_put(text + n, l->cp[i]);
    }
    return regex_cached(&re,
                        STR("(?!\\p{M})[\\p{Ll}\\p{Lo}\\p{Lm}\\p{Mn}\\p{Mc}\\p{Nd}A-Z\\-"
                            "\\u06fd\\u06fe\\u0f0b\\u3007]*"),
                        REGEX_FULL, &ignored) == 0 &&
           regex_exec(re, str_make(text, n), 0, &m, &ignored) == 1;
}

static bool is_u_label(const struct label *l)
{
    if (l->n == 0 || l->cp[0] == '-' || l->cp[l->n - 1] == '-')
        return false;
    if (l->n > 3 && l->cp[2] == '-' && l->cp[3] == '-')
        return false;
    return !digits_mix(l) && categories_fit(l);
}

/* Bytes the label has as xn--... */
static size_t ace_length(const struct label *l)
{
    uint32_t bias = 72;
    uint32_t n = 0x80;
    uint32_t delta = 0;
    size_t basic = 0;
    size_t length;
    size_t done;

    for (size_t i = 0; i < l->n; i++)
        basic += l->cp[i] < 0x80;
    if (basic == l->n)
        return basic;
    length = 4 + basic + (basic > 0);
    for (done = basic; done < l->n;) {
        uint32_t next = UINT32_MAX;

        for (size_t i = 0; i < l->n; i++)
            if (l->cp[i] >= n && l->cp[i] < next)
                next = l->cp[i];
        delta += (next - n) * (uint32_t)(done + 1);
        n = next;
        for (size_t i = 0; i < l->n; i++) {
            delta += l->cp[i] < n;
            if (l->cp[i] != n)
                continue;
            length++;
            for (uint32_t q = delta, k = PUNY_BASE; q >= threshold(k, bias); k += PUNY_BASE) {
                uint32_t t = threshold(k, bias);

                q = (q - t) / (PUNY_BASE - t);
                length++;
            }
            bias = adapt(delta, (uint32_t)done + 1, done == basic);
            delta = 0;
            done++;
        }
        delta++;
        n++;
    }
    return length;
}

/* `l` receives what the label stands for. */
static bool is_ascii_label(struct str s, struct label *l)
{
    if (s.len == 0 || s.len > LABEL_MAX || s.p[0] == '-' || s.p[s.len - 1] == '-')
        return false;
    l->n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (digit_of(s.p[i]) < 0 && s.p[i] != '-')
            return false;
        l->cp[l->n++] = (unsigned char)s.p[i];
    }
    if (s.len >= 4 && str_ieq(str_slice(s, 0, 4), STR("xn--")))
        return puny_decode(str_slice(s, 4, s.len), l) && is_u_label(l);
    return s.len < 4 || s.p[2] != '-' || s.p[3] != '-';
}

bool js_is_hostname(struct str s, struct arena *a)
{
    bool rtl = false;
    bool fits = true;
    struct label l;

    (void)a;
    if (s.len == 0 || s.len > NAME_MAX_LEN || s.p[s.len - 1] == '.')
        return false;
    while (s.len > 0) {
        if (!is_ascii_label(str_cut(&s, '.'), &l))
            return false;
        fits = unicode_bidi_label(l.cp, l.n, &rtl) && fits;
    }
    return fits || !rtl;
}

/* The label up to the next of the four full stops IDNA knows; *more when one was there. */
static bool next_label(struct str *s, struct str *text, struct label *l, bool *more)
{
    const char *p = s->p;
    const char *end = s->p + s->len;
    const char *start = p;

    l->n = 0;
    *more = false;
    while (p < end) {
        const char *at = p;
        uint32_t cp = utf8_next(&p, end);

        if (cp == '.' || cp == 0x3002 || cp == 0xff0e || cp == 0xff61) {
            *more = true;
            *text = str_make(start, (size_t)(at - start));
            *s = str_make(p, (size_t)(end - p));
            return true;
        }
        if (l->n >= COUNT_OF(l->cp))
            return false;
        l->cp[l->n++] = cp;
    }
    *text = str_make(start, s->len);
    *s = STR_NONE;
    return true;
}

bool js_is_idn_hostname(struct str s, struct arena *a)
{
    size_t total = 0;
    bool more = true;
    bool rtl = false;
    bool fits = true;

    (void)a;
    while (more) {
        struct label l;
        struct str text;
        size_t n;

        if (!next_label(&s, &text, &l, &more))
            return false;
        n = ace_length(&l);
        if (n > LABEL_MAX || !(utf8_is_ascii(text) ? is_ascii_label(text, &l) : is_u_label(&l)))
            return false;
        fits = unicode_bidi_label(l.cp, l.n, &rtl) && fits;
        total += n + more;
    }
    return total <= NAME_MAX_LEN && (fits || !rtl);
}
