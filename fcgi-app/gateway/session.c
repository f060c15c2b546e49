/*
 * Sessions of this process on gateways.
 *
 * A gateway's state is found by name and lives as long as the process: configurations come and go with their snapshots.
 * The lock is never held over a call; who logs in marks the session, the others wait for the condition.
 */
#include "gateway/session_int.h"

#include <stdlib.h>

#include "base/log.h"

enum {
    REFUSED_MS = 30000,      /* two refused logins: wait, before the account is locked */
    WAIT_MS = 30000,         /* for somebody else's login */
};

/* The session on one URL. */
struct login {
    struct login *next;
    uint64_t url_hash, who_hash; /* a changed user or password is another session */
    uint64_t stamp;              /* 0: none */
    const char *header;          /* what the credential goes out as */
    char *value;                 /* "" = nothing to add */
    int64_t until_ms;            /* monotonic; 0 = until it is refused */
    char *refresh;               /* OAuth 2, NULL = not looked for yet, "" = none */
    bool busy;
    int refused;                 /* logins refused in a row */
    int64_t wait_until_ms;
    bool failed, unreachable; /* how the last one ended, for those who waited for it */
    struct err why;
};

struct state {
    struct state *next;
    uint64_t name_hash;
    int64_t clock_ahead_s; /* of a hawk server, against ours */
    struct login *logins;
};

struct gw_sessions *gw_sessions_new(struct http_client_pool *clients, struct clock *clock)
{
    struct gw_sessions *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->clients = clients;
    s->clock = clock != NULL ? clock : &clock_system;
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->changed);
    s->urls = gw_urls_new();
    return s;
}

void gw_sessions_keep(struct gw_sessions *s, const struct gw_keep *keep)
{
    s->keep = *keep;
}

static void wipe(char **text)
{
    if (*text != NULL) {
        crypto_wipe(*text, strlen(*text));
        free(*text);
    }
    *text = NULL;
}

static char *heap_text(struct str s)
{
    char *p = calloc(1, s.len + 1);

    if (p == NULL)
        abort();
    if (s.len > 0)
        memcpy(p, s.p, s.len);
    return p;
}

static void forget(struct login *l)
{
    wipe(&l->value);
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
            wipe(&l->refresh);
            free(l);
        }
        free(st);
    }
    gw_urls_free(s->urls);
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
            break;
    if (st == NULL) {
        st = calloc(1, sizeof *st);
        if (st == NULL)
            abort();
        st->name_hash = hash;
        st->next = s->states;
        s->states = st;
    }
    return st;
}

/* Whoever changes one of these is somebody else. */
static uint64_t who(const struct cfg_gateway *g)
{
    const struct str parts[] = {g->username, secret_text(g->password), g->client_id, secret_text(g->client_secret),
                                secret_text(g->refresh_token), g->login_url, g->grant_type};
    uint64_t hash = (uint64_t)g->auth;

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        hash = hash * 31 + str_hash(parts[i]);
    return hash;
}

static struct login *login_of(struct gw_sessions *s, const struct cfg_gateway *g, struct str url)
{
    struct state *st = state_of(s, g);
    uint64_t url_hash = str_hash(url);
    uint64_t who_hash = who(g);
    struct login *l;

    for (l = st->logins; l != NULL; l = l->next)
        if (l->url_hash == url_hash)
            break;
    if (l == NULL) {
        l = calloc(1, sizeof *l);
        if (l == NULL)
            abort();
        l->url_hash = url_hash;
        l->who_hash = who_hash;
        l->next = st->logins;
        st->logins = l;
    }
    if (l->who_hash != who_hash && !l->busy) {
        forget(l);
        wipe(&l->refresh);
        l->who_hash = who_hash;
        l->refused = 0;
        l->wait_until_ms = 0;
        l->failed = false;
    }
    return l;
}

/* ---- sessions --------------------------------------------------------------------------------------------- */

static void one_header(struct gw_session *out, const char *name, struct str value, struct arena *a)
{
    out->headers = ARENA_NEW(a, struct http_header);
    out->headers[0] = (struct http_header){str_c(name), value};
    out->n_headers = 1;
}

int gw_enabled(const struct cfg_gateway *g, struct err *e)
{
    if (!g->disabled)
        return 0;
    err_set(e, ERR_BUSY, "gateway \"%.*s\" is disabled", STR_ARG(g->name));
    return -1;
}

/* Ways that need no login; 1 = done, 0 = a login is needed, -1 = cannot. */
static int without_login(const struct cfg_gateway *g, struct gw_session *out, struct arena *a, struct err *e)
{
    *out = (struct gw_session){0};
    if (gw_enabled(g, e) != 0)
        return -1;
    switch (g->auth) {
    case GW_AUTH_DEFAULT:
        return g->username.len == 0 ? 1 : 0;
    case GW_AUTH_BASIC:
        one_header(out, "Authorization", gw_basic(g->username, secret_text(g->password), a), a);
        return 1;
    case GW_AUTH_OAUTH1:
    case GW_AUTH_HAWK:
        out->signs = true;
        return 1;
    case GW_AUTH_OAUTH2:
    case GW_AUTH_ORACLE_SBC:
        return 0;
    case GW_AUTH_UNKNOWN:
        break;
    }
    err_set(e, ERR_BUSY, "gateway %.*s: unknown auth \"%.*s\"", STR_ARG(g->name), STR_ARG(g->auth_name));
    return -1;
}

static void use(const struct login *l, struct gw_session *out, struct arena *a)
{
    *out = (struct gw_session){.stamp = l->stamp, .renewable = true};
    if (l->value[0] != '\0')
        one_header(out, l->header, str_dup(a, str_c(l->value)), a);
}

static bool take(struct gw_sessions *s, const struct login *l, struct gw_session *out, struct arena *a)
{
    if (l->stamp == 0 || (l->until_ms != 0 && clock_mono_ms(s->clock) >= l->until_ms))
        return false;
    use(l, out, a);
    return true;
}

int gw_session_try(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct gw_session *out,
                   struct arena *a, struct err *e)
{
    int rc = without_login(g, out, a, e);

    if (rc != 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    rc = take(s, login_of(s, g, url), out, a);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- logging in ------------------------------------------------------------------------------------------- */

/* The refresh token to begin with: the one kept from an earlier run, else the configuration's. */
static struct str first_refresh(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct arena *a)
{
    struct str kept = s->keep.load != NULL ? s->keep.load(s->keep.arg, g, url, a) : STR("");

    return kept.len > 0 ? kept : secret_text(g->refresh_token);
}

/* known: the refresh token this process has, .p NULL when it has not looked for one yet. */
static int log_in(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct str known,
                  struct gw_credential *out, struct arena *a, struct err *e)
{
    struct str refresh;
    int rc;

    if (g->auth == GW_AUTH_ORACLE_SBC)
        return gw_oracle_sbc_login(s->clients, g, url, out, a, e);
    if (g->auth != GW_AUTH_OAUTH2)
        return gw_default_login(s->clients, g, url, out, a, e);
    refresh = known.p != NULL ? known : first_refresh(s, g, url, a);
    rc = gw_oauth2_login(s->clients, g, url, refresh, out, a, e);
    if (s->keep.save != NULL && !str_eq(refresh, out->refresh))
        s->keep.save(s->keep.arg, g, url, out->refresh);
    return rc;
}

static void login_done(struct gw_sessions *s, struct login *l, bool ok, const struct gw_credential *c, const struct err *e)
{
    l->busy = false;
    l->failed = !ok;
    l->unreachable = c->unreachable;
    l->why = *e;
    wipe(&l->refresh);
    l->refresh = heap_text(c->refresh);
    if (ok) {
        forget(l);
        l->header = c->header;
        l->value = heap_text(c->value);
        l->until_ms = c->life_s > 0 ? clock_mono_ms(s->clock) + c->life_s * 1000 : 0;
        l->stamp = ++s->stamp;
        l->refused = 0;
    } else if (c->refused && ++l->refused >= 2) {
        l->wait_until_ms = clock_mono_ms(s->clock) + REFUSED_MS;
        l->refused = 0;
    }
    pthread_cond_broadcast(&s->changed);
}

/* Wait until nobody logs in; false when that took too long.  With the lock held. */
static bool wait_idle(struct gw_sessions *s, const struct login *l)
{
    struct timespec until = clock_in_ms(WAIT_MS);

    while (l->busy)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) != 0)
            return false;
    return true;
}

/* With the lock held: 1 = *out is set, 0 = the login is ours to make, -1 = error. */
static int wait_turn(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct login **l,
                     struct gw_session *out, struct arena *a, struct err *e)
{
    bool waited;

    *l = login_of(s, g, url);
    waited = (*l)->busy;
    if (!wait_idle(s, *l)) {
        err_set(e, ERR_TIMEOUT, "gateway %.*s: the login takes too long", STR_ARG(g->name));
        return -1;
    }
    *l = login_of(s, g, url); /* the password may have changed meanwhile */
    if (take(s, *l, out, a))
        return 1;
    if (waited && (*l)->failed) { /* not one after the other, each for as long */
        out->unreachable = (*l)->unreachable;
        *e = (*l)->why;
        return -1;
    }
    if (clock_mono_ms(s->clock) < (*l)->wait_until_ms) {
        err_set(e, ERR_BUSY, "gateway %.*s refused the system login, waiting before the next one", STR_ARG(g->name));
        return -1;
    }
    (*l)->busy = true;
    return 0;
}

int gw_session(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, struct gw_session *out,
               struct arena *a, struct err *e)
{
    int rc = without_login(g, out, a, e);
    struct gw_credential c = {0};
    struct str refresh = STR_NONE;
    struct login *l;
    bool ok;

    if (rc != 0)
        return rc > 0 ? 0 : -1;
    pthread_mutex_lock(&s->lock);
    rc = wait_turn(s, g, url, &l, out, a, e);
    if (rc == 0 && l->refresh != NULL)
        refresh = str_dup(a, str_c(l->refresh));
    pthread_mutex_unlock(&s->lock);
    if (rc != 0)
        return rc > 0 ? 0 : -1;

    ok = log_in(s, g, url, refresh, &c, a, e) == 0;

    pthread_mutex_lock(&s->lock);
    login_done(s, l, ok, &c, e);
    if (ok)
        use(l, out, a);
    pthread_mutex_unlock(&s->lock);
    out->unreachable = c.unreachable;
    return ok ? 0 : -1;
}

/* ---- signing, and what a refusal teaches -------------------------------------------------------------------- */

static int64_t clock_ahead(struct gw_sessions *s, const struct cfg_gateway *g)
{
    int64_t ahead;

    pthread_mutex_lock(&s->lock);
    ahead = state_of(s, g)->clock_ahead_s;
    pthread_mutex_unlock(&s->lock);
    return ahead;
}

int gw_session_sign(struct gw_sessions *s, const struct cfg_gateway *g, const struct gw_request *q,
                    struct gw_session *session, struct arena *a, struct err *e)
{
    int64_t now_s = clock_wall_us(s->clock) / 1000000;
    unsigned char random[16];
    struct str nonce, value;
    int rc;

    if (!session->signs)
        return 0;
    crypto_random(random, sizeof random);
    nonce = crypto_hex(a, random, sizeof random);
    rc = g->auth == GW_AUTH_HAWK ? gw_hawk(g, q, nonce, now_s + clock_ahead(s, g), &value, a, e)
                                 : gw_oauth1(g, q, nonce, now_s, &value, a, e);
    if (rc == 0)
        one_header(session, "Authorization", value, a);
    return rc;
}

bool gw_session_again(struct gw_sessions *s, const struct cfg_gateway *g, const struct gw_session *session,
                      struct str challenge, struct arena *a)
{
    int64_t server_s;

    if (session->renewable)
        return true;
    if (g->auth != GW_AUTH_HAWK || !gw_hawk_time(g, challenge, &server_s, a))
        return false;
    pthread_mutex_lock(&s->lock);
    state_of(s, g)->clock_ahead_s = server_s - clock_wall_us(s->clock) / 1000000;
    pthread_mutex_unlock(&s->lock);
    return true;
}

void gw_session_refused(struct gw_sessions *s, const struct cfg_gateway *g, struct str url, uint64_t stamp)
{
    struct login *l;

    if (stamp == 0)
        return;
    pthread_mutex_lock(&s->lock);
    l = login_of(s, g, url);
    if (l->stamp == stamp)
        forget(l);
    pthread_mutex_unlock(&s->lock);
}
