/*
 * From Python's and ECMA 262's regular expressions to PCRE2's.
 *
 * The three agree on nearly everything; this file rewrites the rest and refuses escapes and groups
 * that only PCRE2 knows, so that a pattern means here what it means where it was written.
 * It is no parser: what is wrong in all three is left for PCRE2 to report.
 *
 * Rules: Python 3.11 library reference "re"; ECMA 262 section 22.2 in Unicode mode.
 */
#include "format/regex_int.h"

#include "base/ascii.h"
#include "base/utf8.h"

struct tr {
    struct str in;
    size_t i;
    struct buf *out;
    struct regex_inline *inl;
    bool ecma;
    bool dotall;
    bool verbose;
    struct err *e;
};

/* What ECMA calls white space and line ends, as members of a class, and everything else. */
#define ECMA_SPACE                                                                                 \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"           \
    "\\x{205f}\\x{3000}\\x{feff}"
#define ECMA_NOT_SPACE                                                                             \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"               \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"                 \
    "\\x{3001}-\\x{d7ff}\\x{e000}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

/* Long names of general categories (Unicode, PropertyValueAliases.txt): PCRE2 knows the short ones.
 */
static const struct {
    const char *name;
    const char *code;
} categories[] = {
    {"letter", "L"},
    {"casedletter", "L&"},
    {"lc", "L&"},
    {"uppercaseletter", "Lu"},
    {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"},
    {"modifierletter", "Lm"},
    {"otherletter", "Lo"},
    {"mark", "M"},
    {"combiningmark", "M"},
    {"nonspacingmark", "Mn"},
    {"spacingmark", "Mc"},
    {"enclosingmark", "Me"},
    {"number", "N"},
    {"decimalnumber", "Nd"},
    {"digit", "Nd"},
    {"letternumber", "Nl"},
    {"othernumber", "No"},
    {"punctuation", "P"},
    {"punct", "P"},
    {"connectorpunctuation", "Pc"},
    {"dashpunctuation", "Pd"},
    {"openpunctuation", "Ps"},
    {"closepunctuation", "Pe"},
    {"initialpunctuation", "Pi"},
    {"finalpunctuation", "Pf"},
    {"otherpunctuation", "Po"},
    {"symbol", "S"},
    {"mathsymbol", "Sm"},
    {"currencysymbol", "Sc"},
    {"modifiersymbol", "Sk"},
    {"othersymbol", "So"},
    {"separator", "Z"},
    {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"},
    {"paragraphseparator", "Zp"},
    {"other", "C"},
    {"control", "Cc"},
    {"cntrl", "Cc"},
    {"format", "Cf"},
    {"surrogate", "Cs"},
    {"privateuse", "Co"},
    {"unassigned", "Cn"},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The byte `ahead` of the current place, NUL beyond the end. */
static char peek(const struct tr *t, size_t ahead)
{
    return t->i + ahead < t->in.len ? t->in.p[t->i + ahead] : '\0';
}

static void put_n(struct tr *t, size_t n)
{
    buf_add(t->out, t->in.p + t->i, n);
    t->i += n;
}

static int refuse(struct tr *t, const char *what, struct str shown)
{
    err_set(t->e, ERR_INVALID, "%s \"%.*s\"", what, STR_ARG(shown));
    t->e->column = (int)(t->i + 1);
    return -1;
}

static int bad_escape(struct tr *t)
{
    const char *p = t->in.p + t->i + 1;
    const char *end = t->in.p + t->in.len;

    if (p >= end)
        return refuse(t, "bad escape at the end:", STR("\\"));
    (void)utf8_next(&p, end);
    return refuse(t, "bad escape", str_make(t->in.p + t->i, (size_t)(p - (t->in.p + t->i))));
}

/* Exactly `n` hexadecimal digits at `at`, or -1. */
static int64_t read_hex(const struct tr *t, size_t at, size_t n)
{
    int64_t v = 0;

    for (size_t k = 0; k < n; k++) {
        int d = at + k < t->in.len ? ascii_hex(t->in.p[at + k]) : -1;

        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static int put_code_point(struct tr *t, int64_t cp, size_t consumed)
{
    if (cp < 0 || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return bad_escape(t);
    buf_addf(t->out, "\\x{%x}", (unsigned)cp);
    t->i += consumed;
    return 0;
}

/* \uXXXX, in ECMA also \u{...} and a pair of surrogates. */
static int escape_u(struct tr *t)
{
    int64_t cp = read_hex(t, t->i + 2, 4);

    if (t->ecma && peek(t, 2) == '{') {
        size_t n = 0;

        cp = 0;
        while (cp <= 0x10ffff && ascii_hex(peek(t, 3 + n)) >= 0)
            cp = cp * 16 + ascii_hex(peek(t, 3 + n++));
        if (n == 0 || peek(t, 3 + n) != '}')
            return bad_escape(t);
        return put_code_point(t, cp, n + 4);
    }
    if (t->ecma && cp >= 0xd800 && cp <= 0xdbff && peek(t, 6) == '\\' && peek(t, 7) == 'u') {
        int64_t low = read_hex(t, t->i + 8, 4);

        if (low >= 0xdc00 && low <= 0xdfff)
            return put_code_point(t, 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00), 12);
    }
    return put_code_point(t, cp, 6);
}

/* Lower case without '_', '-' and blanks: how Unicode compares property names. */
static size_t loose_name(struct str s, char *out, size_t max)
{
    size_t n = 0;

    for (size_t k = 0; k < s.len && n + 1 < max; k++) {
        char c = s.p[k];

        if (c == '_' || c == '-' || c == ' ')
            continue;
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[n] = '\0';
    return n;
}

/* \p{...}: long category names become short, scripts and the rest are passed on. */
static int escape_property(struct tr *t)
{
    struct str rest = str_slice(t->in, t->i + 3, t->in.len);
    ptrdiff_t close = str_find_char(rest, '}');
    struct str name;
    struct str value;
    char loose[40];
    ptrdiff_t equals;

    if (peek(t, 2) != '{') {
        if (t->ecma || !is_letter(peek(t, 2)))
            return bad_escape(t);
        put_n(t, 3);
        return 0;
    }
    if (close <= 0 || (size_t)close >= sizeof loose)
        return refuse(t, "bad property", str_slice(t->in, t->i, t->i + 12));
    name = str_slice(rest, 0, (size_t)close);
    value = name;
    equals = str_find_char(name, '=');
    if (equals > 0) {
        (void)loose_name(str_slice(name, 0, (size_t)equals), loose, sizeof loose);
        if (strcmp(loose, "generalcategory") == 0 || strcmp(loose, "gc") == 0)
            value = str_slice(name, (size_t)equals + 1, name.len);
    }
    (void)loose_name(value, loose, sizeof loose);
    for (size_t k = 0; k < COUNT_OF(categories); k++)
        if (strcmp(loose, categories[k].name) == 0)
            value = str_c(categories[k].code);
    buf_addf(t->out, "\\%c{%.*s}", peek(t, 1), STR_ARG(value));
    t->i += (size_t)close + 4;
    return 0;
}

/* \0 and octal; \1 to \99 refer back to a group. */
static int escape_digit(struct tr *t, bool in_class)
{
    size_t n = 1;
    int v = 0;

    while (n < 4 && ascii_is_digit(peek(t, n)) && peek(t, n) < '8')
        v = v * 8 + (peek(t, n++) - '0');
    if (t->ecma) {
        if (peek(t, 1) == '0')
            return ascii_is_digit(peek(t, 2)) ? bad_escape(t) : put_code_point(t, 0, 2);
    } else if (peek(t, 1) == '0' || n == 4 || (in_class && n > 1)) {
        return v > 0377 ? bad_escape(t) : put_code_point(t, v, n);
    }
    if (in_class)
        return bad_escape(t);
    for (n = 1, v = 0; n < 3 && ascii_is_digit(peek(t, n)); n++)
        v = v * 10 + (peek(t, n) - '0');
    buf_addf(t->out, "\\g{%d}", v);
    t->i += n;
    return 0;
}

static int escape_ecma(struct tr *t, bool in_class)
{
    char c = peek(t, 1);

    switch (c) {
    case 's':
        buf_add_c(t->out, in_class ? ECMA_SPACE : "[" ECMA_SPACE "]");
        t->i += 2;
        return 0;
    case 'S':
        buf_add_c(t->out, in_class ? ECMA_NOT_SPACE : "[" ECMA_NOT_SPACE "]");
        t->i += 2;
        return 0;
    case 'c':
        return is_letter(peek(t, 2)) ? put_code_point(t, peek(t, 2) % 32, 3) : bad_escape(t);
    case 'k':
        if (in_class || peek(t, 2) != '<')
            return bad_escape(t);
        put_n(t, 2);
        return 0;
    case 'B':
        if (in_class)
            return bad_escape(t);
        break;
    default:
        if (is_letter(c) && strchr("bdDwWfnrt", c) == NULL)
            return bad_escape(t);
        break;
    }
    put_n(t, 2);
    return 0;
}

static int escape_python(struct tr *t, bool in_class)
{
    char c = peek(t, 1);

    if (c == 'U')
        return put_code_point(t, read_hex(t, t->i + 2, 8), 10);
    if (in_class && (c == 'A' || c == 'B' || c == 'Z'))
        return bad_escape(t);
    if (c == 'Z') {
        buf_add_c(t->out, "\\z");
        t->i += 2;
        return 0;
    }
    if (is_letter(c) && strchr("abdDsSwWAzBfnrt", c) == NULL)
        return bad_escape(t);
    put_n(t, 2);
    return 0;
}

static int escape(struct tr *t, bool in_class)
{
    char c = peek(t, 1);

    if (t->i + 1 >= t->in.len)
        return bad_escape(t);
    if (ascii_is_digit(c))
        return escape_digit(t, in_class);
    if ((unsigned char)c >= 0x80) { /* an escaped letter of another script stands for itself */
        t->i++;
        return 0;
    }
    switch (c) {
    case 'x':
        return put_code_point(t, read_hex(t, t->i + 2, 2), 4);
    case 'u':
        return escape_u(t);
    case 'v':
        return put_code_point(t, 0x0b, 2);
    case 'p':
    case 'P':
        return escape_property(t);
    default:
        return t->ecma ? escape_ecma(t, in_class) : escape_python(t, in_class);
    }
}

/* [...]: a '[' inside is a character, and ECMA's may be empty. */
static int char_class(struct tr *t)
{
    size_t start = t->i;
    bool negated = peek(t, 1) == '^';

    if (t->ecma && peek(t, negated ? 2 : 1) == ']') {
        buf_add_c(t->out, negated ? "(?s:.)" : "(?!)");
        t->i += negated ? 3 : 2;
        return 0;
    }
    put_n(t, negated ? 2 : 1);
    if (peek(t, 0) == ']') {
        buf_add_c(t->out, "\\]");
        t->i++;
    }
    while (t->i < t->in.len) {
        char c = t->in.p[t->i];

        if (c == ']') {
            put_n(t, 1);
            return 0;
        }
        if (c == '\\') {
            if (escape(t, true) != 0)
                return -1;
        } else {
            if (c == '[')
                buf_putc(t->out, '\\');
            put_n(t, 1);
        }
    }
    t->i = start;
    return refuse(t, "unterminated character set", str_slice(t->in, start, start + 12));
}

/* (?aiLmsux-imsx) and (?aiLmsux-imsx:...): drop what PCRE2 does not know. */
static bool group_flags(struct tr *t)
{
    size_t n = 2;
    struct str kept;
    size_t mark = t->out->len;

    while (peek(t, n) != '\0' && strchr("aiLmsux-", peek(t, n)) != NULL)
        n++;
    if (n == 2 || (peek(t, n) != ')' && peek(t, n) != ':'))
        return false;
    kept = str_slice(t->in, t->i + 2, t->i + n);
    buf_add_c(t->out, "(?");
    for (size_t k = 0; k < kept.len; k++) {
        if (kept.p[k] == 'a')
            t->inl->ascii = true;
        else if (kept.p[k] == 'x')
            t->verbose = true;
        if (strchr("aLu", kept.p[k]) == NULL)
            buf_putc(t->out, kept.p[k]);
    }
    if (t->out->len == mark + 2 && peek(t, n) == ')') {
        t->out->len = mark; /* nothing was left of the group */
        t->i += n + 1;
        return true;
    }
    buf_putc(t->out, peek(t, n));
    t->i += n + 1;
    return true;
}

static int group(struct tr *t)
{
    if (peek(t, 1) == '*')
        return refuse(t, "nothing to repeat at", STR("*"));
    if (peek(t, 1) != '?') {
        put_n(t, 1);
        return 0;
    }
    if (t->ecma) {
        if (peek(t, 2) == '\0' || strchr(":=!<", peek(t, 2)) == NULL)
            return refuse(t, "unknown group", str_slice(t->in, t->i, t->i + 3));
        put_n(t, 3);
        return 0;
    }
    if (group_flags(t))
        return 0;
    if (peek(t, 2) == '\0' || strchr(":=!<P#(>", peek(t, 2)) == NULL)
        return refuse(t, "unknown group", str_slice(t->in, t->i, t->i + 3));
    if (peek(t, 2) == '#') { /* a comment may hold anything */
        ptrdiff_t close = str_find_char(str_slice(t->in, t->i, t->in.len), ')');

        if (close < 0)
            return refuse(t, "unterminated comment", STR("(?#"));
        t->i += (size_t)close + 1;
        return 0;
    }
    put_n(t, 3);
    return 0;
}

/* Length of "{n}", "{n,}", "{n,m}" (Python: also "{,m}") at the current place, or 0. */
static size_t braces(const struct tr *t)
{
    size_t n = 1;
    size_t digits = 0;

    while (ascii_is_digit(peek(t, n))) {
        n++;
        digits++;
    }
    if (peek(t, n) == ',') {
        n++;
        while (ascii_is_digit(peek(t, n))) {
            n++;
            digits++;
        }
    }
    return peek(t, n) == '}' && digits > 0 && (!t->ecma || ascii_is_digit(peek(t, 1))) ? n + 1 : 0;
}

static int quantifier(struct tr *t, size_t n)
{
    if (peek(t, 0) == '{' && peek(t, 1) == ',') {
        buf_add_c(t->out, "{0");
        t->i++;
        n--;
    }
    put_n(t, n);
    if (peek(t, 0) == '?' || (!t->ecma && peek(t, 0) == '+'))
        put_n(t, 1);
    if (peek(t, 0) != '\0' && strchr("*+?", peek(t, 0)) != NULL)
        return refuse(t, "nothing to repeat at", str_slice(t->in, t->i, t->i + 1));
    return 0;
}

static int unit(struct tr *t)
{
    size_t n;

    switch (t->in.p[t->i]) {
    case '\\':
        return escape(t, false);
    case '[':
        return char_class(t);
    case '(':
        return group(t);
    case '*':
    case '+':
    case '?':
        return quantifier(t, 1);
    case '{':
        n = braces(t);
        if (n > 0)
            return quantifier(t, n);
        buf_add_c(t->out, "\\{");
        t->i++;
        return 0;
    case '.':
        if (t->ecma && !t->dotall) {
            buf_add_c(t->out, "[^\\n\\r\\x{2028}\\x{2029}]");
            t->i++;
            return 0;
        }
        break;
    case '#':
        if (t->verbose) {
            while (t->i < t->in.len && t->in.p[t->i] != '\n')
                t->i++;
            return 0;
        }
        break;
    default:
        break;
    }
    put_n(t, 1);
    return 0;
}

int regex_translate(struct str pattern, unsigned flags, struct regex_inline *inl, struct buf *out,
                    struct err *e)
{
    struct tr t = {
        .in = pattern,
        .out = out,
        .inl = inl,
        .ecma = (flags & REGEX_ECMA) != 0,
        .dotall = (flags & REGEX_DOTALL) != 0,
        .e = e,
    };

    while (t.i < pattern.len && !out->over)
        if (unit(&t) != 0)
            return -1;
    if (out->over) {
        err_set(e, ERR_LIMIT, "the regular expression is too long");
        return -1;
    }
    return 0;
}

size_t regex_translate_origin(struct str pattern, unsigned flags, size_t at, struct arena *a)
{
    struct regex_inline inl = {0};
    struct err ignored;
    struct buf out;
    struct tr t = {
        .in = pattern,
        .out = &out,
        .inl = &inl,
        .ecma = (flags & REGEX_ECMA) != 0,
        .dotall = (flags & REGEX_DOTALL) != 0,
        .e = &ignored,
    };

    buf_init(&out, at + KIB, a);
    while (t.i < pattern.len && out.len < at)
        if (unit(&t) != 0)
            break;
    return t.i;
}
