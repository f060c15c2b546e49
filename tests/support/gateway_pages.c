/*
 * The stand-in gateway's resources that are no plain collections: single documents, fixed lists, searches, services of a user, and
 * what pages expect computed (gateway-proxy.md 9.1 to 9.3).
 */
#include "support/gateway_int.h"

#include "base/json.h"
#include "http/url.h"

#define CAP "{\"unlimited\":false,\"maximum\":10}"
#define LIC(name) "{\"name\":\"" name "\",\"allocated\":{\"unlimited\":true,\"maximum\":-1},\"inUse\":0,\"currentlyAllocated\":0}"
#define LICENSES                                                                                                        \
    "{\"groupServices\":[" LIC("Call Park") "],\"userServices\":[" LIC("Call Waiting") "," LIC("Do Not Disturb") "],"       \
    "\"servicePacks\":[" LIC("Standard") "]}"
#define OPTIONS "{\"continueCallAfterRecordingFailure\":true,\"refreshPeriodSeconds\":30,\"maxConsecutiveFailures\":3,"       \
                "\"maxResponseWaitTimeMilliseconds\":5000,\"continueCallAfterVideoRecordingFailure\":true}"
#define SENDER "{\"fromAddress\":\"\",\"systemDefault\":true}"
#define REPORTS                                                                                                         \
    "[{\"enabled\":true,\"name\":\"daily\",\"service_name\":\"calls\",\"frequency\":\"daily\",\"call_type\":\"all\","      \
    "\"file_prefix\":\"d\",\"time_period\":[\"00:00\",\"23:59\"],\"last_sent\":null}]"
#define FILES "[{\"file_name\":\"d1.csv\",\"file_size\":10,\"status\":\"sent\",\"created_at\":\"2026-01-01T00:00:00Z\",\"instance_guid\":\"\"}]"

/* What a read gives, and a change adds to. */
static const struct document {
    const char *pattern, *value;
} documents[] = {
    {"tenants/*/routing_profile", "{\"routingProfile\":\"default\"}"},
    {"tenants/*/properties/suspension", "{\"suspensionStatus\":\"\"}"},
    {"tenants/*/properties/online_charging", "{\"enabled\":false,\"spendingLimit\":0}"},
    {"tenants/*/services/voice_messaging",
     "{\"voiceMessageDelivery\":" SENDER ",\"voiceMessageNotification\":" SENDER ",\"voicePortalPasscodeLockout\":" SENDER "}"},
    {"tenants/*/features/trunk_groups", "{\"maxActiveCalls\":" CAP ",\"burstingMaxActiveCalls\":" CAP "}"},
    {"tenants/*/licenses", LICENSES},
    {"tenants/*/service_packs/*", LIC("Standard")},
    {"tenants/*/groups/*/properties/suspension", "{\"suspensionStatus\":\"\"}"},
    {"tenants/*/groups/*/licenses", LICENSES},
    {"tenants/*/groups/*/features/trunk_groups",
     "{\"maxActiveCalls\":5,\"burstingMaxActiveCalls\":" CAP ",\"maxAvailableActiveCalls\":" CAP
     ",\"burstingMaxAvailableActiveCalls\":" CAP "}"},
    {"tenants/*/groups/*/services/trunk_groups/*/backup", "{\"mode\":\"\",\"destination\":\"\",\"trunk\":\"\"}"},
    {"tenants/*/groups/*/services/trunk_groups/*/access_info", "{\"site\":\"\"}"},
    {"system/services/call_recording/properties", OPTIONS},
    {"system/languages", "{\"availableLanguages\":[{\"name\":\"English\",\"locale\":\"en_US\"}],\"defaultLangue\":\"English\"}"},
    {"system/timezones", "{\"timeZones\":[{\"name\":\"Europe/Brussels\"}]}"},
    {"system/licensing", "{\"licenseStrictness\":\"Limited\"}"},
    {"system/routing_profiles", "{\"routingProfiles\":[\"default\"]}"},
    {"configs/phone_types", "{\"phoneTypes\":[{\"technicalName\":\"generic\",\"displayName\":\"Generic\"}]}"},
    {"configs/phone_types/*", "{\"technicalName\":\"generic\"}"},
    {"configs/service_packs", "{\"service_packs\":[{\"technical_name\":\"std\",\"display_name\":\"Standard\"}]}"},
    {"configs/user_services", "{\"user_services\":[{\"technical_name\":\"cw\",\"display_name\":\"Call Waiting\"}]}"},
    {"configs/virtual_service_packs", "{\"virtual_service_packs\":[{\"technical_name\":\"v\",\"display_name\":\"Virtual\"}]}"},
    {"config/userprofiletypes", "{\"userProfileTypes\":[\"Reseller\"]}"},
    {"ldap/backends", "{\"ldapBackends\":[\"main\"]}"},
    {"ldap/*/tenants", "{\"tenants\":[{\"id\":\"fresh\",\"description\":\"not there yet\"}]}"},
    {"number_inventory/entitlement_types", "{\"customer_licenses\":[{\"id\":1,\"name\":\"Numbers\"}]}"},
};

/* Bare arrays: nothing can be added to them. */
static const struct document arrays[] = {
    {"tenants/*/analytics/reporting/reports", REPORTS},
    {"tenants/*/analytics/reporting/report_history", FILES},
    {"tenants/*/groups/*/analytics/reporting/reports", REPORTS},
    {"tenants/*/groups/*/analytics/reporting/report_history", FILES},
};

#define DOCUMENTS STR("_documents")

static struct val parsed(const char *text, struct arena *a)
{
    struct val v;
    struct err e;

    if (json_parse(str_c(text), &v, a, &e) != 0)
        abort(); /* one of the tables above */
    return v;
}

static void serve_document(struct gw_call *c, const struct document *d)
{
    struct str key = gw_joined(c, c->n);
    struct val stored = gw_store_get(c->g, DOCUMENTS, key, c->r->a);

    if (val_is_undef(stored))
        stored = parsed(d->value, c->r->a);
    if (gw_is_method(c, "PUT") || gw_is_method(c, "POST")) {
        stored = gw_merged(stored, c->body, c->r->a);
        gw_store_put(c->g, DOCUMENTS, key, stored);
    } else if (gw_is_method(c, "DELETE")) {
        (void)gw_store_delete(c->g, DOCUMENTS, key);
        return; /* {} */
    }
    c->out->body = stored;
}

/* ---- searches -------------------------------------------------------------------------------------------- */

static const struct {
    const char *parameter, *member;
} searched[] = {
    {"UserId", "userId"},           {"UserLastName", "lastName"}, {"UserFirstName", "firstName"}, {"PhoneNumber", "phoneNumber"},
    {"EmailAddress", "emailAddress"}, {"GroupId", "groupId"},       {"GroupName", "groupName"},     {"UserInTrunkGroup", "inTrunkGroup"},
};

static bool compares(struct str have, struct str how, struct str want)
{
    return (str_eq(how, STR("Equals")) && str_eq(have, want)) || (str_eq(how, STR("Starts")) && str_starts(have, want)) ||
           (str_eq(how, STR("Contains")) && str_find(have, want) >= 0);
}

/* insensitiveUserIdContains=x and its kin; others do not restrict. */
static bool fits(struct val item, struct str name, struct str want, struct arena *a)
{
    bool insensitive = str_starts(name, STR("insensitive"));

    if (!insensitive && !str_starts(name, STR("sensitive")))
        return true;
    name = str_slice(name, insensitive ? 11 : 9, name.len);
    for (size_t i = 0; i < COUNT_OF(searched); i++) {
        struct str have = val_str_of(val_get(item, searched[i].member), a), how;

        if (!str_starts(name, str_c(searched[i].parameter)))
            continue;
        how = str_slice(name, strlen(searched[i].parameter), name.len);
        if (insensitive ? compares(str_lower(a, have), how, str_lower(a, want)) : compares(have, how, want))
            return true;
        if (str_eq(how, STR("Equals")) || str_eq(how, STR("Starts")) || str_eq(how, STR("Contains")))
            return false;
    }
    return true;
}

static bool fits_all(struct val item, struct val params, struct arena *a)
{
    struct val name, value;

    for (size_t i = 0; val_pair_at(params, i, &name, &value); i++)
        if (!fits(item, val_text(name), val_text(value), a))
            return false;
    return true;
}

/* All items of collections ending in `suffix`, with where they are, that the query names. */
static void search(struct gw_call *c, const char *suffix, const char *list)
{
    struct arena *a = c->r->a;
    struct val params = url_query_parse(c->r->query, a), all = gw_store_all(c->g, str_c(suffix), a), out = val_list_new(a, 16);
    int64_t limit = 0;

    if (!str_to_int(val_get_text(params, "responseSizeLimit", STR("")), &limit) || limit < 1)
        limit = INT32_MAX;
    for (size_t i = 0; i < val_count(all) && val_count(out) < (size_t)limit; i++) {
        struct val item = val_at(val_at(all, i), 0);
        struct str where = val_text(val_at(val_at(all, i), 1)); /* tenants/T/groups/G/users */

        (void)str_cut(&where, '/');
        val_dict_set_c(item, "tenantId", val_str(str_cut(&where, '/')));
        (void)str_cut(&where, '/');
        if (where.len > 0)
            val_dict_set_c(item, "groupId", val_str(str_cut(&where, '/')));
        if (fits_all(item, params, a))
            val_list_add(out, item);
    }
    val_dict_set_c(c->out->body, list, out);
}

/* Where a number is used. */
static void number_usage(struct gw_call *c)
{
    struct str number = c->segments[c->n - 1];
    struct val all = gw_store_all(c->g, STR("/numbers"), c->r->a);
    bool found = false;

    for (size_t i = 0; i < val_count(all); i++) {
        struct val item = val_at(val_at(all, i), 0);
        struct str where = val_text(val_at(val_at(all, i), 1));

        if (!str_eq(val_get_text(item, "phoneNumber", STR("")), number))
            continue;
        found = true;
        (void)str_cut(&where, '/');
        val_dict_set_c(c->out->body, "tenantId", val_str(str_cut(&where, '/')));
        if (!str_eq_c(str_cut(&where, '/'), "groups"))
            continue;
        val_dict_set_c(c->out->body, "groupId", val_str(str_cut(&where, '/')));
        val_dict_set_c(c->out->body, "userId", val_str(val_get_text(item, "userId", STR(""))));
    }
    if (!found)
        gw_not_found(c);
}

/* ---- services of a user ------------------------------------------------------------------------------------- */

static struct val services_of(struct gw_call *c, const char *kind, const char *const *names, struct val stored)
{
    struct val out = val_list_new(c->r->a, 2);

    for (; *names != NULL; names++) {
        struct val one = val_dict_new(c->r->a, 2);

        val_dict_set_c(one, "name", val_str_c(*names));
        val_dict_set_c(one, "assigned", val_bool(val_get_bool(val_get(stored, kind), *names, false)));
        val_list_add(out, one);
    }
    return out;
}

static void assign(struct gw_call *c, const char *kind, struct val stored)
{
    struct val list = val_get(c->body, kind), now = gw_merged(val_dict_new(c->r->a, 0), val_get(stored, kind), c->r->a);

    for (size_t i = 0; val_is(list, VAL_LIST) && i < val_count(list); i++)
        val_dict_set_str(now, val_get_text(val_at(list, i), "name", STR("")), val_bool(gw_is_method(c, "POST")));
    val_dict_set_c(stored, kind, now);
}

static void user_services(struct gw_call *c)
{
    static const char *const services[] = {"Call Waiting", "Do Not Disturb", NULL}, *const packs[] = {"Standard", NULL};
    struct str key = gw_joined(c, c->n);
    struct val stored = gw_store_get(c->g, DOCUMENTS, key, c->r->a), status = val_dict_new(c->r->a, 2), summary = val_dict_new(c->r->a, 1);

    if (val_is_undef(stored))
        stored = val_dict_new(c->r->a, 2);
    if (!gw_is_method(c, "GET")) {
        assign(c, "services", stored);
        assign(c, "servicePacks", stored);
        gw_store_put(c->g, DOCUMENTS, key, stored);
    }
    val_dict_set_c(status, "services", services_of(c, "services", services, stored));
    val_dict_set_c(status, "servicePacks", services_of(c, "servicePacks", packs, stored));
    val_dict_set_c(summary, "userServices", val_list_new(c->r->a, 0));
    val_dict_set_c(c->out->body, "assignementStatus", status);
    val_dict_set_c(c->out->body, "summary", summary);
}

/* ---- the rest ------------------------------------------------------------------------------------------------ */

static void category(struct gw_call *c)
{
    struct str templates = str_printf(c->r->a, "%.*s/templates", STR_ARG(gw_joined(c, c->n)));

    val_dict_set_c(c->out->body, "name", val_str(c->segments[3]));
    val_dict_set_c(c->out->body, "description", VAL_STR_LIT(""));
    val_dict_set_c(c->out->body, "templates", gw_store_list(c->g, templates, c->r->a));
}

/* Users of a trunk group: those whose endpoint names it. */
static void trunk_users(struct gw_call *c)
{
    struct str users = str_printf(c->r->a, "tenants/%.*s/groups/%.*s/users", STR_ARG(c->segments[1]), STR_ARG(c->segments[3]));
    struct val all = gw_store_list(c->g, users, c->r->a), out = val_list_new(c->r->a, 4);

    for (size_t i = 0; i < val_count(all); i++)
        if (str_eq(val_get_text(val_path(val_at(all, i), "trunkEndpoint.trunkGroupDeviceEndpoint"), "name", STR("")),
                   c->segments[c->n - 1]))
            val_list_add(out, val_at(all, i));
    val_dict_set_c(c->out->body, "users", out);
}

static void mobile_numbers(struct gw_call *c)
{
    struct str collection = gw_joined(c, c->n);
    struct val list = val_get(c->body, "phoneNumbers"), result = val_list_new(c->r->a, 4), all;

    for (size_t i = 0; !gw_is_method(c, "GET") && i < val_count(list); i++)
        val_list_add(result, gw_change_number(c, collection, val_at(list, i), gw_is_method(c, "POST")));
    if (!gw_is_method(c, "GET")) {
        val_dict_set_c(c->out->body, "result", result);
        return;
    }
    all = gw_store_list(c->g, collection, c->r->a);
    for (size_t i = 0; i < val_count(all); i++)
        val_list_add(result, val_get(val_at(all, i), "phoneNumber"));
    val_dict_set_c(c->out->body, "assigned_numbers", val_list_new(c->r->a, 0));
    val_dict_set_c(c->out->body, "available_numbers", result);
}

static void trunk_numbers(struct gw_call *c)
{
    struct val range = val_get(c->body, "range");

    if (val_get_text(range, "minPhoneNumber", STR("")).len == 0)
        gw_error(c->out, 400, 4, "\"range.minPhoneNumber\" is missing", c->r->a);
}

static void accepted(struct gw_call *c)
{
    (void)c; /* {} */
}

static void search_users(struct gw_call *c)
{
    search(c, "/users", "users");
}

static void search_groups(struct gw_call *c)
{
    search(c, "/groups", "groups");
}

static void usage(struct gw_call *c)
{
    val_dict_set_c(c->out->body, "groups", val_list_new(c->r->a, 0));
}

static const struct page {
    const char *methods, *pattern;
    void (*serve)(struct gw_call *c);
} pages[] = {
    {"GET", "search/users", search_users},
    {"GET", "search/groups", search_groups},
    {"GET", "search/numbers/usages/*", number_usage},
    {"GET,POST,DELETE", "tenants/*/groups/*/users/*/services", user_services},
    {"GET,POST,DELETE", "tenants/*/mobile_numbers", mobile_numbers},
    {"GET,POST,DELETE", "tenants/*/groups/*/mobile_numbers", mobile_numbers},
    {"GET", "tenants/*/groups/*/services/trunk_users/*", trunk_users},
    {"POST", "tenants/*/groups/*/services/trunk_groups/*/numbers", trunk_numbers},
    {"POST", "tenants/*/groups/*/services", accepted},
    {"POST,DELETE", "tenants/*/service_packs", accepted},
    {"GET", "configs/templates/categories/*", category},
    {"GET", "system/services/call_recording/platforms/*/usage", usage},
};

bool gw_page(struct gw_call *c)
{
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        if (gw_path_is(c, pages[i].pattern) && str_find(str_c(pages[i].methods), c->r->method) >= 0) {
            if (gw_parents_exist(c, c->n))
                pages[i].serve(c);
            else
                gw_not_found(c);
            return true;
        }
    for (size_t i = 0; i < COUNT_OF(arrays); i++)
        if (gw_path_is(c, arrays[i].pattern)) {
            c->out->body = parsed(arrays[i].value, c->r->a);
            return true;
        }
    for (size_t i = 0; i < COUNT_OF(documents); i++)
        if (gw_path_is(c, documents[i].pattern)) {
            if (gw_parents_exist(c, c->n))
                serve_document(c, &documents[i]);
            else
                gw_not_found(c);
            return true;
        }
    return false;
}
