/*
 * The OpenAPI document of the custom routes (workflow-engine.md 5.1.7): what a client of this platform may call.
 *
 * Anybody may read it; routes that ask for a token are listed to those who have one.
 */
#include "api/api.h"
#include "api/openapi_schema.h"
#include "base/arena.h"
#include "base/json.h"
#include "format/yaml.h"

static const struct db_stmt stmt_routes = {
    "api_openapi_routes",
    "SELECT r.id, r.method, r.route, r.schema, r.output_schema, r.sync, r.public, r.group_name, a.name, a.description "
    "FROM custom_routes r LEFT JOIN activities a ON a.id = r.activity_id WHERE r.enabled ORDER BY r.id",
    0,
};

static const struct db_stmt *const all[] = {&stmt_routes};
const struct db_stmts api_openapi_stmts = {"api_openapi", all, COUNT_OF(all)};

enum { DOCUMENT_MAX = 64 * 1024 * 1024 };

#define PUBLIC_ROOT "/api/v01/public"
#define PRIVATE_ROOT "/api/v01/custom"

struct document {
    struct api_call *c;
    struct val paths, components, tags;
    bool with_private;
    struct arena *a;
};

/* A route on its way into the document. */
struct route {
    int64_t id;
    struct str method, path;
    struct val schema, output_schema;
    bool sync, is_public;
    struct str group, activity, description;
    struct str key, shape; /* "/x/{id}", and the same with all names left out */
    struct val parameters;
};

/* ---- paths --------------------------------------------------------------------------------------- */

static struct str full_path(const struct route *r, struct str route, struct arena *a)
{
    if (str_starts(route, STR("/api/v01/")))
        return route;
    return str_printf(a, "%s%.*s", r->is_public ? PUBLIC_ROOT : PRIVATE_ROOT, STR_ARG(route));
}

static struct val parameter(struct str name, struct str regex, struct arena *a)
{
    struct val p = val_dict_new(a, 4), schema = val_dict_new(a, 2);

    val_dict_set_c(schema, "type", VAL_STR_LIT("string"));
    if (regex.len > 0)
        val_dict_set_c(schema, "pattern", val_str(str_printf(a, "^(?:%.*s)$", STR_ARG(regex))));
    val_dict_set_c(p, "name", val_str(name));
    val_dict_set_c(p, "in", VAL_STR_LIT("path"));
    val_dict_set_c(p, "required", val_bool(true));
    val_dict_set_c(p, "schema", schema);
    return p;
}

/* The path without expressions, and a parameter for each variable. */
static void read_path(struct route *r, struct arena *a)
{
    struct buf key, shape;
    struct str rest = r->path, literal, name, regex;
    bool more;

    buf_init(&key, DOCUMENT_MAX, a);
    buf_init(&shape, DOCUMENT_MAX, a);
    r->parameters = val_list_new(a, 2);
    do {
        more = route_next_variable(&rest, &literal, &name, &regex);
        buf_add_str(&key, literal);
        buf_add_str(&shape, literal);
        if (!more)
            break;
        buf_addf(&key, "{%.*s}", STR_ARG(name));
        buf_add_c(&shape, "{}");
        val_list_add(r->parameters, parameter(name, regex, a));
    } while (true);
    r->key = buf_str(&key);
    r->shape = buf_str(&shape);
}

static struct str shape_of(struct str key, struct arena *a)
{
    struct route r = {.path = key};

    read_path(&r, a);
    return r.shape;
}

/* Paths that differ in names only are one path of the document: its names count. */
static struct val path_item(struct document *d, struct route *r)
{
    struct val key, item;

    for (size_t i = 0; val_pair_at(d->paths, i, &key, &item); i++) {
        if (!str_eq(shape_of(val_text(key), d->a), r->shape))
            continue;
        for (size_t k = 0; k < val_count(r->parameters); k++) {
            struct val mine = val_at(r->parameters, k);
            struct str rest = val_text(key), literal, name = STR(""), regex;

            for (size_t n = 0; n <= k; n++)
                route_next_variable(&rest, &literal, &name, &regex);
            val_dict_set_c(mine, "name", val_str(name));
        }
        return item;
    }
    item = val_dict_new(d->a, 2);
    val_dict_set_str(d->paths, r->key, item);
    return item;
}

/* ---- operations ----------------------------------------------------------------------------------- */

static struct val content_of(struct val schema, struct arena *a)
{
    struct val content = val_dict_new(a, 1), media = val_dict_new(a, 1);

    val_dict_set_c(media, "schema", schema);
    val_dict_set_c(content, "application/json", media);
    return content;
}

static struct str component_of(const struct route *r, const char *what, struct arena *a)
{
    return str_printf(a, "route%lld.%s", (long long)r->id, what);
}

static struct val request_body(struct document *d, const struct route *r)
{
    struct val body = val_dict_new(d->a, 2);

    val_dict_set_c(body, "required", val_bool(true));
    val_dict_set_c(body, "content",
                   content_of(openapi_schema(r->schema, component_of(r, "body", d->a), d->components, d->a), d->a));
    return body;
}

/* "200", "4XX", "default". */
static bool is_status(struct str s)
{
    if (str_eq_c(s, "default"))
        return true;
    if (s.len != 3 || s.p[0] < '1' || s.p[0] > '5')
        return false;
    return str_eq_c(str_slice(s, 1, 3), "XX") || (s.p[1] >= '0' && s.p[1] <= '9' && s.p[2] >= '0' && s.p[2] <= '9');
}

static struct str status_text(struct str status)
{
    int64_t code;

    return str_to_int(status, &code) ? str_c(http_status_text((int)code)) : STR("other answers");
}

/* Schemas inside of an answer's content, in OpenAPI's dialect. */
static struct val answer_content(struct document *d, const struct route *r, struct str status, struct val content)
{
    struct val out = val_dict_new(d->a, val_count(content)), type, media;

    for (size_t i = 0; val_pair_at(content, i, &type, &media); i++) {
        struct val copy = val_copy(media, d->a), schema = val_get(media, "schema");

        if (!val_is(media, VAL_DICT))
            continue;
        if (!val_is_undef(schema)) {
            struct str name = component_of(r, str_cstr(d->a, status), d->a);

            val_dict_set_c(copy, "schema", openapi_schema(schema, name, d->components, d->a));
        }
        val_dict_set_str(out, val_text(type), copy);
    }
    return out;
}

/* An answer as the route describes it; a bare schema is taken for its JSON. */
static struct val answer(struct document *d, const struct route *r, struct str status, struct val stored)
{
    struct val out = val_dict_new(d->a, 3), content = val_get(stored, "content"), headers = val_get(stored, "headers");
    bool bare = val_is_undef(content) && (!val_is_undef(val_get(stored, "type")) || !val_is_undef(val_get(stored, "properties")));

    if (bare) {
        content = content_of(stored, d->a);
        headers = val_undef(NULL);
    }
    val_dict_set_c(out, "description", val_str(val_get_text(stored, "description", status_text(status))));
    if (val_is(headers, VAL_DICT))
        val_dict_set_c(out, "headers", headers);
    if (val_is(content, VAL_DICT))
        val_dict_set_c(out, "content", answer_content(d, r, status, content));
    return out;
}

static struct val started_schema(struct arena *a)
{
    struct val schema = val_dict_new(a, 2), properties = val_dict_new(a, 2), id = val_dict_new(a, 1), guid = val_dict_new(a, 2);

    val_dict_set_c(id, "type", VAL_STR_LIT("integer"));
    val_dict_set_c(guid, "type", VAL_STR_LIT("string"));
    val_dict_set_c(guid, "format", VAL_STR_LIT("uuid"));
    val_dict_set_c(properties, "id", id);
    val_dict_set_c(properties, "guid", guid);
    val_dict_set_c(schema, "type", VAL_STR_LIT("object"));
    val_dict_set_c(schema, "properties", properties);
    return schema;
}

static struct val responses(struct document *d, const struct route *r)
{
    struct val out = val_dict_new(d->a, 2), one = val_dict_new(d->a, 2), key, value;

    for (size_t i = 0; val_is(r->output_schema, VAL_DICT) && val_pair_at(r->output_schema, i, &key, &value); i++)
        if (is_status(val_text(key)) && val_is(value, VAL_DICT))
            val_dict_set_str(out, val_text(key), answer(d, r, val_text(key), value));
    if (val_count(out) > 0)
        return out;
    val_dict_set_c(one, "description", r->sync ? VAL_STR_LIT("the answer of the workflow") : VAL_STR_LIT("the workflow was started"));
    if (!r->sync)
        val_dict_set_c(one, "content", content_of(started_schema(d->a), d->a));
    val_dict_set_c(out, "200", one);
    return out;
}

static void add_tag(struct document *d, struct str name)
{
    struct val tag = val_dict_new(d->a, 1);

    for (size_t i = 0; i < val_count(d->tags); i++)
        if (str_eq(val_get_text(val_at(d->tags, i), "name", STR("")), name))
            return;
    val_dict_set_c(tag, "name", val_str(name));
    val_list_add(d->tags, tag);
}

static struct val security(const struct route *r, struct arena *a)
{
    struct val list = val_list_new(a, 1), one = val_dict_new(a, 1);

    if (r->is_public)
        return list;
    val_dict_set_c(one, "token", val_list_new(a, 0));
    val_list_add(list, one);
    return list;
}

static struct val operation(struct document *d, const struct route *r)
{
    struct val op = val_dict_new(d->a, 8), tags = val_list_new(d->a, 1);

    val_dict_set_c(op, "operationId", val_str(str_printf(d->a, "route%lld", (long long)r->id)));
    if (r->activity.len > 0)
        val_dict_set_c(op, "summary", val_str(r->activity));
    if (r->description.len > 0)
        val_dict_set_c(op, "description", val_str(r->description));
    if (r->group.len > 0) {
        add_tag(d, r->group);
        val_list_add(tags, val_str(r->group));
        val_dict_set_c(op, "tags", tags);
    }
    if (val_count(r->parameters) > 0)
        val_dict_set_c(op, "parameters", r->parameters);
    if (!val_is_none(r->schema) && !str_eq_c(r->method, "get")) /* OpenAPI gives the body of a GET no meaning */
        val_dict_set_c(op, "requestBody", request_body(d, r));
    val_dict_set_c(op, "responses", responses(d, r));
    val_dict_set_c(op, "security", security(r, d->a));
    return op;
}

/* Where two routes are one operation, the first that is chosen stands; the other is mentioned. */
static void add_route(struct document *d, struct route *r)
{
    struct val item, before;

    read_path(r, d->a);
    item = path_item(d, r);
    before = val_get_str(item, r->method);
    if (val_is_undef(before)) {
        val_dict_set_str(item, r->method, operation(d, r));
        return;
    }
    val_dict_set_c(before, "description",
                   val_str(str_printf(d->a, "%.*s%salso: %.*s", STR_ARG(val_get_text(before, "description", STR(""))),
                                      val_is_undef(val_get(before, "description")) ? "" : "; ", STR_ARG(r->path))));
}

static int read_json(const PGresult *res, int row, int col, struct val *out, struct arena *a, struct err *e)
{
    *out = val_null();
    return db_is_null(res, row, col) ? 0 : json_parse(db_str(res, row, col), out, a, e);
}

static int add_row(struct document *d, const PGresult *res, int row, struct err *e)
{
    struct route r = {
        .id = db_int(res, row, 0),
        .method = db_str(res, row, 1),
        .sync = db_bool(res, row, 5),
        .is_public = db_bool(res, row, 6),
        .group = db_str(res, row, 7),
        .activity = db_str(res, row, 8),
        .description = db_str(res, row, 9),
    };

    r.path = full_path(&r, db_str(res, row, 2), d->a);
    r.is_public = r.is_public && str_starts(r.path, STR(PUBLIC_ROOT "/"));
    if (!r.is_public && !d->with_private)
        return 0;
    if (read_json(res, row, 3, &r.schema, d->a, e) != 0 || read_json(res, row, 4, &r.output_schema, d->a, e) != 0)
        return -1;
    add_route(d, &r);
    return 0;
}

/* ---- the document ----------------------------------------------------------------------------------- */

static struct val info(const struct api_call *c)
{
    struct val v = val_dict_new(c->a, 2);
    struct str label = cfg_text(c->cfg, "gui.label");

    val_dict_set_c(v, "title", label.len > 0 ? val_str(label) : VAL_STR_LIT("Custom routes"));
    val_dict_set_c(v, "version", val_str_c(SLUICE_VERSION));
    return v;
}

static struct val schemes(struct arena *a)
{
    struct val all_of_them = val_dict_new(a, 1), token = val_dict_new(a, 3);

    val_dict_set_c(token, "type", VAL_STR_LIT("http"));
    val_dict_set_c(token, "scheme", VAL_STR_LIT("bearer"));
    val_dict_set_c(all_of_them, "token", token);
    return all_of_them;
}

static struct val assemble(const struct document *d)
{
    struct val doc = val_dict_new(d->a, 5), components = val_dict_new(d->a, 2);

    val_dict_set_c(doc, "openapi", VAL_STR_LIT("3.0.3"));
    val_dict_set_c(doc, "info", info(d->c));
    if (val_count(d->tags) > 0)
        val_dict_set_c(doc, "tags", d->tags);
    val_dict_set_c(doc, "paths", d->paths);
    val_dict_set_c(components, "securitySchemes", schemes(d->a));
    if (val_count(d->components) > 0)
        val_dict_set_c(components, "schemas", d->components);
    val_dict_set_c(doc, "components", components);
    return doc;
}

/* A token that is no good is none: this is no place to be sent away from. */
static bool is_signed_in(struct api_call *c)
{
    struct str bearer = http_req_bearer(c->req);
    struct err e;

    return bearer.len > 0 &&
           api_identify(c, bearer, c->req->remote_addr, "user", &e) == 0;
}

int custom_routes_openapi(struct api_call *c, struct err *e)
{
    struct document d = {
        .c = c,
        .paths = val_dict_new(c->a, 16),
        .components = val_dict_new(c->a, 4),
        .tags = val_list_new(c->a, 4),
        .with_private = is_signed_in(c),
        .a = c->a,
    };
    PGresult *res = NULL;
    struct buf text;

    if (db_query_in(c->conn, &stmt_routes, DB_NO_ARGS, &res, c->a, e) != 0)
        return -1;
    for (int row = 0; row < PQntuples(res); row++)
        if (add_row(&d, res, row, e) != 0)
            return -1;
    buf_init(&text, DOCUMENT_MAX, c->a);
    yaml_write(assemble(&d), &text);
    c->content_type = STR("application/yaml");
    c->text = buf_str(&text);
    return 0;
}
