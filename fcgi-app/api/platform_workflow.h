/*
 * Workflows of the platform itself: what the configuration names for changes of passwords
 * (workflow-engine.md 5.6).
 */
#ifndef SLUICE_API_PLATFORM_WORKFLOW_H
#define SLUICE_API_PLATFORM_WORKFLOW_H

#include "api/api.h"

/*
 * Tell the workflow named by a setting ("gui.reset_password_workflow") of a new password, after the
 * fact: it can neither change nor refuse it, so what goes wrong is logged only.  Nothing happens
 * when the setting or the password is empty.
 */
void platform_password_changed(struct api_call *c, const char *setting, struct str username, struct str password);

#endif
