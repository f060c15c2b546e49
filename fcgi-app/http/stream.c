/*
 * Answers in pieces, with back-pressure: each piece becomes FCGI_STDOUT records; what the socket
 * does not take waits, and the producer is told when everything was taken or the client is gone.
 */
#include "http/http_int.h"

static size_t queued(const struct conn *c)
{
    return c->out.len - c->out.head;
}

void http_stream_begin(struct http_req *r, int status)
{
    struct conn *c = conn_of(r);

    if (!reply_claim(c, REPLY_STREAMING))
        return;
    pthread_mutex_lock(&c->lock);
    out_stdout(c, reply_head(c, status, STR_NONE, -1), STR_NONE, false);
    if (queued(c) > 0)
        conn_kick(c);
    pthread_mutex_unlock(&c->lock);
}

size_t http_stream_write(struct http_req *r, const char *p, size_t n)
{
    struct conn *c = conn_of(r);
    size_t left;

    if (n == 0 || c->no_body)
        return 0;
    pthread_mutex_lock(&c->lock);
    out_stdout(c, str_make(p, n), STR_NONE, false);
    left = queued(c);
    if (left > 0) {
        c->drain_due = true;
        conn_kick(c);
    } else if (atomic_load(&c->gone) && !c->gone_told && c->drain_fn != NULL) {
        conn_kick(c); /* a write has just found out: the producer is to stop and hear it */
        left = SIZE_MAX;
    }
    pthread_mutex_unlock(&c->lock);
    return left;
}

void http_stream_on_drain(struct http_req *r, void (*fn)(void *arg, bool gone), void *arg)
{
    struct conn *c = conn_of(r);

    pthread_mutex_lock(&c->lock);
    c->drain_fn = fn;
    c->drain_arg = arg;
    /* Drained, or gone, before anybody asked. */
    if ((c->drain_due && queued(c) == 0) || atomic_load(&c->gone))
        conn_kick(c);
    pthread_mutex_unlock(&c->lock);
}

void http_stream_end(struct http_req *r, bool aborted)
{
    struct conn *c = conn_of(r);
    bool here = loop_is_current(c->home->loop);
    bool finish;

    /* A call-back that runs just now on the loop is let finish: its argument may die with this
     * call. */
    if (!here)
        pthread_mutex_lock(&c->calling);
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->phase, REPLY_ENDED);
    c->drain_fn = NULL;
    c->drain_due = false;
    if (aborted) {
        c->cut = true;
        out_broken(c);
    } else {
        out_stdout(c, STR_NONE, STR_NONE, true);
    }
    finish = queued(c) == 0 && !c->kicked && !c->loop_writes;
    if (!finish) {
        c->ended = true;
        conn_kick(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (!here)
        pthread_mutex_unlock(&c->calling);
    if (finish)
        conn_finish(c);
}
