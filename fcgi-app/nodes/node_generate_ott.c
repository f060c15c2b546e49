/*
 * generate_ott: a one-time token for a link (workflow-engine.md 3.31).
 *
 * The token stands in the context, flagged as secret; the database keeps its SHA-256.  Not pure, so
 * that a mail behind it never carries a token that is not stored.
 */
#include "nodes/nodes.h"

#include "base/json.h"
#include "engine/manual.h"
#include "template/datetime.h"
#include "template/literal.h"
#include "template/tmpl.h"

struct cfg {
    struct str scope;
    struct node_key output;
    struct str expiry;
    struct str details;
};

enum { RESET_LIFE_S = 20 * 60, ACTION_LIFE_S = 30 * 24 * 3600 };

static const char *const scopes[] = {"ResetPassword", "ManualAction", NULL};

static const struct param params[] = {
    {.name = "scope",
     .kind = PARAM_CHOICE,
     .offset = offsetof(struct cfg, scope),
     .mandatory = true,
     .values = scopes,
     .help = "What the token is good for."},
    {.name = "output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, output),
     .help = "Context key that receives the token."},
    {.name = "expiry_date",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg, expiry),
     .help = "Seconds or a duration such as 1h30m, or a date: 2030-01-31 12:00:00.  Empty: 20 "
             "minutes for ResetPassword, 30 days for ManualAction."},
    {.name = "details",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg, details),
     .help = "JSON object kept with the token; ResetPassword: username."},
    {0},
};

/* A duration from now, or a date; no zone means UTC. */
static int expires(const struct node_run *r, struct str text, int64_t life_s, int64_t *out,
                   struct err *e)
{
    int64_t ms = life_s * 1000;
    struct tmpl_run run;

    node_tmpl_run(r, &run);
    text = str_trim(text);
    *out = 0;
    if (text.len > 0 && str_find_char(text, '-') > 0) {
        struct val v;

        if (!dt_parse(text, r->a, &v) || !dt_is(v)) {
            err_set(e, ERR_INVALID, "parameter \"expiry_date\": \"%.*s\" is not a date",
                    STR_ARG(str_slice(text, 0, 100)));
            return -1;
        }
        *out = dt_utc_us(dt_of(v));
    } else {
        if (text.len > 0 && duration_parse(text, r->now_us, run.timezone, &ms, e) != 0) {
            err_context(e, "parameter \"expiry_date\"");
            return -1;
        }
        *out = r->now_us + ms * 1000;
    }
    if (*out > r->now_us)
        return 0;
    err_set(e, ERR_INVALID, "parameter \"expiry_date\" is in the past");
    return -1;
}

static enum node_rc generate_ott_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    bool reset = str_eq_c(c->scope, "ResetPassword");
    struct manual_token t = {
        .scope = reset ? "ResetPassword" : "ManualAction",
        .details = STR("{}"),
        .username = STR_NONE,
    };
    struct val details;

    if (c->scope.len == 0) {
        err_set(e, ERR_INVALID, "parameter \"scope\" is empty");
        return NODE_FAIL;
    }
    if (expires(r, c->expiry, reset ? RESET_LIFE_S : ACTION_LIFE_S, &t.expires_us, e) != 0)
        return NODE_FAIL;
    if (str_trim(c->details).len > 0) {
        if (literal_parse(c->details, 0, &details, r->a, e) != 0 || !val_is(details, VAL_DICT)) {
            err_set(e, ERR_INVALID, "parameter \"details\" is not an object");
            return NODE_FAIL;
        }
        t.details = json_text(details, r->a);
        t.username = val_get_text(details, "username", STR_NONE);
    }
    t.user_id = val_get_int(node_user(r), "id", 0);
    if (reset && t.username.len == 0 && t.user_id == 0) {
        err_set(e, ERR_INVALID,
                "ResetPassword needs \"username\" in \"details\": the instance has no owner");
        return NODE_FAIL;
    }
    if (!node_storable(t.username)) {
        err_set(e, ERR_INVALID, "parameter \"details\": username holds a NUL character");
        return NODE_FAIL;
    }
    if (node_set_secret(r, &c->output, val_str(manual_token_new(r, &t)), e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_generate_ott = {
    .name = "generate_ott",
    .group = "people",
    .doc = "Makes a token for a link that works once.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", "error", NULL},
    .run = generate_ott_run,
};
