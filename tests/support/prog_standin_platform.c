/*
 * standin_platform: a stand-in for the API of the platform people come from, for tests and for the
 * runbook (deploy/MOVING.md).
 *
 * It serves what a file holds, {"/api/v01/...": answer}, to whoever has the token, and takes no
 * write: an import that changed its source would be seen.  Lists come in pages, sorted by a field.
 * With -history=N it makes up N requests, each with a transaction, its task and a trace, every tenth
 * with a document.  One request at a time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "http/server.h"
#include "http/url.h"

enum { REQUEST_MAX = 64 * 1024 };
#define FILE_MAX ((size_t)64 * MIB)

static struct platform {
    const char *token, *user, *password, *data;
    int port;
    int64_t page, busy, history, document; /* the most rows of a page; each busy-th call is answered 503; bytes of a made-up document */
    int64_t n_calls;
    bool verbose;
    struct val answers;
} platform = {.page = 1000, .document = 4000, .token = "stand-in-token", .user = "admin", .password = "admin"};

struct request {
    struct str method, path, authorization, body;
};

static void help(void)
{
    printf("standin_platform: the API of a platform to move from, read only\n\n"
           "  -data=FILE              what it serves: {\"/api/v01/...\": answer}\n"
           "  -port=N                 0 (the default) takes a free one; it is printed\n"
           "  -page=N                 no page is larger (%lld)\n"
           "  -busy=N                 each N-th call is answered 503\n"
           "  -verbose                names each call\n"
           "  -history=N              makes up N requests with transactions\n"
           "  -document=N             bytes of each document that is made up\n"
           "  -token=TOKEN            of its administrator (%s)\n"
           "  -login=NAME:PASSWORD    of its administrator (%s:%s)\n",
           (long long)platform.page, platform.token, platform.user, platform.password);
}

/* ---- answering --------------------------------------------------------------------------------- */

static void put(int fd, struct str s)
{
    while (s.len > 0) {
        ssize_t n = send(fd, s.p, s.len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        s = str_slice(s, (size_t)n, s.len);
    }
}

static void reply(int fd, int status, struct str mime, struct str body, struct arena *a)
{
    put(fd, str_printf(a, "HTTP/1.1 %d %s\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                       status, http_status_text(status), STR_ARG(mime), body.len));
    put(fd, body);
}

static void reply_json(int fd, int status, struct val v, struct arena *a)
{
    reply(fd, status, STR("application/json"), json_text(v, a), a);
}

static void refuse(int fd, int status, const char *why, struct arena *a)
{
    struct val v = val_dict_new(a, 1);

    val_dict_set_c(v, "error", val_str_c(why));
    reply_json(fd, status, v, a);
}

static void login(int fd, const struct request *r, struct arena *a)
{
    struct val body, v = val_dict_new(a, 4);
    struct err e;

    if (json_parse(r->body, &body, a, &e) != 0 || !str_eq_c(val_get_text(body, "username", STR("")), platform.user) ||
        !str_eq_c(val_get_text(body, "password", STR("")), platform.password)) {
        refuse(fd, 401, "wrong user name or password", a);
        return;
    }
    val_dict_set_c(v, "access_token", val_str_c(platform.token));
    val_dict_set_c(v, "refresh_token", VAL_STR_LIT("stand-in-refresh"));
    val_dict_set_c(v, "ui_profile", VAL_STR_LIT("admin"));
    reply_json(fd, 200, v, a);
}

/* ---- pages ------------------------------------------------------------------------------------- */

static struct val query_json(struct val query, const char *name, struct arena *a)
{
    struct val v;
    struct err e;

    return json_parse(val_get_text(query, name, STR("null")), &v, a, &e) == 0 ? v : val_null();
}

static const char *sort_field;

static int by_field(const void *x, const void *y)
{
    return str_cmp(val_get_text(*(const struct val *)x, sort_field, STR("")), val_get_text(*(const struct val *)y, sort_field, STR("")));
}

/* Which rows a page has; the numbers the API tells of it. */
static void cut_page(struct val out, struct val paging, int64_t total, int64_t *from, int64_t *to, struct arena *a)
{
    int64_t page = val_get_int(paging, "page_number", 1), size = val_get_int(paging, "page_size", 50);
    struct val numbers = val_list_new(a, 4);

    size = size > platform.page ? platform.page : size;
    *from = (page - 1) * size < total ? (page - 1) * size : total;
    *to = *from + size < total ? *from + size : total;
    val_list_add(numbers, val_int(page));
    val_list_add(numbers, val_int(size));
    val_list_add(numbers, val_int(total > 0 ? (total + size - 1) / size : 1));
    val_list_add(numbers, val_int(total));
    val_dict_set_c(out, "pagination", numbers);
    val_dict_set_c(out, "total_count", val_int(total));
}

/* {"requests": [...]}: the page that was asked for. */
static struct val paged(struct val answer, struct str query_text, struct arena *a)
{
    struct val query = url_query_parse(query_text, a), paging = query_json(query, "paging", a), key, list, all, rows, out = val_dict_new(a, 4);
    int64_t from, to;

    if (!val_is(paging, VAL_DICT) || !val_pair_at(answer, 0, &key, &list) || !val_is(list, VAL_LIST))
        return answer;
    all = val_list_new(a, val_count(list) + 1);
    for (size_t i = 0; i < val_count(list); i++)
        val_list_add(all, val_at(list, i));
    sort_field = str_cstr(a, val_get_text(val_at(query_json(query, "sorting", a), 0), "field", STR("")));
    if (sort_field[0] != '\0' && val_count(all) > 1)
        qsort(all.u.list->items, val_count(all), sizeof all.u.list->items[0], by_field);
    rows = val_list_new(a, 16);
    val_dict_set(out, key, rows);
    cut_page(out, paging, (int64_t)val_count(all), &from, &to, a);
    for (int64_t i = from; i < to; i++)
        val_list_add(rows, val_at(all, (size_t)i));
    return out;
}

/* ---- what is made up --------------------------------------------------------------------------- */

static struct val parsed(struct str text, struct arena *a)
{
    struct val v;
    struct err e;

    return json_parse(text, &v, a, &e) == 0 ? v : val_undef(NULL);
}

static struct val made_up_list(struct str query, struct arena *a)
{
    struct val out = val_dict_new(a, 4), rows = val_list_new(a, 16);
    int64_t from, to;

    val_dict_set_c(out, "requests", rows);
    cut_page(out, query_json(url_query_parse(query, a), "paging", a), platform.history, &from, &to, a);
    for (int64_t n = from + 1; n <= to; n++)
        val_list_add(rows, parsed(str_printf(a, "{\"request_id\": %lld, \"instance_id\": %lld, \"status\": \"SUCCESS\", \"instance_status\": "
                                                "\"CLOSED_IN_SUCCESS\", \"created_on\": \"2024-05-%02lldT10:%02lld:%02lldZ\"}", (long long)n, (long long)n,
                                             (long long)(1 + n * 27 / (platform.history + 1)), (long long)(n / 60 % 60), (long long)(n % 60)), a));
    return out;
}

/* Undefined: it is of the file. */
static struct val made_up(struct str path, struct str query, struct arena *a)
{
    struct str rest = path, id;
    bool request = str_starts(path, STR("/api/v01/apio/requests/"));
    const char *x = arena_printf(a, "%0*d", 4000, 0);
    int64_t n;

    if (platform.history == 0)
        return val_undef(NULL);
    if (str_eq_c(path, "/api/v01/apio/requests/search"))
        return made_up_list(query, a);
    if (!request && !str_starts(path, STR("/api/v01/transactions/")))
        return val_undef(NULL);
    rest = str_slice(path, request ? 23 : 22, path.len);
    id = str_cut(&rest, '/');
    if (!str_to_int(id, &n) || n < 1 || n > platform.history)
        return val_undef(NULL);
    if (request)
        return parsed(str_printf(a, "{\"request\": {\"request_id\": %lld, \"details\": {\"method\": \"get\", \"url\": \"/\", \"body\": \"%s\"}}}", (long long)n, x), a);
    if (rest.len == 0)
        return parsed(str_printf(a, "{\"id\": %lld, \"status\": \"CLOSED_IN_SUCCESS\", \"created_on\": \"2024-05-01T10:00:00Z\", \"activity_id\": 5, "
                                    "\"tasks\": [{\"id\": %lld, \"cell_id\": \"start\", \"status\": \"OK\", \"created_on\": \"2024-05-01T10:00:00Z\"}]}",
                                 (long long)n, (long long)n), a);
    if (str_eq_c(rest, "traces"))
        return parsed(str_printf(a, "{\"traces\": [{\"id\": %lld, \"task_id\": %lld, \"status\": \"200\", \"input\": \"%s\", \"output\": \"\", \"created_on\": "
                                    "\"2024-05-01T10:00:00Z\"}]}", (long long)n, (long long)n, x), a);
    if (str_eq_c(rest, "documents"))
        return parsed(n % 10 != 0 ? STR("{\"documents\": []}") : STR("{\"documents\": [{\"id\": 1, \"name\": \"a.txt\", \"mime_type\": \"text/plain\"}]}"), a);
    if (str_eq_c(rest, "documents/1"))
        return parsed(str_printf(a, "{\"$text\": \"%0*d\"}", (int)platform.document, 0), a);
    return parsed(STR("{\"instances\": []}"), a);
}

/* Whole target first, so that "?as=raw" may have an answer of its own; {"$text", "$mime"}: no JSON. */
static void respond(int fd, const struct request *r, struct arena *a)
{
    struct str rest = r->path, path = str_cut(&rest, '?');
    struct val v;

    if (str_eq_c(r->method, "POST") && str_eq_c(path, "/api/v01/auth/login")) {
        login(fd, r, a);
        return;
    }
    if (!str_eq(r->authorization, str_printf(a, "Bearer %s", platform.token))) {
        refuse(fd, 401, "no token, or a wrong one", a);
        return;
    }
    if (!str_eq_c(r->method, "GET")) {
        fprintf(stderr, "standin_platform: %.*s %.*s: somebody writes\n", STR_ARG(r->method), STR_ARG(r->path));
        refuse(fd, 403, "this platform is read only", a);
        return;
    }
    if (platform.verbose)
        fprintf(stderr, "%.*s %.*s\n", STR_ARG(r->method), STR_ARG(r->path));
    if (platform.busy > 0 && ++platform.n_calls % platform.busy == 0) {
        put(fd, STR("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        return;
    }
    v = made_up(path, rest, a);
    if (val_is_undef(v))
        v = val_get_str(platform.answers, r->path);
    if (val_is_undef(v))
        v = paged(val_get_str(platform.answers, path), rest, a);
    if (val_is_undef(v))
        refuse(fd, 404, "no such thing", a);
    else if (val_is(val_get(v, "$status"), VAL_INT))
        refuse(fd, (int)val_get_int(v, "$status", 500), "as the file says", a);
    else if (val_is(val_get(v, "$text"), VAL_STR))
        reply(fd, 200, val_get_text(v, "$mime", STR("text/plain")), val_get_text(v, "$text", STR("")), a);
    else
        reply_json(fd, 200, v, a);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static struct str header(struct str head, const char *name)
{
    while (head.len > 0) {
        struct str value = str_cut(&head, '\n'), key = str_cut(&value, ':');

        if (str_ieq(key, str_c(name)))
            return str_trim(value);
    }
    return STR("");
}

static bool receive(int fd, struct request *r, struct arena *a)
{
    char *text = arena_alloc(a, REQUEST_MAX + 1);
    ptrdiff_t end = -1;
    int64_t length = 0;
    size_t n = 0;
    struct str head;

    while (end < 0 || n < (size_t)end + 4 + (size_t)length) {
        ssize_t got = n < REQUEST_MAX ? recv(fd, text + n, REQUEST_MAX - n, 0) : 0;

        if (got <= 0)
            return false;
        n += (size_t)got;
        end = str_find(str_make(text, n), STR("\r\n\r\n"));
        if (end >= 0 && !str_to_int(header(str_make(text, (size_t)end), "content-length"), &length))
            length = 0;
    }
    head = str_make(text, (size_t)end);
    r->authorization = header(head, "authorization");
    r->body = str_slice(str_make(text, n), (size_t)end + 4, n);
    r->method = str_cut(&head, ' ');
    r->path = str_cut(&head, ' ');
    return true;
}

static void serve(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        struct arena *a = arena_new(0);
        struct request r;

        if (fd >= 0 && receive(fd, &r, a))
            respond(fd, &r, a);
        if (fd >= 0)
            close(fd);
        arena_free(a);
    }
}

/* ---- starting ---------------------------------------------------------------------------------- */

static bool load(const char *path, struct val *out, struct arena *a)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    struct err e = {0};
    char *text;

    if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size > FILE_MAX) {
        fprintf(stderr, "standin_platform: cannot read %s\n", path);
        return false;
    }
    text = arena_alloc(a, (size_t)st.st_size + 1);
    if (read(fd, text, (size_t)st.st_size) != st.st_size ||
        json_parse(str_make(text, (size_t)st.st_size), out, a, &e) != 0) {
        fprintf(stderr, "standin_platform: %s: %s\n", path, e.msg);
        return false;
    }
    close(fd);
    return true;
}

static bool option(char *arg, const char *name, const char **out)
{
    size_t n = strlen(name);

    arg += arg[0] == '-' && arg[1] == '-' ? 2 : arg[0] == '-' ? 1 : 0;
    if (strncmp(arg, name, n) != 0 || arg[n] != '=')
        return false;
    *out = arg + n + 1;
    return true;
}

static bool read_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *v;
        int64_t port;

        if (option(argv[i], "data", &platform.data) || option(argv[i], "token", &platform.token))
            continue;
        if ((option(argv[i], "page", &v) && str_to_int(str_c(v), &platform.page) && platform.page > 0) ||
            (option(argv[i], "busy", &v) && str_to_int(str_c(v), &platform.busy)) ||
            (option(argv[i], "history", &v) && str_to_int(str_c(v), &platform.history)) ||
            (option(argv[i], "document", &v) && str_to_int(str_c(v), &platform.document) && platform.document < (int64_t)FILE_MAX))
            continue;
        if (strcmp(argv[i], "-verbose") == 0) {
            platform.verbose = true;
            continue;
        }
        if (option(argv[i], "port", &v) && str_to_int(str_c(v), &port) && port >= 0 && port < 65536) {
            platform.port = (int)port;
        } else if (option(argv[i], "login", &v) && strchr(v, ':') != NULL) {
            char *colon = strchr(argv[i], ':');

            *colon = '\0';
            platform.user = v;
            platform.password = colon + 1;
        } else {
            return false;
        }
    }
    return platform.data != NULL;
}

int main(int argc, char **argv)
{
    struct arena *a = arena_new(0);
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    struct err e;
    int fd;

    if (!read_options(argc, argv)) {
        help();
        return 2;
    }
    if (!load(platform.data, &platform.answers, a))
        return 1;
    if (http_listen_tcp("127.0.0.1", platform.port, &fd, &e) != 0) {
        fprintf(stderr, "standin_platform: %s\n", e.msg);
        return 1;
    }
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    (void)signal(SIGPIPE, SIG_IGN);
    printf("%d\n", getsockname(fd, (struct sockaddr *)&at, &len) == 0 ? ntohs(at.sin_port) : 0);
    fflush(stdout);
    serve(fd);
    arena_free(a);
    return 0;
}
