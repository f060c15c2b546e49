/*
 * A rendering from its beginning to its end: budgets, frames, captured output.
 */
#include "template/vm_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

enum {
    CHUNK_VALUES = 2048,      /* of the value stack */
    FUEL = 20000,             /* steps between two looks at clock and memory */
    DEFAULT_MEMORY = 256,     /* MiB */
    FIRST_ROOM_MAX = 1 << 20, /* bytes of output reserved from the beginning */
};
#define DEFAULT_STEPS INT64_C(200000000)

/* ---- failing --------------------------------------------------------------------------------- */

int vm_raise(struct vm *vm, enum tmpl_exc exc, const char *fmt, ...)
{
    va_list ap;
    char text[ERR_TEXT_MAX];

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return call_raise(&vm->call, exc, "%s", text);
}

int vm_limit(struct vm *vm, const char *budget)
{
    return vm_raise(vm, TMPL_EXC_LIMIT, "the %s budget of the template is used up", budget);
}

/* ---- budgets --------------------------------------------------------------------------------- */

int vm_refuel(struct vm *vm)
{
    vm->steps_left -= FUEL - vm->fuel;
    vm->fuel = FUEL;
    if (vm->steps_left <= 0)
        return vm_limit(vm, "step");
    if (vm->out != NULL && vm->out->over)
        return vm_limit(vm, "output");
    if (arena_used(vm->a) > vm->memory_max)
        return vm_limit(vm, "memory");
    if (clock_mono_us(vm->clock) > vm->deadline_us)
        return vm_limit(vm, "time");
    return 0;
}

int vm_spend(struct call *c, int64_t n)
{
    struct vm *vm = c->vm;

    if (vm == NULL)
        return 0;
    vm->fuel -= n;
    return LIKELY(vm->fuel >= 0) ? 0 : vm_refuel(vm);
}

int vm_memory(struct call *c, uint64_t bytes)
{
    struct vm *vm = c->vm;
    size_t used = arena_used(c->a);

    if (vm == NULL)
        return bytes <= DEFAULT_MEMORY * MIB
                   ? 0
                   : call_raise(c, TMPL_EXC_LIMIT, "the value is too large");
    if (used > vm->memory_max || bytes > vm->memory_max - used)
        return vm_limit(vm, "memory");
    return 0;
}

bool vm_autoescape(const struct vm *vm)
{
    return vm->frame != NULL ? vm->frame->ctx->unit->autoescape : vm->main->env.autoescape;
}

const struct tmpl_run *vm_run(const struct vm *vm)
{
    return vm->run;
}

const struct tmpl_env *vm_env(const struct vm *vm)
{
    return vm->frame != NULL ? &vm->frame->code->t->env : &vm->main->env;
}

/* ---- randomness: xorshift128+, seeded once --------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t vm_random(struct vm *vm)
{
    uint64_t x;
    uint64_t y;

    if (vm->run->random_seed == 0) { /* ids and tokens are made of it: never guessable */
        if (getrandom(&x, sizeof(x), 0) == (ssize_t)sizeof(x))
            return x;
        return mix((uint64_t)clock_mono_us(vm->clock));
    }
    if (!vm->random_ready) {
        vm->random[0] = mix(vm->run->random_seed);
        vm->random[1] = mix(vm->random[0]);
        vm->random_ready = true;
    }
    x = vm->random[0];
    y = vm->random[1];
    vm->random[0] = y;
    x ^= x << 23;
    vm->random[1] = x ^ y ^ (x >> 17) ^ (y >> 26);
    return vm->random[1] + y;
}

/* ---- captured output ------------------------------------------------------------------------- */

void vm_capture(struct vm *vm)
{
    struct capture *c = vm->captures->next;

    if (c == NULL) {
        c = ARENA_NEW(vm->a, struct capture);
        buf_init(&c->buf, vm->output_max, vm->a);
        c->prev = vm->captures;
        vm->captures->next = c;
    }
    c->buf.len = 0;
    c->outer = vm->out;
    vm->captures = c;
    vm->out = &c->buf;
}

void vm_drop_capture(struct vm *vm)
{
    struct capture *c = vm->captures;

    if (c->buf.over && c->outer != NULL)
        c->outer->over = true;
    vm->out = c->outer;
    vm->captures = c->prev;
}

struct val vm_end_capture(struct vm *vm, bool markup)
{
    struct val v = val_str_dup(vm->a, buf_str(&vm->captures->buf));

    if (markup)
        v.flags |= VAL_F_MARKUP;
    vm_drop_capture(vm);
    return v;
}

/* ---- frames
 * ------------------------------------------------------------------------------------------------
 */

/* Room for `n` values in the chunk that vm->top points into. */
static void stack_room(struct vm *vm, size_t n)
{
    struct stack_chunk *c = vm->chunk;

    if ((size_t)(c->end - vm->top) >= n)
        return;
    while (c->next != NULL && (size_t)(c->next->end - c->next->begin) < n)
        c->next = c->next->next;
    if (c->next == NULL) {
        size_t size = n > CHUNK_VALUES ? n : CHUNK_VALUES;

        c->next = ARENA_NEW(vm->a, struct stack_chunk);
        c->next->begin = arena_alloc(vm->a, size * sizeof(struct val));
        c->next->end = c->next->begin + size;
    }
    vm->chunk = c->next;
    vm->top = vm->chunk->begin;
}

int vm_run_code(struct vm *vm, const struct code *code, struct ctx *ctx, struct frame *outer,
                const struct val *args, size_t n_args, int depth0)
{
    struct stack_chunk *chunk = vm->chunk;
    struct val *top = vm->top;
    struct frame *caller = vm->frame;
    struct buf *out = vm->out;
    struct capture *captures = vm->captures;
    struct frame on_stack;
    struct frame *f = &on_stack;
    int rc = -1;

    if (vm->depth >= vm->max_depth)
        return vm_limit(vm, "depth");
    stack_room(vm, code->n_slots + code->max_stack);
    if (code->has_inner) {
        f = arena_alloc(vm->a, sizeof(*f) + code->n_slots * sizeof(struct val));
        f->slots = (struct val *)(void *)(f + 1);
    } else {
        f->slots = vm->top;
        vm->top += code->n_slots;
    }
    f->outer = outer;
    f->code = code;
    f->ctx = ctx;
    f->parent = code->kind == CODE_LOOP ? outer->parent : NULL;
    f->depth0 = depth0;
    if (code->n_slots > 0)
        memcpy(f->slots, code->init, code->n_slots * sizeof(struct val));
    if (n_args > 0)
        memcpy(f->slots, args, n_args * sizeof(struct val));
    vm->frame = f;
    vm->depth++;
    rc = vm_execute(vm, f);
    vm->depth--;
    vm->frame = caller;
    vm->chunk = chunk;
    vm->top = top;
    if (rc != 0) { /* whoever swallows the error goes on as if the call had not been */
        vm->out = out;
        vm->captures = captures;
    }
    return rc;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------
 */

static void vm_init(struct vm *vm, const struct tmpl *t, const struct tmpl_run *run,
                    struct arena *a, struct err *e)
{
    const struct tmpl_budget *b = &run->budget;
    size_t memory = b->memory > 0 ? b->memory : DEFAULT_MEMORY * MIB;

    memset(vm, 0, sizeof(*vm));
    vm->run = run;
    vm->main = t;
    vm->a = a;
    vm->e = e;
    vm->call = (struct call){.vm = vm, .a = a, .e = e, .name = ""};
    vm->undefined = t->env.dialect == TMPL_PONGO2 ? TMPL_UNDEF_LENIENT : t->env.undefined;
    vm->max_depth = b->depth > 0 ? b->depth : LIMIT_TMPL_DEPTH;
    vm->fuel = FUEL;
    vm->steps_left = b->steps > 0 ? b->steps : DEFAULT_STEPS;
    if (vm->steps_left < FUEL)
        vm->fuel = vm->steps_left;
    vm->clock = run->clock != NULL ? run->clock : &clock_system;
    vm->deadline_us =
        clock_mono_us(vm->clock) + (b->time_ms > 0 ? b->time_ms : LIMIT_TMPL_MS) * 1000;
    vm->memory_max = arena_used(a) + memory;
    vm->output_max = b->output > 0 ? b->output : LIMIT_TMPL_OUTPUT;
    map_init(&vm->templates, a);
    map_init(&vm->modules, a);
    map_init(&vm->tag_states, a);
}

/* What the last rendering printed and a little more, within reason. */
static size_t first_room(const struct tmpl *t, const struct buf *out)
{
    size_t n = atomic_load_explicit(t->printed, memory_order_relaxed);

    n += n / 16 + 64;
    if (n > FIRST_ROOM_MAX)
        n = FIRST_ROOM_MAX;
    return n < out->max - out->len ? n : out->max - out->len;
}

int vm_start(const struct tmpl *t, const struct tmpl_run *run, struct buf *out, struct val *value,
             struct arena *a, struct err *e)
{
    struct stack_chunk chunk = {0};
    struct val values[256];
    struct capture no_capture = {0};
    struct vm vm;
    struct ctx *ctx;
    size_t out_max = out != NULL ? out->max : 0;
    size_t out_len = out != NULL ? out->len : 0;
    int rc;

    vm_init(&vm, t, run, a, e);
    chunk.begin = values;
    chunk.end = values + COUNT_OF(values);
    vm.chunk = &chunk;
    vm.top = chunk.begin;
    vm.captures = &no_capture;
    vm.out = out;
    if (out != NULL && out->max - out->len > vm.output_max)
        out->max = out->len + vm.output_max;
    if (out != NULL)
        (void)buf_reserve(out, first_room(t, out));
    e->line = 0;
    ctx = ctx_new(&vm, NULL, unit_new(&vm, t));
    rc = vm_run_code(&vm, t->root, ctx, NULL, NULL, 0, 0);
    if (rc == 0 && out != NULL && out->over)
        rc = vm_limit(&vm, "output");
    if (rc == 0 && value != NULL && t->python && vm.result.type == VAL_UNDEF)
        rc = undef_fail(&vm.call, vm.result); /* an unknown name is an error, never "false" */
    if (rc == 0 && value != NULL)
        *value = vm.result;
    if (rc == 0 && out != NULL)
        atomic_store_explicit(t->printed, out->len - out_len, memory_order_relaxed);
    if (out != NULL)
        out->max = out_max;
    return rc;
}
