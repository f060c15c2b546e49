/*
 * The lexer: a hand-written equivalent of the regular expressions Jinja2 describes its language
 * with.
 *
 * Here is the text between tags; lex_tag.c has their inside, lex_literal.c numbers and strings.
 */
#include "template/lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "template/lex_int.h"

static const char *const words[] = {
    [TOK_EOF] = "end of template",
    [TOK_DATA] = "template data / text",
    [TOK_VARIABLE_BEGIN] = "begin of print statement",
    [TOK_VARIABLE_END] = "end of print statement",
    [TOK_BLOCK_BEGIN] = "begin of statement block",
    [TOK_BLOCK_END] = "end of statement block",
    [TOK_NAME] = "name",
    [TOK_STRING] = "string",
    [TOK_INTEGER] = "integer",
    [TOK_FLOAT] = "float",
    [TOK_ADD] = "+",
    [TOK_ASSIGN] = "=",
    [TOK_COLON] = ":",
    [TOK_COMMA] = ",",
    [TOK_DIV] = "/",
    [TOK_DOT] = ".",
    [TOK_EQ] = "==",
    [TOK_FLOORDIV] = "//",
    [TOK_GT] = ">",
    [TOK_GE] = ">=",
    [TOK_LBRACE] = "{",
    [TOK_LBRACKET] = "[",
    [TOK_LPAREN] = "(",
    [TOK_LT] = "<",
    [TOK_LE] = "<=",
    [TOK_MOD] = "%",
    [TOK_MUL] = "*",
    [TOK_NE] = "!=",
    [TOK_PIPE] = "|",
    [TOK_POW] = "**",
    [TOK_RBRACE] = "}",
    [TOK_RBRACKET] = "]",
    [TOK_RPAREN] = ")",
    [TOK_SEMICOLON] = ";",
    [TOK_SUB] = "-",
    [TOK_TILDE] = "~",
};

const char *token_type_words(enum token_type type)
{
    return words[type];
}

size_t lex_space(const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;
    uint32_t cp;
    const char *q = p;

    if (c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f))
        return 1;
    if (c < 0x80)
        return 0;
    cp = utf8_next(&q, end);
    if (cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
        cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000)
        return (size_t)(q - p);
    return 0;
}

int lex_column(const struct lexer *lx, const char *at)
{
    const char *start = at;

    while (start > lx->source.p && start[-1] != '\n')
        start--;
    return (int)utf8_len(str_make(start, (size_t)(at - start))) + 1;
}

int lex_fail(struct lexer *lx, const char *at, int line, const char *fmt, ...)
{
    va_list ap;
    char text[ERR_TEXT_MAX];

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(lx->e, ERR_INVALID, "%s", text);
    lx->e->app_code = TMPL_EXC_SYNTAX;
    lx->e->line = line;
    lx->e->column = lex_column(lx, at);
    return -1;
}

/* ---- preparing ------------------------------------------------------------------------------- */

static struct str normalised(struct str source, bool keep_last, struct arena *a)
{
    char *out = arena_alloc(a, source.len + 1);
    size_t n = 0;
    size_t i;

    for (i = 0; i < source.len; i++) {
        char c = source.p[i];

        if (c == '\r') {
            c = '\n';
            if (i + 1 < source.len && source.p[i + 1] == '\n')
                i++;
        }
        out[n++] = c;
    }
    if (!keep_last && n > 0 && out[n - 1] == '\n')
        n--;
    out[n] = '\0';
    return str_make(out, n);
}

static void mark_first_byte(struct lexer *lx, struct str start)
{
    if (start.len > 0)
        lx->first_bytes[(unsigned char)start.p[0]] = true;
}

int lex_check(struct str source, struct err *e)
{
    if (source.len > LIMIT_TMPL_SOURCE) {
        err_set(e, ERR_LIMIT, "the template is larger than %zu bytes", (size_t)LIMIT_TMPL_SOURCE);
        e->app_code = TMPL_EXC_LIMIT;
        e->line = 1;
        e->column = 1;
        return -1;
    }
    if (utf8_check(source) != source.len) {
        err_set(e, ERR_INVALID, "the template is not well-formed UTF-8 at byte %zu",
                utf8_check(source));
        e->app_code = TMPL_EXC_SYNTAX;
        e->line = 1;
        e->column = 1;
        return -1;
    }
    return 0;
}

int lex_init(struct lexer *lx, struct str source, bool bare, const struct tmpl_env *env,
             struct arena *keep, struct arena *scratch, struct err *e)
{
    memset(lx, 0, sizeof(*lx));
    lx->env = env;
    lx->keep = keep;
    lx->scratch = scratch;
    lx->e = e;
    lx->line = 1;
    lx->line_starting = true;
    lx->state = bare ? LEX_EXPRESSION : LEX_ROOT;
    if (lex_check(source, e) != 0)
        return -1;
    lx->source = normalised(source, bare || env->keep_trailing_newline, keep);
    mark_first_byte(lx, env->block_start_string);
    mark_first_byte(lx, env->variable_start_string);
    mark_first_byte(lx, env->comment_start_string);
    return 0;
}

/* ---- helpers over the source ----------------------------------------------------------------- */

bool lex_looking_at(const struct lexer *lx, size_t pos, struct str what)
{
    return what.len > 0 && pos + what.len <= lx->source.len &&
           memcmp(lx->source.p + pos, what.p, what.len) == 0;
}

size_t lex_skip_space(const struct lexer *lx, size_t pos)
{
    const char *end = lx->source.p + lx->source.len;
    size_t n;

    while (pos < lx->source.len && (n = lex_space(lx->source.p + pos, end)) > 0)
        pos += n;
    return pos;
}

/* End of the text [from, to) without the white space at its end. */
static size_t strip_right(const struct lexer *lx, size_t from, size_t to)
{
    while (to > from) {
        size_t p = to - 1;

        while (p > from && ((unsigned char)lx->source.p[p] & 0xc0) == 0x80)
            p--;
        if (lex_space(lx->source.p + p, lx->source.p + to) != to - p)
            break;
        to = p;
    }
    return to;
}

static int count_newlines(const struct lexer *lx, size_t from, size_t to)
{
    int n = 0;
    const char *p = lx->source.p + from;
    const char *end = lx->source.p + to;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        n++;
        p++;
    }
    return n;
}

struct str lex_newlines(struct lexer *lx, struct str s)
{
    struct buf b;
    size_t i;
    struct str nl = lx->env->newline_sequence;

    if (str_eq(nl, STR("\n")) || nl.len == 0 || str_find_char(s, '\n') < 0)
        return s;
    buf_init(&b, SIZE_MAX, lx->keep);
    for (i = 0; i < s.len; i++) {
        if (s.p[i] == '\n')
            buf_add_str(&b, nl);
        else
            buf_putc(&b, s.p[i]);
    }
    return buf_str(&b);
}

struct val lex_text_value(struct str s)
{
    struct val v = val_str(s);

    if (utf8_is_ascii(s))
        v.flags |= VAL_F_ASCII;
    return v;
}

size_t lex_block_end(const struct lexer *lx, size_t pos, struct str end, bool plus)
{
    size_t stop;

    if (plus && pos < lx->source.len && lx->source.p[pos] == '+' &&
        lex_looking_at(lx, pos + 1, end))
        return end.len + 1;
    if (pos < lx->source.len && lx->source.p[pos] == '-' && lex_looking_at(lx, pos + 1, end)) {
        stop = lex_skip_space(lx, pos + 1 + end.len);
        return stop - pos;
    }
    if (!lex_looking_at(lx, pos, end))
        return 0;
    stop = pos + end.len;
    if (plus && lx->env->trim_blocks && stop < lx->source.len && lx->source.p[stop] == '\n')
        stop++;
    return stop - pos;
}

/* ---- text between tags ----------------------------------------------------------------------- */

enum begin_kind {
    BEGIN_NONE,
    BEGIN_RAW,
    BEGIN_BLOCK,
    BEGIN_VARIABLE,
    BEGIN_COMMENT,
    BEGIN_LINE,
    BEGIN_LINE_COMMENT
};

struct begin {
    enum begin_kind kind;
    size_t at;  /* where the tag begins */
    size_t end; /* behind delimiter and sign */
    char sign;  /* '-', '+' or 0 */
};

static bool with_sign(const struct lexer *lx, enum begin_kind kind, size_t at, size_t end,
                      struct begin *b)
{
    b->kind = kind;
    b->at = at;
    b->sign = 0;
    if (end < lx->source.len && (lx->source.p[end] == '-' || lx->source.p[end] == '+'))
        b->sign = lx->source.p[end++];
    b->end = end;
    return true;
}

static bool raw_at(const struct lexer *lx, size_t pos, struct begin *b)
{
    size_t p = pos + lx->env->block_start_string.len;
    size_t n;

    if (!lex_looking_at(lx, pos, lx->env->block_start_string))
        return false;
    (void)with_sign(lx, BEGIN_RAW, pos, p, b);
    p = lex_skip_space(lx, b->end);
    if (!lex_looking_at(lx, p, STR("raw")))
        return false;
    p = lex_skip_space(lx, p + 3);
    n = lex_block_end(lx, p, lx->env->block_end_string, false);
    b->end = p + n;
    return n > 0;
}

/* Behind blanks that stand at the beginning of a line: a line statement. */
static bool line_statement_at(const struct lexer *lx, size_t pos, struct begin *b)
{
    size_t p = pos;

    if (lx->env->line_statement_prefix.len == 0 || (pos > 0 && lx->source.p[pos - 1] != '\n'))
        return false;
    while (p < lx->source.len &&
           (lx->source.p[p] == ' ' || lx->source.p[p] == '\t' || lx->source.p[p] == '\v'))
        p++;
    if (!lex_looking_at(lx, p, lx->env->line_statement_prefix))
        return false;
    return with_sign(lx, BEGIN_LINE, pos, p + lx->env->line_statement_prefix.len, b);
}

static bool line_comment_at(const struct lexer *lx, size_t pos, struct begin *b)
{
    size_t p = pos;
    size_t n;
    const char *end = lx->source.p + lx->source.len;

    if (lx->env->line_comment_prefix.len == 0)
        return false;
    if (pos > 0 && lx->source.p[pos - 1] != '\n' && strip_right(lx, 0, pos) != pos)
        return false;
    while (p < lx->source.len && lx->source.p[p] != '\n' && lx->source.p[p] != '\r' &&
           (n = lex_space(lx->source.p + p, end)) > 0)
        p += n;
    if (!lex_looking_at(lx, p, lx->env->line_comment_prefix))
        return false;
    return with_sign(lx, BEGIN_LINE_COMMENT, pos, p + lx->env->line_comment_prefix.len, b);
}

/* The tag that begins exactly at `pos`: raw first, else the longest delimiter, as Jinja2 sorts
 * them. */
static bool begin_at(const struct lexer *lx, size_t pos, struct begin *best)
{
    static const enum begin_kind order[] = {BEGIN_VARIABLE, BEGIN_LINE, BEGIN_LINE_COMMENT,
                                            BEGIN_COMMENT, BEGIN_BLOCK};
    const struct tmpl_env *env = lx->env;
    size_t best_len = 0;
    size_t i;

    if (raw_at(lx, pos, best))
        return true;
    best->kind = BEGIN_NONE;
    for (i = 0; i < COUNT_OF(order); i++) {
        struct begin b = {BEGIN_NONE, 0, 0, 0};
        struct str start;
        bool found;

        switch (order[i]) {
        case BEGIN_LINE:
            start = env->line_statement_prefix;
            found = line_statement_at(lx, pos, &b);
            break;
        case BEGIN_LINE_COMMENT:
            start = env->line_comment_prefix;
            found = line_comment_at(lx, pos, &b);
            break;
        case BEGIN_VARIABLE:
            start = env->variable_start_string;
            found =
                lex_looking_at(lx, pos, start) && with_sign(lx, order[i], pos, pos + start.len, &b);
            break;
        case BEGIN_COMMENT:
            start = env->comment_start_string;
            found =
                lex_looking_at(lx, pos, start) && with_sign(lx, order[i], pos, pos + start.len, &b);
            break;
        default:
            start = env->block_start_string;
            found =
                lex_looking_at(lx, pos, start) && with_sign(lx, order[i], pos, pos + start.len, &b);
            break;
        }
        if (found && start.len > best_len) {
            *best = b;
            best_len = start.len;
        }
    }
    return best->kind != BEGIN_NONE;
}

static bool find_begin(const struct lexer *lx, struct begin *b)
{
    bool lines = lx->env->line_statement_prefix.len > 0 || lx->env->line_comment_prefix.len > 0;
    size_t p;

    for (p = lx->pos; p < lx->source.len; p++) {
        if ((lines || lx->first_bytes[(unsigned char)lx->source.p[p]]) && begin_at(lx, p, b))
            return true;
    }
    return false;
}

/* Where the text before a tag ends, after "-" or lstrip_blocks. */
static size_t text_end(const struct lexer *lx, size_t from, size_t to, char sign, bool variable)
{
    size_t start = to;
    size_t p;

    if (sign == '-')
        return strip_right(lx, from, to);
    if (sign == '+' || !lx->env->lstrip_blocks || variable)
        return to;
    while (start > from && lx->source.p[start - 1] != '\n')
        start--;
    if (start == from && !lx->line_starting)
        return to;
    p = lex_skip_space(lx, start);
    return p >= to ? start : to;
}

static void data_token(struct lexer *lx, size_t from, size_t to, struct token *out)
{
    out->type = TOK_DATA;
    out->line = lx->line;
    out->at = lx->source.p + from;
    out->value = lex_text_value(lex_newlines(lx, str_make(lx->source.p + from, to - from)));
}

void lex_advance(struct lexer *lx, size_t pos)
{
    if (pos > lx->pos) {
        lx->line += count_newlines(lx, lx->pos, pos);
        lx->line_starting = lx->source.p[pos - 1] == '\n';
        lx->pos = pos;
    }
}

static int skip_comment(struct lexer *lx, int line, size_t at)
{
    struct str end = lx->env->comment_end_string;
    size_t p;

    if (lx->pos == lx->source.len) /* Jinja2 looks no further when nothing follows */
        return 0;
    for (p = lx->pos; p < lx->source.len; p++) {
        size_t n = lex_block_end(lx, p, end, true);

        if (n > 0) {
            lex_advance(lx, p + n);
            return 0;
        }
    }
    return lex_fail(lx, lx->source.p + at, line, "Missing end of comment tag");
}

/* The text up to {% endraw %}; *out has type TOK_EOF when it is empty. */
static int raw_text(struct lexer *lx, int line, size_t at, struct token *out)
{
    const struct tmpl_env *env = lx->env;
    size_t from = lx->pos;
    size_t p;

    if (from == lx->source.len) /* as for comments */
        return 0;
    for (p = from; p < lx->source.len; p++) {
        struct begin b;
        size_t q;
        size_t n;

        if (!lex_looking_at(lx, p, env->block_start_string))
            continue;
        (void)with_sign(lx, BEGIN_BLOCK, p, p + env->block_start_string.len, &b);
        q = lex_skip_space(lx, b.end);
        if (!lex_looking_at(lx, q, STR("endraw")))
            continue;
        q = lex_skip_space(lx, q + 6);
        n = lex_block_end(lx, q, env->block_end_string, true);
        if (n == 0)
            continue;
        data_token(lx, from, text_end(lx, from, p, b.sign, false), out);
        lex_advance(lx, q + n);
        return 0;
    }
    return lex_fail(lx, lx->source.p + at, line, "Missing end of raw directive");
}

static void begin_token(struct lexer *lx, const struct begin *b, struct token *out)
{
    bool variable = b->kind == BEGIN_VARIABLE;

    out->type = variable ? TOK_VARIABLE_BEGIN : TOK_BLOCK_BEGIN;
    out->line = lx->line;
    out->at = lx->source.p + b->at;
    lx->state = variable ? LEX_VARIABLE : b->kind == BEGIN_LINE ? LEX_LINE : LEX_BLOCK;
}

/* One step in the text: a data token, the beginning of a tag, or neither (comment, empty text). */
static int root_step(struct lexer *lx, struct token *out, bool *got)
{
    struct begin b;
    size_t from = lx->pos;
    size_t end;
    int line;
    const char *nl;

    *got = true;
    if (from >= lx->source.len) {
        out->type = TOK_EOF;
        out->line = lx->line;
        out->at = lx->source.p + lx->source.len;
        return 0;
    }
    if (!find_begin(lx, &b)) {
        data_token(lx, from, lx->source.len, out);
        lex_advance(lx, lx->source.len);
        return 0;
    }
    end = text_end(lx, from, b.at, b.sign, b.kind == BEGIN_VARIABLE);
    data_token(lx, from, end, out);
    *got = end > from;
    lx->line += count_newlines(lx, from, b.at);
    lx->pos = b.at;
    line = lx->line;
    lex_advance(lx, b.end);
    switch (b.kind) {
    case BEGIN_COMMENT:
        return skip_comment(lx, line, b.at);
    case BEGIN_LINE_COMMENT:
        nl = memchr(lx->source.p + lx->pos, '\n', lx->source.len - lx->pos);
        lex_advance(lx, nl != NULL ? (size_t)(nl - lx->source.p) : lx->source.len);
        return 0;
    case BEGIN_RAW: {
        struct token raw = {0};

        if (raw_text(lx, line, b.at, &raw) != 0)
            return -1;
        if (*got) {
            lx->pending_token = raw;
            lx->has_pending = raw.value.len > 0;
        } else {
            *out = raw;
            *got = raw.value.len > 0;
        }
        return 0;
    }
    default:
        if (*got) {
            begin_token(lx, &b, &lx->pending_token);
            lx->pending_token.line = line;
            lx->has_pending = true;
        } else {
            begin_token(lx, &b, out);
            out->line = line;
            *got = true;
        }
        return 0;
    }
}

int lex_next(struct lexer *lx, struct token *out)
{
    bool got = false;

    memset(out, 0, sizeof(*out));
    if (lx->has_pending) {
        *out = lx->pending_token;
        lx->has_pending = false;
        return 0;
    }
    if (lx->state != LEX_ROOT)
        return lex_tag(lx, out);
    while (!got) {
        if (root_step(lx, out, &got) != 0)
            return -1;
    }
    return 0;
}
