/*
 * What the files of the environment share.
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_INT_H
#define SLUICE_TESTS_INTEGRATION_ENV_INT_H

#include "integration/env.h"

#include "base/arena.h"
#include "http/client.h"

enum { CHILDREN_MAX = 256 };

struct child {
    pid_t pid;
    const char *name; /* of its log */
    int stop_signal;
    bool ended;
    int status;
};

struct env {
    struct arena *a;
    char dir[64];
    const char *bindir; /* of PostgreSQL */
    const char *uri;
    const char *const *pg_settings, *const *pg_vars;
    pid_t postgres[ENV_SERVERS];
    struct child children[CHILDREN_MAX];
    size_t n_children;
    pid_t nginx;
    int nginx_port;
    int live_port; /* -wsPort behind nginx; 0 = none */
    struct http_client_pool *client;
};

struct spawn_opts {
    const char *name;
    const char *const *argv;
    const char *const *vars;
    bool as_postgres; /* initdb and postgres refuse root */
    int death_signal; /* sent to it when the test dies; SIGQUIT also at the end of the test, else SIGTERM */
};

/* The folder and nothing in it yet. */
struct env *env_new(void);
pid_t env_spawn_opts(struct env *env, const struct spawn_opts *o);
/* Run to the end; fails the test with the log when the status is not 0. */
void env_run(struct env *env, const struct spawn_opts *o);
const char *env_read_file(struct env *env, const char *path);
void env_write_file(struct env *env, const char *path, const char *text);

#endif
