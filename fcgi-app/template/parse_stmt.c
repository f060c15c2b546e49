/*
 * Statements: text, output and tags.
 */
#include "template/parse_int.h"

/* Tags still open, for messages. */
struct tag {
    struct str name;
    const struct tag *outer;
};

/* The names an open body may end with. */
struct ends {
    const char *const *names; /* NULL-terminated */
    const struct ends *outer;
};

typedef struct node *parse_fn(struct parser *p);

static bool subparse(struct parser *p, const char *const *ends, struct node **out);

/* ---- errors about nesting -------------------------------------------------------------------- */

static bool expected_somewhere(const struct ends *ends, struct str name)
{
    size_t i;

    for (; ends != NULL; ends = ends->outer) {
        for (i = 0; ends->names[i] != NULL; i++) {
            if (str_eq_c(name, ends->names[i]))
                return true;
        }
    }
    return false;
}

/* An unknown tag (`name` set) or the end of the template inside a body. */
static void *nesting_error(struct parser *p, const struct token *at, struct str name)
{
    struct buf b;
    size_t i;

    buf_init(&b, ERR_TEXT_MAX, p->scratch);
    if (name.p != NULL)
        buf_addf(&b, "Encountered unknown tag '%.*s'.", STR_ARG(name));
    else
        buf_add_c(&b, "Unexpected end of template.");
    if (p->ends != NULL) {
        buf_add_c(&b, name.p != NULL && expected_somewhere(p->ends, name)
                          ? " You probably made a nesting mistake. Jinja is expecting this tag, "
                            "but currently "
                            "looking for "
                          : " Jinja was looking for the following tags: ");
        for (i = 0; p->ends->names[i] != NULL; i++)
            buf_addf(&b, "%s'%s'", i > 0 ? " or " : "", p->ends->names[i]);
        buf_putc(&b, '.');
    }
    if (p->tags != NULL)
        buf_addf(&b, " The innermost block that needs to be closed is '%.*s'.",
                 STR_ARG(p->tags->name));
    return parse_fail_at(p, at, "%.*s", STR_ARG(buf_str(&b)));
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static bool at_end_name(const struct parser *p, const char *const *ends)
{
    size_t i;

    for (i = 0; ends != NULL && ends[i] != NULL; i++) {
        if (is_name(p, ends[i]))
            return true;
    }
    return false;
}

/* From the end of a tag to one of `ends`, which is the current token afterwards, or skipped with
 * `drop`. */
static bool parse_body(struct parser *p, const char *const *ends, bool drop, struct node **out)
{
    (void)skip_if(p, TOK_COLON);
    if (!expect(p, TOK_BLOCK_END) || !subparse(p, ends, out))
        return false;
    return !drop || next(p);
}

#define BODY(p, out, ...) parse_body((p), (const char *const[]){__VA_ARGS__, NULL}, true, (out))

/* ---- the tags -------------------------------------------------------------------------------- */

static struct node *parse_set(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = node_new(p, N_SET, &at);

    if (!next(p))
        return NULL;
    n->a = parse_target(p, NULL, true);
    if (n->a == NULL)
        return NULL;
    if (skip_if(p, TOK_ASSIGN)) {
        n->b = parse_tuple(p, (struct tuple_rules){0});
        return n->b != NULL ? n : NULL;
    }
    n->kind = N_SET_BLOCK;
    if (p->cur.type == TOK_PIPE)
        n->b = parse_filter(p, NULL, false);
    return !p->failed && BODY(p, &n->c, "endset") ? n : NULL;
}

static struct node *parse_for(struct parser *p)
{
    struct tuple_rules rules = {.no_condition = true};
    struct node *n = node_new(p, N_FOR, &p->cur);

    if (!next(p))
        return NULL;
    n->a = parse_target(p, NULL, false); /* Jinja2 takes "x, in" for two names */
    if (n->a == NULL || !expect_name(p, "in"))
        return NULL;
    n->b = parse_tuple(p, rules);
    if (n->b == NULL)
        return NULL;
    if (skip_name(p, "if") && (n->e = parse_expression(p)) == NULL)
        return NULL;
    if (skip_name(p, "recursive"))
        n->flags |= F_RECURSIVE;
    if (!parse_body(p, (const char *const[]){"endfor", "else", NULL}, false, &n->c))
        return NULL;
    if (skip_name(p, "else"))
        return BODY(p, &n->d, "endfor") ? n : NULL;
    return next(p) ? n : NULL;
}

static struct node *parse_if(struct parser *p)
{
    struct tuple_rules rules = {.no_condition = true};
    struct node *first = node_new(p, N_IF, &p->cur);
    struct node *n = first;
    struct list elifs;

    list_init(&elifs);
    if (!next(p))
        return NULL;
    for (;;) {
        n->a = parse_tuple(p, rules);
        if (n->a == NULL ||
            !parse_body(p, (const char *const[]){"elif", "else", "endif", NULL}, false, &n->b))
            return NULL;
        if (n != first)
            list_add(&elifs, node_fit(p, n) ? n : first);
        if (!is_name(p, "elif"))
            break;
        n = node_new(p, N_IF, &p->cur);
        if (!next(p))
            return NULL;
    }
    first->c = elifs.first;
    if (skip_name(p, "else"))
        return BODY(p, &first->d, "endif") ? first : NULL;
    return next(p) ? first : NULL;
}

static struct node *parse_with(struct parser *p)
{
    struct node *n = node_new(p, N_WITH, &p->cur);
    struct list pairs;

    list_init(&pairs);
    if (!next(p))
        return NULL;
    while (p->cur.type != TOK_BLOCK_END) {
        struct token at = p->cur;
        struct node *target;
        struct node *value;

        if (pairs.first != NULL && !expect(p, TOK_COMMA))
            return NULL;
        target = parse_target(p, NULL, false);
        if (target == NULL || !expect(p, TOK_ASSIGN))
            return NULL;
        value = parse_expression(p);
        target = value != NULL ? node_tree(p, N_PAIR, &at, target, value, NULL) : NULL;
        if (target == NULL)
            return NULL;
        list_add(&pairs, target);
    }
    n->a = pairs.first;
    return BODY(p, &n->c, "endwith") ? n : NULL;
}

static struct node *parse_autoescape(struct parser *p)
{
    struct node *n = node_new(p, N_AUTOESCAPE, &p->cur);

    if (!next(p))
        return NULL;
    n->a = parse_expression(p);
    return n->a != NULL && BODY(p, &n->c, "endautoescape") ? n : NULL;
}

static bool only_blanks(const struct node *body)
{
    for (; body != NULL; body = body->next) {
        const struct node *item;

        if (body->kind != N_OUTPUT)
            return false;
        for (item = body->a; item != NULL; item = item->next) {
            struct str s = val_text(item->value);
            size_t i = 0;

            if (item->kind != N_DATA || s.len == 0)
                return false;
            while (i < s.len) {
                size_t n = lex_space(s.p + i, s.p + s.len);

                if (n == 0)
                    return false;
                i += n;
            }
        }
    }
    return true;
}

static struct node *parse_block(struct parser *p)
{
    struct node *n = node_new(p, N_BLOCK, &p->cur);
    struct token name;

    if (!next(p))
        return NULL;
    name = p->cur;
    if (!expect(p, TOK_NAME))
        return NULL;
    n->name = name.text;
    if (skip_name(p, "scoped"))
        n->flags |= F_SCOPED;
    if (skip_name(p, "required"))
        n->flags |= F_REQUIRED;
    if (p->cur.type == TOK_SUB)
        return parse_fail(
            p,
            "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, "
            "use an underscore instead.");
    if (p->failed || !BODY(p, &n->c, "endblock"))
        return NULL;
    if ((n->flags & F_REQUIRED) != 0 && !only_blanks(n->c))
        return parse_fail(p, "Required blocks can only contain comments or whitespace");
    if (p->cur.type == TOK_NAME && str_eq(p->cur.text, n->name) && !next(p))
        return NULL;
    return n;
}

static struct node *parse_extends(struct parser *p)
{
    struct node *n = node_new(p, N_EXTENDS, &p->cur);

    if (!next(p))
        return NULL;
    n->a = parse_expression(p);
    return n->a != NULL ? n : NULL;
}

/* "with context" or "without context"; false when neither stands here. */
static bool context_words(struct parser *p, struct node *n)
{
    bool with = is_name(p, "with");

    if (!with && !is_name(p, "without"))
        return false;
    if (!look(p) || p->ahead.type != TOK_NAME || !str_eq_c(p->ahead.text, "context"))
        return false;
    n->flags = (uint16_t)(with ? n->flags | F_WITH_CONTEXT : n->flags & ~F_WITH_CONTEXT);
    return next(p) && next(p);
}

static struct node *parse_include(struct parser *p)
{
    struct node *n = node_new(p, N_INCLUDE, &p->cur);

    n->flags = F_WITH_CONTEXT;
    if (!next(p))
        return NULL;
    n->a = parse_expression(p);
    if (n->a == NULL)
        return NULL;
    if (is_name(p, "ignore") && look(p) && p->ahead.type == TOK_NAME &&
        str_eq_c(p->ahead.text, "missing")) {
        n->flags |= F_IGNORE_MISSING;
        if (!next(p) || !next(p))
            return NULL;
    }
    (void)context_words(p, n);
    return p->failed ? NULL : n;
}

static struct node *parse_import(struct parser *p)
{
    struct node *n = node_new(p, N_IMPORT, &p->cur);
    struct node *target;

    if (!next(p))
        return NULL;
    n->a = parse_expression(p);
    if (n->a == NULL || !expect_name(p, "as"))
        return NULL;
    target = parse_target_name(p);
    if (target == NULL)
        return NULL;
    n->name = target->name;
    (void)context_words(p, n);
    return p->failed ? NULL : n;
}

static struct node *parse_alias(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = parse_target_name(p);
    struct node *alias;

    if (n == NULL)
        return NULL;
    if (n->name.p[0] == '_') {
        (void)parse_fail_at(p, &at, "names starting with an underline can not be imported");
        p->e->app_code = TMPL_EXC_ASSERTION;
        return NULL;
    }
    n->kind = N_ALIAS;
    n->value = val_str(n->name);
    if (skip_name(p, "as")) {
        alias = parse_target_name(p);
        if (alias == NULL)
            return NULL;
        n->value = val_str(alias->name);
    }
    return p->failed ? NULL : n;
}

static struct node *parse_from(struct parser *p)
{
    struct node *n = node_new(p, N_FROM, &p->cur);
    struct list names;

    list_init(&names);
    if (!next(p))
        return NULL;
    n->a = parse_expression(p);
    if (n->a == NULL || !expect_name(p, "import"))
        return NULL;
    for (;;) {
        struct node *alias;

        if (names.first != NULL && !expect(p, TOK_COMMA))
            return NULL;
        if (p->cur.type != TOK_NAME) {
            (void)expect(p, TOK_NAME);
            return NULL;
        }
        if (context_words(p, n))
            break;
        alias = parse_alias(p);
        if (alias == NULL)
            return NULL;
        list_add(&names, alias);
        if (context_words(p, n) || p->failed || p->cur.type != TOK_COMMA)
            break;
    }
    n->b = names.first;
    return p->failed ? NULL : n;
}

static bool parse_signature(struct parser *p, struct node *n)
{
    struct list params;
    struct list defaults;

    list_init(&params);
    list_init(&defaults);
    if (!expect(p, TOK_LPAREN))
        return false;
    while (p->cur.type != TOK_RPAREN) {
        struct node *param;
        struct node *value;

        if (params.first != NULL && !expect(p, TOK_COMMA))
            return false;
        param = parse_target_name(p);
        if (param == NULL)
            return false;
        param->op = USE_PARAM;
        if (skip_if(p, TOK_ASSIGN)) {
            value = parse_expression(p);
            if (value == NULL)
                return false;
            list_add(&defaults, value);
        } else if (defaults.first != NULL) {
            (void)parse_fail(p, "non-default argument follows default argument");
            return false;
        }
        list_add(&params, param);
    }
    n->a = params.first;
    n->b = defaults.first;
    return expect(p, TOK_RPAREN);
}

static struct node *parse_macro(struct parser *p)
{
    struct node *n = node_new(p, N_MACRO, &p->cur);
    struct node *name;

    if (!next(p))
        return NULL;
    name = parse_target_name(p);
    if (name == NULL)
        return NULL;
    n->name = name->name;
    return parse_signature(p, n) && BODY(p, &n->c, "endmacro") ? n : NULL;
}

static struct node *parse_call_block(struct parser *p)
{
    struct token at = p->cur;
    struct node *n = node_new(p, N_CALL_BLOCK, &at);

    if (!next(p))
        return NULL;
    if (p->cur.type == TOK_LPAREN && !parse_signature(p, n))
        return NULL;
    n->d = parse_expression(p);
    if (n->d == NULL)
        return NULL;
    if (n->d->kind != N_CALL)
        return parse_fail_at(p, &at, "expected call");
    return BODY(p, &n->c, "endcall") ? n : NULL;
}

static struct node *parse_filter_block(struct parser *p)
{
    struct node *n = node_new(p, N_FILTER_BLOCK, &p->cur);

    if (!next(p))
        return NULL;
    n->a = parse_filter(p, NULL, true);
    return n->a != NULL && BODY(p, &n->c, "endfilter") ? n : NULL;
}

static struct node *parse_print(struct parser *p)
{
    struct node *n = node_new(p, N_OUTPUT, &p->cur);
    struct list items;

    list_init(&items);
    if (!next(p))
        return NULL;
    while (p->cur.type != TOK_BLOCK_END) {
        struct node *item;

        if (items.first != NULL && !expect(p, TOK_COMMA))
            return NULL;
        item = parse_expression(p);
        if (item == NULL)
            return NULL;
        list_add(&items, item);
    }
    n->a = items.first;
    return n;
}

static struct node *parse_do(struct parser *p)
{
    struct node *n = node_new(p, N_DO, &p->cur);

    if (!next(p))
        return NULL;
    n->a = parse_tuple(p, (struct tuple_rules){0});
    return n->a != NULL ? n : NULL;
}

static struct node *parse_break(struct parser *p)
{
    struct node *n = node_new(p, is_name(p, "break") ? N_BREAK : N_CONTINUE, &p->cur);

    return next(p) ? n : NULL;
}

enum extension { EXT_NONE, EXT_DO, EXT_LOOPS, EXT_I18N };

static const struct statement {
    const char *name;
    parse_fn *parse;
    enum extension extension;
} statements[] = {
    {"for", parse_for, EXT_NONE},
    {"if", parse_if, EXT_NONE},
    {"block", parse_block, EXT_NONE},
    {"extends", parse_extends, EXT_NONE},
    {"print", parse_print, EXT_NONE},
    {"macro", parse_macro, EXT_NONE},
    {"include", parse_include, EXT_NONE},
    {"from", parse_from, EXT_NONE},
    {"import", parse_import, EXT_NONE},
    {"set", parse_set, EXT_NONE},
    {"with", parse_with, EXT_NONE},
    {"autoescape", parse_autoescape, EXT_NONE},
    {"call", parse_call_block, EXT_NONE},
    {"filter", parse_filter_block, EXT_NONE},
    {"do", parse_do, EXT_DO},
    {"break", parse_break, EXT_LOOPS},
    {"continue", parse_break, EXT_LOOPS},
    {"trans", parse_trans, EXT_I18N},
};

static bool extension_on(const struct tmpl_env *env, enum extension x)
{
    switch (x) {
    case EXT_DO:
        return env->ext_do;
    case EXT_LOOPS:
        return env->ext_loopcontrols;
    case EXT_I18N:
        return env->ext_i18n;
    default:
        return true;
    }
}

static struct node *parse_statement(struct parser *p)
{
    struct tag tag = {p->cur.text, p->tags};
    struct token at = p->cur;
    struct node *n = NULL;
    size_t i;

    if (p->cur.type != TOK_NAME)
        return parse_fail(p, "tag name expected");
    for (i = 0; i < COUNT_OF(statements); i++) {
        if (is_name(p, statements[i].name) && extension_on(p->env, statements[i].extension))
            break;
    }
    if (i == COUNT_OF(statements))
        return nesting_error(p, &at, at.text);
    if (!enter(p))
        return NULL;
    p->tags = &tag;
    n = statements[i].parse(p);
    p->tags = tag.outer;
    leave(p);
    return n != NULL && !p->failed && node_fit(p, n) ? n : NULL;
}

/* Text and {{ }} up to the next tag, as one N_OUTPUT in *out (NULL when there is nothing). */
static bool parse_output(struct parser *p, struct node **out)
{
    struct token at = p->cur;
    struct list items;

    list_init(&items);
    *out = NULL;
    while (p->cur.type == TOK_DATA || p->cur.type == TOK_VARIABLE_BEGIN) {
        struct node *n;

        if (p->cur.type == TOK_DATA) {
            n = node_new(p, N_DATA, &p->cur);
            n->value = p->cur.value;
            if (!next(p))
                return false;
        } else {
            const char *begin = next(p) ? p->cur.at : NULL;

            n = begin != NULL ? parse_tuple(p, (struct tuple_rules){0}) : NULL;
            if (n != NULL) {
                n->begin = begin;
                n->end = p->cur.at;
            }
            if (n == NULL || !expect(p, TOK_VARIABLE_END))
                return false;
        }
        list_add(&items, n);
    }
    if (items.first != NULL)
        *out = node_tree(p, N_OUTPUT, &at, items.first, NULL, NULL);
    return !p->failed;
}

static bool subparse(struct parser *p, const char *const *names, struct node **out)
{
    struct ends ends = {names, p->ends};
    struct list body;
    bool ok = false;

    list_init(&body);
    if (names != NULL)
        p->ends = &ends; /* cppcheck-suppress autoVariables ; put back below, on every way out */
    while (p->cur.type != TOK_EOF) {
        struct node *n;

        if (!parse_output(p, &n))
            goto out;
        if (n != NULL)
            list_add(&body, n);
        if (p->cur.type != TOK_BLOCK_BEGIN)
            continue;
        if (!next(p))
            goto out;
        if (at_end_name(p, names)) {
            *out = body.first;
            ok = true;
            goto out;
        }
        n = parse_statement(p);
        if (n == NULL || !expect(p, TOK_BLOCK_END))
            goto out;
        list_add(&body, n);
    }
    if (names != NULL) {
        (void)nesting_error(p, &p->cur, STR_NONE);
        goto out;
    }
    *out = body.first;
    ok = true;
out:
    p->ends = ends.outer;
    return ok && !p->failed;
}

int parse_template(struct parser *p, struct str source, const struct tmpl_env *env,
                   struct node **out, struct arena *keep, struct arena *scratch, struct err *e)
{
    memset(p, 0, sizeof(*p));
    p->env = env;
    p->keep = keep;
    p->scratch = scratch;
    p->e = e;
    *out = NULL;
    if (lex_init(&p->lx, source, false, env, keep, scratch, e) != 0 || !next(p))
        return -1;
    return subparse(p, NULL, out) ? 0 : -1;
}
