/*
 * Frames of RFC 6455, as much as a test needs: short ones out, any size in, nothing fragmented.
 */
#include "support/ws_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, PATIENCE_MS = 30000 };

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) > 0;
}

static bool take(int fd, void *to, size_t n, int ms)
{
    size_t got = 0;

    while (got < n) {
        ssize_t part = readable(fd, ms) ? recv(fd, (char *)to + got, n - got, 0) : -1;

        if (part <= 0)
            return false;
        got += (size_t)part;
    }
    return true;
}

struct ws ws_open(int port, const char *path, const char *headers)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct ws w = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    char head[4096];
    size_t n = 0;

    if (connect(w.fd, (const struct sockaddr *)&at, sizeof at) != 0)
        return w;
    dprintf(w.fd,
            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
            path, port, headers);
    while (n < sizeof head - 1 && take(w.fd, head + n, 1, PATIENCE_MS)) {
        n++;
        head[n] = '\0';
        if (n >= 4 && strcmp(head + n - 4, "\r\n\r\n") == 0)
            break;
    }
    if (n > 12)
        w.status = (int)strtol(head + 9, NULL, 10);
    return w;
}

struct str ws_next(struct ws *w, int ms, struct arena *a)
{
    unsigned char head[2], more[8];
    uint64_t len;
    char *body;

    ms = ms < PATIENCE_MS ? PATIENCE_MS : ms;
    while (w->close_code == 0 && take(w->fd, head, 2, ms)) {
        len = head[1] & 127;
        if (len >= 126) {
            size_t n = len == 126 ? 2 : 8;

            if (!take(w->fd, more, n, ms))
                break;
            len = 0;
            for (size_t i = 0; i < n; i++)
                len = len << 8 | more[i];
        }
        body = arena_bytes(a, (size_t)len + 1);
        if (!take(w->fd, body, (size_t)len, ms))
            break;
        body[len] = '\0';
        if ((head[0] & 15) == OP_TEXT)
            return str_make(body, (size_t)len);
        if ((head[0] & 15) == OP_CLOSE)
            w->close_code = len >= 2 ? (unsigned char)body[0] << 8 | (unsigned char)body[1] : 1005;
    }
    return STR_NONE;
}

void ws_send(struct ws *w, const char *text)
{
    size_t len = strlen(text);
    unsigned char frame[128] = {0x80 | OP_TEXT, (unsigned char)(0x80 | len)}; /* mask of zeros */

    memcpy(frame + 6, text, len);
    (void)send(w->fd, frame, len + 6, MSG_NOSIGNAL);
}

void ws_end(struct ws *w)
{
    close(w->fd);
}
