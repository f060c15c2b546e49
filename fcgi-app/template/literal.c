/*
 * Relaxed literals: JSON, Python literals, and any mixture of the two, read in one pass.
 *
 * Nothing is evaluated.  Rule: workflow-engine.md 2.8.
 */
#include "template/literal.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/bigint.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "template/zone.h"

enum { QUOTED_MAX = 200, QUOTED_BEFORE = 60 };

struct reader {
    const char *start;
    const char *p;
    const char *end;
    unsigned flags;
    int depth;
    struct arena *a;
    struct err *e;
};

static bool read_value(struct reader *r, struct val *out);

/* ---- errors --------------------------------------------------------------------------------- */

static void place(const struct reader *r, const char *at, int *line, int *column)
{
    const char *from = r->start;

    *line = 1;
    for (const char *p = r->start; p < at; p++) {
        if (*p == '\n') {
            (*line)++;
            from = p + 1;
        }
    }
    *column = (int)utf8_len(str_make(from, (size_t)(at - from))) + 1;
}

/* "<what> near '...'"; always false. */
static bool fail_at(struct reader *r, enum err_code code, const char *what, const char *at)
{
    const char *from = at - r->start > QUOTED_BEFORE ? at - QUOTED_BEFORE : r->start;
    const char *to;
    int line;
    int column;

    while (from < at && ((unsigned char)*from & 0xC0) == 0x80)
        from++;
    to = (r->end - from) > QUOTED_MAX ? from + QUOTED_MAX : r->end;
    while (to < r->end && to > from && ((unsigned char)*to & 0xC0) == 0x80)
        to--;
    place(r, at, &line, &column);
    if (at >= r->end)
        err_set(r->e, code, "%s at the end of '%.*s'", what, (int)(to - from), from);
    else
        err_set(r->e, code, "%s near '%.*s'", what, (int)(to - from), from);
    r->e->line = line;
    r->e->column = column;
    return false;
}

static bool fail(struct reader *r, const char *what)
{
    return fail_at(r, ERR_INVALID, what, r->p);
}

/* ---- small parts ---------------------------------------------------------------------------- */

static void blanks(struct reader *r)
{
    while (r->p < r->end &&
           (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r' || *r->p == '\f'))
        r->p++;
}

static bool next_is(struct reader *r, char ch)
{
    blanks(r);
    if (r->p >= r->end || *r->p != ch)
        return false;
    r->p++;
    return true;
}

static bool is_name(char ch)
{
    return ((ch | 32) >= 'a' && (ch | 32) <= 'z') || ascii_is_digit(ch) || ch == '_';
}

static bool word_is(struct str word, const char *name)
{
    return str_eq_c(word, name);
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* `n` hexadecimal digits at r->p. */
static bool read_hex(struct reader *r, int n, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        int v = r->p < r->end ? ascii_hex(*r->p) : -1;

        if (v < 0)
            return fail(r, "expected a hexadecimal digit");
        *out = *out * 16 + (uint32_t)v;
        r->p++;
    }
    return true;
}

static void put_cp(struct buf *b, uint32_t cp)
{
    char bytes[4];

    if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        cp = 0xFFFD;
    buf_add(b, bytes, utf8_put(bytes, cp));
}

/* "\uXXXX", two of them for what lies beyond 16 bits. */
static bool unicode_escape(struct reader *r, struct buf *b)
{
    uint32_t cp;
    uint32_t low;

    if (!read_hex(r, 4, &cp))
        return false;
    if (cp >= 0xD800 && cp < 0xDC00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u') {
        const char *back = r->p;

        r->p += 2;
        if (!read_hex(r, 4, &low))
            return false;
        if (low >= 0xDC00 && low < 0xE000)
            cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
        else
            r->p = back;
    }
    put_cp(b, cp);
    return true;
}

static bool octal_escape(struct reader *r, char first, struct buf *b)
{
    uint32_t cp = (uint32_t)(first - '0');

    for (int i = 0; i < 2 && r->p < r->end && *r->p >= '0' && *r->p <= '7'; i++)
        cp = cp * 8 + (uint32_t)(*r->p++ - '0');
    put_cp(b, cp);
    return true;
}

/* What follows a backslash. */
static bool read_escape(struct reader *r, struct buf *b)
{
    static const char from[] = "ntrbfav\\'\"/";
    static const char to[] = "\n\t\r\b\f\a\v\\'\"/";
    uint32_t cp;
    const char *known;
    char ch;

    if (r->p >= r->end)
        return fail(r, "text without an end");
    ch = *r->p++;
    known = ch == '\0' ? NULL : strchr(from, ch);
    if (known != NULL) {
        buf_putc(b, to[known - from]);
        return true;
    }
    switch (ch) {
    case '\n':
        return true;
    case 'u':
        return unicode_escape(r, b);
    case 'U':
    case 'x':
        if (!read_hex(r, ch == 'x' ? 2 : 8, &cp))
            return false;
        put_cp(b, cp);
        return true;
    default:
        if (ch >= '0' && ch <= '7')
            return octal_escape(r, ch, b);
        buf_putc(b, '\\'); /* Python keeps escapes it does not know */
        buf_putc(b, ch);
        return true;
    }
}

/* One quoted text behind its prefix; appended to *b once there is one, else returned as a part of
 * the input. */
static bool read_quoted(struct reader *r, bool raw, struct buf *b, struct str *plain)
{
    const char *open = r->p;
    char quote = *r->p;
    bool triple = r->end - r->p >= 3 && r->p[1] == quote && r->p[2] == quote;
    const char *from;

    r->p += triple ? 3 : 1;
    from = r->p;
    while (r->p < r->end) {
        char ch = *r->p;

        if (ch == quote &&
            (!triple || (r->end - r->p >= 3 && r->p[1] == quote && r->p[2] == quote))) {
            if (b->a == NULL)
                *plain = str_make(from, (size_t)(r->p - from));
            else
                buf_add(b, from, (size_t)(r->p - from));
            r->p += triple ? 3 : 1;
            return true;
        }
        if (ch == '\\' && !raw) {
            if (b->a == NULL)
                buf_init(b, LIMIT_TMPL_OUTPUT * 16, r->a);
            buf_add(b, from, (size_t)(r->p - from));
            r->p++;
            if (!read_escape(r, b))
                return false;
            from = r->p;
            continue;
        }
        if (ch == '\n' && !triple)
            return fail(r, "line end inside a text");
        r->p += ch == '\\' && r->p + 1 < r->end ? 2 : 1;
    }
    return fail_at(r, ERR_INVALID, "text without an end", open);
}

/* Length of a prefix like u, b, rb before a quote; -1 when no text begins here. */
static int text_prefix(const struct reader *r, bool *raw)
{
    *raw = false;
    for (int i = 0; i < 3 && r->p + i < r->end; i++) {
        char ch = r->p[i];

        if (ch == '"' || ch == '\'')
            return i;
        if ((ch | 32) == 'r')
            *raw = true;
        else if ((ch | 32) != 'u' && (ch | 32) != 'b')
            return -1;
    }
    return -1;
}

/* Texts side by side are one. */
static bool read_text(struct reader *r, int prefix, bool raw, struct val *out)
{
    struct buf b = {0};
    struct str plain = STR_NONE;
    bool first = true;

    while (prefix >= 0) {
        const char *back;

        r->p += prefix;
        if (!first && b.a == NULL) {
            buf_init(&b, LIMIT_TMPL_OUTPUT * 16, r->a);
            buf_add_str(&b, plain);
        }
        if (!read_quoted(r, raw, &b, &plain))
            return false;
        first = false;
        back = r->p;
        blanks(r);
        prefix = text_prefix(r, &raw);
        if (prefix < 0)
            r->p = back;
    }
    *out = val_str(b.a != NULL ? buf_str(&b) : plain);
    return true;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static bool digits_in(struct reader *r, int base, char *copy, size_t room, size_t *n)
{
    bool digit_before = false;

    while (r->p < r->end) {
        int v = ascii_hex(*r->p);

        if (*r->p == '_' && digit_before && r->p + 1 < r->end && ascii_hex(r->p[1]) >= 0 &&
            ascii_hex(r->p[1]) < base) {
            r->p++;
            continue;
        }
        if (v < 0 || v >= base)
            break;
        if (*n + 1 >= room)
            return fail(r, "number too long");
        copy[(*n)++] = *r->p++;
        digit_before = true;
    }
    return digit_before || fail(r, "expected a digit");
}

static bool base_number(struct reader *r, bool negative, struct val *out)
{
    int base = (r->p[1] | 32) == 'x' ? 16 : (r->p[1] | 32) == 'o' ? 8 : 2;
    size_t room = 4096;
    char *copy = arena_alloc(r->a, room);
    size_t n = negative;

    copy[0] = '-';
    r->p += 2;
    if (!digits_in(r, base, copy, room, &n))
        return false;
    return bigint_parse(str_make(copy, n), base, out, r->a) || fail(r, "number too large");
}

/* The fast way for what is most common: up to 18 digits and nothing else. */
static bool small_int(struct reader *r, bool negative, struct val *out)
{
    const char *p = r->p;
    int64_t n = 0;

    while (p < r->end && ascii_is_digit(*p) && p - r->p < 18)
        n = n * 10 + (*p++ - '0');
    if (p == r->p || (p < r->end && (is_name(*p) || *p == '.')) || (*r->p == '0' && p - r->p > 1))
        return false;
    *out = val_int(negative ? -n : n);
    r->p = p;
    return true;
}

static bool read_number(struct reader *r, struct val *out)
{
    const char *from = r->p;
    bool negative = false;
    bool whole = true;
    size_t room;
    char *copy;
    size_t n = 0;

    while (r->p < r->end && (*r->p == '-' || *r->p == '+')) {
        negative = negative != (*r->p == '-');
        r->p++;
        blanks(r);
    }
    if (small_int(r, negative, out))
        return true;
    if (r->end - r->p > 1 && *r->p == '0' && strchr("xXoObB", r->p[1]) != NULL && r->p[1] != '\0')
        return base_number(r, negative, out);
    for (room = 0;
         r->p + room < r->end && (is_name(r->p[room]) || strchr(".+-", r->p[room]) != NULL); room++)
        ;
    copy = arena_alloc(r->a, room + 3);
    if (negative)
        copy[n++] = '-';
    if (r->p < r->end && ascii_is_digit(*r->p)) {
        const char *first = r->p;

        if (!digits_in(r, 10, copy, room + 3, &n))
            return false;
        if (*first == '0' && r->p - first > 1 && (r->p == r->end || *r->p != '.')) {
            r->p = first;
            return fail(r, "number with a leading zero");
        }
    } else if (r->p >= r->end || *r->p != '.') {
        r->p = from;
        return fail(r, "expected a value");
    }
    if (r->p < r->end && *r->p == '.') {
        whole = false;
        copy[n++] = *r->p++;
        if (r->p < r->end && ascii_is_digit(*r->p) && !digits_in(r, 10, copy, room + 3, &n))
            return false;
    }
    if (r->p < r->end && (*r->p | 32) == 'e') {
        whole = false;
        copy[n++] = *r->p++;
        if (r->p < r->end && (*r->p == '-' || *r->p == '+'))
            copy[n++] = *r->p++;
        if (!digits_in(r, 10, copy, room + 3, &n))
            return false;
    }
    copy[n] = '\0';
    if (!whole) {
        *out = val_float(strtod(copy, NULL));
        return (n > 1 && copy[n - 1] != '-') || fail(r, "expected a digit");
    }
    return bigint_parse(str_make(copy, n), 10, out, r->a) || fail(r, "number too large");
}

/* ---- reprs of dates
 * ------------------------------------------------------------------------------ */

/* "seconds=3600" and the like inside datetime.timedelta(...): sum in seconds, up to the closing
 * brace. */
static bool read_delta(struct reader *r, int64_t *seconds)
{
    *seconds = 0;
    while (!next_is(r, ')')) {
        const char *from;
        struct str name;
        struct val n;

        blanks(r);
        from = r->p;
        while (r->p < r->end && is_name(*r->p))
            r->p++;
        name = str_make(from, (size_t)(r->p - from));
        if (next_is(r, '=')) {
            blanks(r);
        } else {
            r->p = from;
            name = STR("days");
        }
        if (!read_number(r, &n) || n.type != VAL_INT || n.u.i > 1000000 || n.u.i < -1000000)
            return fail(r, "expected a number of days or seconds");
        *seconds += word_is(name, "days") ? n.u.i * 86400 : word_is(name, "seconds") ? n.u.i : 0;
        next_is(r, ',');
    }
    return true;
}

/* The zone of a date repr: datetime.timezone.utc, datetime.timezone(datetime.timedelta(...)),
 * tz('Name'). */
static bool read_zone(struct reader *r, int64_t local_s, int32_t *offset_s)
{
    const char *from = r->p;
    struct str word;
    int64_t seconds;

    while (r->p < r->end && (is_name(*r->p) || *r->p == '.'))
        r->p++;
    word = str_make(from, (size_t)(r->p - from));
    *offset_s = 0;
    if (word_is(word, "datetime.timezone.utc") || word_is(word, "UTC"))
        return true;
    if (word_is(word, "datetime.timezone") && next_is(r, '(')) {
        static const char delta[] = "datetime.timedelta(";

        if ((size_t)(r->end - r->p) < sizeof delta - 1 ||
            memcmp(r->p, delta, sizeof delta - 1) != 0)
            return fail(r, "expected datetime.timedelta");
        r->p += sizeof delta - 1;
        if (!read_delta(r, &seconds) || !next_is(r, ')'))
            return fail(r, "expected ')'");
        *offset_s = (int32_t)seconds;
        return true;
    }
    if ((word_is(word, "tz") || word_is(word, "zoneinfo.ZoneInfo")) && next_is(r, '(')) {
        const struct zone *zone;
        struct val name;
        bool raw;
        int prefix;

        if (r->end - r->p > 4 && memcmp(r->p, "key=", 4) == 0)
            r->p += 4;
        prefix = text_prefix(r, &raw);
        if (prefix < 0 || !read_text(r, prefix, raw, &name) || !next_is(r, ')'))
            return fail(r, "expected the name of a time zone");
        zone = zone_open(val_text(name), r->a);
        if (zone == NULL)
            return fail(r, "unknown time zone");
        *offset_s = zone_offset_local(zone, local_s);
        return true;
    }
    return fail_at(r, ERR_INVALID, "unknown time zone", from);
}

/* datetime.datetime(2021, 1, 1, 0, 0[, tzinfo=...]) and datetime.date(...), read as ISO text. */
static bool read_date(struct reader *r, bool with_time, struct val *out)
{
    static const int64_t lowest[7] = {1, 1, 1, 0, 0, 0, 0};
    static const int64_t highest[7] = {9999, 12, 31, 23, 59, 59, 999999};
    int64_t f[7] = {0};
    size_t n = 0;
    int32_t offset = 0;
    bool aware = false;
    struct buf b;

    while (!next_is(r, ')')) {
        struct val v;

        blanks(r);
        if (r->end - r->p > 7 && memcmp(r->p, "tzinfo=", 7) == 0) {
            r->p += 7;
            aware = true;
            if (!read_zone(
                    r, clock_days_from_civil((int)f[0], (int)f[1], (int)f[2]) * 86400 + f[3] * 3600,
                    &offset))
                return false;
        } else {
            if (r->end - r->p > 5 && memcmp(r->p, "fold=", 5) == 0)
                r->p += 5;
            if (!read_number(r, &v))
                return false;
            if (n < COUNT_OF(f)) {
                if (v.type != VAL_INT || v.u.i < lowest[n] || v.u.i > highest[n])
                    return fail(r, "number out of range in a date");
                f[n++] = v.u.i;
            }
        }
        next_is(r, ',');
        if (r->p >= r->end)
            return fail(r, "expected ')'");
    }
    if (n < 3)
        return fail(r, "date without year, month and day");
    buf_init(&b, 64, r->a);
    buf_addf(&b, "%04d-%02d-%02d", (int)f[0], (int)f[1], (int)f[2]);
    if (with_time)
        buf_addf(&b, "T%02d:%02d:%02d", (int)f[3], (int)f[4], (int)f[5]);
    if (f[6] != 0)
        buf_addf(&b, ".%06d", (int)f[6]);
    if (aware)
        buf_addf(&b, "%c%02d:%02d", offset < 0 ? '-' : '+', abs(offset) / 3600,
                 abs(offset) / 60 % 60);
    *out = val_str(buf_str(&b));
    return true;
}

static bool read_word(struct reader *r, struct val *out)
{
    static const struct {
        const char *name;
        struct val value;
    } words[] = {
        {"true", {.type = VAL_BOOL, .u.b = true}},
        {"false", {.type = VAL_BOOL}},
        {"True", {.type = VAL_BOOL, .u.b = true}},
        {"False", {.type = VAL_BOOL}},
        {"null", {.type = VAL_NULL}},
        {"None", {.type = VAL_NULL}},
        {"NaN", {.type = VAL_FLOAT, .u.f = __builtin_nan("")}},
        {"Infinity", {.type = VAL_FLOAT, .u.f = __builtin_inf()}},
    };
    const char *from = r->p;
    struct str word;

    while (r->p < r->end && (is_name(*r->p) || *r->p == '.'))
        r->p++;
    word = str_make(from, (size_t)(r->p - from));
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (word_is(word, words[i].name)) {
            *out = words[i].value;
            return true;
        }
    }
    if (word_is(word, "datetime.datetime") && next_is(r, '('))
        return read_date(r, true, out);
    if (word_is(word, "datetime.date") && next_is(r, '('))
        return read_date(r, false, out);
    if (word_is(word, "set") && next_is(r, '(') && next_is(r, ')')) {
        *out = val_list_new(r->a, 0);
        return true;
    }
    return fail_at(r, ERR_INVALID, "expected a value", from);
}

/* ---- containers
 * ----------------------------------------------------------------------------------- */

static bool enter(struct reader *r)
{
    if (++r->depth > LIMIT_JSON_DEPTH)
        return fail_at(r, ERR_LIMIT, "nested deeper than 512", r->p);
    return true;
}

/* Two rows of a table side by side without a comma. */
static bool row_follows(struct reader *r)
{
    return (r->flags & LITERAL_ROWS_WITHOUT_COMMA) != 0 && r->p < r->end && *r->p == '[' &&
           r->p > r->start;
}

/* Items up to `close`; the opening sign was read. */
static bool read_items(struct reader *r, char close, struct val list, bool *comma)
{
    struct val item;

    *comma = false;
    while (!next_is(r, close)) {
        if (!read_value(r, &item))
            return false;
        val_list_add(list, item);
        if (next_is(r, close))
            return true;
        if (next_is(r, ',')) {
            *comma = true;
            continue;
        }
        if (item.type == VAL_LIST && row_follows(r))
            continue;
        return fail(r, close == ']'   ? "expected ',' or ']'"
                       : close == ')' ? "expected ',' or ')'"
                                      : "expected ',' or '}'");
    }
    return true;
}

static bool read_list(struct reader *r, char close, struct val *out)
{
    struct val list = val_list_new(r->a, 4);
    bool comma;

    if (!enter(r) || !read_items(r, close, list, &comma))
        return false;
    r->depth--;
    /* brackets around one value without a comma are only brackets */
    *out = close == ')' && val_count(list) == 1 && !comma ? val_at(list, 0) : list;
    return true;
}

/* "{": an object, or a set (read as an array) when no colon follows the first item. */
static bool read_braces(struct reader *r, struct val *out)
{
    struct val dict;
    struct val key;
    struct val value;

    if (!enter(r))
        return false;
    dict = val_dict_new(r->a, 4);
    *out = dict;
    for (bool first = true; !next_is(r, '}'); first = false) {
        const char *at;

        blanks(r);
        at = r->p;
        if (!read_value(r, &key))
            return false;
        if (!next_is(r, ':')) {
            bool comma;

            if (!first)
                return fail(r, "expected ':'");
            *out = val_list_new(r->a, 4);
            val_list_add(*out, key);
            if (next_is(r, '}'))
                break;
            if (!next_is(r, ','))
                return fail(r, "expected ':' or ','");
            r->depth--;
            return read_items(r, '}', *out, &comma);
        }
        if (key.type == VAL_LIST || key.type == VAL_DICT)
            return fail_at(r, ERR_INVALID, "a list or object cannot be a key", at);
        if (!read_value(r, &value))
            return false;
        val_dict_set(dict, key, value);
        if (next_is(r, '}'))
            break;
        if (!next_is(r, ','))
            return fail(r, "expected ',' or '}'");
    }
    r->depth--;
    return true;
}

static bool read_value(struct reader *r, struct val *out)
{
    bool raw;
    int prefix;

    blanks(r);
    if (r->p >= r->end)
        return fail(r, "expected a value");
    switch (*r->p) {
    case '{':
        r->p++;
        return read_braces(r, out);
    case '[':
        r->p++;
        return read_list(r, ']', out);
    case '(':
        r->p++;
        return read_list(r, ')', out);
    default:
        break;
    }
    prefix = text_prefix(r, &raw);
    if (prefix >= 0)
        return read_text(r, prefix, raw, out);
    if (r->end - r->p > 8 && memcmp(r->p, "-Infinity", 9) == 0) {
        r->p += 9;
        *out = val_float(-__builtin_inf());
        return true;
    }
    if (ascii_is_digit(*r->p) || *r->p == '-' || *r->p == '+' || *r->p == '.')
        return read_number(r, out);
    return read_word(r, out);
}

int literal_parse(struct str text, unsigned flags, struct val *out, struct arena *a, struct err *e)
{
    struct str copy = str_dup(a, text);
    struct reader r = {
        .start = copy.p, .p = copy.p, .end = copy.p + copy.len, .flags = flags, .a = a, .e = e};
    size_t bad = utf8_check(copy);

    if (bad < copy.len) {
        err_set(e, ERR_INVALID, "text is not UTF-8 from byte %zu on", bad);
        e->line = 1;
        e->column = 1;
        return -1;
    }
    if (!read_value(&r, out))
        return -1;
    blanks(&r);
    if (r.p < r.end)
        return fail(&r, "unexpected text behind the value") ? 0 : -1;
    return 0;
}
