/*
 * A small FastCGI client for tests: what nginx does on one connection, byte by byte when a test
 * wants it.
 */
#ifndef SLUICE_TESTS_FCGI_CLIENT_H
#define SLUICE_TESTS_FCGI_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"

struct fcgi_request {
    const char *method; /* NULL: GET */
    const char *uri;    /* with query */
    struct str body;
    const char *content_type;  /* NULL: none */
    const char *const *params; /* more "NAME=value", NULL at the end; may be NULL */
    const char *announced;     /* CONTENT_LENGTH as text; NULL: the true one */
    bool close;                /* without FCGI_KEEP_CONN */
    uint16_t id;               /* 0: 1, as nginx */
    size_t record;             /* bytes of body per STDIN record, 0: 32 KiB as nginx */
    uint8_t padding;           /* behind every record that has content */
};

struct fcgi_answer {
    int status;      /* from the Status header; 0 when no header block came */
    struct str head; /* header block without its empty line */
    struct str body;
    bool ended;  /* END_REQUEST came */
    bool closed; /* the connection was closed */
};

/* The records of a whole request, appended. */
void fcgi_put_request(struct buf *out, const struct fcgi_request *r);
/* One record, appended. */
void fcgi_put_record(struct buf *out, unsigned type, uint16_t id, struct str content,
                     uint8_t padding);

/* A connection to a unix socket, -1 when refused. */
int fcgi_connect(const char *path);
bool fcgi_send(int fd, struct str bytes);
/*
 * Read up to END_REQUEST or the end of the connection.  Nothing behind END_REQUEST is taken.
 * Returns false when that takes longer than timeout_ms, and than 20 s: what a busy machine needs is no failure.
 */
bool fcgi_receive(int fd, struct fcgi_answer *out, struct arena *a, int timeout_ms);
/* Connect, ask, receive, close; status 0 when that failed. */
struct fcgi_answer fcgi_call(const char *path, const struct fcgi_request *r, struct arena *a);
/* Value of a header of the answer, in any case; .p NULL when absent. */
struct str fcgi_header(const struct fcgi_answer *r, const char *name);
/* The peer closed within timeout_ms. */
bool fcgi_closed(int fd, int timeout_ms);

#endif
