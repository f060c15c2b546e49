/*
 * Core, nginx and a proxy of /api/v01/p1 in front of the stand-in gateway.
 */
#include "integration/env_standin.h"

#include "base/arena.h"
#include "base/json.h"

static struct standin s;

struct val standin_control(const char *method, const char *path, const char *body)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    struct env_answer a = env_http_at(s.env, method, arena_printf(env_arena(s.env), "%s/_control%s", s.url, path), json, body);

    if (a.status != 200)
        env_fail(s.env, "%s /_control%s: %d %s", method, path, a.status, a.body);
    return api_json(s.env, &a);
}

int standin_obeys(void **state)
{
    (void)api_setup(state);
    standin_control("DELETE", "", NULL);
    (void)api_raw(s.env, "GET", "/api/v01/p1/tenants/", NULL);
    return 0;
}

int64_t standin_calls(void)
{
    return api_int(standin_control("GET", "/counters", NULL), "requests");
}

struct val standin_last_call(void)
{
    struct val list = val_get(standin_control("GET", "/requests", NULL), "requests");

    return val_at(list, val_count(list) - 1);
}

const char *standin_sent_header(struct val call, const char *name)
{
    struct val headers = val_get(call, "headers");

    for (size_t i = 0; i < val_count(headers); i++) {
        if (str_ieq(val_text(val_at(val_at(headers, i), 0)), str_c(name)))
            return str_cstr(env_arena(s.env), val_text(val_at(val_at(headers, i), 1)));
    }
    return "";
}

void standin_configure(const char *url, const char *more)
{
    api_configure(s.env, "gateways",
                  arena_printf(env_arena(s.env),
                               "{\"bwks\":{\"url\":\"%s/\",\"username\":\"gwsystem\",\"password\":\"system-secret\"%s}}", url,
                               more));
    if (s.proxy != 0)
        api_configuration_heard(s.env, "p1.sock");
}

int standin_get(const char *path)
{
    return api_raw(s.env, "GET", path, NULL).status;
}

const struct standin *standin_start(void)
{
    env_small_quarantine();
    s.env = env_start();
    s.port = env_free_port(s.env);
    s.url = env_fmt(s.env, "http://127.0.0.1:%d", s.port);
    s.gateway = env_spawn(s.env, "gateway",
                          (const char *const[]){env_program(s.env, "tests/standin_gateway"), env_fmt(s.env, "-port=%d", s.port), NULL}, NULL);
    env_app_start(s.env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    s.nginx_port = env_nginx_start(s.env, "core.sock", "p1.sock");
    ENV_WAIT(s.env, 20000, env_port_open(s.port));
    api_admin(s.env);
    standin_configure(s.url, "");
    s.proxy = env_app_start(s.env, "sluice-proxy", "p1.sock",
                            (const char *const[]){"-workflows", "-proxy=/api/v01/p1:bwks", "-runMigration=false", NULL});
    ENV_WAIT(s.env, 20000, standin_get("/api/v01/p1/tenants/") == 200);
    return &s;
}
