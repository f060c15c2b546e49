/*
 * Commands of sluicectl that work on the database named by DB.
 */
#ifndef SLUICE_CTL_CTL_DB_H
#define SLUICE_CTL_CTL_DB_H

#include "app.h"
#include "ctl/ctl.h"

/* The address from the environment; ERR_USAGE with the same words as the applications. */
struct ctl_db {
    struct arena *a;
    struct str uri, shown;
    struct db *db;
};

/* Read DB, bring the schema up to date when `migrate`, open a small pool. */
MUST_CHECK int ctl_db_open(struct ctl_db *d, bool migrate, struct err *e);
void ctl_db_close(struct ctl_db *d);
/* "-kek=FILE": the name of the file. */
bool ctl_kek_option(const char *arg, const char **out);
/*
 * The configuration, its keys opened with the key outside the database: `kek` names its file, NULL:
 * the variable KEK does, or there is none.
 */
MUST_CHECK int ctl_config(struct ctl_db *d, const char *kek, struct cfg_store **out, struct err *e);
/* As ctl_fail, with the exit status of migration.md 9: 2 usage, 78 configuration, else 1. */
int ctl_db_fail(const char *command, const struct err *e);

#endif
