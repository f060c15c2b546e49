/*
 * An HTTP peer that does what a test tells it: answer, refuse to, stop in the middle, talk
 * nonsense.
 *
 * One thread, on a free port of 127.0.0.1.  Requests are answered by the steps of the script in
 * order, whatever connection they come on; the last step repeats.  Every request is kept and can be
 * read back.
 */
#ifndef SLUICE_TESTS_PEER_H
#define SLUICE_TESTS_PEER_H

#include "base/str.h"

enum peer_kind {
    PEER_ANSWER,    /* status, headers, body */
    PEER_ECHO,      /* 200 with the request body */
    PEER_BIG,       /* 200 with `size` bytes 'x' */
    PEER_CLOSE,     /* close without a byte */
    PEER_CLOSE_MID, /* announce `size` bytes, send half of them, close */
    PEER_HANG,      /* never answer */
    PEER_GARBAGE,   /* what is not HTTP, then close */
    PEER_BIG_HEAD,  /* headers of more than `size` bytes */
};

struct peer_step {
    enum peer_kind kind;
    int status;          /* PEER_ANSWER; 0: 200 */
    const char *headers; /* more lines, each ending in \r\n; may be NULL */
    const char *body;    /* NULL: empty */
    size_t size;
    bool close;   /* close behind the answer instead of keeping the connection */
    int delay_ms; /* before answering */
};

struct peer;

struct peer *peer_new(const struct peer_step *steps, size_t n);
void peer_free(struct peer *p);
int peer_port(const struct peer *p);
/* Requests are taken and not answered until it is over. */
void peer_hold(struct peer *p, bool hold);
/* Start another script; counters and kept requests are cleared. */
void peer_script(struct peer *p, const struct peer_step *steps, size_t n);
size_t peer_requests(struct peer *p);
size_t peer_connections(struct peer *p);
/* Request i as it came, head and body; empty when there was none.  Lives until peer_free or
 * peer_script. */
struct str peer_request(struct peer *p, size_t i);
/* The value of a header of request i, written as it came ("Idempotency-Key"); empty when there is none. */
struct str peer_header(struct peer *p, size_t i, const char *name);
/* A port of 127.0.0.1 nobody listens on, until the program ends. */
int peer_closed_port(void);

#endif
