/*
 * The command line of both applications: migration.md 2.
 *
 * A setting is a row of options.def: name, kind, member, default, who takes it, help.  Parsing, -help and
 * the messages for bad input come from the table.
 */
#ifndef SLUICE_OPTIONS_H
#define SLUICE_OPTIONS_H

#include "base/ip_net.h"
#include "config/proxy_map.h"

enum program { PROGRAM_CORE = 1, PROGRAM_PROXY = 2 };

struct options {
    bool workflows;
    bool cleanup;
    const char *host;
    int64_t port; /* 0 = not given */
    const char *socket;
    int64_t socket_mode;
    struct proxy_maps proxies;
    bool run_migration;
    int64_t migration_wait_ms;
    const char *new_superuser; /* NULL = not asked for */
    const char *kek; /* file, "" = not given */
    bool metrics;
    const char *metrics_host;
    int64_t metrics_port;
    int64_t ws_port; /* 0 = no live views */
    int64_t threads;
    int64_t workers;
    int64_t drain_ms;
    int64_t sync_timeout_ms;
    int64_t max_in_flight;
    struct ip_nets trusted_proxies;
    bool proxy_sync;
    int64_t proxy_max_body;
    int64_t proxy_max_in_flight;
    int64_t proxy_total_timeout_ms;
    int64_t proxy_wait_ms;
    bool no_history; /* measurements only: nothing of a synchronous run is stored */
    bool help, version;
};

/*
 * Read the whole command line before anything happens.
 *
 * errors  one line per mistake, without the program's name; empty when all is well.
 * Returns 0, or -1 when there was a mistake (exit 2).
 */
MUST_CHECK int options_parse(struct options *o, enum program p, int argc, char **argv, struct buf *errors,
                             struct arena *a);
/* What -help prints. */
void options_help(enum program p, struct buf *out);
const char *program_name(enum program p);

#endif
