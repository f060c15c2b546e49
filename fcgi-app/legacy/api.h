/*
 * The API of a former platform as source (migration.md 6.1, 6.3): its configuration, and everything
 * else its documented operations show.
 */
#ifndef SLUICE_LEGACY_API_H
#define SLUICE_LEGACY_API_H

#include "legacy/content.h"

struct http_client_pool;

struct legacy_api {
    struct http_client_pool *pool;
    struct arena *a;
    struct str base, token;
};

/*
 * Make ready, sign in.
 *
 * url         "https://old.example/", with or without the root of the API.
 * token_file  NULL: the login is asked on the terminal.
 * Fails with ERR_USAGE, ERR_UPSTREAM ("the old platform: ...").
 */
MUST_CHECK int legacy_api_open(struct legacy_api *api, const char *url, const char *token_file,
                               struct arena *a, struct err *e);
void legacy_api_close(struct legacy_api *api);

/* GET, JSON into api->a.  ERR_NOT_FOUND: the platform has no such operation (404, 405, 501). */
MUST_CHECK int legacy_api_get(struct legacy_api *api, const char *path, struct val *out, struct err *e);
/* The bytes of an answer, living in `a`; *mime likewise. */
MUST_CHECK int legacy_api_bytes(struct legacy_api *api, const char *path, struct str *bytes,
                                struct str *mime, struct arena *a, struct err *e);

/*
 * Read all of it: the configuration into the plan, the rest into `x`.  What the platform does not
 * have is noted; what no API shows is a note too.
 */
MUST_CHECK int legacy_api_read(struct legacy_api *api, const struct legacy_options *o,
                               const struct cfg *current, struct legacy_plan *p,
                               struct legacy_content *x, struct err *e);

/*
 * Save the documents of all transactions as files, FOLDER/transaction-ID/NAME; what is there is
 * written again.
 *
 * One that cannot be had is told as a gap.  Fails with ERR_USAGE (the folder), ERR_UPSTREAM.
 */
MUST_CHECK int legacy_api_documents(struct legacy_api *api, const char *folder,
                                    struct legacy_plan *p, struct err *e);

#endif
