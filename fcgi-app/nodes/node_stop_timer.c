/*
 * stop_timer: cancel pending timers of this instance, by cell and by key (workflow-engine.md 3.30).
 */
#include "nodes/nodes.h"

struct cfg {
    struct str timer;
    struct str key;
};

static const struct param params[] = {
    {.name = "timer",
     .kind = PARAM_TIMER,
     .offset = offsetof(struct cfg, timer),
     .aliases = (const char *const[]){"target_id", "timer_id", NULL},
     .help = "Cell whose timers are stopped."},
    {.name = "key",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, key),
     .help = "Key of the timers to stop."},
    {0},
};

static enum node_rc stop_timer_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;

    if (c->timer.len == 0 && c->key.len == 0) {
        err_set(e, ERR_INVALID, "neither \"timer\" nor \"key\" is given");
        return NODE_FAIL;
    }
    if (node_timers_stop(r, c->timer, c->key, "stopped") == 0 && node_linked(r, STR("not_found")))
        return node_fire(r, "not_found");
    return node_fire(r, "ok");
}

const struct node_type node_stop_timer = {
    .name = "stop_timer",
    .category = "timers",
    .group = "timers",
    .doc = "Stops timers of this instance.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", "not_found", NULL},
    .flags = NODE_PURE,
    .run = stop_timer_run,
};
