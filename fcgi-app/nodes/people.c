/*
 * Waking up from a question to people (engine/manual.h).
 */
#include "nodes/people.h"

enum people_rc people_wake(struct node_run *r, struct people_answer *out, struct err *e)
{
    struct str kind, who;

    *out = (struct people_answer){.form = val_undef(NULL), .payload = val_undef(NULL)};
    if (manual_cancelled(r))
        return PEOPLE_CANCELLED;
    if (!node_signalled(r, &kind, &out->payload))
        return PEOPLE_LATE;
    if (str_eq_c(kind, "notify"))
        return PEOPLE_NOTIFY;
    if (str_eq_c(kind, "answer")) {
        out->output = val_get_text(out->payload, "output", STR("ok"));
        out->form = val_get(out->payload, "form");
        who = val_get_text(out->payload, "username", STR("the holder of a link"));
        node_log(r, "answered \"%.*s\" by %.*s", STR_ARG(out->output), STR_ARG(who));
        return PEOPLE_ANSWERED;
    }
    err_set(e, ERR_INVALID, "%.*s",
            STR_ARG(val_get_text(out->payload, "error", STR("the question was refused"))));
    return PEOPLE_FAILED;
}
