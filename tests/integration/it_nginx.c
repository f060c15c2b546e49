/*
 * The files of nginx/: what nginx answers itself is JSON, connections to the core are kept, addresses are true.
 */
#include "base/arena.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "integration/env_api.h"

static struct env *env;
static pid_t core;
static int port;

static void is_error(const struct env_answer *a, int status)
{
    if (a->status != status)
        env_fail(env, "expected %d, got %d: %.200s", status, a->status, a->body);
    assert_true(str_starts(str_c(env_header(env, a, "Content-Type")), STR("application/json")));
    assert_string_not_equal(api_text(env, api_json(env, a), "error"), "");
}

/* Bytes as they are, for what a client library would not send; the answer. */
static const char *talk(const char *bytes)
{
    int fd = env_connect(port);
    char *text = arena_alloc(env_arena(env), 65536);
    size_t len = 0;
    ssize_t n;

    assert_true(fd >= 0);
    assert_int_equal(send(fd, bytes, strlen(bytes), 0), strlen(bytes));
    while (len < 65535 && (n = env_recv(fd, text + len, 65535 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(fd);
    return text;
}

static void answers_in_json(void **state)
{
    struct env_answer a;

    (void)state;
    a = env_http(env, "GET", "/api/v01/p1/tenants/", NULL, NULL); /* no proxy runs here */
    is_error(&a, 502);
    assert_string_equal(env_header(env, &a, "Retry-After"), "2");
    a = env_http(env, "POST", "/api/v01/activities", (const char *const[]){"Expect:", NULL}, NULL);
    is_error(&a, 401);
    assert_non_null(strstr(talk("GET / HTTP/1.1\r\n\r\n"), "{\"error\":")); /* no Host */
}

static void refuses_literal_dots(void **state)
{
    (void)state;
    assert_null(strstr(talk("GET /api/v01/public/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "root:"));
    assert_null(strstr(talk("GET /../nginx.conf HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "upstream"));
    /* nginx resolves them for its own locations, we never do: what leads out is refused */
    assert_non_null(strstr(talk("GET /api/v01/public/../health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "{\"error\""));
}

static void sets_headers(void **state)
{
    struct env_answer a = env_http(env, "GET", "/api/v01/health", NULL, NULL);

    (void)state;
    assert_int_equal(a.status, 200);
    assert_string_equal(env_header(env, &a, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(env_header(env, &a, "X-Frame-Options"), "SAMEORIGIN");
    assert_string_not_equal(env_header(env, &a, "X-Request-Id"), "");
    a = env_http(env, "GET", "/api/v01/health", (const char *const[]){"X-Request-Id: abc-123", NULL}, NULL);
    assert_string_equal(env_header(env, &a, "X-Request-Id"), "abc-123");
}

static bool logged(const char *end)
{
    FILE *f = fopen(env_path(env, "nginx/logs/access.log"), "r");
    char line[8192];
    bool found = false;

    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
        found = str_ends(str_trim(str_c(line)), str_c(end));
    if (f != NULL)
        fclose(f);
    return found;
}

/* A line of nginx's log and those of the applications about one request are found by one id, whoever gave it. */
static void logs_the_id_of_the_answer(void **state)
{
    struct env_answer a;

    (void)state;
    env_http(env, "GET", "/api/v01/health", (const char *const[]){"X-Request-Id: given-id-1", NULL}, NULL);
    ENV_WAIT(env, 5000, logged(" given-id-1"));
    a = env_http(env, "GET", "/api/v01/health?x=1", NULL, NULL);
    ENV_WAIT(env, 5000, logged(env_fmt(env, " %s", env_header(env, &a, "X-Request-Id"))));
}

/* Descriptors of the core. */
static int open_sockets(void)
{
    DIR *d = opendir(arena_printf(env_arena(env), "/proc/%d/fd", (int)core));
    int n = 0;

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

/* Requests one after the other use one connection to the core. */
static void keeps_connections(void **state)
{
    (void)state;
    env_http(env, "GET", "/api/v01/health", NULL, NULL);
    for (int i = 0, before = open_sockets(); i < 50; i++) {
        assert_int_equal(env_http(env, "GET", "/api/v01/health", NULL, NULL).status, 200);
        assert_true(open_sockets() <= before + 1);
    }
}

/* What a client says about its address does not count unless another proxy is named in limits.conf. */
static void knows_the_client(void **state)
{
    const char *forged[] = {"X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "Proxy: http://evil", NULL};
    int64_t id = api_activity(env, "plain",
                              DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"x\"", "\"ok\"") ",",
                                         LINE("start.ok", "answer") "," LINE("answer.ok", "end")));

    (void)state;
    api_route(env, "get", "/who", id, ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 5000, env_http(env, "GET", "/api/v01/public/who", forged, NULL).status == 200);
    ENV_WAIT(env, 5000, strcmp(env_psql(env, "SELECT host(client_ip) FROM requests WHERE url = '/api/v01/public/who' LIMIT 1"),
                               "127.0.0.1") == 0);
}

static void pipelines(void **state)
{
    const char *answer = talk("GET /api/v01/health HTTP/1.1\r\nHost: x\r\n\r\nGET /api/v01/health HTTP/1.1\r\nHost: x\r\n"
                              "Connection: close\r\n\r\n");
    const char *first = strstr(answer, "HTTP/1.1 200");

    (void)state;
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "HTTP/1.1 200"));
}

/* A body whose length is not told beforehand is gathered by nginx. */
static void takes_chunked_bodies(void **state)
{
    const char *answer = talk("POST /api/v01/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
                              "Content-Type: application/json\r\n\r\n10\r\n{\"username\":\"x\",\r\n10\r\n\"password\":\"y\"  \r\n1\r\n}\r\n0\r\n\r\n");

    (void)state;
    assert_non_null(strstr(answer, "HTTP/1.1 401"));
    assert_non_null(strstr(answer, "\"error\""));
}

static void tells_when_the_core_is_away(void **state)
{
    struct env_answer a;

    (void)state;
    assert_int_equal(env_kill(env, core, SIGTERM), 0);
    a = env_http(env, "GET", "/api/v01/health", NULL, NULL);
    is_error(&a, 502);
    assert_int_equal(env_http(env, "GET", "/", NULL, NULL).status, 200); /* the interface is served all the same */
    core = env_app_start(env, "sluice-core", "core.sock", NULL);
    ENV_WAIT(env, 20000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(answers_in_json),      API_TEST(refuses_literal_dots), API_TEST(sets_headers),
        API_TEST(logs_the_id_of_the_answer),
        API_TEST(keeps_connections),    API_TEST(knows_the_client),     API_TEST(pipelines),
        API_TEST(takes_chunked_bodies), API_TEST(tells_when_the_core_is_away),
    };

    env = env_start();
    core = env_app_start(env, "sluice-core", "core.sock", NULL);
    port = env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
