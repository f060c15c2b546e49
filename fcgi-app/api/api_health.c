/*
 * Health, and the state of the database (http-api.md 5.10, 5.25).
 */
#include "api/api.h"
#include "base/arena.h"

static const struct db_stmt stmt_database_status = {
    "api_database_status",
    "SELECT json_build_object('is_master', NOT pg_is_in_recovery())::text",
    0,
};

static const struct db_stmt *const all[] = {&stmt_database_status};
const struct db_stmts api_health_stmts = {"api_health", all, COUNT_OF(all)};

int health_get(struct api_call *c, struct err *e)
{
    (void)e;
    c->text = STR("{\"status\":\"ok\",\"version\":\"" SLUICE_VERSION "\"}");
    return 0;
}

int database_status_get(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_database_status, DB_NO_ARGS, "database", e);
}
