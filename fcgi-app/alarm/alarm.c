/*
 * Rows of `alarms`.
 */
#include "alarm/alarm.h"

/* An active one stays the same row: its first occurrence is when the trouble began. */
#define RAISE_CONFLICT                                                                             \
    "ON CONFLICT (key, subject) WHERE active DO UPDATE SET level = excluded.level, "               \
    "message = excluded.message, value = excluded.value, last_occurrence = now()"

static const struct db_stmt stmt_raise = {
    "alarm_raise",
    "INSERT INTO alarms (key, subject, level, message, value) VALUES ($1, $2, $3, $4, $5) " RAISE_CONFLICT,
    5,
};

static const struct db_stmt stmt_over = {
    "alarm_over",
    "UPDATE alarms SET active = false, cleared_by = 'system' WHERE key = $1 AND subject = $2 AND active",
    2,
};

static const struct db_stmt *const all[] = {&stmt_raise, &stmt_over};
const struct db_stmts alarm_stmts = {"alarm", all, COUNT_OF(all)};

static const struct writer_stmt w_raise = {
    "alarm_add",
    "INSERT INTO alarms (key, subject, level, message, value) SELECT DISTINCT ON (key, subject) key, subject, level, "
    "message, value FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) "
    "AS x(key, subject, level, message, value) " RAISE_CONFLICT,
    "ttttt",
    20,
};

static const struct writer_stmt *const w_all[] = {&w_raise};
const struct writer_stmts alarm_writer_stmts = {"alarm", w_all, COUNT_OF(w_all)};

#define ALARM_ARGS(x)                                                                              \
    DB_ARGS(DB_C((x)->key), DB_STR((x)->subject.p != NULL ? (x)->subject : STR("")),               \
            DB_C((x)->level), DB_STR((x)->message), DB_STR_OR_NULL((x)->value))

int alarm_raise(struct db_conn *c, const struct alarm *x, struct err *e)
{
    return db_exec(c, &stmt_raise, ALARM_ARGS(x), NULL, e);
}

void alarm_add(struct writer_item *item, const struct alarm *x, struct arena *a)
{
    writer_add(item, &w_raise, ALARM_ARGS(x), a);
}

int alarm_over(struct db_conn *c, const char *key, struct str subject, struct err *e)
{
    return db_exec(c, &stmt_over, DB_ARGS(DB_C(key), DB_STR(subject.p != NULL ? subject : STR(""))), NULL, e);
}
