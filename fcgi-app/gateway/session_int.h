/*
 * Shared by session.c (what a gateway is shown of who calls) and urls.c (which of its URLs is called); included from nowhere else.
 */
#ifndef SLUICE_GATEWAY_SESSION_INT_H
#define SLUICE_GATEWAY_SESSION_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/session.h"

struct state;
struct gw_urls;

struct gw_sessions {
    struct http_client_pool *clients;
    struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct state *states;
    uint64_t stamp;
    struct gw_keep keep;
    struct gw_urls *urls;
};

struct gw_urls *gw_urls_new(void);
void gw_urls_free(struct gw_urls *u);

#endif
