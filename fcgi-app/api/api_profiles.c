/*
 * User profiles: accesses and api_rules (http-api.md 4, 5.7).
 */
#include "api/user_view.h"
#include "base/json.h"
#include "format/csv.h"
#include "http/url.h"

static const struct db_stmt stmt_list = {
    "api_profiles_list",
    "SELECT json_build_object('profiles', coalesce(json_agg(json_build_object('id', id, 'name', "
    "name, 'home', home, "
    "'available', available) ORDER BY name), '[]'))::text FROM user_profiles",
    0};
static const struct db_stmt stmt_get = {
    "api_profile_get",
    "SELECT json_build_object('id', id, 'name', name, 'available', available, 'home', home, "
    "'accesses', accesses, "
    "'api_rules', api_rules)::text FROM user_profiles WHERE id = $1",
    1};
static const struct db_stmt stmt_insert = {
    "api_profile_insert",
    "INSERT INTO user_profiles (name, available, home, accesses, api_rules) VALUES ($1, $2, $3, "
    "ARRAY(SELECT json_array_elements_text($4::json)), $5) RETURNING id",
    5};
static const struct db_stmt stmt_update = {
    "api_profile_update",
    "UPDATE user_profiles SET name = coalesce($2, name), available = coalesce($3, available), "
    "home = CASE WHEN $4 THEN $5 ELSE home END, accesses = CASE WHEN $6::json IS NULL THEN "
    "accesses "
    "ELSE ARRAY(SELECT json_array_elements_text($6::json)) END, api_rules = coalesce($7, "
    "api_rules), updated_on = now() "
    "WHERE id = $1 RETURNING name",
    7};
static const struct db_stmt stmt_delete = {
    "api_profile_delete", "DELETE FROM user_profiles WHERE id = $1 RETURNING name", 1};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_get, &stmt_insert, &stmt_update,
                                            &stmt_delete};
const struct db_stmts api_profiles_stmts = {"api_profiles", all, COUNT_OF(all)};

#define TARGET "user profile"

struct profile {
    struct str name, home;
    bool available, has_available, has_home;
    struct str accesses, rules; /* JSON texts; .p NULL: not sent */
};

static int read_accesses(struct api_call *c, struct profile *p, struct err *e)
{
    struct val list = val_get(c->body, "accesses");
    bool good = val_is(list, VAL_LIST);

    if (val_is_none(list))
        return 0;
    for (size_t i = 0; good && i < val_count(list); i++)
        good = val_is(val_at(list, i), VAL_STR);
    if (!good) {
        err_set(e, ERR_INVALID, "accesses: expected a list of texts");
        return -1;
    }
    p->accesses = json_text(list, c->a);
    return 0;
}

static bool known_method(struct str m)
{
    static const char *const names[] = {"get", "post", "put", "delete", "patch", "any", "*"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_ieq(m, str_c(names[i])))
            return true;
    return false;
}

static int rule_fault(size_t i, const char *why, struct err *e)
{
    err_set(e, ERR_INVALID, "api_rules.%zu: %s", i, why);
    return -1;
}

/* Rules are stored with method, url, allowed and name only, methods in lower case. */
static int read_rules(struct api_call *c, struct profile *p, struct err *e)
{
    struct val list = val_get(c->body, "api_rules");
    struct val out;

    if (val_is_none(list))
        return 0;
    if (!val_is(list, VAL_LIST)) {
        err_set(e, ERR_INVALID, "api_rules: expected a list");
        return -1;
    }
    out = val_list_new(c->a, val_count(list));
    for (size_t i = 0; i < val_count(list); i++) {
        struct val rule = val_at(list, i);
        struct str method = str_trim(val_get_text(rule, "method", STR("")));
        struct str url = str_trim(val_get_text(rule, "url", STR("")));
        struct val stored = val_dict_new(c->a, 4);

        if (!known_method(method))
            return rule_fault(i, "method: expected get, post, put, delete or any", e);
        if (url.len == 0 || (url.p[0] != '/' && url.p[0] != '*'))
            return rule_fault(i, "url: expected a path such as /api/v01/p1/*", e);
        if (!val_is(val_get(rule, "allowed"), VAL_BOOL))
            return rule_fault(i, "allowed: expected true or false", e);
        val_dict_set_c(stored, "method", val_str(str_lower(c->a, method)));
        val_dict_set_c(stored, "url", val_str(url));
        val_dict_set_c(stored, "allowed", val_get(rule, "allowed"));
        val_dict_set_c(stored, "name", val_str(val_get_text(rule, "name", STR(""))));
        val_list_add(out, stored);
    }
    p->rules = json_text(out, c->a);
    return 0;
}

static int read_profile(struct api_call *c, struct profile *p, struct err *e)
{
    *p = (struct profile){.available = true};
    p->has_available = val_is(val_get(c->body, "available"), VAL_BOOL);
    p->has_home = api_body_has(c, "home");
    if (api_body_text(c, "name", 255, &p->name, e) != 0 ||
        api_body_bool(c, "available", &p->available, e) != 0 ||
        api_body_text(c, "home", 1000, &p->home, e) != 0 || read_accesses(c, p, e) != 0 ||
        read_rules(c, p, e) != 0)
        return -1;
    if (p->home.len == 0)
        p->home = STR_NONE;
    if (p->name.p != NULL && p->name.len == 0) {
        err_set(e, ERR_INVALID, "name: must not be empty");
        return -1;
    }
    return 0;
}

static int in_words(struct str name, struct err *e)
{
    if (e->code == ERR_CONFLICT)
        err_set(e, ERR_CONFLICT, "a profile named \"%.*s\" exists", STR_ARG(name));
    else if (e->code == ERR_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "no such profile");
    return -1;
}

int profiles_list(struct api_call *c, struct err *e)
{
    return api_answer_query(c, &stmt_list, DB_NO_ARGS, "list", e);
}

int profiles_create(struct api_call *c, struct err *e)
{
    struct profile p;
    struct str id;
    int64_t n = 0;

    if (read_profile(c, &p, e) != 0 || api_body_need(c, "name", 255, &p.name, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_insert,
                DB_ARGS(DB_STR(p.name), DB_BOOL(p.available), DB_STR_OR_NULL(p.home),
                        DB_STR(p.accesses.p != NULL ? p.accesses : STR("[]")),
                        DB_STR(p.rules.p != NULL ? p.rules : STR("[]"))),
                &id, c->a, e) != 0)
        return in_words(p.name, e);
    if (!str_to_int(id, &n))
        return -1;
    api_audit(c, "create", TARGET, p.name);
    api_answer_id(c, "id", n);
    return 0;
}

static void answer_csv(struct api_call *c, struct val rules)
{
    struct buf out;

    buf_init(&out, 16 * MIB, c->a);
    buf_add_c(&out, "method,url,allowed,name\n");
    for (size_t i = 0; i < val_count(rules); i++) {
        struct val r = val_at(rules, i);

        csv_add_cell(&out, val_get_text(r, "method", STR("")));
        buf_putc(&out, ',');
        csv_add_cell(&out, val_get_text(r, "url", STR("")));
        buf_add_c(&out, val_get_bool(r, "allowed", false) ? ",true," : ",false,");
        csv_add_cell(&out, val_get_text(r, "name", STR("")));
        buf_putc(&out, '\n');
    }
    api_download(c, "rules.csv", "text/csv", buf_str(&out));
}

int profile_get(struct api_call *c, struct err *e)
{
    struct val profile;
    struct val key;
    struct val value;
    int64_t id;

    if (api_id(c, 0, "profile", &id, e) != 0 ||
        api_answer_query(c, &stmt_get, DB_ARGS(DB_INT(id)), "profile", e) != 0 ||
        json_parse(c->text, &profile, c->a, e) != 0)
        return -1;
    c->text = STR_NONE;
    if (str_eq_c(http_req_param(c->req, "as"), "csv")) {
        answer_csv(c, val_get(profile, "api_rules"));
        return 0;
    }
    c->result = val_dict_new(c->a, 8);
    val_dict_set_c(c->result, "profile", profile);
    for (size_t i = 0; val_pair_at(profile, i, &key, &value); i++)
        val_dict_set(c->result, key, value);
    return 0;
}

int profile_put(struct api_call *c, struct err *e)
{
    struct profile p;
    struct str name;
    int64_t id;

    if (api_id(c, 0, "profile", &id, e) != 0 || read_profile(c, &p, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_update,
                DB_ARGS(DB_INT(id), DB_STR_OR_NULL(p.name),
                        p.has_available ? DB_BOOL(p.available) : DB_NULL, DB_BOOL(p.has_home),
                        DB_STR_OR_NULL(p.home), DB_STR_OR_NULL(p.accesses),
                        DB_STR_OR_NULL(p.rules)),
                &name, c->a, e) != 0)
        return in_words(p.name, e);
    api_audit(c, "update", TARGET, name);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

int profile_delete(struct api_call *c, struct err *e)
{
    struct str name;
    int64_t id;

    if (api_id(c, 0, "profile", &id, e) != 0)
        return -1;
    if (db_text(c->conn, &stmt_delete, DB_ARGS(DB_INT(id)), &name, c->a, e) != 0) {
        if (e->code != ERR_CONFLICT)
            return in_words(STR(""), e);
        err_set(e, ERR_CONFLICT, "users have this profile");
        return -1;
    }
    api_audit(c, "delete", TARGET, name);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

static bool open_whole(const struct api_call *c, const struct cfg_profile *p, struct str prefix, struct str path)
{
    static const enum http_method methods[] = {HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE};
    struct err ignored = {0};

    path = str_printf(c->a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(path));
    if (url_canonical_path(path, &path, c->a, &ignored) != 0) /* no request has it */
        return false;
    for (size_t k = 0; k < COUNT_OF(methods); k++)
        if (cfg_rules_allow(p, methods[k], path))
            return true;
    return false;
}

/* "/api/v01/p1" of "/api/v01/p1/tenants/..."; empty for other paths. */
static struct str prefix_of(struct str url)
{
    const struct str base = STR("/api/v01/");
    ptrdiff_t slash = str_starts(url, base) ? str_find_char(str_slice(url, base.len, url.len), '/') : -1;

    return slash > 0 ? str_slice(url, 0, base.len + (size_t)slash) : STR("");
}

static bool open_behind(const struct api_call *c, const struct cfg_profile *p, struct str prefix, struct str path)
{
    return prefix.len > 0 && open_whole(c, p, prefix, path);
}

/* Is a path open by any method?  `path` may be a whole one or what stands behind the prefix of a proxy (http-api.md 4.2). */
static bool open_path(const struct api_call *c, const struct cfg_profile *p, struct str path)
{
    struct val entries = val_path(c->cfg->doc, "provisioning.gateways");

    if (open_whole(c, p, STR(""), path))
        return true;
    if (str_starts(path, STR("/api/v01/")))
        return false;
    for (size_t i = 0; i < p->n_rules; i++)
        if (open_behind(c, p, prefix_of(p->rules[i].url), path))
            return true;
    for (size_t i = 0; val_is(entries, VAL_LIST) && i < val_count(entries); i++)
        if (open_behind(c, p, val_get_text(val_at(entries, i), "prefix", STR("")), path))
            return true;
    return false;
}

int profile_check_path(struct api_call *c, struct err *e)
{
    const struct cfg_profile *p;
    struct str path = http_req_param(c->req, "p");
    int64_t id;

    if (api_id(c, 0, "profile", &id, e) != 0)
        return -1;
    p = cfg_profile(c->cfg, id);
    if (p == NULL) {
        err_set(e, ERR_NOT_FOUND, "no such profile");
        return -1;
    }
    c->result = val_dict_new(c->a, 1);
    val_dict_set_c(c->result, "valid", val_bool(path.len > 0 && open_path(c, p, path)));
    return 0;
}
