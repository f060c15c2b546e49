/*
 * The history's queue: what is stored, what goes out again, and what is given up first when the database is slow or away.
 *
 * The writer, the ids and the loop are played by this file, so that "away" lasts as long as a test says.
 */
#include "alarm/alarm.h"
#include "base/log.h"
#include "db/copier.h"
#include "db/ids.h"
#include "db/writer.h"
#include "http/loop.h"
#include "http/server.h"
#include "support/cases.h"

#define writer_submit played_submit
#define writer_add played_add
#define ids_try played_ids_try
#define ids_next played_ids_next
#define copier_new played_copier
#define copier_submit played_copy
#define copier_free played_copier_end
#define alarm_add played_alarm
#define loop_slot played_slot
#define loop_slot_set played_slot_set
#define loop_timer played_timer
#define http_server_n_loops played_n_loops
#define http_server_loop played_loop

static int played_submit(struct writer *w, struct writer_item *item, struct err *e);
static void played_add(struct writer_item *item, const struct writer_stmt *stmt, const struct db_arg *args, size_t n,
                       struct arena *a);
static size_t played_ids_try(struct ids *ids, enum ids_kind kind, int64_t *out, size_t n);
static int played_ids_next(struct ids *ids, enum ids_kind kind, int64_t *out, struct err *e);
static struct copier *played_copier(struct db *db);
static void played_copy(struct copier *c, struct copier_batch *b);
static void played_copier_end(struct copier *c);
static void played_alarm(struct writer_item *item, const struct alarm *x, struct arena *a);
static void *played_slot(struct loop *l, const void *key);
static void played_slot_set(struct loop *l, const void *key, void *value, void (*fn)(void *value));
static struct loop_timer *played_timer(struct loop *l, int64_t ms, void (*fn)(void *arg), void *arg);
static int played_n_loops(const struct http_server *s);
static struct loop *played_loop(struct http_server *s, int i);

#include "history.c"

/* ---- the others --------------------------------------------------------------------------------------- */

enum { ITEMS = 4096, ARG_ID = 0, ARG_NUMBER = 1, ARG_URL = 2, ARG_DETAIL = 3, ARG_ANSWER = 4, N_ARGS = 5 };

static struct {
    bool away;       /* the writer takes nothing */
    bool invalid;    /* it refuses the item itself */
    bool no_ids;
    int64_t next_id;
    struct writer_item *items[ITEMS]; /* taken, not answered */
    size_t n_items;
    struct copier_batch *copies; /* with the copier, newest first */
    size_t n_copies;
    int n_alarms;
    char alarm[200];
    void *slot;
    void (*slot_free)(void *value);
    void (*timer)(void *arg);
    void *timer_arg;
    bool has_loop;
} world;

static int played_submit(struct writer *w, struct writer_item *item, struct err *e)
{
    (void)w;
    if (world.away || world.invalid) {
        err_set(e, world.invalid ? ERR_INVALID : ERR_BUSY, "played");
        return -1;
    }
    assert_true(world.n_items < ITEMS);
    world.items[world.n_items++] = item;
    return 0;
}

static void played_add(struct writer_item *item, const struct writer_stmt *stmt, const struct db_arg *args, size_t n,
                       struct arena *a)
{
    assert_int_equal(n, N_ARGS);
    item->rows = ARENA_NEW(a, struct writer_row);
    item->rows->stmt = stmt;
    item->rows->args = args;
}

static size_t played_ids_try(struct ids *ids, enum ids_kind kind, int64_t *out, size_t n)
{
    (void)ids;
    assert_int_equal(kind, IDS_REQUEST);
    for (size_t i = 0; !world.no_ids && i < n; i++)
        out[i] = ++world.next_id;
    return world.no_ids ? 0 : n;
}

static int played_ids_next(struct ids *ids, enum ids_kind kind, int64_t *out, struct err *e)
{
    (void)ids;
    (void)kind;
    *out = 0;
    if (!world.no_ids)
        return 0;
    err_set(e, ERR_DB, "the database is away");
    return -1;
}

static struct copier *played_copier(struct db *db)
{
    (void)db;
    return (struct copier *)&world;
}

static void played_copy(struct copier *c, struct copier_batch *b)
{
    assert_ptr_equal(c, &world);
    b->next = world.copies;
    world.copies = b;
    world.n_copies++;
}

/* The copier answers everything it has. */
static void answer_copies(enum err_code code)
{
    struct copier_batch *b = world.copies, *next;
    struct err e = {0};

    if (code != ERR_NONE)
        err_set(&e, code, "played");
    world.copies = NULL;
    world.n_copies = 0;
    for (; b != NULL; b = next) {
        next = b->next;
        b->done(b->arg, code != ERR_NONE ? &e : NULL);
    }
}

static void played_copier_end(struct copier *c)
{
    if (c != NULL)
        answer_copies(ERR_NONE);
}

static void played_alarm(struct writer_item *item, const struct alarm *x, struct arena *a)
{
    (void)item;
    (void)a;
    world.n_alarms++;
    assert_string_equal(x->key, "proxy_history");
    (void)snprintf(world.alarm, sizeof world.alarm, "%.*s", STR_ARG(x->message));
}

static void *played_slot(struct loop *l, const void *key)
{
    (void)l;
    (void)key;
    return world.slot;
}

static void played_slot_set(struct loop *l, const void *key, void *value, void (*fn)(void *value))
{
    (void)l;
    (void)key;
    world.slot = value;
    world.slot_free = fn;
}

static struct loop_timer *played_timer(struct loop *l, int64_t ms, void (*fn)(void *arg), void *arg)
{
    (void)l;
    assert_true(ms > 0);
    world.timer = fn;
    world.timer_arg = arg;
    return (struct loop_timer *)&world;
}

static int played_n_loops(const struct http_server *s)
{
    (void)s;
    return world.has_loop ? 1 : 0;
}

static struct loop *played_loop(struct http_server *s, int i)
{
    (void)s;
    (void)i;
    return (struct loop *)&world;
}

static void timer_fires(void)
{
    void (*fn)(void *arg) = world.timer;

    world.timer = NULL;
    fn(world.timer_arg);
}

/* ---- rows ------------------------------------------------------------------------------------------------ */

static const struct writer_stmt stmt = {.name = "row", .sql = "", .types = "iittt", .rank = 10};
static const struct history_kind kind = {
    .stmt = &stmt, .n_args = N_ARGS, .id_arg = ARG_ID, .detail_args = {ARG_DETAIL, ARG_ANSWER}, .detail_instead = "{}"};

/* By the writer alone... */
static struct history *fresh(void)
{
    world = (__typeof__(world)){0};
    return history_new(NULL, NULL, NULL, NULL, &kind);
}

/* ...or by COPY first. */
static struct history *fresh_copying(void)
{
    struct history_kind copying = kind;

    world = (__typeof__(world)){0};
    copying.copy = (struct copier_stmt){.sql = "COPY", .types = "iittt"};
    return history_new(NULL, NULL, NULL, NULL, &copying);
}

static void done_with(struct history *h)
{
    if (world.slot != NULL)
        world.slot_free(world.slot);
    history_free(h);
}

/* Row number n with so many bytes of URL (kept) and of detail (given up first). */
static void put(struct history *h, struct loop *loop, int64_t n, size_t url, size_t detail)
{
    struct history_row *row;
    struct arena *a;

    row = history_begin(h, loop, &a);
    row->args[ARG_ID] = DB_INT(0);
    row->args[ARG_NUMBER] = DB_INT(n);
    row->args[ARG_URL] = DB_STR(str_make(memset(arena_alloc(a, url + 1), 'u', url + 1), url));
    row->args[ARG_DETAIL] = DB_STR(str_make(memset(arena_alloc(a, detail + 1), 'd', detail + 1), detail));
    row->args[ARG_ANSWER] = DB_C("answer");
    history_put(h, loop, row);
}

static const struct db_arg *taken(size_t i)
{
    return world.items[i]->rows->args;
}

static bool has_detail(size_t i)
{
    return taken(i)[ARG_DETAIL].s.len > 2 && taken(i)[ARG_ANSWER].kind == DB_ARG_TEXT;
}

/* The writer answers everything it took. */
static void answer(enum err_code code)
{
    struct writer_item *items[ITEMS];
    size_t n = world.n_items;
    struct err e = {0};

    memcpy(items, world.items, sizeof items);
    world.n_items = 0;
    if (code != ERR_NONE)
        err_set(&e, code, "played");
    for (size_t i = 0; i < n; i++)
        items[i]->done(items[i]->arg, code != ERR_NONE ? &e : NULL);
}

static void answer_all(void)
{
    while (world.n_items > 0)
        answer(ERR_NONE);
}

/* ---- on a good day ---------------------------------------------------------------------------------------- */

static void stores_rows(void **state)
{
    struct history *h = fresh();
    struct history_stats s;

    (void)state;
    for (int i = 1; i <= 3; i++)
        put(h, NULL, i, 10, 10);
    assert_int_equal(world.n_items, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(taken(i)[ARG_ID].i, i + 1);
        assert_int_equal(taken(i)[ARG_NUMBER].i, i + 1);
        assert_true(world.items[i]->droppable);
        assert_true(has_detail(i));
    }
    answer(ERR_NONE);
    s = history_stats(h);
    assert_int_equal(s.stored, 3);
    assert_int_equal(s.waiting + s.bytes + s.thinned + s.dropped + s.refused, 0);
    assert_int_equal(world.n_alarms, 0);
    history_stop(h);
    done_with(h);
}

/* A loop gathers: a full batch goes at once, a smaller one with the timer. */
static void gathers_on_a_loop(void **state)
{
    struct history *h = fresh();
    struct loop *loop = (struct loop *)&world;

    (void)state;
    for (int i = 1; i <= HISTORY_BATCH_ROWS - 1; i++)
        put(h, loop, i, 10, 10);
    assert_int_equal(world.n_items, 0);
    put(h, loop, HISTORY_BATCH_ROWS, 10, 10);
    assert_int_equal(world.n_items, HISTORY_BATCH_ROWS);
    put(h, loop, 99, 10, 10);
    assert_int_equal(world.n_items, HISTORY_BATCH_ROWS);
    timer_fires();
    assert_int_equal(world.n_items, HISTORY_BATCH_ROWS + 1);
    assert_null(world.timer);
    put(h, loop, 100, BATCH_BYTES, 10); /* large ones do not wait for others */
    assert_int_equal(world.n_items, HISTORY_BATCH_ROWS + 2);
    timer_fires();
    world.has_loop = true;
    put(h, loop, 101, 10, 10);
    history_stop(h); /* nothing stays behind */
    assert_int_equal(world.n_items, HISTORY_BATCH_ROWS + 3);
    answer_all();
    assert_int_equal(history_stats(h).stored, HISTORY_BATCH_ROWS + 3);
    done_with(h);
}

static void waits_for_ids(void **state)
{
    struct history *h = fresh();
    struct loop *loop = (struct loop *)&world;

    (void)state;
    world.no_ids = true;
    put(h, loop, 1, 10, 10);
    timer_fires();
    assert_int_equal(world.n_items, 0);
    assert_int_equal(history_stats(h).waiting, 1);
    timer_fires(); /* tries again by itself */
    assert_int_equal(world.n_items, 0);
    world.no_ids = false;
    timer_fires();
    assert_int_equal(world.n_items, 1);
    assert_int_equal(taken(0)[ARG_ID].i, 1);
    answer_all();
    done_with(h);
}

/* The writer holds a bounded number of batches, however fast rows come. */
static void holds_back(void **state)
{
    struct history *h = fresh();

    (void)state;
    for (int i = 1; i <= WITH_WRITER + 10; i++)
        put(h, NULL, i, 10, 10);
    assert_int_equal(world.n_items, WITH_WRITER);
    assert_int_equal(history_stats(h).waiting, 10);
    answer(ERR_NONE);
    assert_int_equal(world.n_items, 10);
    assert_int_equal(taken(0)[ARG_NUMBER].i, WITH_WRITER + 1);
    answer_all();
    assert_int_equal(history_stats(h).stored, WITH_WRITER + 10);
    done_with(h);
}

/* By COPY the writer has nothing to do. */
static void copies_first(void **state)
{
    struct history *h = fresh_copying();

    (void)state;
    for (int i = 1; i <= WITH_WRITER + 3; i++)
        put(h, NULL, i, 10, 10);
    assert_int_equal(world.n_copies, WITH_WRITER);
    assert_int_equal(world.copies->n, 1);
    assert_int_equal(world.copies->rows[0][ARG_ID].i, WITH_WRITER);
    assert_int_equal(world.copies->rows[0][ARG_NUMBER].i, WITH_WRITER);
    answer_copies(ERR_NONE);
    assert_int_equal(world.n_copies, 3);
    assert_int_equal(history_stats(h).stored, WITH_WRITER);
    history_stop(h); /* waits for it */
    assert_int_equal(world.n_copies, 0);
    assert_int_equal(history_stats(h).stored, WITH_WRITER + 3);
    assert_int_equal(world.n_items, 0);
    done_with(h);
}

/* ---- on bad days -------------------------------------------------------------------------------------------- */

/* Rows the lost database had go out again under their ids; what it refuses does not. */
static void repeats_what_was_lost(void **state)
{
    struct history *h = fresh();

    (void)state;
    put(h, NULL, 1, 10, 10);
    put(h, NULL, 2, 10, 10);
    answer(ERR_DB);
    assert_int_equal(world.n_items, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(taken(i)[ARG_ID].i, taken(i)[ARG_NUMBER].i);
    answer(ERR_BUSY);
    assert_int_equal(world.n_items, 2);
    answer(ERR_INTERNAL);
    assert_int_equal(world.n_items, 0);
    assert_int_equal(history_stats(h).refused, 2);
    world.invalid = true;
    put(h, NULL, 3, 10, 10);
    assert_int_equal(history_stats(h).refused, 3);
    assert_int_equal(history_stats(h).waiting, 0);
    done_with(h);
}

/* What COPY could not store goes to the writer under the same ids, and stays with it: some may be stored already. */
static void what_copy_cannot_store(void **state)
{
    struct history *h = fresh_copying();

    (void)state;
    put(h, NULL, 1, 10, 10);
    answer_copies(ERR_DB);
    put(h, NULL, 2, 10, 10);
    answer_copies(ERR_INVALID);
    assert_int_equal(world.n_copies, 0);
    assert_int_equal(world.n_items, 2);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(taken(i)[ARG_ID].i, taken(i)[ARG_NUMBER].i);
            assert_true(has_detail(i));
        }
        if (round == 0)
            answer(ERR_DB);
        assert_int_equal(world.n_copies, 0);
        assert_int_equal(world.n_items, 2);
    }
    answer(ERR_NONE);
    put(h, NULL, 3, 10, 10); /* the next ones are copied again */
    assert_int_equal(world.n_copies, 1);
    answer_copies(ERR_NONE);
    assert_int_equal(history_stats(h).stored, 3);
    history_stop(h);
    done_with(h);
}

enum { DETAIL = 32 * 1024 };

/* Away for a while: the oldest calls lose their detail, the newest keep it, none is missing; said once. */
static void gives_up_the_oldest_detail_first(void **state)
{
    struct history *h = fresh();
    struct history_stats s;
    const int rows = HISTORY_THIN_AT / DETAIL + 8;
    bool detail_seen = false;
    size_t thin = 0, all = 0;

    (void)state;
    world.away = true;
    for (int i = 1; i <= rows; i++) {
        put(h, NULL, i, 10, DETAIL);
        assert_true(history_stats(h).bytes <= HISTORY_THIN_AT);
    }
    s = history_stats(h);
    assert_int_equal(s.waiting, rows);
    assert_true(s.thinned > 0 && s.thinned < (uint64_t)rows);
    assert_int_equal(s.dropped, 0);
    world.away = false;
    put(h, NULL, rows + 1, 10, 10);
    while (world.n_items > 0) {
        for (size_t i = 0; i < world.n_items; i++) {
            if (world.items[i]->rows == NULL) /* the alarm */
                continue;
            assert_int_equal(taken(i)[ARG_NUMBER].i, ++all); /* in their order */
            detail_seen = detail_seen || has_detail(i);
            assert_int_equal(has_detail(i), detail_seen); /* the thin ones are the oldest */
            thin += !has_detail(i);
            if (!has_detail(i))
                assert_true(str_eq_c(taken(i)[ARG_DETAIL].s, "{}") && taken(i)[ARG_ANSWER].kind == DB_ARG_NULL);
        }
        answer(ERR_NONE);
    }
    assert_int_equal(all, rows + 1);
    assert_int_equal(thin, s.thinned);
    assert_int_equal(world.n_alarms, 1);
    done_with(h);
}

/* Too much even without detail: whole rows go, the oldest first, and the alarm tells how many. */
static void drops_the_oldest_rows_last(void **state)
{
    struct history *h = fresh();
    struct history_stats s;
    const int rows = 2 * (HISTORY_DROP_AT / DETAIL);
    char wanted[200];

    (void)state;
    world.away = true;
    for (int i = 1; i <= rows; i++) {
        put(h, NULL, i, DETAIL, 100);
        assert_true(history_stats(h).bytes <= HISTORY_DROP_AT);
    }
    s = history_stats(h);
    assert_true(s.dropped > 0);
    assert_int_equal(s.waiting + s.dropped, rows);
    world.away = false;
    put(h, NULL, rows + 1, 10, 10);
    assert_int_equal(taken(0)[ARG_NUMBER].i, s.dropped + 1);
    answer_all();
    s = history_stats(h);
    (void)snprintf(wanted, sizeof wanted,
                   "the database was slow or away: %llu calls are in the history without detail, %llu are missing",
                   (unsigned long long)s.thinned, (unsigned long long)s.dropped);
    assert_string_equal(world.alarm, wanted);
    assert_int_equal(world.n_alarms, 1);
    done_with(h);
}

/* The end with a database that is away: counted, not waited for. */
static void ends_without_a_database(void **state)
{
    struct history *h = fresh();

    (void)state;
    world.no_ids = true;
    put(h, NULL, 1, 10, 10);
    put(h, NULL, 2, 10, 10);
    history_stop(h);
    assert_int_equal(history_stats(h).dropped, 2);
    assert_int_equal(history_stats(h).waiting, 0);
    done_with(h);
    history_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_rows),
        cmocka_unit_test(gathers_on_a_loop),
        cmocka_unit_test(waits_for_ids),
        cmocka_unit_test(holds_back),
        cmocka_unit_test(copies_first),
        cmocka_unit_test(repeats_what_was_lost),
        cmocka_unit_test(what_copy_cannot_store),
        cmocka_unit_test(gives_up_the_oldest_detail_first),
        cmocka_unit_test(drops_the_oldest_rows_last),
        cmocka_unit_test(ends_without_a_database),
    };

    log_init("test_history", LOG_ERROR_LEVEL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
