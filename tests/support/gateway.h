/*
 * A stand-in for the telephony gateway behind the proxy (gateway-proxy.md 6.1, 6.4, 7, 9.6): logins
 * with cookies, a few collections in memory, audit records, and switches that make it misbehave.
 *
 * One lock guards the whole state; a request is answered in one step, waiting and misbehaving on
 * the wire come after it.
 */
#ifndef SLUICE_TESTS_GATEWAY_H
#define SLUICE_TESTS_GATEWAY_H

#include "base/value.h"

struct gateway;

struct gateway_opts {
    const char *basic;  /* "user:password" accepted instead of cookies, NULL: not */
    const char *bearer; /* token accepted instead of cookies, NULL: not */
    bool empty;         /* start without example data */
};

struct gw_header {
    struct str name;
    struct str value;
};

struct gw_request {
    struct str method;
    struct str target; /* as received */
    struct str path, query;
    struct gw_header *headers;
    size_t n_headers;
    struct str body;
    struct arena *a;
};

/* What happens on the wire instead of the plain answer. */
enum gw_fault { GW_ANSWER, GW_RESET_MID_BODY, GW_CLOSE_EARLY, GW_HANG, GW_GARBAGE };

struct gw_answer {
    int status;
    struct buf headers; /* more lines, each ending in \r\n */
    struct val body;    /* an object, or the bare array some lists are */
    enum gw_fault fault;
    int64_t delay_ms;
};

struct gateway *gateway_new(const struct gateway_opts *o);
void gateway_free(struct gateway *g);
/* Answer one request; everything of it lives in r->a.  Any thread. */
void gateway_handle(struct gateway *g, const struct gw_request *r, struct gw_answer *out);
/* Count a connection. */
void gateway_connected(struct gateway *g);
/* Header in any case, empty when absent. */
struct str gw_header(const struct gw_request *r, const char *name);

/* Serve HTTP/1.1 on a listening socket, a thread per connection, until the process ends.  -1 when
 * accepting fails. */
int gateway_serve(struct gateway *g, int listen_fd);

/* The accounts, for --help. */
void gateway_print_accounts(void);

#endif
