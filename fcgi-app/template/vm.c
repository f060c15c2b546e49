/*
 * The dispatch loop.
 *
 * One C call of vm_execute per template function running; expressions use a stack of values.  Steps
 * are spent on the way back of loops and on calls, which bounds everything: code without either is
 * as long as its source at most.
 */
#include "template/pongo2/pg.h"
#include "template/vm_fast.h"
#include "template/vm_int.h"

/* ---- fast ways over the commonest operands --------------------------------------------------- */

static int slow_arith(struct vm *vm, enum arith_op op, struct val *sp)
{
    struct val r;

    if (op_arith(&vm->call, op, sp[-2], sp[-1], &r) != 0)
        return -1;
    sp[-2] = r;
    return 0;
}

static inline int arith(struct vm *vm, enum arith_op op, struct val *sp)
{
    struct val x = sp[-2];
    struct val y = sp[-1];
    int64_t r = 0;

    if (LIKELY(x.type == VAL_INT && y.type == VAL_INT)) {
        bool over = true;

        switch (op) {
        case OP_ADD_:
            over = __builtin_add_overflow(x.u.i, y.u.i, &r);
            break;
        case OP_SUB_:
            over = __builtin_sub_overflow(x.u.i, y.u.i, &r);
            break;
        case OP_MUL_:
            over = __builtin_mul_overflow(x.u.i, y.u.i, &r);
            break;
        case OP_MOD_:
            if (y.u.i > 0) {
                r = x.u.i % y.u.i;
                r += r < 0 ? y.u.i : 0;
                over = false;
            }
            break;
        default:
            break;
        }
        if (LIKELY(!over)) {
            sp[-2] = val_int(r);
            return 0;
        }
    }
    return slow_arith(vm, op, sp);
}

static inline int compare(struct vm *vm, enum opcode op, struct val *sp)
{
    struct val x = sp[-2];
    struct val y = sp[-1];
    bool r = false;

    if (LIKELY(x.type == VAL_INT && y.type == VAL_INT)) {
        switch (op) {
        case OP_EQ:
            r = x.u.i == y.u.i;
            break;
        case OP_NE:
            r = x.u.i != y.u.i;
            break;
        case OP_LT:
            r = x.u.i < y.u.i;
            break;
        case OP_LE:
            r = x.u.i <= y.u.i;
            break;
        case OP_GT:
            r = x.u.i > y.u.i;
            break;
        default:
            r = x.u.i >= y.u.i;
            break;
        }
    } else if (x.type == VAL_STR && y.type == VAL_STR && (op == OP_EQ || op == OP_NE)) {
        r = (x.len == y.len && memcmp(x.u.s, y.u.s, x.len) == 0) == (op == OP_EQ);
    } else if (op_compare(&vm->call, (int)op, x, y, &r) != 0) {
        return -1;
    }
    sp[-2] = val_bool(r);
    return 0;
}

/* A local that is undefined, not set, or not looked up yet. */
static struct val load_slow(struct vm *vm, struct frame *f, struct val *slot)
{
    struct val v = *slot;

    if (v.reserved == UNDEF_UNRESOLVED) {
        v = ctx_resolve(vm, f->ctx, v.u.undef_name);
        *slot = v;
    } else if (v.reserved == UNDEF_MISSING) {
        v = undef_make(UNDEF_NAME, v.u.undef_name);
    }
    return v;
}

static inline struct val load(struct vm *vm, struct frame *f, struct val *slot)
{
    return LIKELY(slot->type != VAL_UNDEF) ? *slot : load_slow(vm, f, slot);
}

static struct frame *frame_up(struct frame *f, unsigned levels)
{
    while (levels-- > 0)
        f = f->outer;
    return f;
}

/* Search a small dictionary and remember the place. */
static int attr_slow(struct vm *vm, struct val obj, const struct name *name, struct val *out)
{
    if (obj.type == VAL_DICT && (obj.flags & VAL_F_LAZY) == 0 && !name->dict_method &&
        obj.u.dict->index == NULL) {
        const struct val_dict *d = obj.u.dict;
        uint32_t i;

        for (i = 0; i < d->n; i++) {
            const struct val *key = &d->pairs[i].key;

            if (key->type == VAL_STR && key->len == name->s.len &&
                same_bytes(key->u.s, name->s.p, key->len)) {
                atomic_store_explicit(name->hint, i, memory_order_relaxed);
                *out = d->pairs[i].value;
                return 0;
            }
        }
    }
    return attr_get(vm, obj, name, out);
}

/* Dictionaries of one shape follow each other: the place of the last hit is tried first. */
static inline int attr_fast(struct vm *vm, struct val obj, const struct name *name, struct val *out)
{
    if (LIKELY(obj.type == VAL_DICT && (obj.flags & VAL_F_LAZY) == 0 && !name->dict_method)) {
        const struct val_dict *d = obj.u.dict;
        uint32_t hint = atomic_load_explicit(name->hint, memory_order_relaxed);
        const struct val_pair *p = d->pairs + hint;

        if (LIKELY(hint < d->n && p->key.len == name->s.len && p->key.type == VAL_STR &&
                   same_bytes(p->key.u.s, name->s.p, name->s.len))) {
            *out = p->value;
            return 0;
        }
    }
    return attr_slow(vm, obj, name, out);
}

static int unpack(struct vm *vm, struct val v, size_t n, struct val *sp)
{
    struct call *c = &vm->call;
    struct iter it;
    struct val item;
    size_t got = 0;
    int rc;

    if (v.type == VAL_TUPLE || (v.type == VAL_LIST && (v.flags & VAL_F_LAZY) == 0)) {
        if (v.u.list->n == n) {
            for (; got < n; got++)
                sp[n - 1 - got] = v.u.list->items[got];
            return 0;
        }
    }
    if (v.type < VAL_STR && v.type != VAL_UNDEF)
        return call_raise(c, TMPL_EXC_TYPE, "cannot unpack non-iterable %s object",
                          val_type_name(v));
    if (iter_init(c, v, &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &item)) == 1) {
        if (got == n)
            return call_raise(c, TMPL_EXC_VALUE, "too many values to unpack (expected %zu)", n);
        sp[n - 1 - got++] = item;
    }
    if (rc == 0 && got < n)
        return call_raise(c, TMPL_EXC_VALUE, "not enough values to unpack (expected %zu, got %zu)",
                          n, got);
    return rc;
}

static int make_dict(struct vm *vm, const struct val *items, size_t n, struct val *out)
{
    size_t i;

    *out = val_dict_new(vm->a, n);
    for (i = 0; i < n; i++) {
        struct val key = items[2 * i];

        if (UNLIKELY(key.type > VAL_STR) && !val_hashable(key))
            return call_raise(&vm->call, TMPL_EXC_TYPE, "unhashable type: '%s'",
                              val_type_name(key));
        if (UNLIKELY(key.type == VAL_UNDEF) && undef_look(&vm->call, key) != 0)
            return -1;
        val_dict_set(*out, key, items[2 * i + 1]);
    }
    return 0;
}

static struct val make_list(struct vm *vm, enum opcode op, const struct val *items, size_t n)
{
    struct val v = op == OP_LIST ? val_list_new(vm->a, n) : val_tuple_new(vm->a, n);

    if (n > 0)
        memcpy(v.u.list->items, items, n * sizeof(*items));
    v.u.list->n = (uint32_t)n;
    return v;
}

static void traced(struct vm *vm, const struct frame *f, size_t pc, struct val v)
{
    const struct tmpl_trace *t = vm->run->trace;
    const struct code *code = f->code;
    size_t i;

    if (t->step == NULL)
        return;
    for (i = 0; i < code->n_exprs; i++) {
        if (code->exprs[i].pc == pc) {
            t->step(t->ctx, code->lines[pc], code->exprs[i].text, v);
            return;
        }
    }
}

static int set_attr(struct vm *vm, struct val object, const struct name *name, struct val v)
{
    const struct tmpl_class *cls = tmpl_class_of(object);

    if (cls == NULL || cls->setattr == NULL)
        return call_raise(&vm->call, TMPL_EXC_RUNTIME,
                          "cannot assign attribute on non-namespace object");
    return cls->setattr(object.u.obj, name->s, v, &vm->call);
}

static bool is_markup(const struct vm *vm, enum escape_mode mode)
{
    return mode == ESCAPE_ON || (mode == ESCAPE_DYNAMIC && vm->frame->ctx->unit->autoescape);
}

/* Does the next instruction print the text of a macro unchanged? */
static bool prints_as_is(const struct vm *vm, const struct frame *f, const struct insn *next)
{
    return vm->run->trace == NULL &&
           (next->op == OP_PRINT || next->op == OP_PRINT_RAW ||
            ((next->op == OP_PRINT_ESCAPED || next->op == OP_PRINT_AUTO) &&
             f->ctx->unit->autoescape));
}

/* ---- the loop -------------------------------------------------------------------------------- */

#define NEXT_INSN()                                                                                \
    do {                                                                                           \
        ip = pc++;                                                                                 \
        __extension__({ goto *labels[ip->op]; });                                                  \
    } while (0)
#define TRY(call_)                                                                                 \
    do {                                                                                           \
        if (UNLIKELY((call_) != 0))                                                                \
            goto failed;                                                                           \
    } while (0)
#define SPEND(n)                                                                                   \
    do {                                                                                           \
        vm->fuel -= (n);                                                                           \
        if (UNLIKELY(vm->fuel < 0))                                                                \
            TRY(vm_refuel(vm));                                                                    \
    } while (0)
/* A comparison, and the jump that usually follows it. */
#define COMPARE(op_)                                                                               \
    do {                                                                                           \
        TRY(compare(vm, (op_), sp));                                                               \
        sp--;                                                                                      \
        if (pc->op == OP_JUMP_FALSE) {                                                             \
            ip = pc++;                                                                             \
            if (!(--sp)->u.b)                                                                      \
                pc = code->ins + ip->a;                                                            \
        }                                                                                          \
    } while (0)
#define LOOP_AT(slot_) ((struct loop *)(void *)slots[slot_].u.obj)

int vm_execute(struct vm *vm, struct frame *f)
{
    __extension__ static const void *const labels[] = {
#define OP(name, pops, pushes, operands, meaning) __extension__ &&L_##name,
#include "template/opcodes.def"
#undef OP
    };
    const struct code *code = f->code;
    const struct tmpl *t = code->t;
    const struct insn *pc = code->ins;
    const struct insn *ip = pc;
    struct val *slots = f->slots;
    struct val *sp = vm->top;
    struct val v;
    bool truth;
    int rc;

    vm->top += code->max_stack;
    NEXT_INSN();

L_CONST:
    *sp++ = t->consts[ip->a];
    NEXT_INSN();
L_LOAD:
    *sp++ = load(vm, f, &slots[ip->a]);
    NEXT_INSN();
L_LOAD_UP : {
    struct frame *up = frame_up(f, ip->b);

    *sp++ = load(vm, up, &up->slots[ip->a]);
}
    NEXT_INSN();
L_STORE:
    slots[ip->a] = *--sp;
    if (UNLIKELY(sp->type == VAL_UNDEF) && sp->reserved >= UNDEF_UNRESOLVED)
        slots[ip->a].reserved = UNDEF_NAME;
    NEXT_INSN();
L_RESET:
    slots[ip->a] = code->init[ip->a];
    NEXT_INSN();
L_ALIAS:
    slots[ip->a] = slots[ip->b];
    NEXT_INSN();
L_ALIAS_UP:
    slots[ip->a & 0xffff] = frame_up(f, (unsigned)ip->a >> 16)->slots[ip->b];
    NEXT_INSN();
L_POP:
    sp--;
    NEXT_INSN();
L_DUP:
    *sp = sp[-1];
    sp++;
    NEXT_INSN();
L_TUCK:
    *sp = sp[-1];
    sp[-1] = sp[-2];
    sp[-2] = *sp;
    sp++;
    NEXT_INSN();
L_EXPORT:
    ctx_export(vm, f->ctx, &t->names[ip->a], slots[ip->b], true);
    NEXT_INSN();
L_EXPORT_IMPORT:
    ctx_export(vm, f->ctx, &t->names[ip->a], slots[ip->b], false);
    NEXT_INSN();
L_LOCALS:
    *sp++ = locals_dict(vm, f, &t->locals[ip->a]);
    NEXT_INSN();

L_ATTR:
    TRY(attr_fast(vm, sp[-1], &t->names[ip->a], &v));
    sp[-1] = v;
    NEXT_INSN();
L_ATTR_LOCAL:
    TRY(attr_fast(vm, load(vm, f, &slots[ip->b]), &t->names[ip->a], sp));
    sp++;
    NEXT_INSN();
L_ITEM:
    TRY(item_get(vm, sp[-2], sp[-1], &v));
    *(--sp - 1) = v;
    NEXT_INSN();
L_SLICE:
    sp -= 3;
    TRY(slice_get(vm, sp[-1], sp, ip->a != 0, &v));
    sp[-1] = v;
    NEXT_INSN();
L_TYPE_NAME:
    if (sp[-1].type == VAL_UNDEF)
        TRY(undef_fail(&vm->call, sp[-1]));
    sp[-1] = (sp[-1].type == VAL_STR && (sp[-1].flags & VAL_F_MARKUP) != 0)
                 ? VAL_STR_LIT("Markup")
                 : val_str_c(val_type_name(sp[-1]));
    NEXT_INSN();
L_SET_ATTR:
    sp -= 2;
    TRY(set_attr(vm, sp[1], &t->names[ip->a], sp[0]));
    NEXT_INSN();
L_CHECK_NAMESPACE:
    sp--;
    if (tmpl_class_of(*sp) == NULL || tmpl_class_of(*sp)->setattr == NULL)
        TRY(call_raise(&vm->call, TMPL_EXC_RUNTIME,
                       "cannot assign attribute on non-namespace object"));
    NEXT_INSN();

L_ADD:
    TRY(arith(vm, OP_ADD_, sp));
    sp--;
    NEXT_INSN();
L_SUB:
    TRY(arith(vm, OP_SUB_, sp));
    sp--;
    NEXT_INSN();
L_MUL:
    TRY(arith(vm, OP_MUL_, sp));
    sp--;
    NEXT_INSN();
L_DIV:
    TRY(slow_arith(vm, OP_DIV_, sp));
    sp--;
    NEXT_INSN();
L_FLOORDIV:
    TRY(slow_arith(vm, OP_FLOORDIV_, sp));
    sp--;
    NEXT_INSN();
L_MOD:
    TRY(arith(vm, OP_MOD_, sp));
    sp--;
    NEXT_INSN();
L_POW:
    TRY(slow_arith(vm, OP_POW_, sp));
    sp--;
    NEXT_INSN();
L_NEG:
    TRY(op_neg(&vm->call, sp[-1], &v));
    sp[-1] = v;
    NEXT_INSN();
L_PLUS:
    TRY(op_plus(&vm->call, sp[-1], &v));
    sp[-1] = v;
    NEXT_INSN();
L_NOT:
    TRY(vm_truth(vm, sp[-1], &truth));
    sp[-1] = val_bool(!truth);
    NEXT_INSN();
L_CONCAT:
    sp -= ip->a;
    TRY(op_concat(vm, sp, (size_t)ip->a, (enum escape_mode)ip->b, &v));
    *sp++ = v;
    NEXT_INSN();
L_EQ:
    COMPARE(OP_EQ);
    NEXT_INSN();
L_NE:
    COMPARE(OP_NE);
    NEXT_INSN();
L_LT:
    COMPARE(OP_LT);
    NEXT_INSN();
L_LE:
    COMPARE(OP_LE);
    NEXT_INSN();
L_GT:
    COMPARE(OP_GT);
    NEXT_INSN();
L_GE:
    COMPARE(OP_GE);
    NEXT_INSN();
L_IN:
    TRY(op_in(&vm->call, sp[-2], sp[-1], &truth));
    sp--;
    sp[-1] = val_bool(truth);
    NEXT_INSN();
L_NOT_IN:
    TRY(op_in(&vm->call, sp[-2], sp[-1], &truth));
    sp--;
    sp[-1] = val_bool(!truth);
    NEXT_INSN();
L_IDENTITY:
    sp--;
    sp[-1] = val_bool(op_same(sp[-1], sp[0]));
    NEXT_INSN();

L_JUMP:
    pc = code->ins + ip->a;
    NEXT_INSN();
L_LOOP:
    pc = code->ins + ip->a;
    SPEND(ip->b);
    NEXT_INSN();
L_JUMP_FALSE:
    TRY(vm_truth(vm, *--sp, &truth));
    if (!truth)
        pc = code->ins + ip->a;
    NEXT_INSN();
L_JUMP_TRUE:
    TRY(vm_truth(vm, *--sp, &truth));
    if (truth)
        pc = code->ins + ip->a;
    NEXT_INSN();
L_AND:
    TRY(vm_truth(vm, sp[-1], &truth));
    if (!truth)
        pc = code->ins + ip->a;
    else
        sp--;
    NEXT_INSN();
L_OR:
    TRY(vm_truth(vm, sp[-1], &truth));
    if (truth)
        pc = code->ins + ip->a;
    else
        sp--;
    NEXT_INSN();
L_CHAIN:
    TRY(vm_truth(vm, *--sp, &truth));
    if (!truth) {
        sp[-1] = *sp;
        pc = code->ins + ip->a;
    }
    NEXT_INSN();
L_JUMP_SET:
    if (slots[ip->b].type != VAL_UNDEF || slots[ip->b].reserved != UNDEF_MISSING)
        pc = code->ins + ip->a;
    NEXT_INSN();

L_LIST:
    sp -= ip->a;
    *sp = make_list(vm, OP_LIST, sp, (size_t)ip->a);
    sp++;
    NEXT_INSN();
L_TUPLE:
    sp -= ip->a;
    *sp = make_list(vm, OP_TUPLE, sp, (size_t)ip->a);
    sp++;
    NEXT_INSN();
L_DICT:
    sp -= 2 * ip->a;
    TRY(make_dict(vm, sp, (size_t)ip->a, &v));
    *sp++ = v;
    NEXT_INSN();
L_APPEND:
    sp--;
    val_list_add(sp[-1 - ip->a], *sp);
    NEXT_INSN();
L_UNPACK:
    sp--;
    TRY(unpack(vm, *sp, (size_t)ip->a, sp));
    sp += ip->a;
    NEXT_INSN();

L_TEXT:
    put_text(vm->out, t->consts[ip->a].u.s, t->consts[ip->a].len);
    NEXT_INSN();
L_PRINT:
    if (UNLIKELY(vm->run->trace != NULL))
        traced(vm, f, (size_t)(ip - code->ins), sp[-1]);
    TRY(vm_print(vm, *--sp));
    NEXT_INSN();
L_PRINT_ESCAPED:
    if (UNLIKELY(vm->run->trace != NULL))
        traced(vm, f, (size_t)(ip - code->ins), sp[-1]);
    TRY(vm_print_escaped(vm, *--sp));
    NEXT_INSN();
L_PRINT_AUTO:
    sp--;
    TRY(f->ctx->unit->autoescape ? vm_print_escaped(vm, *sp) : vm_print(vm, *sp));
    NEXT_INSN();
L_PRINT_RAW:
    TRY(vm_print_raw(vm, *--sp));
    NEXT_INSN();
L_PRINT_LOCAL:
    v = load(vm, f, &slots[ip->a]);
    if (UNLIKELY(vm->run->trace != NULL))
        traced(vm, f, (size_t)(ip - code->ins), v);
    TRY(vm_print(vm, v));
    NEXT_INSN();
L_PRINT_ATTR:
    TRY(attr_fast(vm, load(vm, f, &slots[ip->b]), &t->names[ip->a], &v));
    if (UNLIKELY(vm->run->trace != NULL))
        traced(vm, f, (size_t)(ip - code->ins), v);
    TRY(vm_print(vm, v));
    NEXT_INSN();
L_CAPTURE:
    vm_capture(vm);
    NEXT_INSN();
L_END_CAPTURE:
    *sp++ = vm_end_capture(vm, is_markup(vm, (enum escape_mode)ip->a));
    NEXT_INSN();
L_MARK:
    if (sp[-1].type == VAL_STR && f->ctx->unit->autoescape)
        sp[-1].flags |= VAL_F_MARKUP;
    NEXT_INSN();
L_DROP_CAPTURE:
    vm_drop_capture(vm);
    NEXT_INSN();

L_FILTER:
    sp -= t->sites[ip->a].n_values;
    SPEND(1);
    TRY(vm_filter_site(vm, &t->sites[ip->a], sp[-1], sp, &v));
    sp[-1] = v;
    NEXT_INSN();
L_CHECK:
    sp -= t->sites[ip->a].n_values;
    TRY(vm_check_site(vm, &t->sites[ip->a], sp[-1], sp, &v));
    sp[-1] = v;
    NEXT_INSN();
L_CALL:
    sp -= t->sites[ip->a].n_values;
    SPEND(1);
    if (vm_is_macro(sp[-1]) &&
        prints_as_is(vm, f, pc)) { /* no need to collect what is printed anyway */
        pc++;
        sp--;
        TRY(vm_print_macro(vm, &t->sites[ip->a], *sp, sp + 1));
        NEXT_INSN();
    }
    TRY(vm_call_site(vm, &t->sites[ip->a], sp[-1], sp, &v));
    sp[-1] = v;
    NEXT_INSN();
L_CALL_METHOD:
    sp -= t->sites[ip->a].n_values;
    SPEND(1);
    TRY(vm_method_site(vm, &t->sites[ip->a], sp[-1], sp, &v));
    sp[-1] = v;
    NEXT_INSN();
L_RETURN:
    rc = 0;
    goto out;
L_RETURN_VALUE:
    vm->result = *--sp;
    rc = 0;
    goto out;
L_MACRO:
    *sp++ = macro_new(vm, t->codes[ip->a], f);
    NEXT_INSN();
L_PARAM_MISSING:
    slots[ip->b] = undef_make(
        UNDEF_MESSAGE, arena_printf(vm->a, "parameter '%s' was not provided", t->names[ip->a].s.p));
    NEXT_INSN();
L_SELF:
    *sp++ = self_new(vm, f->ctx);
    NEXT_INSN();
L_SUPER:
    *sp++ = super_new(vm, f, &t->names[ip->a]);
    NEXT_INSN();

L_FOR:
    TRY(loop_begin(vm, f, (uint16_t)ip->a, *--sp, ip->b));
    NEXT_INSN();
L_NEXT : {
    struct loop *l = LOOP_AT(ip->b);

    rc = loop_next(vm, l, sp);
    if (LIKELY(rc > 0)) {
        sp++;
    } else {
        TRY(rc);
        pc = code->ins + ip->a;
        loop_end(vm, l);
    }
}
    NEXT_INSN();
L_BREAK:
    loop_end(vm, LOOP_AT(ip->b));
    pc = code->ins + ip->a;
    NEXT_INSN();
L_LOOP_DONE:
    LOOP_AT(ip->a)->completed = true;
    NEXT_INSN();
L_ELSE:
    if (LOOP_AT(ip->b)->completed)
        pc = code->ins + ip->a;
    NEXT_INSN();
L_LOOP_ATTR:
    TRY(loop_attr(vm, LOOP_AT(ip->b), (enum loop_attr)ip->a, sp));
    sp++;
    NEXT_INSN();
L_LOOP_CYCLE:
    sp -= ip->a;
    *sp = sp[LOOP_AT(ip->b)->index0 % ip->a];
    sp++;
    NEXT_INSN();
L_RECURSE:
    sp--;
    TRY(vm_run_code(vm, t->codes[ip->a], f->ctx, f, sp, 1, 0));
    NEXT_INSN();

L_INCLUDE:
    sp -= 1 + ((ip->a & INCLUDE_CONTEXT) != 0);
    TRY(vm_include(vm, f, sp[0], sp[1], (unsigned)ip->a));
    NEXT_INSN();
L_IMPORT:
    sp -= 1 + ((ip->a & INCLUDE_CONTEXT) != 0);
    TRY(vm_import(vm, f, sp[0], sp[1], (unsigned)ip->a, &v));
    *sp++ = v;
    NEXT_INSN();
L_FROM:
    TRY(vm_from(vm, f, sp[-1], &t->names[ip->a], code->lines[ip - code->ins], sp));
    sp++;
    NEXT_INSN();
L_EXTENDS:
    TRY(vm_extends(vm, f, *--sp));
    NEXT_INSN();
L_SKIP_CHILD:
    if (f->parent != NULL)
        pc = code->ins + ip->a;
    NEXT_INSN();
L_RENDER_PARENT:
    TRY(vm_render_parent(vm, f));
    NEXT_INSN();
L_BLOCK:
    if ((ip->b & BLOCK_SCOPED) != 0)
        sp--;
    TRY(vm_block(vm, f, &t->names[ip->a], ip->b, sp[0]));
    NEXT_INSN();

L_AUTOESCAPE:
    TRY(vm_truth(vm, *--sp, &truth));
    slots[ip->a] = val_bool(f->ctx->unit->autoescape);
    f->ctx->unit->autoescape = truth;
    NEXT_INSN();
L_AUTOESCAPE_END:
    f->ctx->unit->autoescape = slots[ip->a].u.b;
    NEXT_INSN();
L_UNDEFINED:
    *sp++ = undef_make(UNDEF_LENIENT, t->consts[ip->a].u.s);
    NEXT_INSN();
L_RAISE:
    TRY(call_raise(&vm->call, (enum tmpl_exc)ip->b, "%.*s", STR_ARG(val_text(t->consts[ip->a]))));
    NEXT_INSN();

L_PG_LOAD:
    TRY(pg_load(vm, f, &t->names[ip->a], ip->b != 0, sp));
    sp++;
    NEXT_INSN();
L_PG_STORE:
    pg_store(vm, f, &t->names[ip->a], *--sp);
    NEXT_INSN();
L_PG_SCOPE:
    pg_scope(vm, f);
    NEXT_INSN();
L_PG_WITH:
    pg_scope(vm, f);
    f->ctx->vars = *--sp;
    NEXT_INSN();
L_PG_SCOPE_END:
    f->ctx = f->ctx->up;
    NEXT_INSN();
L_PG_ATTR:
    TRY(pg_attr(vm, sp[-1], &t->names[ip->a], ip->b != 0, &v));
    sp[-1] = v;
    NEXT_INSN();
L_PG_ITEM:
    sp--;
    TRY(pg_item(vm, sp[-1], *sp, (unsigned)ip->a, &v));
    sp[-1] = v;
    NEXT_INSN();
L_PG_CALL:
    sp -= ip->a;
    SPEND(1);
    TRY(pg_call(vm, sp[-1], sp, (size_t)ip->a, &v));
    sp[-1] = v;
    NEXT_INSN();
L_PG_BINARY:
    sp--;
    TRY(pg_binary(vm, (enum pg_binary)ip->a, sp[-1], *sp, &v));
    sp[-1] = v;
    NEXT_INSN();
L_PG_UNARY:
    TRY(pg_unary(vm, (enum pg_unary)ip->a, sp[-1], &v));
    sp[-1] = v;
    NEXT_INSN();
L_PG_PRINT:
    if (UNLIKELY(vm->run->trace != NULL))
        traced(vm, f, (size_t)(ip - code->ins), sp[-1]);
    TRY(pg_print(vm, f, *--sp, (enum pg_print_mode)ip->a));
    NEXT_INSN();
L_PG_FOR:
    TRY(pg_for(vm, f, (uint16_t)ip->a, *--sp, ip->b));
    NEXT_INSN();
L_PG_NEXT:
    if (pg_next_item(slots[ip->b], sp))
        sp += 2;
    else
        pc = code->ins + ip->a;
    NEXT_INSN();
L_PG_ELSE:
    if (!pg_loop_was_empty(slots[ip->b]))
        pc = code->ins + ip->a;
    NEXT_INSN();
L_PG_CYCLE:
    sp -= ip->a;
    TRY(pg_cycle(vm, ip, sp, (size_t)ip->a, ip->b != 0, &v));
    *sp++ = v;
    NEXT_INSN();
L_PG_CHANGED:
    sp -= ip->a;
    *sp = val_bool(pg_changed(vm, ip, sp, (size_t)ip->a));
    sp++;
    NEXT_INSN();
L_PG_MACRO:
    *sp++ = pg_macro_new(vm, t->codes[ip->a], f);
    NEXT_INSN();
L_PG_INCLUDE:
    sp -= 2;
    TRY(pg_include(vm, f, sp[0], sp[1], (unsigned)ip->a));
    NEXT_INSN();
L_PG_IMPORT:
    TRY(pg_import(vm, f, sp[-1], &t->names[ip->a], &v));
    sp[-1] = v;
    NEXT_INSN();
L_PG_BLOCK:
    TRY(pg_block(vm, f, &t->names[ip->a]));
    NEXT_INSN();
L_PG_AUTOESCAPE:
    slots[ip->b] = val_bool(f->ctx->autoescape);
    f->ctx->autoescape = ip->a != 0;
    NEXT_INSN();
L_PG_AUTOESCAPE_END:
    f->ctx->autoescape = slots[ip->a].u.b;
    NEXT_INSN();

failed:
    if (vm->e->line == 0) {
        vm->e->line = code->lines[ip - code->ins];
        if (t->name.len > 0 && t != vm->main)
            err_detail(vm->e, "in template \"%.*s\"", STR_ARG(t->name));
    }
    rc = -1;
out:
    return rc;
}
