/*
 * Number and text literals of the template language.
 *
 * Rule: Python's literals as Jinja2 3.1 reads them: underscores between digits, 0x 0o 0b, no
 * leading zeros; escapes as in Python's str.
 */
#include <stdlib.h>

#include "base/ascii.h"
#include "base/bigint.h"
#include "base/utf8.h"
#include "format/unicode.h"
#include "template/lex_int.h"

static bool digit_in(char c, int base)
{
    int v = ascii_hex(c);

    return v >= 0 && v < base;
}

/* Behind digits with single underscores between them; `pos` when there are none. */
static size_t digits(const struct lexer *lx, size_t pos, int base)
{
    struct str s = lx->source;

    if (pos >= s.len || !digit_in(s.p[pos], base))
        return pos;
    while (pos < s.len) {
        if (digit_in(s.p[pos], base))
            pos++;
        else if (s.p[pos] == '_' && pos + 1 < s.len && digit_in(s.p[pos + 1], base))
            pos += 2;
        else
            break;
    }
    return pos;
}

/* Behind a float that starts at `pos`, or `pos`. */
static size_t float_end(const struct lexer *lx, size_t pos)
{
    struct str s = lx->source;
    size_t p = digits(lx, pos, 10);
    size_t q;
    bool found = false;

    if (pos > 0 && s.p[pos - 1] == '.')
        return pos;
    if (p + 1 < s.len && s.p[p] == '.' && digit_in(s.p[p + 1], 10)) {
        p = digits(lx, p + 1, 10);
        found = true;
    }
    if (p < s.len && (s.p[p] == 'e' || s.p[p] == 'E')) {
        q = p + 1;
        if (q < s.len && (s.p[q] == '+' || s.p[q] == '-'))
            q++;
        if (digits(lx, q, 10) > q) {
            p = digits(lx, q, 10);
            found = true;
        }
    }
    return found ? p : pos;
}

/* Behind an integer that starts at `pos`; sets base and where its digits start. */
static size_t integer_end(const struct lexer *lx, size_t pos, int *base, size_t *first)
{
    static const struct {
        char letter;
        int base;
    } prefixes[] = {{'x', 16}, {'o', 8}, {'b', 2}};
    struct str s = lx->source;
    size_t i;

    *base = 10;
    *first = pos;
    if (s.p[pos] != '0')
        return digits(lx, pos, 10);
    for (i = 0; i < COUNT_OF(prefixes); i++) {
        size_t p = pos + 2;

        if (pos + 2 >= s.len || (s.p[pos + 1] | 0x20) != prefixes[i].letter)
            continue;
        if (s.p[p] == '_')
            p++;
        if (digits(lx, p, prefixes[i].base) > p) {
            *base = prefixes[i].base;
            *first = p;
            return digits(lx, p, prefixes[i].base);
        }
    }
    return digits(lx, pos, 1); /* zeros */
}

static struct str without_underscores(struct lexer *lx, size_t from, size_t to)
{
    char *p = arena_alloc(lx->scratch, to - from + 1);
    size_t n = 0;
    size_t i;

    for (i = from; i < to; i++) {
        if (lx->source.p[i] != '_')
            p[n++] = lx->source.p[i];
    }
    p[n] = '\0';
    return str_make(p, n);
}

int lex_number(struct lexer *lx, struct token *out)
{
    size_t first = 0;
    int base = 10;
    size_t end = float_end(lx, lx->pos);

    if (end > lx->pos) {
        out->type = TOK_FLOAT;
        out->value = val_float(strtod(without_underscores(lx, lx->pos, end).p, NULL));
    } else {
        end = integer_end(lx, lx->pos, &base, &first);
        out->type = TOK_INTEGER;
        if (end - first > 20000 ||
            !bigint_parse(without_underscores(lx, first, end), base, &out->value, lx->keep))
            return lex_fail(lx, out->at, lx->line, "the number has too many digits");
    }
    lx->pos = end;
    lx->line_starting = false;
    return 0;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static int hex_value(struct str s, size_t pos, size_t n, uint32_t *out)
{
    size_t i;

    *out = 0;
    if (pos + n > s.len)
        return -1;
    for (i = pos; i < pos + n; i++) {
        int v = ascii_hex(s.p[i]);

        if (v < 0)
            return -1;
        *out = *out * 16 + (uint32_t)v;
    }
    return 0;
}

static void put_code_point(struct buf *b, uint32_t cp)
{
    char utf8[4];

    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        cp = 0xfffd;
    buf_add(b, utf8, utf8_put(utf8, cp));
}

/* \xHH \uHHHH \UHHHHHHHH at s[*i] (the letter); two surrogates in a row make one character. */
static int hex_escape(struct str s, size_t *i, struct buf *b)
{
    char c = s.p[*i];
    size_t n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    uint32_t cp;
    uint32_t low;

    if (hex_value(s, *i + 1, n, &cp) != 0 || cp > 0x10ffff)
        return -1;
    *i += n;
    if (cp >= 0xd800 && cp < 0xdc00 && *i + 2 < s.len && s.p[*i + 1] == '\\' &&
        s.p[*i + 2] == 'u' && hex_value(s, *i + 3, 4, &low) == 0 && low >= 0xdc00 && low < 0xe000) {
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
        *i += 6;
    }
    put_code_point(b, cp);
    return 0;
}

static void octal_escape(struct str s, size_t *i, struct buf *b)
{
    uint32_t cp = 0;
    size_t n = 0;

    while (n < 3 && *i + n < s.len && digit_in(s.p[*i + n], 8)) {
        cp = cp * 8 + (uint32_t)(s.p[*i + n] - '0');
        n++;
    }
    *i += n - 1;
    put_code_point(b, cp);
}

/* \N{EM DASH} */
static int named_escape(struct str s, size_t *i, struct buf *b)
{
    struct str rest = str_slice(s, *i + 1, s.len);
    ptrdiff_t close = str_find_char(rest, '}');
    uint32_t cp;

    if (rest.len == 0 || rest.p[0] != '{' || close < 2 ||
        !unicode_by_name(str_slice(rest, 1, (size_t)close), &cp))
        return -1;
    *i += (size_t)close + 1;
    put_code_point(b, cp);
    return 0;
}

/* One escape; s.p[*i] is the character behind the backslash.  -1: malformed. */
static int escape(struct str s, size_t *i, struct buf *b)
{
    static const char simple[][2] = {{'n', '\n'},  {'t', '\t'}, {'r', '\r'}, {'\\', '\\'},
                                     {'\'', '\''}, {'"', '"'},  {'a', '\a'}, {'b', '\b'},
                                     {'f', '\f'},  {'v', '\v'}};
    char c = s.p[*i];
    size_t k;

    for (k = 0; k < COUNT_OF(simple); k++) {
        if (c == simple[k][0]) {
            buf_putc(b, simple[k][1]);
            return 0;
        }
    }
    if (c == '\n')
        return 0;
    if (c == 'x' || c == 'u' || c == 'U')
        return hex_escape(s, i, b);
    if (digit_in(c, 8)) {
        octal_escape(s, i, b);
        return 0;
    }
    if (c == 'N')
        return named_escape(s, i, b);
    buf_putc(b, '\\');
    buf_putc(b, c);
    return 0;
}

static const char *bad_escape(char c)
{
    return c == 'x'   ? "truncated \\xXX escape"
           : c == 'u' ? "truncated \\uXXXX escape"
           : c == 'U' ? "truncated \\UXXXXXXXX escape"
                      : "unknown Unicode character name";
}

static int unescape(struct lexer *lx, struct str s, const char *at, struct val *out)
{
    struct buf b;
    size_t i;

    buf_init(&b, SIZE_MAX, lx->keep);
    for (i = 0; i < s.len; i++) {
        if (s.p[i] != '\\' || i + 1 >= s.len) {
            buf_putc(&b, s.p[i]);
            continue;
        }
        i++;
        if (escape(s, &i, &b) != 0)
            return lex_fail(lx, at, lx->line, "%s", bad_escape(s.p[i]));
    }
    *out = lex_text_value(buf_str(&b));
    return 0;
}

int lex_string(struct lexer *lx, struct token *out)
{
    char quote = lx->source.p[lx->pos];
    const char *at = lx->source.p + lx->pos;
    size_t p = lx->pos + 1;
    bool plain = true;
    struct str body;

    while (p < lx->source.len && lx->source.p[p] != quote) {
        if (lx->source.p[p] == '\\') {
            plain = false;
            p++;
        }
        p++;
    }
    if (p >= lx->source.len)
        return 1;
    body = str_make(at + 1, p - lx->pos - 1);
    out->type = TOK_STRING;
    if (plain)
        out->value = lex_text_value(lex_newlines(lx, body));
    else if (unescape(lx, lex_newlines(lx, body), at, &out->value) != 0)
        return -1;
    for (; lx->pos <= p; lx->pos++) {
        if (lx->source.p[lx->pos] == '\n')
            lx->line++;
    }
    lx->line_starting = false;
    return 0;
}
