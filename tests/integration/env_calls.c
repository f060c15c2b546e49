/*
 * Calls through the proxy and by http_call, in the same words.
 */
#include "integration/env_calls.h"

#include <string.h>

#include "base/arena.h"

static void route(struct env *env, const char *method)
{
    struct arena *a = env_arena(env);
    const char *path = arena_printf(a, "/call_%s", method);
    int64_t id = api_activity(env, path + 1,
                              arena_printf(a,
                                           "{\"cells\":{" START "," END ",\"a\":{\"original_name\":\"http_call\",\"outputs\":[\"*\"],\"params\":"
                                           "{\"session_holder\":\"bwks\",\"url\":\"{{ request.body.url }}\",\"method\":\"%s\",\"http_codes\":\"*\"},"
                                           "\"x\":0,\"y\":0}},\"entities\":[],\"transitions\":[[\"start.ok\",\"a\"],[\"a.*\",\"end\"]]}",
                                           method));

    api_route(env, "post", path, id, ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 5000, env_http(env, "GET", arena_printf(a, "/api/v01/public%s", path), NULL, NULL).status == 405);
}

void calls_routes(struct env *env)
{
    route(env, "GET");
    route(env, "POST");
}

const char *calls_node(struct env *env, const char *method, const char *path)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    struct env_answer a = env_http(env, "POST", arena_printf(env_arena(env), "/api/v01/public/call_%s", method), json,
                                   arena_printf(env_arena(env), "{\"url\":\"%s\"}", path));

    if (a.status != 200 && a.status != 500)
        env_fail(env, "the workflow answered %d: %.300s", a.status, a.body);
    return env_psql(env, "SELECT coalesce((SELECT string_agg(e.description, ' / ') FROM errors e WHERE e.instance_id = i.id), "
                         "(SELECT t.status::text FROM traces t WHERE t.instance_id = i.id ORDER BY t.id DESC LIMIT 1), 'no trace') "
                         "FROM instances i ORDER BY i.id DESC LIMIT 1");
}

const char *calls_proxy(struct env *env, const char *method, const char *path)
{
    const char *under = strncmp(path, "/api/v1", 7) == 0 ? path + 7 : path;
    struct env_answer a = api_raw(env, method, arena_printf(env_arena(env), "/api/v01/p1%s", under), strcmp(method, "POST") == 0 ? "{}" : NULL);

    return strstr(a.body, "\"error\"") != NULL ? api_text(env, api_json(env, &a), "error") : arena_printf(env_arena(env), "%d", a.status);
}

const struct calls_way calls_ways[2] = {{"proxy", calls_proxy}, {"http_call", calls_node}};

void calls_expect(struct env *env, const struct calls_way *way, const char *method, const char *path, const char *want)
{
    int64_t until = env_until(0);
    const char *got;

    while (strstr(got = way->call(env, method, path), want) == NULL) {
        if (clock_mono_ms(&clock_system) > until)
            env_fail(env, "%s: expected: %s\n     got: %s", way->name, want, got);
        env_pause();
    }
}
