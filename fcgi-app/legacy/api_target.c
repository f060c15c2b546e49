/*
 * Writing what a former platform's API gave: one transaction per kind of thing.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "legacy/api_source.h"

/* Each statement takes the object as JSON: "new", "same" or "other"; then it is put. */
#define TEXT(name) "($1::json ->> '" name "')"

static const struct db_stmt stmts[LEGACY_KINDS][2] = {
    {{"legacy_profile_state",
      "SELECT CASE WHEN p.id IS NULL THEN 'new' WHEN p.accesses = x.accesses AND p.api_rules::jsonb = x.rules "
      "THEN 'same' ELSE 'other' END FROM (SELECT " TEXT("name") " AS name, "
      "ARRAY(SELECT json_array_elements_text(coalesce($1::json -> 'accesses', '[]'))) AS accesses, "
      "coalesce($1::json -> 'api_rules', '[]')::jsonb AS rules) x LEFT JOIN user_profiles p ON p.name = x.name",
      1},
     {"legacy_profile_put",
      "INSERT INTO user_profiles (name, home, accesses, api_rules) SELECT " TEXT("name") ", " TEXT("home") ", "
      "ARRAY(SELECT json_array_elements_text(coalesce($1::json -> 'accesses', '[]'))), "
      "coalesce($1::json -> 'api_rules', '[]') ON CONFLICT (name) DO UPDATE SET accesses = excluded.accesses, "
      "api_rules = excluded.api_rules, updated_on = now()",
      1}},
    {{"legacy_role_state",
      "SELECT CASE WHEN EXISTS (SELECT 1 FROM roles WHERE name = " TEXT("name") ") THEN 'same' ELSE 'new' END", 1},
     {"legacy_role_put",
      "INSERT INTO roles (name, description) SELECT " TEXT("name") ", " TEXT("description") " ON CONFLICT (name) DO NOTHING",
      1}},
    {{"legacy_user_state",
      "SELECT CASE WHEN u.id IS NULL THEN 'new' WHEN u.email IS NOT DISTINCT FROM " TEXT("email")
      " AND u.first_name IS NOT DISTINCT FROM " TEXT("first_name") " AND u.last_name IS NOT DISTINCT FROM " TEXT("last_name")
      " THEN 'same' ELSE 'other' END FROM (SELECT lower(" TEXT("username") ") AS name) x "
      "LEFT JOIN users u ON lower(u.username) = x.name",
      1},
     {"legacy_user_put",
      "INSERT INTO users (username, email, first_name, last_name, mobile_number, status, is_system, local_user, language, "
      "ui_profile, timezone, need_password_change, profile_id) SELECT " TEXT("username") ", " TEXT("email") ", "
      TEXT("first_name") ", " TEXT("last_name") ", " TEXT("mobile_number") ", CASE WHEN " TEXT("status") " IN ('INATIVE', "
      "'INACTIVE') THEN 'INACTIVE' WHEN " TEXT("status") " = 'REVOKED' THEN 'REVOKED' ELSE 'ACTIVE' END, "
      "coalesce(" TEXT("is_system") "::boolean, false), coalesce(" TEXT("local_user") "::boolean, true), "
      "coalesce(" TEXT("language") ", 'en'), " TEXT("ui_profile") ", " TEXT("timezone") ", true, "
      "(SELECT id FROM user_profiles WHERE name = $1::json -> 'profile' ->> 'name') "
      "ON CONFLICT (lower(username)) DO UPDATE SET email = excluded.email, first_name = excluded.first_name, "
      "last_name = excluded.last_name, updated_on = now()",
      1}},
    {{"legacy_template_state",
      "SELECT CASE WHEN t.id IS NULL THEN 'new' WHEN t.template IS NOT DISTINCT FROM " TEXT("template")
      " THEN 'same' ELSE 'other' END FROM (SELECT " TEXT("key") " AS key) x LEFT JOIN templates t ON t.key = x.key",
      1},
     {"legacy_template_put",
      "INSERT INTO templates (key, type, template) SELECT " TEXT("key") ", coalesce(" TEXT("type") ", 'jinja'), "
      TEXT("template") " ON CONFLICT (key) DO UPDATE SET type = excluded.type, template = excluded.template, "
      "content = NULL, updated_on = now()",
      1}},
    {{"legacy_activity_state",
      "SELECT CASE WHEN a.id IS NULL THEN 'new' WHEN d.definition::jsonb = x.definition THEN 'same' ELSE 'other' END "
      "FROM (SELECT " TEXT("name") " AS name, ($1::json -> 'definition')::jsonb AS definition) x "
      "LEFT JOIN activities a ON a.name = x.name LEFT JOIN activity_versions v ON v.activity_id = a.id AND v.active "
      "LEFT JOIN definitions d ON d.id = v.definition_id",
      1},
     {"legacy_activity_put",
      "WITH a AS (INSERT INTO activities (name, description) SELECT " TEXT("name") ", " TEXT("description")
      " ON CONFLICT (name) DO UPDATE SET updated_on = now() RETURNING id), "
      "v AS (UPDATE activity_versions SET definition_id = definition_put(($1::json -> 'definition')::text), "
      "updated_on = now() WHERE activity_id = (SELECT id FROM a) AND active RETURNING id) "
      "INSERT INTO activity_versions (activity_id, definition_id, active) SELECT a.id, "
      "definition_put(($1::json -> 'definition')::text), true FROM a WHERE NOT EXISTS (SELECT 1 FROM v)",
      1}},
    {{"legacy_route_state",
      "SELECT CASE WHEN r.id IS NULL THEN 'new' WHEN a.name IS NOT DISTINCT FROM " TEXT("activity_name")
      " AND r.sync = coalesce(" TEXT("sync") "::boolean, false) AND r.enabled = coalesce(" TEXT("enabled")
      "::boolean, true) AND r.public = coalesce(" TEXT("public") "::boolean, false) THEN 'same' ELSE 'other' END "
      "FROM (SELECT " TEXT("method") " AS method, " TEXT("route") " AS route) x "
      "LEFT JOIN custom_routes r ON r.method = x.method AND r.route = x.route LEFT JOIN activities a ON a.id = r.activity_id",
      1},
     {"legacy_route_put",
      "INSERT INTO custom_routes (method, route, activity_id, err_activity_id, schema, output_schema, sync, enabled, public, "
      "support_bulk, group_name) SELECT " TEXT("method") ", " TEXT("route")
      ", (SELECT id FROM activities WHERE name = " TEXT("activity_name") "), (SELECT id FROM activities WHERE name = "
      TEXT("err_activity_name") "), CASE WHEN json_typeof($1::json -> 'schema') = 'object' THEN $1::json -> 'schema' END, "
      "CASE WHEN json_typeof($1::json -> 'output_schema') = 'object' THEN $1::json -> 'output_schema' END, "
      "coalesce(" TEXT("sync") "::boolean, false), coalesce(" TEXT("enabled") "::boolean, true), "
      "coalesce(" TEXT("public") "::boolean, false), coalesce(" TEXT("support_bulk") "::boolean, false), "
      "nullif(" TEXT("group") ", '') ON CONFLICT (method, route) DO UPDATE SET activity_id = excluded.activity_id, "
      "err_activity_id = excluded.err_activity_id, schema = excluded.schema, sync = excluded.sync, "
      "enabled = excluded.enabled, public = excluded.public, updated_on = now()",
      1}},
};

static const struct db_stmt *const all[] = {
    &stmts[0][0], &stmts[0][1], &stmts[1][0], &stmts[1][1], &stmts[2][0], &stmts[2][1],
    &stmts[3][0], &stmts[3][1], &stmts[4][0], &stmts[4][1], &stmts[5][0], &stmts[5][1],
};
const struct db_stmts legacy_api_stmts = {"legacy_api", all, COUNT_OF(all)};

static const struct {
    const char *name, *key;
} kinds[LEGACY_KINDS] = {
    {"user profiles", "name"}, {"roles", "name"},      {"users", "username"},
    {"templates", "key"},      {"workflows", "name"},  {"routes", "route"},
};

static void skip(struct legacy_api *api, struct legacy_plan *p, size_t kind, struct val item,
                 const char *why)
{
    const char *line = arena_printf(api->a, "%s \"%.*s\": %s", kinds[kind].name,
                                    STR_ARG(val_get_text(item, kinds[kind].key, STR("?"))), why);

    printf("%s\n", line);
    val_list_add(p->skipped, val_str_c(line));
    p->gaps = true;
}

/* What a row must have to be written. */
static const char *unfit(size_t kind, struct val item)
{
    if (val_get_text(item, kinds[kind].key, STR("")).len == 0)
        return "has no name";
    if (kind == 3 && !val_is(val_get(item, "template"), VAL_STR))
        return "is no text; take it over by hand";
    if (kind == 4 && !val_is(val_get(item, "definition"), VAL_DICT))
        return "has no definition";
    return NULL;
}

static int write_one(struct legacy_api *api, struct db_conn *c, size_t kind, struct val item,
                     enum legacy_conflict conflict, struct err *e)
{
    struct str text = json_text(item, api->a), state;

    if (db_text(c, &stmts[kind][0], DB_ARGS(DB_STR(text)), &state, api->a, e) != 0)
        return -1;
    if (str_eq_c(state, "same")) {
        api->counts[kind].unchanged++;
        return 0;
    }
    if (str_eq_c(state, "other") && conflict == LEGACY_FAIL) {
        err_set(e, ERR_CONFLICT, "conflict: %s \"%.*s\" differs from what is there; choose "
                                 "--on-conflict=keep or replace", kinds[kind].name,
                STR_ARG(val_get_text(item, kinds[kind].key, STR("?"))));
        return -1;
    }
    if (str_eq_c(state, "other") && conflict == LEGACY_KEEP) {
        api->counts[kind].kept++;
        return 0;
    }
    if (str_eq_c(state, "new"))
        api->counts[kind].added++;
    else
        api->counts[kind].replaced++;
    return db_exec(c, &stmts[kind][1], DB_ARGS(DB_STR(text)), NULL, e);
}

int legacy_api_write(struct legacy_api *api, struct db_conn *c, const struct cfg *current,
                     enum legacy_conflict conflict, struct legacy_plan *p, struct err *e)
{
    (void)current;
    for (size_t kind = 0; kind < LEGACY_KINDS; kind++) {
        if (db_begin(c, e) != 0)
            return -1;
        for (size_t i = 0; i < val_count(api->items[kind]); i++) {
            struct val item = val_at(api->items[kind], i);
            const char *why = unfit(kind, item);

            if (why != NULL)
                skip(api, p, kind, item, why);
            else if (write_one(api, c, kind, item, conflict, e) != 0) {
                err_context(e, "%s \"%.*s\"", kinds[kind].name,
                            STR_ARG(val_get_text(item, kinds[kind].key, STR("?"))));
                return -1;
            }
        }
        if (db_commit(c, e) != 0)
            return -1;
    }
    return 0;
}

void legacy_api_counts(const struct legacy_api *api, struct val counts)
{
    for (size_t i = 0; api->a != NULL && i < LEGACY_KINDS; i++)
        val_dict_set_c(counts, kinds[i].name, val_int(api->counts[i].added + api->counts[i].replaced));
}

void legacy_api_tell(const struct legacy_api *api)
{
    for (size_t i = 0; api->a != NULL && i < LEGACY_KINDS; i++)
        printf("%s: %zu read, %d added, %d replaced, %d kept, %d unchanged\n", kinds[i].name,
               val_count(api->items[i]), api->counts[i].added, api->counts[i].replaced,
               api->counts[i].kept, api->counts[i].unchanged);
}
