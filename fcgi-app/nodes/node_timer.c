/*
 * timer: hold the instance for a while.
 *
 * Short ones are slept: in the process while somebody waits for the answer; without a caller a worker
 * is too dear for more than a moment, so the instance is put away, and only looks as if it slept.
 * Longer ones are stored, wake the instance up wherever it runs then, and can be stopped.  Rule:
 * workflow-engine.md 3.28.
 */
#include "nodes/nodes.h"

#include <unistd.h>

struct cfg {
    int64_t timeout_ms;
    bool discard_idle_limit;
};

enum {
    SLEPT_MS = 20000,    /* shorter ones are slept */
    IN_PROCESS_MS = 1000, /* ... by the worker itself, when nobody waits */
};

static const struct param params[] = {
    {.name = "timeout",
     .kind = PARAM_MSEC,
     .offset = offsetof(struct cfg, timeout_ms),
     .mandatory = true,
     .help = "How long to wait: 10 minutes, 1h30m, 2 business days."},
    {.name = "discard_idle_limit",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, discard_idle_limit),
     .help = "Store the timer even when it is shorter than 20 seconds, so that it can be stopped."},
    {0},
};

static enum node_rc timer_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;

    if (c->timeout_ms < 0) {
        err_set(e, ERR_INVALID, "parameter \"timeout\" must not be negative");
        return NODE_FAIL;
    }
    if (c->timeout_ms >= SLEPT_MS || c->discard_idle_limit)
        return node_wait_until(r, r->now_us + c->timeout_ms * 1000, "timer", STR_NONE, "ok");
    if (c->timeout_ms >= IN_PROCESS_MS && !r->sync)
        return node_sleep_until(r, r->now_us + c->timeout_ms * 1000, STR_NONE);
    node_blocks(r);
    usleep((useconds_t)(c->timeout_ms * 1000));
    node_goes_on(r);
    return node_fire(r, "ok");
}

const struct node_type node_timer = {
    .name = "timer",
    .category = "timers",
    .group = "timers",
    .doc = "Waits for a while.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_BLOCKING | NODE_PURE,
    .run = timer_run,
};
