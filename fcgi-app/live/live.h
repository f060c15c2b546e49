/*
 * Live views: WebSockets on a port of their own (-wsPort), which FastCGI cannot carry.
 *
 * A socket shows one thing; it is looked at once a second on a worker, and sent when it has changed.
 * Rules: gateway-proxy.md 11.5; http-api.md 7.
 */
#ifndef SLUICE_LIVE_LIVE_H
#define SLUICE_LIVE_LIVE_H

#include "api/api.h"

struct live;

/*
 * Binds and starts a thread.
 *
 * api  outlives it.
 * host, port  where nginx finds it.
 * Fails with ERR_INTERNAL when the address is taken.
 */
MUST_CHECK int live_new(struct live **out, struct api *api, const char *host, int port, struct err *e);
/* Closes all sockets.  Takes NULL. */
void live_free(struct live *l);

extern const struct db_stmts live_stmts;

#endif
