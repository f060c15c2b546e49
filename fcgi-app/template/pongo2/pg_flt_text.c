/*
 * pongo2's filters over plain text.
 */
#include "template/pongo2/pg_flt.h"

enum { WIDTH_MAX = 1000000 };

static int text(struct val *out, struct str s)
{
    *out = val_str(s);
    return 0;
}

/* s with every `old` replaced. */
static int replaced(struct call *c, struct str s, struct str old, struct str with, struct val *out)
{
    struct buf b;

    lib_buf(c, &b);
    text_replace(s, old, with, -1, &b);
    return lib_finish(c, &b, 0, out);
}

/* ---- case -------------------------------------------------------------------------------------
 */

int pg_flt_upper(struct call *c, struct val *out)
{
    return lib_case(c, val_str(pg_self_text(c)), TEXT_UPPER, 0, out);
}

int pg_flt_lower(struct call *c, struct val *out)
{
    return lib_case(c, val_str(pg_self_text(c)), TEXT_LOWER, 0, out);
}

int pg_flt_capfirst(struct call *c, struct val *out)
{
    struct str s = pg_self_text(c);
    size_t first = s.len > 0 ? utf8_offset(s, 1) : 0;
    struct buf b;

    if (pg_len(c->self) <= 0)
        return text(out, STR(""));
    lib_buf(c, &b);
    text_case(str_slice(s, 0, first), TEXT_UPPER, &b);
    buf_add_str(&b, str_slice(s, first, s.len));
    return lib_finish(c, &b, 0, out);
}

/* Does a word go on behind this character? */
static bool in_word(struct str ch)
{
    unsigned char b = (unsigned char)ch.p[0];

    if (b < 0x80)
        return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || b == '_';
    return !text_is(ch, TEXT_IS_SPACE);
}

int pg_flt_title(struct call *c, struct val *out)
{
    struct str s;
    bool begins = true;
    struct val lower;
    struct buf b;

    if (c->self.type != VAL_STR)
        return text(out, STR(""));
    if (lib_case(c, c->self, TEXT_LOWER, 0, &lower) != 0)
        return -1;
    lib_buf(c, &b);
    for (s = val_text(lower); s.len > 0;) {
        size_t n = utf8_offset(s, 1);
        struct str ch = str_slice(s, 0, n);

        if (begins)
            text_case(ch, TEXT_TITLE, &b);
        else
            buf_add_str(&b, ch);
        begins = !in_word(ch);
        s = str_slice(s, n, s.len);
    }
    return lib_finish(c, &b, 0, out);
}

/* ---- replacing --------------------------------------------------------------------------------
 */

int pg_flt_cut(struct call *c, struct val *out)
{
    struct str old = pg_arg_text(c);

    return old.len == 0 ? text(out, pg_self_text(c))
                        : replaced(c, pg_self_text(c), old, STR(""), out);
}

int pg_flt_addslashes(struct call *c, struct val *out)
{
    struct str s = pg_self_text(c);
    struct buf b;
    size_t i;

    lib_buf(c, &b);
    for (i = 0; i < s.len; i++) {
        if (s.p[i] == '\\' || s.p[i] == '"' || s.p[i] == '\'')
            buf_putc(&b, '\\');
        buf_putc(&b, s.p[i]);
    }
    return lib_finish(c, &b, 0, out);
}

int pg_flt_phone2numeric(struct call *c, struct val *out)
{
    static const char digits[] = "22233344455566677778889999";
    struct str s = pg_self_text(c);
    char *p = arena_alloc(c->a, s.len + 1);
    size_t i;

    for (i = 0; i < s.len; i++) {
        char low = (char)(s.p[i] | 0x20);

        p[i] = low >= 'a' && low <= 'z' ? digits[low - 'a'] : s.p[i];
    }
    return text(out, str_make(p, s.len));
}

int pg_flt_linebreaksbr(struct call *c, struct val *out)
{
    return replaced(c, pg_self_text(c), STR("\n"), STR("<br />"), out);
}

/* ---- lines and words --------------------------------------------------------------------------
 */

/* The next line; false behind the last one. */
static bool next_line(struct str *rest, bool *more, struct str *line)
{
    if (!*more)
        return false;
    *more = str_find_char(*rest, '\n') >= 0;
    *line = str_cut(rest, '\n');
    return true;
}

static bool blank(struct str s)
{
    return text_strip(s, NULL, TEXT_BOTH).len == 0;
}

/* A line becomes <br />, an empty one a new paragraph. */
int pg_flt_linebreaks(struct call *c, struct val *out)
{
    struct str rest = pg_self_text(c);
    struct str line;
    struct str next;
    bool opened = false;
    bool more = true;
    struct buf b;

    if (pg_len(c->self) == 0) {
        *out = c->self;
        return 0;
    }
    lib_buf(c, &b);
    (void)next_line(&rest, &more, &line);
    for (;;) {
        bool follows = next_line(&rest, &more, &next);

        if (!opened)
            buf_add_c(&b, "<p>");
        opened = true;
        buf_add_str(&b, line);
        if (!follows)
            break;
        if (!blank(line) && blank(next)) {
            buf_add_c(&b, "</p>");
            opened = false;
        } else if (!blank(line)) {
            buf_add_c(&b, "<br />");
        }
        line = next;
    }
    if (opened)
        buf_add_c(&b, "</p>");
    return lib_finish(c, &b, 0, out);
}

int pg_flt_linenumbers(struct call *c, struct val *out)
{
    struct str rest = pg_self_text(c);
    struct str line;
    bool more = true;
    int64_t n = 0;
    struct buf b;

    lib_buf(c, &b);
    while (next_line(&rest, &more, &line)) {
        buf_addf(&b, "%s%lld. ", n > 0 ? "\n" : "", (long long)n + 1);
        buf_add_str(&b, line);
        n++;
    }
    return lib_finish(c, &b, 0, out);
}

int pg_flt_wordcount(struct call *c, struct val *out)
{
    struct str rest = pg_self_text(c);
    struct str word;
    int64_t n = 0;

    while (text_word_next(&rest, &word))
        n++;
    *out = val_int(n);
    return 0;
}

/* That many words on a line. */
int pg_flt_wordwrap(struct call *c, struct val *out)
{
    struct str rest = pg_self_text(c);
    int64_t at = pg_int(pg_arg(c));
    struct str word;
    int64_t n = 0;
    struct buf b;

    if (at <= 0) {
        *out = c->self;
        return 0;
    }
    lib_buf(c, &b);
    while (text_word_next(&rest, &word)) {
        if (n > 0)
            buf_putc(&b, n % at == 0 ? '\n' : ' ');
        buf_add_str(&b, word);
        n++;
    }
    return lib_finish(c, &b, 0, out);
}

int pg_flt_truncatewords(struct call *c, struct val *out)
{
    struct str rest = pg_self_text(c);
    int64_t max = pg_int(pg_arg(c));
    struct str word;
    int64_t n = 0;
    struct buf b;

    lib_buf(c, &b);
    while (max > 0 && text_word_next(&rest, &word)) {
        if (n > 0)
            buf_putc(&b, ' ');
        if (n == max) {
            buf_add_c(&b, "...");
            break;
        }
        buf_add_str(&b, word);
        n++;
    }
    return lib_finish(c, &b, 0, out);
}

int pg_flt_truncatechars(struct call *c, struct val *out)
{
    struct str s = pg_self_text(c);
    int64_t max = pg_int(pg_arg(c));
    bool dots = max >= 3;
    struct buf b;

    if (max < 0)
        return call_raise(c, TMPL_EXC_FILTER, "truncatechars wants a length, not %lld",
                          (long long)max);
    if (max >= (int64_t)utf8_len(s))
        return text(out, s);
    lib_buf(c, &b);
    buf_add_str(&b, text_slice(s, 0, (size_t)(dots ? max - 3 : max)));
    buf_add_c(&b, dots ? "..." : "");
    return lib_finish(c, &b, 0, out);
}

/* ---- filling up -------------------------------------------------------------------------------
 */

static int padded(struct call *c, int64_t left, int64_t right, struct val *out)
{
    struct buf b;

    if (pg_count(c, left, WIDTH_MAX) != 0 || pg_count(c, right, WIDTH_MAX) != 0)
        return -1;
    lib_buf(c, &b);
    text_fill(STR(" "), left > 0 ? (size_t)left : 0, &b);
    pg_to_text(c->self, &b);
    text_fill(STR(" "), right > 0 ? (size_t)right : 0, &b);
    return lib_finish(c, &b, 0, out);
}

/* The length counts as the library counts it: that of a number is 0. */
static int64_t missing(const struct call *c)
{
    int64_t width = pg_int(pg_arg(c));

    return width > 0 ? width - pg_len(c->self) : 0;
}

int pg_flt_center(struct call *c, struct val *out)
{
    int64_t n = missing(c);

    if (n <= 0) {
        *out = c->self;
        return 0;
    }
    return padded(c, n / 2 + n % 2, n / 2, out);
}

int pg_flt_ljust(struct call *c, struct val *out)
{
    return padded(c, 0, missing(c), out);
}

int pg_flt_rjust(struct call *c, struct val *out)
{
    int64_t width = pg_int(pg_arg(c));
    int64_t len = (int64_t)utf8_len(pg_self_text(c));

    if (width < 0) /* as the verb %-5s */
        return padded(c, 0, width < -WIDTH_MAX - len ? WIDTH_MAX + 1 : -width - len, out);
    return padded(c, width - len, 0, out);
}
