/*
 * Checking definitions for the API (workflow-engine.md 1.8).
 */
#include "api/definition.h"

static bool activity_known(void *ctx, struct str name)
{
    return cfg_activity_named(ctx, name) != NULL;
}

int definition_check(struct api_call *c, struct definition_check *check, struct err *e)
{
    check->text = STR_NONE;
    if (wf_check(check->definition, engine_nodes(c->api->engine), check->how, activity_known,
                 (void *)(uintptr_t)c->cfg, &check->text, &check->report, c->a, e) == 0)
        return 0;
    if (check->report.n_rejects > 0) {
        c->status = 400;
        c->result = val_dict_new(c->a, 2);
        val_dict_set_c(c->result, "error", val_str_dup(c->a, str_c(e->msg)));
        val_dict_set_c(c->result, "errors", wf_report_errors(&check->report, c->a));
        check->answered = true;
    }
    return -1;
}

void definition_warnings(struct api_call *c, const struct definition_check *check)
{
    if (check->report.n_warnings > 0)
        val_dict_set_c(c->result, "warnings", wf_report_warnings(&check->report, c->a));
}
