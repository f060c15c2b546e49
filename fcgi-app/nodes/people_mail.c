/*
 * Mails to people who are asked (workflow-engine.md 3.18, 3.20).
 *
 * Sent after the question is stored, so that no link leads nowhere; after a crash in between they
 * are sent again under the same message id.  One message each: people need not know who else is
 * asked.
 */
#include "nodes/people_mail.h"

#include "nodes/mail.h"
#include "template/tmpl.h"

enum { TOLD_MAX = 200 };

static struct val variables(struct node_run *r, struct val payload, const struct node_strs *outputs,
                            struct str to)
{
    struct val vars = val_dict_new(r->a, 6), list = val_list_new(r->a, outputs->n);
    struct str guid = val_get_text(payload, "guid", STR(""));

    for (size_t i = 0; i < outputs->n; i++)
        val_list_add(list, val_str(outputs->items[i]));
    val_dict_set_c(vars, "to", val_str(to));
    val_dict_set_c(vars, "from", val_str(cfg_text(node_cfg(r), "smtp.from")));
    val_dict_set_c(vars, "action_guid", val_str(guid));
    val_dict_set_c(vars, "instance_guid", val_str(node_instance_guid(r)));
    val_dict_set_c(vars, "action_path",
                   val_str(str_printf(r->a, "/api/v01/transactions/%.*s/actions/%.*s",
                                      STR_ARG(node_instance_guid(r)), STR_ARG(guid))));
    val_dict_set_c(vars, "outputs", list);
    return vars;
}

static int tell(struct node_run *r, struct str template_key, struct val payload,
                const struct node_strs *outputs, struct str to, size_t n, struct err *e)
{
    struct tmpl_run run;
    struct gw_mail m;

    node_tmpl_run(r, &run);
    run.vars = variables(r, payload, outputs, to);
    if (mail_render(r, template_key, &run, &m, e) != 0 || mail_recipients(to, &m.to, r->a, e) != 0)
        return -1;
    m.message_id = str_printf(r->a, "%.*s-%zu", STR_ARG(val_get_text(payload, "guid", STR(""))), n);
    return mail_send(r, &m, e);
}

void people_mail(struct node_run *r, struct str template_key, struct val payload,
                 const struct node_strs *outputs)
{
    struct val to = val_get(payload, "to");
    size_t n = val_count(to);
    struct err e;

    if (n == 0)
        node_log(r, "nobody to tell by mail: those who may answer have no address");
    if (n > TOLD_MAX) {
        node_log(r, "%zu people may answer: %d of them are told by mail", n, (int)TOLD_MAX);
        n = TOLD_MAX;
    }
    for (size_t i = 0; i < n; i++)
        if (tell(r, template_key, payload, outputs, val_text(val_at(to, i)), i, &e) != 0)
            node_log(r, "could not tell %.*s by mail: %s", STR_ARG(val_text(val_at(to, i))), e.msg);
}
