/*
 * pongo2 source to tokens, one ahead at most.
 *
 * Rule: pongo2 6: a tag stands on one line, comments too; {% verbatim %} is known here only.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "template/parse.h"
#include "template/pongo2/pg_parse.h"

/* ---- failing ----------------------------------------------------------------------------------
 */

static void fail_at(struct pg_parser *p, const char *at, int line, enum tmpl_exc exc,
                    const char *text)
{
    struct node place = {.at = at, .line = line};

    comp_fail(&p->c, &place, exc, "%s", text);
}

void pg_fail(struct pg_parser *p, const struct pg_token *at, enum tmpl_exc exc, const char *fmt,
             ...)
{
    va_list ap;
    char text[ERR_TEXT_MAX];

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fail_at(p, at->at, at->line, exc, text);
}

static const char *words(struct pg_parser *p, const struct pg_token *t)
{
    switch (t->type) {
    case PG_EOF:
        return "the end of the template";
    case PG_HTML:
        return "text";
    case PG_VAR_END:
        return "\"}}\"";
    case PG_TAG_END:
        return "\"%}\"";
    case PG_STRING:
        return "a text";
    default:
        return str_printf(p->c.scratch, "\"%.*s\"", STR_ARG(str_slice(t->text, 0, 60))).p;
    }
}

void pg_expected(struct pg_parser *p, const char *what)
{
    pg_fail(p, &p->cur, TMPL_EXC_SYNTAX, "expected %s, got %s", what, words(p, &p->cur));
}

bool pg_enter(struct pg_parser *p)
{
    if (p->depth < PARSE_DEPTH) {
        p->depth++;
        return !p->c.failed;
    }
    if (!p->c.failed) {
        pg_fail(p, &p->cur, TMPL_EXC_LIMIT, "the template is nested deeper than %d", PARSE_DEPTH);
        p->c.e->code = ERR_LIMIT;
    }
    p->depth++; /* whoever called counts down */
    return false;
}

/* ---- text between tags ------------------------------------------------------------------------
 */

static struct str rest(const struct pg_parser *p)
{
    return str_slice(p->lx.source, p->pos, p->lx.source.len);
}

static bool looking_at(const struct pg_parser *p, struct str s)
{
    return str_starts(rest(p), s);
}

static void advance(struct pg_parser *p, size_t n)
{
    while (n-- > 0) {
        if (p->lx.source.p[p->pos++] == '\n')
            p->line++;
    }
}

static bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct str trimmed(struct str s, bool left, bool right)
{
    while (left && s.len > 0 && blank(s.p[0]))
        s = str_slice(s, 1, s.len);
    while (right && s.len > 0 && blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

static bool at_tag(const struct pg_parser *p)
{
    return looking_at(p, STR("{{")) || looking_at(p, STR("{%"));
}

static void skip_comment(struct pg_parser *p)
{
    const char *at = p->lx.source.p + p->pos;
    ptrdiff_t end = str_find(rest(p), STR("#}"));
    ptrdiff_t newline = str_find_char(rest(p), '\n');

    if (end < 0)
        fail_at(p, at, p->line, TMPL_EXC_SYNTAX, "the comment is not closed");
    else if (newline >= 0 && newline < end)
        fail_at(p, at, p->line, TMPL_EXC_SYNTAX, "a comment must end on its line");
    else
        advance(p, (size_t)end + 2);
}

/* Does a tag with "-" follow, behind comments at most? */
static bool trim_follows(const struct pg_parser *p)
{
    struct str s = rest(p);

    while (str_starts(s, STR("{#")) && str_find(s, STR("#}")) >= 0)
        s = str_slice(s, (size_t)str_find(s, STR("#}")) + 2, s.len);
    return str_starts(s, STR("{{-")) || str_starts(s, STR("{%-"));
}

/* Text up to the next tag or comment; PG_EOF when there is none. */
static void html(struct pg_parser *p, struct pg_token *t)
{
    size_t from = p->pos;

    while (p->pos < p->lx.source.len) {
        const char *brace = memchr(p->lx.source.p + p->pos, '{', p->lx.source.len - p->pos);

        advance(p, brace != NULL ? (size_t)(brace - p->lx.source.p) - p->pos
                                 : p->lx.source.len - p->pos);
        if (brace == NULL)
            break;
        if (p->verbatim ? looking_at(p, STR("{% endverbatim %}"))
                        : at_tag(p) || looking_at(p, STR("{#")))
            break;
        advance(p, 1);
    }
    if (p->pos == from)
        return;
    t->type = PG_HTML;
    t->text = trimmed(str_slice(p->lx.source, from, p->pos), p->trim, trim_follows(p));
    p->trim = false;
}

/* ---- inside of tags ---------------------------------------------------------------------------
 */

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static void word(struct pg_parser *p, struct pg_token *t)
{
    static const char *const keywords[] = {"in",   "and",   "or", "not",
                                           "true", "false", "as", "export"};
    struct str s = rest(p);
    bool number = true;
    size_t n = 0;
    size_t i;

    while (n < s.len && (letter(s.p[n]) || digit(s.p[n]))) {
        number = number && digit(s.p[n]);
        n++;
    }
    t->text = str_slice(s, 0, n);
    t->type = number ? PG_NUMBER : PG_IDENT;
    for (i = 0; i < COUNT_OF(keywords); i++) {
        if (str_eq_c(t->text, keywords[i]))
            t->type = PG_KEYWORD;
    }
    p->pos += n;
}

static void quoted(struct pg_parser *p, struct pg_token *t)
{
    struct str s = rest(p);
    size_t end = 1;
    size_t n = 0;
    size_t i;
    char *out;

    while (end < s.len && s.p[end] != s.p[0] && s.p[end] != '\n')
        end += s.p[end] == '\\' ? 2 : 1;
    if (end >= s.len || s.p[end] == '\n') {
        pg_fail(p, t, TMPL_EXC_SYNTAX, "the text is not closed");
        return;
    }
    out = arena_alloc(p->c.keep, end);
    for (i = 1; i < end; i++) {
        if (s.p[i] == '\\' && s.p[++i] != '"' && s.p[i] != '\\') {
            pg_fail(p, t, TMPL_EXC_SYNTAX, "a text knows the escapes \\\" and \\\\ only");
            return;
        }
        out[n++] = s.p[i];
    }
    p->pos += end + 1;
    t->type = PG_STRING;
    t->text = str_make(out, n);
}

static void symbol(struct pg_parser *p, struct pg_token *t)
{
    static const struct {
        const char *text;
        enum pg_type type;
    } symbols[] = {
        {"-}}", PG_VAR_END}, {"-%}", PG_TAG_END}, {"}}", PG_VAR_END}, {"%}", PG_TAG_END},
        {"==", PG_SYMBOL},   {">=", PG_SYMBOL},   {"<=", PG_SYMBOL},  {"&&", PG_SYMBOL},
        {"||", PG_SYMBOL},   {"!=", PG_SYMBOL},   {"<>", PG_SYMBOL},
    };
    size_t i;

    for (i = 0; i < COUNT_OF(symbols); i++) {
        if (looking_at(p, str_c(symbols[i].text))) {
            t->type = symbols[i].type;
            t->text = str_c(symbols[i].text);
            t->trims = t->text.len == 3;
            p->pos += t->text.len;
            p->inside = t->type == PG_SYMBOL;
            return;
        }
    }
    t->text = str_slice(p->lx.source, p->pos, p->pos + 1);
    t->type = PG_SYMBOL;
    if (strchr("()+-*<>/^,.!|:=%[]", t->text.p[0]) == NULL || t->text.p[0] == '\0') {
        pg_fail(p, t, TMPL_EXC_SYNTAX, "unexpected character in a tag");
        return;
    }
    p->pos++;
}

static void in_tag(struct pg_parser *p, struct pg_token *t)
{
    struct str s = p->lx.source;

    while (p->pos < s.len && blank(s.p[p->pos]) && s.p[p->pos] != '\n')
        p->pos++;
    t->at = s.p + p->pos;
    if (p->pos == s.len)
        return;
    if (s.p[p->pos] == '\n')
        pg_fail(p, t, TMPL_EXC_SYNTAX, "a tag must end on its line");
    else if (letter(s.p[p->pos]) || digit(s.p[p->pos]))
        word(p, t);
    else if (s.p[p->pos] == '"' || s.p[p->pos] == '\'')
        quoted(p, t);
    else
        symbol(p, t);
    p->trim = t->trims;
}

static void begin_tag(struct pg_parser *p, struct pg_token *t)
{
    t->type = looking_at(p, STR("{{")) ? PG_VAR_BEGIN : PG_TAG_BEGIN;
    t->text = str_slice(p->lx.source, p->pos, p->pos + 2);
    p->pos += 2;
    if (looking_at(p, STR("-"))) {
        t->trims = true;
        p->pos++;
    }
    p->inside = true;
    p->trim = false;
}

/* The borders of verbatim text; true when one was passed. */
static bool verbatim_border(struct pg_parser *p)
{
    struct str border = p->verbatim ? STR("{% endverbatim %}") : STR("{% verbatim %}");

    if (!looking_at(p, border))
        return false;
    p->pos += border.len;
    p->verbatim = !p->verbatim;
    return true;
}

static void lex(struct pg_parser *p, struct pg_token *t)
{
    *t = (struct pg_token){.line = p->line, .at = p->lx.source.p + p->pos};
    while (!p->inside && !p->c.failed) {
        bool border = verbatim_border(p);

        if (!border && !p->verbatim && looking_at(p, STR("{#"))) {
            skip_comment(p);
            border = true;
        }
        if (border)
            continue;
        t->line = p->line;
        t->at = p->lx.source.p + p->pos;
        if (!p->verbatim && at_tag(p)) {
            begin_tag(p, t);
            return;
        }
        html(p, t);
        if (t->type == PG_EOF && p->verbatim)
            fail_at(p, t->at, p->line, TMPL_EXC_SYNTAX, "the tag \"verbatim\" is not closed");
        if (t->type == PG_EOF || t->text.len > 0)
            return;
        t->type = PG_EOF; /* nothing but trimmed blanks: go on */
    }
    if (!p->c.failed)
        in_tag(p, t);
}

/* ---- for the parser ---------------------------------------------------------------------------
 */

void pg_next(struct pg_parser *p)
{
    if (p->has_ahead) {
        p->cur = p->ahead;
        p->has_ahead = false;
    } else {
        lex(p, &p->cur);
    }
    if (p->c.failed)
        p->cur.type = PG_EOF;
}

const struct pg_token *pg_peek(struct pg_parser *p)
{
    if (!p->has_ahead) {
        lex(p, &p->ahead);
        p->has_ahead = true;
        if (p->c.failed)
            p->ahead.type = PG_EOF;
    }
    return &p->ahead;
}

bool pg_is(const struct pg_parser *p, enum pg_type type, const char *text)
{
    return p->cur.type == type && (text == NULL || str_eq_c(p->cur.text, text));
}

bool pg_skip(struct pg_parser *p, enum pg_type type, const char *text)
{
    if (!pg_is(p, type, text))
        return false;
    pg_next(p);
    return true;
}

void pg_expect(struct pg_parser *p, enum pg_type type, const char *text)
{
    if (!pg_skip(p, type, text))
        pg_expected(p, str_printf(p->c.scratch, "\"%s\"", text).p);
}

struct str pg_ident(struct pg_parser *p, const char *what)
{
    struct str s = p->cur.text;

    if (!pg_skip(p, PG_IDENT, NULL)) {
        pg_expected(p, what);
        return STR("_");
    }
    return s;
}
