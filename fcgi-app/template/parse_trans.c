/*
 * {% trans %} ... {% pluralize %} ... {% endtrans %} of the extension i18n.
 *
 * There are no translations here: the text itself is printed, its variables like any others, so
 * the tag becomes a `with` around an output, or around one for "one" and one for "many".
 * Rule: Jinja2 3.1 "Template Designer Documentation", i18n; what null translations give.
 */
#include "template/parse_int.h"

struct trans {
    struct parser *p;
    struct token at;
    struct list names;  /* every variable the tag mentions */
    struct list pairs;  /* those it sets: N_PAIR */
    struct list free;   /* names looked up around the tag */
    struct node *count; /* decides between one and many */
    bool trimmed;
};

static struct node *name_node(struct parser *p, const struct token *name, enum name_use use)
{
    struct node *n = node_new(p, N_NAME, name);

    n->name = name->text;
    n->op = (uint8_t)use;
    return n;
}

static bool has_name(const struct list *names, struct str name)
{
    for (const struct node *n = names->first; n != NULL; n = n->next) {
        if (str_eq(n->name, name))
            return true;
    }
    return false;
}

/* One of "x", "x=1", "trimmed", "notrimmed". */
static bool parse_variable(struct trans *t, bool *said_trimmed)
{
    struct parser *p = t->p;
    struct token name = p->cur;
    struct node *value;
    struct node *pair;

    if (!expect(p, TOK_NAME))
        return false;
    if (has_name(&t->names, name.text)) {
        (void)parse_fail_at(p, &name, "translatable variable '%.*s' defined twice.",
                            STR_ARG(name.text));
        p->e->app_code = TMPL_EXC_ASSERTION;
        return false;
    }
    if (p->cur.type == TOK_ASSIGN) {
        value = next(p) ? parse_expression(p) : NULL;
        if (value == NULL)
            return false;
        pair = node_tree(p, N_PAIR, &name, name_node(p, &name, USE_STORE), value, NULL);
        if (pair == NULL)
            return false;
        list_add(&t->pairs, pair);
    } else if (!*said_trimmed &&
               (str_eq_c(name.text, "trimmed") || str_eq_c(name.text, "notrimmed"))) {
        *said_trimmed = true;
        t->trimmed = str_eq_c(name.text, "trimmed");
        return true;
    } else {
        list_add(&t->free, name_node(p, &name, USE_LOAD));
    }
    list_add(&t->names, name_node(p, &name, USE_LOAD));
    return true;
}

static bool parse_head(struct trans *t)
{
    struct parser *p = t->p;
    bool said_trimmed = false;

    if (!next(p))
        return false;
    if (p->cur.type == TOK_STRING && !next(p)) /* a context for the translators */
        return false;
    while (p->cur.type != TOK_BLOCK_END) {
        if (t->names.first != NULL && !expect(p, TOK_COMMA))
            return false;
        if (skip_if(p, TOK_COLON))
            break;
        if (!parse_variable(t, &said_trimmed))
            return false;
    }
    return expect(p, TOK_BLOCK_END);
}

/* Line breaks with the blanks around them become one blank. */
static void join_lines(struct str s, struct buf *out)
{
    const char *end = s.p + s.len;
    const char *p = s.p;

    while (p < end) {
        const char *from = p;
        bool broken = false;
        size_t n;

        while (p < end && (n = lex_space(p, end)) > 0) {
            broken = broken || *p == '\n';
            p += n;
        }
        if (broken)
            buf_putc(out, ' ');
        else
            buf_add(out, from, (size_t)(p - from));
        for (from = p; p < end && lex_space(p, end) == 0;)
            p++;
        buf_add(out, from, (size_t)(p - from));
    }
}

static struct str strip(struct str s, bool left, bool right)
{
    const char *end = s.p + s.len;
    size_t n;

    while (left && s.len > 0 && (n = lex_space(s.p, end)) > 0)
        s = str_slice(s, n, s.len);
    while (right && s.len > 0) {
        size_t last = s.len - 1;

        while (last > 0 && ((unsigned char)s.p[last] & 0xc0) == 0x80)
            last--;
        if (lex_space(s.p + last, end) != s.len - last)
            break;
        s.len = last;
        end = s.p + s.len;
    }
    return s;
}

/* The text collected so far as a part of the output. */
static void add_text(struct trans *t, struct list *parts, struct buf *text, bool last)
{
    struct parser *p = t->p;
    struct str s = buf_str(text);
    struct node *n;
    struct buf joined;

    if (s.len == 0)
        return;
    if (t->trimmed) {
        buf_init(&joined, SIZE_MAX, p->scratch);
        join_lines(strip(s, parts->first == NULL, last), &joined);
        s = buf_str(&joined);
    }
    n = node_new(p, N_DATA, &t->at);
    n->value = val_str_dup(p->keep, s);
    list_add(parts, n);
    buf_init(text, SIZE_MAX, p->scratch);
}

static struct node *parse_part(struct trans *t)
{
    struct parser *p = t->p;
    struct token name;
    struct node *n;

    if (!next(p))
        return NULL;
    name = p->cur;
    if (!expect(p, TOK_NAME))
        return NULL;
    if (!has_name(&t->names, name.text) && !has_name(&t->free, name.text))
        list_add(&t->free, name_node(p, &name, USE_LOAD));
    n = name_node(p, &name, USE_LOAD);
    n->begin = name.at;
    n->end = p->cur.at;
    return expect(p, TOK_VARIABLE_END) ? n : NULL;
}

/* Stands at a tag inside: is it one that ends the text? */
static bool ends_text(struct parser *p, bool plural)
{
    if (is_name(p, "endtrans") || (!plural && is_name(p, "pluralize")))
        return true;
    if (is_name(p, "pluralize"))
        (void)parse_fail(p, "a translatable section can have only one pluralize section");
    else if (is_name(p, "trans"))
        (void)parse_fail(p, "trans blocks can't be nested; did you mean `endtrans`?");
    else
        (void)parse_fail(p, "control structures in translatable sections are not allowed; saw `%s`",
                         token_words(p, &p->cur));
    return false;
}

/* Text and variables up to the tag that ends them, of which the name stands in p->cur. */
static struct node *parse_text(struct trans *t, bool plural)
{
    struct parser *p = t->p;
    struct node *out = node_new(p, N_OUTPUT, &t->at);
    struct list parts;
    struct buf text;

    list_init(&parts);
    buf_init(&text, SIZE_MAX, p->scratch);
    for (;;) {
        if (p->cur.type == TOK_DATA) {
            buf_add_str(&text, val_text(p->cur.value));
            if (!next(p))
                return NULL;
        } else if (p->cur.type == TOK_VARIABLE_BEGIN) {
            struct node *part = parse_part(t);

            if (part == NULL)
                return NULL;
            add_text(t, &parts, &text, false);
            list_add(&parts, part);
            if (t->count == NULL && !plural)
                t->count = part;
        } else if (p->cur.type == TOK_BLOCK_BEGIN) {
            if (!next(p) || !ends_text(p, plural))
                return NULL;
            add_text(t, &parts, &text, true);
            out->a = parts.first;
            return node_fit(p, out) ? out : NULL;
        } else {
            return parse_fail(p, "unclosed translation block");
        }
    }
}

/* Behind "pluralize": which variable counts. */
static bool parse_pluralize(struct trans *t)
{
    struct parser *p = t->p;
    struct token name;

    if (!next(p))
        return false;
    if (p->cur.type != TOK_BLOCK_END) {
        name = p->cur;
        if (!expect(p, TOK_NAME))
            return false;
        if (!has_name(&t->names, name.text)) {
            (void)parse_fail_at(p, &name, "unknown variable '%.*s' for pluralization",
                                STR_ARG(name.text));
            p->e->app_code = TMPL_EXC_ASSERTION;
            return false;
        }
        t->count = name_node(p, &name, USE_LOAD);
    }
    return expect(p, TOK_BLOCK_END);
}

/* count == 1 */
static struct node *is_one(struct trans *t)
{
    struct parser *p = t->p;
    struct node *one = node_new(p, N_CONST, &t->at);
    struct node *operand;
    struct node *count = node_new(p, N_NAME, &t->at);

    one->value = val_int(1);
    count->name = t->count->name;
    operand = node_tree(p, N_OPERAND, &t->at, one, NULL, NULL);
    if (operand == NULL)
        return NULL;
    operand->op = CMP_EQ;
    return node_tree(p, N_COMPARE, &t->at, count, operand, NULL);
}

/* The output inside a scope that has the variables of the tag.  All are found before it begins: a
 * name that is set further on means what it means here. */
static struct node *with_variables(struct trans *t, struct node *body)
{
    struct parser *p = t->p;

    for (struct node *n = t->free.first; n != NULL; n = n->next) {
        struct token name = {.type = TOK_NAME, .line = n->line, .at = n->at, .text = n->name};
        struct node *pair = node_tree(p, N_PAIR, &name, name_node(p, &name, USE_STORE),
                                      name_node(p, &name, USE_LOAD), NULL);

        if (pair == NULL)
            return NULL;
        list_add(&t->pairs, pair);
    }
    return node_tree(p, N_WITH, &t->at, t->pairs.first, NULL, body);
}

struct node *parse_trans(struct parser *p)
{
    struct trans t = {.p = p, .at = p->cur};
    struct node *many;
    struct node *n;

    list_init(&t.names);
    list_init(&t.pairs);
    list_init(&t.free);
    if (!parse_head(&t))
        return NULL;
    t.count = t.names.first;
    n = parse_text(&t, false);
    if (n == NULL)
        return NULL;
    if (is_name(p, "pluralize")) {
        many = parse_pluralize(&t) ? parse_text(&t, true) : NULL;
        if (many == NULL)
            return NULL;
        if (t.count == NULL)
            return parse_fail_at(p, &t.at, "pluralize without variables");
        n = node_tree(p, N_IF, &t.at, is_one(&t), n, NULL);
        if (n == NULL)
            return NULL;
        n->d = many;
    }
    if (!next(p))
        return NULL;
    return t.pairs.first != NULL ? with_variables(&t, n) : n;
}
