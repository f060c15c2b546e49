/*
 * Following the record lengths of one FastCGI request, so that nobody ever waits inside libfcgi.
 *
 * This is a guard in front of libfcgi, not a second parser: it says whether the bytes at hand hold
 * a whole head or a whole request, where that ends, and refuses what nginx never sends (management
 * records, which overflow a buffer in libfcgi; other request ids; aborts).  Of the content only the
 * lengths of parameters are looked at, because libfcgi adds them up in an int and allocates that much.
 */
#ifndef SLUICE_HTTP_FRAME_H
#define SLUICE_HTTP_FRAME_H

#include "base/base.h"

enum { FRAME_HEADER_LEN = 8, FRAME_BODY_MAX = 65528 /* per record we send: no padding needed */ };

enum frame_state {
    FRAME_BEGIN, /* nothing or a part of BEGIN_REQUEST so far */
    FRAME_PARAMS,
    FRAME_STDIN,
    FRAME_DONE,
    FRAME_BAD,
};

enum { FRAME_PAIRS_MAX = 512 };

struct frame {
    enum frame_state state;
    unsigned char header[FRAME_HEADER_LEN];
    unsigned header_len;
    uint32_t content; /* bytes of the current record still to come */
    uint32_t padding;
    uint16_t request_id;
    size_t params_len; /* content bytes of PARAMS so far */
    uint64_t body_len; /* content bytes of STDIN followed so far */
    bool too_large;    /* BAD because the parameters pass LIMIT_HEADERS, or say so, or are more than FRAME_PAIRS_MAX */
    struct {
        uint32_t left;   /* bytes of a name and its value still to come */
        uint32_t name;   /* length of the name, once known */
        uint32_t length; /* the one that is being read */
        unsigned more;   /* bytes of it still to come */
        bool has_name;
        unsigned n; /* pairs begun so far */
    } pair;
};

/* Ready for a new request. */
void frame_init(struct frame *f);
/*
 * Follow n more bytes.  Stops behind the empty PARAMS record when `stop_at_head` and behind the end
 * of the request. Returns how many bytes were followed.
 */
size_t frame_feed(struct frame *f, const void *bytes, size_t n, bool stop_at_head);

/* At the border between head and body, nothing of the body followed yet. */
static inline bool frame_at_head_end(const struct frame *f)
{
    return f->state == FRAME_STDIN && f->content == 0 && f->padding == 0 && f->header_len == 0 &&
           f->body_len == 0;
}

/* The request is whole, padding included. */
static inline bool frame_complete(const struct frame *f)
{
    return f->state == FRAME_DONE && f->padding == 0;
}

#endif
