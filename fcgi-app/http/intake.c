/*
 * Requests that do not lie in the socket as one whole: large bodies, slow senders, a next request
 * behind the first.
 *
 * libfcgi reads from a descriptor and waits there.  So that it never waits on a loop, bytes are
 * gathered here without waiting, followed by record (http/frame.h), and handed to libfcgi through a
 * socket pair in portions that it can read to the end.  What lies behind the end of the request
 * stays here for the next one.
 */
#include "http/http_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/* A head and an inline body, with room for their record headers. */
#define INTAKE_MAX (2 * (LIMIT_HEADERS + LIMIT_BODY_INLINE))
#define INTAKE_STEP (16 * KIB)

void intake_init(struct intake *in)
{
    memset(in, 0, sizeof(*in));
    in->rd = in->wr = -1;
}

static void close_pair(struct intake *in)
{
    if (in->rd >= 0)
        close(in->rd);
    if (in->wr >= 0)
        close(in->wr);
    in->rd = in->wr = -1;
}

void intake_release(struct intake *in)
{
    close_pair(in);
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

/* All or nothing, without waiting: the other end is us, and reads it next. */
static int give(struct intake *in, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(in->wr, in->p + in->fed, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -1;
        in->fed += (size_t)sent;
        n -= (size_t)sent;
    }
    return 0;
}

int intake_accept(struct conn *c)
{
    struct intake *in = &c->in;
    int pair[2];
    int room = 2 * (int)LIMIT_HEADERS;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        log_warn("http.intake", "errno=%d", errno);
        return -1;
    }
    in->rd = pair[0];
    in->wr = pair[1];
    (void)setsockopt(in->wr, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    if (give(in, in->head_end) != 0)
        return -1;
    c->fcgi.ipcFd = in->rd;
    if (FCGX_Accept_r(&c->fcgi) != 0) {
        in->rd = -1; /* libfcgi closed it */
        return -1;
    }
    return 0;
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

        in->fed = in->len = in->scanned = 0;
        make_room(in);
        do {
            got = recv(c->fd, in->p, in->cap, wait ? 0 : MSG_DONTWAIT);
        } while (got < 0 && errno == EINTR);
        if (got < 0 && errno == EAGAIN && !wait)
            return HTTP_NOT_YET;
        if (got <= 0)
            return -1;
        in->len = (size_t)got;
    }
    n = in->len - in->fed;
    n = frame_feed(f, in->p + in->fed, n < INTAKE_STEP ? n : INTAKE_STEP, false);
    if (f->state == FRAME_BAD || give(in, n) != 0)
        return -1;
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
    got = FCGX_GetStr(buf, (int)n, c->fcgi.in);
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

    close_pair(in);
    if (rest == 0) {
        intake_release(in);
        return;
    }
    memmove(in->p, in->p + in->fed, rest);
    *in = (struct intake){.p = in->p, .len = rest, .cap = in->cap, .rd = -1, .wr = -1};
}
