/*
 * Reading a former platform through its API.
 */
#include "legacy/api_source.h"

#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "http/client.h"
#include "legacy/plan_int.h"

enum { PAGE = 500, PAGES_MAX = 1000, LINE_MAX = 512 };

/* ---- calls ----------------------------------------------------------------------------------- */

static int call(struct legacy_api *api, const char *method, const char *path, struct str body,
                struct val *out, struct err *e)
{
    const struct http_header headers[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Authorization"), str_printf(api->a, "Bearer %.*s", STR_ARG(api->token))},
    };
    struct http_call c = {
        .method = str_c(method),
        .url = str_printf(api->a, "%.*s%s", STR_ARG(api->base), path),
        .headers = headers,
        .n_headers = api->token.len > 0 ? 2 : 1,
        .body = body,
    };
    struct http_result res;
    struct err why;

    if (http_client_do(api->pool, &c, &res, api->a, e) != 0) {
        err_context(e, "the old platform");
        return -1;
    }
    if (res.status != 200) {
        err_set(e, ERR_UPSTREAM, "the old platform: %s %s answered %d", method, path, res.status);
        return -1;
    }
    if (json_parse(res.body, out, api->a, &why) != 0) {
        err_set(e, ERR_UPSTREAM, "the old platform: %s %s did not answer JSON", method, path);
        return -1;
    }
    return 0;
}

static int get(struct legacy_api *api, const char *path, struct val *out, struct err *e)
{
    return call(api, "GET", path, STR_NONE, out, e);
}

/* ---- signing in ------------------------------------------------------------------------------ */

static void ask(int tty, const char *question, bool shown, char out[LINE_MAX])
{
    struct termios before, quiet;
    ssize_t n;

    (void)!write(tty, question, strlen(question));
    if (!shown && tcgetattr(tty, &before) == 0) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(tty, TCSAFLUSH, &quiet);
    }
    n = read(tty, out, LINE_MAX - 1);
    if (!shown) {
        tcsetattr(tty, TCSAFLUSH, &before);
        (void)!write(tty, "\n", 1);
    }
    out[n > 0 ? n - 1 : 0] = '\0';
}

static int login_on_terminal(struct legacy_api *api, struct err *e)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char user[LINE_MAX], password[LINE_MAX];
    struct val body = val_dict_new(api->a, 2), answer;

    if (tty < 0) {
        err_set(e, ERR_USAGE, "--token-file=FILE is wanted where there is no terminal");
        return -1;
    }
    ask(tty, "user name on the old platform: ", true, user);
    ask(tty, "password: ", false, password);
    close(tty);
    val_dict_set_c(body, "username", val_str_c(user));
    val_dict_set_c(body, "password", val_str_c(password));
    if (call(api, "POST", "/api/v01/auth/login", json_text(body, api->a), &answer, e) != 0)
        return -1;
    crypto_wipe(password, sizeof password);
    api->token = val_get_text(answer, "access_token", STR(""));
    return 0;
}

static int sign_in(struct legacy_api *api, const char *token_file, struct err *e)
{
    struct legacy_sources s;
    struct buf notes;
    struct str text;

    if (token_file == NULL)
        return login_on_terminal(api, e);
    buf_init(&notes, 64, api->a);
    legacy_sources_init(&s, &notes, api->a);
    if (legacy_read(&s, token_file, &text, e) != 0)
        return -1;
    api->token = str_trim(text);
    return 0;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static const char *id_path(struct legacy_api *api, const char *format, struct val item, const char *id)
{
    return arena_printf(api->a, "%s/%lld", format, (long long)val_get_int(item, id, 0));
}

/* The object itself, or the one in its envelope. */
static struct val open_envelope(struct val v, const char *member)
{
    return val_is(val_get(v, member), VAL_DICT) ? val_get(v, member) : v;
}

/* A list and each of its objects. */
static int read_each(struct legacy_api *api, const char *path, const char *list, const char *member,
                     struct val *out, struct err *e)
{
    struct val all, one;

    *out = val_list_new(api->a, 16);
    if (get(api, path, &all, e) != 0)
        return -1;
    all = val_get(all, list);
    for (size_t i = 0; i < val_count(all); i++) {
        if (get(api, id_path(api, path, val_at(all, i), "id"), &one, e) != 0)
            return -1;
        val_list_add(*out, open_envelope(one, member));
    }
    return 0;
}

static int read_users(struct legacy_api *api, struct val *out, struct err *e)
{
    *out = val_list_new(api->a, 64);
    for (int page = 1; page <= PAGES_MAX; page++) {
        struct val all, one;

        if (get(api, arena_printf(api->a, "/api/v01/system/users?paging=%%7B%%22page_number%%22:%d,%%22page_size%%22:%d%%7D",
                                  page, PAGE), &all, e) != 0)
            return -1;
        all = val_get(all, "users");
        for (size_t i = 0; i < val_count(all); i++) {
            if (get(api, id_path(api, "/api/v01/system/users", val_at(all, i), "id"), &one, e) != 0)
                return -1;
            val_list_add(*out, open_envelope(one, "user"));
        }
        if (val_count(all) < PAGE)
            break;
    }
    return 0;
}

static struct val name_of(struct val activities, int64_t id)
{
    for (size_t i = 0; i < val_count(activities); i++)
        if (val_get_int(val_at(activities, i), "id", 0) == id)
            return val_get(val_at(activities, i), "name");
    return val_null();
}

/* Routes name workflows by id; here by name. */
static int read_routes(struct legacy_api *api, struct val activities, struct val *out, struct err *e)
{
    struct val all;

    *out = val_list_new(api->a, 64);
    if (get(api, "/api/v01/custom_routes", &all, e) != 0)
        return -1;
    all = val_get(all, "routes");
    for (size_t i = 0; i < val_count(all); i++) {
        struct val r = val_copy(val_at(all, i), api->a);

        val_dict_set_c(r, "activity_name", name_of(activities, val_get_int(r, "activity_id", 0)));
        val_dict_set_c(r, "err_activity_name", name_of(activities, val_get_int(r, "err_activity_id", 0)));
        val_dict_set_c(r, "method", val_str(str_lower(api->a, val_get_text(r, "method", STR("")))));
        val_list_add(*out, r);
    }
    return 0;
}

int legacy_api_read(struct legacy_api *api, const char *url, const char *token_file,
                    const struct legacy_options *o, const struct cfg *current,
                    struct legacy_plan *p, struct arena *a, struct err *e)
{
    struct val content, roles;

    api->a = a;
    api->pool = http_client_pool_new();
    api->base = str_c(url);
    while (api->base.len > 0 && api->base.p[api->base.len - 1] == '/')
        api->base.len--;
    if (str_ends(api->base, STR("/api/v01")))
        api->base.len -= 8;
    if (sign_in(api, token_file, e) != 0 || get(api, "/api/v01/system/configuration", &content, e) != 0)
        return -1;
    if (legacy_plan_content(p, o, current, val_get(content, "content"), a, e) != 0)
        return -1;
    if (read_each(api, "/api/v01/system/user_profiles", "profiles", "profile", &api->items[0], e) != 0 ||
        get(api, "/api/v01/system/user_roles", &roles, e) != 0)
        return -1;
    api->items[1] = val_is(roles, VAL_LIST) ? roles : val_get(roles, "roles");
    if (read_users(api, &api->items[2], e) != 0 ||
        read_each(api, "/api/v01/templates", "templates", "template", &api->items[3], e) != 0 ||
        read_each(api, "/api/v01/activities", "activities", "activity", &api->items[4], e) != 0)
        return -1;
    return read_routes(api, api->items[4], &api->items[5], e);
}

void legacy_api_free(struct legacy_api *api)
{
    if (api->pool != NULL)
        http_client_pool_free(api->pool);
}
