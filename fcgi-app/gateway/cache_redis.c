/*
 * The cache on a Redis server, over hiredis.
 *
 * Connections are kept between calls.  A server that is away is left alone for two seconds, so that calls of nodes do not wait
 * for it one after the other.
 */
#include "gateway/cache_int.h"

#include <hiredis/hiredis.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ip_guard.h"
#include "http/url.h"

enum { IDLE_MAX = 8, CONNECT_MS = 1000, ANSWER_MS = 2000, AWAY_MS = 2000, PORT = 6379, SCAN_ROUNDS = 100000 };

/* Keys of ours, beside those of others on the same server. */
#define PREFIX "sluice:cache:"

struct cache_redis {
    struct clock *clock;
    pthread_mutex_t lock;
    char *url; /* the one the idle connections belong to */
    redisContext *idle[IDLE_MAX];
    size_t n_idle;
    int64_t away_until_ms;
};

struct cache_redis *cache_redis_new(struct clock *clock)
{
    struct cache_redis *r = calloc(1, sizeof *r);

    if (r == NULL)
        abort();
    r->clock = clock;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void forget_idle(struct cache_redis *r)
{
    while (r->n_idle > 0)
        redisFree(r->idle[--r->n_idle]);
    free(r->url);
    r->url = NULL;
}

void cache_redis_free(struct cache_redis *r)
{
    forget_idle(r);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- connections ---------------------------------------------------------------------------------------- */

static struct timeval interval(long ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static int fail(struct cache_redis *r, const char *why, struct err *e)
{
    pthread_mutex_lock(&r->lock);
    r->away_until_ms = clock_mono_ms(r->clock) + AWAY_MS;
    pthread_mutex_unlock(&r->lock);
    err_set(e, ERR_UPSTREAM, "the cache server cannot be used (%s)", why);
    return -1;
}

/* One command; NULL with the error set when the connection or the server fails. */
static redisReply *ask(struct cache_redis *r, redisContext *c, int n, const char **args, const size_t *lens,
                       struct err *e)
{
    redisReply *reply = redisCommandArgv(c, n, args, lens);

    if (reply == NULL) {
        (void)fail(r, c->errstr, e);
        return NULL;
    }
    if (reply->type != REDIS_REPLY_ERROR)
        return reply;
    err_set(e, ERR_UPSTREAM, "the cache server refused (%.*s)", (int)(reply->len < 200 ? reply->len : 200), reply->str);
    freeReplyObject(reply);
    return NULL;
}

static int ask_texts(struct cache_redis *r, redisContext *c, const struct str *words, int n, struct err *e)
{
    const char *args[4];
    size_t lens[4];
    redisReply *reply;

    for (int i = 0; i < n; i++) {
        args[i] = words[i].p;
        lens[i] = words[i].len;
    }
    reply = ask(r, c, n, args, lens, e);
    if (reply == NULL)
        return -1;
    freeReplyObject(reply);
    return 0;
}

/* Who we are, and which of the numbered databases. */
static int greet(struct cache_redis *r, redisContext *c, const struct url *u, struct arena *a, struct err *e)
{
    struct str password = u->userinfo, user = str_cut(&password, ':'), n = str_slice(u->path, 1, u->path.len);

    user = url_decode(user, false, a);
    password = url_decode(password, false, a);
    if (password.len > 0 && user.len > 0 && ask_texts(r, c, (struct str[]){STR("AUTH"), user, password}, 3, e) != 0)
        return -1;
    if (password.len > 0 && user.len == 0 && ask_texts(r, c, (struct str[]){STR("AUTH"), password}, 2, e) != 0)
        return -1;
    if (n.len > 0 && ask_texts(r, c, (struct str[]){STR("SELECT"), n}, 2, e) != 0)
        return -1;
    return 0;
}

/*
 * Connected to the first address that answers; NULL with *why.  Addresses are looked at before anything goes there: a name may have
 * become one that no server has.
 */
static redisContext *connect_to(const char *host, int port, const char **why, char error[128])
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    redisContext *c = NULL;

    *why = "host name not found";
    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return NULL;
    for (const struct addrinfo *at = list; at != NULL && c == NULL; at = at->ai_next) {
        const char *refused = ip_guard_refuses(IP_GUARD_NAMED, at->ai_addr);
        char ip[NI_MAXHOST];

        if (refused != NULL) {
            snprintf(error, 128, "it has %s", refused);
            *why = error;
            continue;
        }
        if (getnameinfo(at->ai_addr, at->ai_addrlen, ip, sizeof ip, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        c = redisConnectWithTimeout(ip, port, interval(CONNECT_MS));
        if (c == NULL)
            abort();
        if (c->err != 0) {
            snprintf(error, 128, "%s", c->errstr);
            *why = error;
            redisFree(c);
            c = NULL;
        }
    }
    freeaddrinfo(list);
    return c;
}

static redisContext *dial(struct cache_redis *r, struct str text, struct arena *a, struct err *e)
{
    char error[128];
    const char *why;
    redisContext *c;
    struct url u;

    if (url_parse(text, &u, a, e) != 0) {
        err_context(e, "cache.store");
        return NULL;
    }
    c = connect_to(str_cstr(a, u.host), u.port != 0 ? u.port : PORT, &why, error);
    if (c == NULL) {
        (void)fail(r, why, e);
        return NULL;
    }
    (void)redisSetTimeout(c, interval(ANSWER_MS));
    if (greet(r, c, &u, a, e) != 0) {
        redisFree(c);
        return NULL;
    }
    return c;
}

/* kept: it served before, so the server may have closed it meanwhile. */
static redisContext *take(struct cache_redis *r, struct str url, bool fresh, bool *kept, struct err *e)
{
    redisContext *c = NULL;
    struct arena *a;
    bool away;

    pthread_mutex_lock(&r->lock);
    if (fresh || (r->url != NULL && !str_eq_c(url, r->url)))
        forget_idle(r);
    if (r->n_idle > 0)
        c = r->idle[--r->n_idle];
    away = c == NULL && clock_mono_ms(r->clock) < r->away_until_ms;
    pthread_mutex_unlock(&r->lock);
    *kept = c != NULL;
    if (c != NULL)
        return c;
    if (away && !fresh) {
        err_set(e, ERR_UPSTREAM, "the cache server cannot be used (it did not answer a moment ago)");
        return NULL;
    }
    a = arena_new(0);
    c = dial(r, url, a, e);
    arena_free(a);
    return c;
}

static void give(struct cache_redis *r, struct str url, redisContext *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    if (r->url == NULL)
        r->url = strndup(url.p, url.len);
    if (c->err == 0 && r->n_idle < IDLE_MAX && r->url != NULL && str_eq_c(url, r->url)) {
        r->idle[r->n_idle++] = c;
        c = NULL;
    }
    pthread_mutex_unlock(&r->lock);
    if (c != NULL)
        redisFree(c);
}

/*
 * One command with one reply.  A kept connection may have been closed by the server meanwhile: all of these commands may be
 * repeated, so a fresh one gets a second chance.
 */
static redisReply *call(struct cache_redis *r, struct str url, int n, const char **args, const size_t *lens,
                        struct err *e)
{
    redisReply *reply = NULL;

    for (int turn = 0; turn < 2 && reply == NULL; turn++) {
        bool kept, broken;
        redisContext *c = take(r, url, turn > 0, &kept, e);

        if (c == NULL)
            return NULL;
        reply = ask(r, c, n, args, lens, e);
        broken = c->err != 0;
        give(r, url, c);
        if (!broken || !kept)
            break;
    }
    return reply;
}

/* ---- commands ------------------------------------------------------------------------------------------------ */

int cache_redis_get(struct cache_redis *r, struct str url, struct str key, struct str *out, struct arena *a,
                    struct err *e)
{
    struct str full = str_printf(a, PREFIX "%.*s", STR_ARG(key));
    redisReply *reply = call(r, url, 2, (const char *[]){"GET", full.p}, (const size_t[]){3, full.len}, e);

    if (reply == NULL)
        return -1;
    if (reply->type == REDIS_REPLY_STRING)
        *out = str_dup(a, str_make(reply->str, reply->len));
    freeReplyObject(reply);
    return 0;
}

int cache_redis_put(struct cache_redis *r, struct str url, struct str key, struct str value, int64_t ttl_s,
                    struct err *e)
{
    struct arena *a = arena_new(0);
    struct str full = str_printf(a, PREFIX "%.*s", STR_ARG(key)), ttl = str_printf(a, "%lld", (long long)ttl_s);
    redisReply *reply = call(r, url, ttl_s > 0 ? 5 : 3,
                             (const char *[]){"SET", full.p, value.p != NULL ? value.p : "", "EX", ttl.p},
                             (const size_t[]){3, full.len, value.len, 2, ttl.len}, e);

    arena_free(a);
    if (reply == NULL)
        return -1;
    freeReplyObject(reply);
    return 0;
}

static int drop_list(struct cache_redis *r, struct str url, const redisReply *keys, struct arena *a, struct err *e)
{
    const char **args = ARENA_ARRAY(a, const char *, keys->elements + 1);
    size_t *lens = ARENA_ARRAY(a, size_t, keys->elements + 1);
    redisReply *reply;

    if (keys->elements == 0)
        return 0;
    args[0] = "UNLINK";
    lens[0] = 6;
    for (size_t i = 0; i < keys->elements; i++) {
        args[i + 1] = keys->element[i]->str;
        lens[i + 1] = keys->element[i]->len;
    }
    reply = call(r, url, (int)keys->elements + 1, args, lens, e);
    if (reply == NULL)
        return -1;
    freeReplyObject(reply);
    return 0;
}

/* The prefix as a pattern in which nothing else is special. */
static struct str pattern_of(struct str prefix, struct arena *a)
{
    struct buf b;

    buf_init(&b, 4 * GW_CACHE_KEY_MAX, a);
    buf_add_c(&b, PREFIX);
    for (size_t i = 0; i < prefix.len; i++) {
        if (strchr("*?[]\\^", prefix.p[i]) != NULL && prefix.p[i] != '\0')
            buf_putc(&b, '\\');
        buf_putc(&b, prefix.p[i]);
    }
    buf_putc(&b, '*');
    return str_c(buf_cstr(&b));
}

static int drop_prefix(struct cache_redis *r, struct str url, struct str prefix, struct arena *a, struct err *e)
{
    struct str pattern = pattern_of(prefix, a), cursor = STR("0");

    for (int round = 0; round < SCAN_ROUNDS; round++) {
        redisReply *reply =
            call(r, url, 6, (const char *[]){"SCAN", cursor.p, "MATCH", pattern.p, "COUNT", "1000"},
                 (const size_t[]){4, cursor.len, 5, pattern.len, 5, 4}, e);
        int rc = -1;

        if (reply == NULL)
            return -1;
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
            cursor = str_dup(a, str_make(reply->element[0]->str, reply->element[0]->len));
            rc = drop_list(r, url, reply->element[1], a, e);
        } else {
            err_set(e, ERR_UPSTREAM, "the cache server sent an invalid answer");
        }
        freeReplyObject(reply);
        if (rc != 0 || str_eq_c(cursor, "0"))
            return rc;
    }
    return 0;
}

int cache_redis_drop(struct cache_redis *r, struct str url, struct str key, bool prefix, struct err *e)
{
    struct arena *a = arena_new(0);
    struct str full = str_printf(a, PREFIX "%.*s", STR_ARG(key));
    redisReply *reply;
    int rc = -1;

    if (prefix) {
        rc = drop_prefix(r, url, key, a, e);
    } else {
        reply = call(r, url, 2, (const char *[]){"UNLINK", full.p}, (const size_t[]){6, full.len}, e);
        if (reply != NULL) {
            freeReplyObject(reply);
            rc = 0;
        }
    }
    arena_free(a);
    return rc;
}
