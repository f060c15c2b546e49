/*
 * A small WebSocket client for tests: opens, reads messages, sees how it is closed.
 */
#ifndef SLUICE_TESTS_WS_CLIENT_H
#define SLUICE_TESTS_WS_CLIENT_H

#include "base/str.h"

struct ws {
    int fd;
    int status;     /* of the handshake: 101 when open */
    int close_code; /* 0 = still open */
};

/* Ask 127.0.0.1:port for a path; headers: more lines, each with its CRLF. */
struct ws ws_open(int port, const char *path, const char *headers);
/* The next text message within `ms`, 30 s at least, in `a`; .p NULL: none came, or the socket was closed
 * (close_code). */
struct str ws_next(struct ws *w, int ms, struct arena *a);
void ws_send(struct ws *w, const char *text);
void ws_end(struct ws *w);

#endif
