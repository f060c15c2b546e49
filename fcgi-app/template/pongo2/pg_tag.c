/*
 * pongo2's tags, one function each; those about other templates are in pg_tag_template.c.
 */
#include "template/pongo2/pg_parse.h"

static void jump_to(struct pg_parser *p, size_t at)
{
    patch_here(&p->c, at);
}

/* ---- conditions -------------------------------------------------------------------------------
 */

static void tag_if(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    size_t *leave = NULL;
    size_t cap = 0;
    size_t n = 0;
    size_t i;
    int end = 0;

    (void)at;
    while (end == 0 && !p->c.failed) {
        size_t skip;

        (void)pg_expression(p);
        pg_end_tag(p);
        skip = emit(&p->c, OP_JUMP_FALSE, 0, 0);
        end = pg_body(p, ends);
        if (n == cap) {
            leave = cap == 0 ? ARENA_ARRAY(p->c.scratch, size_t, 8)
                             : arena_grow(p->c.scratch, leave, cap * sizeof(*leave),
                                          cap * 2 * sizeof(*leave));
            cap = cap == 0 ? 8 : cap * 2;
        }
        if (end != 2)
            leave[n++] = emit(&p->c, OP_JUMP, 0, 0);
        jump_to(p, skip);
    }
    if (end == 1) {
        pg_end_tag(p);
        (void)pg_body(p, ends + 2);
    }
    for (i = 0; i < n; i++)
        jump_to(p, leave[i]);
    pg_end_tag(p);
}

/* Behind a body that the jump `skip` leaves out: what stands behind "else", when that ended the body (`end` is 0), and
 * the end tag, ends[1]. */
static void else_part(struct pg_parser *p, const char *const *ends, int end, size_t skip)
{
    if (end == 0) {
        size_t over = emit(&p->c, OP_JUMP, 0, 0);

        jump_to(p, skip);
        (void)pg_body(p, ends + 1);
        pg_end_tag(p);
        skip = over;
    }
    jump_to(p, skip);
}

/* The condition is on the stack: body, else, and the end tag, ends[1]. */
static void then_else(struct pg_parser *p, const char *const *ends)
{
    size_t skip = emit(&p->c, OP_JUMP_FALSE, 0, 0);
    int end = pg_body(p, ends);

    pg_end_tag(p);
    else_part(p, ends, end, skip);
}

static void compared(struct pg_parser *p, enum pg_binary op, const char *const *ends)
{
    (void)pg_expression(p);
    (void)pg_expression(p);
    pg_end_tag(p);
    (void)emit(&p->c, OP_PG_BINARY, (int32_t)op, 0);
    then_else(p, ends);
}

static void tag_ifequal(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"else", "endifequal", NULL};

    (void)at;
    compared(p, PG_EQ, ends);
}

static void tag_ifnotequal(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"else", "endifnotequal", NULL};

    (void)at;
    compared(p, PG_NE, ends);
}

static void tag_ifchanged(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"else", "endifchanged", NULL};
    uint16_t slot;
    int32_t n = 0;
    size_t skip;
    int end;

    (void)at;
    while (!p->c.failed && p->cur.type != PG_TAG_END) {
        (void)pg_expression(p);
        n++;
    }
    pg_end_tag(p);
    if (n > 0) {
        (void)emit_stack(&p->c, OP_PG_CHANGED, n, 0, 1 - n);
        then_else(p, ends);
        return;
    }
    slot = new_slot(&p->c, val_null());
    (void)emit(&p->c, OP_CAPTURE, 0, 0);
    end = pg_body(p, ends);
    (void)emit(&p->c, OP_END_CAPTURE, ESCAPE_OFF, 0);
    (void)emit(&p->c, OP_STORE, slot, 0);
    pg_end_tag(p);
    (void)emit(&p->c, OP_LOAD, slot, 0);
    (void)emit_stack(&p->c, OP_PG_CHANGED, 1, 0, 0);
    skip = emit(&p->c, OP_JUMP_FALSE, 0, 0);
    (void)emit(&p->c, OP_LOAD, slot, 0);
    (void)emit(&p->c, OP_PRINT, 0, 0);
    else_part(p, ends, end, skip);
}

/* ---- loops ------------------------------------------------------------------------------------
 */

static uint16_t steps(const struct pg_parser *p, size_t from)
{
    size_t n = here(&p->c) - from;

    return (uint16_t)(n > UINT16_MAX ? UINT16_MAX : n);
}

static void tag_for(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"empty", "endfor", NULL};
    struct str key = pg_ident(p, "the name of a variable");
    struct str value =
        pg_skip(p, PG_SYMBOL, ",") ? pg_ident(p, "the name of a variable") : STR_NONE;
    uint16_t slot = new_slot(&p->c, val_null());
    unsigned flags = 0;
    size_t again;
    size_t done;
    int end;

    pg_expect(p, PG_KEYWORD, "in");
    (void)pg_expression(p);
    if (pg_skip(p, PG_IDENT, "reversed"))
        flags |= PG_REVERSED;
    if (pg_skip(p, PG_IDENT, "sorted"))
        flags |= PG_SORTED;
    pg_end_tag(p);
    p->c.fn->line = at->line;
    (void)emit(&p->c, OP_PG_FOR, slot, (uint16_t)flags);
    again = here(&p->c);
    done = emit(&p->c, OP_PG_NEXT, 0, slot);
    (void)emit(&p->c, OP_PG_STORE, pg_name(p, key), 0);
    if (value.p != NULL)
        (void)emit(&p->c, OP_PG_STORE, pg_name(p, value), 0);
    else
        (void)emit(&p->c, OP_POP, 0, 0);
    end = pg_body(p, ends);
    pg_end_tag(p);
    (void)emit(&p->c, OP_LOOP, (int32_t)again, steps(p, again));
    jump_to(p, done);
    if (end == 0) {
        size_t over = emit(&p->c, OP_PG_ELSE, 0, slot);

        (void)pg_body(p, ends + 1);
        pg_end_tag(p);
        jump_to(p, over);
    }
    (void)emit(&p->c, OP_PG_SCOPE_END, 0, 0);
}

static void tag_cycle(struct pg_parser *p, const struct pg_token *at)
{
    struct str name = STR_NONE;
    bool silent = false;
    int32_t n = 0;

    while (!p->c.failed && p->cur.type != PG_TAG_END && !pg_is(p, PG_KEYWORD, "as")) {
        (void)pg_expression(p);
        n++;
    }
    if (pg_skip(p, PG_KEYWORD, "as")) {
        name = pg_ident(p, "a name behind \"as\"");
        silent = pg_skip(p, PG_IDENT, "silent");
    }
    if (n == 0)
        pg_expected(p, "a value");
    pg_end_tag(p);
    p->c.fn->line = at->line;
    (void)emit_stack(&p->c, OP_PG_CYCLE, n, silent, 1 - n);
    if (name.p != NULL)
        (void)emit(&p->c, OP_PG_STORE, pg_name(p, name), 0);
    else
        (void)emit(&p->c, OP_POP, 0, 0);
}

/* ---- variables --------------------------------------------------------------------------------
 */

static void tag_set(struct pg_parser *p, const struct pg_token *at)
{
    struct str name = pg_ident(p, "the name of a variable");

    (void)at;
    pg_expect(p, PG_SYMBOL, "=");
    (void)pg_expression(p);
    pg_end_tag(p);
    (void)emit(&p->c, OP_PG_STORE, pg_name(p, name), 0);
}

/* name=value, or value as name; the name is stored when all values are there. */
static void tag_with(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"endwith", NULL};
    int32_t n = 0;

    if (p->cur.type == PG_TAG_END)
        pg_expected(p, "name=value");
    while (!p->c.failed && p->cur.type != PG_TAG_END) {
        const struct pg_token *behind = pg_peek(p);
        bool assigned =
            p->cur.type == PG_IDENT && behind->type == PG_SYMBOL && str_eq_c(behind->text, "=");
        struct str name = p->cur.text;

        if (assigned) {
            pg_next(p);
            pg_next(p);
            pg_emit_const(p, val_str(name));
            (void)pg_expression(p);
        } else {
            uint16_t slot = new_slot(&p->c, val_null());

            (void)pg_expression(p);
            (void)emit(&p->c, OP_STORE, slot, 0);
            pg_expect(p, PG_KEYWORD, "as");
            pg_emit_const(p, val_str(pg_ident(p, "a name behind \"as\"")));
            (void)emit(&p->c, OP_LOAD, slot, 0);
        }
        n++;
    }
    pg_end_tag(p);
    p->c.fn->line = at->line;
    (void)emit_stack(&p->c, OP_DICT, n, 0, 1 - 2 * n);
    (void)emit(&p->c, OP_PG_WITH, 0, 0);
    (void)pg_body(p, ends);
    pg_end_tag(p);
    (void)emit(&p->c, OP_PG_SCOPE_END, 0, 0);
}

/* ---- text that is worked on -------------------------------------------------------------------
 */

static void tag_autoescape(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"endautoescape", NULL};
    uint16_t slot = new_slot(&p->c, val_null());
    bool on = pg_is(p, PG_IDENT, "on");

    (void)at;
    if (!on && !pg_is(p, PG_IDENT, "off"))
        pg_expected(p, "\"on\" or \"off\"");
    pg_next(p);
    pg_end_tag(p);
    (void)emit(&p->c, OP_PG_AUTOESCAPE, on, slot);
    (void)pg_body(p, ends);
    pg_end_tag(p);
    (void)emit(&p->c, OP_PG_AUTOESCAPE_END, slot, 0);
}

static void tag_filter(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"endfilter", NULL};
    uint16_t slot = new_slot(&p->c, val_null());
    size_t chain = emit(&p->c, OP_JUMP, 0, 0);
    size_t filters = here(&p->c);
    bool safe = false;
    size_t body;

    (void)at;
    /* the filters are written before the body but run behind it */
    (void)emit(&p->c, OP_LOAD, slot, 0);
    do
        pg_filter(p, &safe);
    while (!p->c.failed && pg_skip(p, PG_SYMBOL, "|"));
    (void)emit(&p->c, OP_PG_PRINT, PG_PRINT_SAFE, 0);
    body = emit(&p->c, OP_JUMP, 0, 0);
    pg_end_tag(p);
    jump_to(p, chain);
    (void)emit(&p->c, OP_CAPTURE, 0, 0);
    (void)pg_body(p, ends);
    pg_end_tag(p);
    (void)emit(&p->c, OP_END_CAPTURE, ESCAPE_OFF, 0);
    (void)emit(&p->c, OP_STORE, slot, 0);
    (void)emit(&p->c, OP_JUMP, (int32_t)filters, 0);
    jump_to(p, body);
}

static void tag_spaceless(struct pg_parser *p, const struct pg_token *at)
{
    static const char *const ends[] = {"endspaceless", NULL};

    (void)at;
    pg_end_tag(p);
    (void)emit(&p->c, OP_CAPTURE, 0, 0);
    (void)pg_body(p, ends);
    pg_end_tag(p);
    (void)emit(&p->c, OP_END_CAPTURE, ESCAPE_OFF, 0);
    pg_emit_filter(p, &pg_tag_spaceless, 0);
    (void)emit(&p->c, OP_PRINT, 0, 0);
}

static void tag_comment(struct pg_parser *p, const struct pg_token *at)
{
    pg_end_tag(p);
    while (!p->c.failed) {
        bool end = p->cur.type == PG_TAG_BEGIN && pg_peek(p)->type == PG_IDENT &&
                   str_eq_c(pg_peek(p)->text, "endcomment");

        if (p->cur.type == PG_EOF)
            pg_fail(p, at, TMPL_EXC_SYNTAX, "the tag \"comment\" is not closed");
        pg_next(p);
        if (end) {
            pg_next(p);
            pg_end_tag(p);
            return;
        }
    }
}

/* ---- tags that print --------------------------------------------------------------------------
 */

static void tag_firstof(struct pg_parser *p, const struct pg_token *at)
{
    size_t leave = 0;
    bool any = false;

    (void)at;
    while (!p->c.failed && p->cur.type != PG_TAG_END) {
        bool safe = pg_expression(p);
        size_t skip;

        (void)emit(&p->c, OP_DUP, 0, 0);
        skip = emit(&p->c, OP_JUMP_FALSE, 0, 0);
        (void)emit(&p->c, OP_PG_PRINT, safe ? PG_PRINT_SAFE : PG_PRINT_ANY, 0);
        /* the jumps out are chained by their targets until the end is known */
        leave = emit(&p->c, OP_JUMP, any ? (int32_t)leave : -1, 0);
        any = true;
        jump_to(p, skip);
        p->c.fn->depth++;
        (void)emit(&p->c, OP_POP, 0, 0);
    }
    pg_end_tag(p);
    while (any) {
        int32_t before = p->c.fn->ins[leave].a;

        jump_to(p, leave);
        any = before >= 0;
        leave = (size_t)before;
    }
}

static void tag_now(struct pg_parser *p, const struct pg_token *at)
{
    struct val layout = val_str(p->cur.text);
    uint16_t n = 0;

    if (!pg_skip(p, PG_STRING, NULL)) {
        pg_expected(p, "a layout as text");
        return;
    }
    p->c.fn->line = at->line;
    pg_emit_const(p, layout);
    if (pg_skip(p, PG_IDENT, "fake")) {
        pg_emit_const(p, val_bool(true));
        n = 1;
    }
    pg_end_tag(p);
    pg_emit_filter(p, &pg_tag_now, n);
    (void)emit(&p->c, OP_PRINT, 0, 0);
}

static void tag_widthratio(struct pg_parser *p, const struct pg_token *at)
{
    (void)pg_expression(p);
    (void)pg_expression(p);
    (void)pg_expression(p);
    p->c.fn->line = at->line;
    pg_emit_filter(p, &pg_tag_widthratio, 2);
    if (pg_skip(p, PG_KEYWORD, "as"))
        (void)emit(&p->c, OP_PG_STORE, pg_name(p, pg_ident(p, "a name behind \"as\"")), 0);
    else
        (void)emit(&p->c, OP_PG_PRINT, PG_PRINT_SAFE, 0);
    pg_end_tag(p);
}

static void tag_lorem(struct pg_parser *p, const struct pg_token *at)
{
    struct val count = val_int(1);
    struct val method = VAL_STR_LIT("b");
    int64_t n;

    p->c.fn->line = at->line;
    if (pg_is(p, PG_NUMBER, NULL)) {
        count = val_int(str_to_int(p->cur.text, &n) ? n : INT64_MAX);
        pg_next(p);
    }
    if (p->cur.type == PG_IDENT && !pg_is(p, PG_IDENT, "random")) {
        if (!pg_is(p, PG_IDENT, "w") && !pg_is(p, PG_IDENT, "p") && !pg_is(p, PG_IDENT, "b"))
            pg_expected(p, "\"w\", \"p\" or \"b\"");
        method = val_str(p->cur.text);
        pg_next(p);
    }
    pg_emit_const(p, count);
    pg_emit_const(p, method);
    pg_emit_const(p, val_bool(pg_skip(p, PG_IDENT, "random")));
    pg_emit_filter(p, &pg_tag_lorem, 2);
    (void)emit(&p->c, OP_PRINT, 0, 0);
    pg_end_tag(p);
}

static void tag_ssi(struct pg_parser *p, const struct pg_token *at)
{
    pg_fail(p, at, TMPL_EXC_SECURITY, "the tag \"ssi\" is not allowed: no template reads files");
}

static void tag_templatetag(struct pg_parser *p, const struct pg_token *at)
{
    static const struct {
        const char *name;
        const char *text;
    } rows[] = {
        {"openblock", "{%"}, {"closeblock", "%}"}, {"openvariable", "{{"}, {"closevariable", "}}"},
        {"openbrace", "{"},  {"closebrace", "}"},  {"opencomment", "{#"},  {"closecomment", "#}"},
    };
    size_t i = 0;

    (void)at;
    while (i < COUNT_OF(rows) && !pg_is(p, PG_IDENT, rows[i].name))
        i++;
    if (i == COUNT_OF(rows)) {
        pg_expected(p, "\"openblock\", \"closeblock\", \"openvariable\", ...");
        return;
    }
    (void)emit(&p->c, OP_TEXT, add_const(&p->c, val_str_c(rows[i].text)), 0);
    pg_next(p);
    pg_end_tag(p);
}

const struct pg_tag *pg_tag_find(struct str name)
{
    static const struct pg_tag tags[] = {
        {"autoescape", tag_autoescape},
        {"block", pg_tag_block},
        {"comment", tag_comment},
        {"cycle", tag_cycle},
        {"extends", pg_tag_extends},
        {"filter", tag_filter},
        {"firstof", tag_firstof},
        {"for", tag_for},
        {"if", tag_if},
        {"ifchanged", tag_ifchanged},
        {"ifequal", tag_ifequal},
        {"ifnotequal", tag_ifnotequal},
        {"import", pg_tag_import},
        {"include", pg_tag_include},
        {"lorem", tag_lorem},
        {"macro", pg_tag_macro},
        {"now", tag_now},
        {"set", tag_set},
        {"spaceless", tag_spaceless},
        {"ssi", tag_ssi},
        {"templatetag", tag_templatetag},
        {"widthratio", tag_widthratio},
        {"with", tag_with},
    };
    size_t i;

    for (i = 0; i < COUNT_OF(tags); i++) {
        if (str_eq_c(name, tags[i].name))
            return &tags[i];
    }
    return NULL;
}
