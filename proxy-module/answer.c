/*
 * The answer on its way back: headers that cross, small bodies in one piece, larger ones streamed at the client's pace.
 */
#include "base/arena.h"
#include "base/log.h"
#include "proxy_int.h"

enum {
    STREAM_HIGH = 256 * 1024, /* queued towards nginx: stop reading upstream */
    GATHER_MAX = 64 * 1024,   /* an answer up to this goes out at once */
};

/* ---- the end of a call ------------------------------------------------------------------------------ */

static void account(struct call *c)
{
    if (c->gateway == NULL)
        return;
    if (!c->streaming)
        c->kept = c->gathered;
    c->total_us = clock_mono_us(&clock_system) - c->r->start_us;
    stats_call(c->proxy->stats, c->gateway->name, c->r->method_name, c->rest, c->status, c->total_us, c->gateway_us);
    record_add(c);
}

void finish_error(struct call *c, const struct err *e)
{
    struct http_req *r = c->r;
    bool streaming = c->streaming;

    account(c);
    call_release(c);
    if (streaming)
        http_stream_end(r, true);
    else
        http_reply_failure(r, e);
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

/* The gateway's Content-Length, where the answer does not carry its own: streams, and HEAD. */
static void pass_length(struct call *c)
{
    if (c->has_length)
        http_reply_header(c->r, STR("Content-Length"), str_printf(c->r->a, "%llu", (unsigned long long)c->answer_length));
}

static void finish_answer(struct call *c)
{
    struct http_req *r = c->r;
    struct str type = c->answer_type, body = buf_str(&c->gathered);
    bool streaming = c->streaming;
    int status = c->status;

    if (r->method == HTTP_HEAD && !streaming)
        pass_length(c);
    account(c);
    call_release(c);
    if (streaming)
        http_stream_end(r, false);
    else
        http_reply(r, status, type, body);
}

/* ---- the client ----------------------------------------------------------------------------------------- */

static void cancel(struct call *c)
{
    upstream_cancel(c->up);
    c->up = NULL;
    call_spent(c, &c->gateway_us);
}

/*
 * Everything was taken, or the client is gone: then a call without effect is given up, and a change goes on to its end, so that
 * the history holds the real result.
 */
static void on_drained(void *arg, bool gone)
{
    struct call *c = arg;

    c->client_gone = c->client_gone || gone;
    if (c->up == NULL)
        return; /* elsewhere: forward() sees the flag */
    if (gone && call_is_safe(c)) {
        struct err e;

        cancel(c);
        err_set(&e, ERR_UPSTREAM, "the client went away");
        finish_error(c, &e);
        return;
    }
    upstream_resume(c->up);
}

void answer_watch_client(struct call *c)
{
    http_stream_on_drain(c->r, on_drained, c);
}

/* ---- the head --------------------------------------------------------------------------------------------- */

static void take_headers(struct call *c, const struct http1_head *h)
{
    c->answer_type = str_dup(c->r->a, http1_header(h, "content-type"));
    c->answer_headers = val_dict_new(c->r->a, h->n_headers);
    for (size_t i = 0; i < h->n_headers; i++) {
        struct str name = str_dup(c->r->a, h->headers[i].name), value = str_dup(c->r->a, h->headers[i].value);

        val_dict_set(c->answer_headers, val_str(name), val_str(value));
        if (policy_response_header(name))
            http_reply_header(c->r, name, value);
    }
    c->has_length = h->framing == HTTP1_LENGTH || (c->r->method == HTTP_HEAD && http1_header(h, "content-length").p != NULL);
    c->answer_length = h->length;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Back under the prefix; false when it leads elsewhere, and then the call is over. */
static bool take_location(struct call *c, const struct http1_head *h)
{
    struct str location = http1_header(h, "location"), rewritten;
    struct err e;

    if (location.p == NULL)
        return true;
    rewritten = policy_location(location, &c->target, c->mount->map, c->r->a);
    if (rewritten.p != NULL) {
        http_reply_header(c->r, STR("Location"), rewritten);
        return true;
    }
    if (!is_redirect(h->status))
        return true;
    err_set(&e, ERR_UPSTREAM, "redirects to another server");
    cancel(c);
    finish_gateway_error(c, &e);
    return false;
}

/* The login of the platform was over while a body went by that cannot be sent a second time. */
static void ask_client_again(struct call *c)
{
    struct err e;

    gw_session_refused(c->proxy->sessions, c->gateway, c->url, c->session.stamp);
    cancel(c);
    err_set(&e, ERR_BUSY, "wants a new login, send the request again");
    finish_gateway_error(c, &e);
}

static void on_head(void *arg, const struct http1_head *h)
{
    struct call *c = arg;

    c->status = h->status;
    gw_url_answered(c->proxy->sessions, c->gateway, c->url, h->status);
    if (h->status == 401 && c->own) {
        cancel(c);
        forward_own_refused(c);
        return;
    }
    if (h->status == 401 && !c->relogged &&
        gw_session_again(c->proxy->sessions, c->gateway, &c->session, http1_header(h, "www-authenticate"), c->r->a)) {
        if (c->body_begun)
            ask_client_again(c);
        else
            c->discarding = true; /* the login was over: once more with a new one */
        return;
    }
    if (take_location(c, h))
        take_headers(c, h);
}

/* ---- the body --------------------------------------------------------------------------------------------- */

static void keep_beginning(struct call *c, struct str bytes)
{
    size_t room = KEPT_BODY - c->kept.len;

    if (bytes.len > room) {
        c->truncated = true;
        bytes = str_slice(bytes, 0, room);
    }
    buf_add_str(&c->kept, bytes);
}

static void start_stream(struct call *c)
{
    c->streaming = true;
    keep_beginning(c, buf_str(&c->gathered));
    if (c->answer_type.len > 0)
        http_reply_header(c->r, STR("Content-Type"), c->answer_type);
    pass_length(c);
    http_stream_begin(c->r, c->status);
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
    if (!c->streaming && c->gathered.len + bytes.len <= GATHER_MAX) {
        buf_add_str(&c->gathered, bytes);
        return;
    }
    if (!c->streaming)
        flush_gathered(c);
    keep_beginning(c, bytes);
    pass_on(c, bytes);
}

static void on_flush(void *arg)
{
    struct call *c = arg;

    if (!c->discarding)
        flush_gathered(c);
}

static void on_end(void *arg, const struct err *e, enum up_stage stage)
{
    struct call *c = arg;
    struct err own;

    c->up = NULL;
    call_spent(c, &c->gateway_us);
    if (c->body_streams)
        http_req_on_body(c->r, NULL, NULL);
    if (e == NULL && c->discarding) {
        c->discarding = false;
        c->relogged = true;
        gw_session_refused(c->proxy->sessions, c->gateway, c->url, c->session.stamp);
        forward_again(c);
        return;
    }
    if (e == NULL) {
        finish_answer(c);
        return;
    }
    if (stage == UP_CLIENT) {
        if (c->body_large)
            body_error(c, &own);
        else
            own = *e;
        finish_error(c, &own);
        return;
    }
    if (e->code != ERR_BUSY)
        gw_url_failed(c->proxy->sessions, c->gateway, c->url);
    if (!c->streaming && e->code != ERR_BUSY && forward_may_fail_over(c, stage)) {
        log_warn("proxy.failover", "gateway=%.*s from=%.*s", STR_ARG(c->gateway->name), STR_ARG(c->url));
        forward_again(c);
        return;
    }
    finish_gateway_error(c, e);
}

const struct up_handler answer_handler = {on_head, on_piece, on_flush, on_end};
