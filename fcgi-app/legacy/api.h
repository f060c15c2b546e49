/*
 * The API of a former platform as source (migration.md 6.1, 6.3): its configuration, everything else
 * its documented operations show, documents, and closed instances.
 */
#ifndef SLUICE_LEGACY_API_H
#define SLUICE_LEGACY_API_H

#include "legacy/archive.h"
#include "legacy/content.h"

struct http_client_pool;

struct legacy_api {
    struct http_client_pool *pool;
    struct arena *a;
    struct str base, token, refresh;
    struct val activities; /* workflows as their list gives them */
    int64_t rate;          /* calls a second of legacy_api_history() */
    int64_t next_us;       /* the next one not before */
    bool patient;          /* paced, and who does not answer is asked again */
    bool connected;        /* the last call reached the platform */
    int status;            /* what it answered; 0: nothing that is an answer */
};

enum { LEGACY_RATE = 50 };

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

/* GET, JSON into `a`.  ERR_NOT_FOUND: the platform has no such operation (404, 405, 501). */
MUST_CHECK int legacy_api_get(struct legacy_api *api, const char *path, struct val *out, struct arena *a,
                              struct err *e);
/* The bytes of an answer, living in `a`. */
MUST_CHECK int legacy_api_bytes(struct legacy_api *api, const char *path, struct str *bytes, struct arena *a,
                                struct err *e);
/* The same piece by piece, of any size; once: a sink cannot take a piece back. */
MUST_CHECK int legacy_api_stream(struct legacy_api *api, const char *path,
                                 bool (*sink)(void *ctx, struct str piece), void *ctx, struct arena *a,
                                 struct err *e);
/*
 * All pages of a search, sorted by a field; `rows` gets each list, and says 0 or -1 with an error.
 * Lists live in an arena of their page.
 *
 * *missing  in api->a, NULL: nothing is; else that fewer rows came than there were.
 */
MUST_CHECK int legacy_api_pages(struct legacy_api *api, const char *path, const char *member, const char *order,
                                int (*rows)(void *ctx, struct val list, struct arena *a), void *ctx, const char **missing,
                                struct err *e);
/* How many there are, by the answer of a list; 0: it does not say. */
int64_t legacy_api_total(struct val answer);
/* The last call failed because of what was asked for: others may succeed. */
bool legacy_api_goes_on(const struct legacy_api *api);

/*
 * Read all of it but the past: the configuration into the plan, the rest into `x`.  What the platform
 * does not have is noted; what no API shows is a note too.
 */
MUST_CHECK int legacy_api_read(struct legacy_api *api, const struct legacy_options *o,
                               const struct cfg *current, struct legacy_plan *p,
                               struct legacy_content *x, struct err *e);

/*
 * Documents with the instances they hang on, and closed instances and requests when asked for: each is
 * read and written before the next, so it may be interrupted and goes on with what is missing.
 *
 * One that cannot be had is told as a gap.  Fails with ERR_UPSTREAM (the platform is away), ERR_DB,
 * ERR_CONFIG (no key to seal with), ERR_CONFLICT (LEGACY_FAIL).
 */
MUST_CHECK int legacy_api_history(struct legacy_api *api, struct legacy_archive *ar,
                                  const struct legacy_archive_target *t, struct legacy_plan *p,
                                  struct err *e);

#endif
