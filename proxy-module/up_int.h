/*
 * Shared by up_conn.c (connections) and upstream.c (calls); included from nowhere else.
 */
#ifndef SLUICE_PROXY_UP_INT_H
#define SLUICE_PROXY_UP_INT_H

#include <curl/curl.h>

#include "upstream.h"

enum { READ_SIZE = 64 * 1024 };

/* A connection: in use by one call, or idle in the pool of its loop. */
struct up_conn {
    CURL *easy;   /* of TLS; NULL: bytes go over the socket as they are */
    char *why;    /* with TLS: what libcurl says of its last error */
    int fd;
    uint64_t key; /* where it leads: origin, TLS identity, outbound proxy */
    struct loop_watch *watch;
    uint32_t events;      /* watched now */
    struct up_call *call; /* NULL while idle */
    struct up_pool *pool;
    struct up_conn *next, *prev; /* idle list, most recently used first */
    int64_t idle_since_ms;
};

/* Calls that wait for a connection to the same place. */
struct up_site {
    uint64_t key;
    struct up_call *first, *last;
    int waiting;
    int connecting; /* connections being made for them */
    struct up_site *next;
};

/* What belongs to one loop. */
struct up_pool {
    struct loop *loop;
    struct up_conn *idle;
    size_t n_idle;
    struct up_site *sites; /* those somebody waits for */
    struct up_call *spare; /* finished calls with their arenas, for the next ones */
    size_t n_spare;
    char *buf; /* READ_SIZE */
};

/* Each state says what is true in it. */
enum up_state {
    CONNECTING, /* on the list of its site */
    SENDING,    /* connected; not all of head and body is written */
    READING,    /* everything is written */
};

struct up_call {
    struct up_pool *pool;
    struct http_server *server;
    struct up_request q;
    struct up_handler h;
    void *arg;
    struct arena *a;
    struct up_conn *conn;
    enum up_state state;
    bool reused;   /* the connection was kept: it may be dead without our knowing */
    bool answered; /* a byte of the answer came */
    bool paused;
    bool starving;  /* the rest of the request body has not come yet */
    bool body_done; /* q.more has said all */
    bool deaf;      /* the upstream takes no more of the request */
    bool in_read;   /* callbacks are running: freeing waits */
    bool ended;
    size_t sent;    /* of head, then body */
    char *out;      /* the piece of q.more being sent */
    size_t out_at, out_len;
    struct buf in;  /* header block so far */
    bool has_head;
    struct http1_head head;
    struct http1_body body;
    struct loop_timer *timer;
    struct loop_timer *kick; /* goes on reading in the next turn */
    int64_t started_ms, active_ms;
    struct up_site *site;    /* while CONNECTING */
    struct up_call *next, *prev; /* in the list of its site; next also in that of spare ones */
};

enum up_io { IO_DONE, IO_AGAIN, IO_FAILED };

/* ---- up_conn.c ---- */
struct up_pool *up_pool_of(struct loop *loop);
/* Connections are shared by calls for which this is the same. */
uint64_t up_conn_key(const struct up_request *q);
/* A kept one, or NULL. */
struct up_conn *up_conn_take(struct up_pool *p, uint64_t key);
/* Done with it: on to a call that waits, else kept for a later one. */
void up_conn_keep(struct up_conn *k);
void up_conn_free(struct up_conn *k);
/* Why the peer ended TLS, for messages; empty when it did not, or there is none. */
struct str up_conn_alert(const struct up_conn *k, struct arena *a);
void up_conn_watch(struct up_conn *k, uint32_t events);
enum up_io up_conn_send(struct up_conn *k, const char *p, size_t n, size_t *done);
/* *done == 0 with IO_DONE: the end. */
enum up_io up_conn_recv(struct up_conn *k, char *p, size_t n, size_t *done);
/* Put the call on the list of its site; up_call_connected() or up_call_unconnected() follows, not before this returns. */
void up_connect(struct up_call *c, uint64_t key);
/* Wait no more. */
void up_connect_leave(struct up_call *c);

/* ---- upstream.c ---- */
void up_call_connected(struct up_call *c, struct up_conn *k);
void up_call_unconnected(struct up_call *c, const struct err *e);
/* Something happened to the connection of a call. */
void up_call_event(struct up_call *c, uint32_t revents);
void up_call_destroy(struct up_call *c);

#endif
