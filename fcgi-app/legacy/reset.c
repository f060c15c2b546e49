/*
 * A way to a password for users who came without one: the usual reset mail, which the new platform
 * itself sends (migration.md 6.1).
 */
#include "base/arena.h"
#include "base/json.h"
#include "http/client.h"
#include "legacy/plan_int.h"
#include "legacy/target.h"

/* Of the users named: who may sign in here and has neither a password nor another way. */
const struct db_stmt legacy_stmt_without_password = {
    "legacy_without_password",
    "SELECT username FROM users WHERE lower(username) IN (SELECT lower(n) FROM json_array_elements_text($1::json) n) "
    "AND password_hash IS NULL AND NOT password_disabled AND local_user AND entity IS NULL AND status = 'ACTIVE' "
    "AND email <> '' ORDER BY username",
    1};

static struct val names_of(const struct legacy_content *x, struct arena *a)
{
    struct val list = x->items[LEGACY_USERS], out = val_list_new(a, val_count(list));

    for (size_t i = 0; i < val_count(list); i++)
        val_list_add(out, val_get(val_at(list, i), "username"));
    return out;
}

/* *there false: nobody answers at all. */
static int ask_for_one(struct http_client_pool *pool, struct str url, struct str name, bool *there, struct arena *a, struct err *e)
{
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")}};
    struct val body = val_dict_new(a, 1);
    struct http_call c = {.method = STR("POST"), .url = url, .headers = headers, .n_headers = 1};
    struct http_result out;

    val_dict_set_c(body, "username", val_str(name));
    c.body = json_text(body, a);
    *there = true;
    if (http_client_do(pool, &c, &out, a, e) != 0) {
        *there = out.connected;
        return -1;
    }
    if (out.status == 200)
        return 0;
    err_set(e, ERR_UPSTREAM, "answered %d", out.status);
    return -1;
}

int legacy_send_reset(struct legacy_target *t, const struct legacy_content *x, const char *url, struct legacy_plan *p, struct err *e)
{
    struct planning pl = {.p = p, .a = t->a, .e = e};
    struct str base = str_c(url), path;
    struct http_client_pool *pool;
    PGresult *res = NULL;
    bool there = true;
    int n = 0, i;

    if (db_query_in(t->c, &legacy_stmt_without_password, DB_ARGS(DB_STR(json_text(names_of(x, t->a), t->a))), &res, t->a, e) != 0)
        return -1;
    while (base.len > 0 && base.p[base.len - 1] == '/')
        base.len--;
    path = str_printf(t->a, "%.*s/api/v01/auth/reset-password", STR_ARG(base));
    pool = http_client_pool_new();
    for (i = 0; i < PQntuples(res) && there; i++) { /* no waiting for each of thousands */
        struct str name = db_str(res, i, 0);
        struct err why = {0};

        if (ask_for_one(pool, path, name, &there, t->a, &why) == 0)
            n++;
        else
            plan_gap(&pl, "users \"%.*s\": no reset mail was asked for: %s", STR_ARG(name), why.msg);
    }
    http_client_pool_free(pool);
    if (i < PQntuples(res))
        plan_gap(&pl, "reset mails: nobody answers at %s; the mails of %d more were not asked for", url, PQntuples(res) - i);
    plan_note(&pl, "reset mails: %d asked for", n);
    return 0;
}
