/*
 * Counting the use of services.
 */
#include "usage.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "base/utf8.h"
#include "http/url.h"

static const struct db_stmt stmt_add = {
    "usage_add",
    /* in one order, so that processes that add at the same time cannot wait for each other in a circle */
    "INSERT INTO user_activity (username, hour, service, method, calls) "
    "SELECT username, to_timestamp(hour), service, method, calls FROM json_to_recordset($1::json) "
    "AS x(username text, hour bigint, service text, method text, calls bigint) ORDER BY 2, 1, 3, 4 "
    "ON CONFLICT (hour, username, service, method) DO UPDATE SET calls = user_activity.calls + excluded.calls",
    1,
};

static const struct db_stmt *const all[] = {&stmt_add};
const struct db_stmts usage_stmts = {"usage", all, COUNT_OF(all)};

enum { HOUR_S = 3600, ROWS_MAX = 10000, SERVICE_MAX = 200 };

struct count {
    struct str username, service, method;
    int64_t hour_s, calls;
};

struct usage {
    struct clock *clock;
    pthread_mutex_t lock;
    struct arena *a; /* of the table below */
    struct map rows;
};

static void begin(struct usage *u)
{
    u->a = arena_new(0);
    map_init(&u->rows, u->a);
}

struct usage *usage_new(struct clock *clock)
{
    struct usage *u = calloc(1, sizeof *u);

    if (u == NULL)
        abort();
    u->clock = clock;
    pthread_mutex_init(&u->lock, NULL);
    begin(u);
    return u;
}

void usage_free(struct usage *u)
{
    if (u == NULL)
        return;
    arena_free(u->a);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

/* Called with the lock. */
static void add(struct usage *u, const struct count *c)
{
    struct str key = str_printf(u->a, "%lld %.*s %.*s %.*s", (long long)c->hour_s, STR_ARG(c->method), STR_ARG(c->service),
                                STR_ARG(c->username));
    struct count *row = map_find(&u->rows, key);

    if (row == NULL && u->rows.n >= ROWS_MAX)
        return;
    if (row == NULL) {
        row = ARENA_NEW(u->a, struct count);
        *row = (struct count){str_dup(u->a, c->username), str_dup(u->a, c->service), str_dup(u->a, c->method), c->hour_s, 0};
        map_set(&u->rows, key, row);
    }
    row->calls += c->calls;
}

/* The segment behind "services"; empty when there is none. */
static struct str service_of(struct str path)
{
    while (path.len > 0)
        if (str_eq_c(str_cut(&path, '/'), "services"))
            return str_cut(&path, '/');
    return STR("");
}

void usage_note(struct usage *u, struct str username, struct str method, struct str path)
{
    struct str service = service_of(path), plain;
    struct arena *a;

    if (service.len == 0 || service.len > SERVICE_MAX || username.len == 0)
        return;
    a = arena_new(0);
    plain = url_decode(service, false, a);
    if (plain.p == NULL || utf8_check(plain) != plain.len || memchr(plain.p, '\0', plain.len) != NULL)
        plain = service;
    pthread_mutex_lock(&u->lock);
    add(u, &(struct count){username, plain, str_lower(a, method), clock_wall_us(u->clock) / 1000000 / HOUR_S * HOUR_S, 1});
    pthread_mutex_unlock(&u->lock);
    arena_free(a);
}

static struct val as_json(const struct map *rows, struct arena *a)
{
    struct val list = val_list_new(a, rows->n);
    const struct map_entry *entry;
    size_t i = 0;

    while ((entry = map_next(rows, &i)) != NULL) {
        const struct count *c = entry->value;
        struct val one = val_dict_new(a, 5);

        val_dict_set_c(one, "username", val_str(c->username));
        val_dict_set_c(one, "hour", val_int(c->hour_s));
        val_dict_set_c(one, "service", val_str(c->service));
        val_dict_set_c(one, "method", val_str(c->method));
        val_dict_set_c(one, "calls", val_int(c->calls));
        val_list_add(list, one);
    }
    return list;
}

static void take_back(struct usage *u, const struct map *rows)
{
    const struct map_entry *entry;
    size_t i = 0;

    pthread_mutex_lock(&u->lock);
    while ((entry = map_next(rows, &i)) != NULL)
        add(u, entry->value);
    pthread_mutex_unlock(&u->lock);
}

int usage_flush(struct usage *u, struct db *db, struct err *e)
{
    struct db_conn *c = NULL;
    struct arena *a;
    struct map rows;
    int rc = 0;

    pthread_mutex_lock(&u->lock);
    a = u->a;
    rows = u->rows;
    begin(u);
    pthread_mutex_unlock(&u->lock);
    if (rows.n > 0) {
        rc = db_get(db, &c, e);
        if (rc == 0)
            rc = db_exec(c, &stmt_add, DB_ARGS(DB_STR(json_text(as_json(&rows, a), a))), NULL, e);
        db_put(db, c);
        if (rc != 0)
            take_back(u, &rows);
    }
    arena_free(a);
    return rc;
}
