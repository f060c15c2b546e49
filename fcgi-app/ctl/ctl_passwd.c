/*
 * sluicectl passwd: a new generated password for a local user, who must change it at the next login.
 */
#include <stdio.h>

#include "ctl/ctl_db.h"

static const struct db_stmt stmt_find = {
    "ctl_passwd_find",
    "SELECT id FROM users WHERE lower(username) = lower($1)",
    1,
};

static const struct db_stmt *const all[] = {&stmt_find};
const struct db_stmts ctl_passwd_stmts = {"ctl_passwd", all, COUNT_OF(all)};

static int set(struct ctl_db *d, const char *name, const char *kek, struct err *e)
{
    struct str password = password_generate(20, false, d->a), id;
    struct cfg_store *cfg = NULL;
    struct auth *auth = NULL;
    struct db_conn *c = NULL;
    int64_t user_id;
    int rc = -1;

    if (ctl_config(d, kek, &cfg, e) != 0)
        goto out;
    auth = auth_new(d->db, cfg, &clock_system);
    if (db_get(d->db, &c, e) != 0)
        goto out;
    if (db_text(c, &stmt_find, DB_ARGS(DB_C(name)), &id, d->a, e) != 0 || !str_to_int(id, &user_id)) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no user \"%s\"", name);
        goto out;
    }
    if (auth_password_set(auth, c, user_id, password, true, e) != 0)
        goto out;
    printf("user %s password %.*s\n", name, STR_ARG(password));
    rc = 0;
out:
    db_put(d->db, c);
    auth_free(auth);
    cfg_store_free(cfg);
    return rc;
}

int ctl_passwd(int argc, char **argv)
{
    struct ctl_db d;
    const char *name = NULL, *kek = NULL;
    struct err e = {0};
    int rc;

    for (int i = 1; i < argc; i++) {
        if (ctl_kek_option(argv[i], &kek))
            continue;
        if (ctl_looks_like_option(argv[i]) || name != NULL)
            return ctl_usage(argv[0], "one user name is wanted");
        name = argv[i];
    }
    if (name == NULL)
        return ctl_usage(argv[0], "one user name is wanted");
    if (auth_can_tell(&e) != 0)
        return ctl_db_fail(argv[0], &e);
    rc = ctl_db_open(&d, false, &e) == 0 && set(&d, name, kek, &e) == 0 ? CTL_OK : ctl_db_fail(argv[0], &e);
    ctl_db_close(&d);
    return rc;
}
