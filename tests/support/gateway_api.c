/*
 * The stand-in gateway's resources: collections with list, create, read, change and delete, and a
 * few of their own kind.
 */
#include "support/gateway_int.h"

#include "base/json.h"
#include "http/url.h"

enum { MIN_PASSWORD = 6 };

static const struct resource {
    const char *pattern; /* '*' stands for one segment */
    const char *list;    /* member of the list answer */
    const char *id;      /* member that names an item */
} resources[] = {
    {"tenants", "tenants", "tenantId"},
    {"tenants/*/admins", "admins", "userId"},
    {"tenants/*/groups", "groups", "groupId"},
    {"tenants/*/groups/*/admins", "admins", "userId"},
    {"tenants/*/groups/*/users", "users", "userId"},
    {"tenants/*/groups/*/access_devices", "access_devices", "deviceName"},
    {"tenants/*/groups/*/services/trunk_groups", "trunks", "name"},
    {"tenants/*/number_inventory/entitlements", "entitlements", "id"},
    {"local/resellers", "resellers", "name"},
    {"local/resellers/*/admins", "admins", "username"},
    {"configs/applications/*", "applicationKeys", "key"}, /* before the next, whose items it would be */
    {"configs/applications", "applications", "key"},
    {"configs/templates/categories", "categories", "name"},
    {"configs/templates/categories/*/templates", "templates", "name"},
    {"system/services/call_recording/platforms", "callRecordingPlatforms", "name"},
};

bool gw_is_method(const struct gw_call *c, const char *method)
{
    return str_eq_c(c->r->method, method);
}

bool gw_path_is(const struct gw_call *c, const char *pattern)
{
    struct str rest = str_c(pattern);
    size_t i = 0;

    for (; rest.len > 0; i++) {
        struct str part = str_cut(&rest, '/');

        if (i == c->n || (!str_eq_c(part, "*") && !str_eq(part, c->segments[i])))
            return false;
    }
    return i == c->n;
}

struct str gw_joined(const struct gw_call *c, size_t n)
{
    struct buf b;

    buf_init(&b, 16 * KIB, c->r->a);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(&b, '/');
        buf_add_str(&b, c->segments[i]);
    }
    return buf_str(&b);
}

void gw_not_found(struct gw_call *c)
{
    gw_error(c->out, 404, 404, "no such object", c->r->a);
}

bool gw_parents_exist(struct gw_call *c, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct str collection = gw_joined(c, i);

        if ((str_eq_c(c->segments[i - 1], "tenants") || str_eq_c(c->segments[i - 1], "groups")) &&
            val_is_undef(gw_store_get(c->g, collection, c->segments[i], c->r->a)))
            return false;
    }
    return true;
}

struct val gw_merged(struct val base, struct val change, struct arena *a)
{
    struct val out = val_dict_new(a, val_count(base) + val_count(change));
    struct val key, value;

    for (size_t i = 0; val_pair_at(base, i, &key, &value); i++)
        val_dict_set(out, key, value);
    for (size_t i = 0; val_pair_at(change, i, &key, &value); i++)
        val_dict_set(out, key, value);
    (void)val_dict_del(out, VAL_STR_LIT("password")); /* goes in, never comes out */
    return out;
}

/* ---- collections
 * ------------------------------------------------------------------------------------------- */

/* What pages read of every item, whatever came when it was made. */
static struct val completed(struct gw_call *c, struct str collection, struct val item)
{
    static const char *const texts[] = {"firstName", "lastName", "phoneNumber", "extension"};
    struct arena *a = c->r->a;

    if (str_ends(collection, STR("/groups"))) {
        struct str users = str_printf(a, "%.*s/%.*s/users", STR_ARG(collection), STR_ARG(val_get_text(item, "groupId", STR(""))));

        val_dict_set_c(item, "tenantId", val_str(c->segments[1]));
        val_dict_set_c(item, "userCount", val_int((int64_t)val_count(gw_store_list(c->g, users, a))));
    } else if (str_ends(collection, STR("/users"))) {
        for (size_t i = 0; i < COUNT_OF(texts); i++)
            if (val_is_undef(val_get(item, texts[i])))
                val_dict_set_c(item, texts[i], VAL_STR_LIT(""));
        if (val_is_undef(val_get(item, "inTrunkGroup")))
            val_dict_set_c(item, "inTrunkGroup", val_bool(val_is(val_get(item, "trunkEndpoint"), VAL_DICT)));
    }
    return item;
}

static void list_items(struct gw_call *c, const struct resource *res, struct str collection)
{
    struct val all = gw_store_list(c->g, collection, c->r->a);
    struct val out = val_list_new(c->r->a, val_count(all));
    const char *reseller = c->account->reseller;

    for (size_t i = 0; i < val_count(all); i++) {
        struct val item = val_at(all, i);

        if (c->n == 1 && reseller != NULL &&
            !str_eq_c(val_get_text(item, "resellerId", STR("")), reseller))
            continue;
        val_list_add(out, completed(c, collection, item));
    }
    val_dict_set_c(c->out->body, res->list, out);
}

static struct val password_rules(struct arena *a)
{
    struct val v = val_dict_new(a, 5);

    val_dict_set_c(v, "minLength", val_int(MIN_PASSWORD));
    val_dict_set_c(v, "minDigits", val_int(1));
    val_dict_set_c(v, "minUpperCaseLetters", val_int(0));
    val_dict_set_c(v, "minLowerCaseLetters", val_int(0));
    val_dict_set_c(v, "minNonAlphanumericCharacters", val_int(0));
    return v;
}

/* Its own rules for a password that comes along; the answer is made when it breaks them. */
static bool password_fits(struct gw_call *c)
{
    struct val password = val_get(c->body, "password");
    struct str text = val_text(password);
    bool digit = false;

    if (val_is_undef(password) || c->n < 3) /* no person */
        return true;
    for (size_t i = 0; i < text.len; i++)
        digit = digit || (text.p[i] >= '0' && text.p[i] <= '9');
    if (text.len >= MIN_PASSWORD && digit)
        return true;
    gw_error(c->out, 400, 4, "the password does not fit the rules", c->r->a);
    return false;
}

static void create_item(struct gw_call *c, const struct resource *res, struct str collection)
{
    struct str id = val_get_text(c->body, res->id, STR(""));

    if (id.len == 0 && str_eq_c(str_c(res->id), "id")) { /* the gateway's own numbering */
        id = str_printf(c->r->a, "%zu", val_count(gw_store_list(c->g, collection, c->r->a)) + 1);
        val_dict_set_c(c->body, "id", val_str(id));
    }
    if (id.len == 0) {
        gw_error(c->out, 400, 4, arena_printf(c->r->a, "\"%s\" is missing", res->id), c->r->a);
        return;
    }
    if (!val_is_undef(gw_store_get(c->g, collection, id, c->r->a))) {
        gw_error(c->out, 400, 11, "already exists", c->r->a);
        return;
    }
    if (!password_fits(c))
        return;
    c->out->body = gw_merged(c->out->body, c->body, c->r->a);
    gw_store_put(c->g, collection, id, c->out->body);
    gw_password_set(c, id);
    c->out->status = 201;
}

static void serve_collection(struct gw_call *c, const struct resource *res)
{
    struct str collection = gw_joined(c, c->n);

    if (!gw_parents_exist(c, c->n))
        gw_not_found(c);
    else if (gw_is_method(c, "GET"))
        list_items(c, res, collection);
    else if (gw_is_method(c, "POST"))
        create_item(c, res, collection);
    else
        gw_error(c->out, 406, 406, "method not supported here", c->r->a);
}

static void serve_item(struct gw_call *c)
{
    struct str collection = gw_joined(c, c->n - 1);
    struct str id = c->segments[c->n - 1];
    struct val item = gw_store_get(c->g, collection, id, c->r->a);

    if (val_is_undef(item)) {
        gw_not_found(c);
    } else if (gw_is_method(c, "GET")) {
        c->out->body = completed(c, collection, item);
    } else if (gw_is_method(c, "PUT")) {
        if (!password_fits(c))
            return;
        c->out->body = gw_merged(item, c->body, c->r->a);
        gw_store_put(c->g, collection, id, c->out->body);
        gw_password_set(c, id);
    } else if (gw_is_method(c, "DELETE")) {
        (void)gw_store_delete(c->g, collection, id);
        gw_password_drop(c->g, id);
    } else {
        gw_error(c->out, 406, 406, "method not supported here", c->r->a);
    }
}

static bool serve_resource(struct gw_call *c)
{
    for (size_t i = 0; i < COUNT_OF(resources); i++) {
        const char *pattern = resources[i].pattern;

        if (gw_path_is(c, pattern)) {
            serve_collection(c, &resources[i]);
            return true;
        }
        if (gw_path_is(c, arena_printf(c->r->a, "%s/*", pattern))) {
            serve_item(c);
            return true;
        }
    }
    return false;
}

/* ---- numbers
 * ---------------------------------------------------------------------------------------------------
 */

static void list_numbers(struct gw_call *c, struct str collection)
{
    struct val all = gw_store_list(c->g, collection, c->r->a);
    struct val assigned = val_list_new(c->r->a, 16);
    struct val available = val_list_new(c->r->a, 16);
    bool of_tenant = c->n == 3;

    for (size_t i = 0; i < val_count(all); i++) {
        struct val item = val_at(all, i);
        struct str holder = val_get_text(item, of_tenant ? "assignedToGroup" : "userId", STR(""));

        if (holder.len > 0 || of_tenant)
            val_list_add(assigned, item);
        if (holder.len == 0)
            val_list_add(available, of_tenant ? item : val_get(item, "phoneNumber"));
    }
    if (str_find(c->r->query, STR("available=true")) >= 0)
        val_dict_set_c(c->out->body, of_tenant ? "available_phoneNumbers" : "available_numbers",
                       available);
    else
        val_dict_set_c(c->out->body, of_tenant ? "assignement_phoneNumbers" : "assigned_numbers",
                       assigned);
}

static struct val number_result(struct str number, const char *status, const char *message,
                                struct arena *a)
{
    struct val v = val_dict_new(a, 4);

    val_dict_set_c(v, "phoneNumber", val_str(number));
    val_dict_set_c(v, "status", val_str_c(status));
    if (message != NULL)
        val_dict_set_c(v, "message", val_str_c(message));
    return v;
}

/* A group's numbers are its tenant's, lent to it; false when the tenant has no such number and none is to be made. */
static bool lend(struct gw_call *c, struct str collection, struct str number, bool add)
{
    struct str numbers = str_printf(c->r->a, "tenants/%.*s/numbers", STR_ARG(c->segments[1]));
    struct val item;

    if (c->n < 5 || !str_ends(collection, STR("/numbers")))
        return true;
    item = gw_store_get(c->g, numbers, number, c->r->a);
    if (val_is_undef(item) && add) {
        if (!val_get_bool(c->body, "auto_create", false))
            return false;
        item = val_dict_new(c->r->a, 3);
        val_dict_set_c(item, "phoneNumber", val_str(number));
    }
    if (!val_is_undef(item)) {
        val_dict_set_c(item, "assignedToGroup", val_str(add ? c->segments[3] : STR("")));
        val_dict_set_c(item, "canBeDeleted", val_bool(!add));
        gw_store_put(c->g, numbers, number, item);
    }
    return true;
}

struct val gw_change_number(struct gw_call *c, struct str collection, struct val item, bool add)
{
    struct str number = val_get_text(item, "phoneNumber", STR(""));
    bool known = !val_is_undef(gw_store_get(c->g, collection, number, c->r->a));
    struct val v;

    if (number.len == 0 || number.p[0] != '+')
        return number_result(number, "rejected", "not a number", c->r->a);
    if (add && known)
        return number_result(number, "rejected", "already exists", c->r->a);
    if (!lend(c, collection, number, add))
        return number_result(number, "rejected", "not a number of the tenant", c->r->a);
    if (!add) {
        (void)gw_store_delete(c->g, collection, number);
        return number_result(number, known ? "deleted" : "rejected",
                             known ? NULL : "no such number", c->r->a);
    }
    v = val_dict_new(c->r->a, 4);
    val_dict_set_c(v, "phoneNumber", val_str(number));
    val_dict_set_c(v, "canBeDeleted", val_bool(true));
    gw_store_put(c->g, collection, number, v);
    return number_result(number, "added", NULL, c->r->a);
}

void gw_numbers(struct gw_call *c, struct str collection)
{
    struct val numbers = val_get(c->body, "numbers");
    struct val result = val_list_new(c->r->a, val_count(numbers));
    bool all_rejected = val_count(numbers) > 0;

    if (!gw_parents_exist(c, c->n)) {
        gw_not_found(c);
        return;
    }
    if (gw_is_method(c, "GET")) {
        list_numbers(c, collection);
        return;
    }
    for (size_t i = 0; i < val_count(numbers); i++) {
        struct val one = gw_change_number(c, collection, val_at(numbers, i), gw_is_method(c, "POST"));

        all_rejected = all_rejected && str_eq_c(val_get_text(one, "status", STR("")), "rejected");
        val_list_add(result, one);
    }
    /* A page takes a 400 with results as partial success (gateway-proxy.md 7). */
    c->out->status = all_rejected ? 400 : 200;
    val_dict_set_c(c->out->body, "result", result);
}

/* ---- the rest
 * ------------------------------------------------------------------------------------------------------
 */

static void tenant_trunks(struct gw_call *c)
{
    struct str prefix = str_printf(c->r->a, "tenants/%.*s/", STR_ARG(c->segments[1]));
    struct val all = gw_store_all(c->g, STR("/services/trunk_groups"), c->r->a);
    struct val out = val_list_new(c->r->a, 16);

    for (size_t i = 0; i < val_count(all); i++) {
        if (str_starts(val_text(val_at(val_at(all, i), 1)), prefix))
            val_list_add(out, val_at(val_at(all, i), 0));
    }
    val_dict_set_c(c->out->body, "tenantTrunks", out);
}

static void delete_tenant_trunk(struct gw_call *c)
{
    struct str prefix = str_printf(c->r->a, "tenants/%.*s/", STR_ARG(c->segments[1]));
    struct val all = gw_store_all(c->g, STR("/services/trunk_groups"), c->r->a);

    for (size_t i = 0; i < val_count(all); i++) {
        struct str collection = val_text(val_at(val_at(all, i), 1));

        if (str_starts(collection, prefix) && gw_store_delete(c->g, collection, c->segments[c->n - 1]))
            return;
    }
    gw_not_found(c);
}

static void read_record(struct gw_call *c)
{
    struct val v = gw_audit_find(c->g, c->segments[2], c->r->a);

    if (val_is_undef(v))
        gw_not_found(c);
    else
        c->out->body = v;
}

static void serve(struct gw_call *c)
{
    if (gw_path_is(c, "tenants/*/numbers") || gw_path_is(c, "tenants/*/groups/*/numbers"))
        gw_numbers(c, gw_joined(c, c->n));
    else if (gw_path_is(c, "tenants/*/services/trunk_groups") && gw_is_method(c, "GET"))
        tenant_trunks(c);
    else if ((gw_path_is(c, "tenants/*/password_rules") || gw_path_is(c, "tenants/*/groups/*/password_rules")) && gw_is_method(c, "GET"))
        c->out->body = password_rules(c->r->a);
    else if (gw_path_is(c, "local/audit_records/*") && gw_is_method(c, "GET"))
        read_record(c);
    else if (gw_path_is(c, "configs/applications/*/config") && gw_is_method(c, "GET"))
        val_dict_set_c(c->out->body, "data", VAL_STR_LIT("{\"modules\":{}}"));
    else if (gw_path_is(c, "tenants/*/services/trunk_groups/*") && gw_is_method(c, "DELETE"))
        delete_tenant_trunk(c);
    else if (!gw_page(c) && !serve_resource(c))
        gw_error(c->out, 404, 404, "no such end point", c->r->a);
}

/* What the vendor's own pages ask before they delete: deleteNonEmpty=0. */
static bool must_be_empty(struct gw_call *c)
{
    struct str below = str_printf(c->r->a, "%.*s/", STR_ARG(gw_joined(c, c->n)));
    bool group = c->n == 4;

    if (!gw_is_method(c, "DELETE") || str_find(c->r->query, STR("deleteNonEmpty=0")) < 0)
        return false;
    return val_count(gw_store_list(c->g, str_printf(c->r->a, "%.*s%s", STR_ARG(below), group ? "users" : "groups"), c->r->a)) > 0;
}

void gw_api(struct gw_call *c)
{
    struct val wrapped;

    if (c->vendor && must_be_empty(c)) {
        gw_error(c->out, 400, 12, "not empty", c->r->a);
        return;
    }
    serve(c);
    if (!c->vendor || !gw_is_method(c, "GET") || c->out->status != 200 || (c->n != 2 && c->n != 4))
        return;
    wrapped = val_dict_new(c->r->a, 2);
    val_dict_set_c(wrapped, c->n == 2 ? "tenant" : "group", c->out->body);
    c->out->body = wrapped;
}
