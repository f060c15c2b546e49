/*
 * What sub-instances answered: variable sub_instances_responses.
 *
 * In memory are those of sub-instances that closed while this process had their parent.  All others,
 * and the children that trigger_subworkflows launched, have left their answer in their own context.
 *
 * Rules: workflow-engine.md 3.37, 6.2.
 */
#include "engine/engine_int.h"

#include <stdlib.h>

#include "base/json.h"

const struct db_stmt responses_stmt = {
    "sub_responses",
    "SELECT i.id, i.label, i.callback_task_id, c.value, " DB_TS("i.created_on") " FROM instances i LEFT JOIN contexts c ON "
    "c.instance_id = i.id AND c.instance_on = i.created_on AND c.key = '*cb_response*' "
    "WHERE i.parent_instance_id = $1 AND i.created_on >= $2 AND i.kind IN ('sub', 'child') AND "
    "i.status <> 'ACTIVE' ORDER BY i.id",
    2};

/* By when it was made, and by id among those of one moment. */
struct response {
    int64_t id, created_us;
    struct val v;
};

/* The members of an object, or the answer as its body. */
static struct val shown(struct val answer, struct str label, int64_t id, struct str cell,
                           struct arena *a)
{
    struct val d = val_dict_new(a, 6), key, value;

    if (val_is(answer, VAL_DICT)) {
        for (size_t i = 0; i < val_count(answer); i++)
            if (val_pair_at(answer, i, &key, &value))
                val_dict_set(d, key, value);
    } else {
        if (val_is_undef(answer))
            val_dict_set_c(d, "status", val_null());
        val_dict_set_c(d, "body", val_is_undef(answer) ? val_null() : answer);
    }
    val_dict_set_c(d, "_label", val_str(label));
    val_dict_set_c(d, "_instance_id", val_int(id));
    val_dict_set_c(d, "_task", val_str(cell));
    return d;
}

static int read_rows(struct instance *in, PGresult **res, struct arena *a, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = db_get(in->env.db, &c, e);

    if (rc == 0)
        rc = db_query_in(c, &responses_stmt, DB_ARGS(DB_INT(in->id), DB_TIME(in->created_us)), res,
                         a, e);
    db_put(in->env.db, c);
    return rc;
}

/* NULL: there are none. */
static PGresult *stored_ones(struct instance *in, struct arena *a)
{
    PGresult *res = NULL;
    struct err e;

    if (in->env.db == NULL || (!in->loaded && !in->launched))
        return NULL;
    while (read_rows(in, &res, a, &e) != 0)
        if (in->env.try_again == NULL || !in->env.try_again(in->env.ctx, &e))
            return NULL;
    return res;
}

static size_t add_stored(struct instance *in, struct response *out, const PGresult *res,
                         struct arena *a)
{
    size_t n = 0;

    for (int row = 0; row < PQntuples(res); row++) {
        const struct task *t = task_find(in, db_int(res, row, 2));
        struct val answer = val_undef(NULL);
        struct err e;

        if (t == NULL)
            continue;
        if (!PQgetisnull(res, row, 3) && json_lazy_kept(db_str(res, row, 3), &answer, a, &e) != 0)
            answer = val_undef(NULL);
        out[n].id = db_int(res, row, 0);
        out[n].created_us = db_time_us(res, row, 4);
        out[n++].v = shown(answer, db_str(res, row, 1), db_int(res, row, 0), t->cell_name, a);
    }
    return n;
}

/* Those in memory that are not among the `n` stored ones. */
static size_t add_fresh(struct instance *in, struct response *out, size_t n, struct arena *a)
{
    size_t all = n;

    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];
        bool known = t->sub == NULL || !t->sub->closed;

        for (size_t k = 0; k < n && !known; k++)
            known = out[k].id == t->sub->instance_id;
        if (known)
            continue;
        out[all].id = t->sub->instance_id;
        out[all].created_us = t->sub->instance_us;
        out[all++].v = shown(t->sub->result.answer, t->cell_name, t->sub->instance_id,
                             t->cell_name, a);
    }
    return all;
}

static int by_creation(const void *x, const void *y)
{
    const struct response *a = x, *b = y;

    if (a->created_us != b->created_us)
        return a->created_us > b->created_us ? 1 : -1;
    return (a->id > b->id) - (a->id < b->id);
}

struct val instance_responses(struct instance *in, struct arena *a)
{
    PGresult *res = stored_ones(in, a);
    size_t n_stored = res != NULL ? (size_t)PQntuples(res) : 0, n = 0;
    struct response *all = ARENA_ARRAY(a, struct response, n_stored + in->n_tasks);
    struct val list;

    if (res != NULL)
        n = add_stored(in, all, res, a);
    n = add_fresh(in, all, n, a);
    qsort(all, n, sizeof *all, by_creation);
    list = val_list_new(a, n);
    for (size_t i = 0; i < n; i++)
        val_list_add(list, all[i].v);
    return list;
}
