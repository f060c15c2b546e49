/*
 * HTTP/1.1 answers of an upstream (RFC 9112): head and body framing, strict where requests could be smuggled.
 *
 * Bytes in, slices out; no sockets here.
 */
#ifndef SLUICE_PROXY_HTTP1_H
#define SLUICE_PROXY_HTTP1_H

#include "http/request.h"

enum http1_framing {
    HTTP1_NONE,    /* no body: HEAD, 1xx, 204, 304 */
    HTTP1_LENGTH,  /* Content-Length */
    HTTP1_CHUNKED, /* Transfer-Encoding: chunked */
    HTTP1_CLOSE,   /* until the connection ends */
};

struct http1_head {
    int status;
    struct http_header *headers; /* lower-case names, in order */
    size_t n_headers;
    enum http1_framing framing;
    uint64_t length; /* HTTP1_LENGTH */
    bool keep_alive; /* the connection may be used again */
};

/*
 * Length of the header block at the start of `bytes` with its empty line, or 0 when it is not complete yet.
 */
size_t http1_head_end(struct str bytes);

/*
 * Read a complete header block.
 *
 * is_head  the request was HEAD.
 * out      living in `a`.
 * ERR_UPSTREAM for anything RFC 9112 does not allow, differing or repeated lengths, both length and chunks, folded lines,
 * control characters in values.
 */
MUST_CHECK int http1_head_read(struct str block, bool is_head, struct http1_head *out, struct arena *a, struct err *e);
struct str http1_header(const struct http1_head *h, const char *name);

struct http1_body {
    enum http1_framing framing;
    uint64_t left;  /* of the length or the chunk */
    uint8_t state;  /* of the chunk reader */
    uint8_t digits;
    uint16_t line;  /* bytes of a trailer or extension seen */
    bool done;
};

/* Begin with the body that a head announces. */
void http1_body_start(struct http1_body *b, const struct http1_head *h);
/*
 * Take the next piece of payload from *bytes, which is advanced.
 *
 * Returns 1 with a piece, 0 when more bytes are needed or the body is complete (b->done; what is left in *bytes does not belong
 * to it), -1 when the chunks are malformed.
 */
MUST_CHECK int http1_body_next(struct http1_body *b, struct str *bytes, struct str *piece);

#endif
