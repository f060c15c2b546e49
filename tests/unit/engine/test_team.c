/*
 * Branches that wait for the outside do so at the same time, and nothing else happens at the same time.
 *
 * The node "meet" waits until a number of its kind have come; with one worker they never would.
 */
#include "unit/engine/play.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t all;
    int here, most, want;
    int turns; /* nodes that hold the turn right now */
    bool clash, late;
};

static struct meeting meeting;

static void meeting_new(int want)
{
    meeting = (struct meeting){.lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER, .want = want};
}

/* True when all came within ten seconds. */
static bool meet(void)
{
    struct timespec until;
    bool ok = true;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&meeting.lock);
    meeting.here++;
    if (meeting.here > meeting.most)
        meeting.most = meeting.here;
    if (meeting.here >= meeting.want)
        pthread_cond_broadcast(&meeting.all);
    while (ok && meeting.most < meeting.want)
        ok = pthread_cond_timedwait(&meeting.all, &meeting.lock, &until) != ETIMEDOUT;
    meeting.here--;
    meeting.late = meeting.late || !ok;
    pthread_mutex_unlock(&meeting.lock);
    return ok;
}

static void turn_begins(void)
{
    pthread_mutex_lock(&meeting.lock);
    meeting.clash = meeting.clash || meeting.turns != 0;
    meeting.turns++;
    pthread_mutex_unlock(&meeting.lock);
}

static void turn_ends(void)
{
    pthread_mutex_lock(&meeting.lock);
    meeting.turns--;
    pthread_mutex_unlock(&meeting.lock);
}

static enum node_rc meet_run(struct node_run *r, struct err *e)
{
    const struct node_key before = {str_printf(r->a, "before %.*s", STR_ARG(r->cell)), false};
    const struct node_key after = {str_printf(r->a, "after %.*s", STR_ARG(r->cell)), false};
    struct str text = str_printf(r->a, "%.*s", STR_ARG(r->cell)); /* lives in the scratch of this task */
    size_t mark;

    turn_begins();
    if (node_set(r, &before, val_str(text), e) != 0)
        return NODE_FAIL;
    mark = node_context_mark(r);
    turn_ends();
    node_blocks(r);
    (void)meet();
    memset(arena_alloc(r->a, 4096), 1, 4096);
    node_goes_on(r);
    turn_begins();
    if (node_set(r, &after, val_str(text), e) != 0)
        return NODE_FAIL;
    if (str_starts(r->cell, STR("undo")))
        node_context_undo(r, mark);
    turn_ends();
    return node_fire(r, "ok");
}

static const struct node_type type_meet = {
    .name = "meet", .outputs = (const char *const[]){"ok", NULL}, .flags = NODE_BLOCKING, .run = meet_run};

static enum node_rc sub_run(struct node_run *r, struct err *e)
{
    return node_sub_start(r, STR("self"), val_dict_new(r->a, 0), e);
}

static enum node_rc sub_wake(struct node_run *r, struct err *e)
{
    struct node_sub_result res;

    (void)e;
    return node_sub_result(r, &res) && res.success ? node_fire(r, "ok") : NODE_FAIL;
}

/* A sub-instance of the same workflow; in it (depth 1) the cell does nothing. */
static enum node_rc fork_run(struct node_run *r, struct err *e)
{
    return r->inst->depth > 0 ? node_fire(r, "ok") : sub_run(r, e);
}

static const struct node_type type_fork = {
    .name = "fork", .outputs = (const char *const[]){"ok", NULL}, .run = fork_run, .wake = sub_wake};

static const struct node_type *const types[] = {&play_start, &play_end_type, &play_join, &type_meet, &type_fork};
static const struct node_table nodes = {types, COUNT_OF(types)};

/* ---- workers ---------------------------------------------------------------------------------- */

struct job {
    void (*fn)(void *arg);
    void *arg;
};

static pthread_t threads[256];
static int n_threads, n_stores, fail_store_at;

static void *work_main(void *arg)
{
    struct job *j = arg;

    j->fn(j->arg);
    free(j);
    return NULL;
}

static int work(void *ctx, void (*fn)(void *arg), void *arg)
{
    struct job *j = malloc(sizeof *j);

    (void)ctx;
    assert_non_null(j);
    *j = (struct job){fn, arg};
    assert_int_equal(pthread_create(&threads[n_threads++], NULL, work_main, j), 0);
    return 0;
}

static int nobody(void *ctx, void (*fn)(void *arg), void *arg)
{
    (void)ctx;
    (void)fn;
    (void)arg;
    return -1;
}

static int store(void *ctx)
{
    (void)ctx;
    return ++n_stores == fail_store_at ? -1 : 0;
}

/* Like the engine's own loop; true when everything could be stored. */
static bool drive(struct play *p, unsigned flags, int max, bool alone)
{
    const struct team_opts o = {.work = alone ? nobody : work, .store = store, .max = max};
    enum instance_stop stop;
    bool ok = true;

    n_threads = n_stores = 0;
    team_begin(p->in, &o);
    while (ok && (stop = instance_run(p->in, flags | INSTANCE_MAY_BLOCK)) == INSTANCE_STORE)
        ok = store(NULL) == 0;
    team_end(p->in);
    for (int i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    return ok;
}

#define CELL1(name, type) "'" name "':{'original_name':'" type "','outputs':['ok'],'params':{}}"
#define HEAD "{'cells':{" CELL1("start", "start") ",'end':{'original_name':'end','outputs':[],'params':{}},"
#define THREE                                                                                                          \
    HEAD CELL1("a", "meet") "," CELL1("b", "meet") "," CELL1("undo c", "meet") "," CELL1("j", "join")                   \
    "},'entities':[],'transitions':[['start.ok','a'],['start.ok','b'],['start.ok','undo c'],['a.ok','j'],['b.ok','j'],"  \
    "['undo c.ok','j'],['j.ok','end']]}"

static void branches_call_at_the_same_time(void **state)
{
    struct play p;

    (void)state;
    for (unsigned flags = 0; flags <= INSTANCE_STEPS; flags += INSTANCE_STEPS) {
        play_begin(&p, &nodes, THREE);
        meeting_new(3);
        assert_true(drive(&p, flags, 0, false));
        assert_int_equal(meeting.most, 3);
        assert_false(meeting.late);
        assert_false(meeting.clash);
        assert_int_equal(p.in->status, INSTANCE_SUCCESS);
        assert_int_equal(p.in->n_tasks, 6);
        assert_string_equal(play_context(&p, "after a"), "\"a\"");
        assert_string_equal(play_context(&p, "before undo c"), "\"undo c\"");
        assert_true(val_is_undef(context_value(p.in, STR("after undo c")))); /* its own mark, nobody else's */
        assert_string_equal(play_context(&p, "after b"), "\"b\"");
        assert_int_equal(n_stores, flags != 0 ? 3 : 0);
        play_end(&p);
    }
}

static void never_more_than_allowed(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, THREE);
    meeting_new(2);
    assert_true(drive(&p, 0, 2, false));
    assert_int_equal(meeting.most, 2);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    play_end(&p);
}

static void goes_on_alone_when_nobody_is_free(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, THREE);
    meeting_new(1);
    assert_true(drive(&p, 0, 0, true));
    assert_int_equal(meeting.most, 1);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    play_end(&p);
}

static void one_branch_needs_nobody_else(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes,
               HEAD CELL1("a", "meet") "," CELL1("b", "meet") "},'entities':[],'transitions':[['start.ok','a'],['a.ok','b'],"
               "['b.ok','end']]}");
    meeting_new(1);
    assert_true(drive(&p, 0, 0, false));
    assert_int_equal(n_threads, 0);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    play_end(&p);
}

/* A sub-instance calls while its parent does: two workflows, four calls of them at the same time. */
static void sub_instances_take_part(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes,
               HEAD CELL1("f", "fork") "," CELL1("a", "meet") "," CELL1("b", "meet") "," CELL1("j", "join")
               "},'entities':[],'transitions':[['start.ok','f'],['start.ok','a'],['start.ok','b'],['f.ok','j'],['a.ok','j'],"
               "['b.ok','j'],['j.ok','end']]}");
    meeting_new(4);
    assert_true(drive(&p, 0, 0, false));
    assert_int_equal(meeting.most, 4);
    assert_false(meeting.clash);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    assert_int_equal(play_task(&p, "f")->sub->inst->status, INSTANCE_SUCCESS);
    play_end(&p);
}

/* Whoever finds that the lease is lost, nobody starts another node. */
static void stops_when_nothing_can_be_stored(void **state)
{
    struct play p;

    (void)state;
    for (fail_store_at = 1; fail_store_at <= 3; fail_store_at++) {
        play_begin(&p, &nodes, THREE);
        meeting_new(3);
        (void)drive(&p, INSTANCE_STEPS, 0, false);
        assert_int_equal(p.in->status, INSTANCE_ACTIVE);
        assert_int_equal(p.in->n_running, 0);
        play_end(&p);
    }
    fail_store_at = 0;
}

/* What is stored while others are calling makes them run again. */
static void state_holds_what_runs(void **state)
{
    struct play p;
    struct str json;
    struct val v;
    struct err e;

    (void)state;
    play_begin(&p, &nodes, THREE);
    meeting_new(1);
    p.in->n_running = 2;
    while (p.in->n_tasks < 4)
        task_new(p.in, (int32_t)p.in->n_tasks, p.wf->cells[p.in->n_tasks].name, p.in->tasks[0]);
    task_touch(p.in, p.in->tasks[1], TASK_RUN);
    task_touch(p.in, p.in->tasks[2], TASK_RUN);
    p.in->tasks[2]->woken = true;
    p.in->tasks[2]->signal_id = 77;
    p.in->q_head = p.in->q_tail = 0;
    queue_push(p.in, p.in->tasks[3]);
    assert_true(instance_state_write(p.in, &json, p.a));
    assert_int_equal(json_parse(json, &v, p.a, &e), 0);
    assert_int_equal(val_count(val_get(v, "queue")), 3);
    assert_int_equal(val_get_int(val_at(val_get(v, "woken"), 0), "signal", 0), 77);
    p.in->n_running = 0;
    play_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_call_at_the_same_time),
        cmocka_unit_test(never_more_than_allowed),
        cmocka_unit_test(goes_on_alone_when_nobody_is_free),
        cmocka_unit_test(one_branch_needs_nobody_else),
        cmocka_unit_test(sub_instances_take_part),
        cmocka_unit_test(stops_when_nothing_can_be_stored),
        cmocka_unit_test(state_holds_what_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
