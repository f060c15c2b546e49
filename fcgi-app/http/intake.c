/*
 * Requests that do not lie in the socket as one whole: large bodies, slow senders, a next request
 * behind the first.
 *
 * Bytes are gathered here without waiting, followed by record (http/frame.h), and given to libfcgi (http/feed.h) in portions that it
 * can read to the end.  What lies behind the end of the request stays here for the next one.
 */
#include "http/http_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/feed.h"

/* A head and an inline body, with room for their record headers. */
#define INTAKE_MAX (2 * (LIMIT_HEADERS + LIMIT_BODY_INLINE))
#define INTAKE_STEP (16 * KIB)

void intake_init(struct intake *in)
{
    memset(in, 0, sizeof(*in));
}

void intake_release(struct intake *in)
{
    free(in->p);
    intake_init(in);
}

static void make_room(struct intake *in)
{
    if (in->cap - in->len >= INTAKE_STEP)
        return;
    in->cap = in->cap == 0 ? INTAKE_STEP : 2 * in->cap;
    in->p = realloc(in->p, in->cap);
    if (in->p == NULL)
        abort();
    if (in->cap - in->len < INTAKE_STEP)
        make_room(in);
}

void intake_add(struct intake *in, const char *p, size_t n)
{
    while (n > 0) {
        size_t part = n < INTAKE_STEP ? n : INTAKE_STEP;

        make_room(in);
        memcpy(in->p + in->len, p, part);
        in->len += part;
        p += part;
        n -= part;
    }
}

int intake_fill(struct intake *in, int fd)
{
    ssize_t n;

    make_room(in);
    do {
        n = recv(fd, in->p + in->len, in->cap - in->len, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    if (n == 0)
        return -1;
    in->len += (size_t)n;
    return 1;
}

bool intake_ready(struct intake *in)
{
    if (in->head_end == 0) {
        in->scanned += frame_feed(&in->scan, in->p + in->scanned, in->len - in->scanned, true);
        if (!frame_at_head_end(&in->scan))
            return in->len >= INTAKE_MAX;
        in->head_end = in->scanned;
        in->fed_frame = in->scan;
    }
    in->scanned += frame_feed(&in->scan, in->p + in->scanned, in->len - in->scanned, false);
    if (in->scan.state == FRAME_BAD)
        return false;
    return frame_complete(&in->scan) || in->scan.body_len > LIMIT_BODY_INLINE ||
           in->len >= INTAKE_MAX;
}

/* Around what libfcgi does: it may read what was fed, and has read that far. */
static void offer(const struct intake *in)
{
    feed_give(in->p + in->taken, in->fed - in->taken);
}

static void settle(struct intake *in)
{
    in->taken = in->fed - feed_left();
}

int intake_accept(struct conn *c)
{
    struct intake *in = &c->in;
    int rc;

    in->fed = in->head_end;
    offer(in);
    rc = feed_accept(&c->fcgi);
    settle(in);
    return rc;
}

/* Make all room that what libfcgi did not read yet (at most a piece of a record's frame) leaves. */
static void forget_read(struct intake *in)
{
    memmove(in->p, in->p + in->taken, in->fed - in->taken);
    in->fed = in->len = in->fed - in->taken;
    in->taken = in->scanned = 0;
}

/* More bytes of the body for libfcgi: 1, 0 at the end, -1 when the sender broke off, HTTP_NOT_YET. */
static int feed_more(struct conn *c, bool wait)
{
    struct intake *in = &c->in;
    struct frame *f = &in->fed_frame;
    uint64_t before = f->body_len;
    size_t n;

    if (frame_complete(f))
        return 0;
    if (in->fed == in->len) {
        ssize_t got;

        forget_read(in);
        make_room(in);
        do {
            got = recv(c->fd, in->p + in->len, in->cap - in->len, wait ? 0 : MSG_DONTWAIT);
        } while (got < 0 && errno == EINTR);
        if (got < 0 && errno == EAGAIN && !wait)
            return HTTP_NOT_YET;
        if (got <= 0)
            return -1;
        in->len += (size_t)got;
    }
    n = in->len - in->fed;
    n = frame_feed(f, in->p + in->fed, n < INTAKE_STEP ? n : INTAKE_STEP, false);
    if (f->state == FRAME_BAD)
        return -1;
    in->fed += n;
    in->unread += f->body_len - before;
    return 1;
}

ptrdiff_t intake_read(struct conn *c, char *buf, size_t n, bool wait)
{
    struct intake *in = &c->in;
    int got;

    while (in->unread == 0) {
        int rc = feed_more(c, wait);

        if (rc <= 0)
            return rc;
    }
    if (n > in->unread)
        n = (size_t)in->unread;
    if (n > INTAKE_STEP)
        n = INTAKE_STEP;
    offer(in);
    got = FCGX_GetStr(buf, (int)n, c->fcgi.in);
    settle(in);
    if (got != (int)n)
        return -1;
    in->unread -= n;
    return got;
}

bool intake_body_done(const struct intake *in)
{
    return frame_complete(&in->fed_frame);
}

void intake_next(struct intake *in)
{
    size_t rest = in->len - in->fed;

    if (rest == 0) {
        intake_release(in);
        return;
    }
    memmove(in->p, in->p + in->fed, rest);
    *in = (struct intake){.p = in->p, .len = rest, .cap = in->cap};
}

void intake_drop(struct intake *in)
{
    in->fed = in->len = in->taken = 0;
}
