/*
 * The stand-in gateway's data: items of collections, as JSON texts in the order they came; and its
 * audit records.
 */
#include "support/gateway_int.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"

/* ---- items
 * ------------------------------------------------------------------------------------------- */

static struct gw_item **find(struct gateway *g, struct str collection, struct str id)
{
    struct gw_item **at = &g->items;

    while (*at != NULL && !(str_eq_c(collection, (*at)->collection) && str_eq_c(id, (*at)->id)))
        at = &(*at)->next;
    return at;
}

void gw_store_put(struct gateway *g, struct str collection, struct str id, struct val v)
{
    struct gw_item **at = find(g, collection, id);
    struct arena *a = arena_new(0);
    struct str text = json_text(v, a);

    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at == NULL)
            abort();
        (*at)->collection = gw_strdup(collection);
        (*at)->id = gw_strdup(id);
    }
    free((*at)->json);
    (*at)->json = gw_strdup(text);
    arena_free(a);
}

static struct val read_item(const struct gw_item *item, struct arena *a)
{
    struct val v = val_undef(NULL);
    struct err e;

    if (item != NULL && json_parse_copy(str_c(item->json), &v, a, &e) != 0)
        abort(); /* we wrote it */
    return v;
}

struct val gw_store_get(struct gateway *g, struct str collection, struct str id, struct arena *a)
{
    return read_item(*find(g, collection, id), a);
}

static void drop(struct gw_item **at)
{
    struct gw_item *item = *at;

    *at = item->next;
    free(item->collection);
    free(item->id);
    free(item->json);
    free(item);
}

bool gw_store_delete(struct gateway *g, struct str collection, struct str id)
{
    struct gw_item **at = find(g, collection, id);
    struct arena *a;
    struct str below;

    if (*at == NULL)
        return false;
    drop(at);
    a = arena_new(0);
    below = str_printf(a, "%.*s/%.*s/", STR_ARG(collection), STR_ARG(id));
    for (at = &g->items; *at != NULL;) {
        if (str_starts(str_c((*at)->collection), below))
            drop(at);
        else
            at = &(*at)->next;
    }
    arena_free(a);
    return true;
}

struct val gw_store_list(struct gateway *g, struct str collection, struct arena *a)
{
    struct val out = val_list_new(a, 16);

    for (const struct gw_item *i = g->items; i != NULL; i = i->next) {
        if (str_eq_c(collection, i->collection))
            val_list_add(out, read_item(i, a));
    }
    return out;
}

struct val gw_store_all(struct gateway *g, struct str suffix, struct arena *a)
{
    struct val out = val_list_new(a, 16);

    for (const struct gw_item *i = g->items; i != NULL; i = i->next) {
        struct val pair;

        if (!str_ends(str_c(i->collection), suffix))
            continue;
        pair = val_list_new(a, 2);
        val_list_add(pair, read_item(i, a));
        val_list_add(pair, val_str_dup(a, str_c(i->collection)));
        val_list_add(out, pair);
    }
    return out;
}

void gw_store_drop(struct gateway *g, struct str collection)
{
    for (struct gw_item **at = &g->items; *at != NULL;) {
        if (str_eq_c(collection, (*at)->collection))
            drop(at);
        else
            at = &(*at)->next;
    }
}

void gw_store_clear(struct gateway *g)
{
    while (g->items != NULL)
        drop(&g->items);
}

void gw_store_seed(struct gateway *g)
{
    static const struct {
        const char *collection, *id, *json;
    } rows[] = {
        {"tenants", "acme",
         "{\"tenantId\":\"acme\",\"name\":\"Acme\",\"type\":\"Enterprise\",\"resellerId\":"
         "\"north\","
         "\"defaultDomain\":\"acme.example\",\"useCustomRoutingProfile\":false}"},
        {"tenants", "globex",
         "{\"tenantId\":\"globex\",\"name\":\"Globex\",\"type\":\"ServiceProvider\",\"resellerId\":"
         "\"south\","
         "\"defaultDomain\":\"globex.example\",\"useCustomRoutingProfile\":false}"},
        {"tenants/acme/groups", "sales",
         "{\"groupId\":\"sales\",\"groupName\":\"Sales\",\"tenantId\":\"acme\",\"userLimit\":100,"
         "\"userCount\":2}"},
        {"tenants/acme/groups", "support",
         "{\"groupId\":\"support\",\"groupName\":\"Support\",\"tenantId\":\"acme\",\"userLimit\":"
         "50,\"userCount\":0}"},
        {"tenants/acme/groups/sales/users", "ann@acme.example",
         "{\"userId\":\"ann@acme.example\",\"firstName\":\"Ann\",\"lastName\":\"Archer\","
         "\"phoneNumber\":\"+3225550001\","
         "\"extension\":\"001\",\"inTrunkGroup\":false}"},
        {"tenants/acme/groups/sales/users", "bob@acme.example",
         "{\"userId\":\"bob@acme.example\",\"firstName\":\"Bob\",\"lastName\":\"Baker\","
         "\"phoneNumber\":\"\","
         "\"extension\":\"002\",\"inTrunkGroup\":true}"},
        {"tenants/acme/groups/sales/services/trunk_groups", "main",
         "{\"name\":\"main\",\"groupId\":\"sales\",\"deviceName\":\"sbc1\",\"deviceLevel\":"
         "\"Group\"}"},
        {"tenants/acme/numbers", "+3225550001",
         "{\"phoneNumber\":\"+3225550001\",\"assignedToGroup\":\"sales\"}"},
        {"tenants/acme/numbers", "+3225550002",
         "{\"phoneNumber\":\"+3225550002\",\"assignedToGroup\":\"\"}"},
        {"tenants/acme/groups/sales/numbers", "+3225550001",
         "{\"phoneNumber\":\"+3225550001\",\"userId\":\"ann@acme.example\",\"userType\":\"Normal\","
         "\"extension\":\"001\"}"},
    };
    struct arena *a = arena_new(0);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct val v;
        struct err e;

        if (json_parse(str_c(rows[i].json), &v, a, &e) != 0)
            abort();
        gw_store_put(g, str_c(rows[i].collection), str_c(rows[i].id), v);
    }
    arena_free(a);
}

/* ---- audit records (gateway-proxy.md 6.4)
 * -------------------------------------------------------------- */

/* "<uuid>-<epoch>.<fraction>" */
static struct str new_record_id(struct arena *a)
{
    int64_t us = clock_wall_us(&clock_system);
    char id[ID_LEN + 1];

    gw_random_id(id);
    return str_printf(a, "%.8s-%.4s-%.4s-%.4s-%.12s-%lld.%06lld", id, id + 8, id + 12, id + 16,
                      id + 20, (long long)(us / 1000000), (long long)(us % 1000000));
}

/* The segment behind `name` in the path, or null. */
static struct val behind(struct str path, const char *name, struct arena *a)
{
    while (path.len > 0) {
        if (str_eq_c(str_cut(&path, '/'), name)) {
            struct str value = str_cut(&path, '/');

            return value.len > 0 ? val_str_dup(a, value) : val_null();
        }
    }
    return val_null();
}

static struct val record_of(const struct gw_request *r, const struct gw_account *who,
                            struct val body, const struct gw_answer *out, struct str id,
                            struct arena *a)
{
    struct val v = val_dict_new(a, 20);
    char now[CLOCK_ISO_MAX];

    clock_iso(clock_wall_us(&clock_system), now);
    val_dict_set_c(v, "internal_id", val_str(id));
    val_dict_set_c(v, "end_point_name", val_str(r->path));
    val_dict_set_c(v, "end_point_full_url", val_str(r->target));
    val_dict_set_c(v, "http_method", val_str(r->method));
    val_dict_set_c(v, "impacted_tenant_id", behind(r->path, "tenants", a));
    val_dict_set_c(v, "impacted_group_id", behind(r->path, "groups", a));
    val_dict_set_c(v, "impacted_user_id", behind(r->path, "users", a));
    val_dict_set_c(v, "impacted_specific_id", val_null());
    val_dict_set_c(v, "author_id", who != NULL ? val_str_c(who->username) : val_null());
    val_dict_set_c(v, "author_role", who != NULL ? val_int(who->level) : val_null());
    val_dict_set_c(v, "request_time", val_str_dup(a, str_c(now)));
    val_dict_set_c(v, "request_data", val_str(r->query));
    /* The password of a login stays out of it. */
    val_dict_set_c(v, "request_payload", str_eq_c(r->path, "/api/v1/login/") ? val_null() : body);
    val_dict_set_c(v, "status_code", val_int(out->status));
    val_dict_set_c(v, "answer_time", val_str_dup(a, str_c(now)));
    val_dict_set_c(v, "answer_data", val_null());
    val_dict_set_c(v, "answer_payload",
                   val_is_undef(val_get(out->body, "filler")) ? out->body : val_null());
    val_dict_set_c(v, "extra_data", val_null());
    val_dict_set_c(
        v, "south_data",
        val_str(str_printf(
            a,
            "[{\"timestamp\":\"%lld.0\",\"protocol\":\"BS-OCI\",\"type\":\"request\",\"id\":\"1\","
            "\"content\":\"<command/>\"},{\"timestamp\":\"%lld.1\",\"protocol\":\"BS-OCI\","
            "\"type\":\"response\",\"id\":\"1\",\"content\":\"<command/>\"}]",
            (long long)(clock_wall_us(&clock_system) / 1000000),
            (long long)(clock_wall_us(&clock_system) / 1000000))));
    return v;
}

void gw_audit(struct gateway *g, const struct gw_request *r, const struct gw_account *who,
              struct val body, struct gw_answer *out)
{
    struct gw_record *rec = &g->records[g->next_record];
    struct str id = new_record_id(r->a);

    free(rec->id);
    free(rec->json);
    rec->id = gw_strdup(id);
    rec->json = gw_strdup(json_text(record_of(r, who, body, out, id, r->a), r->a));
    g->next_record = (g->next_record + 1) % RECORDS;
    if (val_is(out->body, VAL_DICT))
        val_dict_set_c(out->body, "_record_internal_id", val_str(id));
}

struct val gw_audit_find(struct gateway *g, struct str id, struct arena *a)
{
    struct val v = val_undef(NULL);
    struct err e;

    for (size_t i = 0; i < RECORDS; i++) {
        if (g->records[i].id == NULL || !str_eq_c(id, g->records[i].id))
            continue;
        if (json_parse_copy(str_c(g->records[i].json), &v, a, &e) != 0)
            v = val_undef(NULL); /* a payload as deep as json may be is too deep inside a record */
        break;
    }
    return v;
}
