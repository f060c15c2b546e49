/*
 * The past by the old platform's API: its searches, page by page, and each transaction with its
 * request, traces, sub-transactions and documents before the next.
 */
#include "base/arena.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/limits.h"
#include "legacy/api_int.h"

/* ---- as the archive wants it ----------------------------------------------------------------- */

static struct str id_text(struct api_past *p, struct val id)
{
    return val_is(id, VAL_INT) && id.u.i > 0 ? str_printf(p->w.a, "%lld", (long long)id.u.i) : STR("");
}

static void copy_members(struct val to, struct val from, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!val_is_none(val_get(from, names[i])))
            val_dict_set_c(to, names[i], val_get(from, names[i]));
}

static struct val activity_name(struct api_past *p, int64_t id)
{
    struct val list = p->api->activities;

    for (size_t i = 0; id != 0 && i < val_count(list); i++)
        if (val_get_int(val_at(list, i), "id", 0) == id)
            return val_get(val_at(list, i), "name");
    return val_null();
}

/* The workflow as it was; null: what came is none. */
static struct val definition(struct api_past *p, struct val transaction)
{
    struct val v = val_get(transaction, "definition");
    struct err why;

    if (val_is(v, VAL_STR) && (val_text(v).len > LIMIT_DEFINITION || json_parse(val_text(v), &v, p->w.a, &why) != 0))
        return val_null();
    return val_is(val_get(v, "cells"), VAL_DICT) ? val_str(json_text(v, p->w.a)) : val_null();
}

static struct val instance_of(struct api_past *p, struct val t, struct str id, struct val parent)
{
    static const char *const names[] = {"status", "created_on", "username"};
    struct val out = val_dict_new(p->w.a, 16);

    copy_members(out, t, names, COUNT_OF(names));
    val_dict_set_c(out, "id", val_str(id));
    val_dict_set_c(out, "closed_on", val_get(t, "updated_on"));
    val_dict_set_c(out, "activity_name", activity_name(p, val_get_int(t, "activity_id", 0)));
    val_dict_set_c(out, "definition", definition(p, t));
    if (val_is(parent, VAL_DICT)) {
        val_dict_set_c(out, "our_parent", val_get(parent, OUR_ID));
        val_dict_set_c(out, "our_parent_on", val_get(parent, OUR_ON));
    }
    return out;
}

/* A request: what the list says of it, and the details. */
static struct val request_of(struct api_past *p, struct val row, struct val whole, struct str instance)
{
    static const char *const names[] = {"status", "created_on", "updated_on", "label", "username", "site_id", "numbers", "subscription_id",
                                        "distributor_id", "reseller_id", "group_id", "entity_type", "event_id"};
    struct val out = val_dict_new(p->w.a, 32), details = val_copy(val_get(whole, "details"), p->w.a), response;

    copy_members(out, whole, names, COUNT_OF(names));
    copy_members(out, row, names, COUNT_OF(names));
    val_dict_set_c(out, "id", val_str(id_text(p, val_get(row, "request_id"))));
    val_dict_set_c(out, "tenant_id", val_get(row, "tenant"));
    if (instance.len > 0)
        val_dict_set_c(out, "instance", val_str(instance));
    if (!val_is(details, VAL_DICT))
        return out;
    response = val_get(details, "response");
    val_dict_set_c(out, "method", val_get(details, "method"));
    val_dict_set_c(out, "url", val_get(details, "url"));
    val_dict_set_c(out, "response", response);
    if (val_is(val_get(response, "status"), VAL_INT))
        val_dict_set_c(out, "response_status", val_get(response, "status"));
    val_dict_del(details, VAL_STR_LIT("response"));
    val_dict_del(details, VAL_STR_LIT("user"));
    val_dict_set_c(out, "details", details);
    return out;
}

/* Rows that hang on this instance or request, by old ids. */
static struct val hang(struct api_past *p, struct val list, struct str instance, struct str request)
{
    struct val out = val_list_new(p->w.s, val_count(list));

    for (size_t i = 0; i < val_count(list); i++) {
        struct val item = val_at(list, i);

        if (!val_is(item, VAL_DICT))
            continue;
        val_dict_set_c(item, "task", val_str(id_text(p, val_get(item, "task_id"))));
        val_dict_set_c(item, "id", val_str(id_text(p, val_get(item, val_is_none(val_get(item, "id")) ? "processing_trace_id" : "id"))));
        val_dict_set_c(item, "instance", val_str(instance));
        val_dict_set_c(item, "request", val_str(request));
        val_list_add(out, item);
    }
    return out;
}

/* ---- one transaction ------------------------------------------------------------------------- */

/* A part that may fail for itself: null then, and that was told. */
static int get_part(struct api_past *p, const char *path, struct val *out)
{
    if (legacy_api_get(p->api, path, out, p->w.a, p->e) == 0)
        return 0;
    *out = val_null();
    if (!legacy_api_goes_on(p->api))
        return -1;
    plan_gap(&p->w.pl, "%s", p->e->msg);
    return 0;
}

static int get_traces(struct api_past *p, const char *of, struct str id, struct val *out)
{
    if (get_part(p, arena_printf(p->w.a, "/api/v01/%s/%.*s/traces", of, STR_ARG(id)), out) != 0)
        return -1;
    *out = val_get(*out, "traces");
    return 0;
}

static int get_request(struct api_past *p, struct val row, struct str instance, struct val *out)
{
    struct val whole;

    if (get_part(p, arena_printf(p->w.a, "/api/v01/apio/requests/%.*s", STR_ARG(id_text(p, val_get(row, "request_id")))), &whole) != 0)
        return -1;
    *out = val_list_new(p->w.a, 1);
    val_list_add(*out, request_of(p, row, val_get(whole, "request"), instance));
    return 0;
}

static int write_instance(struct api_past *p, struct val t, struct str id, struct val row)
{
    struct val requests = val_list_new(p->w.a, 0), traces;

    if (get_traces(p, "transactions", id, &traces) != 0 ||
        (val_is(row, VAL_DICT) && get_request(p, row, id, &requests) != 0) || archive_choose_requests(&p->w, requests, p->e) != 0 ||
        archive_open_page(&p->w, p->e) != 0 ||
        archive_rows(&p->w, ARCHIVE_TASKS, hang(p, val_get(t, "tasks"), id, STR("")), p->e) != 0 ||
        archive_rows(&p->w, ARCHIVE_ERRORS, hang(p, val_get(t, "errors"), id, STR("")), p->e) != 0 ||
        archive_rows(&p->w, ARCHIVE_TRACES, hang(p, traces, id, STR("")), p->e) != 0)
        return -1;
    return archive_commit_page(&p->w, p->e);
}

static int one_transaction(struct api_past *p, struct str id, struct val row, struct val parent, struct val documents, int depth);

static int one_sub(struct api_past *p, int64_t id, struct val parent, int depth)
{
    struct str name = str_printf(p->seen_a, "%lld", (long long)id);
    struct val documents;

    if (id <= 0 || val_is(val_get_str(p->seen, name), VAL_BOOL))
        return 0;
    val_dict_set_str(p->seen, name, val_bool(true));
    archive_page(&p->w);
    return api_documents_list(p, id, &documents) != 0 ? -1 : one_transaction(p, name, val_null(), parent, documents, depth);
}

/* Those it started, as deep as they go. */
static int sub_transactions(struct api_past *p, struct val instance, int depth)
{
    struct arena *page = p->w.a;
    struct val subs;
    int rc = 0;

    if (depth >= LIMIT_DEPTH)
        return 0;
    if (get_part(p, arena_printf(page, "/api/v01/transactions/%.*s/sub_transactions?filter=all", STR_ARG(val_get_text(instance, "id", STR("?")))),
                 &subs) != 0)
        return -1;
    subs = val_get(subs, "instances");
    p->w.a = NULL; /* the list lives on while pages come and go */
    for (size_t i = 0; i < val_count(subs) && rc == 0; i++)
        rc = one_sub(p, val_get_int(val_at(subs, i), "id", 0), instance, depth + 1);
    if (p->w.a != NULL)
        arena_free(p->w.a);
    p->w.a = page;
    return rc;
}

/* What is left of an instance that is here: its documents, and what it started. */
static int finish(struct api_past *p, struct val instance, struct val documents, int depth)
{
    bool all;

    if (api_documents(p, instance, documents, &all) != 0 || sub_transactions(p, instance, depth) != 0)
        return -1;
    return all ? archive_complete(&p->w, instance, p->e) : 0;
}

static int one_transaction(struct api_past *p, struct str id, struct val row, struct val parent, struct val documents, int depth)
{
    struct val t, list = val_list_new(p->w.a, 1), item;

    if (get_part(p, arena_printf(p->w.a, "/api/v01/transactions/%.*s", STR_ARG(id)), &t) != 0)
        return -1;
    if (!val_is(t, VAL_DICT)) {
        p->w.ar->instances.read++;
        p->w.ar->instances.skipped++;
        return 0;
    }
    item = instance_of(p, t, id, parent);
    val_list_add(list, item);
    if (archive_choose(&p->w, list, p->e) != 0)
        return -1;
    if (val_is(val_get_str(p->w.coming, id), VAL_DICT) && write_instance(p, t, id, row) != 0)
        return -1;
    return val_is(val_get(item, OUR_ID), VAL_INT) ? finish(p, item, documents, depth) : 0;
}

/* ---- rows of the searches -------------------------------------------------------------------- */

static bool whole_already(const struct api_past *p, struct val item)
{
    return p->w.t->dry || (val_get_bool(item, COMPLETE, false) && p->w.t->conflict == LEGACY_KEEP);
}

/* An instance that is here: its id and time over there and here. */
static int known_instance(struct api_past *p, struct val item, int64_t id, const char *our_id, const char *our_on)
{
    struct val instance = val_dict_new(p->w.a, 4), documents;

    p->w.ar->instances.read++;
    p->w.ar->instances.unchanged++;
    if (whole_already(p, item))
        return 0;
    val_dict_set_c(instance, "id", val_str(str_printf(p->w.a, "%lld", (long long)id)));
    val_dict_set_c(instance, OUR_ID, val_get(item, our_id));
    val_dict_set_c(instance, OUR_ON, val_get(item, our_on));
    return api_documents_list(p, id, &documents) != 0 ? -1 : finish(p, instance, documents, 0);
}

/* What a dry run says without asking for each. */
static int count_instance(struct api_past *p, struct val row, int64_t id, struct val documents)
{
    struct val instance = val_dict_new(p->w.a, 1);
    bool all;

    p->w.ar->instances.read++;
    p->w.ar->instances.added++;
    p->w.ar->parts[ARCHIVE_REQUESTS].read += val_is(row, VAL_DICT);
    p->w.ar->parts[ARCHIVE_REQUESTS].added += val_is(row, VAL_DICT);
    val_dict_set_c(instance, "id", val_str(str_printf(p->w.a, "%lld", (long long)id)));
    return api_documents(p, instance, documents, &all);
}

static int new_instance(struct api_past *p, struct val row, int64_t id, struct str status)
{
    struct val documents;

    if (str_ieq(status, STR("ACTIVE"))) {
        p->w.ar->instances.read++;
        p->w.ar->instances.running++;
        if (p->w.ar->history)
            plan_gap(&p->w.pl, "instances id %lld: it still runs and is not moved: let it finish or close it, then import again", (long long)id);
        return 0;
    }
    if (api_documents_list(p, id, &documents) != 0)
        return -1;
    if (!p->w.ar->history && val_count(documents) == 0) {
        p->rest_instances++;
        return 0;
    }
    if (p->w.t->dry)
        return count_instance(p, row, id, documents);
    return one_transaction(p, str_printf(p->w.a, "%lld", (long long)id), row, val_null(), documents, 0);
}

/* One that no instance belongs to: it was passed on, or refused. */
static int new_request(struct api_past *p, struct val row)
{
    struct val list = val_list_new(p->w.a, 1), traces = val_null();
    struct str id = id_text(p, val_get(row, "request_id"));

    if (!p->w.ar->history) {
        p->rest_requests++;
        return 0;
    }
    if (p->w.t->dry)
        val_list_add(list, request_of(p, row, val_null(), STR("")));
    else if (get_request(p, row, STR(""), &list) != 0 || get_traces(p, "apio/requests", id, &traces) != 0)
        return -1;
    if (archive_choose_requests(&p->w, list, p->e) != 0 || archive_open_page(&p->w, p->e) != 0 ||
        archive_rows(&p->w, ARCHIVE_TRACES, hang(p, traces, STR(""), id), p->e) != 0)
        return -1;
    return archive_commit_page(&p->w, p->e);
}

/* The instance of a further request; *out null: it is not here. */
static int instance_that_came(struct api_past *p, struct str id, struct val *out)
{
    struct val t, list = val_list_new(p->w.a, 1);

    *out = val_null();
    if (get_part(p, arena_printf(p->w.a, "/api/v01/transactions/%.*s", STR_ARG(id)), &t) != 0)
        return -1;
    if (!val_is(t, VAL_DICT) || archive_time_fault(val_get_text(t, "created_on", STR(""))) != NULL)
        return 0;
    val_list_add(list, instance_of(p, t, id, val_null()));
    if (archive_find(&p->w, &archive_stmt_find, list, p->w.a, p->e) != 0)
        return -1;
    if (val_is(val_get(val_at(list, 0), OUR_ID), VAL_INT))
        *out = val_at(list, 0);
    return 0;
}

/* One more of an instance that had its turn: what else hangs on that came then, or never will. */
static int further_request(struct api_past *p, struct val row, int64_t instance)
{
    struct str id = str_printf(p->w.a, "%lld", (long long)instance);
    struct archive_counts *n = &p->w.ar->parts[ARCHIVE_REQUESTS];
    struct val list, documents, of;

    if (str_ieq(val_get_text(row, "instance_status", STR("")), STR("ACTIVE")))
        return 0;
    if (p->w.t->dry) {
        if (!p->w.ar->history && api_documents_list(p, instance, &documents) != 0)
            return -1;
        n->read += p->w.ar->history || val_count(documents) > 0;
        n->added += p->w.ar->history || val_count(documents) > 0;
        return 0;
    }
    if (instance_that_came(p, id, &of) != 0)
        return -1;
    if (val_is(of, VAL_DICT)) {
        val_dict_set_str(p->w.instances, id, of);
        return get_request(p, row, id, &list) != 0 || archive_choose_requests(&p->w, list, p->e) != 0 || archive_open_page(&p->w, p->e) != 0
                   ? -1 : archive_commit_page(&p->w, p->e);
    }
    if (p->w.ar->history) {
        n->read++;
        n->skipped++;
        plan_gap(&p->w.pl, "requests id %.*s: its instance %.*s is not here", STR_ARG(id_text(p, val_get(row, "request_id"))), STR_ARG(id));
    }
    return 0;
}

static int request_row(struct api_past *p, struct val item, struct val row, int64_t instance)
{
    struct archive_counts *n = &p->w.ar->parts[ARCHIVE_REQUESTS];
    bool here = val_is(val_get(item, OUR_ID), VAL_INT), further = instance > 0 && !api_ids_add(&p->met, instance);

    if (here) {
        n->read++;
        n->unchanged++;
        return instance > 0 && !further ? known_instance(p, item, instance, OUR_INSTANCE, OUR_INSTANCE_ON) : 0;
    }
    if (further)
        return further_request(p, row, instance);
    return instance > 0 ? new_instance(p, row, instance, val_get_text(row, "instance_status", STR(""))) : new_request(p, row);
}

static int one_row(struct api_past *p, struct val item, bool request)
{
    struct val row = val_get(item, "row");
    int64_t instance = val_get_int(row, "instance_id", 0);

    archive_page(&p->w);
    arena_reset(p->seen_a);
    p->seen = val_dict_new(p->seen_a, 8);
    val_dict_set_str(p->seen, str_printf(p->seen_a, "%lld", (long long)instance), val_bool(true));
    if (request)
        return request_row(p, item, row, instance);
    if (!api_ids_add(&p->met, instance))
        return 0;
    if (val_is(val_get(item, OUR_ID), VAL_INT))
        return known_instance(p, item, instance, OUR_ID, OUR_ON);
    return new_instance(p, val_null(), instance, val_get_text(row, "status", STR("")));
}

/* A page of a search: what is here already is found at once. */
static int take_page(struct api_past *p, struct val list, bool request, struct arena *a)
{
    const char *id_name = request ? "request_id" : "instance_id", *what = request ? "requests" : "instances";
    struct val items = val_list_new(a, val_count(list));

    for (size_t i = 0; i < val_count(list); i++) {
        struct val row = val_at(list, i), item = val_dict_new(a, 8);
        int64_t id = val_get_int(row, id_name, 0);
        const char *fault = id <= 0 ? "it has no id" : archive_time_fault(val_get_text(row, "created_on", STR("")));

        if (fault != NULL) {
            struct archive_counts *n = request ? &p->w.ar->parts[ARCHIVE_REQUESTS] : &p->w.ar->instances;

            n->read++;
            n->skipped++;
            plan_gap(&p->w.pl, "%s id %lld: %s", what, (long long)id, fault);
            continue;
        }
        val_dict_set_c(item, "id", val_str(str_printf(a, "%lld", (long long)id)));
        val_dict_set_c(item, "created_on", val_get(row, "created_on"));
        val_dict_set_c(item, "row", row);
        val_list_add(items, item);
    }
    if (archive_find(&p->w, request ? &archive_stmt_find_request : &archive_stmt_find, items, a, p->e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(items); i++)
        if (one_row(p, val_at(items, i), request) != 0)
            return -1;
    return 0;
}

static int take_requests(void *ctx, struct val list, struct arena *a)
{
    return take_page(ctx, list, true, a);
}

static int take_instances(void *ctx, struct val list, struct arena *a)
{
    return take_page(ctx, list, false, a);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int search(struct api_past *p, const char *path, const char *member, int (*rows)(void *ctx, struct val list, struct arena *a))
{
    const char *missing;

    if (legacy_api_pages(p->api, path, member, "created_on", rows, p, &missing, p->e) == 0) {
        if (missing != NULL)
            plan_gap(&p->w.pl, "%s", missing);
        return 0;
    }
    if (p->e->code != ERR_NOT_FOUND)
        return -1;
    plan_note(&p->w.pl, "%s; nothing was read there", p->e->msg);
    return 0;
}

static void note_rest(struct api_past *p)
{
    if (p->rest_instances > 0)
        plan_note(&p->w.pl, "not imported: %lld instances without documents; --history brings those that are closed", (long long)p->rest_instances);
    if (p->rest_requests > 0)
        plan_note(&p->w.pl, "not imported: %lld requests without instance; --history brings them", (long long)p->rest_requests);
}

int legacy_api_history(struct legacy_api *api, struct legacy_archive *ar, const struct legacy_archive_target *t,
                       struct legacy_plan *plan, struct err *e)
{
    struct api_past p = {.api = api, .seen_a = arena_new(0), .e = e};
    int rc;

    archive_begin(&p.w, ar, t, plan);
    api->patient = true;
    rc = search(&p, "/api/v01/apio/requests/search", "requests", take_requests) != 0 ||
                 search(&p, "/api/v01/custom_instances/search", "instances", take_instances) != 0 ? -1 : 0;
    api->patient = false;
    if (rc == 0)
        note_rest(&p);
    api_ids_free(&p.met);
    arena_free(p.seen_a);
    archive_free(&p.w);
    return rc;
}
