/*
 * Forwarding one call: session, upstream, failover and renewed login within the call where nothing can have happened twice
 * (gateway-proxy.md 3, 5, 6.2).
 */
#include "base/arena.h"
#include "base/log.h"
#include "proxy_int.h"

static void send_own(struct call *c, int rc, struct err *e);

/* Hand the call to a worker; when none is free the request is answered there and only our holdings are left. */
static void to_worker(struct call *c, void (*fn)(struct http_req *r, void *arg))
{
    struct call held = *c;

    if (c->body_streams)
        http_req_on_body(c->r, NULL, NULL);
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

void forward_own_refused(struct call *c)
{
    to_worker(c, end_own_login);
}

bool forward_may_fail_over(const struct call *c, enum up_stage stage)
{
    if (c->own || c->body_begun || c->gateway->failover_next || (size_t)c->tries > c->gateway->n_backup_urls)
        return false;
    return stage == UP_CONNECTING || (call_is_safe(c) && stage != UP_ANSWERING);
}

/* ---- the request ------------------------------------------------------------------------------------ */

/* A gathered beginning goes out as the first chunk. */
static struct str first_chunk(struct call *c)
{
    struct buf b;

    if (c->early.len == 0)
        return STR("");
    buf_init(&b, c->early.len + 32, c->r->a);
    (void)buf_reserve(&b, c->early.len + 32);
    buf_addf(&b, "%zx\r\n", c->early.len);
    buf_add_str(&b, buf_str(&c->early));
    buf_add_c(&b, "\r\n");
    return buf_str(&b);
}

static void with_session(struct call *c)
{
    struct http_req *r = c->r;
    int64_t silence = (int64_t)c->gateway->timeout_s * 1000, total = c->proxy->app->opts.proxy_total_timeout_ms;
    bool has_body = c->body_streams || r->body.len > 0 || r->content_length > 0 || r->method == HTTP_POST || r->method == HTTP_PUT;
    bool chunked = c->body_streams && r->content_length == 0;
    struct up_request q = {
        .gateway = c->gateway,
        .origin = c->target.origin,
        .body = chunked ? first_chunk(c) : c->body_streams ? buf_str(&c->early) : r->body,
        .more = c->body_streams ? body_more : NULL,
        .chunked = chunked,
        .is_head = r->method == HTTP_HEAD,
        .repeatable = call_is_safe(c),
        .silence_ms = silence,
        .total_ms = total > 0 ? total : silence * 10,
    };
    struct err e;

    if (c->client_gone && call_is_safe(c)) {
        err_set(&e, ERR_UPSTREAM, "the client went away");
        finish_error(c, &e);
        return;
    }
    q.head = policy_request_head(r, c->gateway, &c->target, &c->session, has_body,
                                 chunked ? POLICY_CHUNKED : c->body_streams ? r->content_length : r->body.len,
                                 str_c(c->trace.parent), r->a);
    if (q.head.p == NULL) {
        err_set(&e, ERR_LIMIT, "request headers larger than 64 KiB");
        finish_error(c, &e);
        return;
    }
    buf_init(&c->gathered, KEPT_BODY, r->a);
    buf_init(&c->kept, KEPT_BODY, r->a);
    c->mark_us = clock_mono_us(&clock_system);
    c->up = upstream_start(r->loop, r->server, &q, &answer_handler, c);
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
        if (forward_may_fail_over(c, UP_CONNECTING)) { /* nothing of the call itself was sent */
            forward_again(c);
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
    int rc = gw_session(c->proxy->sessions, c->gateway, c->url, &c->session, r->a, &e);

    call_spent(c, &c->gateway_us);
    if (rc != 0)
        session_failed(c, &e);
    else
        got_session(c);
}

/* ---- users with a gateway login of their own -------------------------------------------------------- */

static void send_own(struct call *c, int rc, struct err *e)
{
    if (rc < 0 || gw_url_admit(c->proxy->sessions, c->gateway, c->url, e) != 0 ||
        policy_target(c->gateway, c->url, c->rest, c->r->query, &c->target, c->r->a, e) != 0)
        finish_error(c, e);
    else
        got_session(c);
}

static void own_on_worker(struct http_req *r, void *arg)
{
    struct call *c = arg;
    struct err e = {0};
    int rc = gw_logins_get(c->proxy->logins, c->cfg, auth_family(&c->user), c->gateway, &c->url, &c->session, r->a, &e);

    call_spent(c, &c->database_us);
    send_own(c, rc, &e);
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

void forward_again(struct call *c)
{
    struct err e = {0};

    c->tries++;
    c->status = 0;
    c->mark_us = clock_mono_us(&clock_system);
    if (c->own) {
        with_own_login(c);
        return;
    }
    if (gw_url_take(c->proxy->sessions, c->gateway, &c->url, &e) != 0 ||
        policy_target(c->gateway, c->url, c->rest, c->r->query, &c->target, c->r->a, &e) != 0) {
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

void forward(struct call *c)
{
    answer_watch_client(c);
    forward_again(c);
}
