/*
 * Calling a former platform's API, and signing in there.
 */
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "http/client.h"
#include "legacy/api.h"

enum { LINE_MAX = 512 };
#define ANSWER_MAX (64 * MIB)

/* ---- calls ----------------------------------------------------------------------------------- */

static int call(struct legacy_api *api, const char *method, const char *path, struct str body,
                struct http_result *out, struct arena *a, struct err *e)
{
    const struct http_header headers[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Authorization"), str_printf(a, "Bearer %.*s", STR_ARG(api->token))},
    };
    struct http_call c = {
        .method = str_c(method),
        .url = str_printf(a, "%.*s%s", STR_ARG(api->base), path),
        .headers = headers,
        .n_headers = api->token.len > 0 ? 2 : 1,
        .body = body,
        .max_body = ANSWER_MAX,
    };

    if (http_client_do(api->pool, &c, out, a, e) != 0) {
        err_context(e, "the old platform");
        return -1;
    }
    if (out->status == 200)
        return 0;
    err_set(e, out->status == 404 || out->status == 405 || out->status == 501 ? ERR_NOT_FOUND : ERR_UPSTREAM,
            "the old platform: %s %s answered %d", method, path, out->status);
    return -1;
}

static int read_answer(struct legacy_api *api, const char *method, const char *path,
                       const struct http_result *res, struct val *out, struct err *e)
{
    struct err why;

    if (json_parse(res->body, out, api->a, &why) == 0)
        return 0;
    err_set(e, ERR_UPSTREAM, "the old platform: %s %s did not answer JSON", method, path);
    return -1;
}

int legacy_api_get(struct legacy_api *api, const char *path, struct val *out, struct err *e)
{
    struct http_result res;

    if (call(api, "GET", path, STR_NONE, &res, api->a, e) != 0)
        return -1;
    return read_answer(api, "GET", path, &res, out, e);
}

int legacy_api_bytes(struct legacy_api *api, const char *path, struct str *bytes, struct str *mime,
                     struct arena *a, struct err *e)
{
    struct http_result res;

    if (call(api, "GET", path, STR_NONE, &res, a, e) != 0)
        return -1;
    *bytes = res.body;
    *mime = http_result_header(&res, "content-type");
    return 0;
}

/* ---- signing in ------------------------------------------------------------------------------ */

static void ask(int tty, const char *question, bool echo, char out[LINE_MAX])
{
    struct termios before, quiet;
    ssize_t n;

    (void)!write(tty, question, strlen(question));
    if (!echo && tcgetattr(tty, &before) == 0) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(tty, TCSAFLUSH, &quiet);
    }
    n = read(tty, out, LINE_MAX - 1);
    if (!echo) {
        tcsetattr(tty, TCSAFLUSH, &before);
        (void)!write(tty, "\n", 1);
    }
    out[n > 0 ? n - 1 : 0] = '\0';
}

static int login_on_terminal(struct legacy_api *api, struct err *e)
{
    static const char path[] = "/api/v01/auth/login";
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char user[LINE_MAX], password[LINE_MAX];
    struct val body = val_dict_new(api->a, 2), answer;
    struct http_result res;

    if (tty < 0) {
        err_set(e, ERR_USAGE, "--token-file=FILE is wanted where there is no terminal");
        return -1;
    }
    ask(tty, "user name on the old platform: ", true, user);
    ask(tty, "password: ", false, password);
    close(tty);
    val_dict_set_c(body, "username", val_str_c(user));
    val_dict_set_c(body, "password", val_str_c(password));
    if (call(api, "POST", path, json_text(body, api->a), &res, api->a, e) != 0 ||
        read_answer(api, "POST", path, &res, &answer, e) != 0)
        return -1;
    crypto_wipe(password, sizeof password);
    api->token = val_get_text(answer, "access_token", STR(""));
    if (api->token.len > 0)
        return 0;
    err_set(e, ERR_USAGE, "the old platform asks %s for a second factor; give --token-file=FILE", user);
    return -1;
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
    if (legacy_read_secret(&s, token_file, &text, e) != 0)
        return -1;
    api->token = str_trim(text);
    return 0;
}

int legacy_api_open(struct legacy_api *api, const char *url, const char *token_file, struct arena *a,
                    struct err *e)
{
    *api = (struct legacy_api){.a = a, .pool = http_client_pool_new(), .base = str_c(url)};
    while (api->base.len > 0 && api->base.p[api->base.len - 1] == '/')
        api->base.len--;
    if (str_ends(api->base, STR("/api/v01")))
        api->base.len -= 8;
    return sign_in(api, token_file, e);
}

void legacy_api_close(struct legacy_api *api)
{
    if (api->pool != NULL)
        http_client_pool_free(api->pool);
}
