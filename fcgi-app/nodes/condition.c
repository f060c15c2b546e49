/*
 * The compiler of conditions: comparisons, like, in, is null, and/or/not, parentheses.
 */
#include "nodes/condition.h"

#include <ctype.h>

struct field {
    const char *name;
    const char *sql;
    char type; /* i integer, t text, g guid, z time, s status */
};

static const struct field fields[] = {
    {"instance_id", "i.id", 'i'}, {"id", "i.id", 'i'},           {"guid", "i.guid", 'g'},
    {"status", "i.status", 's'},  {"activity_id", "i.activity_id", 'i'}, {"activity", "a.name", 't'},
    {"user_id", "i.user_id", 'i'}, {"label", "i.label", 't'},    {"created_on", "i.created_on", 'z'},
    {"updated_on", "i.updated_on", 'z'},
};

/* ---- tokens ----------------------------------------------------------------------------------------------- */

enum token { T_END, T_NAME, T_TEXT, T_NUMBER, T_OP, T_OPEN, T_CLOSE, T_COMMA };

struct parser {
    struct str text;
    size_t at;
    enum token token; /* the one to be read next */
    struct str value;
    size_t value_at;
    struct condition *out;
    struct buf sql;
    int depth;
    struct arena *a;
    struct err *e;
};

static int bad(struct parser *p, const char *what)
{
    err_set(p->e, ERR_INVALID, "condition: %s at character %zu", what, p->value_at + 1);
    return -1;
}

/* A quote inside is doubled. */
static int text_read(struct parser *p)
{
    char quote = p->text.p[p->at++];
    struct buf b;

    buf_init(&b, p->text.len, p->a);
    while (p->at < p->text.len) {
        char ch = p->text.p[p->at++];

        if (ch == quote && (p->at >= p->text.len || p->text.p[p->at] != quote)) {
            p->token = T_TEXT;
            p->value = b.p != NULL ? buf_str(&b) : STR("");
            return 0;
        }
        if (ch == quote)
            p->at++;
        buf_putc(&b, ch);
    }
    return bad(p, "a text without end");
}

static bool is_word(char ch)
{
    return isalnum((unsigned char)ch) || ch == '_';
}

static int next(struct parser *p)
{
    const struct str t = p->text;
    char ch;

    while (p->at < t.len && isspace((unsigned char)t.p[p->at]))
        p->at++;
    p->value_at = p->at;
    p->token = T_END;
    p->value = STR_NONE;
    if (p->at >= t.len)
        return 0;
    ch = t.p[p->at];
    if (ch == '\'' || ch == '"')
        return text_read(p);
    if (ch == '(' || ch == ')' || ch == ',') {
        p->token = ch == '(' ? T_OPEN : ch == ')' ? T_CLOSE : T_COMMA;
        p->at++;
        return 0;
    }
    if (strchr("=!<>", ch) != NULL) {
        p->token = T_OP;
        p->at++;
        if (p->at < t.len && (t.p[p->at] == '=' || (ch == '<' && t.p[p->at] == '>')))
            p->at++;
    } else if (isdigit((unsigned char)ch) || ch == '-') {
        p->token = T_NUMBER;
        p->at++;
        while (p->at < t.len && isdigit((unsigned char)t.p[p->at]))
            p->at++;
    } else if (is_word(ch)) {
        p->token = T_NAME;
        while (p->at < t.len && is_word(t.p[p->at]))
            p->at++;
    } else {
        return bad(p, "an unexpected character");
    }
    p->value = str_slice(t, p->value_at, p->at);
    return 0;
}

static bool at_word(const struct parser *p, const char *word)
{
    return p->token == T_NAME && str_ieq(p->value, str_c(word));
}

/* ---- values ------------------------------------------------------------------------------------------------- */

/* YYYY-MM-DD[ T]HH:MM[:SS[.f]][zone]: only its characters are looked at, the database knows the calendar. */
static bool looks_like_time(struct str s)
{
    static const char shape[] = "dddd-dd-dd";

    if (s.len < 10 || s.len > 40)
        return false;
    for (size_t i = 0; i < 10; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)s.p[i]) : s.p[i] != shape[i])
            return false;
    for (size_t i = 10; i < s.len; i++)
        if (!isdigit((unsigned char)s.p[i]) && strchr("T :.+-Z", s.p[i]) == NULL)
            return false;
    return true;
}

static struct str in_utc(struct str s, struct arena *a)
{
    struct str clock = str_slice(s, 10, s.len);
    bool zoned = str_ends(s, STR("Z")) || str_find_char(clock, '+') >= 0 || str_find_char(clock, '-') >= 0;

    return zoned ? s : str_printf(a, "%.*s%sZ", STR_ARG(s), clock.len > 0 ? "" : " 00:00:00");
}

static struct str status_of(struct str s)
{
    return str_ieq(s, STR("CLOSED_IN_ERRORS")) || str_ieq(s, STR("CLOSE_IN_ERROR")) || str_ieq(s, STR("ERROR"))
               ? STR("CLOSED_IN_ERROR")
               : s;
}

/* The value at the token as a parameter of the field's type. */
static int value_put(struct parser *p, const struct field *f, bool pattern)
{
    struct condition *c = p->out;
    struct str v = p->value;
    struct db_arg arg = DB_STR(v);
    const char *cast = "text";
    int64_t n;

    if (p->token != T_TEXT && p->token != T_NUMBER)
        return bad(p, "a value is expected");
    if (c->n_args == CONDITION_ARGS_MAX) {
        err_set(p->e, ERR_LIMIT, "condition: more than %d values", (int)CONDITION_ARGS_MAX);
        return -1;
    }
    if (v.len > 0 && memchr(v.p, '\0', v.len) != NULL)
        return bad(p, "a NUL");
    if (f->type == 'i') {
        if (!str_to_int(v, &n))
            return bad(p, "a whole number is expected");
        arg = DB_INT(n);
        cast = "bigint";
    } else if (f->type == 'z' && !pattern) {
        if (!looks_like_time(v))
            return bad(p, "a time such as '2026-01-31 12:00:00' is expected");
        arg = DB_STR(in_utc(v, p->a));
        cast = "text::timestamptz";
    } else if (f->type == 'g' && !pattern) {
        if (!str_is_guid(v))
            return bad(p, "a guid is expected");
        cast = "text::uuid";
    } else if (f->type == 's' && !pattern) {
        arg = DB_STR(status_of(v));
    }
    c->args[c->n_args++] = arg;
    buf_addf(&p->sql, "$%zu::%s", c->n_args, cast);
    return next(p);
}

/* ---- the grammar ---------------------------------------------------------------------------------------------- */

static int or_parse(struct parser *p);

static int list_parse(struct parser *p, const struct field *f)
{
    if (p->token != T_OPEN)
        return bad(p, "\"(\" is expected");
    buf_add_c(&p->sql, " IN (");
    do {
        if (next(p) != 0)
            return -1;
        if (!str_ends(buf_str(&p->sql), STR("(")))
            buf_putc(&p->sql, ',');
        if (value_put(p, f, false) != 0)
            return -1;
    } while (p->token == T_COMMA);
    if (p->token != T_CLOSE)
        return bad(p, "\")\" is expected");
    buf_putc(&p->sql, ')');
    return next(p);
}

static int like_parse(struct parser *p, const struct field *f, const char *op)
{
    if (f->type == 'i' || f->type == 'z')
        return bad(p, "like needs a field that is a text");
    if (f->type == 'g')
        buf_add_c(&p->sql, "::text");
    buf_addf(&p->sql, " %s ", op);
    return next(p) != 0 ? -1 : value_put(p, f, true);
}

static int null_parse(struct parser *p)
{
    bool not = false;

    if (next(p) != 0)
        return -1;
    if (at_word(p, "not")) {
        not = true;
        if (next(p) != 0)
            return -1;
    }
    if (!at_word(p, "null"))
        return bad(p, "\"null\" is expected");
    buf_add_c(&p->sql, not ? " IS NOT NULL" : " IS NULL");
    return next(p);
}

/* What stands behind a field. */
static int test_parse(struct parser *p, const struct field *f)
{
    static const char *const ops[][2] = {{"=", "="}, {"==", "="}, {"!=", "<>"}, {"<>", "<>"},
                                         {"<", "<"}, {"<=", "<="}, {">", ">"},  {">=", ">="}};

    if (at_word(p, "is"))
        return null_parse(p);
    if (at_word(p, "not")) {
        buf_add_c(&p->sql, " NOT");
        if (next(p) != 0)
            return -1;
        if (!at_word(p, "in") && !at_word(p, "like") && !at_word(p, "ilike"))
            return bad(p, "\"in\" or \"like\" is expected");
        if (f->type == 'g' && !at_word(p, "in"))
            return bad(p, "not like is not offered for a guid");
    }
    if (at_word(p, "like"))
        return like_parse(p, f, "LIKE");
    if (at_word(p, "ilike"))
        return like_parse(p, f, "ILIKE");
    if (at_word(p, "in"))
        return next(p) != 0 ? -1 : list_parse(p, f);
    for (size_t i = 0; p->token == T_OP && i < COUNT_OF(ops); i++)
        if (str_eq_c(p->value, ops[i][0])) {
            buf_addf(&p->sql, " %s ", ops[i][1]);
            return next(p) != 0 ? -1 : value_put(p, f, false);
        }
    return bad(p, "a comparison is expected");
}

static int field_parse(struct parser *p)
{
    if (p->token != T_NAME)
        return bad(p, "the name of a field is expected");
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (str_ieq(p->value, str_c(fields[i].name))) {
            buf_add_c(&p->sql, fields[i].sql);
            return next(p) != 0 ? -1 : test_parse(p, &fields[i]);
        }
    err_set(p->e, ERR_INVALID, "condition: unknown field \"%.*s\"", STR_ARG(str_slice(p->value, 0, 60)));
    return -1;
}

static int unary_parse(struct parser *p)
{
    int rc = -1;

    if (++p->depth > CONDITION_DEPTH) {
        err_set(p->e, ERR_LIMIT, "condition: nested deeper than %d", (int)CONDITION_DEPTH);
        return -1;
    }
    if (at_word(p, "not")) {
        buf_add_c(&p->sql, "NOT ");
        rc = next(p) != 0 ? -1 : unary_parse(p);
    } else if (p->token == T_OPEN) {
        if (next(p) != 0 || or_parse(p) != 0)
            return -1;
        rc = p->token != T_CLOSE ? bad(p, "\")\" is expected") : next(p);
    } else {
        buf_putc(&p->sql, '(');
        rc = field_parse(p);
        buf_putc(&p->sql, ')');
    }
    p->depth--;
    return rc;
}

static int and_parse(struct parser *p)
{
    if (unary_parse(p) != 0)
        return -1;
    while (at_word(p, "and")) {
        buf_add_c(&p->sql, " AND ");
        if (next(p) != 0 || unary_parse(p) != 0)
            return -1;
    }
    return 0;
}

static int or_parse(struct parser *p)
{
    buf_putc(&p->sql, '(');
    if (and_parse(p) != 0)
        return -1;
    while (at_word(p, "or")) {
        buf_add_c(&p->sql, " OR ");
        if (next(p) != 0 || and_parse(p) != 0)
            return -1;
    }
    buf_putc(&p->sql, ')');
    return 0;
}

int condition_compile(struct str text, struct condition **out, struct arena *a, struct err *e)
{
    struct parser p = {.text = text, .out = ARENA_NEW(a, struct condition), .a = a, .e = e};

    *out = p.out;
    if (text.len > CONDITION_BYTES) {
        err_set(e, ERR_LIMIT, "condition: longer than %d bytes", (int)CONDITION_BYTES);
        return -1;
    }
    buf_init(&p.sql, 16 * (size_t)CONDITION_BYTES, a);
    if (next(&p) != 0)
        return -1;
    if (p.token == T_END) {
        p.out->sql = STR("true");
        return 0;
    }
    if (or_parse(&p) != 0)
        return -1;
    if (p.token != T_END)
        return bad(&p, "\"and\" or \"or\" is expected");
    p.out->sql = str_c(buf_cstr(&p.sql));
    return 0;
}
