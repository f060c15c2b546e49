/*
 * Gateways and how they are: http-api.md 5.9.  Two generations of pages read the list, so each item
 * speaks both languages.
 */
#include "api/api.h"
#include "base/arena.h"
#include "base/json.h"
#include "gateway/health.h"

/* Proxies that run, "PREFIX GATEWAY" each: they say so every ten seconds (vitals.h). */
static const struct db_stmt stmt_mapped = {
    "api_gateways_mapped",
    "SELECT coalesce(json_agg(DISTINCT substr(subject, strpos(subject, ' ') + 1)), '[]')::text FROM vitals "
    "WHERE kind = 'mapping' AND seen_on > now() - interval '1 minute'",
    0,
};

static const struct db_stmt *const all[] = {&stmt_mapped};
const struct db_stmts api_gateways_stmts = {"api_gateways", all, COUNT_OF(all)};

static bool in_values(struct val proxies, struct str name)
{
    struct val key, value;

    for (size_t i = 0; i < val_count(proxies); i++) {
        if (val_is(proxies, VAL_DICT)) {
            if (!val_pair_at(proxies, i, &key, &value))
                continue;
        } else {
            value = val_at(proxies, i);
        }
        if (val_is(value, VAL_STR) && str_eq(val_text(value), name))
            return true;
    }
    return false;
}

/* Named by the mapping of a proxy, or by a sign-on that logs in there. */
static bool is_gateway(const struct api_call *c, struct val mapped, struct str name)
{
    struct val sso = val_get(c->cfg->doc, "SSO");

    if (in_values(mapped, name))
        return true;
    for (size_t i = 0; i < val_count(sso); i++) {
        struct val entry = val_at(sso, i);

        if (str_eq_c(val_text(val_get(entry, "protocol")), "broadsoft") &&
            in_values(val_path(entry, "parameters.proxies"), name))
            return true;
    }
    return false;
}

static struct val iso(int64_t us, struct arena *a)
{
    char text[CLOCK_ISO_MAX];

    clock_iso(us, text);
    return val_str_dup(a, str_c(text));
}

/* check: NULL as long as there is none of this URL. */
static struct val item(const struct api_call *c, const struct cfg_gateway *g, struct val mapped,
                       const struct gw_check *check)
{
    struct val v = val_dict_new(c->a, 13);
    bool gateway = is_gateway(c, mapped, g->name);

    val_dict_set_c(v, "name", val_str(g->name));
    val_dict_set_c(v, "url", val_str(g->url));
    val_dict_set_c(v, "summary", check != NULL ? val_str(check->summary) : VAL_STR_LIT(""));
    val_dict_set_c(v, "checked", val_bool(g->check));
    val_dict_set_c(v, "is_connected", val_bool(check != NULL && check->is_connected));
    val_dict_set_c(v, "is_healthy", val_bool(check != NULL && check->is_healthy));
    val_dict_set_c(v, "is_gateway", val_bool(gateway));
    val_dict_set_c(v, "gateway_status", check != NULL ? val_str(check->link) : VAL_STR_LIT(""));
    val_dict_set_c(v, "ts", check != NULL ? iso(check->ts_us, c->a) : val_null());
    if (check == NULL)
        return v;
    val_dict_set_c(v, "connected", val_bool(check->is_connected));
    val_dict_set_c(v, "active", val_bool(check->is_healthy));
    if (check->link.len > 0)
        val_dict_set_c(v, "gateway_connected", val_bool(str_eq_c(check->link, "inter-connected")));
    if (!check->is_healthy)
        val_dict_set_c(v, "error", val_str(check->summary));
    return v;
}

/* What the caller may provision: the entries his profile names, all of them for administrators. */
int provisioning_gateways(struct api_call *c, struct err *e)
{
    struct val entries = val_path(c->cfg->doc, "provisioning.gateways"), list = val_list_new(c->a, 2);

    (void)e;
    for (size_t i = 0; val_is(entries, VAL_LIST) && i < val_count(entries); i++) {
        struct val entry = val_at(entries, i), shown = val_dict_new(c->a, 2);
        struct str name = val_get_text(entry, "name", STR(""));
        const char *access = arena_printf(c->a, "provisioning.%.*s", STR_ARG(name));

        if (name.len == 0 || !(c->user->is_system || cfg_has_access(c->user->profile, access)))
            continue;
        val_dict_set_c(shown, "name", val_str(name));
        val_dict_set_c(shown, "prefix", val_str(val_get_text(entry, "prefix", STR(""))));
        val_list_add(list, shown);
    }
    c->result = val_dict_new(c->a, 1);
    val_dict_set_c(c->result, "gateways", list);
    return 0;
}

int gateways_list(struct api_call *c, struct err *e)
{
    struct val list = val_list_new(c->a, c->cfg->n_gateways);
    struct gw_check *checks = NULL;
    struct str text;
    struct val mapped;
    size_t n = 0;

    if (gw_status_get(c->conn, &checks, &n, c->a, e) != 0 ||
        db_text(c->conn, &stmt_mapped, DB_NO_ARGS, &text, c->a, e) != 0 || json_parse(text, &mapped, c->a, e) != 0)
        return -1;
    for (size_t i = 0; i < c->cfg->n_gateways; i++) {
        const struct cfg_gateway *g = &c->cfg->gateways[i];

        val_list_add(list, item(c, g, mapped, g->check ? gw_check_find(checks, n, g) : NULL));
    }
    c->result = val_dict_new(c->a, 1);
    val_dict_set_c(c->result, "gateways", list);
    return 0;
}
