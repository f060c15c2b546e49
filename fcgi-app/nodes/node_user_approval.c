/*
 * user_approval: have somebody approve or decline: the owner of the instance, or a role.
 *
 * Rule: workflow-engine.md 3.20, 4.12.
 */
#include "nodes/people.h"

#include "nodes/people_mail.h"

struct cfg {
    struct str role;
    struct str mail_template;
    int64_t timeout_ms;
    struct str description;
};

static const struct param params[] = {
    {.name = "approbation_role",
     .kind = PARAM_ROLE,
     .offset = offsetof(struct cfg, role),
     .help = "Who may approve; empty: the owner of the instance."},
    {.name = "template",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, mail_template),
     .help = "Key of a mail template with the links; empty: no mail."},
    {.name = "timeout",
     .kind = PARAM_MSEC,
     .offset = offsetof(struct cfg, timeout_ms),
     .help = "How long to wait before leaving by timeout: 10 minutes, 2 business days."},
    {.name = "description",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, description),
     .help = "What is to be approved."},
    {0},
};

static struct str answers[] = {{"approved", 8}, {"declined", 8}};
static const struct node_strs outputs = {answers, COUNT_OF(answers)};

static enum node_rc approval_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    int64_t owner = val_get_int(node_user(r), "id", 0);
    struct manual_ask q = {
        .kind = "approval",
        .role = c->role,
        .user_id = c->role.len == 0 ? owner : 0,
        .description = c->description,
        .outputs = manual_outputs(&outputs, r->a),
        .notify = c->mail_template.len > 0,
        .until_us = c->timeout_ms > 0 ? r->now_us + c->timeout_ms * 1000 : 0,
    };

    if (c->timeout_ms < 0) {
        err_set(e, ERR_INVALID, "parameter \"timeout\" must not be negative");
        return NODE_FAIL;
    }
    if (c->role.len == 0 && owner == 0) {
        err_set(e, ERR_INVALID,
                "nobody can approve: the instance has no owner and \"approbation_role\" is empty");
        return NODE_FAIL;
    }
    return manual_ask(r, &q, e);
}

static enum node_rc approval_wake(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct people_answer ans;

    switch (people_wake(r, &ans, e)) {
    case PEOPLE_ANSWERED:
        return node_fire_str(r, ans.output);
    case PEOPLE_NOTIFY:
        people_mail(r, c->mail_template, ans.payload, &outputs);
        return node_wait_signal(r, val_get_int(ans.payload, "until_us", 0));
    case PEOPLE_LATE:
        return node_fire(r, "timeout");
    case PEOPLE_CANCELLED:
        return node_fire(r, "cancelled");
    case PEOPLE_FAILED:
        break;
    }
    return NODE_FAIL;
}

const struct node_type node_user_approval = {
    .name = "user_approval",
    .group = "people",
    .doc = "Asks for an approval and waits for it.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"approved", "declined", "timeout", NULL},
    .flags = NODE_PURE,
    .run = approval_run,
    .wake = approval_wake,
};
