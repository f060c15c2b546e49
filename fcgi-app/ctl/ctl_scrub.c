/*
 * sluicectl scrub: makes a copy of a platform harmless, so that it never calls the real systems
 * (migration.md 10).
 *
 * One transaction: it is done as a whole or not at all.  Every stored version of the configuration
 * is changed, since the table keys comes with a copy and opens them all.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "config/settings.h"
#include "ctl/ctl_db.h"

static const struct db_stmt stmt_versions = {
    "scrub_versions", "SELECT id, content FROM configuration ORDER BY id FOR UPDATE", 0};
static const struct db_stmt stmt_put = {
    "scrub_put", "UPDATE configuration SET content = $2 WHERE id = $1", 2};

/* What a copy may not have, and the words for it. */
static const struct scrub {
    struct db_stmt stmt;
    const char *what;
} scrubs[] = {
    {{"scrub_logins", "DELETE FROM gateway_logins", 0}, "logins at gateways (cookies) removed"},
    {{"scrub_refresh", "DELETE FROM refresh_tokens", 0}, "logins of users ended"},
    {{"scrub_tokens",
      "UPDATE users SET token_hash = NULL, token_sealed = NULL, token_expiry_date = NULL WHERE token_hash IS NOT NULL", 0},
     "tokens of programs removed"},
    {{"scrub_valid", "UPDATE users SET tokens_valid_from = now()", 0}, "users have to sign in again"},
    {{"scrub_one_time", "DELETE FROM one_time_tokens WHERE used_on IS NULL", 0}, "one-time links removed"},
    {{"scrub_webhooks",
      "UPDATE webhooks SET active = false, secret = NULL, password = NULL, custom_header_value = NULL", 0},
     "webhooks switched off, without secrets"},
    {{"scrub_callbacks", "DELETE FROM user_callbacks", 0}, "addresses told about requests removed"},
    {{"scrub_reports", "UPDATE reports SET active = false", 0}, "reports switched off"},
};

/* Secrets of a peer become empty, wherever they stand in its entry. */
static struct val without_secrets(struct val v, const struct place *at, int *n, struct arena *a)
{
    const struct setting *s = setting_at(at);
    struct val out, key, value;

    if (val_is(v, VAL_STR) && ((s != NULL && s->kind == SETTING_SECRET) || str_starts(val_text(v), STR("sealed:")))) {
        *n += val_text(v).len > 0;
        return VAL_STR_LIT("");
    }
    if (!val_is(v, VAL_DICT))
        return v;
    out = val_dict_new(a, val_count(v) + 1);
    for (size_t i = 0; i < val_count(v); i++) {
        val_pair_at(v, i, &key, &value);
        val_dict_set(out, key, without_secrets(value, &(struct place){.up = at, .name = val_text(key)}, n, a));
    }
    return out;
}

static void scrub_peers(struct val doc, const char *section, int *n_secrets, int *n_peers, struct arena *a)
{
    struct val peers = val_get(doc, section), out, key, value;
    const struct place at = {.name = str_c(section)};

    if (!val_is(peers, VAL_DICT))
        return;
    out = val_dict_new(a, val_count(peers));
    for (size_t i = 0; i < val_count(peers); i++) {
        val_pair_at(peers, i, &key, &value);
        value = without_secrets(value, &(struct place){.up = &at, .name = val_text(key)}, n_secrets, a);
        if (val_is(value, VAL_DICT))
            val_dict_set_c(value, "disabled", val_bool(true));
        val_dict_set(out, key, value);
        ++*n_peers;
    }
    val_dict_set_c(doc, section, out);
}

static int scrub_configuration(struct ctl_db *d, struct db_conn *c, struct err *e)
{
    PGresult *res = NULL;
    int n_secrets = 0, n_peers = 0;

    if (db_query_in(c, &stmt_versions, DB_NO_ARGS, &res, d->a, e) != 0)
        return -1;
    for (int i = 0; i < PQntuples(res); i++) {
        struct val stored, doc;

        n_peers = 0; /* those of the last version are in force */
        if (json_parse(db_str(res, i, 1), &stored, d->a, e) != 0)
            return -1;
        doc = val_copy(stored, d->a);
        scrub_peers(doc, "gateways", &n_secrets, &n_peers, d->a);
        scrub_peers(doc, "gateways_tcp", &n_secrets, &n_peers, d->a);
        if (db_exec(c, &stmt_put, DB_ARGS(DB_INT(db_int(res, i, 0)), DB_STR(json_text(doc, d->a))), NULL, e) != 0)
            return -1;
    }
    printf("%d gateways disabled; %d passwords and keys of gateways emptied in %d versions of the configuration\n", n_peers,
           n_secrets, PQntuples(res));
    return 0;
}

static int scrub_all(struct ctl_db *d, struct db_conn *c, struct err *e)
{
    if (db_begin(c, e) != 0 || scrub_configuration(d, c, e) != 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(scrubs); i++) {
        int64_t n = 0;

        if (db_exec(c, &scrubs[i].stmt, DB_NO_ARGS, &n, e) != 0)
            return -1;
        printf("%lld %s\n", (long long)n, scrubs[i].what);
    }
    if (db_commit(c, e) != 0)
        return -1;
    printf("left as they were: mail (smtp), datastores, single sign-on, scheduled jobs; look at them before -workflows runs\n");
    return 0;
}

int ctl_scrub(int argc, char **argv)
{
    struct db_conn *c = NULL;
    struct ctl_db d;
    struct err e = {0};
    bool yes = false;
    int rc = -1;

    for (int i = 1; i < argc; i++) {
        if (!ctl_is_option(argv[i], "yes"))
            return ctl_usage(argv[0], "--yes is taken, nothing else");
        yes = true;
    }
    if (!yes)
        return ctl_usage(argv[0], "this empties passwords and disables gateways; say --yes when DB is the copy");
    if (ctl_db_open(&d, false, &e) == 0 && db_get(d.db, &c, &e) == 0)
        rc = scrub_all(&d, c, &e);
    db_put(d.db, c);
    rc = rc == 0 ? CTL_OK : ctl_db_fail(argv[0], &e);
    ctl_db_close(&d);
    return rc;
}
