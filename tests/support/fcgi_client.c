/*
 * The FastCGI client of the tests.
 */
#include "support/fcgi_client.h"

#include <errno.h>
#include <fastcgi.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_MAX = 256 * 1024 * 1024, PATIENCE_MS = 20000 };

/* ---- asking
 * -------------------------------------------------------------------------------------- */

void fcgi_put_record(struct buf *out, unsigned type, uint16_t id, struct str content,
                     uint8_t padding)
{
    static const char zeros[256];
    unsigned char head[FCGI_HEADER_LEN] = {FCGI_VERSION_1,
                                           (unsigned char)type,
                                           (unsigned char)(id >> 8),
                                           (unsigned char)(id & 0xff),
                                           (unsigned char)(content.len >> 8),
                                           (unsigned char)(content.len & 0xff),
                                           padding,
                                           0};

    buf_add(out, head, sizeof(head));
    buf_add_str(out, content);
    buf_add(out, zeros, padding);
}

static void put_length(struct buf *b, size_t n)
{
    if (n >= 128) {
        buf_putc(b, (char)(0x80 | (n >> 24)));
        buf_putc(b, (char)((n >> 16) & 0xff));
        buf_putc(b, (char)((n >> 8) & 0xff));
    }
    buf_putc(b, (char)(n & 0xff));
}

static void put_param(struct buf *b, struct str name, struct str value)
{
    put_length(b, name.len);
    put_length(b, value.len);
    buf_add_str(b, name);
    buf_add_str(b, value);
}

static void put_params(struct buf *b, const struct fcgi_request *r)
{
    struct str query = str_c(r->uri);
    bool body = r->body.len > 0 || r->announced != NULL;

    (void)str_cut(&query, '?');
    put_param(b, STR("REQUEST_METHOD"), str_c(r->method != NULL ? r->method : "GET"));
    put_param(b, STR("REQUEST_URI"), str_c(r->uri));
    put_param(b, STR("QUERY_STRING"), query);
    put_param(b, STR("CONTENT_TYPE"), str_c(r->content_type));
    if (r->announced != NULL)
        put_param(b, STR("CONTENT_LENGTH"), str_c(r->announced));
    else
        put_param(b, STR("CONTENT_LENGTH"), body ? str_printf(b->a, "%zu", r->body.len) : STR(""));
    put_param(b, STR("REMOTE_ADDR"), STR("192.0.2.7"));
    put_param(b, STR("REQUEST_SCHEME"), STR("https"));
    for (size_t i = 0; r->params != NULL && r->params[i] != NULL; i++) {
        struct str value = str_c(r->params[i]);
        struct str name = str_cut(&value, '=');

        put_param(b, name, value);
    }
}

void fcgi_put_request(struct buf *out, const struct fcgi_request *r)
{
    uint16_t id = r->id != 0 ? r->id : 1;
    size_t step = r->record != 0 ? r->record : 32 * 1024;
    char begin[8] = {0, FCGI_RESPONDER, (char)(r->close ? 0 : FCGI_KEEP_CONN)};
    struct buf params;
    struct str rest;

    fcgi_put_record(out, FCGI_BEGIN_REQUEST, id, str_make(begin, sizeof(begin)), 0);
    buf_init(&params, MESSAGE_MAX, out->a);
    put_params(&params, r);
    for (rest = buf_str(&params); rest.len > 0; rest = str_slice(rest, 65535, rest.len))
        fcgi_put_record(out, FCGI_PARAMS, id, str_slice(rest, 0, 65535), r->padding);
    fcgi_put_record(out, FCGI_PARAMS, id, STR(""), 0);
    for (rest = r->body; rest.len > 0; rest = str_slice(rest, step, rest.len))
        fcgi_put_record(out, FCGI_STDIN, id, str_slice(rest, 0, step), r->padding);
    fcgi_put_record(out, FCGI_STDIN, id, STR(""), 0);
}

int fcgi_connect(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
        return -1;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool fcgi_send(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes = str_slice(bytes, (size_t)n, bytes.len);
    }
    return true;
}

/* ---- receiving
 * ------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Exactly n bytes: 1, 0 at the end of the connection, -1 too late. */
static int take(int fd, void *to, size_t n, int64_t until_ms)
{
    char *p = to;

    while (n > 0) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int64_t left = until_ms - now_ms();
        ssize_t got;

        if (left <= 0 || poll(&pfd, 1, (int)left) == 0)
            return -1;
        got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        p += got;
        n -= (size_t)got;
    }
    return 1;
}

static void split(struct fcgi_answer *out, struct str text)
{
    ptrdiff_t end = str_find(text, STR("\r\n\r\n"));
    struct str status;
    int64_t code = 0;

    if (end < 0)
        return;
    out->head = str_slice(text, 0, (size_t)end);
    out->body = str_slice(text, (size_t)end + 4, text.len);
    status = fcgi_header(out, "status");
    out->status = 200;
    if (status.p != NULL && str_to_int(str_cut(&status, ' '), &code))
        out->status = (int)code;
}

bool fcgi_receive(int fd, struct fcgi_answer *out, struct arena *a, int timeout_ms)
{
    int64_t until = now_ms() + (timeout_ms > PATIENCE_MS ? timeout_ms : PATIENCE_MS);
    struct buf text;
    int rc = 1;

    memset(out, 0, sizeof(*out));
    buf_init(&text, MESSAGE_MAX, a);
    while (!out->ended) {
        unsigned char head[FCGI_HEADER_LEN];
        char content[65535 + 255];
        size_t len;

        rc = take(fd, head, sizeof(head), until);
        if (rc <= 0)
            break;
        len = (size_t)(head[4] << 8 | head[5]);
        rc = take(fd, content, len + head[6], until);
        if (rc <= 0)
            break;
        if (head[1] == FCGI_STDOUT)
            buf_add(&text, content, len);
        out->ended = head[1] == FCGI_END_REQUEST;
    }
    out->closed = rc == 0;
    split(out, buf_str(&text));
    return rc >= 0;
}

struct fcgi_answer fcgi_call(const char *path, const struct fcgi_request *r, struct arena *a)
{
    struct fcgi_answer answer = {0};
    struct buf b;
    int fd = fcgi_connect(path);

    if (fd < 0)
        return answer;
    buf_init(&b, MESSAGE_MAX, a);
    fcgi_put_request(&b, r);
    /* An early answer may come with the connection half closed: receive in any case. */
    (void)fcgi_send(fd, buf_str(&b));
    (void)fcgi_receive(fd, &answer, a, 20000);
    close(fd);
    return answer;
}

struct str fcgi_header(const struct fcgi_answer *r, const char *name)
{
    struct str rest = r->head;

    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n');
        struct str key = str_cut(&value, ':');

        if (str_ieq(str_trim(key), str_c(name)))
            return str_trim(value);
    }
    return STR_NONE;
}

bool fcgi_closed(int fd, int timeout_ms)
{
    char byte;

    return take(fd, &byte, 1, now_ms() + timeout_ms) == 0;
}
