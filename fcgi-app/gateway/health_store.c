/*
 * Table gateway_status: what the last check of each gateway found.
 */
#include "gateway/health.h"

#include "base/json.h"
#include "db/locks.h"

static const struct db_stmt stmt_lock = {
    "gateway_status_lock",
    "SELECT pg_try_advisory_xact_lock(" DB_LOCK_GATEWAY_CHECK ")",
    0,
};

static const struct db_stmt stmt_put = {
    "gateway_status_put",
    "WITH seen AS (SELECT gateway, url, is_connected, is_healthy, link, summary, age_ms FROM "
    "json_to_recordset($1::json) "
    "AS t(gateway text, url text, is_connected boolean, is_healthy boolean, link text, summary "
    "text, age_ms bigint)), "
    "gone AS (DELETE FROM gateway_status s WHERE NOT EXISTS (SELECT 1 FROM seen WHERE seen.gateway "
    "= s.gateway)) "
    "INSERT INTO gateway_status (gateway, url, checked, is_connected, is_healthy, gateway_status, "
    "summary, ts) "
    "SELECT gateway, url, true, is_connected, is_healthy, link, summary, "
    "clock_timestamp() - make_interval(secs => age_ms / 1000.0) FROM seen "
    "ON CONFLICT (gateway) DO UPDATE SET url = excluded.url, checked = true, is_connected = "
    "excluded.is_connected, "
    "is_healthy = excluded.is_healthy, gateway_status = excluded.gateway_status, summary = "
    "excluded.summary, "
    "ts = excluded.ts",
    1,
};

static const struct db_stmt stmt_get = {
    "gateway_status_get",
    "SELECT gateway, url, is_connected, is_healthy, gateway_status, summary, "
    "(extract(epoch from clock_timestamp() - ts) * 1000)::bigint, " DB_TS(
        "ts") " FROM gateway_status WHERE checked",
    0,
};

static const struct db_stmt *const all[] = {&stmt_lock, &stmt_put, &stmt_get};
const struct db_stmts gw_health_stmts = {"gateway_health", all, COUNT_OF(all)};

int gw_status_lock(struct db_conn *c, bool *held, struct err *e)
{
    PGresult *res = NULL;

    if (db_query(c, &stmt_lock, DB_NO_ARGS, &res, e) != 0)
        return -1;
    *held = db_bool(res, 0, 0);
    PQclear(res);
    return 0;
}

int gw_status_put(struct db_conn *c, const struct gw_check *checks, size_t n, struct arena *a,
                  struct err *e)
{
    struct val rows = val_list_new(a, n);

    for (size_t i = 0; i < n; i++) {
        struct val row = val_dict_new(a, 8);

        val_dict_set_c(row, "gateway", val_str(checks[i].gateway));
        val_dict_set_c(row, "url", val_str(checks[i].url));
        val_dict_set_c(row, "is_connected", val_bool(checks[i].is_connected));
        val_dict_set_c(row, "is_healthy", val_bool(checks[i].is_healthy));
        val_dict_set_c(row, "link", val_str(checks[i].link));
        val_dict_set_c(row, "summary", val_str(checks[i].summary));
        val_dict_set_c(row, "age_ms", val_int(checks[i].age_ms));
        val_list_add(rows, row);
    }
    return db_exec(c, &stmt_put, DB_ARGS(DB_STR(json_text(rows, a))), NULL, e);
}

int gw_status_get(struct db_conn *c, struct gw_check **out, size_t *n, struct arena *a,
                  struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c, &stmt_get, DB_NO_ARGS, &res, a, e) != 0)
        return -1;
    *n = (size_t)PQntuples(res);
    *out = ARENA_ARRAY(a, struct gw_check, *n);
    for (int i = 0; i < PQntuples(res); i++) {
        (*out)[i] = (struct gw_check){
            .gateway = db_str(res, i, 0),
            .url = db_str(res, i, 1),
            .is_connected = db_bool(res, i, 2),
            .is_healthy = db_bool(res, i, 3),
            .link = db_str(res, i, 4),
            .summary = db_str(res, i, 5),
            .age_ms = db_int(res, i, 6),
            .ts_us = db_int(res, i, 7),
        };
    }
    return 0;
}
