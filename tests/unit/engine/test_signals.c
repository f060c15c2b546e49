/*
 * Signals: whom they reach, when, and what is left of them.
 *
 * The node "wait" parks until it was signalled as often as its cell's name has letters after "wait",
 * and appends what it was told to the context.
 */
#include "unit/engine/play.h"

#include "engine/manual_int.h"

static enum node_rc wait_run(struct node_run *r, struct err *e)
{
    (void)e;
    return node_wait_signal(r, r->now_us + 60 * 1000000LL);
}

static enum node_rc wait_wake(struct node_run *r, struct err *e)
{
    const struct node_key key = {STR("heard"), false};
    struct val heard = context_value(r->inst, STR("heard"));
    struct str kind, text;
    struct val payload;

    if (!node_signalled(r, &kind, &payload))
        return node_fire(r, "timeout");
    text = str_printf(r->a, "%.*s%.*s:%.*s ", STR_ARG(val_is(heard, VAL_STR) ? val_text(heard) : STR("")),
                      STR_ARG(kind), STR_ARG(val_text(payload)));
    if (node_set(r, &key, val_str(text), e) != 0)
        return NODE_FAIL;
    return (size_t)r->tries + 4 < r->cell.len ? node_wait_signal(r, r->now_us + 60 * 1000000LL) : node_fire(r, "ok");
}

static const struct node_type type_wait = {
    .name = "wait", .outputs = (const char *const[]){"ok", "timeout", NULL}, .run = wait_run, .wake = wait_wake};

static enum node_rc launch_run(struct node_run *r, struct err *e)
{
    int64_t id;

    return node_child_launch(r, STR("self"), val_dict_new(r->a, 0), STR("kid"), &id, e) == 0 ? node_fire(r, "ok") : NODE_FAIL;
}
static const struct node_type type_launch = {
    .name = "launch", .outputs = (const char *const[]){"ok", NULL}, .run = launch_run};

static const struct node_type type_entity = {.name = "entity", .role = ROLE_ENTITY};
static const struct node_type *const types[] = {&play_start, &play_end_type, &type_wait, &type_launch, &type_entity};
static const struct node_table nodes = {types, COUNT_OF(types)};

#define WAITING(cell)                                                                                                  \
    "{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{}},'end':{'original_name':'end','outputs':[],'params':{}}," \
    "'late':{'original_name':'end','outputs':[],'params':{}},'" cell                                                    \
    "':{'original_name':'wait','outputs':['ok','timeout'],'params':{}}},'entities':[],'transitions':[['start.ok','" cell \
    "'],['" cell ".ok','end'],['" cell ".timeout','late']]}"

/* As the rows of a load: [id, target, task, kind, payload]. */
static void signals(struct play *p, const char *rows)
{
    struct err e;

    assert_int_equal(signals_read(p->in, play_quotes(p, rows), &e), 0);
}

static bool all_taken(struct play *p)
{
    for (const struct signal_row *s = p->in->signals; s != NULL; s = s->next)
        if (!s->taken)
            return false;
    return true;
}

/* What the engine does with a loaded instance. */
static void drive(struct play *p)
{
    signals_deliver(p->in);
    do
        assert_int_equal(instance_run(p->in, INSTANCE_MAY_BLOCK), INSTANCE_DONE);
    while (signals_deliver(p->in));
}

static const char *row(struct play *p, int id, const char *cell, const char *kind)
{
    return arena_printf(p->a, "[%d,%lld,%lld,'%s','p%d']", id, (long long)p->in->id,
                        cell != NULL ? (long long)play_task(p, cell)->id : 0, kind, id);
}

static void wakes_the_parked_task(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, WAITING("wait1"));
    drive(&p);
    assert_int_equal(play_task(&p, "wait1")->status, TASK_WAIT);
    assert_int_equal(p.in->timers->status, TIMER_WAIT);
    signals(&p, arena_printf(p.a, "[%s]", row(&p, 1, "wait1", "answer")));
    drive(&p);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    assert_string_equal(play_context(&p, "heard"), "\"answer:p1 \"");
    assert_true(all_taken(&p));
    assert_int_equal(p.in->timers->status, TIMER_CANCEL);
    signals_forget(p.in);
    assert_null(p.in->signals);
    play_end(&p);
}

static void keeps_their_order(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, WAITING("wait123"));
    drive(&p);
    signals(&p, arena_printf(p.a, "[%s,%s]", row(&p, 1, "wait123", "a"), row(&p, 2, "wait123", "b")));
    drive(&p);
    assert_int_equal(play_task(&p, "wait123")->status, TASK_WAIT); /* for the third */
    assert_true(all_taken(&p));
    assert_int_equal(p.in->timers->status, TIMER_WAIT); /* one timer, moved */
    assert_null(p.in->timers->next);
    signals_forget(p.in);
    signals(&p, arena_printf(p.a, "[%s,%s]", row(&p, 3, "wait123", "c"), row(&p, 4, "wait123", "d")));
    drive(&p);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    assert_string_equal(play_context(&p, "heard"), "\"a:p1 b:p2 c:p3 \"");
    play_end(&p);
}

static void time_out_wakes_without_one(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, WAITING("wait1"));
    drive(&p);
    p.in->timers->status = TIMER_STOP;
    task_wake(p.in, play_task(&p, "wait1"));
    drive(&p);
    assert_string_equal(str_cstr(p.a, play_task(&p, "wait1")->output), "timeout");
    assert_string_equal(str_cstr(p.a, p.in->end_name), "late");
    play_end(&p);
}

static void waits_for_a_task_that_is_not_parked(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, WAITING("wait1"));
    signals(&p, arena_printf(p.a, "[[1,%lld,2,'early','p1']]", (long long)p.in->id)); /* the task is still queued */
    assert_int_equal(p.in->tasks[0]->id, 2);
    assert_false(signals_deliver(p.in));
    assert_false(all_taken(&p));
    p.in->signals->task_id = 3; /* the next one */
    assert_int_equal(instance_run(p.in, INSTANCE_MAY_BLOCK), INSTANCE_DONE);
    drive(&p);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    assert_string_equal(play_context(&p, "heard"), "\"early:p1 \"");
    play_end(&p);
}

static void drops_what_comes_too_late(void **state)
{
    struct play p;
    const struct log_row *log = NULL;

    (void)state;
    play_begin(&p, &nodes, WAITING("wait1"));
    drive(&p);
    signals(&p, arena_printf(p.a, "[%s,[5,4711,1,'stranger',null],[6,%lld,4711,'nobody',null]]", row(&p, 1, "wait1", "a"),
                             (long long)p.in->id));
    drive(&p);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    assert_true(all_taken(&p));
    signals_forget(p.in);
    signals(&p, arena_printf(p.a, "[%s]", row(&p, 7, "wait1", "again")));
    drive(&p);
    assert_true(all_taken(&p));
    for (log = p.in->logs; log->next != NULL; log = log->next)
        continue;
    assert_string_equal(str_cstr(p.a, log->message), "signal \"again\" came after the closing");
    play_end(&p);
}

static void entities_go_on(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes,
               "{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{}},'end':{'original_name':'end','outputs':[],"
               "'params':{}}},'entities':[{'name':'shop','original_name':'entity','outputs':['paid'],'params':{}}],"
               "'transitions':[['shop.paid','end']]}");
    drive(&p);
    assert_int_equal(p.in->status, INSTANCE_ACTIVE); /* an entity may still speak */
    signals(&p, arena_printf(p.a, "[[1,%lld,0,'entity',{'entity':'shop','event':'lost'}],[2,%lld,0,'entity',"
                                  "{'entity':'shop','event':'paid','value':{'sum':3},'username':'u'}]]",
                             (long long)p.in->id, (long long)p.in->id));
    drive(&p);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    assert_string_equal(play_context(&p, "shop"), "{\"event\":\"paid\",\"value\":{\"sum\":3},\"username\":\"u\"}");
    assert_string_equal(str_cstr(p.a, play_task(&p, "shop")->output), "paid");
    play_end(&p);
}

static void closes_and_blocks_from_outside(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, WAITING("wait1"));
    drive(&p);
    signals(&p, arena_printf(p.a, "[[1,%lld,0,'blocked','a child failed'],[2,%lld,0,'close',null]]", (long long)p.in->id,
                             (long long)p.in->id));
    assert_true(signals_deliver(p.in));
    assert_int_equal(p.in->status, INSTANCE_ERROR);
    assert_int_equal(p.in->new_errors, 1);
    assert_int_equal(p.in->timers->status, TIMER_CANCEL);
    play_end(&p);
}

/* How many rows say so of an answer: those of questions 1, 2, ... in their order. */
static int64_t in_vain(struct play *p)
{
    int64_t n = 0;

    for (const struct extra_row *x = p->in->extras; x != NULL; x = x->next) {
        assert_ptr_equal(x->stmt, &manual_w_unused);
        assert_int_equal(x->args[0].i, ++n);
    }
    return n;
}

static void answer_of(struct play *p, int id)
{
    signals(p, arena_printf(p->a, "[[%d,%lld,%lld,'answer',{'action_id':%d}]]", id, (long long)p->in->id,
                            (long long)play_task(p, "wait1")->id, id));
}

/* Of an answer that nobody goes by its question says so, once. */
static void tells_of_answers_in_vain(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, WAITING("wait1"));
    drive(&p);
    answer_of(&p, 1);
    assert_true(signals_deliver(p.in));
    assert_int_equal(in_vain(&p), 0);
    signal_unused(p.in, play_task(&p, "wait1")); /* as when the question is taken back while it wakes up */
    assert_int_equal(in_vain(&p), 1);
    task_touch(p.in, play_task(&p, "wait1"), TASK_OK);
    signal_done(p.in, play_task(&p, "wait1"));
    answer_of(&p, 2); /* the task has ended */
    signals_deliver(p.in);
    assert_int_equal(in_vain(&p), 2);
    answer_of(&p, 3);
    instance_force_close(p.in);
    signals_drop(p.in);
    signals_drop(p.in); /* stored once more, for the connection was lost */
    assert_int_equal(in_vain(&p), 3);
    assert_true(all_taken(&p));
    play_end(&p);
}

static void launches_children(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes,
               "{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{}},'end':{'original_name':'end','outputs':[],"
               "'params':{}},'l':{'original_name':'launch','outputs':['ok'],'params':{}}},'entities':[],"
               "'transitions':[['start.ok','l'],['l.ok','end']]}");
    p.in->depth = 20;
    drive(&p);
    assert_int_equal(play_task(&p, "l")->status, TASK_ERROR); /* nested too deep */
    assert_null(p.in->children);
    p.in->depth = 19;
    task_touch(p.in, play_task(&p, "l"), TASK_QUEUED);
    queue_push(p.in, play_task(&p, "l"));
    drive(&p);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    assert_non_null(p.in->children);
    assert_int_equal(p.in->children->task_id, play_task(&p, "l")->id);
    assert_true(p.in->launched);
    play_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wakes_the_parked_task),   cmocka_unit_test(keeps_their_order),
        cmocka_unit_test(time_out_wakes_without_one), cmocka_unit_test(waits_for_a_task_that_is_not_parked),
        cmocka_unit_test(drops_what_comes_too_late), cmocka_unit_test(entities_go_on),
        cmocka_unit_test(closes_and_blocks_from_outside), cmocka_unit_test(tells_of_answers_in_vain), cmocka_unit_test(launches_children),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
