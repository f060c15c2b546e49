/*
 * Gathering requests: a body too large for one go, wherever its records and the reads of the socket end.
 *
 * The socket keeps the borders of what is sent, so each piece is one read.
 */
#include "support/cases.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_int.h"
#include "support/fcgi_client.h"

enum { BODY = LIMIT_BODY_INLINE + 5000};

static struct arena *a;

static const struct row {
    const char *name;
    size_t record;
    uint8_t padding;
    size_t piece;
    size_t portion; /* asked for at once */
} rows[] = {
    {"records of 1", 1, 0, 131, 5000},
    {"records of 1, padded", 1, 7, 331, 5000},
    {"records of 2", 2, 0, 7, 5000},
    {"records of 3", 3, 1, 13, 1},
    {"records of 4", 4, 4, 17, 3},
    {"records of 5", 5, 0, 19, 777},
    {"records of 6", 6, 2, 97, 40000},
    {"records of 7", 7, 9, 101, 7},
    {"records of 8, pieces that end with them", 8, 0, 16, 5000},
    {"records of 9", 9, 255, 997, 64},
    {"byte by byte", 32768, 5, 1, 5000},
    {"nginx", 32768, 0, 16384, 5000},
    {"largest records", 65535, 255, 8191, 16384},
};

struct sender {
    int fd;
    struct str left;
    size_t piece;
};

/* False: all was sent. */
static bool send_piece(struct sender *s)
{
    struct str piece = str_slice(s->left, 0, s->piece);

    if (piece.len == 0)
        return false;
    assert_int_equal(send(s->fd, piece.p, piece.len, MSG_DONTWAIT | MSG_NOSIGNAL), piece.len);
    s->left = str_slice(s->left, piece.len, s->left.len);
    return true;
}

static struct str counted(size_t n)
{
    char *p = arena_alloc(a, n);

    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i ^ (i >> 8));
    return str_make(p, n);
}

static void gather_head(struct conn *c, struct sender *s)
{
    do {
        assert_true(send_piece(s));
        assert_int_equal(intake_fill(&c->in, c->fd), 1);
        assert_int_equal(intake_fill(&c->in, c->fd), 0); /* does not wait */
    } while (!intake_ready(&c->in));
    assert_true(c->in.head_end > 0);
    assert_int_equal(intake_accept(c), 0);
    assert_string_equal(FCGX_GetParam("REQUEST_URI", c->fcgi.envp), "/x");
}

static struct str read_body(struct conn *c, struct sender *s, size_t portion)
{
    char *body = arena_alloc(a, BODY + portion);
    size_t at = 0;

    for (;;) {
        ptrdiff_t n = intake_read(c, body + at, portion, false);

        if (n == 0)
            return str_make(body, at);
        if (n == HTTP_NOT_YET) {
            assert_true(send_piece(s));
            continue;
        }
        assert_in_range(n, 1, portion);
        at += (size_t)n;
        assert_in_range(at, 1, BODY);
    }
}

static void bodies(const struct row *row)
{
    struct conn *c = arena_zalloc(a, sizeof(*c));
    struct str body = counted(BODY);
    struct buf b;
    int fds[2];
    struct sender s;

    buf_init(&b, 64 * MIB, a);
    fcgi_put_request(&b, &(struct fcgi_request){
                             .method = "POST", .uri = "/x", .body = body, .record = row->record, .padding = row->padding});
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    s = (struct sender){fds[0], buf_str(&b), row->piece};
    c->fd = fds[1];
    intake_init(&c->in);
    gather_head(c, &s);
    assert_true(str_eq(read_body(c, &s, row->portion), body));
    assert_true(intake_body_done(&c->in));
    assert_int_equal(s.left.len, 0);
    assert_int_equal(intake_read(c, b.p, 1, false), 0); /* and stays at the end */
    FCGX_Free(&c->fcgi, 0);
    intake_next(&c->in);
    assert_int_equal(c->in.len, 0);
    intake_release(&c->in);
    close(fds[0]);
    close(fds[1]);
}

/* What came with the end of a request belongs to the next. */
static void the_next_one_is_kept(void **state)
{
    struct conn *c = arena_zalloc(a, sizeof(*c));
    struct fcgi_request first = {.method = "POST", .uri = "/x", .body = counted(BODY), .record = 1000, .padding = 3};
    struct buf b, next;
    int fds[2];
    struct sender s;

    (void)state;
    buf_init(&b, 64 * MIB, a);
    buf_init(&next, MIB, a);
    fcgi_put_request(&b, &first);
    fcgi_put_request(&next, &(struct fcgi_request){.uri = "/x", .body = STR("second")});
    buf_add_str(&b, buf_str(&next));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    s = (struct sender){fds[0], buf_str(&b), 16384};
    c->fd = fds[1];
    intake_init(&c->in);
    gather_head(c, &s);
    assert_true(str_eq(read_body(c, &s, 5000), first.body));
    FCGX_Free(&c->fcgi, 0);
    while (send_piece(&s))
        assert_int_equal(intake_fill(&c->in, c->fd), 1);
    intake_next(&c->in);
    assert_true(str_eq(str_make(c->in.p, c->in.len), buf_str(&next)));
    assert_true(intake_ready(&c->in));
    intake_release(&c->in);
    close(fds[0]);
    close(fds[1]);
}

static void broken_off(void **state)
{
    struct conn *c = arena_zalloc(a, sizeof(*c));
    char part[5000];
    ptrdiff_t n;
    struct buf b;
    int fds[2];
    struct sender s;

    (void)state;
    buf_init(&b, 64 * MIB, a);
    fcgi_put_request(&b, &(struct fcgi_request){.method = "POST", .uri = "/x", .body = counted(BODY), .record = 1000});
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    s = (struct sender){fds[0], str_slice(buf_str(&b), 0, b.len - 1), 16384};
    c->fd = fds[1];
    intake_init(&c->in);
    gather_head(c, &s);
    while (send_piece(&s))
        ;
    close(fds[0]);
    while ((n = intake_read(c, part, sizeof(part), false)) > 0)
        ;
    assert_int_equal(n, -1);
    FCGX_Free(&c->fcgi, 0);
    intake_release(&c->in);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_next_one_is_kept), cmocka_unit_test(broken_off)};
    int failed;

    if (FCGX_Init() != 0)
        return 1;
    a = arena_new(0);
    failed = CASES(rows, bodies) + cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return failed;
}
