/*
 * The configuration document and its history, its public part, the licence page (http-api.md 5.8,
 * 6).
 */
#include "api/user_view.h"
#include "base/json.h"
#include "template/zone.h"

static const struct db_stmt stmt_current = {
    "api_configuration_current",
    "SELECT id, content, " DB_ISO("created_on") " FROM configuration ORDER BY id DESC LIMIT 1", 0};
static const struct db_stmt stmt_version = {
    "api_configuration_version",
    "SELECT id, content, " DB_ISO("created_on") " FROM configuration WHERE id = $1", 1};
static const struct db_stmt stmt_history = {
    "api_configuration_history",
    "SELECT coalesce(json_agg(json_build_object('id', id, 'ts', " DB_ISO(
        "created_on") ") ORDER BY id DESC), '[]')::text "
                      "FROM configuration",
    0};
static const struct db_stmt stmt_lock = {"api_configuration_lock",
                                         "LOCK TABLE configuration IN SHARE ROW EXCLUSIVE MODE", 0};
static const struct db_stmt stmt_last_id = {"api_configuration_last_id",
                                            "SELECT coalesce(max(id), 0) FROM configuration", 0};
static const struct db_stmt stmt_insert = {
    "api_configuration_insert",
    "INSERT INTO configuration (content, created_by) VALUES ($1, $2) RETURNING id", 2};

static const struct db_stmt *const all[] = {&stmt_current, &stmt_version, &stmt_history,
                                            &stmt_lock,    &stmt_last_id, &stmt_insert};
const struct db_stmts api_configuration_stmts = {"api_configuration", all, COUNT_OF(all)};

/* ---- public -------------------------------------------------------------------------------------
 */

static struct val public_password(struct api_call *c)
{
    struct val v = val_dict_new(c->a, 6);

    val_dict_set_c(v, "min_length", val_int(cfg_int(c->cfg, "password.min_length")));
    val_dict_set_c(v, "duplicate_limit", val_int(cfg_int(c->cfg, "password.duplicate_limit")));
    val_dict_set_c(v, "min_entropy", val_int(cfg_int(c->cfg, "password.min_entropy")));
    val_dict_set_c(v, "digits", val_bool(cfg_int(c->cfg, "password.digits") > 0));
    val_dict_set_c(v, "uppercase", val_bool(cfg_int(c->cfg, "password.uppercase") > 0));
    val_dict_set_c(v, "special_chars", val_bool(cfg_int(c->cfg, "password.special_chars") > 0));
    return v;
}

/* The members `names` of each item of a list that `wanted` lets through. */
static struct val pick(struct api_call *c, struct val list, const char *const names[2],
                       bool (*wanted)(struct val item))
{
    struct val out = val_list_new(c->a, val_count(list));

    for (size_t i = 0; val_is(list, VAL_LIST) && i < val_count(list); i++) {
        struct val item = val_at(list, i);
        struct val copy;

        if (!val_is(item, VAL_DICT) || !wanted(item))
            continue;
        copy = val_dict_new(c->a, 2);
        for (size_t k = 0; k < 2; k++)
            val_dict_set_c(copy, names[k],
                           val_str_dup(c->a, val_get_text(item, names[k], STR(""))));
        val_list_add(out, copy);
    }
    return out;
}

static bool on_login_page(struct val sso)
{
    return val_get_bool(sso, "enabled", false) && val_get_bool(sso, "show_login", false);
}

static bool any(struct val item)
{
    (void)item;
    return true;
}

static struct val public_gui(struct api_call *c)
{
    struct val gui = val_dict_new(c->a, 4);
    struct val webauthn = val_dict_new(c->a, 1);
    struct val modules = val_path(c->cfg->doc, "gui.modules");
    struct str label = cfg_text(c->cfg, "gui.label");

    val_dict_set_c(gui, "prod", val_bool(cfg_bool(c->cfg, "gui.prod")));
    if (label.len > 0)
        val_dict_set_c(gui, "label", val_str_dup(c->a, label));
    val_dict_set_c(gui, "modules",
                   val_is(modules, VAL_LIST) ? val_copy(modules, c->a) : val_list_new(c->a, 0));
    val_dict_set_c(webauthn, "enabled", val_bool(cfg_bool(c->cfg, "gui.webauthn.enabled")));
    val_dict_set_c(gui, "webauthn", webauthn);
    return gui;
}

int configuration_public_get(struct api_call *c, struct err *e)
{
    static const char *const sso_members[2] = {"name", "protocol"};
    static const char *const gateway_members[2] = {"name", "prefix"};
    struct val auth = val_dict_new(c->a, 1);
    struct val retention = val_dict_new(c->a, 1);

    (void)e;
    val_dict_set_c(auth, "SSO", pick(c, val_get(c->cfg->doc, "SSO"), sso_members, on_login_page));
    val_dict_set_c(retention, "trusted_locs", val_int(cfg_int(c->cfg, "retention.trusted_locs")));
    c->result = val_dict_new(c->a, 5);
    val_dict_set_c(c->result, "password", public_password(c));
    val_dict_set_c(c->result, "auth", auth);
    val_dict_set_c(c->result, "gui", public_gui(c));
    val_dict_set_c(c->result, "gateways",
                   pick(c, val_path(c->cfg->doc, "provisioning.gateways"), gateway_members, any));
    val_dict_set_c(c->result, "retention", retention);
    return 0;
}

/* ---- versions -----------------------------------------------------------------------------------
 */

static int may_read(const struct api_call *c, struct err *e)
{
    /* the workflow editor needs the names in it (http-api.md 4.1) */
    if (api_allowed(c->user, "settings.configuration", e) == 0 ||
        api_allowed(c->user, "orchestration", e) == 0) {
        err_clear(e);
        return 0;
    }
    return -1;
}

/* Raw output is for system users; others get the masked document whatever they ask. */
static bool wants_raw(const struct api_call *c)
{
    struct str r = http_req_param(c->req, "r");

    return c->user->is_system && str_eq_c(r, "true");
}

/* Fixed headers hold tokens of gateways (gateway-proxy.md 4): who only draws workflows needs the names of the rest. */
static void hide_headers(struct api_call *c, struct val content)
{
    struct val gateways = val_get(content, "gateways"), name, entry;
    struct err ignored = {0};

    if (api_allowed(c->user, "settings.configuration", &ignored) == 0 || !val_is(gateways, VAL_DICT))
        return;
    for (size_t i = 0; val_pair_at(gateways, i, &name, &entry); i++)
        if (val_is(entry, VAL_DICT))
            (void)val_dict_del(entry, val_str_c("headers"));
}

static int answer_version(struct api_call *c, const PGresult *res, struct err *e)
{
    struct val stored;
    struct val content;

    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such configuration version");
        return -1;
    }
    if (json_parse(db_str(res, 0, 1), &stored, c->a, e) != 0)
        return -1;
    if (!wants_raw(c))
        content = cfg_document_masked(stored, c->a);
    else if (cfg_document_open(c->cfg, stored, &content, c->a, e) != 0)
        return -1;
    c->result = val_dict_new(c->a, 4);
    val_dict_set_c(c->result, "config_id", val_int(db_int(res, 0, 0)));
    val_dict_set_c(c->result, "id", val_int(db_int(res, 0, 0)));
    content = cfg_document_complete(content, c->a);
    hide_headers(c, content);
    val_dict_set_c(c->result, "content", content);
    val_dict_set_c(c->result, "created_on", val_str(db_str(res, 0, 2)));
    return 0;
}

int configuration_get(struct api_call *c, struct err *e)
{
    PGresult *res = NULL;

    if (may_read(c, e) != 0 || db_query_in(c->conn, &stmt_current, DB_NO_ARGS, &res, c->a, e) != 0)
        return -1;
    return answer_version(c, res, e);
}

int configuration_version_get(struct api_call *c, struct err *e)
{
    PGresult *res = NULL;
    int64_t id;

    if (api_id(c, 0, "configuration version", &id, e) != 0 ||
        db_query_in(c->conn, &stmt_version, DB_ARGS(DB_INT(id)), &res, c->a, e) != 0)
        return -1;
    return answer_version(c, res, e);
}

int configuration_history_get(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_history, DB_NO_ARGS, "list", e);
}

int configuration_schema_get(struct api_call *c, struct err *e)
{
    (void)e;
    c->result = cfg_document_schema(c->a);
    return 0;
}

/* The snapshot of the version in force, under the lock: secrets that are kept must be those of the
 * last version, not of one this process has not read yet. */
static int newest_snapshot(struct api_call *c, const struct cfg **out, struct err *e)
{
    struct str text;
    int64_t last = 0;

    if (db_exec(c->conn, &stmt_lock, DB_NO_ARGS, NULL, e) != 0 ||
        db_text(c->conn, &stmt_last_id, DB_NO_ARGS, &text, c->a, e) != 0)
        return -1;
    if (str_to_int(text, &last) && last != c->cfg->config_id &&
        cfg_store_reload(c->api->cfg, e) != 0)
        return -1;
    *out = cfg_get(c->api->cfg);
    return 0;
}

static int store(struct api_call *c, int64_t *id, struct err *e)
{
    const struct cfg *now = NULL;
    struct val content;
    struct str text;
    int rc = -1;

    if (newest_snapshot(c, &now, e) != 0)
        goto out;
    if (cfg_document_accept(now, c->body, &content, c->a, e) != 0 || cfg_document_check_values(now, c->body, c->a, e) != 0)
        goto out;
    if (db_text(c->conn, &stmt_insert,
                DB_ARGS(DB_STR(json_text(content, c->a)), DB_STR(c->user->username)), &text, c->a,
                e) != 0 ||
        !str_to_int(text, id))
        goto out;
    rc = db_commit(c->conn, e);
out:
    cfg_put(now);
    return rc;
}

/* Schedules and templates would run by another clock than the one meant. */
static int check_zone(struct api_call *c, struct err *e)
{
    struct str zone = val_get_text(c->body, "timezone", STR(""));

    if (zone.len == 0 || zone_open(zone, c->a) != NULL)
        return 0;
    err_set(e, ERR_INVALID, "timezone: there is no time zone \"%.*s\"", STR_ARG(str_slice(zone, 0, 100)));
    return -1;
}

int configuration_put(struct api_call *c, struct err *e)
{
    int64_t id = 0;

    if (str_trim(c->req->body).len == 0) { /* elsewhere as good as {}, but here that would take everything away */
        err_set(e, ERR_INVALID, "the configuration document is missing");
        return -1;
    }
    if (check_zone(c, e) != 0)
        return -1;
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (store(c, &id, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    api_audit(c, "update", "Configuration", str_printf(c->a, "%lld", (long long)id));
    c->result = val_dict_new(c->a, 2);
    val_dict_set_c(c->result, "config_id", val_int(id));
    val_dict_set_c(c->result, "id", val_int(id));
    return 0;
}

/* ---- licence ------------------------------------------------------------------------------------
 */

/* There is nothing to licence: no end, no limits (valid_until must be absent, not null). */
int license_get(struct api_call *c, struct err *e)
{
    struct str label = cfg_text(c->cfg, "gui.label");

    (void)e;
    label = label.len > 0 ? str_dup(c->a, label) : STR("Sluice");
    c->result = val_dict_new(c->a, 5);
    val_dict_set_c(c->result, "customer_name", val_str(label));
    val_dict_set_c(c->result, "label", val_str(label));
    val_dict_set_c(c->result, "demo", val_bool(false));
    val_dict_set_c(c->result, "dev", val_bool(true));
    val_dict_set_c(c->result, "fields", val_dict_new(c->a, 0));
    return 0;
}

int license_refuse(struct api_call *c, struct err *e)
{
    (void)c;
    err_set(e, ERR_FORBIDDEN, "this platform needs no licence");
    return -1;
}
