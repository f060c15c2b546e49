/*
 * The house of the proxy's tests that need a gateway which behaves: core, nginx and a proxy of /api/v01/p1 in front of the stand-in
 * (support/gateway.h), which is told by /_control what to do.  Calls that a test makes with api_*() go through nginx.
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_STANDIN_H
#define SLUICE_TESTS_INTEGRATION_ENV_STANDIN_H

#include "integration/env_api.h"

struct standin {
    struct env *env;
    const char *url; /* of the gateway: "http://127.0.0.1:N" */
    int port, nginx_port;
    pid_t proxy, gateway;
};

/* Everything runs, the administrator is signed in; one for each program. */
const struct standin *standin_start(void);
/* Start of a test: an obedient gateway on which the platform is logged in. */
int standin_obeys(void **state);
#define PROXY_TEST(fn) cmocka_unit_test_setup(fn, standin_obeys)

/* Tell or ask the gateway something: a call of /_control, which answers JSON. */
struct val standin_control(const char *method, const char *path, const char *body);
/* How many calls it got. */
int64_t standin_calls(void);
/* The last call it got. */
struct val standin_last_call(void);
/* A header of such a call, "" when absent. */
const char *standin_sent_header(struct val call, const char *name);
/* The gateway "bwks" at this URL, with more members (",\"timeout\":1"). */
void standin_configure(const char *url, const char *more);
/* The status of a GET. */
int standin_get(const char *path);

#endif
