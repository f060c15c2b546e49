/*
 * The vital signs of the platform, and the alarms made of them: http_success_rate (our answers of 500 and above),
 * http_south_success_rate (those of gateways), network_issues and gateway_circuit (per gateway).
 *
 * Each process tells the others through table `vitals` what its windows hold, 5 minutes of it; one of them judges the sum, so that
 * one healthy process does not take back what another one sees.  On the same way processes of one machine learn where the others
 * listen, which no workflow may call (base/ip_guard.h), and all of them which gateways have a proxy (GET /gateways).
 *
 * Rules: http-api.md 6.2 (alarms).
 */
#ifndef SLUICE_VITALS_H
#define SLUICE_VITALS_H

#include "config/config.h"
#include "config/proxy_map.h"
#include "gateway/session.h"
#include "http/server.h"

struct vitals;

/* Starts the thread.  All of these outlive it. */
struct vitals *vitals_new(struct db *db, struct cfg_store *cfg, struct http_server *server, struct gw_sessions *sessions,
                          const struct proxy_maps *maps);
/* Takes NULL. */
void vitals_free(struct vitals *v);

extern const struct db_stmts vitals_stmts;

#endif
