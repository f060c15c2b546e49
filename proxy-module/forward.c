/*
 * Forwarding one call: session, upstream, answer streamed back; failover and renewed login within the call where nothing can have
 * happened twice (gateway-proxy.md 2.5, 3, 6.2).
 */
#include "base/arena.h"
#include "base/log.h"
#include "proxy_int.h"

enum {
    STREAM_HIGH = 1024 * 1024, /* queued towards nginx: stop reading upstream */
    GATHER_MAX = 64 * 1024,    /* an answer up to this goes out at once */
};

static void send_upstream(struct call *c);
static void send_own(struct call *c, int rc, struct err *e);

static void finish_error(struct call *c, const struct err *e)
{
    struct http_req *r = c->r;
    struct proxy *p = c->proxy;
    struct record *rec = record_make(c);

    call_release(c);
    if (c->streaming)
        http_stream_end(r, true);
    else
        http_reply_error(r, e);
    record_submit(p, rec);
}

/* "gateway bwks: connection failed (...)" and its like. */
static void finish_gateway_error(struct call *c, const struct err *cause)
{
    struct err e = *cause;
    bool sentence = e.code == ERR_TIMEOUT || str_starts(str_c(e.msg), STR("sent ")) || e.code == ERR_BUSY;

    if (!sentence)
        err_context(&e, "gateway %.*s", STR_ARG(c->mount->map->gateway));
    else
        err_set(&e, cause->code, "gateway %.*s %s", STR_ARG(c->mount->map->gateway), cause->msg);
    finish_error(c, &e);
}

/* Hand the call to a worker; when none is free the request is answered there and only our holdings are left. */
static void to_worker(struct call *c, void (*fn)(struct http_req *r, void *arg))
{
    struct call held = *c;

    if (http_to_worker(c->r, fn, c) != 0)
        call_release(&held);
}

/*
 * The gateway knows the user's session no more.  Another process may have replaced it meanwhile (a changed password); else his
 * log-in ends too, so that the interface asks him to sign in.
 */
static void end_own_login(struct http_req *r, void *arg)
{
    struct call *c = arg;
    struct str family = auth_family(&c->user), sent = c->session.headers[0].value;
    struct err e = {0};

    gw_logins_forget(c->proxy->logins, family);
    if (!c->relogged &&
        gw_logins_get(c->proxy->logins, c->cfg, family, c->gateway, &c->url, &c->session, r->a, &e) == 0 &&
        !str_eq(sent, c->session.headers[0].value)) {
        c->relogged = true;
        send_own(c, 1, &e);
        return;
    }
    if (auth_end(c->proxy->app->auth, family, &e) != 0)
        log_err(LOG_WARN_LEVEL, "proxy.session_over", &e);
    (void)gw_logins_over(&e);
    finish_error(c, &e);
}

/* ---- the answer ------------------------------------------------------------------------------------ */

static void add_answer_headers(struct call *c, const struct http1_head *h)
{
    for (size_t i = 0; i < h->n_headers; i++) {
        struct str name = h->headers[i].name, value = h->headers[i].value;

        if (policy_response_header(name))
            http_reply_header(c->r, name, value);
    }
}

static void keep_answer_headers(struct call *c, const struct http1_head *h)
{
    c->answer_headers = val_dict_new(c->r->a, h->n_headers);
    for (size_t i = 0; i < h->n_headers; i++)
        val_dict_set(c->answer_headers, val_str_dup(c->r->a, h->headers[i].name),
                     val_str_dup(c->r->a, h->headers[i].value));
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void on_head(void *arg, const struct http1_head *h)
{
    struct call *c = arg;
    struct str location = http1_header(h, "location"), rewritten;

    c->status = h->status;
    if (h->status == 401 && c->own) {
        upstream_cancel(c->up);
        to_worker(c, end_own_login);
        return;
    }
    if (h->status == 401 && !c->relogged &&
        gw_session_again(c->proxy->sessions, c->gateway, &c->session, http1_header(h, "www-authenticate"), c->r->a)) {
        c->discarding = true; /* the login was over: once more with a new one */
        return;
    }
    c->answer_type = str_dup(c->r->a, http1_header(h, "content-type"));
    keep_answer_headers(c, h);
    if (location.p != NULL) {
        rewritten = policy_location(location, c->gateway, &c->target, c->mount->map, c->r->a);
        if (rewritten.p != NULL) {
            http_reply_header(c->r, STR("Location"), rewritten);
        } else if (is_redirect(h->status)) {
            struct err e;

            err_set(&e, ERR_UPSTREAM, "redirects to another server");
            upstream_cancel(c->up);
            finish_gateway_error(c, &e);
            return;
        }
    }
    add_answer_headers(c, h);
}

static void keep_beginning(struct call *c, struct str bytes)
{
    size_t room = KEPT_BODY - c->kept.len;

    c->answer_bytes += bytes.len;
    if (bytes.len > room) {
        c->truncated = true;
        bytes = str_slice(bytes, 0, room);
    }
    buf_add_str(&c->kept, bytes);
}

static void on_drained(void *arg, bool gone)
{
    struct call *c = arg;

    if (gone) {
        bool safe = c->r->method == HTTP_GET || c->r->method == HTTP_HEAD;

        c->client_gone = true;
        if (safe) {
            struct err e;

            upstream_cancel(c->up);
            err_set(&e, ERR_UPSTREAM, "the client went away");
            finish_error(c, &e);
            return;
        }
        /* a change goes on to its end, so that the history holds the real result */
    }
    upstream_resume(c->up);
}

static void start_stream(struct call *c)
{
    c->streaming = true;
    if (c->answer_type.len > 0)
        http_reply_header(c->r, STR("Content-Type"), c->answer_type);
    http_stream_begin(c->r, c->status);
    http_stream_on_drain(c->r, on_drained, c);
}

static void pass_on(struct call *c, struct str bytes)
{
    if (c->client_gone || bytes.len == 0)
        return;
    if (http_stream_write(c->r, bytes.p, bytes.len) > STREAM_HIGH)
        upstream_pause(c->up);
}

static void flush_gathered(struct call *c)
{
    if (!c->streaming)
        start_stream(c);
    pass_on(c, buf_str(&c->gathered));
    c->gathered.len = 0;
}

static void on_piece(void *arg, struct str bytes)
{
    struct call *c = arg;

    if (c->discarding)
        return;
    keep_beginning(c, bytes);
    if (c->streaming) {
        pass_on(c, bytes);
        return;
    }
    if (c->gathered.len + bytes.len > GATHER_MAX) {
        flush_gathered(c);
        pass_on(c, bytes);
        return;
    }
    buf_add_str(&c->gathered, bytes);
}

static void on_flush(void *arg)
{
    struct call *c = arg;

    if (!c->discarding)
        flush_gathered(c);
}

static void finish_answer(struct call *c)
{
    struct http_req *r = c->r;
    struct proxy *p = c->proxy;
    struct record *rec = record_make(c);
    struct str type = c->answer_type, body = buf_str(&c->gathered);
    bool streaming = c->streaming;
    int status = c->status;

    call_release(c);
    if (streaming)
        http_stream_end(r, false);
    else
        http_reply(r, status, type, body);
    record_submit(p, rec);
}

/* Another URL for the same call: only when nothing can have happened twice. */
static bool may_fail_over(const struct call *c, enum up_stage stage)
{
    bool safe = c->r->method == HTTP_GET || c->r->method == HTTP_HEAD;

    if (c->own || c->gateway->failover_next || (size_t)c->tries > c->gateway->n_backup_urls)
        return false;
    return stage == UP_CONNECTING || (safe && stage != UP_ANSWERING);
}

static void on_end(void *arg, const struct err *e, enum up_stage stage)
{
    struct call *c = arg;

    c->up = NULL;
    if (e == NULL && c->discarding) {
        c->discarding = false;
        c->relogged = true;
        gw_session_refused(c->proxy->sessions, c->gateway, c->url, c->session.stamp);
        send_upstream(c);
        return;
    }
    if (e == NULL) {
        finish_answer(c);
        return;
    }
    if (e->code != ERR_BUSY)
        gw_url_failed(c->proxy->sessions, c->gateway, c->url);
    if (!c->streaming && e->code != ERR_BUSY && may_fail_over(c, stage)) {
        log_warn("proxy.failover", "gateway=%.*s from=%.*s", STR_ARG(c->gateway->name), STR_ARG(c->url));
        send_upstream(c);
        return;
    }
    finish_gateway_error(c, e);
}

/* ---- the request ------------------------------------------------------------------------------------ */

static const struct up_handler handler = {on_head, on_piece, on_flush, on_end};

static void with_session(struct call *c)
{
    struct http_req *r = c->r;
    int64_t silence = (int64_t)c->gateway->timeout_s * 1000, total = c->proxy->app->opts.proxy_total_timeout_ms;
    bool has_body = r->body.len > 0 || r->content_length > 0 || r->method == HTTP_POST || r->method == HTTP_PUT;
    struct up_request q = {
        .gateway = c->gateway,
        .origin = c->target.origin,
        .body = r->body,
        .is_head = r->method == HTTP_HEAD,
        .repeatable = r->method == HTTP_GET || r->method == HTTP_HEAD,
        .silence_ms = silence,
        .total_ms = total > 0 ? total : silence * 10,
    };
    struct err e;

    q.head = policy_request_head(r, c->gateway, &c->target, &c->session, has_body, r->body.len, r->remote_addr, r->a);
    if (q.head.p == NULL) {
        err_set(&e, ERR_LIMIT, "request headers larger than 64 KiB");
        finish_error(c, &e);
        return;
    }
    buf_init(&c->gathered, GATHER_MAX, r->a);
    buf_init(&c->kept, KEPT_BODY, r->a);
    c->upstream_us = clock_mono_us(&clock_system);
    c->up = upstream_start(r->loop, r->server, &q, &handler, c);
}

static void back_on_loop(struct http_req *r, void *arg)
{
    (void)r;
    with_session(arg);
}

static void session_failed(struct call *c, const struct err *cause)
{
    struct err e = *cause;

    if (c->session.unreachable) {
        gw_url_failed(c->proxy->sessions, c->gateway, c->url);
        if (may_fail_over(c, UP_CONNECTING)) { /* nothing of the call itself was sent */
            send_upstream(c);
            return;
        }
    }
    if (!str_starts(str_c(e.msg), STR("gateway ")))
        err_context(&e, "gateway %.*s", STR_ARG(c->mount->map->gateway));
    finish_error(c, &e);
}

static void got_session(struct call *c)
{
    struct http_req *r = c->r;
    struct gw_request q = {.method = r->method_name, .body = r->body};
    struct err e = {0};

    if (c->session.signs) {
        q.url = str_printf(r->a, "%.*s%.*s", STR_ARG(c->target.origin), STR_ARG(c->target.path));
        q.content_type = policy_content_type(r, c->gateway, r->a);
    }
    if (gw_session_sign(c->proxy->sessions, c->gateway, &q, &c->session, r->a, &e) != 0)
        session_failed(c, &e);
    else if (loop_is_current(r->loop))
        with_session(c);
    else
        http_to_loop(r, back_on_loop, c);
}

static void renew_on_worker(struct http_req *r, void *arg)
{
    struct call *c = arg;
    struct err e = {0};

    if (gw_session(c->proxy->sessions, c->gateway, c->url, &c->session, r->a, &e) != 0)
        session_failed(c, &e);
    else
        got_session(c);
}

/* ---- users with a gateway login of their own -------------------------------------------------------- */

static void send_own(struct call *c, int rc, struct err *e)
{
    if (rc < 0 || policy_target(c->gateway, c->url, c->rest, c->r->query, &c->target, c->r->a, e) != 0)
        finish_error(c, e);
    else
        got_session(c);
}

static void own_on_worker(struct http_req *r, void *arg)
{
    struct call *c = arg;
    struct err e = {0};

    send_own(c, gw_logins_get(c->proxy->logins, c->cfg, auth_family(&c->user), c->gateway, &c->url, &c->session, r->a, &e), &e);
}

static void with_own_login(struct call *c)
{
    struct err e = {0};
    int rc = gw_logins_try(c->proxy->logins, auth_family(&c->user), c->gateway, &c->url, &c->session, c->r->a, &e);

    if (rc != 0)
        send_own(c, rc, &e);
    else if (loop_is_current(c->r->loop))
        to_worker(c, own_on_worker);
    else
        own_on_worker(c->r, c);
}

static void send_upstream(struct call *c)
{
    struct err e = {0};

    c->tries++;
    c->status = 0;
    if (c->own) {
        with_own_login(c);
        return;
    }
    c->url = gw_url(c->proxy->sessions, c->gateway);
    if (policy_target(c->gateway, c->url, c->rest, c->r->query, &c->target, c->r->a, &e) != 0) {
        finish_error(c, &e);
        return;
    }
    switch (gw_session_try(c->proxy->sessions, c->gateway, c->url, &c->session, c->r->a, &e)) {
    case 1:
        got_session(c);
        break;
    case 0:
        if (loop_is_current(c->r->loop))
            to_worker(c, renew_on_worker);
        else
            renew_on_worker(c->r, c);
        break;
    default:
        session_failed(c, &e);
    }
}

/* A large body: read on a worker, where it may block, then sent from the loop. */
static void read_body(struct http_req *r, void *arg)
{
    struct call *c = arg;
    struct err e = {0};

    if (http_req_body(r, (size_t)c->proxy->app->opts.proxy_max_body, &e) != 0)
        finish_error(c, &e);
    else
        send_upstream(c);
}

void forward(struct call *c)
{
    if (!c->r->body_pending)
        send_upstream(c);
    else if (loop_is_current(c->r->loop))
        to_worker(c, read_body);
    else
        read_body(c->r, c);
}
