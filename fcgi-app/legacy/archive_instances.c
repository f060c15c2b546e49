/*
 * Instances and their requests, a page at a time: which come, their rows, and those of their tasks,
 * errors and traces.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "legacy/archive_int.h"

enum { PROGRESS_MS = 5000 };

bool archive_is_running(struct val item)
{
    return str_ieq(val_get_text(item, "status", STR("")), STR("ACTIVE"));
}

static struct str id_of(struct val item)
{
    return val_get_text(item, "id", STR("?"));
}

static void leave(struct archiving *w, struct archive_counts *n, const char *what, struct val item, const char *why)
{
    n->skipped++;
    plan_gap(&w->pl, "%s id %.*s: %s", what, STR_ARG(id_of(item)), why);
}

/* ---- the page -------------------------------------------------------------------------------- */

void archive_begin(struct archiving *w, struct legacy_archive *ar, const struct legacy_archive_target *t, struct legacy_plan *p)
{
    *w = (struct archiving){.ar = ar, .t = t, .pl = {.p = p, .a = ar->a}, .instance_ids = {.kind = "instance"},
                            .request_ids = {.kind = "request"}, .months_a = arena_new(0), .s = arena_new(0), .told_ms = clock_mono_ms(&clock_system)};
    w->months = val_dict_new(w->months_a, 32);
}

void archive_free(struct archiving *w)
{
    if (w->a != NULL)
        arena_free(w->a);
    arena_free(w->months_a);
    arena_free(w->s);
    w->a = NULL;
}

void archive_page(struct archiving *w)
{
    if (w->a != NULL)
        arena_free(w->a);
    w->a = arena_new(0);
    arena_reset(w->s);
    w->instances = val_dict_new(w->a, 64);
    w->fresh = val_list_new(w->a, 64);
    w->requests = val_list_new(w->a, 64);
    w->coming = val_dict_new(w->a, 64);
    w->coming_requests = val_dict_new(w->a, 64);
    w->tasks = val_dict_new(w->a, 64);
}

void archive_progress(struct archiving *w)
{
    int64_t now = clock_mono_ms(&clock_system);

    if (now - w->told_ms < PROGRESS_MS)
        return;
    w->told_ms = now;
    fprintf(stderr, "instances %lld, requests %lld, documents %lld\n", (long long)w->ar->instances.read,
            (long long)w->ar->parts[ARCHIVE_REQUESTS].read, (long long)w->ar->documents.read);
}

/* ---- which come ------------------------------------------------------------------------------ */

/* NULL: it can come. */
static const char *unfit(struct val item)
{
    struct str status = val_get_text(item, "status", STR(""));

    if (!str_ieq(status, STR("CLOSED_IN_SUCCESS")) && !str_ieq(status, STR("CLOSED_IN_ERROR")))
        return "its status is none of ACTIVE, CLOSED_IN_SUCCESS, CLOSED_IN_ERROR";
    return archive_time_fault(val_get_text(item, "created_on", STR("")));
}

/* Those of a list that are closed and make sense. */
static struct val closed(struct archiving *w, struct val list)
{
    struct val out = val_list_new(w->a, val_count(list));

    for (size_t i = 0; i < val_count(list); i++) {
        struct val item = val_at(list, i);
        const char *why;

        w->ar->instances.read++;
        if (archive_is_running(item)) {
            w->ar->instances.running++;
            plan_gap(&w->pl, "instances id %.*s: it still runs and is not moved: let it finish or close it, then import again",
                     STR_ARG(id_of(item)));
            val_dict_set_str(w->instances, id_of(item), item);
        } else if ((why = unfit(item)) != NULL) {
            leave(w, &w->ar->instances, "instances", item, why);
        } else {
            archive_time_or_none(item, "closed_on");
            val_list_add(out, item);
        }
    }
    return out;
}

static void take_over(struct val item, const PGresult *res, int row)
{
    val_dict_set_c(item, OUR_ON, val_str(db_str(res, row, 0)));
    if (db_is_null(res, row, 1))
        return;
    val_dict_set_c(item, OUR_ID, val_int(db_int(res, row, 1)));
    val_dict_set_c(item, COMPLETE, val_bool(db_bool(res, row, 2)));
    if (PQnfields(res) == 3 || db_is_null(res, row, 3))
        return;
    val_dict_set_c(item, OUR_INSTANCE, val_int(db_int(res, row, 3)));
    val_dict_set_c(item, OUR_INSTANCE_ON, val_str(db_str(res, row, 4)));
}

/* Only what it is found by: what else a row holds may be such as no database takes. */
static struct val to_find(struct val list, struct arena *a)
{
    struct val out = val_list_new(a, val_count(list));

    for (size_t i = 0; i < val_count(list); i++) {
        struct val one = val_dict_new(a, 2);

        val_dict_set_c(one, "id", val_get(val_at(list, i), "id"));
        val_dict_set_c(one, "created_on", val_get(val_at(list, i), "created_on"));
        val_list_add(out, one);
    }
    return out;
}

int archive_find(struct archiving *w, const struct db_stmt *how, struct val list, struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    if (val_count(list) == 0)
        return 0;
    if (db_query_in(w->t->c, how, DB_ARGS(DB_STR(json_text(to_find(list, a), a))), &res, a, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(list); i++)
        take_over(val_at(list, i), res, (int)i);
    return 0;
}

static bool is_here(struct val item)
{
    return val_is(val_get(item, OUR_ID), VAL_INT);
}

int archive_choose(struct archiving *w, struct val list, struct err *e)
{
    struct val fit = closed(w, list);

    if (archive_find(w, &archive_stmt_find, fit, w->a, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(fit); i++) {
        struct val item = val_at(fit, i);

        val_dict_set_str(w->instances, id_of(item), item);
        if (is_here(item)) {
            w->ar->instances.unchanged++;
            continue;
        }
        val_list_add(w->fresh, item);
        val_dict_set_str(w->coming, id_of(item), item);
    }
    return 0;
}

/* With its instance, alone, or not at all. */
static bool request_comes(struct archiving *w, struct val item)
{
    struct archive_counts *n = &w->ar->parts[ARCHIVE_REQUESTS];
    struct str of = val_get_text(item, "instance", STR(""));
    struct val instance = of.len > 0 ? val_get_str(w->instances, of) : val_undef(NULL);
    const char *why = archive_time_fault(val_get_text(item, "created_on", STR("")));

    n->read++;
    if (archive_is_running(of.len > 0 ? instance : item)) {
        n->running++;
        return false;
    }
    if (why != NULL) {
        leave(w, n, "requests", item, why);
        return false;
    }
    archive_time_or_none(item, "updated_on");
    return of.len == 0 || val_is(instance, VAL_DICT);
}

int archive_choose_requests(struct archiving *w, struct val list, struct err *e)
{
    struct val fit = val_list_new(w->a, val_count(list));

    for (size_t i = 0; i < val_count(list); i++)
        if (request_comes(w, val_at(list, i)))
            val_list_add(fit, val_at(list, i));
    if (archive_find(w, &archive_stmt_find_request, fit, w->a, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(fit); i++) {
        struct val item = val_at(fit, i);

        if (is_here(item)) {
            w->ar->parts[ARCHIVE_REQUESTS].unchanged++;
            continue;
        }
        val_list_add(w->requests, item);
        val_dict_set_str(w->coming_requests, id_of(item), item);
    }
    return 0;
}

/* ---- instances and requests ------------------------------------------------------------------ */

static int by_time(const void *x, const void *y)
{
    return str_cmp(val_get_text(*(const struct val *)x, OUR_ON, STR("")), val_get_text(*(const struct val *)y, OUR_ON, STR("")));
}

/* In the order of time: few months are opened. */
static int give_ids(struct archiving *w, struct val list, struct past_ids *ids, struct err *e)
{
    int64_t id;

    if (val_count(list) > 1)
        qsort(list.u.list->items, val_count(list), sizeof list.u.list->items[0], by_time);
    for (size_t i = 0; i < val_count(list); i++) {
        struct val item = val_at(list, i);

        if (past_id(w, ids, val_get_text(item, OUR_ON, STR("")), &id, e) != 0)
            return -1;
        val_dict_set_c(item, OUR_ID, val_int(id));
    }
    return 0;
}

/* Each names the other. */
static void tie_requests(struct archiving *w)
{
    for (size_t i = 0; i < val_count(w->requests); i++) {
        struct val item = val_at(w->requests, i);
        struct val instance = val_get_str(w->instances, val_get_text(item, "instance", STR("")));

        archive_mask(w, ARCHIVE_REQUESTS, item);
        if (!val_is(instance, VAL_DICT))
            continue;
        val_dict_set_c(item, OUR_INSTANCE, val_get(instance, OUR_ID));
        val_dict_set_c(item, OUR_INSTANCE_ON, val_get(instance, OUR_ON));
        val_dict_set_c(item, "instance_status", val_get(instance, "status"));
        if (val_is_none(val_get(item, "activity_name")))
            val_dict_set_c(item, "activity_name", val_get(instance, "activity_name"));
        if (!val_is_none(val_get(instance, "our_request")))
            continue; /* it began with the first */
        val_dict_set_c(instance, "our_request", val_get(item, OUR_ID));
        val_dict_set_c(instance, "our_request_on", val_get(item, OUR_ON));
    }
}

static int put(struct archiving *w, const struct db_stmt *s, const char *what, struct val list, struct archive_counts *count, struct err *e)
{
    int64_t n;

    if (archive_write(w, s, what, list, &n, e) != 0)
        return -1;
    count->added += n;
    count->skipped += (int64_t)val_count(list) - n;
    return 0;
}

int archive_open_page(struct archiving *w, struct err *e)
{
    if (w->t->dry) {
        w->ar->instances.added += (int64_t)val_count(w->fresh);
        w->ar->parts[ARCHIVE_REQUESTS].added += (int64_t)val_count(w->requests);
        return 0;
    }
    if (archive_months(w, w->fresh, e) != 0 || archive_months(w, w->requests, e) != 0 || db_begin(w->t->c, e) != 0 ||
        give_ids(w, w->fresh, &w->instance_ids, e) != 0 || give_ids(w, w->requests, &w->request_ids, e) != 0)
        return -1;
    tie_requests(w);
    if (put(w, &archive_stmt_instances, "instances", w->fresh, &w->ar->instances, e) != 0)
        return -1;
    return put(w, &archive_stmt_parts[ARCHIVE_REQUESTS], "requests", w->requests, &w->ar->parts[ARCHIVE_REQUESTS], e);
}

/* ---- what hangs on them ---------------------------------------------------------------------- */

static const char *const part_names[] = {"requests", "tasks", "errors", "traces"};

/* Where a row belongs; false: to nothing that comes. */
static bool place(struct archiving *w, struct val item)
{
    struct val owner = val_get_str(w->coming, val_get_text(item, "instance", STR("")));
    struct val request = val_get_str(w->coming_requests, val_get_text(item, "request", STR("")));
    struct val task = val_get_str(w->tasks, val_get_text(item, "task", STR("")));

    if (!val_is(owner, VAL_DICT) && !val_is(request, VAL_DICT))
        return false;
    if (val_is(owner, VAL_DICT)) {
        val_dict_set_c(item, OUR_INSTANCE, val_get(owner, OUR_ID));
        val_dict_set_c(item, OUR_INSTANCE_ON, val_get(owner, OUR_ON));
        val_dict_set_c(item, "our_request", val_is(request, VAL_DICT) ? val_get(request, OUR_ID) : val_get(owner, "our_request"));
    } else { /* a request that was passed on: its own time names the month */
        val_dict_set_c(item, OUR_INSTANCE_ON, val_get(request, OUR_ON));
        val_dict_set_c(item, "our_request", val_get(request, OUR_ID));
    }
    val_dict_set_c(item, "our_task", task);
    return w->t->dry || is_here(val_is(owner, VAL_DICT) ? owner : request);
}

static bool task_makes_sense(struct archiving *w, struct val item)
{
    static const char *const known[] = {"OK", "ERROR", "WAIT", "RUN", "QUEUED"};
    struct str status = val_get_text(item, "status", STR(""));

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_ieq(status, str_c(known[i])))
            return true;
    leave(w, &w->ar->parts[ARCHIVE_TASKS], "tasks", item, "its status is none of OK, ERROR, WAIT, RUN, QUEUED");
    return false;
}

int archive_rows(struct archiving *w, enum archive_part part, struct val list, struct err *e)
{
    struct val come = val_list_new(w->s, val_count(list));
    int64_t id;
    int rc = 0;

    for (size_t i = 0; i < val_count(list); i++) {
        struct val item = val_at(list, i);

        if (!place(w, item))
            continue;
        w->ar->parts[part].read++;
        if (part == ARCHIVE_TASKS && !task_makes_sense(w, item))
            continue;
        archive_time_or_none(item, "created_on");
        archive_time_or_none(item, "updated_on");
        archive_mask(w, part, item);
        val_list_add(come, item);
        if (w->t->dry)
            continue;
        if (archive_row_id(w, part, &id, e) != 0)
            return -1;
        val_dict_set_c(item, OUR_ID, val_int(id));
        if (part == ARCHIVE_TASKS)
            val_dict_set_str(w->tasks, str_dup(w->a, id_of(item)), val_int(id));
    }
    if (w->t->dry)
        w->ar->parts[part].added += (int64_t)val_count(come);
    else
        rc = put(w, &archive_stmt_parts[part], part_names[part], come, &w->ar->parts[part], e);
    arena_reset(w->s);
    return rc;
}

int archive_commit_page(struct archiving *w, struct err *e)
{
    archive_progress(w);
    if (w->t->dry)
        return 0;
    FAULT_DIE("import", STR("page"));
    if (db_commit(w->t->c, e) != 0)
        return -1;
    if (val_count(w->fresh) > 0)
        FAULT_DIE("import", STR("instances"));
    return 0;
}

int archive_parents(struct archiving *w, struct val children, struct val parents, struct err *e)
{
    struct val pairs = val_list_new(w->a, val_count(children));

    if (archive_find(w, &archive_stmt_find, children, w->a, e) != 0 || archive_find(w, &archive_stmt_find, parents, w->a, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(children); i++) {
        struct val child = val_at(children, i), parent = val_at(parents, i), pair = val_dict_new(w->a, 4);

        if (!is_here(child) || !is_here(parent))
            continue;
        val_dict_set_c(pair, OUR_ID, val_get(child, OUR_ID));
        val_dict_set_c(pair, OUR_ON, val_get(child, OUR_ON));
        val_dict_set_c(pair, "our_parent", val_get(parent, OUR_ID));
        val_dict_set_c(pair, "our_parent_on", val_get(parent, OUR_ON));
        val_list_add(pairs, pair);
    }
    return val_count(pairs) == 0 ? 0 : db_exec(w->t->c, &archive_stmt_parents, DB_ARGS(DB_STR(json_text(pairs, w->a))), NULL, e);
}

int archive_complete(struct archiving *w, struct val instance, struct err *e)
{
    if (w->t->dry || !is_here(instance))
        return 0;
    return db_exec(w->t->c, &archive_stmt_complete,
                   DB_ARGS(DB_INT(val_get_int(instance, OUR_ID, 0)), DB_STR(val_get_text(instance, OUR_ON, STR("")))), NULL, e);
}
