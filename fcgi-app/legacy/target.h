/*
 * Writing an import into our database: the lock, the record, the new version of the configuration
 * (migration.md 6.3).
 */
#ifndef SLUICE_LEGACY_TARGET_H
#define SLUICE_LEGACY_TARGET_H

#include "legacy/content.h"

struct legacy_target {
    struct db_conn *c;
    int64_t import_id; /* 0: nothing recorded yet */
    struct arena *a;
};

/* Take the lock "import" for as long as the connection lives; ERR_BUSY `an import is running since
 * 10:02 (host a, pid 41)`. */
MUST_CHECK int legacy_lock(struct legacy_target *t, struct err *e);
/* Has the target a configuration of its own already? */
MUST_CHECK int legacy_configured(struct legacy_target *t, bool *out, struct err *e);
/* The record begins: committed at once, so that who waits can see who works. */
MUST_CHECK int legacy_begin(struct legacy_target *t, struct val sources, struct err *e);
/* Would the new configuration be taken?  Asked before anything is written.  ERR_USAGE naming the place. */
MUST_CHECK int legacy_check(struct legacy_target *t, const struct cfg *current, const struct legacy_plan *p, struct err *e);
/* One new configuration version, when anything changed, and the end of the record. */
MUST_CHECK int legacy_finish(struct legacy_target *t, const struct cfg *current,
                             const struct legacy_plan *p, const char *comment, struct val counts,
                             struct err *e);

/*
 * Ask the new platform at `url` for the usual reset mail of each imported user who is active here,
 * has an address and no password.  Who could not be asked for is told as a gap.
 */
MUST_CHECK int legacy_send_reset(struct legacy_target *t, const struct legacy_content *x,
                                 const char *url, struct legacy_plan *p, struct err *e);

extern const struct db_stmt legacy_stmt_without_password;
extern const struct db_stmts legacy_stmts;

#endif
