/*
 * sluicectl migrate: bring the schema up to date, say where it stands, print what would run, or
 * record that the changed text of a migration is known (migration.md 8.3, 8.5).
 */
#include <stdio.h>

#include "ctl/ctl_db.h"
#include "db/migrate.h"

struct args {
    bool status, dry_run;
    int64_t accept, to; /* a version; 0: not asked */
};

static int show_status(struct db_conn *c, struct err *e)
{
    int version;

    if (migrate_current(c, &version, e) != 0)
        return -1;
    printf("schema %d, this program needs %d: %s\n", version, migrate_target(),
           version == migrate_target()  ? "up to date"
           : version < migrate_target() ? "behind; run sluicectl migrate"
                                        : "newer than this program");
    return 0;
}

static int show_pending(struct db_conn *c, struct err *e)
{
    const struct migration *m;

    if (migrate_pending(c, &m, e) != 0)
        return -1;
    for (; m->version != 0; m++)
        printf("-- migration %04d %s\n%s\n", m->version, m->name, m->sql);
    return 0;
}

static int accept_text(struct db_conn *c, int64_t version, struct err *e)
{
    if (migrate_accept(c, (int)version, e) != 0)
        return -1;
    printf("migration %04lld: the text of this program is recorded\n", (long long)version);
    return 0;
}

static int run(const struct args *args, struct ctl_db *d, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = db_get(d->db, &c, e);

    if (rc == 0)
        rc = args->accept > 0 ? accept_text(c, args->accept, e)
             : args->dry_run  ? show_pending(c, e)
                              : show_status(c, e);
    db_put(d->db, c);
    return rc;
}

static int upgrade(const struct ctl_db *d, int64_t to, struct err *e)
{
    const struct migrate_opts o = {.run = true, .program = "sluicectl", .to = (int)to};

    return migrate_start(d->uri.p, d->shown.p, &o, e);
}

static bool read_arg(const char *arg, struct args *args)
{
    const char *v;

    if (ctl_is_option(arg, "status"))
        return args->status = true;
    if (ctl_is_option(arg, "dry-run"))
        return args->dry_run = true;
    if ((v = ctl_option_value(arg, "accept-checksum")) != NULL)
        return str_to_int(str_c(v), &args->accept) && args->accept > 0 && args->accept < INT32_MAX;
    if ((v = ctl_option_value(arg, "to")) != NULL)
        return str_to_int(str_c(v), &args->to) && args->to > 0 && args->to <= migrate_target();
    return false;
}

int ctl_migrate(int argc, char **argv)
{
    struct args args = {0};
    struct ctl_db d;
    struct err e = {0};
    bool looks;
    int rc = -1;

    for (int i = 1; i < argc; i++)
        if (!read_arg(argv[i], &args))
            return ctl_usage(argv[0], "-status, -dry-run, -accept-checksum=VERSION and -to=VERSION "
                                      "are taken, nothing else");
    looks = args.status || args.dry_run || args.accept > 0;
    if (ctl_db_open(&d, false, &e) == 0 && (looks || upgrade(&d, args.to, &e) == 0))
        rc = run(&args, &d, &e);
    if (rc != 0)
        rc = ctl_db_fail(argv[0], &e);
    ctl_db_close(&d);
    return rc;
}
