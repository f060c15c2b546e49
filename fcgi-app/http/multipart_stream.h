/*
 * Reading multipart/form-data (RFC 7578) from a body that is still coming, in bounded memory: for
 * uploads that are stored as they arrive.  Small forms: http/multipart.h.
 */
#ifndef SLUICE_HTTP_MULTIPART_STREAM_H
#define SLUICE_HTTP_MULTIPART_STREAM_H

#include "http/client.h"

struct multipart_stream;

/* Where the body comes from: bytes read, 0 at its end, -1 when the sender broke off. */
typedef ptrdiff_t multipart_source(void *ctx, char *p, size_t n);

/* A reader living in `a`.  ERR_INVALID when the content type is no form with a boundary. */
MUST_CHECK int multipart_stream_new(struct multipart_stream **out, struct str content_type,
                                    multipart_source *source, void *ctx, struct arena *a,
                                    struct err *e);
/*
 * The next part: name, filename (.p NULL: a field) and mime of it; its value is read with
 * multipart_stream_read(), what is left of the one before is skipped.
 *
 * Returns 1, 0 behind the last part, -1 with ERR_INVALID.
 */
MUST_CHECK int multipart_stream_next(struct multipart_stream *m, struct http_part *part,
                                     struct err *e);
/* Up to `n` bytes of the part; 0 at its end, -1 with ERR_INVALID. */
MUST_CHECK ptrdiff_t multipart_stream_read(struct multipart_stream *m, void *p, size_t n,
                                           struct err *e);
/* The rest of a part as text, at most `max` bytes: ERR_LIMIT. */
MUST_CHECK int multipart_stream_text(struct multipart_stream *m, size_t max, struct str *out,
                                     struct err *e);

#endif
