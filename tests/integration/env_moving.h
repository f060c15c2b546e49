/*
 * Running sluicectl against databases of its own, with a password that must show up nowhere.
 *
 * Every run looks for it in what the program printed, in the process list while it ran, and in the
 * log of PostgreSQL; moving_sealed() looks into the database itself.
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_MOVING_H
#define SLUICE_TESTS_INTEGRATION_ENV_MOVING_H

#include "integration/env_api.h"

#define CANARY "canary-2f81-secret"
#define ARGS(...) (const char *const[]){__VA_ARGS__, NULL}

/* Text in the environment's arena. */
const char *moving_printed(struct env *env, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A file of mode 0600 in the temporary folder; its path. */
const char *moving_file(struct env *env, const char *name, const char *text);
/* A new, empty database; its address. */
const char *moving_base(struct env *env);

/* Start "sluicectl ARGS..." with DB; more: further variables, NULL: none.  Its output is the log. */
pid_t moving_start(struct env *env, const char *log, const char *db, const char *const *args,
                   const char *const *more);
/* Run it to its end: the exit status must be this one; its output. */
const char *moving_ctl(struct env *env, int status, const char *db, const char *const *args);
/* The same with further variables. */
const char *moving_ctl_with(struct env *env, int status, const char *db, const char *const *args,
                            const char *const *more);
/* The same, and the most memory the program ever had, in KB; only sizes that differ by more than some MB say something. */
const char *moving_measured(struct env *env, int status, const char *db, const char *const *args, long *peak);
/* moving_ctl() with "import-legacy ARGS...". */
const char *moving_import(struct env *env, int status, const char *db, const char *const *args);
/* How many versions of the configuration imports made. */
const char *moving_versions(struct env *env, const char *db);
/* What a statement answers there must be this. */
void moving_is(struct env *env, const char *db, const char *sql, const char *want);
/* Nobody may see the password in this text, nor in the process list; and whether one does. */
void moving_hides(struct env *env, const char *what, const char *text);
void moving_unlisted(struct env *env, pid_t pid);
bool moving_shows(const char *text);
bool moving_listed(struct env *env, pid_t pid);
/* The password stands in no table and no log of this database. */
void moving_sealed(struct env *env, const char *db);
void moving_says(struct env *env, const char *output, const char *part);
/* A dump that can be compared: without the random words of newer versions of pg_dump. */
const char *moving_dump(struct env *env, const char *db);

/* The stand-in for the old platform's API, serving tests/support/old_platform/api.json with the
 * password in it; its port.  Its log is "old platform". */
int moving_old_api(struct env *env, pid_t *pid);
/* Another one at a port of its own, with further options, NULL-ended; its log is "old platform PORT". */
int moving_old_api_with(struct env *env, pid_t *pid, const char *const *options);
/* The stand-in for its database (tests/support/old_platform/database.sql); its address. */
const char *moving_old_database(struct env *env);

/* Short names, for programs that keep their environment in `env`. */
#define printed(...) moving_printed(env, __VA_ARGS__)
#define file(name, text) moving_file(env, name, text)
#define says(output, part) moving_says(env, output, part)
#define import(status, db, ...) moving_import(env, status, db, __VA_ARGS__)
#define versions(db) moving_versions(env, db)
#define is(db, ...) moving_is(env, db, __VA_ARGS__)

#endif
