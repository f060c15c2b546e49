/*
 * Webhooks, mass operations, reports, saved searches, words that are no passwords.
 */
#include "base/arena.h"
#include "legacy/content_int.h"
#include "legacy/plan_int.h"

enum { REPORT_PERIOD_MIN = 60 };

static const char *report_unfit(struct val item, struct arena *a)
{
    (void)a;
    if (val_get_text(item, "name", STR("")).len == 0)
        return "has no name";
    if (val_get_int(item, "period_range", 0) < REPORT_PERIOD_MIN)
        return "comes more often than once a minute; make it again in the interface";
    return NULL;
}

static void hook_remarks(struct val item, void (*say)(void *ctx, const char *text), void *ctx)
{
    static const char *const secrets[] = {"secret", "password", "custom_header_value"};

    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        if (plan_masked(val_get_text(item, secrets[i], STR(""))))
            say(ctx, "a secret is masked by the source; enter it in the interface");
}

const struct content_kind content_hooks[CONTENT_HOOKS] = {
    {
        .word = "webhook_events",
        .name = "webhook events",
        .shown = {"label"},
        .state = {"legacy_event_state",
                  "SELECT CASE WHEN EXISTS (SELECT FROM webhook_events WHERE label = " TEXT("label") " AND method = lower("
                  TEXT("method") ") AND url = " TEXT("url") ") THEN 'same' ELSE 'new' END", 1},
        .put = {"legacy_event_put",
                "INSERT INTO webhook_events (label, tag, method, url) SELECT " TEXT("label") ", coalesce(" TEXT("tag")
                ", ''), lower(" TEXT("method") "), " TEXT("url") " RETURNING id", 1},
    },
    {
        .word = "webhooks",
        .name = "webhooks",
        .shown = {"name"},
        .state = {"legacy_webhook_state",
                  "SELECT " STATE("w.id", "w.target = " TEXT("target") " AND w.active = " FLAG("active", "true") " AND "
                      LIKE_OURS("w.custom_header", TEXT("custom_header")) " AND " LIKE_OURS("w.username", TEXT("username"))
                      " AND (SELECT count(*) FROM webhook_subscriptions s WHERE s.webhook_id = w.id) = "
                      "json_array_length(coalesce(" JSON("subscriptions") ", '[]'))")
                  " FROM (SELECT " TEXT("name") " AS name) x LEFT JOIN webhooks w ON w.name = x.name LIMIT 1", 1},
        .put = {"legacy_webhook_put",
                "WITH o AS (UPDATE webhooks SET target = " TEXT("target") ", active = " FLAG("active", "true")
                ", custom_header = " TEXT("custom_header") ", username = " TEXT("username") ", updated_on = now() WHERE id = "
                "(SELECT min(id) FROM webhooks WHERE name = " TEXT("name") ") RETURNING id), "
                "n AS (INSERT INTO webhooks (name, target, format, active, custom_header, username) SELECT " TEXT("name") ", "
                TEXT("target") ", coalesce(" TEXT("format") ", 'json'), " FLAG("active", "true") ", " TEXT("custom_header") ", "
                TEXT("username") " WHERE NOT EXISTS (SELECT FROM o) RETURNING id), "
                "w AS (SELECT id FROM o UNION ALL SELECT id FROM n), "
                "s AS (INSERT INTO webhook_subscriptions (webhook_id, event_id) SELECT w.id, v.id FROM w, "
                "json_array_elements(coalesce(" JSON("subscriptions") ", '[]')) j JOIN webhook_events v ON v.label = j ->> 'label' "
                "AND v.method = lower(j ->> 'method') AND v.url = j ->> 'url' ON CONFLICT DO NOTHING) SELECT id FROM w", 1},
        .seals = {{"secret", "webhooks.secret",
                   {"legacy_webhook_secret", "UPDATE webhooks SET secret = $2 WHERE id = $1", 2}},
                  {"custom_header_value", "webhooks.custom_header_value",
                   {"legacy_webhook_header", "UPDATE webhooks SET custom_header_value = $2 WHERE id = $1", 2}},
                  {"password", "webhooks.password",
                   {"legacy_webhook_password", "UPDATE webhooks SET password = $2 WHERE id = $1", 2}}},
        .remark = hook_remarks,
    },
    {
        .word = "bulk_actions",
        .name = "bulk actions",
        .shown = {"name"},
        .state = {"legacy_action_state",
                  "SELECT " STATE("b.id", LIKE_OURS("b.url", TEXT("url")) " AND " LIKE_OURS("b.method", TEXT("method")) " AND "
                      LIKE_OURS("b.activity_id", "x.activity") " AND " LIKE_OURS("b.options::jsonb", JSON("options") "::jsonb") " AND "
                      LIKE_OURS("b.validation_schema::jsonb", JSON("validation_schema") "::jsonb") " AND "
                      LIKE_OURS("b.sample_input", TEXT("sample_input")))
                  " FROM (SELECT " TEXT("name") " AS name, (SELECT id FROM activities WHERE name = " TEXT("activity_name")
                  ") AS activity) x LEFT JOIN bulk_actions b ON b.name = x.name", 1},
        .put = {"legacy_action_put",
                "INSERT INTO bulk_actions (name, activity_id, method, url, header_1, header_2, header_3, options, "
                "validation_schema, sample_input, sequence_timeout) SELECT " TEXT("name") ", (SELECT id FROM activities WHERE name = "
                TEXT("activity_name") "), " TEXT("method") ", " TEXT("url") ", " TEXT("header_1") ", " TEXT("header_2") ", "
                TEXT("header_3") ", " JSON("options") ", " JSON("validation_schema") ", " TEXT("sample_input") ", "
                TEXT("sequence_timeout") "::double precision ON CONFLICT (name) DO UPDATE SET activity_id = excluded.activity_id, "
                "method = excluded.method, url = excluded.url, header_1 = excluded.header_1, header_2 = excluded.header_2, "
                "header_3 = excluded.header_3, options = excluded.options, validation_schema = excluded.validation_schema, "
                "sample_input = excluded.sample_input, sequence_timeout = excluded.sequence_timeout, updated_on = now() "
                "RETURNING id", 1},
    },
    {
        .word = "reports",
        .name = "reports",
        .shown = {"name"},
        .state = {"legacy_report_state",
                  "SELECT " STATE("r.id", "r.type = " TEXT("type") " AND r.active = " FLAG("active", "true")
                      " AND r.period_range = " TEXT("period_range") "::integer AND r.destination = coalesce(" TEXT("destination") ", '')")
                  " FROM (SELECT " TEXT("name") " AS name) x LEFT JOIN reports r ON r.name = x.name LIMIT 1", 1},
        .put = {"legacy_report_put",
                "WITH o AS (UPDATE reports SET type = " TEXT("type") ", active = " FLAG("active", "true") ", period_range = "
                TEXT("period_range") "::integer, destination = coalesce(" TEXT("destination") ", ''), updated_on = now() WHERE id = "
                "(SELECT min(id) FROM reports WHERE name = " TEXT("name") ") RETURNING id), "
                "n AS (INSERT INTO reports (name, type, active, period_range, destination) SELECT " TEXT("name") ", " TEXT("type")
                ", " FLAG("active", "true") ", " TEXT("period_range") "::integer, coalesce(" TEXT("destination") ", '') "
                "WHERE NOT EXISTS (SELECT FROM o) RETURNING id) SELECT id FROM o UNION ALL SELECT id FROM n", 1},
        .unfit = report_unfit,
    },
    {
        .word = "filters",
        .name = "saved filters",
        .shown = {"name"},
        .state = {"legacy_filter_state",
                  "SELECT " STATE("f.id", "f.filter::jsonb = " JSON("filter") "::jsonb AND "
                      LIKE_OURS("f.columns::jsonb", JSON("columns") "::jsonb"))
                  " FROM (SELECT " TEXT("name") " AS name) x LEFT JOIN saved_filters f ON f.name = x.name AND f.entity = coalesce("
                  TEXT("entity") ", 'request') AND f.visibility = coalesce(" TEXT("visibility") ", 'user') AND f.created_by "
                  "IS NOT DISTINCT FROM " TEXT("username") " LIMIT 1", 1},
        .put = {"legacy_filter_put",
                "WITH u AS (SELECT id FROM users WHERE lower(username) = lower(" TEXT("username") ")), "
                "o AS (UPDATE saved_filters SET filter = " JSON("filter") ", columns = " JSON("columns") ", updated_on = now() "
                "WHERE id = (SELECT min(id) FROM saved_filters WHERE name = " TEXT("name") " AND entity = coalesce(" TEXT("entity")
                ", 'request') AND visibility = coalesce(" TEXT("visibility") ", 'user') AND created_by IS NOT DISTINCT FROM "
                TEXT("username") ") RETURNING id), "
                "n AS (INSERT INTO saved_filters (user_id, created_by, name, visibility, entity, filter, columns) SELECT "
                "(SELECT id FROM u), " TEXT("username") ", " TEXT("name") ", coalesce(" TEXT("visibility") ", 'user'), coalesce("
                TEXT("entity") ", 'request'), " JSON("filter") ", " JSON("columns") " WHERE NOT EXISTS (SELECT FROM o) AND (EXISTS "
                "(SELECT FROM u) OR " TEXT("visibility") " = 'system') RETURNING id) SELECT id FROM o UNION ALL SELECT id FROM n", 1},
    },
    {
        .word = "weak_passwords",
        .name = "weak passwords",
        .shown = {"name"},
        .state = {"legacy_weak_state",
                  "SELECT CASE WHEN EXISTS (SELECT FROM unnest(string_to_array(" TEXT("text") ", E'\\n')) w WHERE trim(w, E'\\r ') <> '' "
                  "AND NOT EXISTS (SELECT FROM weak_passwords p WHERE p.password = trim(w, E'\\r '))) THEN 'new' ELSE 'same' END", 1},
        .put = {"legacy_weak_put",
                "WITH n AS (INSERT INTO weak_passwords (password) SELECT DISTINCT trim(w, E'\\r ') FROM unnest(string_to_array("
                TEXT("text") ", E'\\n')) w WHERE trim(w, E'\\r ') <> '' ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM n", 1},
    },
};
