/*
 * From the parameters of FastCGI to struct http_req, and on to whoever handles it.
 *
 * Texts point into libfcgi's parameter list, which lives until the answer.
 */
#include "http/http_int.h"

#include <fastcgi.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/url.h"

enum { PART = 16 * 1024 };

/* ---- building ----------------------------------------------------------------------------------
 */

static enum http_method method_of(struct str name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {{"GET", HTTP_GET},        {"POST", HTTP_POST},   {"PUT", HTTP_PUT},
                   {"DELETE", HTTP_DELETE},  {"PATCH", HTTP_PATCH}, {"HEAD", HTTP_HEAD},
                   {"OPTIONS", HTTP_OPTIONS}};

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (str_eq_c(name, methods[i].name))
            return methods[i].method;
    }
    return HTTP_OTHER;
}

/* What nginx says about the request besides its headers. */
struct cgi {
    struct str method, uri, document_uri, query, type, length, addr, scheme, https;
};

static void take_param(struct cgi *g, struct str name, struct str value)
{
#define WANTED(name, member) {{name, sizeof(name) - 1}, offsetof(struct cgi, member)}
    static const struct {
        struct str name;
        size_t at;
    } wanted[] = {
        WANTED("REQUEST_METHOD", method), WANTED("REQUEST_URI", uri),     WANTED("DOCUMENT_URI", document_uri),
        WANTED("QUERY_STRING", query),    WANTED("CONTENT_TYPE", type),   WANTED("CONTENT_LENGTH", length),
        WANTED("REMOTE_ADDR", addr),      WANTED("REQUEST_SCHEME", scheme), WANTED("HTTPS", https),
    };
#undef WANTED

    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (str_eq(name, wanted[i].name)) {
            memcpy((char *)g + wanted[i].at, &value, sizeof(value));
            return;
        }
    }
}

static void add_header(struct conn *c, struct str name, struct str value)
{
    c->headers[c->n_headers++] = (struct env_header){name, value};
}

/* One pass over "NAME=value"; they are FRAME_PAIRS_MAX at most (frame.c). */
static void read_params(struct conn *c, struct cgi *g)
{
    size_t n = 0;

    while (c->fcgi.envp[n] != NULL)
        n++;
    c->headers = arena_alloc(c->req.a, (n + 2) * sizeof(*c->headers));
    c->n_headers = 0;
    for (size_t i = 0; i < n; i++) {
        struct str rest = str_c(c->fcgi.envp[i]);
        struct str name = str_cut(&rest, '=');

        if (!str_starts(name, STR("HTTP_"))) {
            take_param(g, name, rest);
            continue;
        }
        name = str_slice(name, 5, name.len);
        /* These two come as CONTENT_TYPE and CONTENT_LENGTH, which are what holds. */
        if (name.len > 0 && !str_eq_c(name, "CONTENT_TYPE") && !str_eq_c(name, "CONTENT_LENGTH"))
            add_header(c, name, rest);
    }
    if (g->type.len > 0)
        add_header(c, STR("CONTENT_TYPE"), g->type);
    if (g->length.len > 0)
        add_header(c, STR("CONTENT_LENGTH"), g->length);
}

static uint64_t next_random(struct home *h)
{
    /* xorshift128+: ids that do not collide, not secrets */
    uint64_t a = h->random[0];
    uint64_t b = h->random[1];

    h->random[0] = b;
    a ^= a << 23;
    h->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return h->random[1] + b;
}

static void put_hex(char *to, uint64_t v)
{
    for (int i = 15; i >= 0; i--, v >>= 4)
        to[i] = "0123456789abcdef"[v & 15];
}

static bool id_char(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_' || ch == '.' || ch == '-';
}

/* The client's id when it has 1 to 32 harmless characters; a UUID counts without its dashes. */
static void choose_id(struct conn *c)
{
    struct str given = http_req_header(&c->req, "x-request-id");
    bool uuid = given.len == 36 && given.p[8] == '-' && given.p[13] == '-' && given.p[18] == '-' &&
                given.p[23] == '-';
    bool sane = given.len > 0 && (given.len < sizeof(c->req.id) || uuid);
    size_t n = 0;

    for (size_t i = 0; i < given.len && sane; i++) {
        if (!id_char(given.p[i]) || n == sizeof(c->req.id) - 1)
            sane = uuid && given.p[i] == '-';
        else if (!uuid || given.p[i] != '-')
            c->req.id[n++] = given.p[i];
    }
    if (!sane) {
        put_hex(c->req.id, next_random(c->home));
        put_hex(c->req.id + 16, next_random(c->home));
        n = 32;
    }
    c->req.id[n] = '\0';
}

static void set_target(struct http_req *r, const struct cgi *g)
{
    ptrdiff_t mark;

    r->target = g->uri;
    if (r->target.len == 0 && g->document_uri.len > 0)
        r->target = g->query.len == 0 ? g->document_uri
                                      : str_printf(r->a, "%.*s?%.*s", STR_ARG(g->document_uri),
                                                   STR_ARG(g->query));
    mark = str_find_char(r->target, '?');
    r->path = r->target;
    r->query = STR("");
    if (mark >= 0) {
        r->path = str_slice(r->target, 0, (size_t)mark);
        r->query = str_slice(r->target, (size_t)mark + 1, r->target.len);
    }
}

static void reset_reply(struct conn *c)
{
    atomic_store_explicit(&c->phase, REPLY_OPEN, memory_order_relaxed);
    c->extra = (struct buf){0};
    c->has_type = c->has_reply_length = c->cut = false;
    c->ended = c->loop_writes = c->drain_due = c->gone_told = false;
    c->drain_fn = NULL;
    c->body_fn = NULL;
    c->out.head = c->out.len = 0;
}

int request_build(struct conn *c)
{
    struct http_req *r = &c->req;
    struct cgi g = {0};
    int64_t length = 0;

    if (c->fcgi.role != FCGI_RESPONDER)
        return -1;
    read_params(c, &g);
    c->has_length = g.length.len > 0;
    if (c->has_length && (!str_to_int(g.length, &length) || length < 0))
        return -1;
    set_target(r, &g);
    if (g.method.len == 0 || r->target.len == 0)
        return -1;
    reset_reply(c);
    r->method = method_of(g.method);
    r->method_name = g.method;
    r->content_type = g.type;
    r->content_length = (uint64_t)length;
    r->remote_addr = g.addr;
    if (c->home->server->o.trusted.n > 0)
        r->remote_addr = ip_client(&c->home->server->o.trusted, g.addr,
                                   http_req_header(r, "x-forwarded-for"));
    r->scheme = g.scheme;
    if (r->scheme.len == 0)
        r->scheme = g.https.len > 0 && !str_eq_c(g.https, "off") ? STR("https") : STR("http");
    r->body = STR("");
    r->body_pending = false;
    r->on_worker = false;
    r->start_us = clock_mono_us(&clock_system);
    r->wall_us = clock_wall_us(&clock_system);
    choose_id(c);
    return 0;
}

/* ---- the body ----------------------------------------------------------------------------------
 */

static void err_short(struct err *e, uint64_t got, uint64_t announced)
{
    err_set(e, ERR_INVALID, "request body has %llu of the announced %llu bytes",
            (unsigned long long)got, (unsigned long long)announced);
}

static void err_large(struct err *e, size_t max)
{
    err_set(e, ERR_LIMIT, "request body larger than %zu bytes", max);
}

/* All bytes are at hand: neither way of reading waits. */
static bool read_at_hand(struct conn *c, char *to, uint64_t len)
{
    size_t at = 0;

    if (c->at_once) {
        int n = (int)len; /* at most what one read brought */

        return FCGX_GetStr(to, n, c->fcgi.in) == n && FCGX_GetChar(c->fcgi.in) == -1;
    }
    for (;;) {
        char past[1];
        bool full = at == len;
        ptrdiff_t n = intake_read(c, full ? past : to + at, full ? 1 : (size_t)len - at, false);

        if (n == 0)
            return full;
        if (n < 0 || full)
            return false;
        at += (size_t)n;
    }
}

int request_inline_body(struct conn *c, uint64_t len, struct err *e)
{
    struct http_req *r = &c->req;
    char *body = arena_alloc(r->a, (size_t)len + 1);

    if (!read_at_hand(c, body, len)) {
        err_set(e, ERR_INVALID, "request body cannot be read");
        c->fcgi.keepConnection = 0;
        return -1;
    }
    body[len] = '\0';
    r->body = str_make(body, (size_t)len);
    if (!c->has_length)
        r->content_length = len;
    if (r->content_length > r->server->o.max_body || len > r->server->o.max_body) {
        err_large(e, r->server->o.max_body);
        return -1;
    }
    if (len != r->content_length) {
        err_short(e, len, r->content_length);
        return -1;
    }
    return 0;
}

ptrdiff_t http_req_read(struct http_req *r, char *buf, size_t n)
{
    struct conn *c = conn_of(r);
    ptrdiff_t got;

    if (!r->body_pending || n == 0)
        return 0;
    got = intake_read(c, buf, n, true);
    if (got > 0)
        return got;
    r->body_pending = false;
    if (got < 0)
        c->cut = true; /* where the next request would start is not known any more */
    return got;
}

ptrdiff_t http_req_read_now(struct http_req *r, char *buf, size_t n)
{
    struct conn *c = conn_of(r);
    ptrdiff_t got;

    if (!r->body_pending || n == 0)
        return 0;
    got = intake_read(c, buf, n, false);
    if (got > 0 || got == HTTP_NOT_YET)
        return got;
    r->body_pending = false;
    if (got < 0)
        c->cut = true;
    else
        conn_body_read(c);
    return got;
}

int http_req_body(struct http_req *r, size_t max, struct err *e)
{
    struct conn *c = conn_of(r);
    struct buf b;

    if (!r->body_pending) {
        if (r->body.len <= max)
            return 0;
        err_large(e, max);
        return -1;
    }
    if (c->has_length && r->content_length > max) {
        err_large(e, max);
        return -1;
    }
    buf_init(&b, max, r->a);
    if (c->has_length)
        (void)buf_reserve(&b, (size_t)r->content_length);
    for (;;) {
        char part[PART];
        ptrdiff_t got = http_req_read(r, part, sizeof(part));

        if (got == 0)
            break;
        if (got < 0) {
            err_short(e, b.len, r->content_length);
            return -1;
        }
        buf_add(&b, part, (size_t)got);
        if (b.over) {
            err_large(e, max);
            return -1;
        }
    }
    r->body = buf_str(&b);
    if (!c->has_length)
        r->content_length = b.len;
    if (b.len != r->content_length) {
        err_short(e, b.len, r->content_length);
        return -1;
    }
    return 0;
}

/* ---- on to the handler -------------------------------------------------------------------------
 */

static void handle(struct http_req *r)
{
    struct handler *h = atomic_load(&r->server->handler);

    h->fn(r, h->ctx);
}

static void read_then_handle(struct http_req *r, void *arg)
{
    struct err e;

    (void)arg;
    if (http_req_body(r, r->server->o.max_body, &e) != 0) {
        http_reply_error(r, &e);
        return;
    }
    handle(r);
}

static void refuse_busy(struct http_req *r, const char *why)
{
    struct err e;

    atomic_fetch_add_explicit(&conn_of(r)->home->rejected, 1, memory_order_relaxed);
    err_set(&e, ERR_BUSY, "%s", why);
    http_reply_error(r, &e);
}

void request_dispatch(struct conn *c, bool whole, uint64_t body_len)
{
    struct http_req *r = &c->req;
    struct http_server *s = r->server;
    struct err e;

    if (atomic_load_explicit(&s->in_flight, memory_order_relaxed) > (size_t)s->o.max_in_flight) {
        refuse_busy(r, "too many requests are being worked on, try again");
        return;
    }
    if (whole) {
        handle(r);
        return;
    }
    r->body_pending = true;
    if ((c->has_length && r->content_length > s->o.max_body) || body_len > s->o.max_body) {
        err_large(&e, s->o.max_body);
        http_reply_error(r, &e);
        return;
    }
    if (s->o.stream_bodies || (s->o.stream_this != NULL && s->o.stream_this(r)))
        handle(r);
    else if (http_to_worker(r, read_then_handle, NULL) != 0)
        return; /* answered */
}

struct errand {
    struct http_req *r;
    void (*fn)(struct http_req *r, void *arg);
    void *arg;
};

static void run_on_worker(void *arg)
{
    struct errand *job = arg;

    job->r->on_worker = true;
    job->fn(job->r, job->arg);
}

static void run_on_loop(void *arg)
{
    struct errand *job = arg;

    job->r->on_worker = false;
    job->fn(job->r, job->arg);
}

static struct errand *errand_new(struct http_req *r, void (*fn)(struct http_req *r, void *arg),
                                 void *arg)
{
    struct errand *job = ARENA_NEW(r->a, struct errand);

    *job = (struct errand){r, fn, arg};
    return job;
}

int http_to_worker(struct http_req *r, void (*fn)(struct http_req *r, void *arg), void *arg)
{
    if (workers_add(r->server->workers, run_on_worker, errand_new(r, fn, arg)) == 0)
        return 0;
    refuse_busy(r, "too many requests are waiting, try again");
    return -1;
}

void http_to_loop(struct http_req *r, void (*fn)(struct http_req *r, void *arg), void *arg)
{
    loop_post(r->loop, run_on_loop, errand_new(r, fn, arg));
}

/* ---- reading it --------------------------------------------------------------------------------
 */

/* "x-request-id" against "X_REQUEST_ID" */
static bool same_name(struct str env, const char *name, size_t len)
{
    if (env.len != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char ch = name[i];

        if (ch >= 'a' && ch <= 'z')
            ch = (char)(ch - 'a' + 'A');
        else if (ch == '-')
            ch = '_';
        if (env.p[i] != ch)
            return false;
    }
    return true;
}

/* Repeated headers arrive as repeated parameters: joined as RFC 9110 5.2 says, cookies as RFC
 * 9113 8.2.3. */
static struct str join_from(const struct conn *c, size_t first)
{
    struct str name = c->headers[first].name;
    struct str sep = str_eq_c(name, "COOKIE") ? STR("; ") : STR(", ");
    struct buf b = {0};

    for (size_t i = first + 1; i < c->n_headers; i++) {
        if (!str_eq(c->headers[i].name, name))
            continue;
        if (b.a == NULL) {
            buf_init(&b, LIMIT_HEADERS * 2, c->req.a);
            buf_add_str(&b, c->headers[first].value);
        }
        buf_add_str(&b, sep);
        buf_add_str(&b, c->headers[i].value);
    }
    return b.a != NULL ? buf_str(&b) : c->headers[first].value;
}

struct str http_req_header(const struct http_req *r, const char *name)
{
    const struct conn *c = conn_of(r);
    size_t len = strlen(name);

    for (size_t i = 0; i < c->n_headers; i++) {
        if (same_name(c->headers[i].name, name, len))
            return join_from(c, i);
    }
    return STR("");
}

static bool seen_before(const struct conn *c, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (str_eq(c->headers[i].name, c->headers[at].name))
            return true;
    }
    return false;
}

static struct str header_name(struct arena *a, struct str env)
{
    char *p = arena_strndup(a, env.p, env.len);

    for (size_t i = 0; i < env.len; i++) {
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] - 'A' + 'a');
        else if (p[i] == '_')
            p[i] = '-';
    }
    return str_make(p, env.len);
}

size_t http_req_headers(struct http_req *r, struct http_header **out)
{
    const struct conn *c = conn_of(r);
    struct http_header *list = ARENA_ARRAY(r->a, struct http_header, c->n_headers + 1);
    size_t n = 0;

    for (size_t i = 0; i < c->n_headers; i++) {
        if (!seen_before(c, i))
            list[n++] =
                (struct http_header){header_name(r->a, c->headers[i].name), join_from(c, i)};
    }
    *out = list;
    return n;
}

struct str http_req_param(struct http_req *r, const char *name)
{
    struct str rest = r->query;

    while (rest.len > 0) {
        struct str value = str_cut(&rest, '&');
        struct str key = str_cut(&value, '=');

        if (str_find_char(key, '%') >= 0 || str_find_char(key, '+') >= 0)
            key = url_decode(key, true, r->a);
        if (key.p != NULL && str_eq_c(key, name)) {
            value = url_decode(value, true, r->a);
            return value.p != NULL ? value : STR("");
        }
    }
    return STR_NONE;
}

/* "Bearer null" and "Bearer undefined" are what the interface sends before a login (http-api.md 1).
 */
static bool usable(struct str token)
{
    return token.len > 0 && !str_eq_c(token, "null") && !str_eq_c(token, "undefined");
}

struct str http_req_bearer(struct http_req *r)
{
    struct str header = http_req_header(r, "authorization");
    struct str token;

    if (header.len > 7 && str_ieq(str_slice(header, 0, 7), STR("bearer "))) {
        token = str_trim(str_slice(header, 7, header.len));
        if (usable(token))
            return token;
    }
    token = http_req_param(r, "auth_token");
    return usable(token) ? token : STR("");
}
