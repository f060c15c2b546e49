/*
 * Children: instances of their own that a node launches beside its own instance.
 *
 * They are stored with the task that launched them and run under leases of their own, anywhere; when
 * one closes it signals that task in the transaction that closes it.
 *
 * Rules: workflow-engine.md 3.37, 4.14.
 */
#include "engine/instance_int.h"

#include "base/json.h"
#include "base/limits.h"
#include "db/db.h"
#include "db/writer.h"

bool instance_is_child(const struct instance *in)
{
    return strcmp(in->kind, "child") == 0;
}

int node_child_launch(struct node_run *r, struct str workflow, struct val request, struct str label,
                      int64_t *id, struct err *e)
{
    struct instance *in = r->inst;
    struct child_row *row = ARENA_NEW(in->a, struct child_row);
    struct workflow *wf;

    if (in->depth + 1 > LIMIT_DEPTH) {
        err_set(e, ERR_LIMIT, "workflows are nested deeper than %d", LIMIT_DEPTH);
        return -1;
    }
    if (in->env.workflow_named(in->env.ctx, workflow, &wf, &row->activity_id, &row->version_id,
                               &row->definition_id, e) != 0)
        return -1;
    wf_unref(wf);
    if (instance_id_next(in, IDS_INSTANCE, &row->id, e) != 0 ||
        instance_id_next(in, IDS_JOB, &row->job_id, e) != 0)
        return -1;
    row->created_us = clock_wall_us(in->env.clock);
    ids_guid(row->created_us / 1000, row->guid);
    row->task_id = r->task->id;
    row->label = label.len > 0 ? str_dup(in->a, label) : STR_NONE;
    row->request = json_text(request, in->a);
    *in->children_tail = row;
    in->children_tail = &row->next;
    in->launched = true;
    *id = row->id;
    return 0;
}

void node_children_close(struct node_run *r)
{
    node_store(r, &child_w_close, DB_ARGS(DB_INT(r->inst->id), DB_INT(r->task->id)));
}
