/*
 * Plain blocking sockets and OpenSSL, a thread per connection.  What a connection uses is taken under the lock when it begins.
 */
#include "support/tls_peer.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 256, HEAD = 16 * 1024, SAW = 256 * 1024 };

/* ---- listening ------------------------------------------------------------------------------------------------ */

struct listening {
    int fd, port;
    pthread_t thread;
    atomic_bool stopping;
    void *(*serve)(void *arg);
    void *peer;
};

struct line {
    void *peer;
    int fd;
};

static void *accept_all(void *arg)
{
    struct listening *l = arg;

    while (!atomic_load(&l->stopping)) {
        int fd = accept(l->fd, NULL, NULL);
        struct line *line;
        pthread_t thread;

        if (fd < 0)
            continue;
        line = malloc(sizeof *line);
        if (line == NULL)
            abort();
        *line = (struct line){l->peer, fd};
        if (pthread_create(&thread, NULL, l->serve, line) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

static void listen_on(struct listening *l, void *(*serve)(void *arg), void *peer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    l->serve = serve;
    l->peer = peer;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(l->fd, 128) != 0 ||
        getsockname(l->fd, (struct sockaddr *)&at, &len) != 0 || pthread_create(&l->thread, NULL, accept_all, l) != 0)
        abort();
    l->port = ntohs(at.sin_port);
}

static void listen_no_more(struct listening *l)
{
    atomic_store(&l->stopping, true);
    shutdown(l->fd, SHUT_RDWR);
    pthread_join(l->thread, NULL);
    close(l->fd);
}

/* ---- the HTTPS server ------------------------------------------------------------------------------------------ */

struct tls_peer {
    struct listening listening;
    pthread_mutex_t lock;
    SSL_CTX *ctx;
    int fds[CONNECTIONS]; /* those open, 0 = free */
    atomic_long requests;
};

void tls_peer_show(struct tls_peer *p, const struct pki *leaf, const struct pki *clients)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method()), *old;

    if (ctx == NULL || SSL_CTX_use_certificate(ctx, leaf->cert) != 1 || SSL_CTX_use_PrivateKey(ctx, leaf->key) != 1)
        abort();
    if (clients != NULL) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), clients->cert);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    }
    pthread_mutex_lock(&p->lock);
    old = p->ctx;
    p->ctx = ctx;
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (p->fds[i] != 0)
            shutdown(p->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&p->lock);
    SSL_CTX_free(old);
}

static long length_of(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");

    return at != NULL ? strtol(at + 17, NULL, 10) : 0;
}

/* One request, the body read as well; its target. */
static bool read_request(SSL *ssl, char *target, size_t size)
{
    char head[HEAD], block[4096];
    int n = 0, got;
    char *end = NULL, *at;
    long left;

    while (end == NULL) {
        if (n >= HEAD - 1 || (got = SSL_read(ssl, head + n, HEAD - 1 - n)) <= 0)
            return false;
        n += got;
        head[n] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    for (left = length_of(head) - (n - (end + 4 - head)); left > 0; left -= got)
        if ((got = SSL_read(ssl, block, left < (long)sizeof block ? (int)left : (int)sizeof block)) <= 0)
            return false;
    at = strchr(head, ' ');
    if (at == NULL)
        return false;
    snprintf(target, size, "%.*s", (int)strcspn(at + 1, " \r"), at + 1);
    return true;
}

static void answer(SSL *ssl, const char *target)
{
    char body[HEAD], head[160], client[200] = "";
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    X509 *cert = SSL_get1_peer_certificate(ssl);

    if (cert != NULL)
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, client, sizeof client);
    X509_free(cert);
    snprintf(body, sizeof body, "{\"sni\":\"%s\",\"client\":\"%s\",\"path\":\"%.1000s\"}", sni != NULL ? sni : "", client, target);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    (void)SSL_write(ssl, head, (int)strlen(head));
    (void)SSL_write(ssl, body, (int)strlen(body));
}

static void *serve_tls(void *arg)
{
    struct line *l = arg;
    struct tls_peer *p = l->peer;
    char target[HEAD];
    size_t at = 0;
    SSL *ssl;

    pthread_mutex_lock(&p->lock);
    while (at < CONNECTIONS - 1 && p->fds[at] != 0)
        at++;
    p->fds[at] = l->fd;
    ssl = SSL_new(p->ctx);
    pthread_mutex_unlock(&p->lock);
    SSL_set_fd(ssl, l->fd);
    if (SSL_accept(ssl) == 1) {
        while (read_request(ssl, target, sizeof target)) {
            atomic_fetch_add(&p->requests, 1);
            answer(ssl, target);
        }
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    pthread_mutex_lock(&p->lock);
    p->fds[at] = 0;
    pthread_mutex_unlock(&p->lock);
    close(l->fd);
    free(l);
    return NULL;
}

struct tls_peer *tls_peer_new(void)
{
    struct tls_peer *p = calloc(1, sizeof *p);
    struct pki *nobody = pki_leaf(NULL, &(struct pki_want){.name = "nobody"});

    if (p == NULL)
        abort();
    pthread_mutex_init(&p->lock, NULL);
    tls_peer_show(p, nobody, NULL);
    pki_free(nobody);
    listen_on(&p->listening, serve_tls, p);
    return p;
}

void tls_peer_free(struct tls_peer *p)
{
    listen_no_more(&p->listening); /* its threads may still look at the rest: it stays */
}

int tls_peer_port(const struct tls_peer *p)
{
    return p->listening.port;
}

long tls_peer_requests(struct tls_peer *p)
{
    return atomic_load(&p->requests);
}

/* ---- passing on ------------------------------------------------------------------------------------------------- */

struct connect_peer {
    struct listening listening;
    pthread_mutex_t lock; /* the next four */
    char credentials[300]; /* "Basic ...", "" = none wanted */
    int status;
    char *saw;
    size_t n_saw;
    atomic_long tunnels, plain, refused;
};

void connect_peer_want(struct connect_peer *p, const char *user_password, int status)
{
    unsigned char b64[256] = "";

    pthread_mutex_lock(&p->lock);
    if (user_password != NULL)
        EVP_EncodeBlock(b64, (const unsigned char *)user_password, (int)strlen(user_password));
    snprintf(p->credentials, sizeof p->credentials, "%s%s", user_password != NULL ? "Basic " : "", (char *)b64);
    p->status = status;
    pthread_mutex_unlock(&p->lock);
}

/* The status for whoever sent this head; 200: pass it on. */
static int admit(struct connect_peer *p, const char *head)
{
    const char *line = strcasestr(head, "\r\nproxy-authorization: ");
    int status;

    pthread_mutex_lock(&p->lock);
    if (p->n_saw + strlen(head) < SAW) {
        memcpy(p->saw + p->n_saw, head, strlen(head) + 1);
        p->n_saw += strlen(head);
    }
    status = p->status;
    if (p->credentials[0] != '\0' &&
        (line == NULL || strncmp(line + 23, p->credentials, strlen(p->credentials)) != 0 || line[23 + strlen(p->credentials)] != '\r'))
        status = 407;
    pthread_mutex_unlock(&p->lock);
    return status;
}

static void say(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static int dial(const char *authority)
{
    char host[256];
    const char *colon = strrchr(authority, ':');
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int fd = -1;

    if (colon == NULL || (size_t)(colon - authority) >= sizeof host)
        return -1;
    snprintf(host, sizeof host, "%.*s", (int)(colon - authority), authority);
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
        return -1;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd;
}

static bool move_bytes(int from, int to)
{
    char block[16 * 1024];
    ssize_t n = recv(from, block, sizeof block, 0);

    return n > 0 && send(to, block, (size_t)n, MSG_NOSIGNAL) == n;
}

static void pass_on(int client, int server)
{
    struct pollfd fds[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};

    while (poll(fds, 2, 60000) > 0) {
        if (fds[0].revents != 0 && !move_bytes(client, server))
            break;
        if (fds[1].revents != 0 && !move_bytes(server, client))
            break;
    }
}

static void tunnel(struct connect_peer *p, int fd, const char *authority)
{
    int to = dial(authority);

    if (to < 0) {
        say(fd, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    atomic_fetch_add(&p->tunnels, 1);
    say(fd, "HTTP/1.1 200 Connection established\r\n\r\n");
    pass_on(fd, to);
    close(to);
}

static void serve_one(struct connect_peer *p, int fd, const char *head)
{
    char method[16], target[1024];
    int status = admit(p, head);

    if (sscanf(head, "%15s %1023s", method, target) != 2)
        return;
    if (status != 200) {
        char text[200];

        atomic_fetch_add(&p->refused, 1);
        snprintf(text, sizeof text, "HTTP/1.1 %d No\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", status,
                 status == 407 ? "Proxy-Authenticate: Basic realm=\"x\"\r\n" : "");
        say(fd, text);
        return;
    }
    if (strcmp(method, "CONNECT") == 0) {
        tunnel(p, fd, target);
        return;
    }
    atomic_fetch_add(&p->plain, 1);
    if (strncmp(target, "http://", 7) != 0) {
        say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"plain\":true}");
}

static void *serve_connect(void *arg)
{
    struct line *l = arg;
    char head[HEAD];
    size_t n = 0;
    ssize_t got = 1;

    do {
        head[n] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL) {
            serve_one(l->peer, l->fd, head);
            break;
        }
        got = recv(l->fd, head + n, sizeof head - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
    } while (got > 0 && n < sizeof head - 1);
    shutdown(l->fd, SHUT_WR);
    (void)recv(l->fd, head, sizeof head, 0);
    close(l->fd);
    free(l);
    return NULL;
}

struct connect_peer *connect_peer_new(void)
{
    struct connect_peer *p = calloc(1, sizeof *p);

    if (p == NULL || (p->saw = calloc(1, SAW)) == NULL)
        abort();
    pthread_mutex_init(&p->lock, NULL);
    p->status = 200;
    listen_on(&p->listening, serve_connect, p);
    return p;
}

void connect_peer_free(struct connect_peer *p)
{
    listen_no_more(&p->listening);
}

int connect_peer_port(const struct connect_peer *p)
{
    return p->listening.port;
}

long connect_peer_tunnels(struct connect_peer *p)
{
    return atomic_load(&p->tunnels);
}

long connect_peer_plain(struct connect_peer *p)
{
    return atomic_load(&p->plain);
}

long connect_peer_refused(struct connect_peer *p)
{
    return atomic_load(&p->refused);
}

bool connect_peer_saw(struct connect_peer *p, const char *words)
{
    bool yes;

    pthread_mutex_lock(&p->lock);
    yes = strstr(p->saw, words) != NULL;
    pthread_mutex_unlock(&p->lock);
    return yes;
}
