/*
 * Starting the workflows of the platform itself.
 */
#include "api/platform_workflow.h"

#include "base/arena.h"
#include "base/log.h"

void platform_password_changed(struct api_call *c, const char *setting, struct str username, struct str password)
{
    struct str name = cfg_text(c->cfg, setting);
    const struct cfg_activity *activity = cfg_activity_named(c->cfg, name);
    struct val request = val_dict_new(c->a, 2);
    struct engine_start start = {.cfg = c->cfg, .request = request, .label = str_c(setting)};
    struct err e;
    char guid[37];
    int64_t id;

    if (name.len == 0 || password.len == 0)
        return;
    if (activity == NULL) {
        log_warn("platform.workflow", "setting=%s workflow=" LOG_Q " why=\"there is no such workflow\"", setting,
                 str_cstr(c->a, name));
        return;
    }
    start.activity_id = activity->id;
    val_dict_set_c(request, "username", val_str(username));
    val_dict_set_c(request, "password", val_str(password));
    if (engine_launch(c->api->engine, &start, &id, guid, &e) != 0)
        log_err(LOG_ERROR_LEVEL, "platform.workflow", &e);
}
