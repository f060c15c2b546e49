/*
 * Sluice in an nginx that exists already: nginx.conf as Debian installs it, with its conf.d and
 * sites-enabled and a site of somebody else, and our snippets as the package sluice-nginx puts them
 * into /etc/nginx/sluice. Once over sockets of this host, once over TCP (migration.md 5.5).
 */
#include "base/arena.h"
#include "integration/env_api.h"
#include "integration/env_int.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE SLUICE_SOURCE_DIR "/"

/* What Debian's nginx.conf says, with DIR for where it lies. */
static const char debian[] =
    "worker_processes auto;\npid DIR/nginx.pid;\nerror_log DIR/error.log;\n"
    "events { worker_connections 768; }\n"
    "http {\n"
    "    sendfile on;\n    tcp_nopush on;\n    types_hash_max_size 2048;\n"
    "    include /etc/nginx/mime.types;\n    default_type application/octet-stream;\n"
    "    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\n    ssl_prefer_server_ciphers on;\n"
    "    access_log DIR/access.log;\n    gzip on;\n"
    "    client_body_temp_path DIR/body;\n    fastcgi_temp_path DIR/fastcgi;\n    proxy_temp_path DIR/proxy;\n"
    "    uwsgi_temp_path DIR/uwsgi;\n    scgi_temp_path DIR/scgi;\n"
    "    include DIR/conf.d/*.conf;\n    include DIR/sites-enabled/*;\n"
    "}\n";

static struct env *env;

#define printed(...) env_fmt(env, __VA_ARGS__)
#define WORDS(...) (const char *const[]){__VA_ARGS__, NULL}

/* Every `from` by `to`; there must be one. */
static const char *changed(const char *text, const char *from, const char *to)
{
    struct buf b;

    if (strstr(text, from) == NULL)
        env_fail(env, "\"%s\" is not in: %s", from, text);
    buf_init(&b, 1 * MIB, env_arena(env));
    for (const char *at; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
        buf_add(&b, text, (size_t)(at - text));
        buf_add_c(&b, to);
    }
    buf_add_c(&b, text);
    return buf_cstr(&b);
}

/* An installation of nginx in the folder `name` of the test, ours not in it yet. */
struct site {
    const char *dir;
    int port;       /* ours */
    int other_port; /* of the site that was there before */
};

static const char *in(const struct site *s, const char *name)
{
    return printed("%s/%s", s->dir, name);
}

static struct site site_new(const char *name)
{
    static const char *const folders[] = {"", "conf.d", "sites-enabled", "sites-available", "sluice", "ui"};
    struct site s = {env_path(env, name), env_free_port(env), 0};

    for (size_t i = 0; i < COUNT_OF(folders); i++)
        mkdir(in(&s, folders[i]), 0755);
    do
        s.other_port = env_free_port(env);
    while (s.other_port == s.port);
    env_write_file(env, in(&s, "nginx.conf"), changed(printed("%s%s", geteuid() == 0 ? "user root;\n" : "", debian), "DIR", s.dir));
    env_write_file(env, in(&s, "conf.d/theirs.conf"), "map $http_upgrade $theirs { default upgrade; '' close; }\nclient_max_body_size 1m;\n");
    env_write_file(env, in(&s, "sites-enabled/default"),
                   printed("server { listen 127.0.0.1:%d; server_name other.example; location / { return 200 theirs; } }\n", s.other_port));
    return s;
}

/* What the package does: snippets with their includes rewritten, beside conf.d; the site to enable. */
static void install(const struct site *s)
{
    const char *text;
    glob_t g;

    assert_int_equal(glob(SOURCE "nginx/conf.d/*.conf", 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        const char *to = in(s, printed("sluice/%s", strrchr(g.gl_pathv[i], '/') + 1));

        text = env_read_file(env, g.gl_pathv[i]);
        env_write_file(env, to, strstr(text, "include conf.d/") != NULL ? changed(text, "include conf.d/", "include sluice/") : text);
    }
    globfree(&g);
    env_write_file(env, in(s, "ui/index.html"), env_read_file(env, SOURCE "nginx/ui/index.html"));
    text = env_read_file(env, SOURCE "deploy/nginx/site.conf");
    text = changed(text, "listen 80;", printed("listen 127.0.0.1:%d;", s->port));
    text = changed(text, "/usr/share/sluice/ui", in(s, "ui"));
    env_write_file(env, in(s, "sites-available/sluice"), text);
    assert_int_equal(symlink(in(s, "sites-available/sluice"), in(s, "sites-enabled/sluice")), 0);
}

/* nginx -t; its words. */
static const char *checked(const struct site *s, int status)
{
    const char *log = printed("check%d", s->port);
    pid_t pid = env_spawn(env, log, WORDS("/usr/sbin/nginx", "-t", "-c", in(s, "nginx.conf"), "-e", "stderr"), NULL);
    int got = env_wait_exit(env, pid, 20000);

    if (got != status)
        env_fail(env, "nginx -t ended with %d: %s", got, env_log(env, log));
    return env_log(env, log);
}

static pid_t started(const struct site *s)
{
    pid_t pid = env_spawn(env, printed("nginx%d", s->port),
                          WORDS("/usr/sbin/nginx", "-c", in(s, "nginx.conf"), "-e", "stderr", "-g", "daemon off;"), NULL);

    ENV_WAIT(env, 10000, env_port_open(s->port) && env_port_open(s->other_port));
    return pid;
}

static struct env_answer get(const struct site *s, const char *method, const char *path, const char *body)
{
    return env_http_at(env, method, printed("http://127.0.0.1:%d%s", s->port, path),
                       body != NULL ? WORDS("Content-Type: application/json") : NULL, body);
}

static void wants(const struct site *s, const char *method, const char *path, const char *body, int status, const char *part)
{
    struct env_answer a = get(s, method, path, body);

    if (a.status != status || strstr(a.body, part) == NULL)
        env_fail(env, "%s %s: expected %d with \"%s\", got %d %.300s", method, path, status, part, a.status, a.body);
}

/* Everything of ours through it, and the other site as before. */
static void serves(const struct site *s)
{
    struct env_answer a;

    ENV_WAIT(env, 20000, get(s, "GET", "/api/v01/health", NULL).status == 200);
    ENV_WAIT(env, 20000, get(s, "GET", "/api/v01/p1/tenants/", NULL).status == 401); /* the proxy: nobody is signed in */
    wants(s, "POST", "/api/v01/auth/login", "{\"username\":\"x\",\"password\":\"y\"}", 401, "\"error\"");
    wants(s, "POST", "/api/v01/auth/login", printed("{\"username\":\"admin\",\"password\":\"%s\"}", api_admin_password()), 200,
          "\"access_token\"");
    wants(s, "GET", "/api/v01/apio/sync/tenants/", NULL, 404, "is outside of the gateway's API"); /* said by the proxy */
    wants(s, "GET", "/some/page/of/the/interface", NULL, 200, "<title>Sluice</title>");
    /* our limit of bodies, not the one of their conf.d; answers of nginx are JSON */
    a = get(s, "POST", "/api/v01/auth/login", printed("{\"username\":\"%0*d\"}", 2 * 1024 * 1024, 0));
    if (a.status == 413)
        env_fail(env, "the body limit of the other site holds for ours: %s", a.body);
    a = get(s, "GET", "/api/v01/health", NULL);
    assert_string_equal(env_header(env, &a, "X-Content-Type-Options"), "nosniff");
    /* live views reach a core: it asks for a token itself */
    a = env_http_at(env, "GET", printed("http://127.0.0.1:%d/api/v01/alarms/1/ws", s->port), NULL, NULL);
    if (a.status == 404 || a.status == 502)
        env_fail(env, "live views do not reach the core: %d %s", a.status, a.body);
    a = env_http_at(env, "GET", printed("http://127.0.0.1:%d/api/v01/health", s->other_port), NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "theirs");
}

static void goes_down(const struct site *s, pid_t nginx, pid_t core, pid_t proxy)
{
    assert_int_equal(env_kill(env, proxy, SIGTERM), 0);
    wants(s, "GET", "/api/v01/p1/tenants/", NULL, 502, "{\"error\":\"the application is not running or broke off\"}");
    assert_int_equal(env_kill(env, core, SIGTERM), 0);
    wants(s, "GET", "/api/v01/health", NULL, 502, "{\"error\":\"the application is not running or broke off\"}");
    assert_int_equal(env_kill(env, nginx, SIGTERM), 0);
}

#define PROXY "-proxy=/api/v01/p1:bwks", "-runMigration=false"

static void over_sockets(void **state)
{
    struct site s = site_new("one-host");
    int live = env_free_port(env);
    const char *upstreams;
    pid_t nginx, core, proxy;

    (void)state;
    checked(&s, 0);
    install(&s);
    upstreams = changed(env_read_file(env, in(&s, "sluice/upstreams.conf")), "/run/sluice/", env_path(env, ""));
    env_write_file(env, in(&s, "sluice/upstreams.conf"), changed(upstreams, "127.0.0.1:5001", printed("127.0.0.1:%d", live)));
    assert_null(strstr(checked(&s, 0), "[warn]"));
    core = env_app_start(env, "sluice-core", "core.sock", WORDS("-workflows", printed("-wsPort=%d", live)));
    proxy = env_app_start(env, "sluice-proxy", "p1.sock", WORDS(PROXY));
    nginx = started(&s);
    serves(&s);
    goes_down(&s, nginx, core, proxy);
}

static pid_t on_port(const char *program, int port, const char *const *words)
{
    const char *argv[12] = {env_program(env, program), "-host=127.0.0.1", printed("-port=%d", port)};

    for (size_t i = 0; words[i] != NULL && i < COUNT_OF(argv) - 4; i++)
        argv[3 + i] = words[i];
    return env_spawn(env, printed("port%d", port), argv, WORDS(printed("DB=%s", env_db(env))));
}

static void over_tcp(void **state)
{
    struct site s = site_new("many-hosts");
    int core_port = env_free_port(env), proxy_port, live;
    const char *upstreams;
    pid_t nginx, core, proxy;

    (void)state;
    do
        proxy_port = env_free_port(env);
    while (proxy_port == core_port);
    do
        live = env_free_port(env);
    while (live == core_port || live == proxy_port);
    install(&s);
    /* of each pair of hosts the second is one that is down: requests go to the other */
    upstreams = env_read_file(env, SOURCE "deploy/nginx/upstreams-tcp.conf");
    upstreams = changed(upstreams, "10.0.0.11:5000", printed("127.0.0.1:%d", core_port));
    upstreams = changed(upstreams, "10.0.0.11:5001", printed("127.0.0.1:%d", proxy_port));
    upstreams = changed(upstreams, "10.0.0.11:5002", printed("127.0.0.1:%d", live));
    upstreams = changed(upstreams, "10.0.0.12:", "127.0.0.1:1; # ");
    env_write_file(env, in(&s, "sluice/upstreams-tcp.conf"), upstreams);
    env_write_file(env, in(&s, "sites-available/sluice"),
                   changed(env_read_file(env, in(&s, "sites-available/sluice")), "include sluice/upstreams.conf;",
                           "include sluice/upstreams-tcp.conf;"));
    assert_null(strstr(checked(&s, 0), "[warn]"));
    core = on_port("sluice-core", core_port, WORDS("-workflows", printed("-wsPort=%d", live)));
    proxy = on_port("sluice-proxy", proxy_port, WORDS(PROXY));
    nginx = started(&s);
    serves(&s);
    goes_down(&s, nginx, core, proxy);
}

/* A name of the former platform that is gone keeps nginx from starting: nginx -t tells before. */
static void an_old_name_is_told(void **state)
{
    struct site s = site_new("old-name");

    (void)state;
    install(&s);
    env_write_file(env, in(&s, "conf.d/former.conf"), "upstream former { server px1n.invalid:5001; }\n");
    assert_non_null(strstr(checked(&s, 1), "host not found in upstream \"px1n.invalid:5001\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_sockets),
        cmocka_unit_test(over_tcp),
        cmocka_unit_test(an_old_name_is_told),
    };
    pid_t core;

    env = env_start();
    core = env_app_start(env, "sluice-core", "first.sock", NULL);
    env_nginx_start(env, "first.sock", NULL);
    api_admin(env);
    api_configure(env, "gateways", printed("{\"bwks\":{\"url\":\"http://127.0.0.1:%d/\"}}", env_free_port(env)));
    env_kill(env, core, SIGTERM);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
