/*
 * sluicectl migrate: bring the schema up to date, or say where it stands.
 */
#include <stdio.h>

#include "ctl/ctl_db.h"
#include "db/migrate.h"

static int show_status(struct ctl_db *d, struct err *e)
{
    struct db_conn *c = NULL;
    int version, rc = -1;

    if (db_get(d->db, &c, e) == 0 && migrate_current(c, &version, e) == 0) {
        printf("schema %d, this program needs %d: %s\n", version, migrate_target(),
               version == migrate_target()  ? "up to date"
               : version < migrate_target() ? "behind; run sluicectl migrate"
                                            : "newer than this program");
        rc = 0;
    }
    db_put(d->db, c);
    return rc;
}

int ctl_migrate(int argc, char **argv)
{
    bool status = argc == 2 && ctl_is_option(argv[1], "status");
    struct ctl_db d;
    struct err e = {0};
    int rc;

    if (argc > 1 && !status)
        return ctl_usage(argv[0], "no arguments but -status are taken");
    rc = ctl_db_open(&d, !status, &e) == 0 && show_status(&d, &e) == 0 ? CTL_OK : ctl_db_fail(argv[0], &e);
    ctl_db_close(&d);
    return rc;
}
