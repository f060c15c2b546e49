/*
 * Calls of nodes: where they go, what is added, and what happens when a session has ended or a host
 * is away.
 */
#include "gateway/gw_http.h"

#include <stdlib.h>

#include "base/limits.h"
#include "http/url.h"

enum { PLAIN_CONNECT_MS = 10000, PLAIN_TOTAL_MS = 60000, MAX_URLS = 8 };

struct gw_http {
    struct http_client_pool *clients;
    struct gw_sessions *sessions;
    struct gw_cache *cache;
    struct gw_logins *logins; /* NULL: the platform's sessions only */
};

struct gw_http *gw_http_new(struct http_client_pool *clients, struct gw_sessions *sessions)
{
    struct gw_http *h = calloc(1, sizeof *h);

    if (h == NULL)
        abort();
    h->clients = clients;
    h->sessions = sessions;
    h->cache = gw_cache_new(GW_CACHE_BYTES, &clock_system);
    return h;
}

void gw_http_free(struct gw_http *h)
{
    if (h == NULL)
        return;
    gw_cache_free(h->cache);
    gw_logins_free(h->logins);
    free(h);
}

struct gw_cache *gw_http_cache(struct gw_http *h)
{
    return h->cache;
}

void gw_http_users(struct gw_http *h, struct db *db, struct clock *clock)
{
    h->logins = gw_logins_new(db, clock);
}

struct str gw_url_join(struct str base, struct str path, struct arena *a)
{
    while (base.len > 0 && base.p[base.len - 1] == '/')
        base.len--;
    while (path.len > 0 && path.p[0] == '/')
        path = str_slice(path, 1, path.len);
    return str_printf(a, "%.*s/%.*s", STR_ARG(base), STR_ARG(path));
}

static bool is_absolute(struct str url)
{
    return str_ieq(str_slice(url, 0, 7), STR("http://")) ||
           str_ieq(str_slice(url, 0, 8), STR("https://"));
}

static bool same_origin(struct str x, struct str y, struct arena *a)
{
    struct url u, v;
    struct err ignored;

    return url_parse(x, &u, a, &ignored) == 0 && url_parse(y, &v, a, &ignored) == 0 &&
           str_eq(url_origin(&u, a), url_origin(&v, a));
}

/* Which URL of a gateway an absolute one leads to; .p NULL: none. */
static struct str url_of(const struct cfg_gateway *g, struct str url, struct arena *a)
{
    if (same_origin(g->url, url, a))
        return g->url;
    for (size_t i = 0; i < g->n_backup_urls; i++)
        if (same_origin(g->backup_urls[i], url, a))
            return g->backup_urls[i];
    return STR_NONE;
}

static bool belongs_to(const struct cfg_gateway *g, struct str url, struct arena *a)
{
    return url_of(g, url, a).p != NULL;
}

/* ---- headers: the holder's, then the session's, overridden by the call's -------------------- */

struct headers {
    struct http_header *items;
    size_t n;
};

static void header_put(struct headers *h, struct str name, struct str value)
{
    for (size_t i = 0; i < h->n; i++)
        if (str_ieq(h->items[i].name, name)) {
            h->items[i].value = value;
            return;
        }
    h->items[h->n++] = (struct http_header){name, value};
}

static bool has_header(const struct headers *h, struct str name)
{
    for (size_t i = 0; i < h->n; i++)
        if (str_ieq(h->items[i].name, name))
            return true;
    return false;
}

static void headers_of(const struct cfg_gateway *g, const struct gw_call *c, struct headers *out,
                       struct arena *a)
{
    size_t room = (g != NULL ? g->n_headers : 0) + c->n_headers + 4, kept = 0;

    *out = (struct headers){ARENA_ARRAY(a, struct http_header, room), 0};
    for (size_t i = 0; g != NULL && i < g->n_headers; i++)
        header_put(out, g->headers[i].name, g->headers[i].value);
    for (size_t i = 0; i < c->n_headers; i++)
        header_put(out, c->headers[i].name, c->headers[i].value);
    /* an empty value takes the header away */
    for (size_t i = 0; i < out->n; i++)
        if (out->items[i].value.len > 0)
            out->items[kept++] = out->items[i];
    out->n = kept;
}

static struct str host_of(struct str url, struct arena *a)
{
    struct url u;
    struct err ignored;

    if (url_parse(url, &u, a, &ignored) != 0)
        return STR("");
    return u.port != 0 ? str_printf(a, "%.*s:%d", STR_ARG(u.host), u.port) : u.host;
}

/* ---- the call ------------------------------------------------------------------------------- */

struct plan {
    struct gw_http *h;
    const struct cfg_gateway *g; /* NULL: no credentials */
    const struct gw_call *c;
    struct headers headers;
    bool network; /* the call failed for want of an answer */
    enum ip_guard guard;
    struct arena *a;
};

static int call_once(struct plan *p, struct str url, const struct gw_session *session,
                     struct gw_answer *out, struct err *e)
{
    struct headers all = {
        ARENA_ARRAY(p->a, struct http_header, p->headers.n + session->n_headers + 1), 0};
    struct http_call call = {
        .method = p->c->method,
        .url = url,
        .body = p->c->body,
        .parts = p->c->parts,
        .n_parts = p->c->n_parts,
        .connect_ms = PLAIN_CONNECT_MS,
        .total_ms = PLAIN_TOTAL_MS,
        .guard = p->guard,
    };

    for (size_t i = 0; i < p->headers.n; i++)
        all.items[all.n++] = p->headers.items[i];
    for (size_t i = 0; i < session->n_headers; i++)
        if (!has_header(&p->headers, session->headers[i].name))
            all.items[all.n++] = session->headers[i];
    if (p->g != NULL) {
        call.connect_ms = call.total_ms = (int64_t)p->g->timeout_s * 1000;
        call.tls_insecure = !p->g->tls_verify;
        call.tls_ca = p->g->tls_ca;
        call.proxy = p->g->proxy;
        call.client_cert = p->g->client_cert;
        call.client_key = secret_text(p->g->client_key);
    }
    call.headers = all.items;
    call.n_headers = all.n;
    out->url = url;
    out->host = host_of(url, p->a);
    out->sent = p->headers.items;
    out->n_sent = p->headers.n;
    out->attempts++;
    return http_client_do(p->h->clients, &call, &out->res, p->a, e);
}

static int sign(struct plan *p, struct str url, struct gw_session *session, struct err *e)
{
    struct gw_request q = {
        .method = p->c->method, .url = url, .content_type = STR(""), .body = p->c->body};

    for (size_t i = 0; i < p->headers.n; i++)
        if (str_ieq(p->headers.items[i].name, STR("content-type")))
            q.content_type = p->headers.items[i].value;
    return gw_session_sign(p->h->sessions, p->g, &q, session, p->a, e);
}

/* With the session of a gateway: one new login when it is refused. */
static int call_session(struct plan *p, struct str base, struct str url, struct gw_answer *out,
                        struct err *e)
{
    struct gw_session session;

    p->network = false;
    for (int turn = 0;; turn++) {
        if (gw_session(p->h->sessions, p->g, base, &session, p->a, e) != 0) {
            p->network = session.unreachable;
            return -1;
        }
        if (sign(p, url, &session, e) != 0)
            return -1;
        if (call_once(p, url, &session, out, e) != 0) {
            p->network = e->code == ERR_UPSTREAM || e->code == ERR_TIMEOUT;
            return -1;
        }
        gw_url_answered(p->h->sessions, p->g, base, out->res.status);
        if (out->res.status != 401 || turn > 0 ||
            !gw_session_again(p->h->sessions, p->g, &session,
                              http_result_header(&out->res, "www-authenticate"), p->a))
            return 0;
        gw_session_refused(p->h->sessions, p->g, base, session.stamp);
    }
}

static bool idempotent(struct str method)
{
    return str_eq_c(method, "GET") || str_eq_c(method, "HEAD");
}

/* The gateway knows no path without a final slash (gateway-proxy.md 2.1). */
static struct str slashed(const struct cfg_gateway *g, struct str path, struct arena *a)
{
    struct str query = path, plain = str_cut(&query, '?');

    if (!g->append_slash || str_ends(plain, STR("/")))
        return path;
    return plain.len == path.len ? str_printf(a, "%.*s/", STR_ARG(plain))
                                 : str_printf(a, "%.*s/?%.*s", STR_ARG(plain), STR_ARG(query));
}

/* "/api/v1/..." counts from the origin, everything else from the API root; one slash between. */
static struct str gateway_path(const struct cfg_gateway *g, struct str base, struct str path,
                               struct arena *a)
{
    struct str head = str_slice(path, 0, 6), digits = str_slice(path, 6, path.len);
    struct url u;
    struct err ignored;

    path = slashed(g, path, a);
    if (str_eq_c(head, "/api/v") && digits.len > 0 && digits.p[0] >= '0' && digits.p[0] <= '9' &&
        url_parse(base, &u, a, &ignored) == 0)
        return gw_url_join(url_origin(&u, a), path, a);
    return gw_url_join(gw_url_join(base, g->api_root, a), path, a);
}

/*
 * Below the gateway's URL in use.  A connection that could not be made goes on to the next URL
 * within the call, for nothing can have happened twice; everything else leaves that to later calls.
 */
static int call_gateway(struct plan *p, struct str path, struct gw_answer *out, struct err *e)
{
    for (size_t turn = 0;; turn++) {
        struct str base;
        int rc;

        if (gw_url_take(p->h->sessions, p->g, &base, e) != 0)
            return -1;
        out->res = (struct http_result){0};
        rc = call_session(p, base,
                          p->c->gateway != NULL ? gateway_path(p->g, base, path, p->a)
                                                : gw_url_join(base, path, p->a),
                          out, e);
        if (rc == 0 || !p->network)
            return rc;
        gw_url_failed(p->h->sessions, p->g, base);
        if (p->g->failover_next || turn >= p->g->n_backup_urls || turn >= MAX_URLS ||
            (out->res.connected && !idempotent(p->c->method)))
            return -1;
    }
}

/* ---- the gateway of a proxy ------------------------------------------------------------------- */

static int call_as_user(struct plan *p, const struct cfg *cfg, bool *none, struct gw_answer *out,
                        struct err *e)
{
    struct gw_session session;
    struct str family, base;

    *none = false;
    if (p->h->logins == NULL || p->c->user_id == 0 ||
        gw_logins_of_user(p->h->logins, p->c->user_id, p->g, &family, p->a, e) != 0) {
        *none = p->h->logins == NULL || p->c->user_id == 0 || e->code == ERR_NOT_FOUND;
        if (*none)
            err_set(e, ERR_UNAUTHORIZED, "the user has no session on gateway \"%.*s\"",
                    STR_ARG(p->g->name));
        return -1;
    }
    if (gw_logins_get(p->h->logins, cfg, family, p->g, &base, &session, p->a, e) != 0 ||
        gw_url_admit(p->h->sessions, p->g, base, e) != 0)
        return -1;
    if (call_once(p, gateway_path(p->g, base, p->c->url, p->a), &session, out, e) == 0) {
        gw_url_answered(p->h->sessions, p->g, base, out->res.status);
        return 0;
    }
    if (e->code == ERR_UPSTREAM || e->code == ERR_TIMEOUT)
        gw_url_failed(p->h->sessions, p->g, base);
    return -1;
}

static int call_proxied(struct plan *p, const struct cfg *cfg, bool as_user, struct gw_answer *out,
                        struct err *e)
{
    bool none;

    if (as_user) {
        int rc = call_as_user(p, cfg, &none, out, e);

        if (rc == 0 || !none || p->c->user_or_fail)
            return rc;
    }
    return call_gateway(p, p->c->url, out, e);
}

/* ---- absolute URLs of nodes ------------------------------------------------------------------- */

static bool host_fits(struct str pattern, struct str host)
{
    if (str_eq_c(pattern, "*"))
        return true;
    if (!str_starts(pattern, STR("*.")))
        return str_ieq(pattern, host);
    pattern = str_slice(pattern, 1, pattern.len);
    return host.len > pattern.len &&
           str_ieq(pattern, str_slice(host, host.len - pattern.len, host.len));
}

/* Setting outbound.hosts; a document without it allows every host, as workflows always could. */
static bool host_allowed(const struct cfg *cfg, struct str host)
{
    struct val hosts = cfg != NULL ? val_get(val_get(cfg->doc, "outbound"), "hosts") : val_null();

    if (hosts.type != VAL_LIST)
        return true;
    while (host.len > 0 && host.p[host.len - 1] == '.')
        host.len--; /* the root's dot names the same host */
    for (size_t i = 0; i < val_count(hosts); i++)
        if (host_fits(val_text(val_at(hosts, i)), host))
            return true;
    return false;
}

/*
 * A URL of the workflow's own, which may have been made of data.  The servers of gateways are known
 * to the configuration; every other one must be allowed by it, and its address is looked at.
 */
static int guard_absolute(struct plan *p, const struct cfg *cfg, struct err *e)
{
    struct url u;

    if (url_parse(p->c->url, &u, p->a, e) != 0)
        return -1;
    for (size_t i = 0; cfg != NULL && i < cfg->n_gateways; i++)
        if (belongs_to(&cfg->gateways[i], p->c->url, p->a))
            return 0;
    p->guard = IP_GUARD_OPEN;
    if (host_allowed(cfg, u.host))
        return 0;
    err_set(e, ERR_INVALID, "host \"%.*s\" is no gateway's and not in outbound.hosts",
            STR_ARG(u.host));
    return -1;
}

/* To a server of the gateway that the workflow named itself: its session there, and no other server. */
static int call_absolute(struct plan *p, struct gw_answer *out, struct err *e)
{
    struct str base = url_of(p->g, p->c->url, p->a);

    if (gw_url_admit(p->h->sessions, p->g, base, e) != 0)
        return -1;
    if (call_session(p, base, p->c->url, out, e) == 0)
        return 0;
    if (p->network)
        gw_url_failed(p->h->sessions, p->g, base);
    return -1;
}

int gw_http_do(struct gw_http *h, const struct cfg *cfg, const struct gw_call *c,
               struct gw_answer *out, struct arena *a, struct err *e)
{
    struct plan p = {.h = h, .c = c, .a = a};
    const struct gw_session none = {0};

    *out = (struct gw_answer){.url = c->url};
    if (c->gateway != NULL) {
        p.g = c->gateway;
        headers_of(p.g, c, &p.headers, a);
        return call_proxied(&p, cfg, c->user_id != 0 || c->user_or_fail, out, e);
    }
    if (c->holder.len > 0) {
        p.g = cfg != NULL ? cfg_session_holder(cfg, c->holder) : NULL;
        if (p.g == NULL) {
            err_set(e, ERR_NOT_FOUND, "there is no gateway \"%.*s\"", STR_ARG(c->holder));
            return -1;
        }
    }
    if (!is_absolute(c->url)) {
        if (p.g == NULL) {
            err_set(e, ERR_INVALID, "\"%.*s\" is no absolute URL and no session holder is given",
                    STR_ARG(str_slice(c->url, 0, 200)));
            return -1;
        }
        headers_of(p.g, c, &p.headers, a);
        return call_gateway(&p, c->url, out, e);
    }
    if (guard_absolute(&p, cfg, e) != 0)
        return -1;
    /* credentials never leave for another host */
    if (p.g != NULL && !belongs_to(p.g, c->url, a))
        p.g = NULL;
    headers_of(p.g, c, &p.headers, a);
    if (p.g != NULL)
        return call_absolute(&p, out, e);
    return call_once(&p, c->url, &none, out, e);
}
