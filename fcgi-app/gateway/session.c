/*
 * Sessions of this process on gateways, and which of a gateway's URLs is in use.
 *
 * A gateway's state is found by name and lives as long as the process: configurations come and go with their snapshots.
 * The lock is never held over a call; who logs in marks the session, the others wait for the condition.
 */
#include "gateway/session.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "http/url.h"

enum {
    BACK_TO_MAIN_MS = 60000, /* without health checks: try the main URL again after */
    REFUSED_MS = 30000,      /* two refused logins: wait, before the account is locked */
    WAIT_MS = 30000,         /* for somebody else's login */
};

/* The session on one URL. */
struct login {
    struct login *next;
    uint64_t url_hash, who_hash; /* a changed user or password is another session */
    uint64_t stamp;              /* 0: none */
    char *cookies;
    bool busy;
    int refused;                 /* logins refused in a row */
    int64_t wait_until_ms;
};

struct state {
    struct state *next;
    uint64_t name_hash;
    size_t url; /* 0 = main, then backups */
    int64_t left_main_ms;
    struct login *logins;
};

struct gw_sessions {
    struct http_client_pool *clients;
    struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct state *states;
    uint64_t stamp;
};

struct gw_sessions *gw_sessions_new(struct http_client_pool *clients, struct clock *clock)
{
    struct gw_sessions *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->clients = clients;
    s->clock = clock != NULL ? clock : &clock_system;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    return s;
}

static void forget(struct login *l)
{
    if (l->cookies != NULL) {
        crypto_wipe(l->cookies, strlen(l->cookies));
        free(l->cookies);
    }
    l->cookies = NULL;
    l->stamp = 0;
}

void gw_sessions_free(struct gw_sessions *s)
{
    if (s == NULL)
        return;
    while (s->states != NULL) {
        struct state *st = s->states;

        s->states = st->next;
        while (st->logins != NULL) {
            struct login *l = st->logins;

            st->logins = l->next;
            forget(l);
            free(l);
        }
        free(st);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

/* With the lock held. */
static struct state *state_of(struct gw_sessions *s, const struct cfg_gateway *g)
{
    uint64_t hash = str_hash(g->name);
    struct state *st;

    for (st = s->states; st != NULL; st = st->next)
        if (st->name_hash == hash)
            return st;
    st = calloc(1, sizeof *st);
    if (st == NULL)
        abort();
    st->name_hash = hash;
    st->next = s->states;
    s->states = st;
    return st;
}

static struct login *login_of(struct gw_sessions *s, const struct cfg_gateway *g, struct str url)
{
    struct state *st = state_of(s, g);
    uint64_t url_hash = str_hash(url);
    uint64_t who = str_hash(g->username) * 31 + str_hash(secret_text(g->password));
    struct login *l;

    for (l = st->logins; l != NULL; l = l->next)
        if (l->url_hash == url_hash)
            break;
    if (l == NULL) {
        l = calloc(1, sizeof *l);
        if (l == NULL)
            abort();
        l->url_hash = url_hash;
        l->who_hash = who;
        l->next = st->logins;
        st->logins = l;
    }
    if (l->who_hash != who && !l->busy) {
        forget(l);
        l->who_hash = who;
        l->refused = 0;
        l->wait_until_ms = 0;
    }
    return l;
}

/* ---- which URL --------------------------------------------------------------------------------------- */

struct str gw_url(struct gw_sessions *s, const struct cfg_gateway *g)
{
    struct str url = g->url;
    struct state *st;

    if (g->n_backup_urls == 0)
        return url;
    pthread_mutex_lock(&s->lock);
    st = state_of(s, g);
    if (st->url > g->n_backup_urls)
        st->url = 0;
    if (st->url > 0 && clock_mono_ms(s->clock) - st->left_main_ms > BACK_TO_MAIN_MS)
        st->url = 0;
    if (st->url > 0)
        url = g->backup_urls[st->url - 1];
    pthread_mutex_unlock(&s->lock);
    return url;
}

void gw_url_failed(struct gw_sessions *s, const struct cfg_gateway *g, struct str url)
{
    struct str now;
    struct state *st;

    if (g->n_backup_urls == 0)
        return;
    pthread_mutex_lock(&s->lock);
    st = state_of(s, g);
    now = st->url == 0 || st->url > g->n_backup_urls ? g->url : g->backup_urls[st->url - 1];
    if (str_eq(now, url)) {
        if (st->url == 0)
            st->left_main_ms = clock_mono_ms(s->clock);
        st->url = (st->url + 1) % (g->n_backup_urls + 1);
        log_warn("gateway.failover", "gateway=\"%.*s\" url_in_use=%zu", STR_ARG(g->name), st->url);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- cookies ------------------------------------------------------------------------------------------- */

struct str gw_cookies(const struct http_header *headers, size_t n, struct arena *a)
{
    struct str *pairs = ARENA_ARRAY(a, struct str, n + 1);
    size_t n_pairs = 0;
    struct buf b;

    for (size_t i = 0; i < n; i++) {
        struct str rest = headers[i].value, pair, name;
        size_t k = 0;

        if (!str_ieq(headers[i].name, STR("set-cookie")))
            continue;
        pair = str_trim(str_cut(&rest, ';'));
        rest = pair;
        name = str_cut(&rest, '=');
        for (k = 0; k < n_pairs; k++)
            if (str_starts(pairs[k], name) && pairs[k].len > name.len && pairs[k].p[name.len] == '=')
                break;
        if (rest.len == 0) {
            if (k < n_pairs)
                pairs[k] = STR("");
        } else {
            pairs[k] = pair;
            n_pairs += k == n_pairs;
        }
    }
    buf_init(&b, 64 * KIB, a);
    for (size_t i = 0; i < n_pairs; i++) {
        if (pairs[i].len == 0)
            continue;
        buf_add_c(&b, b.len > 0 ? "; " : "");
        buf_add_str(&b, pairs[i]);
    }
    return buf_str(&b);
}

/* ---- sessions --------------------------------------------------------------------------------------------- */

static void one_header(struct gw_session *out, const char *name, struct str value, struct arena *a)
{
    out->headers = ARENA_NEW(a, struct http_header);
    out->headers[0] = (struct http_header){str_c(name), value};
    out->n_headers = 1;
}

/* Ways that need no login; 1 = done, 0 = a login is needed, -1 = cannot. */
static int without_login(const struct cfg_gateway *g, struct gw_session *out, struct arena *a, struct err *e)
{
    *out = (struct gw_session){0};
    switch (g->auth) {
    case GW_AUTH_DEFAULT:
        return g->username.len == 0 ? 1 : 0;
    case GW_AUTH_BASIC:
        one_header(out, "Authorization",
                   str_printf(a, "Basic %.*s",
                              STR_ARG(crypto_b64(a, str_printf(a, "%.*s:%.*s", STR_ARG(g->username),
                                                               STR_ARG(secret_text(g->password)))))),
                   a);
        return 1;
    case GW_AUTH_OAUTH1:
    case GW_AUTH_OAUTH2:
    case GW_AUTH_HAWK:
    case GW_AUTH_ORACLE_SBC:
    case GW_AUTH_UNKNOWN:
        break;
    }
    err_set(e, ERR_BUSY, "gateway \"%.*s\": unknown auth \"%.*s\"", STR_ARG(g->name), STR_ARG(g->auth_name));
    return -1;
}

static bool take(const struct login *l, struct gw_session *out, struct arena *a)
{
    if (l->stamp == 0)
        return false;
    out->stamp = l->stamp;
    out->renewable = true;
    if (l->cookies != NULL && l->cookies[0] != '\0')
        one_header(out, "Cookie", str_dup(a, str_c(l->cookies)), a);
    return true;
}

int gw_session_try(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct gw_session *out,
                   struct arena *a, struct err *e)
{
    int rc = without_login(g, out, a, e);

    if (rc != 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    rc = take(login_of(s, g, url), out, a);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static struct str login_target(const struct cfg_gateway *g, struct str url, struct arena *a)
{
    struct str path = g->login_url;
    struct url u;
    struct err ignored;

    if (str_starts(path, STR("http://")) || str_starts(path, STR("https://")))
        return path;
    if (path.len == 0)
        path = STR("/api/v1/login/");
    /* a path from the root belongs to the host, not below the base URL's own path */
    if (path.p[0] == '/' && url_parse(url, &u, a, &ignored) == 0)
        return str_printf(a, "%.*s%.*s", STR_ARG(url_origin(&u, a)), STR_ARG(path));
    return str_printf(a, "%.*s/%.*s", STR_ARG(url), STR_ARG(path));
}

/* The gateway's own login: all cookies of the answer are the session. */
static int do_login(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct str *cookies,
                    bool *refused, struct arena *a, struct err *e)
{
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")},
                                          {STR("Accept"), STR("application/json")}};
    struct val body = val_dict_new(a, 2);
    struct http_result res;
    struct http_call call = {
        .method = STR("POST"),
        .url = login_target(g, url, a),
        .headers = headers,
        .n_headers = COUNT_OF(headers),
        .connect_ms = (int64_t)g->timeout_s * 1000,
        .total_ms = (int64_t)g->timeout_s * 1000,
        .tls_insecure = !g->tls_verify,
        .proxy = g->proxy,
        .client_cert = g->client_cert,
        .client_key = secret_text(g->client_key),
    };

    *refused = false;
    val_dict_set_c(body, "username", val_str(g->username));
    val_dict_set_c(body, "password", val_str(secret_text(g->password)));
    call.body = json_text(body, a);
    if (http_client_do(s->clients, &call, &res, a, e) != 0) {
        err_context(e, "gateway \"%.*s\": login", STR_ARG(g->name));
        return -1;
    }
    if (res.status < 200 || res.status > 299) {
        *refused = res.status == 401 || res.status == 403;
        err_set(e, *refused ? ERR_BUSY : ERR_UPSTREAM, "gateway \"%.*s\": login answered %d", STR_ARG(g->name), res.status);
        return -1;
    }
    *cookies = gw_cookies(res.headers, res.n_headers, a);
    return 0;
}

static void login_done(struct gw_sessions *s, struct login *l, bool ok, bool refused, struct str cookies)
{
    l->busy = false;
    if (ok) {
        forget(l);
        l->cookies = calloc(1, cookies.len + 1);
        if (l->cookies == NULL)
            abort();
        if (cookies.len > 0)
            memcpy(l->cookies, cookies.p, cookies.len);
        l->stamp = ++s->stamp;
        l->refused = 0;
    } else if (refused && ++l->refused >= 2) {
        l->wait_until_ms = clock_mono_ms(s->clock) + REFUSED_MS;
        l->refused = 0;
    }
    pthread_cond_broadcast(&s->changed);
}

/* Wait until nobody logs in; false when that took too long.  With the lock held. */
static bool wait_idle(struct gw_sessions *s, const struct login *l)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    while (l->busy)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) != 0)
            return false;
    return true;
}

int gw_session(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct gw_session *out,
               struct arena *a, struct err *e)
{
    int rc = without_login(g, out, a, e);
    struct str cookies = STR("");
    bool refused, ok;
    struct login *l;

    if (rc != 0)
        return rc > 0 ? 0 : -1;
    pthread_mutex_lock(&s->lock);
    l = login_of(s, g, url);
    if (!wait_idle(s, l)) {
        pthread_mutex_unlock(&s->lock);
        err_set(e, ERR_TIMEOUT, "gateway \"%.*s\": the login takes too long", STR_ARG(g->name));
        return -1;
    }
    l = login_of(s, g, url); /* the password may have changed meanwhile */
    if (take(l, out, a)) {
        pthread_mutex_unlock(&s->lock);
        return 0;
    }
    if (clock_mono_ms(s->clock) < l->wait_until_ms) {
        pthread_mutex_unlock(&s->lock);
        err_set(e, ERR_BUSY, "gateway \"%.*s\": the login was refused, waiting before the next one", STR_ARG(g->name));
        return -1;
    }
    l->busy = true;
    pthread_mutex_unlock(&s->lock);

    ok = do_login(s, g, url, &cookies, &refused, a, e) == 0;

    pthread_mutex_lock(&s->lock);
    login_done(s, l, ok, refused, cookies);
    if (ok)
        take(l, out, a);
    pthread_mutex_unlock(&s->lock);
    return ok ? 0 : -1;
}

void gw_session_refused(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, uint64_t stamp)
{
    struct login *l;

    pthread_mutex_lock(&s->lock);
    l = login_of(s, g, url);
    if (l->stamp == stamp && stamp != 0)
        forget(l);
    pthread_mutex_unlock(&s->lock);
}
