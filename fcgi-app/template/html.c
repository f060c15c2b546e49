/*
 * HTML texts: escaping, markup values, and the way back.
 *
 * Escapes are markupsafe's: & < > ' " and nothing else.
 */
#include "template/library_int.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "template/text.h"

static const char *entity_of(char ch)
{
    switch (ch) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\'':
        return "&#39;";
    case '"':
        return "&#34;";
    default:
        return NULL;
    }
}

static const bool special_char[256] = {
    ['&'] = true, ['<'] = true, ['>'] = true, ['\''] = true, ['"'] = true,
};

static size_t first_special(struct str s)
{
    size_t i = 0;

    while (i < s.len && !special_char[(unsigned char)s.p[i]])
        i++;
    return i;
}

void html_escape(struct str s, struct buf *out)
{
    while (s.len > 0) {
        size_t n = first_special(s);

        buf_add(out, s.p, n);
        if (n == s.len)
            return;
        buf_add_c(out, entity_of(s.p[n]));
        s = str_make(s.p + n + 1, s.len - n - 1);
    }
}

struct val val_markup(struct str s)
{
    return lib_str(s, VAL_F_MARKUP);
}

int lib_escape(struct call *c, struct val v, struct val *out)
{
    struct buf b;

    if (lib_is_markup(v)) {
        *out = v;
        return 0;
    }
    if (lib_text(c, v, &v) != 0)
        return -1;
    if (first_special(val_text(v)) == v.len) {
        *out = v;
        out->flags |= VAL_F_MARKUP;
        return 0;
    }
    lib_buf(c, &b);
    html_escape(val_text(v), &b);
    return lib_finish(c, &b, (uint8_t)(VAL_F_MARKUP | (v.flags & VAL_F_ASCII)), out);
}

/* ---- unescape ----------------------------------------------------------------------------- */

struct entity {
    const char *name;
    uint32_t cp;
};

/* The names of HTML 4 for Latin text and signs, sorted. */
static const struct entity entities[] = {
    {"AElig", 0xC6},    {"AMP", '&'},      {"Aacute", 0xC1},   {"Acirc", 0xC2},
    {"Agrave", 0xC0},   {"Alpha", 0x391},  {"Aring", 0xC5},    {"Atilde", 0xC3},
    {"Auml", 0xC4},     {"Beta", 0x392},   {"COPY", 0xA9},     {"Ccedil", 0xC7},
    {"Delta", 0x394},   {"ETH", 0xD0},     {"Eacute", 0xC9},   {"Ecirc", 0xCA},
    {"Egrave", 0xC8},   {"Euml", 0xCB},    {"GT", '>'},        {"Gamma", 0x393},
    {"Iacute", 0xCD},   {"Icirc", 0xCE},   {"Igrave", 0xCC},   {"Iuml", 0xCF},
    {"LT", '<'},        {"Lambda", 0x39B}, {"Ntilde", 0xD1},   {"OElig", 0x152},
    {"Oacute", 0xD3},   {"Ocirc", 0xD4},   {"Ograve", 0xD2},   {"Omega", 0x3A9},
    {"Oslash", 0xD8},   {"Otilde", 0xD5},  {"Ouml", 0xD6},     {"Phi", 0x3A6},
    {"Pi", 0x3A0},      {"Psi", 0x3A8},    {"QUOT", '"'},      {"REG", 0xAE},
    {"Scaron", 0x160},  {"Sigma", 0x3A3},  {"THORN", 0xDE},    {"Theta", 0x398},
    {"Uacute", 0xDA},   {"Ucirc", 0xDB},   {"Ugrave", 0xD9},   {"Uuml", 0xDC},
    {"Yacute", 0xDD},   {"Yuml", 0x178},   {"aacute", 0xE1},   {"acirc", 0xE2},
    {"acute", 0xB4},    {"aelig", 0xE6},   {"agrave", 0xE0},   {"alpha", 0x3B1},
    {"amp", '&'},       {"apos", '\''},    {"aring", 0xE5},    {"asymp", 0x2248},
    {"atilde", 0xE3},   {"auml", 0xE4},    {"bdquo", 0x201E},  {"beta", 0x3B2},
    {"brvbar", 0xA6},   {"bull", 0x2022},  {"ccedil", 0xE7},   {"cedil", 0xB8},
    {"cent", 0xA2},     {"copy", 0xA9},    {"curren", 0xA4},   {"dagger", 0x2020},
    {"darr", 0x2193},   {"deg", 0xB0},     {"delta", 0x3B4},   {"divide", 0xF7},
    {"eacute", 0xE9},   {"ecirc", 0xEA},   {"egrave", 0xE8},   {"epsilon", 0x3B5},
    {"eth", 0xF0},      {"euml", 0xEB},    {"euro", 0x20AC},   {"frac12", 0xBD},
    {"frac14", 0xBC},   {"frac34", 0xBE},  {"gamma", 0x3B3},   {"ge", 0x2265},
    {"gt", '>'},        {"harr", 0x2194},  {"hellip", 0x2026}, {"iacute", 0xED},
    {"icirc", 0xEE},    {"iexcl", 0xA1},   {"igrave", 0xEC},   {"infin", 0x221E},
    {"iquest", 0xBF},   {"iuml", 0xEF},    {"lambda", 0x3BB},  {"laquo", 0xAB},
    {"larr", 0x2190},   {"ldquo", 0x201C}, {"le", 0x2264},     {"lsaquo", 0x2039},
    {"lsquo", 0x2018},  {"lt", '<'},       {"macr", 0xAF},     {"mdash", 0x2014},
    {"micro", 0xB5},    {"middot", 0xB7},  {"minus", 0x2212},  {"mu", 0x3BC},
    {"nbsp", 0xA0},     {"ndash", 0x2013}, {"ne", 0x2260},     {"not", 0xAC},
    {"ntilde", 0xF1},   {"oacute", 0xF3},  {"ocirc", 0xF4},    {"oelig", 0x153},
    {"ograve", 0xF2},   {"omega", 0x3C9},  {"ordf", 0xAA},     {"ordm", 0xBA},
    {"oslash", 0xF8},   {"otilde", 0xF5},  {"ouml", 0xF6},     {"para", 0xB6},
    {"permil", 0x2030}, {"phi", 0x3C6},    {"pi", 0x3C0},      {"plusmn", 0xB1},
    {"pound", 0xA3},    {"psi", 0x3C8},    {"quot", '"'},      {"raquo", 0xBB},
    {"rarr", 0x2192},   {"rdquo", 0x201D}, {"reg", 0xAE},      {"rsaquo", 0x203A},
    {"rsquo", 0x2019},  {"sbquo", 0x201A}, {"scaron", 0x161},  {"sect", 0xA7},
    {"shy", 0xAD},      {"sigma", 0x3C3},  {"sup1", 0xB9},     {"sup2", 0xB2},
    {"sup3", 0xB3},     {"szlig", 0xDF},   {"theta", 0x3B8},   {"thorn", 0xFE},
    {"times", 0xD7},    {"trade", 0x2122}, {"uacute", 0xFA},   {"uarr", 0x2191},
    {"ucirc", 0xFB},    {"ugrave", 0xF9},  {"uml", 0xA8},      {"uuml", 0xFC},
    {"yacute", 0xFD},   {"yen", 0xA5},     {"yuml", 0xFF},
};

static void put_cp(struct buf *out, uint32_t cp)
{
    char bytes[4];

    buf_add(out, bytes, utf8_put(bytes, cp));
}

/* What browsers make of numbers that are no characters: 128 to 159 are taken as Windows-1252. */
static void put_number(struct buf *out, uint32_t cp)
{
    static const uint16_t windows[32] = {
        0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
        0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178,
    };

    if (cp >= 0x80 && cp < 0xA0)
        put_cp(out, windows[cp - 0x80]);
    else if (cp == 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
        put_cp(out, 0xFFFD);
    else if (cp == '\t' || cp == '\n' || cp == '\f' || cp == '\r' ||
             (cp >= 0x20 && cp != 0x7F && (cp & 0xFFFE) != 0xFFFE && (cp < 0xFDD0 || cp > 0xFDEF)))
        put_cp(out, cp); /* other controls and the code points that are no characters vanish */
}

static int digit_value(char ch, int base)
{
    int v = ascii_hex(ch);

    return v < base ? v : -1;
}

/* "&#...;" at s: bytes used, or 0 when it is none. */
static size_t numeric_entity(struct str s, struct buf *out)
{
    int base = s.len > 2 && (s.p[2] | 32) == 'x' ? 16 : 10;
    size_t i = base == 16 ? 3 : 2;
    size_t from = i;
    uint32_t cp = 0;

    for (; i < s.len && digit_value(s.p[i], base) >= 0; i++) {
        if (cp <= 0x10FFFF)
            cp = cp * (uint32_t)base + (uint32_t)digit_value(s.p[i], base);
    }
    if (i == from)
        return 0;
    put_number(out, cp);
    return i + (i < s.len && s.p[i] == ';');
}

static const struct entity *entity_find(struct str name)
{
    return lib_table_find(entities, COUNT_OF(entities), sizeof entities[0], name);
}

/* Old names end without a semicolon too, even inside a longer word. */
static bool old_entity(const struct entity *e)
{
    return e->cp < 0x100 && e->cp != '\'';
}

static size_t named_entity(struct str s, struct buf *out)
{
    size_t n = 1;
    const struct entity *e;

    while (n < s.len && n < 12 && (unsigned char)s.p[n] < 0x80 && text_word((unsigned char)s.p[n]))
        n++;
    e = n < s.len && s.p[n] == ';' ? entity_find(str_make(s.p + 1, n - 1)) : NULL;
    if (e != NULL) {
        put_cp(out, e->cp);
        return n + 1;
    }
    for (; n > 2; n--) {
        e = entity_find(str_make(s.p + 1, n - 1));
        if (e != NULL && old_entity(e)) {
            put_cp(out, e->cp);
            return n;
        }
    }
    return 0;
}

void html_unescape(struct str s, struct buf *out)
{
    while (s.len > 0) {
        ptrdiff_t at = str_find_char(s, '&');
        size_t used;

        if (at < 0)
            break;
        buf_add(out, s.p, (size_t)at);
        s = str_make(s.p + at, s.len - (size_t)at);
        used = s.len > 1 && s.p[1] == '#' ? numeric_entity(s, out) : named_entity(s, out);
        if (used == 0) {
            buf_putc(out, '&');
            used = 1;
        }
        s = str_make(s.p + used, s.len - used);
    }
    buf_add_str(out, s);
}

/* Copy `s` without what stands between `open` and `close`; an unclosed one stays. */
static struct str without(struct str s, struct str open, struct str close, struct arena *a)
{
    struct buf b;

    if (str_find(s, open) < 0)
        return s;
    buf_init(&b, s.len + 1, a);
    for (;;) {
        ptrdiff_t from = str_find(s, open);
        ptrdiff_t to =
            from < 0 ? -1 : str_find(str_slice(s, (size_t)from + open.len, s.len), close);

        if (to < 0)
            break;
        buf_add(&b, s.p, (size_t)from);
        s = str_slice(s, (size_t)from + open.len + (size_t)to + close.len, s.len);
    }
    buf_add_str(&b, s);
    return buf_str(&b);
}

void html_strip_tags(struct str s, struct buf *out, struct arena *a)
{
    struct str word;
    struct buf plain;
    bool first = true;

    s = without(s, STR("<!--"), STR("-->"), a);
    s = without(s, STR("<"), STR(">"), a);
    buf_init(&plain, s.len + 1, a);
    while (text_word_next(&s, &word)) {
        if (!first)
            buf_putc(&plain, ' ');
        buf_add_str(&plain, word);
        first = false;
    }
    html_unescape(buf_str(&plain), out);
}
