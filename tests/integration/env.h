/*
 * The world of an integration test: its own PostgreSQL, nginx and programs, all gone when it ends.
 *
 *     static struct env *env;
 *
 *     static void serves(void **state)
 *     {
 *         (void)state;
 *         assert_int_equal(env_http(env, "GET", "/api/v01/health", NULL, NULL).status, 200);
 *     }
 *
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {cmocka_unit_test(serves)};
 *
 *         env = env_start();
 *         env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
 *         env_nginx_start(env, "core.sock", NULL);
 *         return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
 *     }
 *
 * Everything lives in a temporary folder (kept with SLUICE_KEEP=1 in the environment). A failed
 * test prints the logs. Helpers fail the running test by themselves; outside of one they end the
 * program. Single-threaded use.
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_H
#define SLUICE_TESTS_INTEGRATION_ENV_H

#include <sys/types.h>

#include "base/clock.h"
#include "base/str.h"
#include "support/cases.h"

struct bad_day;
struct env;

/* A fresh cluster with the empty database "sluice", running. */
struct env *env_start(void);
/*
 * The same with further settings ("name=value" each, NULL at the end; they live as long as the environment) or NULL, and, where
 * `day` is not NULL, a PostgreSQL that the test can give a bad day (support/bad_day.h).
 */
struct env *env_start_with(const char *const *settings, struct bad_day **day);
/* Stop and remove everything; prints the logs when `failed` is not 0 and returns it. */
int env_end(struct env *env, int failed);
/* The running test failed: print why. Does not return. */
void env_fail(struct env *env, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;
struct arena *env_arena(struct env *env);

/* A text in the arena of the environment. */
const char *env_fmt(struct env *env, const char *format, ...) PRINTF_LIKE(2, 3);
/* Absolute path of a file in the temporary folder. */
const char *env_path(struct env *env, const char *name);

/* ---- waiting ------------------------------------------------------------------------------ */

/*
 * Until `cond` holds, looking every 20 ms; fails the test when it does not.  `ms` is what it takes by far where nothing else
 * runs; no machine is given less than ENV_PATIENCE_MS.
 */
enum { ENV_PATIENCE_MS = 30000 };
int64_t env_until(int ms); /* when that is over, on the monotonic clock */
#define ENV_WAIT(env, ms, cond)                                                                    \
    do {                                                                                           \
        int64_t env_until_ = env_until(ms);                                                        \
        while (!(cond)) {                                                                          \
            if (clock_mono_ms(&clock_system) > env_until_)                                         \
                env_fail((env), "%s:%d: waited in vain for: %s", __FILE__, __LINE__, #cond);       \
            env_pause();                                                                           \
        }                                                                                          \
    } while (0)
void env_pause(void); /* 20 ms */

/* ---- PostgreSQL --------------------------------------------------------------------------- */

/* Address of the database "sluice", as the superuser "sluice". */
const char *env_db(const struct env *env);
/* Address of another database or user (NULL: as env_db). */
const char *env_db_of(struct env *env, const char *user, const char *database);
/* First column of the first row of the last statement as text, "" without row; fails the test on an
 * error. */
const char *env_psql(struct env *env, const char *sql);
/* The same with values put into the statement as printf does: for numbers and names the test made itself. */
const char *env_sql(struct env *env, const char *format, ...) PRINTF_LIKE(2, 3);
const char *env_psql_at(struct env *env, const char *uri, const char *sql);
void env_new_database(struct env *env, const char *name);
/* Nobody needs a password, save the user "pw_user", if a test makes it. */
/* Immediate stop (what a power cut leaves) and start again; the start waits until it answers. */
void env_pg_stop(struct env *env);
void env_pg_start(struct env *env);
pid_t env_pg_pid(const struct env *env);

/*
 * Two servers: 0 is that of env_start(), 1 is there once it was made to follow 0.  Both listen in the temporary folder, on ports of
 * their own.
 */
enum { ENV_SERVERS = 2 };
/* What server `n` had is forgotten; it becomes a copy of the other one and follows it as its standby, running. */
void env_pg_follow(struct env *env, int n);
/* The standby `n` takes writes from here on. */
void env_pg_promote(struct env *env, int n);
void env_pg_stop_one(struct env *env, int n);
/* Address of the database "sluice" at one server. */
const char *env_db_at(struct env *env, int n);
/* Address that names both servers, with more behind it ("&target_session_attrs=any"); env_psql() and what else is not given an
 * address of its own go by it from here on. */
const char *env_db_both(struct env *env, const char *more);
/* pg_dump with these arguments of `uri`, its output. */
const char *env_pg_dump(struct env *env, const char *uri, const char *const *args);

/* ---- programs ----------------------------------------------------------------------------- */

/* Where memory is measured: in programs started from here on, an address sanitizer holds back little of
 * what they free. */
void env_small_quarantine(void);

/*
 * Start a program; its output goes to the log `name`.log. vars: "NAME=value" texts, added to a
 * clean environment (PATH, HOME and options of the sanitizers). Both arrays end with NULL; vars may
 * be NULL. Returns the pid.
 */
pid_t env_spawn(struct env *env, const char *name, const char *const *argv,
                const char *const *vars);
/* Exit status; 256 + signal when killed; fails the test after `ms`, and after ENV_PATIENCE_MS at the earliest. */
int env_wait_exit(struct env *env, pid_t pid, int ms);
/* Send a signal and wait for the end. */
int env_kill(struct env *env, pid_t pid, int sig);
/* Ask a program to end: it ends with 0, and no sanitizer has said anything. */
void env_stop(struct env *env, pid_t pid);
bool env_running(struct env *env, pid_t pid);
/* The most resident memory it has had, in KiB; 0 when it is gone. */
long env_peak_kib(struct env *env, pid_t pid);
/* What the log `name` holds so far. */
const char *env_log(struct env *env, const char *name);

/*
 * One of our programs ("sluice-core", "sluice-proxy") listening on a socket of that name in the
 * temporary folder, with DB set; waits until it accepts connections. The log has the name of the
 * socket. args ends with NULL or is NULL.
 */
pid_t env_app_start(struct env *env, const char *program, const char *socket_name,
                    const char *const *args);
/* The same with other variables, DB among them. */
pid_t env_app_start_with(struct env *env, const char *program, const char *socket_name,
                         const char *const *args, const char *const *vars);
/* Path of one of our programs, or of one under tests/ ("tests/stand_in_gateway"). */
const char *env_program(struct env *env, const char *name);
/* A port of 127.0.0.1 nobody uses, and no other test is given before this program ends. */
int env_free_port(struct env *env);
bool env_port_open(int port);
/* A connection to a port of 127.0.0.1; -1 when nobody listens there. */
int env_connect(int port);
/* What comes next on a connection, as recv() says it, waiting for ENV_PATIENCE_MS at most; to have been stopped meanwhile is no end. */
ssize_t env_recv(int fd, void *to, size_t n);
bool env_socket_open(const char *path);

/* ---- nginx and HTTP ------------------------------------------------------------------------ */

/* nginx from the files of nginx/, in front of these sockets (NULL: nobody there). Returns its port.
 */
int env_nginx_start(struct env *env, const char *core_socket, const char *proxy_socket);
/* Its workers stand still, or go on. */
void env_nginx_hold(struct env *env, bool hold);
/* Master and workers are gone at once; and started again as they were. */
void env_nginx_kill(struct env *env);
void env_nginx_again(struct env *env);
/* A port for -wsPort, which an nginx started afterwards sends live views to. */
int env_live_port(struct env *env);

struct env_answer {
    int status;
    const char *body;
    size_t body_len;
    const char *headers; /* "name: value\n" each, names in lower case */
};

/* Ask nginx. headers: "Name: value" texts ending with NULL, or NULL; body NULL: none. status 0: no
 * answer, body says why. */
struct env_answer env_http(struct env *env, const char *method, const char *path,
                           const char *const *headers, const char *body);
/* The same on a connection of its own: a GET that breaks on a kept one before its answer would be sent again, and nobody told. */
struct env_answer env_http_once(struct env *env, const char *method, const char *path, const char *const *headers, const char *body);
/* The same at any address (http://127.0.0.1:...). */
struct env_answer env_http_at(struct env *env, const char *method, const char *url,
                              const char *const *headers, const char *body);
/* The value of a header, "" when absent. */
const char *env_header(struct env *env, const struct env_answer *a, const char *name);

#endif
