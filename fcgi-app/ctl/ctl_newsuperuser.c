/*
 * sluicectl newsuperuser: the first administrator, as `sluice-core -newsuperuser` does.
 */
#include "ctl/ctl_db.h"

static int create(struct ctl_db *d, const char *name, struct err *e)
{
    struct str password = password_generate(20, false, d->a);
    struct db_conn *c = NULL;
    int rc = -1;

    if (db_get(d->db, &c, e) == 0)
        rc = auth_tell_superuser(c, str_c(name), password, e);
    db_put(d->db, c);
    return rc;
}

int ctl_newsuperuser(int argc, char **argv)
{
    struct ctl_db d;
    struct err e = {0};
    int rc;

    if (argc > 2)
        return ctl_usage(argv[0], "at most one name is wanted");
    if (auth_can_tell(&e) != 0)
        return ctl_db_fail(argv[0], &e);
    rc = ctl_db_open(&d, true, &e) == 0 && create(&d, argc == 2 ? argv[1] : "admin", &e) == 0 ? CTL_OK
                                                                                              : ctl_db_fail(argv[0], &e);
    ctl_db_close(&d);
    return rc;
}
