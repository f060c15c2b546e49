/*
 * Requests: what came in over HTTP (http-api.md 5.14).
 */
#include "api/api.h"
#include "api/mass.h"
#include "api/search.h"
#include "api/trace_view.h"
#include "base/arena.h"
#include "base/json.h"

#define INSTANCE_ROW "i.id = r.instance_id AND i.created_on = r.instance_on"
#define WITHIN_TASKS                                                                               \
    "EXISTS (SELECT FROM tasks t WHERE t.instance_id = r.instance_id AND t.instance_on = r.instance_on AND %s)"
#define WITHIN_ACTIONS                                                                             \
    "EXISTS (SELECT FROM manual_actions m WHERE m.instance_id = r.instance_id AND %s)"
#define WITHIN_BULKS                                                                               \
    "EXISTS (SELECT FROM instances i JOIN bulks b ON b.id = i.bulk_id WHERE " INSTANCE_ROW " AND %s)"
#define WITHIN_INSTANCES "EXISTS (SELECT FROM instances i WHERE " INSTANCE_ROW " AND %s)"

static const struct search_field fields[] = {
    {"requests", "request_id", "r.id", 'i', NULL},
    {"requests", "instance_id", "r.instance_id", 'i', NULL},
    {"requests", "owner", "r.owner", 't', NULL},
    {"requests", "username", "r.owner", 't', NULL},
    {"requests", "status", "r.status", 't', NULL},
    {"requests", "label", "r.label", 't', NULL},
    {"requests", "created_on", "r.created_on", 'z', NULL},
    {"requests", "updated_on", "r.updated_on", 'z', NULL},
    {"requests", "request_url", "r.url", 't', NULL},
    {"requests", "request_method", "r.method", 'l', NULL},
    {"requests", "response_status", "r.response_status", 'i', NULL},
    {"requests", "tenant_id", "r.tenant_id", 't', NULL},
    {"requests", "tenant", "r.tenant_id", 't', NULL},
    {"requests", "site_id", "r.site_id", 't', NULL},
    {"requests", "numbers", "r.numbers", 't', NULL},
    {"requests", "subscription_id", "r.subscription_id", 't', NULL},
    {"requests", "distributor_id", "r.distributor_id", 't', NULL},
    {"requests", "reseller_id", "r.reseller_id", 't', NULL},
    {"requests", "group_id", "r.group_id", 't', NULL},
    {"requests", "user_id", "r.user_id", 'i', NULL},
    {"requests", "entity_type", "r.entity_type", 't', NULL},
    {"requests", "proxy_gateway_host", "r.proxy_gateway_host", 't', NULL},
    {"requests", "gateway", "r.gateway", 't', NULL},
    {"requests", "activity_id", "r.activity_id", 'i', NULL},
    {"instances", "activity_id", "r.activity_id", 'i', NULL},
    {"instances", "owner", "r.owner", 't', NULL},
    {"instances", "status", "r.instance_status", 't', NULL},
    {"instances", "kind", "i.kind", 't', WITHIN_INSTANCES},
    {"instances", "id", "r.instance_id", 'i', NULL},
    {"tasks", "status", "t.status", 't', WITHIN_TASKS},
    {"tasks", "cell_id", "t.cell_id", 't', WITHIN_TASKS},
    {"tasks", "output", "t.output", 't', WITHIN_TASKS},
    {"manual_actions", "role_id", "m.role_id", 'i', WITHIN_ACTIONS},
    {"manual_actions", "output", "m.output", 't', WITHIN_ACTIONS},
    {"bulks", "label", "b.label", 't', WITHIN_BULKS},
    {NULL, "cnt_tasks_in_error", "coalesce(i.cnt_tasks_in_error, 0)", 'i', WITHIN_INSTANCES},
    {NULL, "end_task_in_error", "coalesce(i.end_task_in_error, false)", 'b', WITHIN_INSTANCES},
    {NULL, "roles", "coalesce(i.roles, '')", 't', WITHIN_INSTANCES},
};

/* The gateway of this name or URL (a backup URL too, with or without its last slash); empty when there is none. */
static struct str gateway_of(const struct cfg *cfg, struct str host)
{
    while (host.len > 0 && host.p[host.len - 1] == '/')
        host.len--;
    for (size_t i = 0; i < cfg->n_gateways && host.len > 0; i++) {
        const struct cfg_gateway *g = &cfg->gateways[i];

        if (str_eq(g->name, host) || str_eq(g->url, host))
            return g->name;
        for (size_t k = 0; k < g->n_backup_urls; k++)
            if (str_eq(g->backup_urls[k], host))
                return g->name;
    }
    return STR("");
}

/*
 * The search box offers gateways where rows hold the prefix of a proxy (gateway-proxy.md 8): a gateway's name or URL stands for all
 * prefixes that ever led to it.
 */
static struct val hosts_to_gateways(struct api_call *c, struct val v)
{
    struct val value = val_get(v, "value"), out, names;

    if (!str_eq(val_get_text(v, "field", STR("")), STR("proxy_gateway_host")))
        return v;
    names = val_list_new(c->a, 1);
    for (size_t i = 0; val_is(value, VAL_LIST) && i < val_count(value); i++)
        val_list_add(names, val_str(gateway_of(c->cfg, val_text(val_at(value, i)))));
    if (val_is(value, VAL_STR))
        val_list_add(names, val_str(gateway_of(c->cfg, val_text(value))));
    if (val_count(names) == 0 || val_text(val_at(names, 0)).len == 0)
        return v;
    out = val_dict_new(c->a, 3);
    val_dict_set_c(out, "field", VAL_STR_LIT("gateway"));
    val_dict_set_c(out, "op", val_str(val_get_text(v, "op", STR("eq"))));
    val_dict_set_c(out, "value", val_is(value, VAL_LIST) ? names : val_at(names, 0));
    return out;
}

static const struct search_spec spec = {
    .model = "requests",
    .collection = "requests",
    .select = "json_build_object('request_id', r.id, 'instance_id', r.instance_id, 'activity_id', r.activity_id, 'status', "
              "r.status, 'instance_status', r.instance_status, 'username', r.owner, 'owner', r.owner, 'label', r.label, "
              "'tenant', r.tenant_id, 'tenant_id', r.tenant_id, 'site_id', r.site_id, 'numbers', r.numbers, "
              "'subscription_id', r.subscription_id, 'distributor_id', r.distributor_id, 'reseller_id', r.reseller_id, "
              "'group_id', r.group_id, 'entity_type', r.entity_type, 'method', r.method, 'url', r.url, "
              "'response_status', r.response_status, 'proxy_gateway_host', r.proxy_gateway_host, 'gateway', r.gateway, "
              "'runtime_ms', r.runtime_ms, "
              "'created_on', " DB_ISO("r.created_on") ", 'updated_on', " DB_ISO("coalesce(r.updated_on, r.created_on)") ")",
    .from = "requests r",
    .count_from = "requests r",
    .where = "true",
    .order = "r.created_on DESC, r.id DESC",
    .tie = "r.id DESC",
    .estimate = "requests",
    .fields = fields,
    .n_fields = COUNT_OF(fields),
    .translate = hosts_to_gateways,
};

static const struct db_stmt stmt_get = {
    "api_request_get",
    "SELECT json_build_object('request_id', r.id, 'instance_id', r.instance_id, 'status', r.status, 'owner', r.owner, "
    "'username', r.owner, 'label', r.label, 'entity_type', r.entity_type, 'event_id', r.event_id, 'proxy_gateway_host', "
    "r.proxy_gateway_host, 'gateway', r.gateway, 'activity_id', r.activity_id, 'response_status', r.response_status, "
    "'tenant_id', r.tenant_id, 'site_id', r.site_id, 'numbers', r.numbers, 'runtime_ms', r.runtime_ms, "
    "'created_on', " DB_ISO("r.created_on") ", 'updated_on', " DB_ISO("coalesce(r.updated_on, r.created_on)") ")::text, "
    "r.details::text, r.response::text, r.owner, r.proxy_gateway_host, r.gateway FROM requests r "
    "WHERE r.id = $1 AND r.created_on >= id_from('request', $1) AND r.created_on < id_to('request', $1)",
    1,
};

static const struct db_stmt stmt_put = {
    "api_request_put",
    "UPDATE requests SET status = $2, updated_on = now() "
    "WHERE id = $1 AND created_on >= id_from('request', $1) AND created_on < id_to('request', $1) RETURNING instance_id",
    2,
};

/* Those of its instance too; they stand in the partition of the instance, which is made a moment later. */
static const struct db_stmt stmt_traces = {
    "api_request_traces",
    "SELECT json_build_object('traces', coalesce(json_agg(" TRACE_OBJECT " ORDER BY t.id), '[]'))::text FROM traces t "
    "WHERE t.request_id = $1 AND t.instance_on >= id_from('request', $1) "
    "AND t.instance_on < id_to('request', $1) + interval '1 hour'",
    1,
};

/* A forwarded call is its own trace: the row says where it went (gateway-proxy.md 8). */
static const struct db_stmt stmt_forwarded = {
    "api_request_forwarded",
    "SELECT json_build_object('traces', json_build_array(json_build_object('id', r.id, 'processing_trace_id', r.id, 'task_id', NULL, "
    "'label', r.gateway, 'status', coalesce(r.response_status, 0)::text, 'session_holder', r.gateway, 'host', "
    "split_part(r.details->>'gateway_url', '/', 3), 'http_method', upper(r.method), 'http_url', r.details->>'gateway_url', "
    "'input', coalesce(r.details->>'body', ''), 'output', coalesce(r.response->>'body', ''), "
    "'external_id', coalesce(r.response #>> '{body,_record_internal_id}', r.response #>> '{body,_internal_record_id}'), "
    "'request_id', r.id, 'cache_hit', false, 'created_on', " DB_ISO("r.created_on") ", 'updated_on', "
    DB_ISO("coalesce(r.updated_on, r.created_on)") ")))::text FROM requests r "
    "WHERE r.id = $1 AND r.created_on >= id_from('request', $1) AND r.created_on < id_to('request', $1) "
    "AND r.instance_id IS NULL AND r.gateway IS NOT NULL",
    1,
};

static const struct db_stmt *const all[] = {&stmt_get, &stmt_put, &stmt_traces, &stmt_forwarded};
const struct db_stmts api_requests_stmts = {"api_requests", all, COUNT_OF(all)};

enum { MASS_MAX = 10000, CLOSE_PER_SECOND = 1000, CLOSE_WAIT_MS = 10000 };

/* Who may not see what others asked for is shown his own. */
static const struct db_arg *own_only(struct api_call *c, struct db_arg *arg)
{
    if (c->user->is_system || cfg_has_access(c->user->profile, "requests.others_requests"))
        return NULL;
    *arg = DB_INT(c->user->id);
    return arg;
}

/* ---- what a profile limits searches to (http-api.md 4.1) ------------------------------------------------- */

#define ON "requests.on."

/* Is this access one of requests.on.<name>?  *places gets what its rows hold: prefixes of the provisioning entry of that name, and
 * the name itself, which may be a gateway's. */
static bool limits_to(const struct api_call *c, struct str access, struct val places)
{
    struct val list = val_get(val_get(c->cfg->doc, "provisioning"), "gateways");
    struct str name;

    if (!str_starts(access, STR(ON)))
        return false;
    name = str_slice(access, sizeof ON - 1, access.len);
    val_list_add(places, val_str(name));
    for (size_t i = 0; val_is(list, VAL_LIST) && i < val_count(list); i++) {
        struct str prefix = val_get_text(val_at(list, i), "prefix", STR(""));

        if (!str_eq(val_get_text(val_at(list, i), "name", STR("")), name))
            continue;
        while (prefix.len > 0 && prefix.p[prefix.len - 1] == '/')
            prefix.len--;
        val_list_add(places, val_str(prefix));
    }
    return true;
}

/* Prefixes and gateways whose requests the caller may see; false: all. */
static bool only_on(const struct api_call *c, struct val *places)
{
    const struct cfg_profile *p = c->user->is_system ? NULL : c->user->profile;
    bool limited = false;

    *places = val_list_new(c->a, 4);
    for (size_t i = 0; p != NULL && i < p->n_accesses; i++)
        limited |= limits_to(c, p->accesses[i], *places);
    return limited;
}

/* The tenant and group the caller answers for; false: no such limit.  Both empty: for nothing. */
static bool only_responsible(const struct api_call *c, struct str *tenant, struct str *group)
{
    if (c->user->is_system || !cfg_has_access(c->user->profile, "requests.responsible_for"))
        return false;
    *tenant = val_get_text(c->user->properties, "bsft_tenant_id", STR(""));
    *group = val_get_text(c->user->properties, "bsft_group_id", STR(""));
    return true;
}

static int and_equal(struct search *s, const char *column, struct str value, struct err *e)
{
    size_t n;

    if (value.len == 0)
        return 0;
    if (search_arg(s, DB_STR(value), &n, e) != 0)
        return -1;
    buf_addf(&s->where, " AND %s = $%zu", column, n);
    return 0;
}

static int limit(struct api_call *c, struct search *s, struct err *e)
{
    struct str tenant, group;
    struct val places;
    size_t n;

    if (only_on(c, &places)) {
        if (search_arg(s, DB_STR(json_text(places, c->a)), &n, e) != 0)
            return -1;
        buf_addf(&s->where,
                 " AND (r.proxy_gateway_host IN (SELECT json_array_elements_text($%zu::json)) OR r.gateway IN (SELECT "
                 "json_array_elements_text($%zu::json)))",
                 n, n);
    }
    if (!only_responsible(c, &tenant, &group))
        return 0;
    if (tenant.len == 0 && group.len == 0)
        buf_add_c(&s->where, " AND false");
    return and_equal(s, "r.tenant_id", tenant, e) != 0 || and_equal(s, "r.site_id", group, e) != 0 ? -1 : 0;
}

/* The same for one request. */
static bool within_limits(const struct api_call *c, struct val request, struct str host, struct str gateway)
{
    struct str tenant, group;
    struct val places;
    bool found = !only_on(c, &places);

    for (size_t i = 0; !found && i < val_count(places); i++)
        found = str_eq(val_text(val_at(places, i)), host) || str_eq(val_text(val_at(places, i)), gateway);
    if (!found || !only_responsible(c, &tenant, &group))
        return found;
    return (tenant.len > 0 || group.len > 0) &&
           (tenant.len == 0 || str_eq(val_get_text(request, "tenant_id", STR("")), tenant)) &&
           (group.len == 0 || str_eq(val_get_text(request, "site_id", STR("")), group));
}

int requests_search_read(struct api_call *c, struct search *s, struct err *e)
{
    struct db_arg *arg = ARENA_NEW(c->a, struct db_arg);
    const struct db_arg *own = own_only(c, arg);

    if (search_read(c, &spec, own != NULL ? "r.user_id = $1" : NULL, own, s, e) != 0)
        return -1;
    return limit(c, s, e);
}

int requests_search(struct api_call *c, struct err *e)
{
    struct search s;

    if (requests_search_read(c, &s, e) != 0)
        return -1;
    if (str_eq(http_req_param(c->req, "as"), STR("csv")))
        return search_csv(c, &s, "requests.csv",
                          "request_id,created_on,updated_on,status,instance_id,instance_status,activity_id,username,label,method,"
                          "url,response_status,proxy_gateway_host,tenant_id,site_id,numbers",
                          e);
    return search_answer(c, &s, e);
}

int requests_count(struct api_call *c, struct err *e)
{
    struct search s;
    int64_t n;

    if (requests_search_read(c, &s, e) != 0 || search_count(c, &s, &n, e) != 0)
        return -1;
    api_answer_id(c, "total_count", n);
    return 0;
}

static int find(struct api_call *c, int64_t *id, struct val *out, struct err *e)
{
    struct val details, response;
    struct db_arg arg;
    PGresult *res = NULL;

    if (api_id(c, 0, "request", id, e) != 0 || db_query_in(c->conn, &stmt_get, DB_ARGS(DB_INT(*id)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such request");
        return -1;
    }
    if (json_parse_kept(db_str(res, 0, 0), out, c->a, e) != 0 || json_parse_kept(db_str(res, 0, 1), &details, c->a, e) != 0)
        return -1;
    if ((own_only(c, &arg) != NULL && !str_eq(db_str(res, 0, 3), c->user->username)) ||
        !within_limits(c, *out, db_str(res, 0, 4), db_str(res, 0, 5))) {
        err_set(e, ERR_FORBIDDEN, "not allowed");
        return -1;
    }
    if (!db_is_null(res, 0, 2)) {
        if (json_parse_kept(db_str(res, 0, 2), &response, c->a, e) != 0)
            return -1;
        val_dict_set_c(details, "response", response);
    }
    val_dict_set_c(*out, "details", details);
    return 0;
}

int request_get(struct api_call *c, struct err *e)
{
    struct val request;
    int64_t id;

    if (find(c, &id, &request, e) != 0)
        return -1;
    c->result = val_dict_new(c->a, 1);
    val_dict_set_c(c->result, "request", request);
    /* "as=csv" is labelled "as JSON" where it is offered, and a plain navigation wants a download too */
    if (http_req_param(c->req, "as").len > 0 || http_req_param(c->req, "auth_token").len > 0)
        api_download(c, arena_printf(c->a, "request-%lld.json", (long long)id), "application/json",
                     json_text(request, c->a));
    return 0;
}

int request_traces(struct api_call *c, struct err *e)
{
    struct val request;
    int64_t id;

    if (find(c, &id, &request, e) != 0)
        return -1;
    if (api_answer_query(c, &stmt_forwarded, DB_ARGS(DB_INT(id)), "request", e) != 0) {
        if (e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        if (api_answer_query(c, &stmt_traces, DB_ARGS(DB_INT(id)), "request", e) != 0)
            return -1;
    }
    return traces_with_details(c, e);
}

/* A new status; close=1 also ends the instance. */
static int set_status(struct api_call *c, int64_t id, struct str status, bool close, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c->conn, &stmt_put, DB_ARGS(DB_INT(id), DB_STR(status)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such request");
        return -1;
    }
    if (!close || db_is_null(res, 0, 0))
        return 0;
    if (engine_set_status(c->api->engine, db_int(res, 0, 0), STR("CLOSED_IN_ERROR"), c->user, e) != 0 &&
        e->code != ERR_CONFLICT)
        return -1;
    return 0;
}

int request_put(struct api_call *c, struct err *e)
{
    bool close = str_eq(http_req_param(c->req, "close"), STR("1"));
    struct val request;
    struct str status;
    int64_t id;

    if (find(c, &id, &request, e) != 0 || api_body_need(c, "status", 100, &status, e) != 0 ||
        set_status(c, id, status, close, e) != 0)
        return -1;
    api_audit(c, "update", "requests", c->params[0]);
    api_answer_id(c, "id", id);
    return 0;
}

static int must_filter(const struct search *s, struct err *e)
{
    if (s->filtered)
        return 0;
    err_set(e, ERR_INVALID, "filter: needed, so that not everything is changed by mistake");
    return -1;
}

/* Requests that have no instance, or one that is closed already: only their own status. */
static int close_alone(struct api_call *c, struct search *s, int64_t *n, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_sql(c->conn,
                     arena_printf(c->a,
                                  "WITH u AS (UPDATE requests SET status = 'ERROR', updated_on = now() FROM (SELECT r.id, "
                                  "r.created_on FROM requests r WHERE %s AND r.instance_status IS DISTINCT FROM 'ACTIVE' "
                                  "LIMIT %d) f WHERE requests.id = f.id AND requests.created_on = f.created_on RETURNING 1) "
                                  "SELECT count(*) FROM u",
                                  buf_cstr(&s->where), MASS_MAX),
                     s->args, s->n_args, &res, c->a, e) != 0)
        return -1;
    *n = db_int(res, 0, 0);
    return 0;
}

/* The same status for every request the filter finds. */
static int set_many(struct api_call *c, struct str status, struct err *e)
{
    struct search s;
    struct val rows;
    int64_t done = 0;

    if (requests_search_read(c, &s, e) != 0 || must_filter(&s, e) != 0)
        return -1;
    if (search_rows(c, &s, MASS_MAX, &rows, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(rows); i++) {
        if (set_status(c, val_get_int(val_at(rows, i), "request_id", 0), status, false, e) != 0)
            return -1;
        done++;
    }
    api_audit(c, "update", "requests", str_printf(c->a, "%lld requests", (long long)done));
    api_answer_id(c, "updated", done);
    return 0;
}

/* The interface loads its list again afterwards: what takes longer than a moment goes on behind the answer. */
int requests_close(struct api_call *c, struct err *e)
{
    struct mass_made made;
    struct search s;
    int64_t alone;

    if (requests_search_read(c, &s, e) != 0 || must_filter(&s, e) != 0)
        return -1;
    buf_add_c(&s.where, " AND (r.status = 'ACTIVE' OR r.instance_status = 'ACTIVE')");
    if (close_alone(c, &s, &alone, e) != 0)
        return -1;
    buf_add_c(&s.where, " AND r.instance_status = 'ACTIVE'");
    if (mass_of_search(c, &(struct engine_mass){.act = STR("close"), .per_second = CLOSE_PER_SECOND, .who = c->user}, &s,
                       &made, e) != 0 ||
        mass_wait(c, &made, CLOSE_WAIT_MS, e) != 0)
        return -1;
    api_audit(c, "close", "requests", str_printf(c->a, "%lld requests", (long long)(made.total + alone)));
    api_answer_id(c, "updated", made.done + alone);
    if (made.total > 0)
        val_dict_set_c(c->result, "operation_id", val_int(made.id));
    val_dict_set_c(c->result, "failed", val_int(made.failed));
    return 0;
}

int requests_put(struct api_call *c, struct err *e)
{
    struct str status;

    if (api_body_need(c, "status", 100, &status, e) != 0)
        return -1;
    return set_many(c, status, e);
}

/* ---- instances without request (scheduled jobs, bulk) ------------------------------------------------- */

static const struct search_field custom_fields[] = {
    {"instances", "instance_id", "i.id", 'i', NULL},
    {"requests", "instance_id", "i.id", 'i', NULL},
    {"instances", "id", "i.id", 'i', NULL},
    {"instances", "status", "i.status", 't', NULL},
    {"instances", "created_on", "i.created_on", 'z', NULL},
    {"instances", "updated_on", "i.updated_on", 'z', NULL},
    {"instances", "activity_id", "i.activity_id", 'i', NULL},
    {"instances", "label", "i.label", 't', NULL},
    {"instances", "kind", "i.kind", 't', NULL},
    {"instances", "user", "i.owner", 't', NULL},
    {"instances", "owner", "i.owner", 't', NULL},
    {"tasks", "status", "t.status", 't',
     "EXISTS (SELECT FROM tasks t WHERE t.instance_id = i.id AND t.instance_on = i.created_on AND %s)"},
    {"tasks", "cell_id", "t.cell_id", 't',
     "EXISTS (SELECT FROM tasks t WHERE t.instance_id = i.id AND t.instance_on = i.created_on AND %s)"},
    {NULL, "cnt_tasks_in_error", "i.cnt_tasks_in_error", 'i', NULL},
    {NULL, "end_task_in_error", "i.end_task_in_error", 'b', NULL},
    {NULL, "roles", "i.roles", 't', NULL},
};

static const struct search_spec custom_spec = {
    .model = "instances",
    .collection = "instances",
    .select = "json_build_object('instance_id', i.id, 'id', i.id, 'guid', i.guid, 'activity_id', i.activity_id, 'status', i.status, "
              "'label', i.label, 'owner', i.owner, 'errors', i.cnt_tasks_in_error, 'created_on', " DB_ISO("i.created_on") ", "
              "'updated_on', " DB_ISO("coalesce(i.updated_on, i.created_on)") ")",
    .from = "instances i",
    .count_from = "instances i",
    .where = "i.original_request_id IS NULL AND i.parent_instance_id IS NULL",
    .order = "i.created_on DESC, i.id DESC",
    .tie = "i.id DESC",
    .fields = custom_fields,
    .n_fields = COUNT_OF(custom_fields),
};

int custom_instances_search(struct api_call *c, struct err *e)
{
    struct search s;

    if (search_read(c, &custom_spec, NULL, NULL, &s, e) != 0)
        return -1;
    if (str_eq(http_req_param(c->req, "as"), STR("csv")))
        return search_csv(c, &s, "scheduled-jobs.csv", "instance_id,guid,activity_id,status,label,created_on,updated_on", e);
    return search_answer(c, &s, e);
}
