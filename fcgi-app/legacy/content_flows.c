/*
 * Templates, workflows and their versions, and what starts them.
 */
#include "base/arena.h"
#include "engine/cron.h"
#include "legacy/content_int.h"

#define ACTIVITY "(SELECT id FROM activities WHERE name = " TEXT("activity_name") ")"
#define DEFINITION "($1::json -> 'definition')"

static const char *template_unfit(struct val item, struct arena *a)
{
    (void)a;
    if (val_get_text(item, "key", STR("")).len == 0)
        return "has no key";
    if (!val_is(val_get(item, "template"), VAL_STR) && !val_is(val_get(item, "content"), VAL_STR))
        return "has neither text nor bytes; take it over by hand";
    return NULL;
}

static const char *workflow_unfit(struct val item, struct arena *a)
{
    (void)a;
    if (val_get_text(item, "name", val_get_text(item, "activity_name", STR(""))).len == 0)
        return "has no name";
    return val_is(val_get(item, "definition"), VAL_DICT) ? NULL : "has no definition";
}

static void started_remarks(struct val item, void (*say)(void *ctx, const char *text), void *ctx)
{
    if (val_get_int(item, "activity_id", 0) != 0 && !val_is(val_get(item, "activity_name"), VAL_STR))
        say(ctx, "its workflow is not in the list of workflows; give it one in the interface");
}

static const char *route_unfit(struct val item, struct arena *a)
{
    (void)a;
    return val_get_text(item, "route", STR("")).len == 0 ? "has no path" : NULL;
}

/* Fields this product cannot read would never fire. */
static const char *job_unfit(struct val item, struct arena *a)
{
    struct str fields[CRON_FIELDS];
    struct cron cron;
    struct err e;

    if (val_get_text(item, "job_id", STR("")).len == 0)
        return "has no name";
    for (size_t i = 0; i < CRON_FIELDS; i++)
        fields[i] = val_get_text(item, cron_names[i], STR(""));
    if (cron_parse(&cron, fields, &e) == 0)
        return NULL;
    return arena_printf(a, "%s; make it again in the interface", e.msg);
}

const struct content_kind content_flows[CONTENT_FLOWS] = {
    {
        .word = "templates",
        .name = "templates",
        .shown = {"key"},
        .state = {"legacy_template_state",
                  "SELECT " STATE("t.id", LIKE_OURS("t.template", TEXT("template")) " AND "
                                  LIKE_OURS("t.content", "decode(" TEXT("content") ", 'base64')"))
                  " FROM (SELECT " TEXT("key") " AS key) x LEFT JOIN templates t ON t.key = x.key", 1},
        .put = {"legacy_template_put",
                "INSERT INTO templates (key, type, template, content) SELECT " TEXT("key") ", coalesce(" TEXT("type")
                ", 'jinja'), " TEXT("template") ", decode(" TEXT("content") ", 'base64') ON CONFLICT (key) DO UPDATE SET "
                "type = excluded.type, template = excluded.template, content = excluded.content, updated_on = now() RETURNING id", 1},
        .unfit = template_unfit,
    },
    {
        .word = "workflows",
        .name = "workflows",
        .shown = {"name"},
        .state = {"legacy_activity_state",
                  "SELECT " STATE("a.id", "d.definition::jsonb = x.definition AND " LIKE_OURS("a.description", TEXT("description")))
                  " FROM (SELECT " TEXT("name") " AS name, " DEFINITION "::jsonb AS definition) x "
                  "LEFT JOIN activities a ON a.name = x.name LEFT JOIN activity_versions v ON v.activity_id = a.id AND v.label IS NULL "
                  "LEFT JOIN definitions d ON d.id = v.definition_id", 1},
        /* the working version; active unless a labelled one is to be, or is */
        .put = {"legacy_activity_put",
                "WITH a AS (INSERT INTO activities (name, description) SELECT " TEXT("name") ", " TEXT("description")
                " ON CONFLICT (name) DO UPDATE SET description = excluded.description, updated_on = now() RETURNING id), "
                "v AS (UPDATE activity_versions SET definition_id = definition_put(" DEFINITION "::text), "
                "updated_on = now() WHERE activity_id = (SELECT id FROM a) AND label IS NULL RETURNING id), "
                "n AS (INSERT INTO activity_versions (activity_id, definition_id, active) SELECT a.id, "
                "definition_put(" DEFINITION "::text), " FLAG("active", "true") " AND NOT EXISTS (SELECT FROM activity_versions o "
                "WHERE o.activity_id = a.id AND o.active) FROM a WHERE NOT EXISTS (SELECT FROM v)) SELECT id FROM a", 1},
        .unfit = workflow_unfit,
    },
    {
        .word = "versions",
        .name = "versions of workflows",
        .shown = {"activity_name", "label"},
        .joined = true,
        .state = {"legacy_version_state",
                  "SELECT " STATE("v.id", "d.definition::jsonb = x.definition AND v.active = " FLAG("active", "false"))
                  " FROM (SELECT " ACTIVITY " AS activity, " TEXT("label") " AS label, " DEFINITION "::jsonb AS definition) x "
                  "LEFT JOIN activity_versions v ON v.activity_id = x.activity AND v.label = x.label "
                  "LEFT JOIN definitions d ON d.id = v.definition_id", 1},
        .put = {"legacy_version_put",
                "WITH o AS (UPDATE activity_versions SET active = false WHERE activity_id = " ACTIVITY " AND active AND "
                FLAG("active", "false") " AND label IS DISTINCT FROM " TEXT("label") " RETURNING id) "
                "INSERT INTO activity_versions (activity_id, label, message, definition_id, active, user_id, created_on, commit_at) "
                "SELECT a.id, " TEXT("label") ", " TEXT("message") ", definition_put(" DEFINITION "::text), "
                FLAG("active", "false") " AND (SELECT count(*) FROM o) >= 0, (SELECT id FROM users WHERE lower(username) = lower("
                TEXT("username") ")), coalesce(" TEXT("created_on") "::timestamptz, now()), " TEXT("commit_at") "::timestamptz "
                "FROM activities a WHERE a.name = " TEXT("activity_name") " ON CONFLICT (activity_id, label) DO UPDATE SET "
                "message = excluded.message, definition_id = excluded.definition_id, active = excluded.active, updated_on = now() "
                "RETURNING id", 1},
        .unfit = workflow_unfit,
    },
    {
        .word = "startup_events",
        .name = "startup events",
        .shown = {"name"},
        .state = {"legacy_startup_state",
                  "SELECT " STATE("s.name", LIKE_OURS("s.activity_id", ACTIVITY)) " FROM (SELECT " TEXT("name")
                  " AS name) x LEFT JOIN startup_events s ON s.name = x.name", 1},
        .put = {"legacy_startup_put",
                "INSERT INTO startup_events (name, activity_id) SELECT " TEXT("name") ", " ACTIVITY
                " ON CONFLICT (name) DO UPDATE SET activity_id = excluded.activity_id, updated_on = now() RETURNING 1", 1},
        .remark = started_remarks,
    },
    {
        .word = "routes",
        .name = "routes",
        .shown = {"method", "route"},
        .state = {"legacy_route_state",
                  "SELECT " STATE("r.id", LIKE_OURS("r.activity_id", ACTIVITY) " AND "
                      LIKE_OURS("r.err_activity_id", "(SELECT id FROM activities WHERE name = " TEXT("err_activity_name") ")") " AND "
                      LIKE_OURS("r.schema::jsonb", JSON("schema") "::jsonb") " AND "
                      LIKE_OURS("r.output_schema::jsonb", JSON("output_schema") "::jsonb") " AND "
                      LIKE_OURS("r.bulk_options::jsonb", JSON("bulk_options") "::jsonb") " AND "
                      LIKE_OURS("r.group_name", "nullif(" TEXT("group") ", '')") " AND r.sync = " FLAG("sync", "false")
                      " AND r.enabled = " FLAG("enabled", "true") " AND r.public = " FLAG("public", "false")
                      " AND r.support_bulk = " FLAG("support_bulk", "false"))
                  " FROM (SELECT lower(" TEXT("method") ") AS method, " TEXT("route") " AS route) x "
                  "LEFT JOIN custom_routes r ON r.method = x.method AND r.route = x.route", 1},
        .put = {"legacy_route_put",
                "INSERT INTO custom_routes (method, route, activity_id, err_activity_id, schema, output_schema, sync, enabled, public, "
                "support_bulk, bulk_options, group_name) SELECT lower(" TEXT("method") "), " TEXT("route") ", " ACTIVITY
                ", (SELECT id FROM activities WHERE name = " TEXT("err_activity_name") "), " JSON("schema") ", "
                JSON("output_schema") ", " FLAG("sync", "false") ", " FLAG("enabled", "true") ", " FLAG("public", "false") ", "
                FLAG("support_bulk", "false") ", " JSON("bulk_options") ", nullif(" TEXT("group") ", '') "
                "ON CONFLICT (method, route) DO UPDATE SET activity_id = excluded.activity_id, "
                "err_activity_id = excluded.err_activity_id, schema = excluded.schema, output_schema = excluded.output_schema, "
                "sync = excluded.sync, enabled = excluded.enabled, public = excluded.public, support_bulk = excluded.support_bulk, "
                "bulk_options = excluded.bulk_options, group_name = excluded.group_name, updated_on = now() RETURNING id", 1},
        .unfit = route_unfit,
        .remark = started_remarks,
    },
    {
        .word = "scheduled_jobs",
        .name = "scheduled jobs",
        .shown = {"job_id"},
        .state = {"legacy_job_state",
                  "SELECT " STATE("t.id", LIKE_OURS("t.activity_id", ACTIVITY) " AND t.enabled = " FLAG("enabled", "true") " AND "
                      LIKE_OURS("(t.year, t.month, t.day, t.week, t.day_of_week, t.hour, t.minute, t.second, t.request_body)",
                                "x.fields"))
                  " FROM (SELECT " TEXT("job_id") " AS job_id, (" TEXT("year") ", " TEXT("month") ", " TEXT("day") ", " TEXT("week")
                  ", " TEXT("day_of_week") ", " TEXT("hour") ", " TEXT("minute") ", " TEXT("second") ", " TEXT("request_body")
                  ") AS fields) x LEFT JOIN timers_cron t ON t.job_id = x.job_id LIMIT 1", 1},
        /* the name is not unique here: one of this name is changed, else a new one made; when it fires
         * next is found by the core */
        .put = {"legacy_job_put",
                "WITH o AS (UPDATE timers_cron SET activity_id = " ACTIVITY ", enabled = " FLAG("enabled", "true") ", year = "
                TEXT("year") ", month = " TEXT("month") ", day = " TEXT("day") ", week = " TEXT("week") ", day_of_week = "
                TEXT("day_of_week") ", hour = " TEXT("hour") ", minute = " TEXT("minute") ", second = " TEXT("second")
                ", request_body = " TEXT("request_body") ", next_on = NULL, updated_on = now() WHERE id = (SELECT min(id) FROM "
                "timers_cron WHERE job_id = " TEXT("job_id") ") RETURNING id), "
                "n AS (INSERT INTO timers_cron (job_id, activity_id, enabled, year, month, day, week, day_of_week, hour, minute, "
                "second, request_body) SELECT " TEXT("job_id") ", " ACTIVITY ", " FLAG("enabled", "true") ", " TEXT("year") ", "
                TEXT("month") ", " TEXT("day") ", " TEXT("week") ", " TEXT("day_of_week") ", " TEXT("hour") ", " TEXT("minute")
                ", " TEXT("second") ", " TEXT("request_body") " WHERE NOT EXISTS (SELECT FROM o) RETURNING id) "
                "SELECT id FROM o UNION ALL SELECT id FROM n", 1},
        .unfit = job_unfit,
        .remark = started_remarks,
    },
};
