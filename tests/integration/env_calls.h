/*
 * The two ways a call leaves the platform, for tests that try the same with both: through the proxy (env_proxy.h) and by the node
 * http_call in the core.
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_CALLS_H
#define SLUICE_TESTS_INTEGRATION_ENV_CALLS_H

#include "integration/env_proxy.h"

/* Public routes whose workflows call the session holder "bwks", by GET and by POST. */
void calls_routes(struct env *env);
/* What became of such a call: the status of the answer as text ("200"), or the message of the error. */
const char *calls_node(struct env *env, const char *method, const char *path);
/* The same through the proxy: path "/api/v1/do/ok/" is "/api/v01/p1/do/ok/" there; status as text, or the error of the answer. */
const char *calls_proxy(struct env *env, const char *method, const char *path);

struct calls_way {
    const char *name;
    const char *(*call)(struct env *env, const char *method, const char *path);
};

extern const struct calls_way calls_ways[2];

/* The call ends so within ENV_PATIENCE_MS, tried again until it does: the configuration may be on its way. */
void calls_expect(struct env *env, const struct calls_way *way, const char *method, const char *path, const char *want);

#endif
