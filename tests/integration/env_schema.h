/*
 * Databases of tests about migrations: empty ones, up-to-date ones (copies of one), and migrators on them.
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_SCHEMA_H
#define SLUICE_TESTS_INTEGRATION_ENV_SCHEMA_H

#include "db/migrate_int.h"
#include "integration/env.h"

/* Address of a new database: empty, or with the schema of this program. */
const char *schema_empty(struct env *env);
const char *schema_ready(struct env *env);
/* The name of the database made last, for other addresses of it (env_db_of). */
const char *schema_last_name(struct env *env);

/* migrate_run() without a stop; `list` NULL: the program's own. */
int schema_migrate(const struct migration *list, const char *uri, bool run, int64_t wait_ms, struct err *e);
/* The same in a process of its own, which ends with 0, or 10 + the code of its error. */
pid_t schema_process(const struct migration *list, const char *uri, bool run, int64_t wait_ms);
/* Wait for such a process; 256 when it was killed. */
int schema_exit_of(pid_t pid);
/* It must work. */
void schema_must(struct env *env, const struct migration *list, const char *uri);

/* The program's migrations and one more, living in the arena of `env`. */
const struct migration *schema_with(struct env *env, const char *name, const char *text, bool additive);

/* "12/12": how many are done, and the highest. */
const char *schema_versions(struct env *env, const char *uri);
const char *schema_all_versions(struct env *env);

/* The schema as sql/schema.sql has it. */
const char *schema_dump(struct env *env, const char *uri);
/* The file itself. */
const char *schema_file(struct env *env);

#endif
