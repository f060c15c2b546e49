/*
 * Or-gates in loops: what an instance keeps and does must not grow with the rounds behind it.
 */
#include "unit/engine/play.h"

/* Goes round until the key "left" is used up, then waits. */
static enum node_rc round_run(struct node_run *r, struct err *e)
{
    const struct node_key key = {STR("left"), false};
    int64_t left = context_value(r->inst, STR("left")).u.i;

    if (left == 0)
        return node_wait_signal(r, 0);
    if (node_set(r, &key, val_int(left - 1), e) != 0)
        return NODE_FAIL;
    return node_fire(r, "again");
}

static const struct node_type type_round = {
    .name = "round", .outputs = (const char *const[]){"ok", "again", NULL}, .run = round_run};
static const struct node_type type_or = {
    .name = "or", .outputs = (const char *const[]){"ok", NULL}, .role = ROLE_OR};
static const struct node_type *const types[] = {&play_start, &play_end_type, &type_round, &type_or,
                                                &play_join};
static const struct node_table nodes = {types, COUNT_OF(types)};

#define C(name, type, outputs)                                                                     \
    "'" name "':{'original_name':'" type "','outputs':[" outputs "],'params':{}}"
/* Two gates, one behind the other, and two ways between them that join again. */
#define LOOP                                                                                       \
    "{'cells':{" C("start", "start", "'ok'") "," C("end", "end", "") "," C("in", "or", "'ok'") ","  \
    C("a", "or", "'ok'") "," C("b", "or", "'ok'") "," C("both", "join", "'ok'") ","                 \
    C("r", "round", "'ok','again'") "},'entities':[],'transitions':[['start.ok','in'],"             \
    "['in.ok','a'],['in.ok','b'],['a.ok','both'],['b.ok','both'],['both.ok','r'],['r.again','in']," \
    "['r.ok','end']]}"

static void loop(struct play *p, int64_t rounds)
{
    struct err e;

    play_begin(p, &nodes, LOOP);
    assert_int_equal(context_set(p->in, STR("left"), val_int(rounds), false, false, &e), 0);
    assert_int_equal(instance_run(p->in, INSTANCE_MAY_BLOCK), INSTANCE_DONE);
    assert_int_equal(play_task(p, "r")->status, TASK_WAIT);
    assert_string_equal(play_context(p, "left"), "0");
    assert_int_equal(p->in->n_tasks, 1 + 5 * (rounds + 1));
}

static size_t state_len(struct play *p)
{
    struct str json;

    assert_true(instance_state_write(p->in, &json, p->a));
    return json.len;
}

static void state_does_not_grow(void **state)
{
    struct play few, many;

    (void)state;
    loop(&few, 3);
    loop(&many, 1900);
    assert_in_range(state_len(&many), 1, state_len(&few) + 60); /* ids have more digits */
    play_end(&few);
    play_end(&many);
}

/* 1900 rounds take little more than ten times as long as 190. */
static void rounds_cost_the_same(void **state)
{
    int64_t took_us[2], from_us;
    struct play p;

    (void)state;
    for (int turn = 0; turn < 3; turn++) { /* the machine may be busy */
        for (int i = 0; i < 2; i++) {
            from_us = clock_mono_us(&clock_system);
            for (int n = 0; n < (i == 0 ? 10 : 1); n++) {
                loop(&p, i == 0 ? 190 : 1900);
                play_end(&p);
            }
            took_us[i] = clock_mono_us(&clock_system) - from_us;
        }
        if (took_us[1] < took_us[0] * 3)
            return;
    }
    fail_msg("1900 rounds take %lld us, ten times 190 take %lld", (long long)took_us[1],
             (long long)took_us[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(state_does_not_grow),
                                       cmocka_unit_test(rounds_cost_the_same)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
