/*
 * Listening sockets: inherited as descriptor 0, or bound by ourselves.
 */
#include "http/server.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ip_guard.h"

enum { BACKLOG = 1024 };

int http_listen_inherited(void)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    if (getsockopt(0, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
        return -1;
    ip_guard_own_socket(0);
    return 0;
}

static bool somebody_listens(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool yes;

    if (fd < 0)
        return true; /* not known: leave the path alone */
    /* EAGAIN is a full backlog, so there is somebody. */
    yes = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN;
    close(fd);
    return yes;
}

/* A socket file nobody listens on any more is left behind by a crash: remove it, and nothing else.
 */
static bool remove_stale(const struct sockaddr_un *addr)
{
    struct stat st;

    if (lstat(addr->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode) || somebody_listens(addr))
        return false;
    return unlink(addr->sun_path) == 0;
}

int http_listen_unix(const char *path, unsigned mode, int *fd, struct err *e)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int s = -1;
    int rc = -1;
    bool bound;

    if (len == 0 || len >= sizeof(addr.sun_path)) {
        err_set(e, ERR_USAGE, "socket path \"%s\" must have 1 to %zu bytes", path,
                sizeof(addr.sun_path) - 1);
        goto out;
    }
    memcpy(addr.sun_path, path, len + 1);
    s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0) {
        err_set(e, ERR_INTERNAL, "cannot make a socket: %s", strerror(errno));
        goto out;
    }
    bound = bind(s, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    if (!bound && errno == EADDRINUSE) {
        if (!remove_stale(&addr)) {
            err_set(e, ERR_INTERNAL,
                    "cannot listen on %s: address in use (another program on this socket?)", path);
            goto out;
        }
        bound = bind(s, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    }
    /* Nobody can connect between bind and listen, so the mode holds from the start. */
    if (!bound || chmod(path, (mode_t)mode) != 0 || listen(s, BACKLOG) != 0) {
        err_set(e, ERR_INTERNAL, "cannot listen on %s: %s", path, strerror(errno));
        goto out;
    }
    *fd = s;
    s = -1;
    rc = 0;
out:
    if (s >= 0)
        close(s);
    return rc;
}

/* Bind and listen on one address; the descriptor, or -1 with errno. */
static int listen_on(const struct addrinfo *ai)
{
    int one = 1;
    int saved;
    int s = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (s < 0)
        return -1;
    (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(s, ai->ai_addr, ai->ai_addrlen) == 0 && listen(s, BACKLOG) == 0)
        return s;
    saved = errno;
    close(s);
    errno = saved;
    return -1;
}

int http_listen_tcp(const char *host, int port, int *fd, struct err *e)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[16];
    int rc;
    int s = -1;

    if (port < 0 || port > 65535) {
        err_set(e, ERR_USAGE, "port %d is not between 0 and 65535", port);
        return -1;
    }
    snprintf(service, sizeof(service), "%d", port);
    rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) {
        err_set(e, ERR_USAGE, "cannot listen on %s:%d: %s", host, port, gai_strerror(rc));
        return -1;
    }
    for (const struct addrinfo *ai = list; ai != NULL && s < 0; ai = ai->ai_next)
        s = listen_on(ai);
    if (s < 0 && errno == EADDRINUSE)
        err_set(e, ERR_INTERNAL,
                "cannot listen on %s:%d: address in use (core and proxy on one host need different "
                "ports)",
                host, port);
    else if (s < 0)
        err_set(e, ERR_INTERNAL, "cannot listen on %s:%d: %s", host, port, strerror(errno));
    freeaddrinfo(list);
    if (s < 0)
        return -1;
    ip_guard_own_socket(s);
    *fd = s;
    return 0;
}
