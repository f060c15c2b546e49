/*
 * Tasks of one cell in the order of their ids, whoever had the instance in between.
 */
#include "unit/engine/play.h"

/* Runs the rounds one by one; each ends in another process, whose ids are lower. */
static enum node_rc round_run(struct node_run *r, struct err *e)
{
    struct play *p = r->inst->env.ctx;
    const struct node_key key = {STR("rounds"), false};
    int64_t n = val_is(context_value(r->inst, STR("rounds")), VAL_INT)
                    ? context_value(r->inst, STR("rounds")).u.i
                    : 0;

    atomic_store(&p->last_id, 1000 - 100 * n);
    if (node_set(r, &key, val_int(n + 1), e) != 0)
        return NODE_FAIL;
    return node_fire(r, n < 5 ? "again" : "ok");
}

static const struct node_type type_round = {
    .name = "round", .outputs = (const char *const[]){"ok", "again", NULL}, .run = round_run};
static const struct node_type *const types[] = {&play_start, &play_end_type, &type_round};
static const struct node_table nodes = {types, COUNT_OF(types)};

static void ids_of_a_cell_rise(void **state)
{
    int64_t last = 0;
    struct play p;
    int n = 0;

    (void)state;
    play_begin(&p, &nodes,
               "{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{}},'end':{"
               "'original_name':'end','outputs':[],'params':{}},'a':{'original_name':'round',"
               "'outputs':['ok','again'],'params':{}}},'entities':[],'transitions':[['start.ok','a'"
               "],['a.again','a'],['a.ok','end']]}");
    atomic_store(&p.last_id, 2000);
    assert_int_equal(instance_run(p.in, INSTANCE_MAY_BLOCK), INSTANCE_DONE);
    assert_int_equal(p.in->status, INSTANCE_SUCCESS);
    for (uint32_t i = 0; i < p.in->n_tasks; i++) {
        const struct task *t = p.in->tasks[i];

        if (!str_eq_c(t->cell_name, "a"))
            continue;
        assert_true(t->id > last);
        last = t->id;
        n++;
    }
    assert_int_equal(n, 6);
    assert_string_equal(play_context(&p, "rounds"), "6");
    assert_int_equal(play_task(&p, "a")->id, last);
    play_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_of_a_cell_rise)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
