/*
 * Exchange of activities between platforms: shared by activities and custom routes.
 */
#ifndef SLUICE_API_API_EXCHANGE_H
#define SLUICE_API_API_EXCHANGE_H

#include "api/api.h"

/* The four merge options of an import, from the query (workflow-engine.md 1.7). */
struct exchange_options {
    bool replace, commit, activate;
    struct str commit_label;
};

/* Read them; ERR_INVALID when a commit has no label. */
MUST_CHECK int exchange_options(struct api_call *c, struct exchange_options *o, struct err *e);
/* The export object of an activity; with_subs adds "sub_activities".  ERR_NOT_FOUND. */
MUST_CHECK int exchange_export(struct api_call *c, struct str name, bool with_subs, struct val *out, struct err *e);
/* Import one file in the caller's transaction; *id is the activity's.  ERR_CONFLICT when the options do not allow it. */
MUST_CHECK int exchange_import(struct api_call *c, struct val file, const struct exchange_options *o, int64_t *id,
                               struct err *e);

#endif
