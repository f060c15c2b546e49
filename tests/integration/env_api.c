/*
 * The API in integration tests.
 */
#include "integration/env_api.h"

#include <string.h>

#include "base/json.h"
#include "integration/env_int.h"

static const char *token = "";
static const char *admin_token = "";
static const char *admin_password = "";

const char *api_admin_password(void)
{
    return admin_password;
}

const char *api_as(const char *other)
{
    const char *was = token;

    token = other;
    return was;
}

int api_setup(void **state)
{
    (void)state;
    token = admin_token;
    return 0;
}

const char *api_token(void)
{
    return token;
}

const char *api_auth(struct env *env)
{
    return arena_printf(env_arena(env), "Authorization: Bearer %s", token);
}

/* ---- calls ------------------------------------------------------------------------------------ */

struct env_answer api_raw(struct env *env, const char *method, const char *path, const char *body)
{
    const char *headers[] = {"Content-Type: application/json", token[0] != '\0' ? api_auth(env) : NULL, NULL};

    return env_http(env, method, path, headers, body);
}

struct val api_json(struct env *env, const struct env_answer *a)
{
    struct val v = val_undef(NULL);
    struct err e = {0};

    if (a->body_len > 0 && json_parse(str_make(a->body, a->body_len), &v, env_arena(env), &e) != 0)
        env_fail(env, "not JSON (%s): %.300s", e.msg, a->body);
    return v;
}

struct val api(struct env *env, int status, const char *method, const char *path, const char *body)
{
    struct env_answer a = api_raw(env, method, path, body);

    if (a.status != status)
        env_fail(env, "%s %s: expected %d, got %d: %.600s", method, path, status, a.status, a.body);
    return api_json(env, &a);
}

const char *api_text(struct env *env, struct val v, const char *path)
{
    struct val at = val_path(v, path);

    if (val_is(at, VAL_STR))
        return str_cstr(env_arena(env), val_text(at));
    return val_is_undef(at) ? "" : json_text(at, env_arena(env)).p;
}

int64_t api_int(struct val v, const char *path)
{
    struct val at = val_path(v, path);

    return val_is(at, VAL_INT) ? at.u.i : -1;
}

const char *api_quoted(struct env *env, const char *text)
{
    return json_text(val_str_c(text), env_arena(env)).p;
}

/* ---- who ----------------------------------------------------------------------------------------- */

const char *api_login(struct env *env, const char *username, const char *password)
{
    const char *body = arena_printf(env_arena(env), "{\"username\":%s,\"password\":%s}", api_quoted(env, username),
                                    api_quoted(env, password));
    struct env_answer a = env_http(env, "POST", "/api/v01/auth/login", NULL, body);

    return a.status == 200 ? api_text(env, api_json(env, &a), "access_token") : NULL;
}

static void create_admin(struct env *env)
{
    const char *argv[] = {env_program(env, "sluice-core"), "-newsuperuser", NULL};
    const char *vars[] = {arena_printf(env_arena(env), "DB=%s", env_db(env)), NULL};
    int status = env_wait_exit(env, env_spawn(env, "newsuperuser", argv, vars), 30000);
    const char *log = env_log(env, "newsuperuser");
    const char *at = strstr(log, "user admin password ");

    if (status != 0 || at == NULL)
        env_fail(env, "-newsuperuser ended with %d: %s", status, log);
    at += strlen("user admin password ");
    admin_password = arena_strndup(env_arena(env), at, strcspn(at, "\n"));
}

static int health(struct env *env)
{
    return env_http(env, "GET", "/api/v01/health", NULL, NULL).status;
}

void api_admin(struct env *env)
{
    create_admin(env);
    ENV_WAIT(env, 30000, health(env) == 200);
    token = "";
    token = api_login(env, "admin", admin_password);
    if (token == NULL)
        env_fail(env, "the administrator cannot log in");
    admin_token = token;
}

/* ---- things ---------------------------------------------------------------------------------------- */

int64_t api_activity(struct env *env, const char *name, const char *definition)
{
    struct arena *a = env_arena(env);
    struct val v = api(env, 200, "POST", "/api/v01/activities",
                       arena_printf(a, "{\"name\":%s,\"definition\":%s}", api_quoted(env, name), definition));
    int64_t id = api_int(v, "id"), version;

    v = api(env, 200, "POST", arena_printf(a, "/api/v01/activities/%lld/versions", (long long)id), "{\"label\":\"1\"}");
    version = api_int(v, "id");
    api(env, 200, "PUT",
        arena_printf(a, "/api/v01/activities/%lld/versions/%lld/activate", (long long)id, (long long)version), NULL);
    return id;
}

int64_t api_route(struct env *env, const char *method, const char *route, int64_t activity, const char *more)
{
    struct arena *a = env_arena(env);
    struct val v = api(env, 200, "POST", "/api/v01/custom_routes",
                       arena_printf(a, "{\"route\":%s,\"method\":\"%s\",\"activity_id\":%lld%s}", api_quoted(env, route),
                                    method, (long long)activity, more));

    return api_int(v, "route_id");
}

int64_t api_run(struct env *env, const char *definition, const char *request)
{
    static int n;
    int64_t activity = api_activity(env, env_fmt(env, "started %d", n++), definition);

    return api_int(api(env, 200, "POST", env_fmt(env, "/api/v01/activities/%lld/run", (long long)activity), request), "id");
}

const char *api_context(struct env *env, int64_t id, const char *key)
{
    return env_sql(env, "SELECT value FROM contexts WHERE instance_id = %lld AND key = '%s'", (long long)id, key);
}

const char *api_task(struct env *env, int64_t id, const char *cell)
{
    return env_sql(env, "SELECT status || coalesce(' ' || output, '') FROM tasks WHERE instance_id = %lld AND cell_id = '%s' "
                        "ORDER BY id DESC LIMIT 1", (long long)id, cell);
}

void api_until_task(struct env *env, int64_t id, const char *cell, const char *want)
{
    ENV_WAIT(env, 10000, strcmp(api_task(env, id, cell), want) == 0);
}

const char *api_instance_status(struct env *env, int64_t id)
{
    const char *sql = arena_printf(env_arena(env), "SELECT status FROM instances WHERE id = %lld", (long long)id);
    const char *status = "";

    ENV_WAIT(env, 15000, strcmp(status = env_psql(env, sql), "ACTIVE") != 0 && status[0] != '\0');
    return status;
}

void api_configure(struct env *env, const char *member, const char *json)
{
    struct val v = api(env, 200, "GET", "/api/v01/system/configuration", NULL);
    struct val doc = val_copy(val_get(v, "content"), env_arena(env)), value;
    struct err e = {0};

    if (json_parse(str_c(json), &value, env_arena(env), &e) != 0)
        env_fail(env, "%s: %s", json, e.msg);
    val_dict_set_c(doc, member, value);
    api(env, 200, "PUT", "/api/v01/system/configuration", json_text(doc, env_arena(env)).p);
}

void api_configuration_heard(struct env *env, const char *log)
{
    const char *said = env_fmt(env, "config.read version=%s ", env_psql(env, "SELECT max(id) FROM configuration"));

    ENV_WAIT(env, 20000, strstr(env_log(env, log), said) != NULL);
}
