/*
 * JMESPath, first stage: text to tokens.
 *
 * Rule: jmespath.org specification, "Grammar".
 */
#include "format/jmespath_int.h"

#include "base/ascii.h"
#include "base/json.h"
#include "base/utf8.h"

static const char *const token_names[JP_TOKENS] = {
    [JP_EOF] = "the end",     [JP_NAME] = "a name",     [JP_QUOTED] = "a quoted name",
    [JP_LITERAL] = "a value", [JP_NUMBER] = "a number", [JP_DOT] = "'.'",
    [JP_STAR] = "'*'",        [JP_LBRACKET] = "'['",    [JP_FLATTEN] = "'[]'",
    [JP_FILTER] = "'[?'",     [JP_RBRACKET] = "']'",    [JP_LBRACE] = "'{'",
    [JP_RBRACE] = "'}'",      [JP_LPAREN] = "'('",      [JP_RPAREN] = "')'",
    [JP_COMMA] = "','",       [JP_COLON] = "':'",       [JP_PIPE] = "'|'",
    [JP_OR] = "'||'",         [JP_AND] = "'&&'",        [JP_NOT] = "'!'",
    [JP_EQ] = "'=='",         [JP_NE] = "'!='",         [JP_LT] = "'<'",
    [JP_LE] = "'<='",         [JP_GT] = "'>'",          [JP_GE] = "'>='",
    [JP_CURRENT] = "'@'",     [JP_EXPREF] = "'&'",
};

/* Longest spelling first. */
static const struct {
    const char *text;
    enum jp_token token;
} operators[] = {
    {"[?", JP_FILTER},  {"[]", JP_FLATTEN}, {"||", JP_OR},     {"&&", JP_AND},   {"==", JP_EQ},
    {"!=", JP_NE},      {"<=", JP_LE},      {">=", JP_GE},     {".", JP_DOT},    {"*", JP_STAR},
    {"[", JP_LBRACKET}, {"]", JP_RBRACKET}, {"{", JP_LBRACE},  {"}", JP_RBRACE}, {"(", JP_LPAREN},
    {")", JP_RPAREN},   {",", JP_COMMA},    {":", JP_COLON},   {"|", JP_PIPE},   {"!", JP_NOT},
    {"<", JP_LT},       {">", JP_GT},       {"@", JP_CURRENT}, {"&", JP_EXPREF},
};

static int fail_at(struct jp_lexer *lx, size_t at, const char *message)
{
    err_set(lx->e, ERR_INVALID, "%s", message);
    lx->e->column = (int)(at + 1);
    return -1;
}

int jp_unexpected(struct jp_lexer *lx, const char *expected)
{
    err_set(lx->e, ERR_INVALID, "expected %s, found %s", expected, token_names[lx->token]);
    lx->e->column = (int)(lx->start + 1);
    return -1;
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The text between lx->start and the next `quote` not behind a backslash; lx->at goes behind it. */
static int quoted(struct jp_lexer *lx, char quote, struct str *out)
{
    size_t i = lx->at + 1;

    while (i < lx->text.len && lx->text.p[i] != quote)
        i += lx->text.p[i] == '\\' ? 2 : 1;
    if (i >= lx->text.len)
        return fail_at(lx, lx->start, "unterminated quote");
    *out = str_slice(lx->text, lx->at + 1, i);
    lx->at = i + 1;
    return 0;
}

/* "name": a JSON text. */
static int quoted_name(struct jp_lexer *lx)
{
    struct str inner;
    struct err why;

    if (quoted(lx, '"', &inner) != 0)
        return -1;
    lx->token = JP_QUOTED;
    if (json_parse_copy(str_slice(lx->text, lx->start, lx->at), &lx->value, lx->a, &why) != 0)
        return fail_at(lx, lx->start, why.msg);
    return 0;
}

/* The text with "\<quote>" read as the quote; other backslashes stay. */
static struct str unescape(struct jp_lexer *lx, struct str s, char quote)
{
    struct buf b;

    if (str_find_char(s, '\\') < 0)
        return str_dup(lx->a, s);
    buf_init(&b, s.len + 1, lx->a);
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\\' && i + 1 < s.len && s.p[i + 1] == quote)
            i++;
        buf_putc(&b, s.p[i]);
    }
    return buf_str(&b);
}

static int raw_text(struct jp_lexer *lx)
{
    struct str inner;

    if (quoted(lx, '\'', &inner) != 0)
        return -1;
    lx->token = JP_LITERAL;
    lx->value = val_str(unescape(lx, inner, '\''));
    return 0;
}

/* `json`; as the older implementations do, bare words in backticks are read as text. */
static int literal(struct jp_lexer *lx)
{
    struct str inner;
    struct err why;

    if (quoted(lx, '`', &inner) != 0)
        return -1;
    lx->token = JP_LITERAL;
    inner = str_trim(unescape(lx, inner, '`'));
    if (json_parse(inner, &lx->value, lx->a, &why) == 0)
        return 0;
    if (inner.len == 0 || strchr("\"[{", inner.p[0]) != NULL)
        return fail_at(lx, lx->start, why.msg);
    inner = str_printf(lx->a, "\"%.*s\"", STR_ARG(inner));
    if (json_parse(inner, &lx->value, lx->a, &why) != 0)
        return fail_at(lx, lx->start, why.msg);
    return 0;
}

static int number(struct jp_lexer *lx)
{
    size_t end = lx->at + 1;
    int64_t n = 0;

    while (end < lx->text.len && ascii_is_digit(lx->text.p[end]))
        end++;
    if (!str_to_int(str_slice(lx->text, lx->start, end), &n))
        return fail_at(lx, lx->start,
                       end == lx->start + 1 ? "'-' without a number" : "number out of range");
    lx->at = end;
    lx->token = JP_NUMBER;
    lx->value = val_int(n);
    return 0;
}

static int operator(struct jp_lexer *lx)
{
    struct str rest = str_slice(lx->text, lx->at, lx->text.len);

    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        if (str_starts(rest, str_c(operators[i].text))) {
            lx->token = operators[i].token;
            lx->at += strlen(operators[i].text);
            return 0;
        }
    }
    return fail_at(lx, lx->start, rest.p[0] == '=' ? "'=' should be '=='" : "unknown character");
}

int jp_next(struct jp_lexer *lx)
{
    char c;

    while (lx->at < lx->text.len && strchr(" \t\r\n", lx->text.p[lx->at]) != NULL &&
           lx->text.p[lx->at] != '\0')
        lx->at++;
    lx->start = lx->at;
    if (lx->at >= lx->text.len) {
        lx->token = JP_EOF;
        return 0;
    }
    c = lx->text.p[lx->at];
    if (is_name_start(c)) {
        while (lx->at < lx->text.len &&
               (is_name_start(lx->text.p[lx->at]) || ascii_is_digit(lx->text.p[lx->at])))
            lx->at++;
        lx->token = JP_NAME;
        lx->value = val_str_dup(lx->a, str_slice(lx->text, lx->start, lx->at));
        return 0;
    }
    if (ascii_is_digit(c) || c == '-')
        return number(lx);
    if (c == '"')
        return quoted_name(lx);
    if (c == '\'')
        return raw_text(lx);
    return c == '`' ? literal(lx) : operator(lx);
}
