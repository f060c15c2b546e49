/*
 * pongo2's tags that speak of other templates, blocks and macros.
 */
#include "template/pongo2/pg_parse.h"

/* ---- blocks -----------------------------------------------------------------------------------
 */

void pg_tag_block(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"endblock", NULL};
    struct str name = pg_ident(p, "the name of the block");
    struct fn *f;
    int index;

    pg_end_tag(p);
    if (!p->c.failed && map_set(&p->blocks, name, p) != NULL)
        pg_fail(p, at, TMPL_EXC_SYNTAX, "block \"%.*s\" is defined twice",
                STR_ARG(str_slice(name, 0, 60)));
    f = fn_begin(&p->c, CODE_BLOCK, name, at->line, &index);
    (void)pg_body(p, ends);
    (void)emit(&p->c, OP_RETURN, 0, 0);
    fn_end(&p->c, f);
    *add_block(&p->c) = f->code;
    if (!p->c.failed && p->cur.type == PG_IDENT && !str_eq(p->cur.text, name))
        pg_expected(p, str_printf(p->c.scratch, "\"%.*s\"", STR_ARG(str_slice(name, 0, 60))).p);
    (void)pg_skip(p, PG_IDENT, NULL);
    pg_end_tag(p);
    (void)emit(&p->c, OP_PG_BLOCK, pg_name(p, name), 0);
}

void pg_tag_extends(struct pg_parser *p, const struct pg_token *at)
{
    struct str parent = p->cur.text;

    if (p->tags > 1)
        pg_fail(p, at, TMPL_EXC_SYNTAX, "\"extends\" must not stand inside another tag");
    else if (p->parent.p != NULL)
        pg_fail(p, at, TMPL_EXC_SYNTAX, "the template extends another already");
    else if (!pg_skip(p, PG_STRING, NULL))
        pg_expected(p, "the name of a template as text");
    p->parent = parent;
    pg_end_tag(p);
}

/* ---- include ----------------------------------------------------------------------------------
 */

/* name=value ... [only]; returns the flags. */
static int32_t include_pairs(struct pg_parser *p, int32_t *n)
{
    while (!p->c.failed && p->cur.type == PG_IDENT) {
        struct str name = p->cur.text;

        pg_next(p);
        if (*n > 0 && !pg_is(p, PG_SYMBOL, "=") && str_eq_c(name, "only"))
            return PG_ONLY;
        pg_expect(p, PG_SYMBOL, "=");
        pg_emit_const(p, val_str(name));
        (void)pg_expression(p);
        ++*n;
    }
    return 0;
}

void pg_tag_include(struct pg_parser *p, const struct pg_token *at)
{
    int32_t flags = 0;
    int32_t n = 0;

    (void)pg_expression(p);
    if (pg_skip(p, PG_IDENT, "if_exists"))
        flags |= PG_IF_EXISTS;
    if (pg_skip(p, PG_IDENT, "with"))
        flags |= include_pairs(p, &n);
    (void)emit_stack(&p->c, OP_DICT, n, 0, 1 - 2 * n);
    p->c.fn->line = at->line;
    (void)emit(&p->c, OP_PG_INCLUDE, flags, 0);
    pg_end_tag(p);
}

/* ---- macros -----------------------------------------------------------------------------------
 */

/* The parameters: defaults are evaluated before any of them can be seen. */
static void parameters(struct pg_parser *p, struct code *code)
{
    struct str *names = NULL;
    size_t cap = 0;
    size_t n = 0;

    while (!p->c.failed && !pg_is(p, PG_SYMBOL, ")")) {
        struct str name = pg_ident(p, "the name of a parameter");
        uint16_t slot = new_slot(&p->c, undef_make(UNDEF_MISSING, name_text(&p->c, name)));
        size_t set = emit(&p->c, OP_JUMP_SET, 0, slot);

        if (pg_skip(p, PG_SYMBOL, "="))
            (void)pg_expression(p);
        else
            pg_emit_const(p, val_null());
        (void)emit(&p->c, OP_STORE, slot, 0);
        patch_here(&p->c, set);
        if (n == cap) {
            struct str *more = ARENA_ARRAY(p->c.keep, struct str, cap * 2 + 8);

            if (n > 0)
                memcpy(more, names, n * sizeof(*names));
            names = more;
            cap = cap * 2 + 8;
        }
        names[n++] = str_dup(p->c.keep, name);
        if (!pg_skip(p, PG_SYMBOL, ","))
            break;
    }
    code->params = names;
    code->n_params = n;
}

void pg_tag_macro(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"endmacro", NULL};
    struct str name = pg_ident(p, "the name of the macro");
    struct fn *f;
    size_t i;
    int index;

    pg_expect(p, PG_SYMBOL, "(");
    f = fn_begin(&p->c, CODE_MACRO, name, at->line, &index);
    parameters(p, f->code);
    pg_expect(p, PG_SYMBOL, ")");
    (void)emit(&p->c, OP_PG_SCOPE, 0, 0);
    for (i = 0; i < f->code->n_params; i++) {
        (void)emit(&p->c, OP_LOAD, (int32_t)i, 0);
        (void)emit(&p->c, OP_PG_STORE, pg_name(p, f->code->params[i]), 0);
    }
    f->code->exported = pg_skip(p, PG_KEYWORD, "export");
    pg_end_tag(p);
    if (f->code->exported && !p->c.failed && map_set(&p->exported, name, p) != NULL)
        pg_fail(p, at, TMPL_EXC_SYNTAX, "macro \"%.*s\" is exported twice",
                STR_ARG(str_slice(name, 0, 60)));
    (void)pg_body(p, ends);
    pg_end_tag(p);
    (void)emit(&p->c, OP_RETURN, 0, 0);
    fn_end(&p->c, f);
    (void)emit(&p->c, OP_PG_MACRO, index, 0);
    (void)emit(&p->c, OP_PG_STORE, pg_name(p, name), 0);
}

void pg_tag_import(struct pg_parser *p, const struct pg_token *at)
{
    struct val file = val_str(p->cur.text);

    if (!pg_skip(p, PG_STRING, NULL)) {
        pg_expected(p, "the name of a template as text");
        return;
    }
    do {
        struct str macro = pg_ident(p, "the name of a macro");
        struct str name = macro;

        if (pg_skip(p, PG_KEYWORD, "as"))
            name = pg_ident(p, "a name behind \"as\"");
        p->c.fn->line = at->line;
        pg_emit_const(p, file);
        (void)emit(&p->c, OP_PG_IMPORT, pg_name(p, macro), 0);
        (void)emit(&p->c, OP_PG_STORE, pg_name(p, name), 0);
    } while (!p->c.failed && pg_skip(p, PG_SYMBOL, ","));
    pg_end_tag(p);
}
