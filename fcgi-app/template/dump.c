/*
 * Bytecode for people: a line per instruction.
 */
#include "template/code.h"

static const struct {
    const char *name;
    const char *operands;
} rows[] = {
#define OP(name, pops, pushes, operands, meaning) {#name, operands},
#include "template/opcodes.def"
#undef OP
};

static void dump_const(struct val v, struct buf *out)
{
    struct buf b;

    buf_init(&b, 60, out->a);
    val_to_repr(v, &b);
    buf_add_str(out, buf_str(&b));
    if (b.over)
        buf_add_c(out, "...");
}

static void dump_site(const struct site *s, const struct tmpl *t, struct buf *out)
{
    struct str name = s->name_index >= 0 ? t->names[s->name_index].s : s->name;
    size_t i;

    buf_addf(out, "%.*s(%u", STR_ARG(name), s->n_pos);
    if (s->star)
        buf_add_c(out, ", *");
    for (i = 0; i < s->n_kw; i++)
        buf_addf(out, ", %.*s=", STR_ARG(s->kw_names[i]));
    buf_add_c(out, s->star_star ? ", **)" : ")");
}

static void dump_operand(char kind, int32_t x, const struct code *code, struct buf *out)
{
    const struct tmpl *t = code->t;

    buf_putc(out, ' ');
    switch (kind) {
    case 'k':
        dump_const(t->consts[x], out);
        break;
    case 'n':
        buf_add_str(out, t->names[x].s);
        break;
    case 's':
        buf_addf(out, "$%d", x);
        if (code->init[x].type == VAL_UNDEF && code->init[x].u.undef_name != NULL)
            buf_addf(out, "(%s)", code->init[x].u.undef_name);
        break;
    case 't':
        buf_addf(out, "-> %d", x);
        break;
    case 'c':
        dump_site(&t->sites[x], t, out);
        break;
    case 'f':
        buf_addf(out, "function %d", x);
        break;
    default:
        buf_addf(out, "%d", x);
        break;
    }
}

static void dump_code(const struct code *code, size_t index, struct buf *out)
{
    static const char *const kinds[] = {
        [CODE_ROOT] = "template", [CODE_BLOCK] = "block", [CODE_MACRO] = "macro",
        [CODE_CALLER] = "caller", [CODE_LOOP] = "loop",   [CODE_EXPRESSION] = "expression",
    };
    size_t i;

    buf_addf(out, "function %zu: %s %.*s, %zu locals, %zu on the stack\n", index, kinds[code->kind],
             STR_ARG(code->name), code->n_slots, code->max_stack);
    for (i = 0; i < code->n_ins; i++) {
        const struct insn *ins = &code->ins[i];
        const char *operands = rows[ins->op].operands;

        buf_addf(out, "%5zu  line %-4d %-14s", i, code->lines[i], rows[ins->op].name);
        if (operands[0] != '\0')
            dump_operand(operands[0], ins->a, code, out);
        if (operands[0] != '\0' && operands[1] != '\0')
            dump_operand(operands[1], ins->b, code, out);
        buf_putc(out, '\n');
    }
}

void tmpl_dump(const struct tmpl *t, struct buf *out)
{
    size_t i;

    for (i = 0; i < t->n_codes; i++)
        dump_code(t->codes[i], i, out);
}
