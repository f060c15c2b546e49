/*
 * Reading a former platform through its API, kind by kind.
 *
 * Ids of the old platform mean nothing here: whatever names another thing by id gets its name.
 */
#include "base/arena.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "legacy/api.h"
#include "legacy/plan_int.h"

struct reading {
    struct legacy_api *api;
    struct legacy_content *x;
    struct planning pl;
    struct val users, activities, events; /* as the lists of the API give them */
    struct err *e;
};

/* ---- lists ----------------------------------------------------------------------------------- */

/* What is no object is left out; and whether there are more than came is told. */
static struct val objects(struct reading *r, const char *path, struct val answer, struct val list)
{
    struct val out = val_list_new(r->api->a, val_count(list));
    int64_t total = legacy_api_total(answer);

    for (size_t i = 0; i < val_count(list); i++)
        if (val_is(val_at(list, i), VAL_DICT))
            val_list_add(out, val_at(list, i));
    if (val_count(out) < val_count(list))
        plan_gap(&r->pl, "GET %s: %zu entries are no objects; they were left out", path, val_count(list) - val_count(out));
    if (total > (int64_t)val_count(list))
        plan_gap(&r->pl, "GET %s: %zu of %lld came", path, val_count(list), (long long)total);
    return out;
}

/* An operation that platform does not have: noted, an empty list. */
static int get_list(struct reading *r, const char *path, const char *member, struct val *out)
{
    struct val all;

    *out = val_list_new(r->api->a, 0);
    if (legacy_api_get(r->api, path, &all, r->api->a, r->e) != 0) {
        if (r->e->code != ERR_NOT_FOUND)
            return -1;
        plan_note(&r->pl, "%s; nothing was read there", r->e->msg);
        return 0;
    }
    if (val_is(all, VAL_LIST) || val_is(val_get(all, member), VAL_LIST))
        *out = objects(r, path, all, val_is(all, VAL_LIST) ? all : val_get(all, member));
    return 0;
}

static const char *id_path(struct reading *r, const char *path, struct val item, const char *behind)
{
    return arena_printf(r->api->a, "%s/%lld%s", path, (long long)val_get_int(item, "id", 0), behind);
}

/* One object by its id, out of its envelope; undefined: it cannot be had, which was told. */
static int get_one(struct reading *r, const char *path, struct val item, const char *envelope, struct val *out)
{
    struct val v;

    *out = val_undef(NULL);
    if (legacy_api_get(r->api, id_path(r, path, item, ""), &v, r->api->a, r->e) != 0) {
        if (r->e->code != ERR_NOT_FOUND)
            return -1;
        plan_gap(&r->pl, "%s", r->e->msg);
        return 0;
    }
    if (val_is(v, VAL_DICT))
        *out = val_copy(val_is(val_get(v, envelope), VAL_DICT) ? val_get(v, envelope) : v, r->api->a);
    else
        plan_gap(&r->pl, "the old platform: GET %s did not answer an object", id_path(r, path, item, ""));
    return 0;
}

/* A member of the first of a list whose member `key` is `id`; null when there is none. */
static struct val member_of(struct val list, const char *key, int64_t id, const char *member)
{
    for (size_t i = 0; id != 0 && i < val_count(list); i++)
        if (val_get_int(val_at(list, i), key, 0) == id)
            return val_get(val_at(list, i), member);
    return val_null();
}

static void name_activity(struct reading *r, struct val item, const char *id, const char *name)
{
    val_dict_set_c(item, name, member_of(r->activities, "id", val_get_int(item, id, 0), "name"));
}

/* An object that some versions hold as text. */
static void parse_member(struct reading *r, struct val item, const char *member)
{
    struct str text = val_get_text(item, member, STR(""));
    struct val v;
    struct err why;

    if (text.len > 0 && json_parse(text, &v, r->api->a, &why) == 0)
        val_dict_set_c(item, member, v);
}

/* ---- people ---------------------------------------------------------------------------------- */

static int read_profiles(struct reading *r)
{
    static const char path[] = "/api/v01/system/user_profiles";
    struct val list, one;

    if (get_list(r, path, "profiles", &list) != 0)
        return -1;
    r->x->read[LEGACY_PROFILES] = true;
    for (size_t i = 0; i < val_count(list); i++) {
        if (get_one(r, path, val_at(list, i), "profile", &one) != 0)
            return -1;
        if (!val_is_none(one))
            legacy_content_add(r->x, LEGACY_PROFILES, one);
    }
    return 0;
}

/* What hangs on a user: his roles, addresses, callbacks. */
static int read_belongings(struct reading *r, struct val user)
{
    static const char path[] = "/api/v01/system/users";
    const struct {
        enum legacy_kind_id kind;
        const char *list, *from, *to;
    } parts[] = {{LEGACY_MEMBERS, "roles", "name", "role"}, {LEGACY_IP_LIMITS, "ip_limits", "ip", "ip"}};
    struct val list, item;

    for (size_t k = 0; k < COUNT_OF(parts); k++) {
        list = val_get(user, parts[k].list);
        for (size_t i = 0; i < val_count(list); i++) {
            item = val_dict_new(r->api->a, 2);
            val_dict_set_c(item, "username", val_get(user, "username"));
            val_dict_set_c(item, parts[k].to, val_get(val_at(list, i), parts[k].from));
            legacy_content_add(r->x, parts[k].kind, item);
        }
    }
    if (get_list(r, id_path(r, path, user, "/callbacks"), "callbacks", &list) != 0)
        return -1;
    for (size_t i = 0; i < val_count(list); i++) {
        item = val_copy(val_at(list, i), r->api->a);
        val_dict_set_c(item, "username", val_get(user, "username"));
        legacy_content_add(r->x, LEGACY_CALLBACKS, item);
    }
    return 0;
}

static int take_users(void *ctx, struct val list, struct arena *a)
{
    struct reading *r = ctx;
    struct val one;

    (void)a;
    for (size_t i = 0; i < val_count(list); i++) {
        if (get_one(r, "/api/v01/system/users", val_at(list, i), "user", &one) != 0)
            return -1;
        if (val_is_none(one))
            continue;
        val_list_add(r->users, one);
        legacy_content_add(r->x, LEGACY_USERS, one);
        if (read_belongings(r, one) != 0)
            return -1;
    }
    return 0;
}

static int read_users(struct reading *r)
{
    const char *missing;

    r->users = val_list_new(r->api->a, 64);
    r->x->read[LEGACY_USERS] = r->x->read[LEGACY_MEMBERS] = true;
    if (legacy_api_pages(r->api, "/api/v01/system/users", "users", "username", take_users, r, &missing, r->e) == 0) {
        if (missing != NULL)
            plan_gap(&r->pl, "%s", missing);
        return 0;
    }
    if (r->e->code != ERR_NOT_FOUND)
        return -1;
    plan_note(&r->pl, "%s; nothing was read there", r->e->msg);
    return 0;
}

/* ---- templates and workflows ----------------------------------------------------------------- */

/* A spreadsheet comes as bytes. */
static int read_binary(struct reading *r, struct val item)
{
    struct str bytes;

    if (legacy_api_bytes(r->api, id_path(r, "/api/v01/templates", item, "?as=raw"), &bytes, r->api->a, r->e) != 0)
        return r->e->code == ERR_NOT_FOUND ? 0 : -1;
    val_dict_set_c(item, "template", val_null());
    val_dict_set_c(item, "content", val_str(crypto_b64(r->api->a, bytes)));
    return 0;
}

static int read_templates(struct reading *r)
{
    static const char path[] = "/api/v01/templates";
    struct val list, one;

    if (get_list(r, path, "templates", &list) != 0)
        return -1;
    r->x->read[LEGACY_TEMPLATES] = true;
    for (size_t i = 0; i < val_count(list); i++) {
        if (get_one(r, path, val_at(list, i), "template", &one) != 0)
            return -1;
        if (val_is_none(one))
            continue;
        if (str_starts(val_get_text(one, "type", STR("")), STR("application/vnd.")) && read_binary(r, one) != 0)
            return -1;
        legacy_content_add(r->x, LEGACY_TEMPLATES, one);
    }
    return 0;
}

/* The working version is the one without label; a workflow whose active one has a label is not
 * active by it. */
static int read_versions(struct reading *r, struct val activity)
{
    struct val list, one;

    if (get_list(r, id_path(r, "/api/v01/activities", activity, "/versions"), "activity_versions", &list) != 0)
        return -1;
    for (size_t i = 0; i < val_count(list); i++) {
        one = val_copy(val_at(list, i), r->api->a);
        parse_member(r, one, "definition");
        if (val_get_text(one, "label", STR("")).len == 0) {
            val_dict_set_c(activity, "definition", val_get(one, "definition"));
            val_dict_set_c(activity, "active", val_bool(val_get_bool(one, "active", true)));
            continue;
        }
        val_dict_set_c(one, "activity_name", val_get(activity, "name"));
        legacy_content_add(r->x, LEGACY_VERSIONS, one);
    }
    return 0;
}

static int read_workflows(struct reading *r)
{
    static const char path[] = "/api/v01/activities";
    struct val one;

    if (get_list(r, path, "activities", &r->activities) != 0)
        return -1;
    r->x->read[LEGACY_WORKFLOWS] = r->x->read[LEGACY_VERSIONS] = true;
    for (size_t i = 0; i < val_count(r->activities); i++) {
        if (get_one(r, path, val_at(r->activities, i), "activity", &one) != 0)
            return -1;
        if (val_is_none(one))
            continue;
        parse_member(r, one, "definition");
        if (read_versions(r, one) != 0)
            return -1;
        legacy_content_add(r->x, LEGACY_WORKFLOWS, one);
    }
    return 0;
}

/* ---- plain lists ----------------------------------------------------------------------------- */

static void finish_route(struct reading *r, struct val item)
{
    name_activity(r, item, "activity_id", "activity_name");
    name_activity(r, item, "err_activity_id", "err_activity_name");
    parse_member(r, item, "bulk_options");
}

static void finish_started(struct reading *r, struct val item)
{
    name_activity(r, item, "activity_id", "activity_name");
}

static void finish_event(struct reading *r, struct val item)
{
    val_list_add(r->events, item);
}

static void finish_webhook(struct reading *r, struct val item)
{
    struct val ids = val_get(item, "events"), to = val_list_new(r->api->a, 4);

    for (size_t i = 0; i < val_count(ids); i++)
        for (size_t k = 0; k < val_count(r->events); k++)
            if (val_is(val_at(ids, i), VAL_INT) && val_get_int(val_at(r->events, k), "event_id", 0) == val_at(ids, i).u.i)
                val_list_add(to, val_at(r->events, k));
    val_dict_set_c(item, "subscriptions", to);
}

static void finish_action(struct reading *r, struct val item)
{
    finish_started(r, item);
    parse_member(r, item, "options");
    parse_member(r, item, "validation_schema");
}

static void finish_filter(struct reading *r, struct val item)
{
    struct str owner = val_get_text(item, "created_by", STR(""));
    struct val found = member_of(r->users, "id", val_get_int(item, "user_id", 0), "username");

    val_dict_set_c(item, "username", owner.len > 0 ? val_str(owner) : found);
}

static const struct plain_list {
    enum legacy_kind_id kind;
    const char *path, *member;
    void (*finish)(struct reading *r, struct val item);
} lists[] = {
    {LEGACY_STARTUP, "/api/v01/transactions/startup_events", "events", finish_started},
    {LEGACY_ROUTES, "/api/v01/custom_routes", "routes", finish_route},
    {LEGACY_JOBS, "/api/v01/timers/cron", "timers", finish_started},
    {LEGACY_EVENTS, "/api/v01/webhooks/events", "events", finish_event},
    {LEGACY_WEBHOOKS, "/api/v01/webhooks", "webhooks", finish_webhook},
    {LEGACY_ACTIONS, "/api/v01/bulks/actions", "actions", finish_action},
    {LEGACY_REPORTS, "/api/v01/reports", "reports", NULL},
    {LEGACY_FILTERS, "/api/v01/filters", "filters", finish_filter},
};

static int read_plain(struct reading *r, const struct plain_list *from)
{
    struct val list, item;

    if (get_list(r, from->path, from->member, &list) != 0)
        return -1;
    r->x->read[from->kind] = true;
    for (size_t i = 0; i < val_count(list); i++) {
        item = val_copy(val_at(list, i), r->api->a);
        if (from->finish != NULL)
            from->finish(r, item);
        legacy_content_add(r->x, from->kind, item);
    }
    return 0;
}

static int read_roles(struct reading *r)
{
    static const struct plain_list roles = {LEGACY_ROLES, "/api/v01/system/user_roles", "roles", NULL};

    return read_plain(r, &roles);
}

static int read_weak_passwords(struct reading *r)
{
    struct str text;
    struct val item = val_dict_new(r->api->a, 2);

    if (legacy_api_bytes(r->api, "/api/v01/system/configuration/weak_passwords", &text, r->api->a, r->e) != 0) {
        if (r->e->code != ERR_NOT_FOUND)
            return -1;
        plan_note(&r->pl, "%s; nothing was read there", r->e->msg);
        return 0;
    }
    if (str_trim(text).len == 0)
        return 0;
    val_dict_set_c(item, "name", VAL_STR_LIT("the list"));
    val_dict_set_c(item, "text", val_str(text));
    legacy_content_add(r->x, LEGACY_WEAK, item);
    return 0;
}

/* ---- what stays ------------------------------------------------------------------------------ */

/* How many of what is not taken over, by the totals of searches. */
static int note_left(struct reading *r)
{
    static const struct {
        const char *path, *what;
    } left[] = {
        {"/api/v01/bulks", "mass operations and their results"},
        {"/api/v01/alarms", "alarms"},
        {"/api/v01/system/users/audit/search", "audit records"},
    };
    struct val v;

    for (size_t i = 0; i < COUNT_OF(left); i++) {
        int64_t n;

        if (legacy_api_get(r->api, arena_printf(r->api->a, "%s?paging=%%7B%%22page_number%%22:1,%%22page_size%%22:1%%7D", left[i].path),
                           &v, r->api->a, r->e) != 0) {
            if (r->e->code == ERR_NOT_FOUND)
                continue;
            return -1;
        }
        n = legacy_api_total(v);
        if (n > 0)
            plan_note(&r->pl, "not imported: %lld %s; they stay readable on the old platform", (long long)n, left[i].what);
    }
    if (val_count(r->users) > 0)
        plan_note(&r->pl, "not imported: passwords of users (no API gives them); sluicectl passwd NAME gives new ones");
    plan_note(&r->pl, "not imported: saved filters of other users than the one whose token was used (no API gives them)");
    return 0;
}

/* Two platforms at once would run them twice. */
static void note_jobs(struct reading *r)
{
    struct val list = r->x->items[LEGACY_JOBS];
    int n = 0;

    for (size_t i = 0; i < val_count(list); i++)
        n += val_get_bool(val_at(list, i), "enabled", true);
    if (n > 0)
        plan_note(&r->pl, "scheduled jobs: %d run here as soon as a core with -workflows does; stop them on the old platform first", n);
}

int legacy_api_read(struct legacy_api *api, const struct legacy_options *o, const struct cfg *current,
                    struct legacy_plan *p, struct legacy_content *x, struct err *e)
{
    struct reading r = {.api = api, .x = x, .pl = {.p = p, .o = o, .current = current, .a = api->a, .e = e}, .e = e};
    struct val content;

    r.events = val_list_new(api->a, 8);
    if (legacy_api_get(api, "/api/v01/system/configuration", &content, api->a, e) != 0 ||
        legacy_plan_content(p, o, current, val_get(content, "content"), api->a, e) != 0 ||
        read_profiles(&r) != 0 || read_roles(&r) != 0 || read_users(&r) != 0 || read_templates(&r) != 0 ||
        read_workflows(&r) != 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        if (read_plain(&r, &lists[i]) != 0)
            return -1;
    if (read_weak_passwords(&r) != 0)
        return -1;
    api->activities = r.activities;
    note_jobs(&r);
    return note_left(&r);
}
