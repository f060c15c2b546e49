/*
 * What the readers of an API share, and what reading its past is made of.
 */
#ifndef SLUICE_LEGACY_API_INT_H
#define SLUICE_LEGACY_API_INT_H

#include "legacy/api.h"
#include "legacy/archive_int.h"

/* Ids above 0; begins as {0}. */
struct id_set {
    int64_t *slots; /* 0: free */
    size_t size, n;
    struct arena *a;
};

struct api_past {
    struct legacy_api *api;
    struct archiving w;
    int64_t rest_instances, rest_requests; /* nothing was asked for that brings them */
    struct arena *seen_a; /* of the row under way */
    struct val seen;      /* its transactions by id: none twice, whatever they say of each other */
    struct id_set met;    /* instances that had their turn: a further request of one comes alone */
    struct err *e;
};

/* False: it is in already. */
bool api_ids_add(struct id_set *s, int64_t id);
void api_ids_free(struct id_set *s);

/* POST, JSON into api->a. */
MUST_CHECK int api_post(struct legacy_api *api, const char *path, struct str body, struct val *out, struct err *e);
/* The token for all calls: of the file, or by a login that is asked on the terminal. */
MUST_CHECK int api_sign_in(struct legacy_api *api, const char *token_file, struct err *e);

/* The documents of an instance by their list, in p->w.a; the platform may have none. */
MUST_CHECK int api_documents_list(struct api_past *p, int64_t instance, struct val *out);
/* Store those of an instance that is here; one that cannot be had is told.  *all: none is missing. */
MUST_CHECK int api_documents(struct api_past *p, struct val instance, struct val list, bool *all);

#endif
