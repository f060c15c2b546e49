/*
 * Limits of one instance: values and the whole of its context, and how deep workflows may be nested.
 */
#include "unit/engine/play.h"

#include "base/limits.h"

/* Runs its own workflow as a sub-instance, and so on. */
static enum node_rc nest_run(struct node_run *r, struct err *e)
{
    return node_sub_start(r, STR("self"), val_dict_new(r->a, 0), e);
}

static enum node_rc nest_wake(struct node_run *r, struct err *e)
{
    (void)e;
    return node_fire(r, "ok");
}

static enum node_rc child_run(struct node_run *r, struct err *e)
{
    int64_t id;

    return node_child_launch(r, STR("self"), val_dict_new(r->a, 0), STR("kid"), &id, e) == 0
               ? node_fire(r, "ok")
               : NODE_FAIL;
}

static const struct node_type type_nest = {.name = "nest",
                                           .outputs = (const char *const[]){"ok", NULL},
                                           .run = nest_run,
                                           .wake = nest_wake};
static const struct node_type type_child = {
    .name = "child", .outputs = (const char *const[]){"ok", NULL}, .run = child_run};
static const struct node_type *const types[] = {&play_start, &play_end_type, &type_nest,
                                                &type_child, &play_join};
static const struct node_table nodes = {types, COUNT_OF(types)};

#define ONE(type)                                                                                  \
    "{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{}},'end':{"             \
    "'original_name':'end','outputs':[],'params':{}},'a':{'original_name':'" type                  \
    "','outputs':['ok'],'params':{}}},'entities':[],'transitions':[['start.ok','a'],['a.ok','end'" \
    "]]}"

static struct val text_of(struct play *p, size_t n)
{
    char *s = arena_alloc(p->a, n);

    memset(s, 'x', n);
    return val_str(str_make(s, n));
}

static int set(struct play *p, const char *key, size_t n, struct err *e)
{
    return context_set(p->in, str_c(key), text_of(p, n), false, false, e);
}

static void contexts_are_bounded(void **state)
{
    const size_t full = LIMIT_CONTEXT / LIMIT_CONTEXT_VALUE;
    struct play p;
    struct err e;

    (void)state;
    play_begin(&p, &nodes, ONE("nest"));
    assert_int_equal(set(&p, "k", LIMIT_CONTEXT_VALUE + 1, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.msg, "value of context key \"k\" is larger than 8388608 bytes");
    assert_true(val_is_undef(context_value(p.in, STR("k"))));
    for (size_t i = 0; i < full; i++)
        assert_int_equal(set(&p, arena_printf(p.a, "k%zu", i), LIMIT_CONTEXT_VALUE, &e), 0);
    assert_int_equal(set(&p, "more", 2, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.msg, "the context is larger than 67108864 bytes");
    /* what is overwritten makes room */
    assert_int_equal(set(&p, "k3", LIMIT_CONTEXT_VALUE, &e), 0);
    assert_int_equal(set(&p, "k3", LIMIT_CONTEXT_VALUE - 2, &e), 0);
    assert_int_equal(set(&p, "more", 2, &e), 0);
    assert_int_equal(set(&p, "most", 1, &e), -1);
    assert_true(strlen(play_context(&p, "more")) == 4);
    play_end(&p);
}

static void keys_are_bounded(void **state)
{
    char key[4 * LIMIT_CONTEXT_KEY];
    struct play p;
    struct err e;

    (void)state;
    play_begin(&p, &nodes, ONE("nest"));
    memset(key, 'k', sizeof key);
    assert_int_equal(
        context_set(p.in, str_make(key, LIMIT_CONTEXT_KEY), val_int(1), false, false, &e), 0);
    assert_int_equal(
        context_set(p.in, str_make(key, LIMIT_CONTEXT_KEY + 1), val_int(1), false, false, &e), -1);
    assert_string_equal(e.msg, "context key longer than 255 characters");
    play_end(&p);
}

/* Twenty below the top; the next one is an error of the deepest. */
static void nesting_is_bounded(void **state)
{
    const struct instance *deepest;
    struct play p;

    (void)state;
    play_begin(&p, &nodes, ONE("nest"));
    assert_int_equal(instance_run(p.in, INSTANCE_MAY_BLOCK), INSTANCE_DONE);
    deepest = p.in;
    for (int i = 0; i < LIMIT_DEPTH; i++) {
        const struct task *t = deepest->tasks[1];

        assert_int_equal(t->status, TASK_WAIT);
        deepest = t->sub->inst;
    }
    assert_int_equal(deepest->depth, LIMIT_DEPTH);
    assert_int_equal(deepest->tasks[1]->status, TASK_ERROR);
    assert_null(deepest->tasks[1]->sub);
    assert_true(str_eq_c(deepest->errors->description, "workflows are nested deeper than 20"));
    assert_true(p.in->new_errors > 0); /* it counts for the top */
    play_end(&p);
}

static void children_are_nested_too(void **state)
{
    struct play p;

    (void)state;
    play_begin(&p, &nodes, ONE("child"));
    p.in->depth = LIMIT_DEPTH;
    assert_int_equal(instance_run(p.in, INSTANCE_MAY_BLOCK), INSTANCE_DONE);
    assert_int_equal(play_task(&p, "a")->status, TASK_ERROR);
    assert_null(p.in->children);
    play_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_are_bounded), cmocka_unit_test(keys_are_bounded),
        cmocka_unit_test(nesting_is_bounded), cmocka_unit_test(children_are_nested_too)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
