/*
 * Reading multipart/form-data (RFC 7578) and application/x-www-form-urlencoded bodies.
 */
#ifndef SLUICE_HTTP_MULTIPART_H
#define SLUICE_HTTP_MULTIPART_H

#include "http/client.h"

/* Parts point into `body`.  At most 1,000.  ERR_INVALID says what is wrong. */
MUST_CHECK int multipart_parse(struct str content_type, struct str body, struct http_part **out,
                               size_t *n, struct arena *a, struct err *e);
/* One line of a part's headers: fills name, filename, mime; *named when it holds the field's name.
 */
void multipart_header(struct str line, struct http_part *part, bool *named, struct arena *a);

#endif
