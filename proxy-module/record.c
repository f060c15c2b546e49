/*
 * The history of proxied calls: one row of `requests` per call, without instance, secrets masked (gateway-proxy.md 8).
 *
 * Built before the answer lets go of the request, written behind it (history.c).
 */
#include "base/arena.h"
#include "base/ip_net.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "gateway/mask.h"
#include "http/url.h"
#include "proxy_int.h"
#include "record.h"

#define COLUMNS                                                                                                    \
    "(id, created_on, updated_on, status, method, url, details, response, response_status, runtime_ms, user_id, " \
    "owner, client_ip, proxy_gateway_host, gateway, entity_type, tenant_id, site_id, numbers)"

static const struct writer_stmt stmt_insert = {
    .name = "proxy_request_insert",
    .sql = "INSERT INTO requests " COLUMNS " "
           "SELECT i, c, u, s, m, l, d, r, rs, ms, ui, o, ip::inet, pg, g, et, t, si, n FROM unnest($1::bigint[], "
           "$2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::json[], $8::json[], $9::bigint[], "
           "$10::float8[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], "
           "$18::text[], $19::text[]) AS x(i, c, u, s, m, l, d, r, rs, ms, ui, o, ip, pg, g, et, t, si, n) "
           "ON CONFLICT DO NOTHING", /* a row may go out again when it is not known whether it was stored */
    .types = "izztttjjifitttttttt",
    .rank = 10,
};

enum { FIELD_MAX = 255, NUMBERS_MAX = 50 };
enum { ARG_ID = 0, ARG_DETAILS = 6, ARG_RESPONSE = 7, N_ARGS = 19 };

const struct history_kind record_kind = {
    .stmt = &stmt_insert,
    .copy = {.sql = "COPY requests " COLUMNS " FROM STDIN (FORMAT binary)", .types = "izztttjjkfktntttttt"},
    .n_args = N_ARGS,
    .id_arg = ARG_ID,
    .detail_args = {ARG_DETAILS, ARG_RESPONSE},
    .detail_instead = "{\"dropped\":true}",
};

/* What the path and the body say about whom the call concerns. */
struct impact {
    struct str entity_type, tenant_id, site_id, numbers;
};

/* The database takes no NUL and no ill-formed text, and would refuse the row for it: nobody may hide his calls that way. */
static struct str readable(struct str s, struct arena *a)
{
    return utf8_check(s) == s.len ? s : utf8_repair(a, s);
}

/* The beginning of a text for a column, none when it cannot stand there. */
static struct str column_text(struct str s)
{
    size_t n = s.len > FIELD_MAX ? FIELD_MAX : s.len;

    if (s.p == NULL || utf8_check(s) < s.len || str_find_char(s, '\0') >= 0)
        return STR_NONE;
    while (n < s.len && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    return str_slice(s, 0, n);
}

static struct str field(struct str raw, struct arena *a)
{
    return column_text(url_decode(raw, false, a));
}

/* What stands between an object and its collections: "services/trunk_groups/K", "configs/phone_types". */
static bool is_shelf(struct str segment)
{
    static const char *const shelves[] = {"services", "features", "properties", "analytics", "reporting", "number_inventory",
                                          "configs",  "system",   "local",      "search",    "config"};

    for (size_t i = 0; i < COUNT_OF(shelves); i++)
        if (segment.p[0] == shelves[i][0] && str_eq_c(segment, shelves[i]))
            return true;
    return false;
}

static void impact_of_path(struct str rest, struct impact *out, struct arena *a)
{
    struct str previous = STR_NONE;
    bool collection = true; /* collections and their items alternate */

    str_cut(&rest, '/');
    while (rest.len > 0) {
        struct str segment = str_cut(&rest, '/');

        if (segment.len == 0)
            continue;
        if (str_eq(previous, STR("tenants")))
            out->tenant_id = field(segment, a);
        else if (str_eq(previous, STR("groups")))
            out->site_id = field(segment, a);
        else if (str_eq(previous, STR("users")) || str_eq(previous, STR("numbers")))
            out->numbers = field(segment, a);
        if (collection || (str_eq(segment, STR("tenants")) && !str_eq(previous, segment))) { /* a segment of the vendor may stand before it */
            out->entity_type = field(segment, a);
            collection = is_shelf(segment);
        } else {
            collection = true;
        }
        previous = segment;
    }
}

static void add_numbers(struct val v, struct buf *out, int *n)
{
    struct val key, item;

    if (val_is(v, VAL_LIST)) {
        for (size_t i = 0; i < val_count(v) && *n < NUMBERS_MAX; i++)
            add_numbers(val_at(v, i), out, n);
    } else if (val_is(v, VAL_DICT)) {
        for (size_t i = 0; val_pair_at(v, i, &key, &item) && *n < NUMBERS_MAX; i++) {
            if (str_eq(val_text(key), STR("phoneNumber")) && val_is(item, VAL_STR)) {
                struct str number = column_text(val_text(item));

                if (out->len > 0 && number.len > 0)
                    buf_putc(out, ',');
                buf_add_str(out, number);
                (*n)++;
            } else {
                add_numbers(item, out, n);
            }
        }
    }
}

static struct str text_of(struct val body, const char *name)
{
    return column_text(val_get_text(body, name, STR_NONE));
}

static void impact_of_body(const struct http_req *r, struct impact *out, struct arena *a)
{
    struct err e = {0};
    struct buf numbers;
    struct val body;
    int n = 0;

    if (r->body.len == 0 || r->body.len > LIMIT_RESPONSE_KEPT || json_parse(r->body, &body, a, &e) != 0)
        return;
    if (r->method == HTTP_POST) {
        if (out->tenant_id.p == NULL)
            out->tenant_id = text_of(body, "tenantId");
        if (out->site_id.p == NULL)
            out->site_id = text_of(body, "groupId");
        if (out->numbers.p == NULL)
            out->numbers = text_of(body, "userId");
    }
    buf_init(&numbers, 4096, a);
    add_numbers(body, &numbers, &n);
    if (n > 0)
        out->numbers = buf_str(&numbers);
}

/* name: one of ours, nothing to escape in it. */
static void member_name(struct buf *out, struct str name)
{
    char *p = buf_reserve(out, name.len + 4);

    if (p == NULL)
        return;
    if (p[-1] != '{')
        *p++ = ',';
    *p++ = '"';
    memcpy(p, name.p, name.len);
    p += name.len;
    *p++ = '"';
    *p++ = ':';
    out->len = (size_t)(p - out->p);
}

static void member(struct buf *out, struct str name, struct str value)
{
    member_name(out, name);
    json_write_string(value, JSON_COMPACT, out);
}

static void member_json(struct buf *out, struct str name, struct val v)
{
    member_name(out, name);
    json_write(v, JSON_COMPACT, 0, out);
}

/* A body as the interface shows it: data when it is JSON and was kept whole, else text. */
static void member_body(struct buf *out, struct str body, struct str type, bool whole, struct arena *a)
{
    if (body.len == 0) {
        member_json(out, STR("body"), val_null());
        return;
    }
    member_name(out, STR("body"));
    if (!whole || !mask_json(body, out, a))
        json_write_string(mask_body(type, body, LIMIT_RESPONSE_KEPT, a), JSON_COMPACT, out);
}

static struct str url_of(const struct call *c, struct arena *a)
{
    struct str query = url_query_without(c->r->query, "auth_token", a);

    if (query.len == 0)
        return c->path;
    return mask_url(str_printf(a, "%.*s?%.*s", STR_ARG(c->path), STR_ARG(readable(query, a))), a);
}

static struct str gateway_url(const struct call *c, struct arena *a)
{
    struct buf out;

    buf_init(&out, SIZE_MAX / 2, a);
    (void)buf_reserve(&out, c->target.origin.len + c->target.path.len);
    buf_add_str(&out, c->target.origin);
    buf_add_str(&out, readable(c->target.path, a));
    return mask_url(buf_str(&out), a);
}

/* Milliseconds with three decimals; for every call, so not through printf. */
static void member_ms(struct buf *out, struct str name, int64_t us)
{
    int64_t part = us < 0 ? 0 : us % 1000;

    member_name(out, name);
    buf_add_int(out, us < 0 ? 0 : us / 1000);
    buf_putc(out, '.');
    for (int64_t unit = 100; unit > 0; unit /= 10)
        buf_putc(out, (char)('0' + part / unit % 10));
}

/* Where the time went; what is left is ours. */
static void add_timing(const struct call *c, struct buf *out)
{
    buf_add_c(out, ",\"timing\":{");
    member_ms(out, STR("queue_ms"), c->queue_us);
    member_ms(out, STR("gateway_ms"), c->gateway_us);
    member_ms(out, STR("database_ms"), c->database_us);
    member_ms(out, STR("total_ms"), c->total_us);
    buf_putc(out, '}');
}

static struct str details(const struct call *c, struct str url, struct arena *a)
{
    const struct http_req *r = c->r;
    struct str tail = str_slice(c->path, c->mount->map->prefix.len, c->path.len);
    struct str query = url_query_without(r->query, "auth_token", a);
    struct buf out;

    buf_init(&out, 1 * MIB, a);
    (void)buf_reserve(&out, 512);
    buf_putc(&out, '{');
    member(&out, STR("method"), r->method_name);
    member(&out, STR("url"), url);
    member(&out, STR("tail"), tail.len > 0 ? str_slice(tail, 1, tail.len) : tail);
    member_json(&out, STR("params"), mask_value(url_query_parse(query, a), a));
    buf_add_c(&out, ",\"match_info\":{");
    member(&out, STR("proxy"), c->mount->map->name);
    buf_putc(&out, '}');
    member(&out, STR("content_type"), readable(r->content_type, a));
    if (c->body_streams)
        member(&out, STR("body"), str_printf(a, "%llu bytes", (unsigned long long)c->body_got));
    else
        member_body(&out, r->body, r->content_type, r->body.len <= LIMIT_RESPONSE_KEPT, a);
    if (c->target.origin.len > 0)
        member(&out, STR("gateway_url"), gateway_url(c, a));
    member(&out, STR("request_id"), str_c(r->id));
    member(&out, STR("trace_id"), trace_id(&c->trace));
    add_timing(c, &out);
    buf_add_c(&out, ",\"user\":{");
    member_json(&out, STR("id"), val_int(c->user.id));
    member(&out, STR("username"), c->user.username);
    buf_add_c(&out, "}}");
    return buf_str(&out);
}

/* Their names are tokens: nothing to escape there. */
static void member_headers(struct buf *out, struct val headers, struct arena *a)
{
    struct val key, value;

    member_name(out, STR("headers"));
    buf_putc(out, '{');
    for (size_t i = 0; val_pair_at(headers, i, &key, &value); i++)
        member(out, val_text(key), mask_header(val_text(key)) ? STR(MASK_SHOWN) : readable(val_text(value), a));
    buf_putc(out, '}');
}

static struct str response(const struct call *c, struct arena *a)
{
    struct buf out;

    if (c->status == 0)
        return STR_NONE;
    buf_init(&out, 1 * MIB, a);
    (void)buf_reserve(&out, c->kept.len + 512);
    buf_putc(&out, '{');
    member_json(&out, STR("status"), val_int(c->status));
    member_headers(&out, c->answer_headers, a);
    member_body(&out, buf_str(&c->kept), c->answer_type, !c->truncated && c->kept.len <= LIMIT_RESPONSE_KEPT, a);
    if (c->truncated)
        member_json(&out, STR("truncated"), val_bool(true));
    buf_putc(&out, '}');
    return buf_str(&out);
}

/* Into the memory of the row, in which only this stays. */
static struct db_arg keep(struct str s, struct arena *a)
{
    return s.p != NULL ? DB_STR(str_dup(a, s)) : DB_NULL;
}

void record_add(struct call *c)
{
    const struct http_req *r = c->r;
    struct loop *loop = loop_is_current(r->loop) ? r->loop : NULL;
    struct arena *scratch = r->a, *a;
    struct history_row *row = history_begin(c->proxy->history, loop, &a);
    struct impact im = {0};
    struct ip_net net;
    struct str url = url_of(c, scratch);
    bool ok = c->status > 0 && c->status < 400;

    impact_of_path(c->rest, &im, scratch);
    impact_of_body(r, &im, scratch);
    memcpy(row->args,
           (const struct db_arg[N_ARGS]){
               DB_INT(0), /* given later */
               DB_TIME(c->started_us),
               DB_TIME(c->started_us + c->total_us),
               ok ? DB_C("SUCCESS") : DB_C("ERROR"),
               keep(str_lower(scratch, r->method_name), a),
               keep(url, a),
               keep(details(c, url, scratch), a),
               keep(response(c, scratch), a),
               DB_INT(c->status),
               DB_FLOAT((double)c->total_us / 1000.0),
               DB_INT(c->user.id),
               keep(c->user.username, a),
               ip_net_parse(r->remote_addr, &net) ? keep(r->remote_addr, a) : DB_NULL, /* nginx says "unix:" where it listens on one */
               DB_STR(c->mount->map->prefix),
               DB_STR(c->mount->map->gateway),
               keep(im.entity_type, a),
               keep(im.tenant_id, a),
               keep(im.site_id, a),
               keep(im.numbers, a),
           },
           N_ARGS * sizeof *row->args);
    history_put(c->proxy->history, loop, row);
}
