/*
 * The pages of the two provisioning interfaces, call by call in the order they make them, through nginx and the proxy against the
 * stand-in gateway (gateway-proxy.md 9): which calls those are was read in the interfaces' sources.
 *
 * A step names what a page reads of the answer: without it the page would stay empty or fail.
 */
#include "base/arena.h"

#include <string.h>

#include "base/json.h"
#include "crypto/crypto.h"
#include "integration/env_api.h"
#include "support/cases.h"

static struct env *env;
static const char *gateway; /* "http://127.0.0.1:N" */

static const char *control(const char *method, const char *path, const char *body)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    struct env_answer a = env_http_at(env, method, env_fmt(env, "%s/_control%s", gateway, path), json, body);

    assert_int_equal(a.status, 200);
    return a.body;
}

/* ---- what a page reads ------------------------------------------------------------------------------------ */

static bool is_kind(struct val v, struct str kind)
{
    switch (kind.p[0]) {
    case 't':
        return val_is(v, VAL_STR);
    case 'n':
        return val_is(v, VAL_INT) || val_is(v, VAL_FLOAT);
    case 'b':
        return val_is(v, VAL_BOOL);
    case 'l':
        return val_is(v, VAL_LIST);
    default:
        return val_is(v, VAL_DICT);
    }
}

/* "a.0.b:t": text there (n number, b boolean, l list, o object); "a.*.b:t": in every element, of which there is one at least;
 * "a=x": the text x. */
static bool reads(struct val v, struct str what, struct arena *a)
{
    struct str rest = what, head;

    while (rest.len > 0 && rest.p[0] != ':' && rest.p[0] != '=') {
        size_t n = 0;

        while (n < rest.len && rest.p[n] != '.' && rest.p[n] != ':' && rest.p[n] != '=')
            n++;
        head = str_slice(rest, 0, n);
        rest = str_slice(rest, n < rest.len && rest.p[n] == '.' ? n + 1 : n, rest.len);
        if (str_eq_c(head, "*")) {
            for (size_t i = 0; i < val_count(v); i++)
                if (!reads(val_at(v, i), rest, a))
                    return false;
            return val_is(v, VAL_LIST) && val_count(v) > 0;
        }
        v = val_is(v, VAL_LIST) ? val_at(v, (size_t)(head.p[0] - '0')) : val_get(v, str_cstr(a, head));
    }
    if (rest.len > 0 && rest.p[0] == '=')
        return str_eq(val_is(v, VAL_STR) ? val_text(v) : json_text(v, a), str_slice(rest, 1, rest.len));
    return rest.len > 1 && is_kind(v, str_slice(rest, 1, rest.len));
}

static void must_read(const char *name, const char *body, const char *shape)
{
    struct arena *a = env_arena(env);
    struct str rest = str_c(shape);
    struct val v;
    struct err e;

    if (rest.len == 0)
        return;
    if (json_parse(str_c(body), &v, a, &e) != 0)
        env_fail(env, "%s: no json: %.300s", name, body);
    while (rest.len > 0) {
        struct str one = str_cut(&rest, ' ');

        if (!reads(v, one, a))
            env_fail(env, "%s: the page reads %.*s: %.600s", name, STR_ARG(one), body);
    }
}

/* ---- the big interface, as an administrator of the platform ------------------------------------------------------ */

struct step {
    const char *name, *method, *path, *body; /* path below the prefix unless it begins with /api */
    int status;
    const char *shape;
};

#define T "/tenants/nova"
#define G T "/groups/hq"
#define U G "/users/eve@nova.example"
#define K G "/services/trunk_groups/tk1"

static const struct step pages[] = {
    /* menu */
    {"menu: who am I", "GET", "/api/v01/system/users/local", NULL, 200, "username=admin is_system:b modules:l profile:o"},
    {"menu: proxies", "GET", "/api/v01/apio/provisioning/gateways", NULL, 200, "gateways.*.name:t gateways.*.prefix:t"},
    {"menu: settings of the page", "GET", "/configs/applications/p1/config", NULL, 200, "data:t"},
    {"menu: settings by default", "GET", "/configs/applications/prov_gui/config", NULL, 200, "data:t"},
    /* tenants */
    {"tenants: list", "GET", "/tenants/", NULL, 200, "tenants.*.tenantId:t tenants.*.type:t tenants.*.name:t"},
    {"add tenant: templates", "GET", "/configs/templates/categories/tenant/", NULL, 200, "name:t templates:l"},
    {"add tenant: directories", "GET", "/ldap/backends/", NULL, 200, "ldapBackends:l"},
    {"add tenant: in a directory", "GET", "/ldap/main/tenants?custom_filter=not_in_bwks", NULL, 200, "tenants.*.id:t"},
    {"add tenant: resellers", "GET", "/local/resellers/", NULL, 200, "resellers:l"},
    {"add tenant: create", "POST", "/tenants/",
     "{\"tenantId\":\"nova\",\"type\":\"Enterprise\",\"name\":\"Nova\",\"defaultDomain\":\"nova.example\",\"useCustomRoutingProfile\":false,"
     "\"addressInformation\":{\"city\":\"Brussels\"}}",
     201, "tenantId=nova name=Nova type:t defaultDomain:t useCustomRoutingProfile:b"},
    {"add tenant: again", "POST", "/tenants/", "{\"tenantId\":\"nova\"}", 400, "errors.0.code=11 errors.0.message:t"},
    {"tenant: open", "GET", T, NULL, 200, "tenantId=nova addressInformation:o"},
    {"tenant: suspension", "GET", T "/properties/suspension/", NULL, 200, "suspensionStatus:t"},
    {"tenant: suspend", "PUT", T "/properties/suspension/", "{\"suspensionStatus\":\"Suspended\"}", 200, "suspensionStatus=Suspended"},
    {"tenant: groups", "GET", T "/groups", NULL, 200, "groups:l"},
    {"tenant: numbers", "GET", T "/numbers", NULL, 200, "assignement_phoneNumbers:l"},
    {"tenant: mobile numbers", "GET", T "/mobile_numbers?available=true&assignement=true", NULL, 200, "assigned_numbers:l available_numbers:l"},
    {"tenant: administrators", "GET", T "/admins", NULL, 200, "admins:l"},
    {"tenant: licences", "GET", T "/licenses?includeServicePacks=true", NULL, 200, "groupServices.*.name:t userServices:l servicePacks:l"},
    {"tenant: change licences", "PUT", T "/licenses/", "{\"groupServices\":[{\"name\":\"Call Park\",\"allocated\":{\"unlimited\":false,\"maximum\":3}}]}", 200,
     "groupServices.0.allocated.maximum=3"},
    {"tenant: service pack", "GET", T "/service_packs/Standard/", NULL, 200, "name:t allocated:o"},
    {"tenant: change service pack", "PUT", T "/service_packs/Standard/", "{\"allocated\":{\"unlimited\":false,\"maximum\":9}}", 200, "allocated.maximum=9"},
    {"tenant: trunking", "GET", T "/features/trunk_groups/", NULL, 200, "maxActiveCalls.maximum:n burstingMaxActiveCalls:o"},
    {"tenant: change trunking", "PUT", T "/features/trunk_groups/", "{\"maxActiveCalls\":{\"unlimited\":false,\"maximum\":40}}", 200, "maxActiveCalls.maximum=40"},
    {"tenant: trunks", "GET", T "/services/trunk_groups/", NULL, 200, "tenantTrunks:l"},
    {"tenant: routing profile", "GET", T "/routing_profile/", NULL, 200, "routingProfile:t"},
    {"tenant: change routing profile", "PUT", T "/routing_profile/", "{\"routingProfile\":\"other\"}", 200, "routingProfile=other"},
    {"tenant: online charging", "GET", T "/properties/online_charging/", NULL, 200, "enabled:b spendingLimit:n"},
    {"tenant: voice messaging", "GET", T "/services/voice_messaging/", NULL, 200, "voiceMessageDelivery.systemDefault:b"},
    {"tenant: entitlements", "GET", T "/number_inventory/entitlements/", NULL, 200, "entitlements:l"},
    {"tenant: entitlement types", "GET", "/number_inventory/entitlement_types/", NULL, 200, "customer_licenses.*.name:t"},
    {"tenant: add entitlement", "POST", T "/number_inventory/entitlements/", "{\"license_model_id\":1,\"entitlement\":5}", 201, "id=1"},
    {"tenant: change entitlement", "PUT", T "/number_inventory/entitlements/1", "{\"entitlement\":7}", 200, "entitlement=7"},
    {"tenant: delete entitlement", "DELETE", T "/number_inventory/entitlements/1", NULL, 200, "_record_internal_id:t"},
    {"tenant: reports", "GET", T "/analytics/reporting/reports", NULL, 200, "*.name:t *.time_period:l"},
    {"tenant: report files", "GET", T "/analytics/reporting/report_history", NULL, 200, "*.file_name:t"},
    {"tenant: change", "PUT", T "/", "{\"name\":\"Nova-Ltd\",\"addressInformation\":{\"city\":\"Ghent\"}}", 200, "name=Nova-Ltd tenantId=nova"},
    {"tenant: it stayed", "GET", T, NULL, 200, "name=Nova-Ltd addressInformation.city=Ghent"},
    /* administrators */
    {"add administrator: rules", "GET", T "/password_rules/", NULL, 200, "minLength:n minDigits:n"},
    {"add administrator: languages", "GET", "/system/languages", NULL, 200, "availableLanguages.*.name:t"},
    {"add administrator: weak password", "POST", T "/admins/", "{\"userId\":\"novaboss\",\"password\":\"x\"}", 400, "errors.0.message:t errors.0.details.summary:t"},
    {"add administrator: create", "POST", T "/admins/", "{\"userId\":\"novaboss\",\"firstName\":\"Bo\",\"lastName\":\"Ss\",\"language\":\"English\",\"password\":\"secret-12\"}", 201, "userId=novaboss"},
    {"administrator: open", "GET", T "/admins/novaboss", NULL, 200, "userId=novaboss language:t"},
    {"administrator: change", "PUT", T "/admins/novaboss/", "{\"firstName\":\"Bob\"}", 200, "firstName=Bob lastName=Ss"},
    /* numbers of the tenant */
    {"add numbers: two good, one bad", "POST", T "/numbers/",
     "{\"numbers\":[{\"phoneNumber\":\"+3226660001\"},{\"phoneNumber\":\"+3226660002\"},{\"phoneNumber\":\"junk\"}]}", 200,
     "result.*.phoneNumber:t result.0.status=added result.2.status=rejected result.2.message:t"},
    {"add numbers: all there", "POST", T "/numbers/", "{\"numbers\":[{\"phoneNumber\":\"+3226660001\"}]}", 400, "result.0.status=rejected"},
    {"numbers: list", "GET", T "/numbers", NULL, 200, "assignement_phoneNumbers.*.phoneNumber:t assignement_phoneNumbers.*.canBeDeleted:b"},
    {"numbers: free ones", "GET", T "/numbers?available=true", NULL, 200, "available_phoneNumbers.1.phoneNumber=+3226660002"},
    {"mobile numbers: add", "POST", T "/mobile_numbers/", "{\"phoneNumbers\":[{\"phoneNumber\":\"+32470000001\"}]}", 200, "result.0.status=added"},
    {"mobile numbers: list", "GET", T "/mobile_numbers?available=true&assignement=true", NULL, 200, "available_numbers.0=+32470000001"},
    {"mobile numbers: delete", "DELETE", T "/mobile_numbers/", "{\"phoneNumbers\":[{\"phoneNumber\":\"+32470000001\"}]}", 200, "result.0.status=deleted"},
    /* groups */
    {"add group: templates", "GET", "/configs/templates/categories/group/", NULL, 200, "templates:l"},
    {"add group: zones", "GET", "/system/timezones", NULL, 200, "timeZones.*.name:t"},
    {"add group: create", "POST", T "/groups/", "{\"groupId\":\"hq\",\"groupName\":\"HQ\",\"userLimit\":20,\"defaultDomain\":\"nova.example\"}", 201, "groupId=hq groupName:t defaultDomain:t"},
    {"group: open", "GET", G, NULL, 200, "groupId=hq tenantId=nova userLimit=20 userCount=0"},
    {"group: licences", "GET", G "/licenses", NULL, 200, "groupServices:l userServices:l servicePacks:l"},
    {"group: suspension", "GET", G "/properties/suspension/", NULL, 200, "suspensionStatus:t"},
    {"group: users", "GET", G "/users", NULL, 200, "users:l"},
    {"group: numbers in use", "GET", G "/numbers?assignement=true", NULL, 200, "assigned_numbers:l"},
    {"group: trunking", "GET", G "/features/trunk_groups", NULL, 200, "maxActiveCalls:n maxAvailableActiveCalls:o"},
    {"group: change trunking", "PUT", G "/features/trunk_groups/", "{\"maxActiveCalls\":8}", 200, "maxActiveCalls=8"},
    {"group: change", "PUT", G "/", "{\"userLimit\":30}", 200, "userLimit=30 groupName=HQ"},
    {"group: in the tenant's list", "GET", T "/groups", NULL, 200, "groups.0.groupId=hq groups.0.userLimit=30 groups.*.tenantId:t groups.*.userCount:n"},
    {"group: services", "POST", G "/services/", "{\"services\":[{\"name\":\"Call Park\"}]}", 200, "_record_internal_id:t"},
    {"group numbers: of nobody", "POST", G "/numbers/", "{\"numbers\":[{\"phoneNumber\":\"+3299\"}]}", 400, "result.0.status=rejected result.0.message:t"},
    {"group numbers: add", "POST", G "/numbers/", "{\"numbers\":[{\"phoneNumber\":\"+3226660001\"}]}", 200, "result.0.status=added"},
    {"group numbers: made with it", "POST", G "/numbers/", "{\"numbers\":[{\"phoneNumber\":\"+3226660009\"}],\"auto_create\":true}", 200, "result.0.status=added"},
    {"group numbers: the tenant sees it", "GET", T "/numbers", NULL, 200, "assignement_phoneNumbers.0.assignedToGroup=hq assignement_phoneNumbers.0.canBeDeleted=false"},
    {"group numbers: free ones", "GET", G "/numbers?available=true", NULL, 200, "available_numbers.0=+3226660001"},
    /* users */
    {"add user: rules", "GET", G "/password_rules/", NULL, 200, "minLength:n"},
    {"add user: create", "POST", G "/users/", "{\"userId\":\"eve@nova.example\",\"firstName\":\"Eve\",\"lastName\":\"Ng\",\"emailAddress\":\"eve@home.example\",\"password\":\"secret-34\",\"language\":\"English\"}", 201, "userId=eve@nova.example"},
    {"add user: again", "POST", G "/users/", "{\"userId\":\"eve@nova.example\",\"password\":\"secret-34\"}", 400, "errors.0.code=11"},
    {"users: list", "GET", G "/users", NULL, 200, "users.*.userId:t users.*.firstName:t users.*.phoneNumber:t users.*.extension:t users.*.inTrunkGroup:b"},
    {"user: open", "GET", U, NULL, 200, "userId=eve@nova.example firstName=Eve emailAddress:t"},
    {"user: services", "GET", U "/services?assignementStatus=true&summary=true", NULL, 200, "assignementStatus.services.*.assigned:b assignementStatus.servicePacks:l summary.userServices:l"},
    {"user: assign", "POST", U "/services/", "{\"services\":[{\"name\":\"Call Waiting\"}]}", 200, "assignementStatus.services.0.assigned=true"},
    {"user: take away", "DELETE", U "/services/", "{\"services\":[{\"name\":\"Call Waiting\"}]}", 200, "assignementStatus.services.0.assigned=false"},
    {"user: change", "PUT", U "/", "{\"lastName\":\"Nguyen\",\"phoneNumber\":\"+3226660001\",\"extension\":\"001\"}", 200, "lastName=Nguyen firstName=Eve"},
    {"user: no such", "GET", G "/users/nobody", NULL, 404, "errors.0.message:t"},
    /* trunks */
    {"add trunk: templates", "GET", "/configs/templates/categories/trunk_group/", NULL, 200, "templates:l"},
    {"add trunk: devices", "GET", G "/access_devices", NULL, 200, "access_devices:l"},
    {"add trunk: device", "POST", G "/access_devices/", "{\"deviceName\":\"sbc9\",\"deviceType\":\"Generic\",\"netAddress\":\"10.0.0.9\"}", 201, "deviceName=sbc9"},
    {"add trunk: create", "POST", G "/services/trunk_groups/", "{\"name\":\"tk1\",\"maxActiveCalls\":5,\"accessDevice\":{\"name\":\"sbc9\",\"level\":\"Group\"},\"sipAuthenticationPassword\":\"trunk-secret-1\"}", 201, "name=tk1"},
    {"trunks: list", "GET", G "/services/trunk_groups/", NULL, 200, "trunks.0.name=tk1"},
    {"trunk: open", "GET", K "/", NULL, 200, "name=tk1 maxActiveCalls=5 accessDevice.name=sbc9"},
    {"trunk: change", "PUT", K "/", "{\"maxIncomingCalls\":2}", 200, "maxIncomingCalls=2 maxActiveCalls=5"},
    {"trunk: backup", "GET", K "/backup", NULL, 200, "mode:t destination:t trunk:t"},
    {"trunk: change backup", "PUT", K "/backup", "{\"mode\":\"Forward\",\"destination\":\"+3226660002\"}", 200, "mode=Forward"},
    {"trunk: access", "GET", K "/access_info/", NULL, 200, ""},
    {"trunk: change access", "PUT", K "/access_info/", "{\"site\":\"B1\"}", 200, "site=B1"},
    {"trunk: numbers", "POST", K "/numbers/", "{\"range\":{\"minPhoneNumber\":\"+3226660010\",\"maxPhoneNumber\":\"+3226660019\"}}", 200, "_record_internal_id:t"},
    {"trunk: user", "POST", G "/users/", "{\"userId\":\"pilot@nova.example\",\"password\":\"secret-56\",\"trunkEndpoint\":{\"trunkGroupDeviceEndpoint\":{\"name\":\"tk1\",\"isPilotUser\":true}}}", 201, "userId:t"},
    {"trunk: users", "GET", G "/services/trunk_users/tk1/", NULL, 200, "users.0.userId=pilot@nova.example"},
    {"trunk: of the tenant", "GET", T "/services/trunk_groups/", NULL, 200, "tenantTrunks.0.name=tk1"},
    {"device: open", "GET", G "/access_devices/sbc9", NULL, 200, "deviceName=sbc9 netAddress:t"},
    {"device: change", "PUT", G "/access_devices/sbc9/", "{\"netAddress\":\"10.0.0.10\"}", 200, "netAddress=10.0.0.10"},
    /* search */
    {"search: users by part", "GET", "/search/users?insensitiveUserIdContains=NOVA&responseSizeLimit=100", NULL, 200, "users.*.userId:t users.*.tenantId:t users.*.groupId:t"},
    {"search: users by name and group", "GET", "/search/users?insensitiveUserFirstNameContains=ev&insensitiveGroupIdContains=hq", NULL, 200, "users.0.userId=eve@nova.example"},
    {"search: in trunk groups", "GET", "/search/users?insensitiveUserInTrunkGroupEquals=true&insensitiveUserIdContains=pilot", NULL, 200, "users:l"},
    {"search: groups", "GET", "/search/groups?insensitiveGroupNameContains=h", NULL, 200, "groups.*.groupId:t groups.*.tenantId:t"},
    {"search: a number", "GET", "/search/numbers/usages/+3226660001", NULL, 200, "tenantId=nova groupId=hq"},
    {"search: an unused number", "GET", "/search/numbers/usages/+3200000000", NULL, 404, "errors.0.message:t"},
    /* resellers */
    {"resellers: create", "POST", "/local/resellers/", "{\"name\":\"east\",\"externalName\":\"East\"}", 201, "name=east"},
    {"reseller: open", "GET", "/local/resellers/east/", NULL, 200, "externalName=East"},
    {"reseller: change", "PUT", "/local/resellers/east/", "{\"externalName\":\"Far East\"}", 200, "externalName:t"},
    {"reseller: profiles", "GET", "/config/userprofiletypes/?accessType=1", NULL, 200, "userProfileTypes:l"},
    {"reseller: add administrator", "POST", "/local/resellers/east/admins/", "{\"username\":\"eastboss\",\"password\":\"secret-78\"}", 201, "username=eastboss"},
    {"reseller: administrators", "GET", "/local/resellers/east/admins/", NULL, 200, "admins.0.username=eastboss"},
    {"reseller: delete administrator", "DELETE", "/local/resellers/east/admins/eastboss", NULL, 200, ""},
    {"reseller: delete", "DELETE", "/local/resellers/east/", NULL, 200, ""},
    /* system and configuration */
    {"system: licences", "GET", "/system/licensing/", NULL, 200, ""},
    {"system: routing profiles", "GET", "/system/routing_profiles/", NULL, 200, "routingProfiles:l"},
    {"system: recorders", "GET", "/system/services/call_recording/platforms/", NULL, 200, "callRecordingPlatforms:l"},
    {"system: add recorder", "POST", "/system/services/call_recording/platforms/", "{\"name\":\"rec1\",\"netAddress\":\"10.0.0.7\",\"port\":5060}", 201, "name=rec1"},
    {"system: recorder in use", "GET", "/system/services/call_recording/platforms/rec1/usage/", NULL, 200, "groups:l"},
    {"system: change recorder", "PUT", "/system/services/call_recording/platforms/rec1/", "{\"port\":5061}", 200, "port=5061"},
    {"system: delete recorder", "DELETE", "/system/services/call_recording/platforms/rec1/", NULL, 200, ""},
    {"system: recording", "PUT", "/system/services/call_recording/properties/", "{\"refreshPeriodSeconds\":60}", 200, "refreshPeriodSeconds=60"},
    {"configuration: applications", "GET", "/configs/applications/", NULL, 200, "applications:l"},
    {"configuration: add key", "POST", "/configs/applications/shop/", "{\"key\":\"colour\",\"data\":\"blue\"}", 201, "key=colour"},
    {"configuration: keys", "GET", "/configs/applications/shop", NULL, 200, "applicationKeys.0.key=colour"},
    {"configuration: key", "GET", "/configs/applications/shop/colour", NULL, 200, "data=blue"},
    {"configuration: change key", "PUT", "/configs/applications/shop/colour/", "{\"data\":\"red\"}", 200, "data=red"},
    {"configuration: delete key", "DELETE", "/configs/applications/shop/colour", NULL, 200, ""},
    {"templates: categories", "GET", "/configs/templates/categories/", NULL, 200, "categories:l"},
    {"templates: add", "POST", "/configs/templates/categories/group/templates/", "{\"name\":\"small\",\"description\":\"d\",\"data\":{\"a\":1}}", 201, "name=small"},
    {"templates: of a category", "GET", "/configs/templates/categories/group", NULL, 200, "templates.0.name=small"},
    {"templates: open", "GET", "/configs/templates/categories/group/templates/small", NULL, 200, "data.a=1"},
    {"templates: change", "PUT", "/configs/templates/categories/group/templates/small/", "{\"data\":{\"a\":2}}", 200, "data.a=2"},
    {"templates: delete", "DELETE", "/configs/templates/categories/group/templates/small/", NULL, 200, ""},
    {"phones: list", "GET", "/configs/phone_types/", NULL, 200, "phoneTypes.*.technicalName:t"},
    {"packs: list", "GET", "/configs/service_packs/", NULL, 200, "service_packs.*.technical_name:t"},
    {"services: list", "GET", "/configs/user_services/", NULL, 200, "user_services.*.display_name:t"},
    /* and away with it */
    {"trunk: delete", "DELETE", T "/services/trunk_groups/tk1", NULL, 200, ""},
    {"trunk: gone", "GET", K "/", NULL, 404, "errors.0.message:t"},
    {"device: delete", "DELETE", G "/access_devices/sbc9", NULL, 200, ""},
    {"group numbers: delete", "DELETE", G "/numbers/", "{\"numbers\":[{\"phoneNumber\":\"+3226660001\"}]}", 200, "result.0.status=deleted"},
    {"numbers: free again", "GET", T "/numbers", NULL, 200, "assignement_phoneNumbers.0.canBeDeleted=true"},
    {"user: delete", "DELETE", U "/", NULL, 200, ""},
    {"group: delete", "DELETE", G "/", NULL, 200, ""},
    {"group: gone", "GET", G, NULL, 404, "errors.0.message:t"},
    {"group: its users too", "GET", G "/users", NULL, 404, "errors.0.message:t"},
    {"administrator: delete", "DELETE", T "/admins/novaboss", NULL, 200, ""},
    {"numbers: delete", "DELETE", T "/numbers/", "{\"numbers\":[{\"phoneNumber\":\"+3226660002\"}]}", 200, "result.0.status=deleted"},
    {"tenant: delete", "DELETE", T, NULL, 200, ""},
    {"tenant: gone", "DELETE", T, NULL, 404, "errors.0.message:t"},
};

static const char *below_prefix(const char *path)
{
    return strncmp(path, "/api", 4) == 0 ? path : env_fmt(env, "/api/v01/p1%s", path);
}

static void take(const struct step *s)
{
    struct env_answer a = api_raw(env, s->method, below_prefix(s->path), s->body);

    if (a.status != s->status)
        env_fail(env, "%s: %s %s answered %d: %.400s", s->name, s->method, s->path, a.status, a.body);
    must_read(s->name, a.body, s->shape);
}

static void page(const struct step *s)
{
    api_setup(NULL);
    take(s);
}

/* ---- the small interface: the gateway's own paths behind a fixed prefix ---------------------------------------------- */

#define SYNC "/api/v01/apio/sync/api/v1"

static const struct step small_pages[] = {
    {"tenants: list", "GET", SYNC "/orange/tenants/", NULL, 200, "tenants.*.tenantId:t tenants.*.name:t tenants.*.type:t"},
    {"tenant: open", "GET", SYNC "/orange/tenants/acme/", NULL, 200, "tenant.name=Acme tenant.defaultDomain:t"},
    {"groups: list", "GET", SYNC "/orange/tenants/acme/groups/", NULL, 200, "groups.*.groupId:t groups.*.groupName:t"},
    {"group: open", "GET", SYNC "/orange/tenants/acme/groups/sales/", NULL, 200, "group.groupName=Sales"},
    {"users: list", "GET", SYNC "/tenants/acme/groups/sales/users/", NULL, 200, "users.*.userId:t users.*.firstName:t users.*.phoneNumber:t"},
    {"user: delete", "DELETE", SYNC "/tenants/acme/groups/sales/users/bob%40acme.example/", NULL, 200, "_record_internal_id:t"},
    {"group: not empty", "DELETE", SYNC "/orange/tenants/acme/groups/sales?deleteNonEmpty=0", NULL, 400, "errors.0.message:t"},
    {"group: delete an empty one", "DELETE", SYNC "/orange/tenants/acme/groups/support?deleteNonEmpty=0", NULL, 200, "_record_internal_id:t"},
    {"tenant: not empty", "DELETE", SYNC "/orange/tenants/acme?deleteNonEmpty=0", NULL, 400, "errors.0.message:t"},
    {"tenant: delete all of it", "DELETE", SYNC "/orange/tenants/globex?deleteNonEmpty=1", NULL, 200, ""},
    {"tenant: gone", "GET", SYNC "/orange/tenants/globex/", NULL, 404, "errors.0.message:t"},
    {"elsewhere on the gateway", "GET", "/api/v01/apio/sync/health", NULL, 404, "error:t"},
};

/* ---- who signs in -------------------------------------------------------------------------------------------------------- */

static struct val sign_in(const char *username, const char *password)
{
    return api(env, 200, "POST", "/api/v01/auth/login",
               env_fmt(env, "{\"username\":%s,\"password\":%s}", api_quoted(env, username), api_quoted(env, password)));
}

static const char *token_of(struct val v)
{
    return api_text(env, v, "access_token");
}

static void furnish_sso(void)
{
    api_configure(env, "SSO", "[{\"name\":\"switch\",\"enabled\":true,\"protocol\":\"broadsoft\",\"auto_create_user\":true,"
                              "\"user_creation_rules\":[{\"rule\":\"true\",\"ui_profile\":\"provisioning\"}],"
                              "\"parameters\":{\"proxies\":{\"default\":\"bwks\"}}}]");
    ENV_WAIT(env, 5000, api_login(env, "gwgroup", "group-secret") != NULL);
}

/* Each sees what the gateway lets him; their pages are open at the same time. */
static void two_with_different_rights(void **state)
{
    const char *group, *reseller;

    (void)state;
    furnish_sso();
    api_as("");
    group = token_of(sign_in("gwgroup", "group-secret"));
    reseller = token_of(sign_in("gwreseller", "reseller-secret"));
    for (int turn = 0; turn < 2; turn++) {
        api_as(group);
        take(&(struct step){"group: own", "GET", "/tenants/acme/groups/sales", NULL, 200, "groupId=sales"});
        take(&(struct step){"group: own users", "GET", "/tenants/acme/groups/sales/users", NULL, 200, "users.*.userId:t"});
        take(&(struct step){"group: no tenants", "GET", "/tenants/", NULL, 403, "errors.0.message:t"});
        take(&(struct step){"group: no change above", "PUT", "/tenants/acme/", "{\"name\":\"mine\"}", 403, "errors.0.message:t"});
        api_as(reseller);
        take(&(struct step){"reseller: his tenants", "GET", "/tenants/", NULL, 200, "tenants.0.tenantId=acme"});
        take(&(struct step){"reseller: not others'", "GET", "/tenants/globex/", NULL, 403, "errors.0.message:t"});
    }
    api_setup(NULL);
    take(&(struct step){"platform: nothing changed", "GET", "/tenants/acme", NULL, 200, "name=Acme"});
}

/* A person created on the pages signs in with the password given there, and sees himself only. */
static void people_made_on_the_pages(void **state)
{
    (void)state;
    furnish_sso();
    take(&(struct step){"create", "POST", "/tenants/acme/groups/sales/users/", "{\"userId\":\"new@acme.example\",\"password\":\"brand-new-1\"}", 201, "userId:t"});
    api_as("");
    api_as(token_of(sign_in("new@acme.example", "brand-new-1")));
    take(&(struct step){"himself", "GET", "/tenants/acme/groups/sales/users/new@acme.example", NULL, 200, "userId=new@acme.example"});
    take(&(struct step){"nobody else", "GET", "/tenants/acme/groups/sales/users/ann@acme.example", NULL, 403, "errors.0.message:t"});
    api_setup(NULL);
    take(&(struct step){"delete", "DELETE", "/tenants/acme/groups/sales/users/new@acme.example/", NULL, 200, ""});
    api_as("");
    assert_null(api_login(env, "new@acme.example", "brand-new-1"));
}

/* A user of ours whose profile lets him look and not touch: the interface shows "error" of our own refusals. */
static void rules_of_ours(void **state)
{
    struct val v = api(env, 200, "POST", "/api/v01/system/user_profiles",
                       "{\"name\":\"look\",\"available\":true,\"accesses\":[\"provisioning\",\"provisioning.Main\"],\"api_rules\":["
                       "{\"method\":\"get\",\"url\":\"/api/v01/p1/*\",\"allowed\":true}]}");

    (void)state;
    api(env, 200, "POST", "/api/v01/system/users",
        env_fmt(env, "{\"username\":\"looker\",\"email\":\"l@example.org\",\"language\":\"en\",\"password\":\"Pass-word-123!\",\"profile_id\":%lld}", (long long)api_int(v, "id")));
    api_as(api_login(env, "looker", "Pass-word-123!"));
    take(&(struct step){"menu", "GET", "/api/v01/apio/provisioning/gateways", NULL, 200, "gateways.0.name=Main"});
    take(&(struct step){"look", "GET", "/tenants/", NULL, 200, "tenants.*.tenantId:t"});
    take(&(struct step){"not touch", "POST", "/tenants/", "{\"tenantId\":\"x\"}", 403, "error:t request_id:t"});
    take(&(struct step){"not touch", "DELETE", "/tenants/acme", NULL, 403, "error:t"});
}

/* ---- bad days -------------------------------------------------------------------------------------------------------------- */

static const struct fault_row {
    const char *name, *fault;
    int status;
    const char *shape;
} fault_rows[] = {
    {"the gateway fails", "{\"status\":500}", 500, "errors.0.message:t"},
    {"it is too busy", "{\"status\":429}", 429, "errors.0.message:t"},
    {"half of it worked", "{\"status\":207}", 207, "result:l"},
    {"it is not there", "{\"close_early\":true}", 502, "error:t request_id:t"},
    {"it does not answer", "{\"hang\":true}", 504, "error:t request_id:t"},
    {"it talks nonsense", "{\"garbage\":true}", 502, "error:t request_id:t"},
    {"the call is not known", "{\"status\":404}", 404, "errors.0.message:t"},
};

/* What a page shows then: errors[0].message, else error. */
static void shows_trouble(const struct fault_row *r)
{
    api_setup(NULL);
    control("PUT", "", r->fault);
    take(&(struct step){r->name, "PUT", "/tenants/acme/", "{\"name\":\"Acme\"}", r->status, r->shape});
    control("DELETE", "", NULL);
    take(&(struct step){r->name, "GET", "/tenants/acme", NULL, 200, "tenantId=acme"});
}

static void log_out(struct val tokens)
{
    unsigned char digest[64];
    size_t n;

    assert_true(crypto_digest("sha1", str_c(api_text(env, tokens, "refresh_token")), digest, &n));
    api(env, 200, "GET", env_fmt(env, "/api/v01/auth/logout?sign=sha1:%s", str_cstr(env_arena(env), crypto_hex(env_arena(env), digest, n))), NULL);
}

/*
 * The gateway forgets everybody in the middle of a page.  A user of ours does not notice; a gateway's user gets 401, his refresh
 * token is over too, so that the interface shows the sign-in page instead of trying for ever; then he goes on where he was.
 */
static void sessions_end_in_the_middle(void **state)
{
    struct val v;

    (void)state;
    furnish_sso();
    take(&(struct step){"ours: before", "GET", "/tenants/", NULL, 200, "tenants:l"});
    api_as("");
    v = sign_in("gwgroup", "group-secret");
    api_as(token_of(v));
    take(&(struct step){"theirs: before", "GET", "/tenants/acme/groups/sales", NULL, 200, "groupId=sales"});
    control("PUT", "", "{\"forget_sessions\":true}");
    take(&(struct step){"theirs: over", "PUT", "/tenants/acme/groups/sales/", "{\"groupName\":\"Sales\"}", 401, "error:t"});
    api_as(api_text(env, v, "refresh_token"));
    take(&(struct step){"the interface renews", "GET", "/api/v01/auth/access_token", NULL, 401, "error:t"});
    api_as("");
    v = sign_in("gwgroup", "group-secret");
    api_as(token_of(v));
    take(&(struct step){"theirs: again", "PUT", "/tenants/acme/groups/sales/", "{\"groupName\":\"Sales\"}", 200, "groupName=Sales"});
    log_out(v);
    ENV_WAIT(env, 3000, api_raw(env, "GET", "/api/v01/p1/tenants/acme/groups/sales", NULL).status == 401);
    api_setup(NULL);
    take(&(struct step){"ours: nothing noticed", "GET", "/tenants/", NULL, 200, "tenants:l"});
}

/* The walk left its history: each call of the pages, and the gateway's own record behind one of them. */
static void leaves_its_history(void **state)
{
    const char *count = "SELECT count(*) FROM requests WHERE tenant_id = 'nova' AND site_id = 'hq' AND method = 'put'";

    (void)state;
    ENV_WAIT(env, 5000, strtol(env_psql(env, count), NULL, 10) >= 7);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM requests r WHERE r::text LIKE '%secret-34%' OR r::text LIKE '%trunk-secret-1%'"), "0");
    take(&(struct step){"record", "GET",
                        env_fmt(env, "/api/v01/apio/sync/api/v1/local/audit_records/%s",
                                env_psql(env, "SELECT response #>> '{body,_record_internal_id}' FROM requests WHERE url LIKE '%groups/hq/' AND "
                                              "response_status = 200 ORDER BY id DESC LIMIT 1")),
                        NULL, 200, "internal_id:t south_data:t author_id=gwsystem http_method:t impacted_tenant_id=nova"});
}

/* timeout_s  short only where it is waited for */
static void configure(int timeout_s)
{
    api_configure(env, "gateways",
                  env_fmt(env, "{\"bwks\":{\"url\":\"%s/\",\"timeout\":%d,\"username\":\"gwsystem\",\"password\":\"system-secret\",\"logout_url\":\"/api/v1/logout/\"}}",
                          gateway, timeout_s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(leaves_its_history),       API_TEST(two_with_different_rights),  API_TEST(people_made_on_the_pages),
        API_TEST(rules_of_ours),            API_TEST(sessions_end_in_the_middle),
    };
    int port, failed;

    env = env_start();
    port = env_free_port(env);
    gateway = env_fmt(env, "http://127.0.0.1:%d", port);
    env_spawn(env, "gateway", (const char *const[]){env_program(env, "tests/standin_gateway"), env_fmt(env, "-port=%d", port), NULL}, NULL);
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", "p1.sock");
    ENV_WAIT(env, 5000, env_port_open(port));
    api_admin(env);
    configure(20);
    api_configure(env, "provisioning", "{\"gateways\":[{\"name\":\"Main\",\"prefix\":\"/api/v01/p1\"}]}");
    env_app_start(env, "sluice-proxy", "p1.sock", (const char *const[]){"-workflows", "-proxy=/api/v01/p1:bwks", "-runMigration=false", NULL});
    ENV_WAIT(env, 20000, api_raw(env, "GET", "/api/v01/p1/tenants/", NULL).status == 200);
    failed = CASES(pages, page);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    configure(4);
    api_configuration_heard(env, "p1.sock");
    failed += CASES(fault_rows, shows_trouble);
    failed += CASES(small_pages, page);
    return env_end(env, failed);
}
