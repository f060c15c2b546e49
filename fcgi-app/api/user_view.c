/*
 * Reading and writing the user object.
 */
#include "api/user_view.h"

#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "gateway/logins.h"

#define LIST_OF(row, from, order)                                                                  \
    "(SELECT coalesce(json_agg(" row " ORDER BY " order "), '[]') FROM " from ")"

static const struct db_stmt
    stmt_view =
        {
            "user_view",
            "SELECT json_build_object('id', u.id, 'username', u.username, 'email', "
            "coalesce(u.email, ''), "
            "'first_name', coalesce(u.first_name, ''), 'last_name', coalesce(u.last_name, ''), "
            "'mobile_number', coalesce(u.mobile_number, ''), 'is_system', u.is_system, "
            "'ui_profile', coalesce(u.ui_profile, ''), "
            "'ui_data', u.ui_data, 'groups', u.groups, 'language', u.language, 'timezone', "
            "coalesce(u.timezone, ''), "
            "'registered_on', " DB_ISO("u.registered_on") ", 'created_on', " DB_ISO(
                "u.created_on") ", 'updated_on', " DB_ISO("u.updated_on") ", 'local_user', "
                                                                          "u.local_user, "
                                                                          "'need_password_change', "
                                                                          "u.need_password_change, "
                                                                          "'password_disabled', "
                                                                          "u.password_disabled, "
                                                                          "'status', CASE u.status "
                                                                          "WHEN 'INACTIVE' THEN "
                                                                          "'INATIVE' ELSE u.status "
                                                                          "END, 'profile_id', "
                                                                          "u.profile_id, "
                                                                          "'profile', "
                                                                          "json_build_object('name'"
                                                                          ", coalesce(p.name, ''), "
                                                                          "'home', p.home, "
                                                                          "'accesses', "
                                                                          "coalesce(p.accesses, "
                                                                          "'{}'))), "
                                                                          "json_build_object('"
                                                                          "properties', "
                                                                          "u.properties, "
                                                                          "'admin_of', u.admin_of, "
                                                                          "'entity', u.entity, "
                                                                          "'two_fa_option', "
                                                                          "coalesce(u.two_fa_"
                                                                          "option, 'none'), "
                                                                          "'with_ip_limits', "
                                                                          "u.with_ip_limits, "
                                                                          "'last_use', " DB_ISO("u."
                                                                                                "la"
                                                                                                "st"
                                                                                                "_u"
                                                                                                "s"
                                                                                                "e") ", 'token_expiry_date', " DB_ISO(
                                                                              "u.token_expiry_date") ", 'roles', " LIST_OF("json_build_object('id', r.id, 'name', r.name, 'created_on', " DB_ISO("r.created_on") ")", "user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id", "r.name") ", 'passkeys', " LIST_OF("json_build_object('id', k.id, 'credential_id', k.credential_id, 'name', k.name, 'credential_object', "
                                                                                                                                                                                                                                                                                                                                    "k.credential_object::text, 'created_on', " DB_ISO("k.created_on") ", 'last_use', " DB_ISO(
                                                                                                                                                                                                                                                                                                                                        "k.last_use") ")",
                                                                                                                                                                                                                                                                                                                                    "passkeys k WHERE k.user_id = u.id", "k.id") ", 'trusted_locs', " LIST_OF("json_build_object('id', t.id, 'user_id', t.user_id, 'ip', t.ip::text, 'user_agent', t.user_agent, 'expiry_date', " DB_ISO("t.expiry_date") ", 'trusted', t.trusted, 'last_use', " DB_ISO("t.last_use") ", 'created_on', " DB_ISO("t.created_on") ")", "trusted_locations t WHERE t.user_id = u.id", "t.id") ", 'login_attempts', " LIST_OF("json_build_object('id', a.id, 'user_id', a.user_id, 'ip', a.ip::text, 'user_agent', a.user_agent, 'success', "
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "a.success, 'created_at', " DB_ISO(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              "a.created_at") ", 'failure_reason', a.failure_reason, 'deletegated_to', "
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              "a.delegated_to)",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "(SELECT * FROM login_attempts WHERE user_id = u.id ORDER BY id DESC LIMIT $2) a", "a.id DESC") ", 'ip_limits', " LIST_OF("json_build_object('id', l.id, 'ip', l.ip::text, 'created_at', " DB_ISO("l.created_at") ")",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "user_ip_limits l WHERE l.user_id = u.id",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "l.id") "), u.token_sealed, u.entity IS NOT NULL, coalesce(u.identity_provider, '') FROM users u LEFT JOIN user_profiles p ON p.id = u.profile_id WHERE u.id = $1",
            2,
};

static const struct db_stmt stmt_token_expiry = {
    "user_token_expiry",
    "UPDATE users SET token_expiry_date = $2::timestamptz WHERE id = $1 AND token_hash IS NOT NULL",
    2,
};

static const struct db_stmt *const all[] = {&stmt_view, &stmt_token_expiry};
const struct db_stmts user_view_stmts = {"user_view", all, COUNT_OF(all)};

void user_told(struct api_call *c)
{
    if (c->api->users_changed != NULL)
        c->api->users_changed(c->api->users_changed_arg);
}

/* Two objects, since a function of PostgreSQL takes a hundred arguments at most. */
static int join_objects(struct api_call *c, const PGresult *res, struct val *out, struct err *e)
{
    struct val more;
    struct val key;
    struct val value;

    if (json_parse(db_str(res, 0, 0), out, c->a, e) != 0 ||
        json_parse(db_str(res, 0, 1), &more, c->a, e) != 0)
        return -1;
    for (size_t i = 0; val_pair_at(more, i, &key, &value); i++)
        val_dict_set(*out, key, value);
    return 0;
}

/* Passwords of ours, and of the gateways people sign in on. */
static bool can_reset(const struct api_call *c, struct val view, struct str provider)
{
    struct gw_entry entry;

    return val_get_bool(view, "local_user", false) ||
           (gw_entry_find(c->cfg, STR(""), &entry) && str_eq(entry.name, provider));
}

int user_view(struct api_call *c, int64_t id, int64_t attempts, bool show_token, struct val *out,
              struct err *e)
{
    PGresult *res = NULL;
    struct val modules = val_path(c->cfg->doc, "gui.modules");
    struct str token = STR("");
    struct err why = {0};

    if (db_query_in(c->conn, &stmt_view, DB_ARGS(DB_INT(id), DB_INT(attempts)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such user");
        return -1;
    }
    if (join_objects(c, res, out, e) != 0)
        return -1;
    val_dict_set_c(*out, "support_reset_password", val_bool(can_reset(c, *out, db_str(res, 0, 4))));
    if (show_token || (db_bool(res, 0, 3) && (c->user->is_system || !val_get_bool(*out, "is_system", false)))) {
        if (auth_m2m_show(c->cfg, id, db_str(res, 0, 2), &token, c->a, &why) != 0)
            log_err(LOG_ERROR_LEVEL, "users.token", &why);
        val_dict_set_c(*out, "token", val_str(token));
    } else {
        val_dict_set_c(*out, "token", val_bool(!db_is_null(res, 0, 2)));
    }
    val_dict_set_c(*out, "modules",
                   val_is(modules, VAL_LIST) ? val_copy(modules, c->a) : val_list_new(c->a, 0));
    return 0;
}

/* ---- writing
 * -------------------------------------------------------------------------------------- */

static const struct member {
    const char *name;
    const char *type;  /* text, boolean, integer, json object (o), areas (l), texts (a) */
    const char *value; /* %s: the parameter */
    size_t min, max;   /* characters of a text */
    unsigned who;
    bool nullable;
} members[] = {
    {"username", "text", "%s", 4, 255, USER_ADMIN | USER_NEW, false},
    {"email", "text", "%s", 0, 255, USER_ADMIN | USER_NEW, true},
    {"first_name", "text", "%s", 0, 255, USER_ADMIN | USER_NEW, true},
    {"last_name", "text", "%s", 0, 255, USER_ADMIN | USER_NEW, true},
    {"mobile_number", "text", "%s", 0, 50, USER_ADMIN | USER_NEW, true},
    {"language", "text", "%s", 1, 20, USER_SELF | USER_ADMIN | USER_NEW, false},
    {"timezone", "text", "%s", 0, 64, USER_SELF | USER_ADMIN | USER_NEW, true},
    {"ui_profile", "text", "%s", 0, 64, USER_ADMIN | USER_NEW, true},
    {"entity", "text", "nullif(%s, '')", 0, 255, USER_NEW, true},
    {"status", "text", "CASE upper(%s) WHEN 'INATIVE' THEN 'INACTIVE' ELSE upper(%s) END", 1, 20,
     USER_ADMIN | USER_NEW, false},
    {"is_system", "boolean", "%s", 0, 0, USER_ADMIN | USER_NEW, false},
    {"password_disabled", "boolean", "%s", 0, 0, USER_ADMIN | USER_NEW, false},
    {"need_password_change", "boolean", "%s", 0, 0, USER_ADMIN | USER_NEW, false},
    {"with_ip_limits", "boolean", "%s", 0, 0, USER_ADMIN | USER_NEW, false},
    {"profile_id", "integer", "%s", 0, 0, USER_ADMIN | USER_NEW, true},
    {"ui_data", "o", "%s::json", 0, 0, USER_SELF | USER_ADMIN | USER_NEW, false},
    {"properties", "o", "%s::json", 0, 0, USER_ADMIN | USER_NEW, false},
    {"admin_of", "l", "%s::json", 0, 0, USER_ADMIN | USER_NEW, false},
    {"groups", "a", "ARRAY(SELECT json_array_elements_text(%s::json))", 0, 0, USER_ADMIN | USER_NEW,
     false},
};

static int wrong(const struct member *m, const char *wanted, struct err *e)
{
    err_set(e, ERR_INVALID, "%s: expected %s", m->name, wanted);
    return -1;
}

/* Names and addresses become headers of mails and lines of logs. */
static bool one_line(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

static int text_arg(const struct member *m, struct val v, struct db_arg *out, struct err *e)
{
    size_t chars;

    if (!val_is(v, VAL_STR))
        return wrong(m, "text", e);
    chars = utf8_len(val_text(v));
    if (chars < m->min || chars > m->max) {
        err_set(e, ERR_INVALID, "%s: expected %zu to %zu characters", m->name, m->min, m->max);
        return -1;
    }
    if (!one_line(val_text(v)))
        return wrong(m, "no control characters", e);
    if (strcmp(m->name, "status") == 0) {
        static const char *const known[] = {"ACTIVE", "INATIVE", "INACTIVE", "REVOKED"};
        bool good = false;

        for (size_t i = 0; i < COUNT_OF(known); i++)
            good = good || str_ieq(val_text(v), str_c(known[i]));
        if (!good)
            return wrong(m, "ACTIVE, INATIVE or REVOKED", e);
    }
    *out = DB_STR(val_text(v));
    return 0;
}

static bool all_texts(struct val list)
{
    for (size_t i = 0; i < val_count(list); i++)
        if (!val_is(val_at(list, i), VAL_STR))
            return false;
    return true;
}

/* What somebody administers: {level, reference} (http-api.md 5.4). */
static bool all_areas(struct val list)
{
    static const char *const levels[] = {"system", "group", "distributor", "reseller", "tenant"};

    for (size_t i = 0; i < val_count(list); i++) {
        struct str level = val_get_text(val_at(list, i), "level", STR(""));
        struct val reference = val_get(val_at(list, i), "reference");
        bool known = false;

        for (size_t k = 0; k < COUNT_OF(levels); k++)
            known = known || str_eq_c(level, levels[k]);
        if (!known || !(val_is_none(reference) || val_is(reference, VAL_STR)))
            return false;
    }
    return true;
}

/* The parameter for a member; null where it may be. */
static int member_arg(struct api_call *c, const struct member *m, struct val v, struct db_arg *out,
                      struct err *e)
{
    int64_t n;

    *out = DB_NULL;
    if (val_is_none(v) || (m->type[0] == 'i' && val_is(v, VAL_STR) && val_text(v).len == 0))
        return m->nullable ? 0 : wrong(m, "a value, not null", e);
    switch (m->type[0]) {
    case 't':
        return text_arg(m, v, out, e);
    case 'b':
        if (!val_is(v, VAL_BOOL))
            return wrong(m, "true or false", e);
        *out = DB_BOOL(v.u.b);
        return 0;
    case 'i':
        if (!val_is(v, VAL_INT) && !(val_is(v, VAL_STR) && str_to_int(val_text(v), &n)))
            return wrong(m, "an integer", e);
        *out = DB_INT(val_is(v, VAL_INT) ? v.u.i : n);
        return 0;
    case 'o':
        if (!val_is(v, VAL_DICT))
            return wrong(m, "an object", e);
        break;
    default:
        if (!val_is(v, VAL_LIST) || (m->type[0] == 'a' && !all_texts(v)))
            return wrong(m, m->type[0] == 'a' ? "a list of texts" : "a list", e);
        if (m->type[0] == 'l' && !all_areas(v))
            return wrong(m, "a list of {level, reference}", e);
        break;
    }
    *out = DB_STR(json_text(v, c->a));
    return 0;
}

static void add_value(struct buf *out, const char *pattern, size_t n)
{
    for (; *pattern != '\0'; pattern++) {
        if (pattern[0] == '%' && pattern[1] == 's') {
            buf_addf(out, "$%zu", n);
            pattern++;
        } else {
            buf_putc(out, *pattern);
        }
    }
}

static const char *cast_of(const struct member *m)
{
    return m->type[0] == 'b' ? "::boolean" : m->type[0] == 'i' ? "::integer" : "";
}

int user_sets_read(struct api_call *c, enum user_who who, struct user_sets *s, struct err *e)
{
    buf_init(&s->columns, 8 * KIB, c->a);
    buf_init(&s->values, 8 * KIB, c->a);
    buf_init(&s->assigns, 8 * KIB, c->a);
    if (!val_is(c->body, VAL_DICT)) {
        err_set(e, ERR_INVALID, "request body: expected an object");
        return -1;
    }
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const struct member *m = &members[i];

        if ((m->who & (unsigned)who) == 0 || !api_body_has(c, m->name))
            continue;
        if (who == USER_NEW && val_is_none(val_get(c->body, m->name)))
            continue; /* the column's default */
        if (member_arg(c, m, val_get(c->body, m->name), &s->args[s->n], e) != 0)
            return -1;
        s->n++;
        buf_addf(&s->columns, "%s%s", s->columns.len > 0 ? ", " : "", m->name);
        if (s->values.len > 0)
            buf_add_c(&s->values, ", ");
        buf_addf(&s->assigns, "%s%s = ", s->assigns.len > 0 ? ", " : "", m->name);
        add_value(&s->values, m->value, s->n);
        add_value(&s->assigns, m->value, s->n);
        buf_add_c(&s->values, cast_of(m));
        buf_add_c(&s->assigns, cast_of(m));
    }
    return 0;
}

int user_sets_store(struct api_call *c, const struct user_sets *s, struct err *e)
{
    PGresult *res = NULL;
    struct str sql;

    if (s->n <= 1)
        return 0;
    sql = str_printf(c->a, "UPDATE users SET %.*s, updated_on = now() WHERE id = $1",
                     STR_ARG(buf_str(&s->assigns)));
    return db_query_sql(c->conn, sql.p, s->args, s->n, &res, c->a, e);
}

int user_token_write(struct api_call *c, int64_t id, struct err *e)
{
    struct val token = val_get(c->body, "token");
    struct str expiry = STR_NONE;
    struct str made;

    if (val_is(token, VAL_BOOL) && token.u.b) {
        if (auth_m2m_new(c->api->auth, c->cfg, c->conn, id, 0, &made, c->a, e) != 0)
            return -1;
    } else if (val_is(token, VAL_NULL) || (val_is(token, VAL_BOOL) && !token.u.b)) {
        if (auth_m2m_drop(c->api->auth, c->conn, id, e) != 0)
            return -1;
    }
    if (!api_body_has(c, "token_expiry_date"))
        return 0;
    if (api_body_text(c, "token_expiry_date", 40, &expiry, e) != 0)
        return -1;
    if (expiry.len == 0)
        expiry = STR_NONE;
    if (db_exec(c->conn, &stmt_token_expiry, DB_ARGS(DB_INT(id), DB_STR_OR_NULL(expiry)), NULL,
                e) == 0)
        return 0;
    if (e->code == ERR_INVALID)
        err_set(e, ERR_INVALID, "token_expiry_date: expected a time such as 2026-01-31T00:00:00Z");
    return -1;
}
