/*
 * Events of entities: what an outside system tells an instance goes on at the cell of that name.
 *
 * Rules: workflow-engine.md 3.47, 4.10.
 */
#include "engine/instance_int.h"

void instance_entity_event(struct instance *in, struct val event)
{
    struct str name = val_get_text(event, "entity", STR_NONE);
    struct str key = val_get_text(event, "event", STR_NONE);
    const struct wf_cell *c = wf_cell_find(in->wf, name);
    struct val kept = val_dict_new(in->a, 3);
    struct task *t;
    struct err e;

    if (c == NULL || c->role != ROLE_ENTITY || wf_out_find(c, key) == NULL) {
        instance_log(in, "engine", "unknown event \"%.*s\" of entity \"%.*s\"", STR_ARG(key),
                     STR_ARG(name));
        return;
    }
    t = task_new(in, (int32_t)(c - in->wf->cells), c->name, NULL);
    if (t == NULL)
        return;
    val_dict_set_c(kept, "event", val_str(key));
    val_dict_set_c(kept, "value", val_get(event, "value"));
    val_dict_set_c(kept, "username", val_get(event, "username"));
    if (context_set(in, c->name, kept, false, false, &e) != 0)
        instance_log(in, "engine", "event \"%.*s\": %s", STR_ARG(key), e.msg);
    in->v_event = val_copy(kept, in->a);
    task_fire(in, t, key);
}
