/*
 * context_timer: hold the instance until a moment given as data, plus a duration
 * (workflow-engine.md 3.29).
 */
#include "nodes/nodes.h"

#include <unistd.h>

#include "base/utf8.h"
#include "template/datetime.h"

struct cfg {
    struct str variable;
    int64_t timeout_ms;
    struct str key;
    struct str cancel_active_key;
};

enum {
    SLEPT_US = 20 * 1000000, /* shorter ones are slept, as by "timer" */
    IN_PROCESS_US = 1000000,
    KEY_MAX = 255, /* characters: the column has an index */
};

static const struct param params[] = {
    {.name = "variable",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, variable),
     .help = "Date to start from, such as 2021-01-01 00:00:00; empty means now."},
    {.name = "timeout",
     .kind = PARAM_MSEC,
     .offset = offsetof(struct cfg, timeout_ms),
     .help = "Duration added to the date."},
    {.name = "key",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, key),
     .help = "Name by which the timer can be stopped; several may share it."},
    {.name = "cancel_active_key",
     .kind = PARAM_CHOICE,
     .offset = offsetof(struct cfg, cancel_active_key),
     .values = (const char *const[]){"true", "false", NULL},
     .help = "Cancel pending timers of the same key first."},
    {0},
};

/* A date in one of the usual forms, or seconds since 1970; no zone means UTC. */
static int start_us(struct node_run *r, struct str text, int64_t *out, struct err *e)
{
    struct val v;

    if (text.len == 0) {
        *out = r->now_us;
        return 0;
    }
    if (str_to_int(text, out)) {
        if (*out > INT64_MAX / 1000000 || *out < 0) {
            err_set(e, ERR_INVALID, "parameter \"variable\": \"%.*s\" is out of range",
                    STR_ARG(text));
            return -1;
        }
        *out *= 1000000;
        return 0;
    }
    if (!dt_parse(text, r->a, &v) || !dt_is(v)) {
        err_set(e, ERR_INVALID, "parameter \"variable\": \"%.*s\" is no date",
                STR_ARG(str_slice(text, 0, 100)));
        return -1;
    }
    *out = dt_utc_us(dt_of(v));
    return 0;
}

static int key_check(struct str key, struct err *e)
{
    if (utf8_len(key) > KEY_MAX) {
        err_set(e, ERR_INVALID, "parameter \"key\" is longer than %d characters", KEY_MAX);
        return -1;
    }
    if (!node_storable(key)) {
        err_set(e, ERR_INVALID, "parameter \"key\" cannot hold a NUL");
        return -1;
    }
    return 0;
}

static enum node_rc context_timer_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    int64_t at_us, wait_us;

    if (key_check(c->key, e) != 0 || start_us(r, c->variable, &at_us, e) != 0)
        return NODE_FAIL;
    if (__builtin_add_overflow(at_us, c->timeout_ms * 1000, &at_us)) {
        err_set(e, ERR_INVALID, "parameter \"timeout\": the moment is out of range");
        return NODE_FAIL;
    }
    wait_us = at_us - r->now_us;
    if (str_eq_c(c->cancel_active_key, "true") && c->key.len > 0)
        node_timers_stop(r, STR(""), c->key, "cancelled");
    if (wait_us >= SLEPT_US)
        return node_wait_until(r, at_us, "context_timer", c->key, "ok");
    if (wait_us >= IN_PROCESS_US && !r->sync)
        return node_sleep_until(r, at_us, c->key);
    if (wait_us > 0) {
        node_blocks(r);
        usleep((useconds_t)wait_us);
        node_goes_on(r);
    }
    return node_fire(r, "ok");
}

const struct node_type node_context_timer = {
    .name = "context_timer",
    .category = "timers",
    .group = "timers",
    .doc = "Waits until a moment given as data.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_BLOCKING | NODE_PURE,
    .run = context_timer_run,
};
