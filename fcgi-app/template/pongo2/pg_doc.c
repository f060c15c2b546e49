/*
 * A pongo2 template as a whole: its text, its printed expressions, and which tags there are.
 */
#include "template/pongo2/pg_parse.h"

void pg_end_tag(struct pg_parser *p)
{
    if (!pg_skip(p, PG_TAG_END, NULL))
        pg_expected(p, "\"%}\"");
}

static void html(struct pg_parser *p)
{
    p->c.fn->line = p->cur.line;
    (void)emit(&p->c, OP_TEXT, add_const(&p->c, val_str(p->cur.text)), 0);
    pg_next(p);
}

static void printed(struct pg_parser *p)
{
    struct node text = {.line = p->cur.line};
    bool safe;

    pg_next(p);
    text.begin = p->cur.at;
    safe = pg_expression(p);
    text.end = p->cur.at;
    p->c.fn->line = text.line;
    (void)emit(&p->c, OP_PG_PRINT, safe ? PG_PRINT_SAFE : PG_PRINT_VALUE, 0);
    if (p->c.failed)
        return;
    add_printed(&p->c, &text);
    if (!pg_skip(p, PG_VAR_END, NULL))
        pg_expected(p, "\"}}\"");
}

static void tag(struct pg_parser *p)
{
    struct pg_token at;
    const struct pg_tag *known;
    struct str name;

    pg_next(p);
    at = p->cur;
    name = pg_ident(p, "the name of a tag");
    known = p->c.failed ? NULL : pg_tag_find(name);
    if (known == NULL) {
        pg_fail(p, &at, TMPL_EXC_SYNTAX, "no tag named \"%.*s\" here",
                STR_ARG(str_slice(name, 0, 60)));
        return;
    }
    p->c.fn->line = at.line;
    p->tags++;
    if (pg_enter(p))
        known->compile(p, &at);
    p->depth--;
    p->tags--;
}

/* Which of the end tags stands here? */
static int end_here(struct pg_parser *p, const char *const *ends)
{
    const struct pg_token *name;
    int i;

    if (ends == NULL || p->cur.type != PG_TAG_BEGIN)
        return -1;
    name = pg_peek(p);
    for (i = 0; ends[i] != NULL; i++) {
        if (name->type == PG_IDENT && str_eq_c(name->text, ends[i]))
            return i;
    }
    return -1;
}

int pg_body(struct pg_parser *p, const char *const *ends)
{
    while (!p->c.failed) {
        int end = end_here(p, ends);

        if (end >= 0) {
            pg_next(p);
            pg_next(p);
            return end;
        }
        switch (p->cur.type) {
        case PG_HTML:
            html(p);
            break;
        case PG_VAR_BEGIN:
            printed(p);
            break;
        case PG_TAG_BEGIN:
            tag(p);
            break;
        default:
            if (ends == NULL)
                return 0;
            pg_expected(p, str_printf(p->c.scratch, "the tag \"%s\"", ends[0]).p);
            break;
        }
    }
    return 0;
}

/* A template that extends another prints that one; what stands outside its blocks does not run. */
static void extend(struct pg_parser *p, struct fn *f)
{
    f->n = 0;
    f->printed.n = 0;
    pg_emit_const(p, val_str(p->parent));
    (void)emit(&p->c, OP_EXTENDS, 0, 0);
    (void)emit(&p->c, OP_RENDER_PARENT, 0, 0);
}

int pg_compile(struct tmpl *t, struct str source, struct arena *scratch, struct err *e)
{
    struct pg_parser p = {.line = 1};
    struct fn *f;
    int index;

    if (lex_check(source, e) != 0)
        return -1;
    p.lx.source = str_dup(t->a, source);
    p.lx.e = e;
    comp_begin(&p.c, t, &p.lx, scratch, e);
    map_init(&p.blocks, scratch);
    map_init(&p.exported, scratch);
    f = fn_begin(&p.c, CODE_ROOT, STR_NONE, 1, &index);
    t->root = f->code;
    pg_next(&p);
    (void)pg_body(&p, NULL);
    if (p.parent.p != NULL)
        extend(&p, f);
    (void)emit(&p.c, OP_RETURN, 0, 0);
    fn_end(&p.c, f);
    return comp_end(&p.c);
}
