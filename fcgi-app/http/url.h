/*
 * Paths, queries and URLs: RFC 3986, and the strict reading of request targets of
 * gateway-proxy.md 2.1.
 */
#ifndef SLUICE_HTTP_URL_H
#define SLUICE_HTTP_URL_H

#include "base/value.h"

struct url {
    struct str scheme;         /* lower case */
    struct str userinfo, host; /* host without brackets */
    int port;                  /* 0 = not given */
    struct str path;           /* as written, may be empty */
    struct str query;          /* without '?', .p NULL when absent */
    struct str fragment;
};

/* An absolute URL; ERR_INVALID saying what is wrong. */
MUST_CHECK int url_parse(struct str text, struct url *out, struct arena *a, struct err *e);
int url_default_port(struct str scheme); /* 80, 443, 0 */
/* scheme://host[:port] with the default port left out */
struct str url_origin(const struct url *u, struct arena *a);

/* %XX -> bytes; plus = '+' is a blank.  .p NULL for an invalid sequence or a NUL. */
struct str url_decode(struct str s, bool plus, struct arena *a);
/* Everything but A-Z a-z 0-9 - . _ ~ and the characters of `keep` as %XX. */
struct str url_encode(struct str s, const char *keep, struct arena *a);
/* "a=1&b=2&a=3" -> {"a": ["1","3"], "b": "2"}: text, or array when repeated
 * (workflow-engine.md 4.13). Undecodable or non-UTF-8 parts are repaired with U+FFFD. */
struct val url_query_parse(struct str query, struct arena *a);
/* The query without parameter `name`, the rest byte for byte. */
struct str url_query_without(struct str query, const char *name, struct arena *a);

/*
 * Check a raw path strictly and bring it to the one canonical form used for matching, rules and
 * logs: unreserved characters decoded, other escapes in upper case.
 *
 * ERR_INVALID: a segment that decodes to "." or ".." (parameters left aside), encoded NUL, CR or LF, "//" inside, invalid
 * %XX, a raw byte >= 0x80 or control, longer than LIMIT_TARGET.
 */
MUST_CHECK int url_canonical_path(struct str path, struct str *out, struct arena *a, struct err *e);

#endif
