/*
 * The record follower: eight header bytes, content, padding, and the order nginx keeps.
 */
#include "http/frame.h"

#include <fastcgi.h>
#include <string.h>

#include "base/limits.h"

void frame_init(struct frame *f)
{
    memset(f, 0, sizeof(*f));
}

static enum frame_state begin_record(struct frame *f, unsigned type, uint16_t id)
{
    if (type != FCGI_BEGIN_REQUEST || id == FCGI_NULL_REQUEST_ID ||
        f->content != sizeof(FCGI_BeginRequestBody))
        return FRAME_BAD;
    f->request_id = id;
    return FRAME_PARAMS;
}

/* A complete header was read: take lengths from it and step on. */
static void take_header(struct frame *f)
{
    unsigned type = f->header[1];
    uint16_t id = (uint16_t)((f->header[2] << 8) | f->header[3]);

    f->content = (uint32_t)((f->header[4] << 8) | f->header[5]);
    f->padding = f->header[6];
    f->header_len = 0;
    if (f->header[0] != FCGI_VERSION_1) {
        f->state = FRAME_BAD;
        return;
    }
    if (f->state == FRAME_BEGIN) {
        f->state = begin_record(f, type, id);
        return;
    }
    if (id != f->request_id || type != (f->state == FRAME_PARAMS ? FCGI_PARAMS : FCGI_STDIN)) {
        f->state = FRAME_BAD;
        return;
    }
    if (f->state == FRAME_PARAMS) {
        f->params_len += f->content;
        if (f->params_len > LIMIT_HEADERS) {
            f->too_large = true;
            f->state = FRAME_BAD;
        } else if (f->content == 0) {
            /* libfcgi forgets the padding here and would lose the border of the next record. */
            f->state = f->padding == 0 ? FRAME_STDIN : FRAME_BAD;
        }
        return;
    }
    if (f->content == 0)
        f->state = FRAME_DONE; /* the padding still counts to the request */
}

/* One byte of the lengths before a name and its value: each one byte, or four with the top bit set. */
static void take_length(struct frame *f, unsigned char byte)
{
    if (f->pair.more > 0) {
        f->pair.length = f->pair.length << 8 | byte;
        f->pair.more--;
    } else {
        f->pair.length = byte & 0x7f;
        f->pair.more = byte >= 0x80 ? 3 : 0;
    }
    if (f->pair.more > 0)
        return;
    if (f->pair.has_name)
        f->pair.left = f->pair.name + f->pair.length; /* each below 2^31 */
    else
        f->pair.name = f->pair.length;
    f->pair.n += f->pair.has_name ? 1 : 0;
    f->pair.has_name = !f->pair.has_name;
}

static void follow_params(struct frame *f, const unsigned char *p, size_t n)
{
    while (n > 0) {
        size_t skip = f->pair.left < n ? f->pair.left : n;

        if (skip == 0) {
            skip = 1;
            take_length(f, *p);
            if (f->pair.left > LIMIT_HEADERS || f->pair.n > FRAME_PAIRS_MAX) {
                f->too_large = true;
                f->state = FRAME_BAD;
                return;
            }
        } else {
            f->pair.left -= (uint32_t)skip;
        }
        p += skip;
        n -= skip;
    }
}

/* Step over content or padding; how many of the n bytes that takes. */
static size_t step_over(struct frame *f, const unsigned char *p, size_t n)
{
    bool content = f->content > 0;
    uint32_t *left = content ? &f->content : &f->padding;
    size_t skip = *left < n ? *left : n;

    if (content && f->state == FRAME_STDIN)
        f->body_len += skip;
    else if (content && f->header[1] == FCGI_PARAMS)
        follow_params(f, p, skip);
    *left -= (uint32_t)skip;
    return skip;
}

size_t frame_feed(struct frame *f, const void *bytes, size_t n, bool stop_at_head)
{
    const unsigned char *p = bytes;
    size_t at = 0;

    while (at < n && f->state != FRAME_BAD) {
        size_t part = FRAME_HEADER_LEN - f->header_len;

        if (f->content > 0 || f->padding > 0) {
            at += step_over(f, p + at, n - at);
            continue;
        }
        if (f->state == FRAME_DONE || (stop_at_head && frame_at_head_end(f)))
            break;
        part = part < n - at ? part : n - at;
        memcpy(f->header + f->header_len, p + at, part);
        f->header_len += (unsigned)part;
        at += part;
        if (f->header_len == FRAME_HEADER_LEN)
            take_header(f);
    }
    return at;
}
