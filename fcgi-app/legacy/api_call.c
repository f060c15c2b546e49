/*
 * Calling a former platform's API.
 */
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "http/client.h"
#include "http/url.h"
#include "legacy/api_int.h"

enum {
    TRIES = 3,       /* of a call nobody answered */
    TRIES_BUSY = 6,  /* of one the platform has no time for */
    PAUSE_MAX_S = 60,
    DOCUMENT_MS = 600000,
    PAGE = 200,
    PAGES_MAX = 1000000,
};
#define ANSWER_MAX (64 * MIB)

static const char refresh_path[] = "/api/v01/auth/access_token";

/* ---- one call -------------------------------------------------------------------------------- */

struct question {
    const char *method, *path;
    struct str body;
    bool (*sink)(void *ctx, struct str piece);
    void *ctx;
};

static int ask_once(struct legacy_api *api, const struct question *q, struct str token, struct http_result *out, struct arena *a,
                    struct err *e)
{
    const struct http_header headers[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Authorization"), str_printf(a, "Bearer %.*s", STR_ARG(token))},
    };
    struct http_call c = {
        .method = str_c(q->method),
        .url = str_printf(a, "%.*s%s", STR_ARG(api->base), q->path),
        .headers = headers,
        .n_headers = token.len > 0 ? 2 : 1,
        .body = q->body,
        .max_body = ANSWER_MAX,
        .total_ms = q->sink != NULL ? DOCUMENT_MS : 0,
        .sink = q->sink,
        .sink_ctx = q->ctx,
    };
    int rc = http_client_do(api->pool, &c, out, a, e);

    api->connected = out->connected;
    api->status = rc == 0 ? out->status : 0;
    return rc;
}

static void sleep_us(int64_t us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};

    while (us > 0 && nanosleep(&t, &t) != 0)
        continue;
}

/* No more calls a second than were allowed. */
static void keep_pace(struct legacy_api *api)
{
    int64_t now = clock_mono_us(&clock_system);

    if (!api->patient || api->rate == 0)
        return;
    if (api->next_us > now)
        sleep_us(api->next_us - now);
    api->next_us = (api->next_us > now ? api->next_us : now) + 1000000 / api->rate;
}

/* True: the platform is asked again, after the pause it wants. */
static bool again(struct legacy_api *api, const struct question *q, int rc, const struct http_result *res, int tries)
{
    int64_t pause_s = 1;

    if (rc != 0 && (!api->patient || q->sink != NULL || tries >= TRIES))
        return false;
    if (rc == 0 && ((res->status != 429 && res->status != 503) || tries >= TRIES_BUSY))
        return false;
    if (rc == 0 && (!str_to_int(http_result_header(res, "retry-after"), &pause_s) || pause_s < 0))
        pause_s = tries;
    sleep_us(1000000 * (pause_s < PAUSE_MAX_S ? pause_s : PAUSE_MAX_S));
    return true;
}

/* Tokens of a login last for minutes: another one for the same login. */
static bool renew(struct legacy_api *api, struct arena *a)
{
    const struct question q = {.method = "GET", .path = refresh_path, .body = STR_NONE};
    struct http_result res;
    struct str token;
    struct val v;
    struct err why;

    if (api->refresh.len == 0 || ask_once(api, &q, api->refresh, &res, a, &why) != 0 || res.status != 200 ||
        json_parse(res.body, &v, a, &why) != 0)
        return false;
    token = val_get_text(v, "access_token", STR(""));
    if (token.len == 0)
        return false;
    api->token = str_dup(api->a, token);
    if (val_get_text(v, "refresh_token", STR("")).len > 0)
        api->refresh = str_dup(api->a, val_get_text(v, "refresh_token", STR("")));
    return true;
}

static void refuse(const struct legacy_api *api, const struct question *q, struct err *e)
{
    int n = api->status;
    const char *more = n == 401 ? "; is the token right, and not ended? what was imported stays, start again with a new one"
                       : n >= 300 && n < 400 ? "; it is somewhere else: give the address it has there" : "";

    err_set(e, n == 404 || n == 405 || n == 501 ? ERR_NOT_FOUND : ERR_UPSTREAM, "the old platform: %s %s answered %d%s", q->method,
            q->path, n, more);
}

/* No answer at all; whom nobody trusts is told what to do. */
static void unanswered(struct err *e, struct arena *a)
{
    if (strstr(e->msg, "certificate") != NULL)
        err_set(e, e->code, "%s; add its CA to the system", arena_strdup(a, e->msg));
    err_context(e, "the old platform");
}

static int call(struct legacy_api *api, const struct question *q, struct http_result *out, struct arena *a, struct err *e)
{
    bool renewed = false;

    for (int tries = 1;; tries++) {
        int rc;

        keep_pace(api);
        rc = ask_once(api, q, api->token, out, a, e);
        if (rc == 0 && out->status == 200)
            return 0;
        if (rc == 0 && out->status == 401 && !renewed && (renewed = renew(api, a)))
            continue;
        if (again(api, q, rc, out, tries))
            continue;
        api->status = rc == 0 ? out->status : 0;
        if (rc == 0)
            refuse(api, q, e);
        else
            unanswered(e, a);
        return -1;
    }
}

static int read_answer(const struct question *q, const struct http_result *res, struct val *out, struct arena *a, struct err *e)
{
    struct err why;

    if (json_parse(res->body, out, a, &why) == 0)
        return 0;
    err_set(e, ERR_UPSTREAM, "the old platform: %s %s did not answer JSON", q->method, q->path);
    return -1;
}

bool legacy_api_goes_on(const struct legacy_api *api)
{
    return api->status != 401 && (api->status != 0 || api->connected);
}

int legacy_api_get(struct legacy_api *api, const char *path, struct val *out, struct arena *a, struct err *e)
{
    const struct question q = {.method = "GET", .path = path, .body = STR_NONE};
    struct http_result res;

    return call(api, &q, &res, a, e) != 0 ? -1 : read_answer(&q, &res, out, a, e);
}

int api_post(struct legacy_api *api, const char *path, struct str body, struct val *out, struct err *e)
{
    const struct question q = {.method = "POST", .path = path, .body = body};
    struct http_result res;

    return call(api, &q, &res, api->a, e) != 0 ? -1 : read_answer(&q, &res, out, api->a, e);
}

int legacy_api_bytes(struct legacy_api *api, const char *path, struct str *bytes, struct arena *a, struct err *e)
{
    const struct question q = {.method = "GET", .path = path, .body = STR_NONE};
    struct http_result res;

    if (call(api, &q, &res, a, e) != 0)
        return -1;
    *bytes = res.body;
    return 0;
}

int legacy_api_stream(struct legacy_api *api, const char *path, bool (*sink)(void *ctx, struct str piece), void *ctx, struct arena *a,
                      struct err *e)
{
    const struct question q = {.method = "GET", .path = path, .body = STR_NONE, .sink = sink, .ctx = ctx};
    struct http_result res;

    return call(api, &q, &res, a, e);
}

/* ---- pages ----------------------------------------------------------------------------------- */

int64_t legacy_api_total(struct val answer)
{
    struct val n = val_at(val_get(answer, "pagination"), 3);

    return val_is(answer, VAL_DICT) ? val_get_int(answer, "total_count", val_is(n, VAL_INT) ? n.u.i : 0) : 0;
}

/* Is there a page behind this one?  Platforms cap the size of pages, some give all at once, and some do not say: then it is asked for. */
static bool is_last(struct val answer, size_t n, int page, bool same)
{
    struct val pages = val_at(val_get(answer, "pagination"), 2);

    return n == 0 || same || (val_is(pages, VAL_INT) && page >= pages.u.i);
}

struct paging {
    const char *path, *member, *order;
    int page;
    uint64_t first; /* of the list before: what its first row is like */
    int64_t came, total; /* rows; the most there ever were */
    bool last;
};

static int one_page(struct legacy_api *api, struct paging *pg, int (*rows)(void *ctx, struct val list, struct arena *a), void *ctx,
                    struct arena *a, struct err *e)
{
    const char *path = arena_printf(a, "%s?paging=%%7B%%22page_number%%22:%d,%%22page_size%%22:%d%%7D&sorting=%%5B%%7B%%22field%%22:"
                                       "%%22%s%%22,%%22direction%%22:%%22asc%%22%%7D%%5D", pg->path, pg->page, PAGE, pg->order);
    struct val answer, list;
    uint64_t first;
    bool same;

    if (legacy_api_get(api, path, &answer, a, e) != 0)
        return -1;
    list = val_get(answer, pg->member);
    first = val_count(list) > 0 ? str_hash(json_text(val_at(list, 0), a)) : 0;
    same = pg->page > 1 && first == pg->first;
    pg->first = first;
    pg->last = is_last(answer, val_count(list), pg->page, same);
    if (!same)
        pg->came += (int64_t)val_count(list);
    if (legacy_api_total(answer) > pg->total)
        pg->total = legacy_api_total(answer);
    return same || !val_is(list, VAL_LIST) ? 0 : rows(ctx, list, a);
}

int legacy_api_pages(struct legacy_api *api, const char *path, const char *member, const char *order,
                     int (*rows)(void *ctx, struct val list, struct arena *a), void *ctx, const char **missing, struct err *e)
{
    struct paging pg = {.path = path, .member = member, .order = order};

    *missing = NULL;
    for (pg.page = 1; !pg.last && pg.page <= PAGES_MAX; pg.page++) {
        struct arena *a = arena_new(0);
        int rc = one_page(api, &pg, rows, ctx, a, e);

        arena_free(a);
        if (rc != 0)
            return -1;
    }
    if (pg.came < pg.total)
        *missing = arena_printf(api->a, "GET %s: %lld of %lld came: rows went meanwhile, or moved to a page that had been read; import again", path,
                                (long long)pg.came, (long long)pg.total);
    return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* The address may be shown and is kept in the record of the import. */
static int check_address(struct legacy_api *api, struct err *e)
{
    struct url u;

    if (url_parse(api->base, &u, api->a, e) != 0) {
        err_set(e, ERR_USAGE, "--from-api: %s", arena_strdup(api->a, e->msg));
        return -1;
    }
    if (!str_eq_c(u.scheme, "http") && !str_eq_c(u.scheme, "https"))
        err_set(e, ERR_USAGE, "--from-api: \"%.*s://\xe2\x80\xa6\" is not an http(s) URL", STR_ARG(u.scheme));
    else if (u.userinfo.len > 0)
        err_set(e, ERR_USAGE, "--from-api: credentials in the URL are not taken; use --token-file");
    else if (u.query.p != NULL || u.fragment.len > 0)
        err_set(e, ERR_USAGE, "--from-api: the URL has a query or a fragment");
    else
        return 0;
    return -1;
}

int legacy_api_open(struct legacy_api *api, const char *url, const char *token_file, struct arena *a,
                    struct err *e)
{
    *api = (struct legacy_api){.a = a, .pool = http_client_pool_new(), .base = str_c(url), .rate = api->rate};
    api->activities = val_list_new(a, 0);
    while (api->base.len > 0 && api->base.p[api->base.len - 1] == '/')
        api->base.len--;
    if (str_ends(api->base, STR("/api/v01")))
        api->base.len -= 8;
    return check_address(api, e) != 0 ? -1 : api_sign_in(api, token_file, e);
}

void legacy_api_close(struct legacy_api *api)
{
    if (api->pool != NULL)
        http_client_pool_free(api->pool);
}
