/*
 * Prometheus metrics on a port of their own (-metrics), plain HTTP without authentication.
 */
#ifndef SLUICE_METRICS_H
#define SLUICE_METRICS_H

#include "base/err.h"
#include "db/db.h"

struct app;
struct metrics;

/* Binds and starts a thread; ERR_INTERNAL when the address is taken. */
MUST_CHECK int metrics_new(struct metrics **out, struct app *app, const char *host, int port, struct err *e);
void metrics_free(struct metrics *m);

extern const struct db_stmts metrics_stmts;

#endif
