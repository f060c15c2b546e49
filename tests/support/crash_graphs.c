/*
 * The workflows of it_crash.
 */
#include "support/crash_graphs.h"

#include "base/arena.h"

/* A workflow being written. */
struct maker {
    struct arena *a;
    struct buf cells, lines, facts, entities;
    uint64_t *rng;
    int port, n;
};

enum { ANY = -1 };

/* What must be there of a cell at the end; zero: one task in OK that leaves nothing. */
struct fact {
    int tasks;          /* 0: one; ANY: as many as there were events */
    bool maybe;         /* ... or none */
    const char *status; /* NULL: OK; "": any */
    const char *output; /* NULL: any */
    bool call;          /* calls the ledger once for each task */
    const char *key;    /* of the context */
    const char *path;   /* in its value; NULL: the value itself */
    const char *want;   /* text found there */
    int subs, at_once;  /* instances it runs, and how many of them at a time (0: whatever) */
    const char *asks;   /* "callback", "person", "event" */
};

uint64_t crash_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

int crash_below(uint64_t *state, int n)
{
    return (int)(crash_random(state) % (uint64_t)n);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void line(struct maker *m, const char *from, const char *to)
{
    buf_addf(&m->lines, "%s[\"%s\",\"%s\"]", m->lines.len > 0 ? "," : "", from, to);
}

static void bare_cell(struct maker *m, const char *name, const char *type, const char *params,
                      const char *outputs)
{
    buf_addf(&m->cells,
             "%s\"%s\":{\"original_name\":\"%s\",\"params\":{%s},\"outputs\":[%s],\"x\":0,\"y\":0}",
             m->cells.len > 0 ? "," : "", name, type, params, outputs);
}

static const char *text(struct maker *m, const char *s)
{
    return s == NULL ? "NULL" : arena_printf(m->a, "'%s'", s);
}

static void fact(struct maker *m, const char *name, struct fact f)
{
    const char *status = f.status == NULL ? "OK" : f.status[0] == '\0' ? NULL : f.status;

    buf_addf(&m->facts, "%s(0,'%s',%s,%s,%s,%s,%s,%s,'{%s}',%s,%d,%d,%s)",
             m->facts.len > 0 ? "," : "", name,
             f.tasks == ANY ? "NULL" : arena_printf(m->a, "%d", f.tasks > 0 ? f.tasks : 1),
             f.maybe ? "true" : "false", text(m, status), text(m, f.output),
             f.call ? "true" : "false", text(m, f.key), f.path != NULL ? f.path : "",
             text(m, f.want), f.subs, f.at_once, text(m, f.asks));
}

static void cell(struct maker *m, const char *name, const char *type, const char *params,
                 const char *outputs, struct fact f)
{
    bare_cell(m, name, type, params, outputs);
    fact(m, name, f);
}

static const char *named(struct maker *m, const char *prefix)
{
    return arena_printf(m->a, "%s%d", prefix, ++m->n);
}

static const char *out(struct maker *m, const char *name, const char *output)
{
    return arena_printf(m->a, "%s.%s", name, output);
}

/* ---- cells ---------------------------------------------------------------------------------- */

/* Body of a call: who calls. */
static const char *call_params(struct maker *m, const char *name, const char *more)
{
    return arena_printf(m->a,
                        "\"method\":\"post\",\"url\":\"http://127.0.0.1:%d/\",\"body\":\"{\\\"guid\\\":"
                        "\\\"{{ instance.guid }}\\\",\\\"cell\\\":\\\"%s\\\"}\"%s",
                        m->port, name, more);
}

static const char *add_call(struct maker *m, const char *from, int turns)
{
    const char *name = named(m, "call"), *key = arena_printf(m->a, "answer_%s", name);

    cell(m, name, "http_call",
         call_params(m, name, arena_printf(m->a, ",\"output_context_key\":\"%s\"", key)),
         "\"success\",\"error\"",
         (struct fact){
             .tasks = turns, .call = true, .key = key, .path = "body,cell", .want = name});
    line(m, from, name);
    return out(m, name, "success");
}

/* Adds a letter each time it runs. */
static const char *add_set(struct maker *m, const char *from, int turns)
{
    const char *name = named(m, "set"), *key = arena_printf(m->a, "times_%s", name);
    const char *want = arena_printf(m->a, "%.*s", turns, "xxxxxxxxxx");

    cell(m, name, "context_setter",
         arena_printf(m->a, "\"key\":\"%s\",\"value\":\"{{ (context.%s | default('')) ~ 'x' }}\"",
                      key, key),
         "\"ok\"", (struct fact){.tasks = turns, .key = key, .want = want});
    line(m, from, name);
    return out(m, name, "ok");
}

static void timer(struct maker *m, const char *from, const char *name, const char *time,
                  struct fact f)
{
    cell(m, name, "timer",
         arena_printf(m->a, "\"timeout\":\"%s\",\"discard_idle_limit\":\"true\"", time), "\"ok\"",
         f);
    line(m, from, name);
}

static const char *add_timer(struct maker *m, const char *from)
{
    const char *name = named(m, "timer");

    timer(m, from, name, "1 second", (struct fact){0});
    return out(m, name, "ok");
}

static const char *add_simple(struct maker *m, const char *from, int kinds)
{
    int kind = crash_below(m->rng, kinds);

    return kind < 5 ? add_call(m, from, 1) : kind < 9 ? add_set(m, from, 1) : add_timer(m, from);
}

static const char *add_or(struct maker *m, const char *from, int turns)
{
    const char *name = named(m, "or");

    cell(m, name, "or_outputs", "", "\"ok\"", (struct fact){.tasks = turns});
    line(m, from, name);
    return name;
}

/* The ledger gives an id, somebody comes back with it (crash_outside.h). */
static const char *await(struct maker *m, const char *from, struct fact f)
{
    const char *name = named(m, "async"), *key = arena_printf(m->a, "back_%s", name);

    f.call = true;
    f.asks = "callback";
    cell(m, name, "async_json_call",
         call_params(m, name,
                     arena_printf(m->a,
                                  ",\"register_async_external_id\":\"id\","
                                  "\"async_output_context_key\":\"%s\",\"timeout\":\"1 hour\"",
                                  key)),
         "\"success\",\"timeout\",\"error\"", f);
    line(m, from, name);
    return out(m, name, "success");
}

static const char *add_await(struct maker *m, const char *from)
{
    return await(m, from, (struct fact){.output = "success"});
}

/* A question; both answers lead on. */
static const char *add_question(struct maker *m, const char *from)
{
    bool approval = crash_below(m->rng, 2) == 0;
    const char *name = named(m, approval ? "approval" : "action"), *gate;

    cell(m, name, approval ? "user_approval" : "trigger_manual_action",
         arena_printf(m->a, "\"%s\":\"" CRASH_ROLE "\",\"description\":\"{{ instance.guid }} %s\"%s",
                      approval ? "approbation_role" : "role", name,
                      approval ? "" : ",\"possible_outputs\":\"yes,no\""),
         approval ? "\"approved\",\"declined\",\"timeout\"" : "\"yes\",\"no\"",
         (struct fact){.asks = "person"});
    line(m, from, name);
    gate = add_or(m, out(m, name, approval ? "approved" : "yes"), 1);
    line(m, out(m, name, approval ? "declined" : "no"), gate);
    return out(m, gate, "ok");
}

/* A leaf inside; which of its ends it reaches depends on the number. */
static const char *add_macro(struct maker *m, const char *from)
{
    const char *name = named(m, "macro"), *key = arena_printf(m->a, "heard_%s", name);
    int number = crash_below(m->rng, 10);

    cell(m, name, "macro",
         arena_printf(m->a,
                      "\"workflow\":\"%s\",\"input\":\"{\\\"n\\\": %d}\",\"terminations\":"
                      "\"end,other\",\"output_context_key\":\"%s\"",
                      crash_below(m->rng, 2) == 0 ? "leaf" : "middle", number, key),
         "\"error\",\"end\",\"other\"",
         (struct fact){.key = key,
                       .path = "body",
                       .want = arena_printf(m->a, "%d", number),
                       .output = number % 2 == 1 ? "other" : "end",
                       .subs = 1});
    line(m, from, name);
    return out(m, name, number % 2 == 1 ? "other" : "end");
}

/* Some beside it, a few at a time, and what they answered. */
static const char *add_spawn(struct maker *m, const char *from)
{
    const char *name = named(m, "spawn"), *told = named(m, "told");
    int n = 1 + crash_below(m->rng, 6), factor = 1 + crash_below(m->rng, 3);
    bool one_by_one = crash_below(m->rng, 3) == 0;
    struct buf source, want;

    buf_init(&source, MIB, m->a);
    buf_init(&want, MIB, m->a);
    for (int i = 1; i <= n; i++) {
        buf_addf(&source, "%s{\\\"n\\\": %d}", i > 1 ? "," : "", i);
        buf_addf(&want, "%s%d", i > 1 ? " " : "", i);
    }
    cell(m, name, "trigger_subworkflows",
         arena_printf(m->a,
                      "\"workflow\":\"%s\",\"source\":\"[%s]\",\"parallel_factor\":\"%d\","
                      "\"sequential\":\"%s\"",
                      crash_below(m->rng, 3) == 0 ? "middle" : "leaf", buf_cstr(&source), factor,
                      one_by_one ? "true" : "false"),
         "\"ok\",\"error\",\"skip\"",
         (struct fact){.subs = n, .at_once = one_by_one ? 1 : factor, .output = "ok"});
    line(m, from, name);
    cell(m, told, "context_setter",
         arena_printf(m->a,
                      "\"key\":\"%s\",\"value\":\"{{ sub_instances_responses | selectattr('_task', "
                      "'eq', '%s') | map(attribute='body') | join(' ') }}\"",
                      told, name),
         "\"ok\"", (struct fact){.key = told, .want = buf_cstr(&want)});
    line(m, out(m, name, "ok"), told);
    return out(m, told, "ok");
}

/* ---- stages --------------------------------------------------------------------------------- */

static const char *add_branch(struct maker *m, const char *from)
{
    switch (crash_below(m->rng, 8)) {
    case 0:
        return add_await(m, from);
    case 1:
        return add_question(m, from);
    case 2:
        return add_macro(m, from);
    default:
        return add_simple(m, from, 9);
    }
}

static const char *join(struct maker *m, int turns)
{
    const char *name = named(m, "join");

    cell(m, name, "sync_outputs", "", "\"ok\"", (struct fact){.tasks = turns});
    return name;
}

static const char *add_fork(struct maker *m, const char *from)
{
    const char *all = join(m, 1);
    int branches = 2 + crash_below(m->rng, 2);

    for (int i = 0; i < branches; i++) {
        const char *tail = add_branch(m, from);

        if (crash_below(m->rng, 2) == 0)
            tail = add_simple(m, tail, 10);
        line(m, tail, all);
    }
    return out(m, all, "ok");
}

/* Rounds with two branches and a join each; half of them come back by a goto. */
static const char *add_loop(struct maker *m, const char *from)
{
    int turns = 2 + crash_below(m->rng, 3);
    const char *gate = add_or(m, from, turns), *all = join(m, turns);
    const char *count = named(m, "count"), *again = named(m, "again"), *back;

    line(m, add_call(m, out(m, gate, "ok"), turns), all);
    line(m, add_set(m, out(m, gate, "ok"), turns), all);
    cell(m, count, "context_setter",
         arena_printf(m->a, "\"key\":\"%s\",\"value\":\"{{ (context.%s | default(0) | int) + 1 }}\"",
                      count, count),
         "\"ok\"",
         (struct fact){
             .tasks = turns, .key = count, .want = arena_printf(m->a, "%d", turns)});
    line(m, out(m, all, "ok"), count);
    cell(m, again, "boolean_expression",
         arena_printf(m->a, "\"expression\":\"{{ context.%s }} < %d\"", count, turns),
         "\"true\",\"false\"", (struct fact){.tasks = turns});
    line(m, out(m, count, "ok"), again);
    if (crash_below(m->rng, 2) == 0) {
        back = named(m, "goto");
        bare_cell(m, back, "goto", arena_printf(m->a, "\"task\":\"%s\"", gate), "");
        line(m, out(m, again, "true"), back);
    } else {
        line(m, out(m, again, "true"), gate);
    }
    return out(m, again, "false");
}

/* A timer that another branch stops. */
static const char *add_stopped(struct maker *m, const char *from)
{
    const char *name = named(m, "stopped"), *stop = named(m, "stop");

    timer(m, from, name, "1 hour", (struct fact){.output = "stopped"});
    cell(m, stop, "stop_timer", arena_printf(m->a, "\"timer\":\"%s\"", name),
         "\"ok\",\"not_found\"", (struct fact){.output = "ok"});
    line(m, add_call(m, from, 1), stop);
    return out(m, stop, "ok");
}

/* Who comes first goes on alone. */
static const char *add_race(struct maker *m, const char *from)
{
    const char *name = named(m, "timer"), *gate;

    timer(m, from, name, "1 second", (struct fact){.status = ""});
    gate = add_or(m, out(m, name, "ok"), 1);
    line(m, await(m, from, (struct fact){.status = ""}), gate);
    return out(m, gate, "ok");
}

/* Somebody outside hears of a call and sends two events, each of which does something beside; what
 * follows the one and the other. */
static void add_entity(struct maker *m, const char *from, const char *name, const char **said,
                       const char **done)
{
    const char *entity = arena_printf(m->a, "of_%s", name);
    const char *heard = arena_printf(m->a, "heard_%s", entity);
    const char *told = arena_printf(m->a, "told_%s", entity);

    cell(m, name, "http_call", call_params(m, name, ""), "\"success\",\"error\"",
         (struct fact){.call = true});
    line(m, from, name);
    buf_addf(&m->entities,
             "%s{\"name\":\"%s\",\"original_name\":\"entity\",\"params\":{\"events\":\"" CRASH_EVENTS
             "\"},\"outputs\":[\"said\",\"done\"],\"x\":0,\"y\":0}",
             m->entities.len > 0 ? "," : "", entity);
    fact(m, entity, (struct fact){.tasks = ANY, .asks = "event"});
    cell(m, heard, "context_setter",
         arena_printf(m->a, "\"key\":\"%s\",\"value\":\"{{ (context.%s | default('')) ~ 'x' }}\"",
                      heard, heard),
         "\"ok\"", (struct fact){.tasks = ANY});
    line(m, out(m, entity, "said"), heard);
    *said = out(m, heard, "ok");
    cell(m, told, "http_call", call_params(m, told, ""), "\"success\",\"error\"",
         (struct fact){.tasks = ANY, .call = true});
    line(m, out(m, entity, "done"), told);
    *done = out(m, told, "success");
}

/* It goes on when both have come. */
static const char *add_events(struct maker *m, const char *from)
{
    const char *name = named(m, CRASH_EVENT), *all = join(m, 1), *said, *done, *gate;

    add_entity(m, from, name, &said, &done);
    line(m, out(m, name, "success"), all);
    gate = add_or(m, said, 1);
    line(m, out(m, gate, "ok"), all);
    gate = add_or(m, done, 1);
    line(m, out(m, gate, "ok"), all);
    return out(m, all, "ok");
}

/* Nobody waits for them: they come before the end, in it, or behind it. */
static const char *add_strays(struct maker *m, const char *from)
{
    const char *name = named(m, CRASH_STRAY), *said, *done;

    add_entity(m, from, name, &said, &done);
    return out(m, name, "success");
}

/* What still waits when the end is reached: nothing comes of it. */
static const char *add_left(struct maker *m, const char *from)
{
    const char *late = named(m, "late"), *asked = named(m, "asked"), *idle = named(m, "idle");
    bool inside = crash_below(m->rng, 2) == 0;

    timer(m, from, late, "1 hour", (struct fact){.status = "WAIT"});
    cell(m, asked, "trigger_manual_action",
         "\"role\":\"" CRASH_ROLE "\",\"description\":\"" CRASH_LEFT
         "\",\"possible_outputs\":\"yes,no\"",
         "\"yes\",\"no\"", (struct fact){.status = "WAIT"});
    line(m, from, asked);
    if (inside)
        cell(m, idle, "macro", "\"workflow\":\"idle\"", "\"error\",\"ok\"",
             (struct fact){.status = "WAIT", .subs = 1});
    else
        cell(m, idle, "trigger_subworkflows",
             "\"workflow\":\"idle\",\"source\":\"[{},{},{}]\",\"parallel_factor\":\"2\"",
             "\"ok\",\"error\",\"skip\"", (struct fact){.status = "WAIT", .subs = 2});
    line(m, from, idle);
    return from;
}

enum { STAGES = 12 };

static const char *add_stage(struct maker *m, const char *from, int kind)
{
    static const char *(*const stages[STAGES])(struct maker *, const char *) = {
        add_loop, add_macro, add_spawn,    add_await, add_question,
        add_race, add_left,  add_stopped, add_fork,  add_events, add_fork, add_events};

    return stages[kind](m, from);
}

/* ---- workflows ------------------------------------------------------------------------------ */

static void begin(struct maker *m, uint64_t *rng, int port, struct arena *a)
{
    *m = (struct maker){.a = a, .rng = rng, .port = port};
    buf_init(&m->cells, MIB, a);
    buf_init(&m->lines, MIB, a);
    buf_init(&m->facts, MIB, a);
    buf_init(&m->entities, MIB, a);
    bare_cell(m, "start", "start", "", "\"ok\"");
    bare_cell(m, "end", "end", "", "");
}

static struct crash_graph ended(struct maker *m, const char *name, const char *status)
{
    return (struct crash_graph){
        .name = name,
        .definition = arena_printf(m->a, "{\"cells\":{%s},\"entities\":[%s],\"transitions\":[%s]}",
                                   buf_cstr(&m->cells), buf_cstr(&m->entities),
                                   buf_cstr(&m->lines)),
        .facts = buf_cstr(&m->facts),
        .status = status,
    };
}

/* Answers with the number it was given, and ends by whether that is odd. */
static void answer(struct maker *m, const char *from)
{
    cell(m, "say", "callback_response", "\"body\":\"{{ request.n }}\"", "\"ok\"", (struct fact){0});
    line(m, from, "say");
    cell(m, "odd", "boolean_expression", "\"expression\":\"{{ request.n }} % 2 == 1\"",
         "\"true\",\"false\"", (struct fact){0});
    line(m, "say.ok", "odd");
    bare_cell(m, "other", "end", "", "");
    line(m, "odd.true", "other");
    line(m, "odd.false", "end");
    fact(m, "start", (struct fact){0});
    fact(m, "end", (struct fact){.maybe = true});
    fact(m, "other", (struct fact){.maybe = true});
}

struct crash_graph crash_helper(int number, int ledger_port, struct arena *a)
{
    struct maker m;

    begin(&m, NULL, ledger_port, a);
    switch (number) {
    case 0:
        answer(&m, add_set(&m, add_call(&m, "start.ok", 1), 1));
        return ended(&m, "leaf", "CLOSED_IN_SUCCESS");
    case 1: /* two of them inside each other, and a wait */
        cell(&m, "inner", "macro",
             "\"workflow\":\"leaf\",\"input\":\"{\\\"n\\\": 2}\",\"terminations\":\"end,other\"",
             "\"error\",\"end\",\"other\"", (struct fact){.output = "end", .subs = 1});
        line(&m, add_timer(&m, "start.ok"), "inner");
        answer(&m, add_call(&m, "inner.end", 1));
        return ended(&m, "middle", "CLOSED_IN_SUCCESS");
    default: /* it is closed before it ends, perhaps before it begins */
        timer(&m, "start.ok", "wait", "1 hour", (struct fact){.maybe = true, .status = "WAIT"});
        line(&m, "wait.ok", "end");
        fact(&m, "start", (struct fact){.maybe = true, .status = ""});
        return ended(&m, "idle", "CLOSED_IN_ERROR");
    }
}

struct crash_graph crash_top(int number, uint64_t *rng, int ledger_port, struct arena *a)
{
    int stages = 1 + crash_below(rng, 3);
    struct maker m;
    const char *tail;

    begin(&m, rng, ledger_port, a);
    tail = add_call(&m, "start.ok", 1);
    tail = add_stage(&m, tail, 2 * (number % CRASH_TOPS));
    tail = add_stage(&m, tail, 2 * (number % CRASH_TOPS) + 1);
    for (int i = 0; i < stages; i++)
        tail = crash_below(rng, 2) == 0 ? add_stage(&m, tail, crash_below(rng, STAGES))
                                        : add_simple(&m, tail, 10);
    if (crash_below(rng, 2) == 0)
        tail = add_strays(&m, tail);
    line(&m, tail, "end");
    fact(&m, "start", (struct fact){0});
    fact(&m, "end", (struct fact){0});
    return ended(&m, arena_printf(a, "graph%d", number), "CLOSED_IN_SUCCESS");
}
