/*
 * The tokens inside a tag.
 */
#include "template/lex_int.h"

#include <locale.h>
#include <wctype.h>

#include "base/utf8.h"

enum { CLOSERS_FIRST = 64 };

/* Is this code point part of a name?  Everything Python's \w matches. */
static bool word_char(uint32_t cp)
{
    locale_t utf8;
    bool yes;

    if (cp < 0x80)
        return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') || (cp >= '0' && cp <= '9') ||
               cp == '_';
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (utf8 == (locale_t)0)
        return cp >= 0xc0;
    yes = iswalnum_l((wint_t)cp, utf8) != 0;
    freelocale(utf8);
    return yes;
}

static bool name_token(struct lexer *lx, struct token *out)
{
    const char *start = lx->source.p + lx->pos;
    const char *end = lx->source.p + lx->source.len;
    const char *p = start;

    while (p < end) {
        const char *q = p;

        if (!word_char(utf8_next(&q, end)))
            break;
        p = q;
    }
    if (p == start)
        return false;
    out->type = TOK_NAME;
    out->text = str_make(start, (size_t)(p - start));
    lx->pos += out->text.len;
    lx->line_starting = false;
    return true;
}

static void push_closer(struct lexer *lx, char c)
{
    if (lx->n_closers == lx->cap_closers) {
        size_t cap = lx->cap_closers > 0 ? lx->cap_closers * 2 : CLOSERS_FIRST;

        lx->closers = lx->cap_closers > 0
                          ? arena_grow(lx->scratch, lx->closers, lx->cap_closers, cap)
                          : arena_alloc(lx->scratch, cap);
        lx->cap_closers = cap;
    }
    lx->closers[lx->n_closers++] = c;
}

static int balance(struct lexer *lx, char c, const char *at)
{
    char want;

    if (c == '{')
        push_closer(lx, '}');
    else if (c == '[')
        push_closer(lx, ']');
    else if (c == '(')
        push_closer(lx, ')');
    if (c != '}' && c != ']' && c != ')')
        return 0;
    if (lx->n_closers == 0)
        return lex_fail(lx, at, lx->line, "unexpected '%c'", c);
    want = lx->closers[--lx->n_closers];
    if (want != c)
        return lex_fail(lx, at, lx->line, "unexpected '%c', expected '%c'", c, want);
    return 0;
}

static int operator_token(struct lexer *lx, struct token *out)
{
    static const struct {
        char text[3];
        enum token_type type;
    } operators[] = {
        {"//", TOK_FLOORDIV}, {"**", TOK_POW},      {"==", TOK_EQ},    {"!=", TOK_NE},
        {">=", TOK_GE},       {"<=", TOK_LE},       {"+", TOK_ADD},    {"-", TOK_SUB},
        {"/", TOK_DIV},       {"*", TOK_MUL},       {"%", TOK_MOD},    {"~", TOK_TILDE},
        {"[", TOK_LBRACKET},  {"]", TOK_RBRACKET},  {"(", TOK_LPAREN}, {")", TOK_RPAREN},
        {"{", TOK_LBRACE},    {"}", TOK_RBRACE},    {">", TOK_GT},     {"<", TOK_LT},
        {"=", TOK_ASSIGN},    {".", TOK_DOT},       {":", TOK_COLON},  {"|", TOK_PIPE},
        {",", TOK_COMMA},     {";", TOK_SEMICOLON},
    };
    const char *at = lx->source.p + lx->pos;
    const char *q = at;
    size_t i;

    for (i = 0; i < COUNT_OF(operators); i++) {
        struct str text = str_c(operators[i].text);

        if (lex_looking_at(lx, lx->pos, text)) {
            out->type = operators[i].type;
            lx->pos += text.len;
            lx->line_starting = false;
            return balance(lx, *at, at);
        }
    }
    (void)utf8_next(&q, lx->source.p + lx->source.len);
    return lex_fail(lx, at, lx->line, "unexpected char '%.*s' at %zu", (int)(q - at), at,
                    utf8_len(str_make(lx->source.p, lx->pos)));
}

/* Does the tag end here?  Moves behind its end. */
static bool tag_end(struct lexer *lx, struct token *out)
{
    size_t n = 0;
    size_t p;

    if (lx->n_closers > 0)
        return false;
    switch (lx->state) {
    case LEX_VARIABLE:
        n = lex_block_end(lx, lx->pos, lx->env->variable_end_string, false);
        break;
    case LEX_BLOCK:
        n = lex_block_end(lx, lx->pos, lx->env->block_end_string, true);
        break;
    case LEX_LINE: /* the last line break of the blanks that follow, or the end of the source */
        p = lex_skip_space(lx, lx->pos);
        if (p < lx->source.len) {
            while (p > lx->pos && lx->source.p[p - 1] != '\n')
                p--;
            if (p == lx->pos)
                return false;
        }
        out->type = TOK_BLOCK_END;
        lex_advance(lx, p);
        lx->state = LEX_ROOT;
        return true;
    default:
        return false;
    }
    if (n == 0)
        return false;
    out->type = lx->state == LEX_VARIABLE ? TOK_VARIABLE_END : TOK_BLOCK_END;
    lex_advance(lx, lx->pos + n);
    lx->state = LEX_ROOT;
    return true;
}

int lex_tag(struct lexer *lx, struct token *out)
{
    char c;

    for (;;) {
        size_t p;

        out->line = lx->line;
        out->at = lx->source.p + lx->pos;
        if (tag_end(lx, out))
            return 0;
        p = lex_skip_space(lx, lx->pos);
        if (p == lx->pos)
            break;
        /* a line statement ends at a line break, which is among the blanks */
        lex_advance(lx, p);
    }
    if (lx->pos >= lx->source.len) {
        out->type = TOK_EOF;
        return 0;
    }
    c = lx->source.p[lx->pos];
    if (c >= '0' && c <= '9')
        return lex_number(lx, out);
    if (c == '"' || c == '\'') {
        int rc = lex_string(lx, out);

        if (rc <= 0)
            return rc;
    }
    if (name_token(lx, out))
        return 0;
    return operator_token(lx, out);
}
