/*
 * The listener: one thread of libwebsockets for the sockets, workers for what they show.
 *
 * A socket is owned by the service thread; a worker that looks for it holds a count, and what it
 * found is handed over under the lock.
 */
#include "live/live.h"

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/ip_guard.h"
#include "base/json.h"
#include "base/log.h"
#include "live/live_topic.h"

enum {
    SOCKETS_MAX = 1000,
    MESSAGE_MAX = 4096, /* of a client */
    TOKEN_MAX = 8192,
    PING_S = 25,
    SILENCE_S = 60,
};

/* Close codes the interface reads (http-api.md 7). */
enum { CLOSE_NOT_FOUND = 4001, CLOSE_NOT_ALLOWED = 4002, CLOSE_LATER = 1013, CLOSE_TOO_LARGE = 1009 };

struct socket {
    atomic_int refs;
    struct live *live;
    struct lws *wsi; /* service thread; NULL: closed */
    struct socket *prev, *next;
    const struct live_topic *topic;
    struct arena *a; /* texts below */
    struct str param, token, ip;

    /* under live.lock */
    bool looking;       /* a worker is at it */
    bool again;         /* the client asked for all of it */
    uint64_t seen;      /* hash of the last stamp */
    unsigned char *out; /* to be sent, behind LWS_PRE bytes */
    size_t out_len;
    int close_code;
};

struct live {
    struct api *api;
    struct lws_context *context;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    int looks; /* workers at work */
    struct socket *sockets;
    int n_sockets;
};

static void socket_unref(struct socket *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    free(s->out);
    arena_free(s->a);
}

/* ---- on a worker ---------------------------------------------------------------------------- */

static int close_code_of(const struct err *e)
{
    switch (e->code) {
    case ERR_NOT_FOUND:
        return CLOSE_NOT_FOUND;
    case ERR_UNAUTHORIZED:
    case ERR_FORBIDDEN:
        return CLOSE_NOT_ALLOWED;
    default:
        return 0; /* looked at again in a second */
    }
}

static void hand_over(struct socket *s, struct str text, uint64_t stamp)
{
    unsigned char *out = malloc(LWS_PRE + text.len);

    if (out == NULL)
        return;
    memcpy(out + LWS_PRE, text.p, text.len);
    pthread_mutex_lock(&s->live->lock);
    free(s->out);
    s->out = out;
    s->out_len = text.len;
    s->seen = stamp;
    s->again = false;
    pthread_mutex_unlock(&s->live->lock);
}

static int look_with(struct socket *s, struct api_call *c, struct err *e)
{
    struct str stamp, text;
    uint64_t hash;

    if (api_identify(c, s->token, s->ip, "user", e) != 0 || db_get(c->api->db, &c->conn, e) != 0 ||
        s->topic->stamp(c, &stamp, e) != 0)
        return -1;
    hash = str_hash(stamp) | 1; /* 0: nothing was sent yet */
    if (hash == s->seen && !s->again)
        return 0;
    if (s->topic->show(c, &text, e) != 0)
        return -1;
    hand_over(s, text, hash);
    return 0;
}

static void look(void *arg)
{
    struct socket *s = arg;
    struct live *l = s->live;
    struct api_call c = {.api = l->api, .a = arena_new(0), .status = 200, .params = {s->param}};
    struct err e = {0};
    int code = 0;

    c.cfg = cfg_get(l->api->cfg);
    if (look_with(s, &c, &e) != 0) {
        code = close_code_of(&e);
        if (code == 0)
            log_err(LOG_DEBUG_LEVEL, "live.look", &e);
    }
    db_put(l->api->db, c.conn);
    cfg_put(c.cfg);
    arena_free(c.a);
    pthread_mutex_lock(&l->lock);
    s->looking = false;
    s->close_code = code;
    l->looks--;
    lws_cancel_service(l->context);
    pthread_cond_broadcast(&l->idle);
    pthread_mutex_unlock(&l->lock);
    socket_unref(s);
}

/* ---- on the service thread ------------------------------------------------------------------ */

static void start_look(struct socket *s)
{
    struct live *l = s->live;
    bool start;

    pthread_mutex_lock(&l->lock);
    start = !s->looking && s->out == NULL && s->close_code == 0 && !l->stop;
    if (start) {
        s->looking = true;
        l->looks++;
        atomic_fetch_add(&s->refs, 1);
    }
    pthread_mutex_unlock(&l->lock);
    if (!start || http_server_work(l->api->server, look, s) == 0)
        return;
    pthread_mutex_lock(&l->lock); /* no worker free: the next tick tries again */
    s->looking = false;
    l->looks--;
    pthread_mutex_unlock(&l->lock);
    socket_unref(s);
}

static struct str header(struct lws *wsi, enum lws_token_indexes which, char *buf, int size)
{
    int n = lws_hdr_copy(wsi, buf, size, which);

    return str_make(buf, n > 0 ? (size_t)n : 0);
}

/* A page of another site must not open sockets with what it guessed. */
static bool same_origin(struct lws *wsi)
{
    char origin_buf[300], host_buf[300];
    struct str origin = header(wsi, WSI_TOKEN_ORIGIN, origin_buf, sizeof origin_buf);
    struct str host = header(wsi, WSI_TOKEN_HOST, host_buf, sizeof host_buf);
    ptrdiff_t at = str_find(origin, STR("://"));

    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) == 0)
        return true;
    return at >= 0 && str_ieq(str_slice(origin, (size_t)at + 3, origin.len), host);
}

/* The address nginx saw. */
static struct str client_of(struct lws *wsi, char *buf, int size)
{
    struct str ip = header(wsi, WSI_TOKEN_HTTP_X_REAL_IP, buf, size);

    if (ip.len > 0)
        return ip;
    lws_get_peer_simple(wsi, buf, (size_t)size);
    return str_c(buf);
}

/* Before the upgrade: what is asked for, and by whom.  -1 refuses. */
static int admit(struct live *l, struct lws *wsi, struct socket **out)
{
    char path_buf[512], ip_buf[64], *token_buf;
    struct arena *a = arena_new(0);
    const struct live_topic *topic;
    struct str param;
    const char *token;
    struct socket *s;

    token_buf = arena_alloc(a, TOKEN_MAX);
    topic = live_topic_find(header(wsi, WSI_TOKEN_GET_URI, path_buf, sizeof path_buf), &param);
    if (!same_origin(wsi) || l->n_sockets >= SOCKETS_MAX) {
        arena_free(a);
        return -1;
    }
    token = lws_get_urlarg_by_name(wsi, "auth_token=", token_buf, TOKEN_MAX);
    s = ARENA_NEW(a, struct socket);
    atomic_init(&s->refs, 1);
    s->live = l;
    s->wsi = wsi;
    s->topic = topic;
    s->a = a;
    s->param = str_dup(a, param);
    s->token = str_c(token);
    s->ip = str_dup(a, client_of(wsi, ip_buf, sizeof ip_buf));
    if (topic == NULL)
        s->close_code = CLOSE_NOT_FOUND;
    s->next = l->sockets;
    if (s->next != NULL)
        s->next->prev = s;
    l->sockets = s;
    l->n_sockets++;
    *out = s;
    return 0;
}

static void leave(struct socket *s)
{
    struct live *l = s->live;

    s->wsi = NULL;
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        l->sockets = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    l->n_sockets--;
    socket_unref(s);
}

static int close_with(struct lws *wsi, int code)
{
    lws_close_reason(wsi, (enum lws_close_status)code, NULL, 0);
    return -1;
}

/* Send what was found, or close. */
static int flush(struct socket *s)
{
    unsigned char *out;
    size_t len;
    int code, rc = 0;

    pthread_mutex_lock(&s->live->lock);
    out = s->out;
    len = s->out_len;
    code = s->close_code;
    s->out = NULL;
    pthread_mutex_unlock(&s->live->lock);
    if (out != NULL && lws_write(s->wsi, out + LWS_PRE, len, LWS_WRITE_TEXT) < (int)len)
        rc = -1;
    free(out);
    return rc != 0 || code == 0 ? rc : close_with(s->wsi, code);
}

/* {"reload": true} asks for all of it again; anything else is ignored. */
static int receive(struct socket *s, struct lws *wsi, const char *in, size_t len)
{
    struct arena *a;
    struct val v;
    struct err e;

    if (!lws_is_first_fragment(wsi) || !lws_is_final_fragment(wsi) || len > MESSAGE_MAX)
        return close_with(wsi, CLOSE_TOO_LARGE);
    a = arena_new(0);
    if (json_parse(str_make(in, len), &v, a, &e) == 0 && val_is(v, VAL_DICT) && val_get_bool(v, "reload", false)) {
        pthread_mutex_lock(&s->live->lock);
        s->again = true;
        pthread_mutex_unlock(&s->live->lock);
        start_look(s);
    }
    arena_free(a);
    return 0;
}

static void wake_sockets(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    for (struct socket *s = l->sockets; s != NULL; s = s->next)
        if (s->out != NULL || s->close_code != 0)
            lws_callback_on_writable(s->wsi);
    pthread_mutex_unlock(&l->lock);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct live *l = lws_context_user(lws_get_context(wsi));
    struct socket **s = user;

    switch ((int)reason) {
    case LWS_CALLBACK_HTTP:
        lws_return_http_status(wsi, 426, NULL);
        return -1;
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return admit(l, wsi, s);
    case LWS_CALLBACK_ESTABLISHED:
        lws_set_timer_usecs(wsi, LWS_USEC_PER_SEC);
        if ((*s)->close_code != 0)
            lws_callback_on_writable(wsi);
        start_look(*s);
        break;
    case LWS_CALLBACK_TIMER:
        lws_set_timer_usecs(wsi, LWS_USEC_PER_SEC);
        start_look(*s);
        break;
    case LWS_CALLBACK_RECEIVE:
        return receive(*s, wsi, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return flush(*s);
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        wake_sockets(l);
        break;
    case LWS_CALLBACK_WSI_DESTROY: /* also of one that was refused while upgrading */
        if (s != NULL && *s != NULL)
            leave(*s);
        if (s != NULL)
            *s = NULL;
        break;
    default:
        break;
    }
    return 0;
}

static void *live_main(void *arg)
{
    struct live *l = arg;

    while (!l->stop && lws_service(l->context, 0) >= 0)
        ;
    return NULL;
}

static void on_log(int level, const char *line)
{
    struct str text = str_trim(str_c(line));

    log_warn("live.library", "level=%d text=" LOG_Q, level, text.p);
}

int live_new(struct live **out, struct api *api, const char *host, int port, struct err *e)
{
    static const struct lws_protocols protocols[] = {
        {.name = "sluice", .callback = on_event, .per_session_data_size = sizeof(struct socket *),
         .rx_buffer_size = MESSAGE_MAX},
        {0},
    };
    static const lws_retry_bo_t policy = {.secs_since_valid_ping = PING_S, .secs_since_valid_hangup = SILENCE_S};
    struct live *l = calloc(1, sizeof *l);
    struct lws_context_creation_info info = {
        .port = port,
        .iface = host,
        .protocols = protocols,
        .user = l,
        .gid = -1,
        .uid = -1,
        .options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND,
        .retry_and_idle_policy = &policy,
        .max_http_header_data = 16384,
        .server_string = "sluice",
    };

    if (l == NULL) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    l->api = api;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->idle, NULL);
    lws_set_log_level(LLL_ERR, on_log);
    l->context = lws_create_context(&info);
    if (l->context == NULL || pthread_create(&l->thread, NULL, live_main, l) != 0) {
        err_set(e, ERR_INTERNAL, "cannot listen on %s:%d (-wsPort)", host, port);
        if (l->context != NULL)
            lws_context_destroy(l->context);
        free(l);
        return -1;
    }
    ip_guard_own_port(port);
    *out = l;
    return 0;
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    while (l->looks > 0)
        pthread_cond_wait(&l->idle, &l->lock);
    pthread_mutex_unlock(&l->lock);
    lws_cancel_service(l->context);
    pthread_join(l->thread, NULL);
    lws_context_destroy(l->context);
    pthread_cond_destroy(&l->idle);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
