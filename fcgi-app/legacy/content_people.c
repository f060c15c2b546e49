/*
 * Profiles, roles, users and what belongs to users.
 */
#include "base/arena.h"
#include "legacy/content_int.h"

#define USER_OF "(SELECT id FROM users WHERE lower(username) = lower(" TEXT("username") "))"
#define LIST_OF(name) "ARRAY(SELECT json_array_elements_text(coalesce(" JSON(name) ", '[]')))"

/* The old spelling of INACTIVE is one of the documented ones. */
#define STATUS                                                                                     \
    "CASE WHEN upper(" TEXT("status") ") IN ('INATIVE', 'INACTIVE') THEN 'INACTIVE' "              \
    "WHEN upper(" TEXT("status") ") = 'REVOKED' THEN 'REVOKED' ELSE 'ACTIVE' END"

/* Only a hash in our own form is a password; nobody else's can be checked. */
#define HASH "(CASE WHEN " TEXT("password_hash") " LIKE '$argon2id$%' THEN " TEXT("password_hash") " END)"

static const char *profile_unfit(struct val item, struct arena *a)
{
    (void)a;
    return val_get_text(item, "name", STR("")).len == 0 ? "has no name" : NULL;
}

static const char *user_unfit(struct val item, struct arena *a)
{
    (void)a;
    return val_get_text(item, "username", STR("")).len == 0 ? "has no name" : NULL;
}

static void user_remarks(struct val item, void (*say)(void *ctx, const char *text), void *ctx)
{
    struct val token = val_get(item, "token");
    struct str hash = val_get_text(item, "password_hash", STR(""));

    if (val_count(val_get(item, "passkeys")) > 0)
        say(ctx, "passkeys cannot be exported; they have to be registered again");
    if (str_eq_c(val_get_text(item, "two_fa_option", STR("")), "totp"))
        say(ctx, "the secret of one-time passwords cannot be exported; it has to be set up again");
    if ((val_is(token, VAL_BOOL) && val_truth(token)) || (val_is(token, VAL_STR) && val_text(token).len > 0))
        say(ctx, "the token of programs does not come along; make a new one and give it to them");
    if (hash.len > 0 && !str_starts(hash, STR("$argon2id$")))
        say(ctx, "the form of the password is not known here; sluicectl passwd gives a new one");
}

const struct content_kind content_people[CONTENT_PEOPLE] = {
    {
        .word = "profiles",
        .name = "user profiles",
        .shown = {"name"},
        .state = {"legacy_profile_state",
                  "SELECT " STATE("p.id", "p.accesses = x.accesses AND p.api_rules::jsonb = x.rules AND "
                                  LIKE_OURS("p.home", "x.home") " AND p.available = x.available")
                  " FROM (SELECT " TEXT("name") " AS name, " TEXT("home") " AS home, " LIST_OF("accesses") " AS accesses, "
                  "coalesce(" JSON("api_rules") ", '[]')::jsonb AS rules, " FLAG("available", "true") " AS available) x "
                  "LEFT JOIN user_profiles p ON p.name = x.name", 1},
        .put = {"legacy_profile_put",
                "INSERT INTO user_profiles (name, home, available, accesses, api_rules) SELECT " TEXT("name") ", " TEXT("home") ", "
                FLAG("available", "true") ", " LIST_OF("accesses") ", coalesce(" JSON("api_rules") ", '[]') "
                "ON CONFLICT (name) DO UPDATE SET home = excluded.home, available = excluded.available, "
                "accesses = excluded.accesses, api_rules = excluded.api_rules, updated_on = now() RETURNING id", 1},
        .unfit = profile_unfit,
    },
    {
        .word = "roles",
        .name = "roles",
        .shown = {"name"},
        .state = {"legacy_role_state",
                  "SELECT " STATE("r.id", LIKE_OURS("r.description", "x.description")) " FROM (SELECT " TEXT("name")
                  " AS name, " TEXT("description") " AS description) x LEFT JOIN roles r ON r.name = x.name", 1},
        .put = {"legacy_role_put",
                "INSERT INTO roles (name, description) SELECT " TEXT("name") ", " TEXT("description")
                " ON CONFLICT (name) DO UPDATE SET description = excluded.description RETURNING id", 1},
        .unfit = profile_unfit,
    },
    {
        .word = "users",
        .name = "users",
        .shown = {"username"},
        .state = {"legacy_user_state",
                  "SELECT " STATE("u.id",
                      LIKE_OURS("u.email", TEXT("email")) " AND " LIKE_OURS("u.first_name", TEXT("first_name")) " AND "
                      LIKE_OURS("u.last_name", TEXT("last_name")) " AND " LIKE_OURS("u.mobile_number", TEXT("mobile_number")) " AND "
                      LIKE_OURS("p.name", "($1::json -> 'profile' ->> 'name')") " AND u.groups = x.groups AND "
                      "u.properties::jsonb = x.properties AND u.is_system = " FLAG("is_system", "false") " AND u.status = " STATUS)
                  " FROM (SELECT lower(" TEXT("username") ") AS name, " LIST_OF("groups") " AS groups, coalesce("
                  JSON("properties") ", '{}')::jsonb AS properties) x LEFT JOIN users u ON lower(u.username) = x.name "
                  "LEFT JOIN user_profiles p ON p.id = u.profile_id", 1},
        .put = {"legacy_user_put",
                "INSERT INTO users (username, email, first_name, last_name, mobile_number, status, is_system, local_user, "
                "language, ui_profile, ui_data, timezone, groups, properties, admin_of, entity, with_ip_limits, password_disabled, "
                "two_fa_option, need_password_change, password_hash, profile_id, registered_on) SELECT " TEXT("username") ", "
                TEXT("email") ", " TEXT("first_name") ", " TEXT("last_name") ", " TEXT("mobile_number") ", " STATUS ", "
                FLAG("is_system", "false") ", " FLAG("local_user", "true") ", coalesce(" TEXT("language") ", 'en'), "
                TEXT("ui_profile") ", coalesce(" JSON("ui_data") ", '{}'), nullif(" TEXT("timezone") ", ''), " LIST_OF("groups")
                ", coalesce(" JSON("properties") ", '{}'), coalesce(" JSON("admin_of") ", '[]'), nullif(" TEXT("entity") ", ''), "
                FLAG("with_ip_limits", "false") ", " FLAG("password_disabled", "false") ", CASE WHEN " TEXT("two_fa_option")
                " = 'email' THEN 'email' END, " HASH " IS NULL OR " FLAG("need_password_change", "false") ", " HASH
                ", (SELECT id FROM user_profiles WHERE name = $1::json -> 'profile' ->> 'name'), coalesce((" TEXT("registered_on")
                ")::timestamptz, now()) "
                "ON CONFLICT (lower(username)) DO UPDATE SET email = excluded.email, first_name = excluded.first_name, "
                "last_name = excluded.last_name, mobile_number = excluded.mobile_number, groups = excluded.groups, "
                "properties = excluded.properties, profile_id = excluded.profile_id, is_system = excluded.is_system, "
                "status = excluded.status, updated_on = now() RETURNING id", 1},
        .unfit = user_unfit,
        .remark = user_remarks,
    },
    {
        .word = "role_members",
        .name = "role members",
        .shown = {"username", "role"},
        .state = {"legacy_member_state",
                  "SELECT CASE WHEN EXISTS (SELECT FROM user_roles m JOIN roles r ON r.id = m.role_id WHERE r.name = "
                  TEXT("role") " AND m.user_id = " USER_OF ") THEN 'same' ELSE 'new' END", 1},
        .put = {"legacy_member_put",
                "INSERT INTO user_roles (user_id, role_id) SELECT u.id, r.id FROM users u, roles r WHERE lower(u.username) = lower("
                TEXT("username") ") AND r.name = " TEXT("role") " RETURNING user_id", 1},
    },
    {
        .word = "ip_limits",
        .name = "addresses of users",
        .shown = {"username", "ip"},
        .state = {"legacy_ip_state",
                  "SELECT CASE WHEN EXISTS (SELECT FROM user_ip_limits WHERE user_id = " USER_OF " AND ip = " TEXT("ip")
                  "::cidr) THEN 'same' ELSE 'new' END", 1},
        .put = {"legacy_ip_put",
                "INSERT INTO user_ip_limits (user_id, ip) SELECT id, " TEXT("ip") "::cidr FROM users WHERE lower(username) = lower("
                TEXT("username") ") RETURNING id", 1},
    },
    {
        .word = "callbacks",
        .name = "callbacks of users",
        .shown = {"username", "endpoint"},
        .state = {"legacy_callback_state",
                  "SELECT CASE WHEN EXISTS (SELECT FROM user_callbacks WHERE user_id = " USER_OF " AND endpoint = "
                  TEXT("endpoint") " AND event_category = " TEXT("event_category") " AND scope = " TEXT("scope")
                  ") THEN 'same' ELSE 'new' END", 1},
        .put = {"legacy_callback_put",
                "INSERT INTO user_callbacks (user_id, endpoint, event_category, scope) SELECT id, " TEXT("endpoint") ", "
                TEXT("event_category") ", " TEXT("scope") " FROM users WHERE lower(username) = lower(" TEXT("username")
                ") RETURNING id", 1},
        .seals = {{"endpoint_extra", "user_callbacks.endpoint_extra",
                   {"legacy_callback_extra", "UPDATE user_callbacks SET endpoint_extra = $2 WHERE id = $1", 2}}},
    },
};
