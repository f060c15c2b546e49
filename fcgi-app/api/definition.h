/*
 * Definitions as the API takes them: checking, and answering what is wrong.
 */
#ifndef SLUICE_API_DEFINITION_H
#define SLUICE_API_DEFINITION_H

#include "api/api.h"

struct definition_check {
    struct val definition; /* what the client sent */
    enum wf_strictness how;
    struct str text;         /* what to store; .p NULL before the check */
    struct wf_report report;
    bool answered; /* the handler's answer is set: return 0 */
};

/* Check; on rejects the 400 with "errors" is set in `c` and check->answered, and -1 returns. */
MUST_CHECK int definition_check(struct api_call *c, struct definition_check *check, struct err *e);
/* Adds "warnings" to the answer when there are any. */
void definition_warnings(struct api_call *c, const struct definition_check *check);

/* ---- shared by api_activities.c, api_versions.c and api_exchange.c -------------------------------- */

/* The activity object with its active definition; ERR_NOT_FOUND. */
MUST_CHECK int activity_read(struct api_call *c, int64_t id, struct val *out, struct err *e);
/* A new activity with one version, active and working at once; ERR_CONFLICT for a name in use. */
MUST_CHECK int activity_insert(struct api_call *c, struct str name, struct str description, struct str definition,
                               int64_t *id, struct err *e);
/* Overwrite the working version. */
MUST_CHECK int activity_save_working(struct api_call *c, int64_t id, struct str definition, struct err *e);
/* Label the working version and put a new one beside it, in the caller's transaction; ERR_CONFLICT for a label in use. */
MUST_CHECK int version_commit(struct api_call *c, int64_t activity_id, struct str label, struct str message,
                              int64_t *version_id, struct err *e);
/* Make a version the active one, in the caller's transaction; version_id 0 = the working one. */
MUST_CHECK int version_activate(struct api_call *c, int64_t activity_id, int64_t version_id, struct err *e);

#endif
