/*
 * The forwarding rules.
 */
#include "policy.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "http/header.h"
#include "http/url.h"

int policy_target(const struct cfg_gateway *g, struct str base, struct str rest, struct str query,
                  struct policy_target *out, struct arena *a, struct err *e)
{
    struct url u;
    struct buf path;

    if (url_parse(base, &u, a, e) != 0)
        return -1;
    out->origin = url_origin(&u, a);
    out->host = str_slice(out->origin, u.scheme.len + 3, out->origin.len);
    out->root = str_printf(a, "%.*s%.*s", STR_ARG(u.path), STR_ARG(g->api_root));
    query = url_query_without(query, "auth_token", a);
    buf_init(&path, out->root.len + rest.len + query.len + 2, a);
    buf_add_str(&path, out->root);
    buf_add_str(&path, rest);
    if (rest.len == 0 || (g->append_slash && rest.p[rest.len - 1] != '/'))
        buf_putc(&path, '/');
    if (query.len > 0) {
        buf_putc(&path, '?');
        buf_add_str(&path, query);
    }
    out->path = buf_str(&path);
    return 0;
}

/* Request headers that never cross; others do.  Names as prefixes where marked with '*'. */
static const char *const request_kept_back[] = {
    "connection", "keep-alive", "proxy*", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length",
    "expect", "authorization", "cookie", "origin", "x-forwarded-*", "forwarded", "x-real-ip", "accept-encoding", "user-agent",
    "x-request-id",
};
/* Those that do cross; "x-*" too. */
static const char *const request_forwarded[] = {
    "accept", "accept-language", "content-type", "content-language", "if-*", "range", "x-*", "tracestate",
};
static const char *const response_relayed[] = {
    "content-disposition", "content-language", "cache-control", "etag", "last-modified", "retry-after", "link",
    "warning", "x-*", "content-range", "accept-ranges", "expires", "vary", "allow",
};

static bool listed(struct str name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str row;

        if (name.len == 0 || list[i][0] != name.p[0])
            continue;
        row = str_c(list[i]);
        if (row.p[row.len - 1] == '*' ? str_starts(name, str_slice(row, 0, row.len - 1)) : str_eq(name, row))
            return true;
    }
    return false;
}

bool policy_response_header(struct str name)
{
    return listed(name, response_relayed, COUNT_OF(response_relayed)) && !str_eq(name, STR("x-request-id"));
}

static void add_header(struct buf *out, struct str name, struct str value)
{
    buf_add_str(out, name);
    buf_add_c(out, ": ");
    buf_add_str(out, value);
    buf_add_c(out, "\r\n");
}

static bool overridden(struct str name, const struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_ieq(headers[i].name, name))
            return true;
    }
    return false;
}

/* DELETE and GET bodies come as text/plain from browsers although they hold JSON (gateway-proxy.md 2.4). */
static struct str content_type_of(const struct http_req *r, struct arena *a)
{
    struct str media = header_media_type(r->content_type, a);
    struct err e = {0};
    struct val v;

    if ((r->method != HTTP_DELETE && r->method != HTTP_GET) || r->body.len == 0 ||
        (media.len > 0 && !str_eq(media, STR("text/plain"))))
        return r->content_type;
    return json_parse(r->body, &v, a, &e) == 0 ? STR("application/json") : r->content_type;
}

struct str policy_content_type(const struct http_req *r, const struct cfg_gateway *g, struct arena *a)
{
    for (size_t i = 0; i < g->n_headers; i++) {
        if (str_ieq(g->headers[i].name, STR("content-type")))
            return g->headers[i].value;
    }
    return content_type_of(r, a);
}

int policy_request_line(const struct http_req *r, struct err *e)
{
    if (!header_is_token(r->method_name) || r->method_name.len > 32) {
        err_set(e, ERR_INVALID, "the method is no token");
        return -1;
    }
    if (str_find_char(r->path, '#') >= 0) { /* what is behind it, a server may leave away: rules would see another path */
        err_set(e, ERR_INVALID, "path: a character that must be escaped");
        return -1;
    }
    for (size_t i = 0; i < r->query.len; i++) {
        unsigned char c = (unsigned char)r->query.p[i];

        if (c <= ' ' || c == 0x7f || c == '#') {
            err_set(e, ERR_INVALID, "query: a character that must be escaped");
            return -1;
        }
    }
    return 0;
}

struct str policy_other_call(const struct http_req *r)
{
    static const char *const names[] = {"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (http_req_header(r, names[i]).len > 0)
            return str_c(names[i]);
    }
    return STR_NONE;
}

/* Named by the client's Connection header: for the next hop only (RFC 9110 7.6.1). */
static bool hop_only(struct str name, struct str connection)
{
    while (connection.len > 0) {
        if (str_ieq(str_trim(str_cut(&connection, ',')), name))
            return true;
    }
    return false;
}

static void add_client_headers(struct buf *out, struct http_req *r, const struct cfg_gateway *g, bool has_body,
                               struct arena *a)
{
    struct str connection = http_req_header(r, "connection");
    struct http_header *headers;
    size_t n = http_req_headers(r, &headers);

    for (size_t i = 0; i < n; i++) {
        struct str name = headers[i].name;

        if (str_eq(name, STR("content-type")) || listed(name, request_kept_back, COUNT_OF(request_kept_back)) ||
            !listed(name, request_forwarded, COUNT_OF(request_forwarded)) || hop_only(name, connection) ||
            overridden(name, g->headers, g->n_headers) || !header_is_token(name) || !header_is_value(headers[i].value))
            continue;
        add_header(out, name, headers[i].value);
    }
    if (has_body && !overridden(STR("content-type"), g->headers, g->n_headers)) {
        struct str type = content_type_of(r, a);

        if (type.len > 0 && header_is_value(type))
            add_header(out, STR("content-type"), type);
    }
}

/* An outbound proxy without a tunnel reads the head: those of a tunnel libcurl sends (RFC 9110 11.7.2). */
static void add_proxy_credentials(struct buf *out, struct str proxy, struct arena *a)
{
    struct url u;
    struct err ignored;
    struct str user;

    if (url_parse(proxy, &u, a, &ignored) != 0 || u.userinfo.len == 0)
        return;
    user = str_cut(&u.userinfo, ':');
    add_header(out, STR("Proxy-Authorization"), gw_basic(url_decode(user, false, a), url_decode(u.userinfo, false, a), a));
}

struct str policy_request_head(struct http_req *r, const struct cfg_gateway *g, const struct policy_target *t,
                               const struct gw_session *session, bool has_body, uint64_t body_len, struct str traceparent,
                               struct arena *a)
{
    struct buf out;

    buf_init(&out, LIMIT_HEADERS + LIMIT_TARGET * 2, a);
    (void)buf_reserve(&out, 1 * KIB);
    buf_add_str(&out, r->method_name);
    buf_putc(&out, ' ');
    if (g->proxy.len > 0 && str_starts(t->origin, STR("http:")))
        buf_add_str(&out, t->origin); /* absolute form for an outbound proxy without a tunnel (RFC 9112 3.2.2) */
    buf_add_str(&out, t->path);
    buf_add_c(&out, " HTTP/1.1\r\n");
    add_header(&out, STR("Host"), t->host);
    if (g->proxy.len > 0 && str_starts(t->origin, STR("http:")))
        add_proxy_credentials(&out, g->proxy, a);
    add_client_headers(&out, r, g, has_body, a);
    for (size_t i = 0; i < g->n_headers; i++)
        add_header(&out, g->headers[i].name, g->headers[i].value);
    for (size_t i = 0; session != NULL && i < session->n_headers; i++) {
        if (!overridden(session->headers[i].name, g->headers, g->n_headers))
            add_header(&out, session->headers[i].name, session->headers[i].value);
    }
    add_header(&out, STR("Accept-Encoding"), STR("identity"));
    add_header(&out, STR("X-Forwarded-For"), r->remote_addr);
    add_header(&out, STR("X-Forwarded-Proto"), r->scheme);
    add_header(&out, STR("X-Request-Id"), str_c(r->id));
    if (traceparent.len > 0 && !overridden(STR("traceparent"), g->headers, g->n_headers))
        add_header(&out, STR("traceparent"), traceparent);
    add_header(&out, STR("User-Agent"), STR("sluice/" SLUICE_VERSION));
    if (has_body && body_len == POLICY_CHUNKED)
        add_header(&out, STR("Transfer-Encoding"), STR("chunked"));
    else if (has_body)
        buf_addf(&out, "Content-Length: %llu\r\n", (unsigned long long)body_len);
    buf_add_c(&out, "\r\n");
    return out.over ? STR_NONE : buf_str(&out);
}

struct str policy_root(const struct cfg_gateway *g, struct arena *a)
{
    struct err e = {0};
    struct url base;

    if (url_parse(g->url, &base, a, &e) != 0)
        return g->api_root;
    return str_printf(a, "%.*s%.*s", STR_ARG(base.path), STR_ARG(g->api_root));
}

/* From the path on, of a URL of the gateway; .p NULL: of another server, or under somebody else's name. */
static struct str behind_origin(struct str url, struct str origin, struct arena *a)
{
    struct url u;
    struct err ignored;

    if (url_parse(url, &u, a, &ignored) != 0 || u.path.len == 0 || u.userinfo.p != NULL || !str_ieq(url_origin(&u, a), origin))
        return STR_NONE;
    return str_slice(url, (size_t)(u.path.p - url.p), url.len);
}

/* Does a reference begin with a scheme?  A colon behind a slash, a question mark or a number sign makes none. */
static bool has_scheme(struct str reference)
{
    for (size_t i = 0; i < reference.len; i++) {
        if (strchr(":/?#", reference.p[i]) != NULL)
            return reference.p[i] == ':';
    }
    return false;
}

/* A reference that begins with neither a scheme nor a slash, joined to the target (RFC 3986 5.2). */
static struct str beside(struct str reference, struct str target, struct arena *a)
{
    struct str base = str_cut(&target, '?');

    if (reference.p[0] == '?')
        return str_printf(a, "%.*s%.*s", STR_ARG(base), STR_ARG(reference));
    for (bool up = true; up;) {
        while (base.p[base.len - 1] != '/')
            base.len--;
        up = str_starts(reference, STR("../"));
        if (up && base.len > 1)
            base.len--;
        if (up || str_starts(reference, STR("./")))
            reference = str_slice(reference, up ? 3 : 2, reference.len);
    }
    return str_printf(a, "%.*s%.*s", STR_ARG(base), STR_ARG(reference));
}

struct str policy_location(struct str location, const struct policy_target *t, const struct proxy_map *m, struct arena *a)
{
    struct str query, path;
    struct err ignored;

    if (str_starts(location, STR("//")))
        location = str_printf(a, "%.*s%.*s", (int)str_find_char(t->origin, ':') + 1, t->origin.p, STR_ARG(location));
    if (has_scheme(location))
        location = behind_origin(location, t->origin, a);
    else if (location.len > 0 && location.p[0] != '/')
        location = beside(location, t->path, a);
    query = location;
    path = str_cut(&query, '?');
    if (path.len == 0 || url_canonical_path(path, &path, a, &ignored) != 0) /* dot segments would lead out of the prefix */
        return STR_NONE;
    if (!str_starts(location, t->root) || (location.len > t->root.len && location.p[t->root.len] != '/'))
        return STR_NONE;
    return str_printf(a, "%.*s%.*s", STR_ARG(m->prefix), STR_ARG(str_slice(location, t->root.len, location.len)));
}
