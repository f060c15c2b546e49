/*
 * Opening the database for a command.
 */
#include "ctl/ctl_db.h"

#include "base/arena.h"
#include "db/migrate.h"

int ctl_db_open(struct ctl_db *d, bool migrate, struct err *e)
{
    static volatile bool never;
    const struct migrate_opts mo = {.run = true, .program = "sluicectl", .stop = &never};
    const struct db_opts o = {.max_conns = 4, .app_name = "sluicectl", .standby_too = true};

    *d = (struct ctl_db){.a = arena_new(0)};
    if (app_environment(&d->uri, &d->shown, d->a, e) != 0)
        return -1;
    if (migrate && migrate_start(d->uri.p, d->shown.p, &mo, e) != 0)
        return -1;
    d->db = db_new(d->uri.p, d->shown.p, &o);
    return 0;
}

void ctl_db_close(struct ctl_db *d)
{
    if (d->db != NULL)
        db_free(d->db);
    arena_free(d->a);
}

bool ctl_kek_option(const char *arg, const char **out)
{
    const char *v = ctl_option_value(arg, "kek");

    if (v == NULL)
        return false;
    *out = v;
    return true;
}

int ctl_config(struct ctl_db *d, const char *kek, struct cfg_store **out, struct err *e)
{
    struct kek key;
    bool given;
    int rc = -1;

    if (app_kek(kek, &key, &given, e) == 0)
        rc = cfg_store_new_kek(out, d->db, given ? &key : NULL, e);
    kek_wipe(&key);
    return rc;
}

int ctl_db_fail(const char *command, const struct err *e)
{
    (void)ctl_fail(command, e);
    return app_exit_status(e);
}
