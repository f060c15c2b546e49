/*
 * trigger_manual_action, cancel_manual_action: ask the holders of a role, and take a question back.
 *
 * The task waits until somebody answers; what he filled in lands in the context under the name of
 * the cell.  Rule: workflow-engine.md 3.18, 3.19, 4.12.
 */
#include "nodes/people.h"

#include "base/json.h"
#include "format/jsonschema.h"
#include "nodes/people_mail.h"

struct cfg {
    struct str description;
    struct str role;
    struct node_strs outputs;
    struct str link_key;
    struct str form;
    struct str mail_template;
};

static const struct param params[] = {
    {.name = "description",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, description),
     .help = "What is asked; cancel_manual_action names it again."},
    {.name = "role",
     .kind = PARAM_ROLE,
     .offset = offsetof(struct cfg, role),
     .help = "Who may answer; empty: whoever may work on requests."},
    {.name = "possible_outputs",
     .kind = PARAM_OUTPUTS,
     .offset = offsetof(struct cfg, outputs),
     .help = "The answers to choose from; each is an output.  Empty: ok."},
    {.name = "link_ott_context_key",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, link_key),
     .help = "Context key where generate_ott put a token: its holder may answer by a link."},
    {.name = "form_input",
     .kind = PARAM_FORM,
     .offset = offsetof(struct cfg, form),
     .help = "Fields to fill in; they land in the context under the name of this cell."},
    {.name = "notification_email_template",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg, mail_template),
     .help = "Key of a mail template: sent to the holders of the role."},
    {0},
};

/* A form nobody could ever fill in is the author's mistake: he sees it here. */
static int form_check(struct str text, struct arena *a, struct err *e)
{
    struct jsonschema *schema;
    struct val v;

    if (text.len == 0)
        return 0;
    if (json_parse(text, &v, a, e) == 0 &&
        jsonschema_compile(&schema, v, JSONSCHEMA_AUTO, JSONSCHEMA_FORMATS, a, e) == 0)
        return 0;
    err_context(e, "parameter \"form_input\"");
    return -1;
}

static enum node_rc trigger_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct manual_ask q = {
        .kind = "action",
        .role = c->role,
        .description = c->description,
        .outputs = manual_outputs(&c->outputs, r->a),
        .form = c->form,
        .notify = str_trim(c->mail_template).len > 0,
    };

    if (form_check(c->form, r->a, e) != 0)
        return NODE_FAIL;
    if (c->link_key.len > 0) {
        q.token = val_text(node_get(r, c->link_key));
        if (q.token.len == 0) {
            err_set(e, ERR_INVALID, "context key \"%.*s\" holds no token", STR_ARG(c->link_key));
            return NODE_FAIL;
        }
    }
    return manual_ask(r, &q, e);
}

static enum node_rc trigger_wake(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct node_key key = {.key = r->cell};
    struct people_answer ans;

    switch (people_wake(r, &ans, e)) {
    case PEOPLE_ANSWERED:
        if (!val_is_none(ans.form) && node_set(r, &key, ans.form, e) != 0)
            return NODE_FAIL;
        return node_fire_str(r, ans.output);
    case PEOPLE_NOTIFY:
        people_mail(r, str_trim(c->mail_template), ans.payload, &c->outputs);
        return node_wait_signal(r, 0);
    case PEOPLE_LATE:
        err_set(e, ERR_INTERNAL, "woken up without an answer");
        return NODE_FAIL;
    case PEOPLE_CANCELLED:
        return node_fire(r, "cancelled");
    case PEOPLE_FAILED:
        break;
    }
    return NODE_FAIL;
}

const struct node_type node_trigger_manual_action = {
    .name = "trigger_manual_action",
    .group = "people",
    .doc = "Asks people and waits for their answer.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"skip", NULL},
    .flags = NODE_PURE,
    .run = trigger_run,
    .wake = trigger_wake,
};

/* ---- taking back ---------------------------------------------------------------------------- */

struct cancel_cfg {
    struct str description;
};

static const struct param cancel_params[] = {
    {.name = "description",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cancel_cfg, description),
     .help = "Description of the questions to take back."},
    {0},
};

static enum node_rc cancel_run(struct node_run *r, struct err *e)
{
    const struct cancel_cfg *c = r->cfg;

    (void)e;
    manual_cancel(r, c->description);
    return node_fire(r, "ok");
}

const struct node_type node_cancel_manual_action = {
    .name = "cancel_manual_action",
    .group = "people",
    .doc = "Takes pending questions of this instance back.",
    .params = cancel_params,
    .cfg_size = sizeof(struct cancel_cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = cancel_run,
};
