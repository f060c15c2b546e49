/*
 * What the dashboard counts (http-api.md 5.22): calls through each proxy, by day.
 */
#include "api/api.h"

/* $1 and $2: first and last moment as texts; a date alone means its whole day.  Without them: the last thirty days. */
#define FROM "coalesce(nullif($1, '')::timestamptz, now() - interval '30 days')"
#define UNTIL "coalesce(nullif($2, '')::timestamptz + CASE WHEN length($2) <= 10 THEN interval '1 day' ELSE interval '1 microsecond' END, now())"

static const struct db_stmt stmt_proxies = {
    "api_statistics_proxies",
    "SELECT json_build_object('requests', coalesce(json_agg(json_build_object('proxy_gateway_host', host, 'creation_day', day, "
    "'counter', n) ORDER BY day, host), '[]'))::text FROM (SELECT proxy_gateway_host AS host, "
    "to_char(created_on AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*) AS n FROM requests "
    "WHERE proxy_gateway_host IS NOT NULL AND created_on >= " FROM " AND created_on < " UNTIL " GROUP BY 1, 2) t",
    2,
};

static const struct db_stmt *const all[] = {&stmt_proxies};
const struct db_stmts api_statistics_stmts = {"api_statistics", all, COUNT_OF(all)};

int proxy_stats(struct api_call *c, struct err *e)
{
    struct str start = http_req_param(c->req, "start");
    struct str end = http_req_param(c->req, "end");

    if (api_answer_query(c, &stmt_proxies, DB_ARGS(DB_STR(start.p != NULL ? start : STR("")), DB_STR(end.p != NULL ? end : STR(""))),
                         "statistics", e) == 0)
        return 0;
    if (e->code == ERR_INVALID)
        err_set(e, ERR_INVALID, "start, end: expected days or times such as \"2026-01-31\" and \"2026-01-31T23:59:59Z\"");
    return -1;
}
