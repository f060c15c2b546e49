/*
 * The API of a former platform as source (migration.md 6.1, 6.3): configuration, profiles, roles,
 * users, templates, workflows with their active definition, routes.
 *
 * Reading first, everything; then one transaction per kind of thing.  Objects are matched by name,
 * so that a killed import, started again, ends in the same state.
 */
#ifndef SLUICE_LEGACY_API_SOURCE_H
#define SLUICE_LEGACY_API_SOURCE_H

#include "legacy/plan.h"

enum { LEGACY_KINDS = 6 };

struct legacy_api {
    struct http_client_pool *pool;
    struct arena *a;
    struct str base, token;
    struct val items[LEGACY_KINDS]; /* lists of objects */
    struct {
        int added, replaced, kept, unchanged;
    } counts[LEGACY_KINDS];
};

/*
 * Read all of it; the configuration goes into the plan.
 *
 * token_file  NULL: the login is asked on the terminal.
 * Fails with ERR_USAGE, ERR_UPSTREAM ("the old platform: ...").
 */
MUST_CHECK int legacy_api_read(struct legacy_api *api, const char *url, const char *token_file,
                               const struct legacy_options *o, const struct cfg *current,
                               struct legacy_plan *p, struct arena *a, struct err *e);
/* Write it, the configuration aside. */
MUST_CHECK int legacy_api_write(struct legacy_api *api, struct db_conn *c, const struct cfg *current,
                                enum legacy_conflict conflict, struct legacy_plan *p, struct err *e);
void legacy_api_counts(const struct legacy_api *api, struct val counts);
/* One line for each kind on standard output. */
void legacy_api_tell(const struct legacy_api *api);
void legacy_api_free(struct legacy_api *api);

extern const struct db_stmts legacy_api_stmts;

#endif
