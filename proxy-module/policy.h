/*
 * What crosses the proxy: paths, queries and headers in both directions (gateway-proxy.md 2).
 *
 * Pure rules: no sockets, no state.
 */
#ifndef SLUICE_PROXY_POLICY_H
#define SLUICE_PROXY_POLICY_H

#include "config/proxy_map.h"
#include "gateway/session.h"
#include "http1.h"

/* Path of the API on the gateway's server: the path of its URL and the API root, "/api/v1". */
struct str policy_root(const struct cfg_gateway *g, struct arena *a);

/* Where a request goes. */
struct policy_target {
    struct str origin; /* "https://10.0.1.2:8443": scheme, host, port */
    struct str host;   /* value of the Host header */
    struct str root;   /* of the API there: path of the URL in use and API root, "/api/v1" */
    struct str path;   /* path and query as sent */
};

/*
 * The upstream target of a request: base URL, API root, the rest of the path byte for byte, the missing final slash, the query
 * without auth_token.
 *
 * base  the URL in use (main or backup), without trailing slash.  rest  raw path behind the prefix.
 */
MUST_CHECK int policy_target(const struct cfg_gateway *g, struct str base, struct str rest, struct str query,
                             struct policy_target *out, struct arena *a, struct err *e);

/*
 * May the request line cross as it is?  ERR_INVALID for a method that is no token and for a query with blanks or control characters:
 * either would end the request line early, and what follows would be read as headers or as another request.  Likewise for a number
 * sign, behind which a server may stop reading.
 */
MUST_CHECK int policy_request_line(const struct http_req *r, struct err *e);

/*
 * The request head as sent, ready for the wire, with its empty line.
 *
 * body_len     bytes that follow, POLICY_CHUNKED when that is not known; has_body false = none and no length.
 * traceparent  of this call (trace.h), replacing the client's.
 */
#define POLICY_CHUNKED UINT64_MAX
struct str policy_request_head(struct http_req *r, const struct cfg_gateway *g, const struct policy_target *t,
                               const struct gw_session *session, bool has_body, uint64_t body_len, struct str traceparent,
                               struct arena *a);

/* A header of the request by which some servers do another method or path than the request line says, lower case; .p NULL: none. */
struct str policy_other_call(const struct http_req *r);

/* The content type a body goes out with: the gateway's own header, else the client's, corrected for DELETE and GET. */
struct str policy_content_type(const struct http_req *r, const struct cfg_gateway *g, struct arena *a);

/* Does this header of an answer reach the client? */
bool policy_response_header(struct str lower_name);

/*
 * The Location of a redirect, rewritten from the gateway's origin and API root back to the prefix, a relative one resolved first;
 * .p NULL when it leads elsewhere.
 */
struct str policy_location(struct str location, const struct policy_target *t, const struct proxy_map *m, struct arena *a);

#endif
