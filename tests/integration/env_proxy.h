/*
 * The house of the proxy's tests: core, nginx and a proxy of /api/v01/p1 in front of the rogue upstream (support/rogue.h).
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_PROXY_H
#define SLUICE_TESTS_INTEGRATION_ENV_PROXY_H

#include "integration/env_api.h"
#include "support/fcgi_client.h"
#include "support/rogue.h"

struct house {
    struct env *env;
    struct rogue *rogue;
    const char *upstream; /* "http://127.0.0.1:N" */
    int nginx_port;
    int metrics_port; /* of the proxy, with HOUSE_METRICS among its options */
    pid_t core, proxy;
};

#define HOUSE_METRICS "-metricsPort=?" /* a free one is put in */
/* options: of the proxy, besides its mapping; NULL at the end.  The administrator is signed in. */
void house_start(struct house *h, const char *const *options);
/* The same with more variables in the environment of core and proxy. */
void house_start_with(struct house *h, const char *const *options, const char *const *more);
int house_end(struct house *h, int failed);
/* The gateway "bwks" at the upstream, with more members (",\"timeout\":1"); core and proxy use it then. */
void house_gateway(struct house *h, const char *more);
/* Until core and proxy use the newest version of the configuration. */
void house_until_used(struct house *h);
/* What memory may grow by where `kib` is the law: sanitizers keep freed memory back. */
long house_growth_kib(long kib);

/* A request to the proxy's socket with the administrator's token; more: further "NAME=value", NULL at the end, or NULL. */
struct fcgi_request house_request(struct house *h, const char *method, const char *uri, const char *const *more);
/* The head of such a request on a new connection; then bytes of its body by house_body(), its end by house_body_end(). */
int house_begin(struct house *h, const struct fcgi_request *r);
/* Bytes taken within `ms`. */
size_t house_body(int fd, size_t n, int ms);
void house_body_end(int fd);
/* Connected to nginx. */
int house_connect(struct house *h);
/* Send text to nginx, read to the end of the connection or for as long as env_until() says; what came. */
const char *house_raw(struct house *h, const char *text, int ms);

#endif
