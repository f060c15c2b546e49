/*
 * The gateway-proxy: one request from its arrival under a prefix to its answer and its history row.
 *
 * Way of a request: canonical path -> local end points -> caller -> custom route | rules -> session -> upstream -> answer
 * streamed back -> history row behind it (gateway-proxy.md 1.3, 5).
 */
#ifndef SLUICE_PROXY_PROXY_H
#define SLUICE_PROXY_PROXY_H

#include "app.h"
#include "gateway/session.h"
#include "upstream.h"

struct proxy;

/* Builds what the proxy holds and puts it into app->extra. */
MUST_CHECK int proxy_ready(struct app *app, struct err *e);
void proxy_stop(struct app *app);
/* What the writer's last rows still needed; when it has ended. */
void proxy_free(struct app *app);
/* Appends the proxy's own metrics. */
void proxy_metrics(struct app *app, struct buf *out);
/* http_handler; ctx is the struct app. */
void proxy_handle(struct http_req *r, void *app);

#endif
