/*
 * send_email_template: a stored template as a mail (workflow-engine.md 3.21).
 */
#include "base/limits.h"
#include "engine/documents.h"
#include "nodes/mail.h"

enum { ATTACHED_MAX = 50 * 1024 * 1024 };

struct cfg_mail {
    struct str to;
    struct str template_key;
    struct str subject;
    struct node_strs attachments;
};

static const struct param params[] = {
    {.name = "to",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg_mail, to),
     .help = "Addresses, separated by commas or blanks; those of the template's To: when empty."},
    {.name = "template",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg_mail, template_key),
     .mandatory = true,
     .help = "Key of a stored template; it may begin with mail headers and a blank line."},
    {.name = "subject",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg_mail, subject),
     .help = "Wins over the subject of the template."},
    {.name = "attachments",
     .kind = PARAM_STRINGS,
     .offset = offsetof(struct cfg_mail, attachments),
     .help = "Names of documents of the instance."},
    {0},
};

static int attach(struct node_run *r, const struct node_strs *names, struct gw_mail *m, struct err *e)
{
    struct gw_attachment *list = ARENA_ARRAY(r->a, struct gw_attachment, names->n);
    size_t total = 0;

    for (size_t i = 0; i < names->n; i++) {
        struct document d;

        if (node_document_read(r, names->items[i], &d, &list[i].bytes, e) != 0)
            return -1;
        list[i].name = d.name;
        list[i].mime_type = d.mime_type;
        total += list[i].bytes.len;
        if (total > ATTACHED_MAX) {
            err_set(e, ERR_LIMIT, "the attachments are larger than %d bytes", (int)ATTACHED_MAX);
            return -1;
        }
    }
    m->attachments = list;
    m->n_attachments = names->n;
    return 0;
}

static enum node_rc send_run(struct node_run *r, struct err *e)
{
    const struct cfg_mail *c = r->cfg;
    struct gw_mail m;

    if (mail_render(r, c->template_key, NULL, &m, e) != 0)
        return NODE_FAIL;
    if (c->subject.len > 0)
        m.subject = c->subject;
    if (str_trim(c->to).len > 0 && mail_recipients(c->to, &m.to, r->a, e) != 0) {
        err_context(e, "parameter \"to\"");
        return NODE_FAIL;
    }
    if (m.to.n == 0) {
        err_set(e, ERR_INVALID, "parameter \"to\" names no recipient");
        return NODE_FAIL;
    }
    if (attach(r, &c->attachments, &m, e) != 0 || mail_send(r, &m, e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_send_email_template = {
    .name = "send_email_template",
    .group = "people",
    .doc = "Sends a stored template by mail.",
    .params = params,
    .cfg_size = sizeof(struct cfg_mail),
    .outputs = (const char *const[]){"ok", "error", "skip", NULL},
    .flags = NODE_BLOCKING,
    .run = send_run,
};
