/*
 * Events of entities: what an outside system tells an instance goes on at the cell of that name.
 *
 * The event's row learns what came of it in the transaction that stores the run, and its signal
 * goes there too: an event is worked on once.
 *
 * Rules: workflow-engine.md 3.47, 4.10.
 */
#include "engine/entity_int.h"
#include "engine/instance_int.h"

static void done(struct instance *in, struct val event, const char *status, const char *result)
{
    struct node_run r = {.inst = in};
    int64_t id = val_get_int(event, "event_id", 0);

    if (id != 0)
        node_store(&r, &entity_w_done, DB_ARGS(DB_INT(id), DB_C(status), DB_C(result)));
}

void instance_entity_unused(struct instance *in, struct val event)
{
    done(in, event, "rejected", ENTITY_UNUSED);
}

/* What templates see of it for the rest of the run (6.2). */
static struct val event_set(struct instance *in, struct val event, struct val value, struct val username)
{
    struct val d = val_dict_new(in->a, 3);

    val_dict_set_c(d, "event", event);
    val_dict_set_c(d, "value", value);
    val_dict_set_c(d, "username", username);
    in->v_event = val_copy(d, in->a);
    return in->v_event;
}

void node_event(struct node_run *r, struct str event, struct val value, struct val username)
{
    (void)event_set(r->inst, val_str(event), value, username);
}

void instance_entity_event(struct instance *in, struct val event)
{
    struct str name = val_get_text(event, "entity", STR_NONE);
    struct str key = val_get_text(event, "event", STR_NONE);
    const struct wf_cell *c = wf_cell_find(in->wf, name);
    struct val kept;
    struct task *t;
    struct err e;

    /* the definition may have been replaced since the event was taken */
    if (c == NULL || c->role != ROLE_ENTITY || wf_out_find(c, key) == NULL) {
        instance_log(in, "engine", "unknown event \"%.*s\" of entity \"%.*s\"", STR_ARG(key),
                     STR_ARG(name));
        done(in, event, "rejected", "unknown event");
        return;
    }
    t = task_new(in, (int32_t)(c - in->wf->cells), c->name, NULL);
    if (t == NULL) {
        done(in, event, "rejected", "too many tasks");
        return;
    }
    kept = event_set(in, val_str(key), val_get(event, "value"), val_get(event, "username"));
    if (context_set(in, c->name, kept, false, false, &e) != 0)
        instance_log(in, "engine", "event \"%.*s\": %s", STR_ARG(key), e.msg);
    task_fire(in, t, key);
    done(in, event, "processed", "ok");
}
