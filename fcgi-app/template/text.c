/*
 * Python's view of a text: code points with their case and class.
 *
 * Simple case pairs and classes come from the C library's UTF-8 locale; what has no single code
 * point as answer stands in the table of special cases (Unicode SpecialCasing).
 */
#include "template/text.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/arena.h"

static locale_t utf8_locale;
static pthread_once_t utf8_once = PTHREAD_ONCE_INIT;

static void open_locale(void)
{
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (utf8_locale == (locale_t)0)
        utf8_locale = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
}

static locale_t locale_utf8(void)
{
    pthread_once(&utf8_once, open_locale);
    return utf8_locale;
}

struct special {
    uint32_t cp;
    const char *upper;
    const char *title;
    const char *fold;
};

static const struct special specials[] = {
    {0x00DF, "SS", "Ss", "ss"},
    {0x0130, "\u0130", "\u0130", "i\u0307"},
    {0x0149, "\u02BCN", "\u02BCN", "\u02BCn"},
    {0x01C4, "\u01C4", "\u01C5", "\u01C6"},
    {0x01C5, "\u01C4", "\u01C5", "\u01C6"},
    {0x01C6, "\u01C4", "\u01C5", "\u01C6"},
    {0x01C7, "\u01C7", "\u01C8", "\u01C9"},
    {0x01C8, "\u01C7", "\u01C8", "\u01C9"},
    {0x01C9, "\u01C7", "\u01C8", "\u01C9"},
    {0x01CA, "\u01CA", "\u01CB", "\u01CC"},
    {0x01CB, "\u01CA", "\u01CB", "\u01CC"},
    {0x01CC, "\u01CA", "\u01CB", "\u01CC"},
    {0x01F0, "J\u030C", "J\u030C", "j\u030C"},
    {0x01F1, "\u01F1", "\u01F2", "\u01F3"},
    {0x01F2, "\u01F1", "\u01F2", "\u01F3"},
    {0x01F3, "\u01F1", "\u01F2", "\u01F3"},
    {0x0390, "\u0399\u0308\u0301", "\u0399\u0308\u0301", "\u03B9\u0308\u0301"},
    {0x03B0, "\u03A5\u0308\u0301", "\u03A5\u0308\u0301", "\u03C5\u0308\u0301"},
    {0x0587, "\u0535\u0552", "\u0535\u0582", "\u0565\u0582"},
    {0x1E96, "H\u0331", "H\u0331", "h\u0331"},
    {0x1E97, "T\u0308", "T\u0308", "t\u0308"},
    {0x1E98, "W\u030A", "W\u030A", "w\u030A"},
    {0x1E99, "Y\u030A", "Y\u030A", "y\u030A"},
    {0x1E9E, "\u1E9E", "\u1E9E", "ss"},
    {0xFB00, "FF", "Ff", "ff"},
    {0xFB01, "FI", "Fi", "fi"},
    {0xFB02, "FL", "Fl", "fl"},
    {0xFB03, "FFI", "Ffi", "ffi"},
    {0xFB04, "FFL", "Ffl", "ffl"},
    {0xFB05, "ST", "St", "st"},
    {0xFB06, "ST", "St", "st"},
};

static const struct special *special_find(uint32_t cp)
{
    size_t low = 0;
    size_t high = COUNT_OF(specials);

    if (cp < 0xDF)
        return NULL;
    while (low < high) {
        size_t mid = (low + high) / 2;

        if (specials[mid].cp == cp)
            return &specials[mid];
        if (specials[mid].cp < cp)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static uint32_t upper_of(uint32_t cp)
{
    return (uint32_t)towupper_l((wint_t)cp, locale_utf8());
}

static uint32_t lower_of(uint32_t cp)
{
    return (uint32_t)towlower_l((wint_t)cp, locale_utf8());
}

static void put_cp(struct buf *out, uint32_t cp)
{
    char bytes[4];

    buf_add(out, bytes, utf8_put(bytes, cp));
}

static void put_upper(struct buf *out, uint32_t cp)
{
    const struct special *s = special_find(cp);

    if (s != NULL)
        buf_add_c(out, s->upper);
    else
        put_cp(out, upper_of(cp));
}

static void put_title(struct buf *out, uint32_t cp)
{
    const struct special *s = special_find(cp);

    if (s != NULL)
        buf_add_c(out, s->title);
    else
        put_cp(out, upper_of(cp));
}

static void put_fold(struct buf *out, uint32_t cp)
{
    const struct special *s = special_find(cp);

    if (s != NULL)
        buf_add_c(out, s->fold);
    else if (cp == 0x3C2) /* final sigma */
        put_cp(out, 0x3C3);
    else if (cp == 0xB5) /* micro sign */
        put_cp(out, 0x3BC);
    else if (cp == 0x17F) /* long s */
        put_cp(out, 's');
    else
        put_cp(out, lower_of(cp));
}

static bool is_cased(uint32_t cp)
{
    if (cp < 0x80)
        return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');
    return iswupper_l((wint_t)cp, locale_utf8()) || iswlower_l((wint_t)cp, locale_utf8()) ||
           special_find(cp) != NULL;
}

/* Cased letters between which a sigma is not final; marks and a few signs are looked through. */
static bool case_ignorable(uint32_t cp)
{
    return cp == '\'' || cp == '.' || cp == ':' || cp == '^' || cp == '`' || cp == 0xAD ||
           cp == 0xB7 || cp == 0x2019 || (cp >= 0x300 && cp < 0x370);
}

static bool cased_follows(const char *p, const char *end)
{
    while (p < end) {
        uint32_t cp = utf8_next(&p, end);

        if (!case_ignorable(cp))
            return is_cased(cp);
    }
    return false;
}

/* `before`: a cased letter stands to the left. */
static void put_lower(struct buf *out, uint32_t cp, const char *p, const char *end, bool before)
{
    if (cp == 0x130)
        buf_add_c(out, "i\u0307");
    else if (cp == 0x3A3)
        put_cp(out, before && !cased_follows(p, end) ? 0x3C2 : 0x3C3);
    else
        put_cp(out, lower_of(cp));
}

static bool is_upper(uint32_t cp)
{
    return iswupper_l((wint_t)cp, locale_utf8()) != 0;
}

static bool is_lower(uint32_t cp)
{
    const struct special *s = special_find(cp);

    if (s != NULL) /* title case letters are neither */
        return !is_upper(cp) && (upper_of(cp) == cp || lower_of(cp) == cp);
    return iswlower_l((wint_t)cp, locale_utf8()) != 0;
}

static void case_any(struct str s, enum text_case how, struct buf *out)
{
    const char *p = s.p;
    const char *end = s.p + s.len;
    bool in_word = false;
    bool first = true;

    while (p < end) {
        uint32_t cp = utf8_next(&p, end);

        switch (how) {
        case TEXT_UPPER:
            put_upper(out, cp);
            break;
        case TEXT_LOWER:
            put_lower(out, cp, p, end, in_word);
            break;
        case TEXT_FOLD:
            put_fold(out, cp);
            break;
        case TEXT_SWAP:
            if (is_upper(cp))
                put_lower(out, cp, p, end, in_word);
            else if (is_lower(cp))
                put_upper(out, cp);
            else
                put_cp(out, cp);
            break;
        case TEXT_TITLE:
            if (in_word)
                put_lower(out, cp, p, end, true);
            else
                put_title(out, cp);
            break;
        case TEXT_CAPITALIZE:
            if (first)
                put_title(out, cp);
            else
                put_lower(out, cp, p, end, in_word);
            break;
        }
        if (how == TEXT_TITLE || !case_ignorable(cp))
            in_word = is_cased(cp);
        first = false;
    }
}

static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void case_ascii(struct str s, enum text_case how, char *to)
{
    switch (how) {
    case TEXT_UPPER:
        for (size_t i = 0; i < s.len; i++)
            to[i] = ascii_upper(s.p[i]);
        break;
    case TEXT_LOWER:
    case TEXT_FOLD:
    case TEXT_CAPITALIZE:
        for (size_t i = 0; i < s.len; i++)
            to[i] = ascii_lower(s.p[i]);
        if (how == TEXT_CAPITALIZE && s.len > 0)
            to[0] = ascii_upper(s.p[0]);
        break;
    case TEXT_SWAP:
        for (size_t i = 0; i < s.len; i++)
            to[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? ascii_upper(s.p[i]) : ascii_lower(s.p[i]);
        break;
    case TEXT_TITLE:
        for (size_t i = 0; i < s.len; i++)
            to[i] = i > 0 && ascii_letter(s.p[i - 1]) ? ascii_lower(s.p[i]) : ascii_upper(s.p[i]);
        break;
    }
}

void text_case(struct str s, enum text_case how, struct buf *out)
{
    if (utf8_is_ascii(s)) {
        char *to = buf_reserve(out, s.len);

        if (to == NULL)
            return;
        case_ascii(s, how, to);
        out->len += s.len;
        return;
    }
    case_any(s, how, out);
}

struct str text_cased(struct str s, enum text_case how, size_t max, struct arena *a, bool *over)
{
    struct buf b;
    char *to;

    *over = s.len > max;
    if (*over)
        return str_make("", 0);
    if (utf8_is_ascii(s)) { /* no byte more than needed: most texts are short and ASCII */
        to = arena_alloc(a, s.len);
        case_ascii(s, how, to);
        return str_make(to, s.len);
    }
    buf_init(&b, max, a);
    case_any(s, how, &b);
    *over = b.over;
    return buf_str(&b);
}

/* ---- classes ------------------------------------------------------------------------------ */

/* First digits (zero) of the scripts' decimal digits: ten follow each other. */
static const uint32_t zeros[] = {
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966,  0x09E6,  0x0A66,  0x0AE6,  0x0B66,  0x0BE6,  0x0C66,
    0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0,  0x0F20,  0x1040,  0x1090,  0x17E0,  0x1810,  0x1946,
    0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0,  0x1C40,  0x1C50,  0xA620,  0xA8D0,  0xA900,  0xA9D0,
    0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x11066, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6,
};

int text_digit(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= '0' && cp <= '9' ? (int)(cp - '0') : -1;
    for (size_t i = 1; i < COUNT_OF(zeros); i++) {
        if (cp >= zeros[i] && cp < zeros[i] + 10)
            return (int)(cp - zeros[i]);
    }
    return -1;
}

static bool is_digit(uint32_t cp)
{
    return text_digit(cp) >= 0 || cp == 0xB2 || cp == 0xB3 || cp == 0xB9 || cp == 0x2070 ||
           (cp >= 0x2074 && cp <= 0x2079) || (cp >= 0x2080 && cp <= 0x2089) ||
           (cp >= 0x2460 && cp <= 0x2468) || (cp >= 0x2474 && cp <= 0x247C) ||
           (cp >= 0x2488 && cp <= 0x2490) || cp == 0x24EA || (cp >= 0x24F5 && cp <= 0x24FD) ||
           cp == 0x24FF || (cp >= 0x2776 && cp <= 0x277E) || (cp >= 0x2780 && cp <= 0x2788) ||
           (cp >= 0x278A && cp <= 0x2792);
}

static bool is_numeric(uint32_t cp)
{
    static const uint32_t han[] = {0x3007, 0x4E00, 0x4E03, 0x4E07, 0x4E09, 0x4E5D, 0x4E8C, 0x4E94,
                                   0x516B, 0x516D, 0x5341, 0x5343, 0x56DB, 0x767E, 0x842C};

    if (is_digit(cp) || (cp >= 0xBC && cp <= 0xBE) || (cp >= 0x2150 && cp <= 0x2189) ||
        (cp >= 0x2460 && cp <= 0x249B) || (cp >= 0x24EA && cp <= 0x24FF) ||
        (cp >= 0x2776 && cp <= 0x2793) || (cp >= 0x3021 && cp <= 0x3029))
        return true;
    for (size_t i = 0; i < COUNT_OF(han); i++) {
        if (cp == han[i])
            return true;
    }
    return false;
}

bool text_space(uint32_t cp)
{
    if (cp < 0x80)
        return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1C && cp <= 0x1F);
    return cp == 0x85 || cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) ||
           cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

static bool is_alpha(uint32_t cp)
{
    if (cp < 0x80)
        return ascii_letter((char)cp);
    return iswalpha_l((wint_t)cp, locale_utf8()) && !is_numeric(cp);
}

bool text_word(uint32_t cp)
{
    return cp == '_' || is_alpha(cp) || is_numeric(cp);
}

static bool is_printable(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= 0x20 && cp < 0x7F;
    return iswprint_l((wint_t)cp, locale_utf8()) && !text_space(cp) && cp != 0xAD;
}

/* isupper() and islower(): at least one cased letter and none of the other case. */
static bool one_case(struct str s, bool upper)
{
    const char *p = s.p;
    const char *end = s.p + s.len;
    bool any = false;

    while (p < end) {
        uint32_t cp = utf8_next(&p, end);
        bool up = iswupper_l((wint_t)cp, locale_utf8()) != 0;
        bool low = iswlower_l((wint_t)cp, locale_utf8()) != 0;

        if (upper ? low : up)
            return false;
        any = any || (upper ? up : low);
    }
    return any;
}

static bool is_title(struct str s)
{
    const char *p = s.p;
    const char *end = s.p + s.len;
    bool any = false;
    bool before = false;

    while (p < end) {
        uint32_t cp = utf8_next(&p, end);
        bool up = is_upper(cp);

        if (!is_cased(cp)) {
            before = false;
            continue;
        }
        if (up == before)
            return false;
        before = true;
        any = true;
    }
    return any;
}

static bool is_identifier(struct str s)
{
    const char *p = s.p;
    const char *end = s.p + s.len;

    if (s.len == 0 || text_digit(utf8_next(&p, end)) >= 0)
        return false;
    p = s.p;
    while (p < end) {
        uint32_t cp = utf8_next(&p, end);

        if (cp != '_' && !is_alpha(cp) && text_digit(cp) < 0)
            return false;
    }
    return true;
}

static bool one_is(uint32_t cp, enum text_class what)
{
    switch (what) {
    case TEXT_IS_ALPHA:
        return is_alpha(cp);
    case TEXT_IS_ALNUM:
        return is_alpha(cp) || is_numeric(cp);
    case TEXT_IS_DIGIT:
        return is_digit(cp);
    case TEXT_IS_DECIMAL:
        return text_digit(cp) >= 0;
    case TEXT_IS_NUMERIC:
        return is_numeric(cp);
    case TEXT_IS_SPACE:
        return text_space(cp);
    case TEXT_IS_PRINTABLE:
        return is_printable(cp);
    case TEXT_IS_ASCII:
        return cp < 0x80;
    default:
        return false;
    }
}

bool text_is(struct str s, enum text_class what)
{
    const char *p = s.p;
    const char *end = s.p + s.len;

    if (what == TEXT_IS_UPPER || what == TEXT_IS_LOWER)
        return one_case(s, what == TEXT_IS_UPPER);
    if (what == TEXT_IS_TITLE)
        return is_title(s);
    if (what == TEXT_IS_IDENTIFIER)
        return is_identifier(s);
    if (s.len == 0)
        return what == TEXT_IS_PRINTABLE || what == TEXT_IS_ASCII;
    while (p < end) {
        if (!one_is(utf8_next(&p, end), what))
            return false;
    }
    return true;
}
