/*
 * HTTP spoken to the FastCGI port: an nginx that still has proxy_pass relays what to change (migration.md 5.5, 11.19).
 */
#include "integration/env_moving.h"

#include <signal.h>
#include <string.h>

static struct env *env;

/* An nginx of a former platform, with nothing but that mistake. */
static int nginx_with_proxy_pass(int to)
{
    int port = env_free_port(env);
    const char *conf = file("old-nginx.conf", printed("daemon off;\nerror_log stderr;\npid %s;\nevents {}\nhttp {\n  access_log off;\n  client_body_temp_path %s;\n"
                                                      "  proxy_temp_path %s;\n  fastcgi_temp_path %s;\n  uwsgi_temp_path %s;\n  scgi_temp_path %s;\n"
                                                      "  server {\n    listen 127.0.0.1:%d;\n    location / { proxy_pass http://127.0.0.1:%d; }\n  }\n}\n",
                                                      env_path(env, "old-nginx.pid"), env_path(env, "t1"), env_path(env, "t2"), env_path(env, "t3"),
                                                      env_path(env, "t4"), env_path(env, "t5"), port, to));
    const char *argv[] = {"nginx", "-p", env_path(env, ""), "-c", conf, NULL};

    env_spawn(env, "old-nginx", argv, NULL);
    ENV_WAIT(env, 20000, env_port_open(port));
    return port;
}

static void item_19_http_to_the_fastcgi_port(void **state)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "PUT"};
    static const struct {
        const char *program, *option;
    } programs[] = {{"sluice-core", "-workflows"}, {"sluice-proxy", "-proxy=/api/v01/p1:bwks"}};

    (void)state;
    for (size_t p = 0; p < COUNT_OF(programs); p++) {
        int port = env_free_port(env), outside = nginx_with_proxy_pass(port), n = 0;
        const char *argv[] = {env_program(env, programs[p].program), printed("-port=%d", port), programs[p].option, NULL};
        pid_t pid = env_spawn(env, programs[p].program, argv, ARGS(printed("DB=%s", env_db(env))));

        ENV_WAIT(env, 20000, env_port_open(port));
        for (size_t i = 0; i < COUNT_OF(methods); i++) {
            struct env_answer a = env_http_at(env, methods[i], printed("http://127.0.0.1:%d/api/v01/health", outside), NULL, i == 1 ? "{}" : NULL);

            if (a.status != 400 || strstr(a.body, "this port speaks FastCGI; use fastcgi_pass in nginx") == NULL)
                env_fail(env, "%s %s: %d %s", programs[p].program, methods[i], a.status, a.body);
        }
        for (const char *at = env_log(env, programs[p].program); (at = strstr(at, "http.not_fastcgi")) != NULL; at++)
            n++;
        assert_int_equal(n, 1); /* once a minute */
        assert_int_equal(env_kill(env, pid, SIGTERM), 0);
        if (p == 0) /* the core has made the configuration */
            env_psql(env, "INSERT INTO configuration (content) SELECT (content::jsonb || '{\"gateways\":{\"bwks\":{\"url\":\"http://127.0.0.1:9/\"}}}')::json "
                          "FROM configuration ORDER BY id DESC LIMIT 1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(item_19_http_to_the_fastcgi_port)};

    env = env_start();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
