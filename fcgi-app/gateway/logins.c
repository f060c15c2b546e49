/*
 * Users' logins on gateways: signing in there, and the opened logins this process works with.
 *
 * An opened login is trusted for a minute, then read again: that notes its use, and notices its end.  Whether the log-in itself
 * still stands was checked with the token, before anybody asks here.
 */
#include "gateway/logins.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"

/* ---- entries of SSO ------------------------------------------------------------------------------- */

static bool is_broadsoft(struct val entry)
{
    return str_ieq(val_get_text(entry, "protocol", STR("")), STR("broadsoft"));
}

static struct val entry_at(const struct cfg *cfg, size_t i)
{
    return val_at(val_get(cfg->doc, "SSO"), i);
}

static size_t n_entries(const struct cfg *cfg)
{
    struct val list = val_get(cfg->doc, "SSO");

    return val_is(list, VAL_LIST) ? val_count(list) : 0;
}

/* parameters.proxies: {name: gateway}, or the older list of names. */
static bool proxy_at(struct val entry, size_t i, struct str *name, struct str *gateway)
{
    struct val proxies = val_get(val_get(entry, "parameters"), "proxies"), k, v;

    if (val_is(proxies, VAL_DICT) && val_pair_at(proxies, i, &k, &v)) {
        *name = val_text(k);
        *gateway = val_text(v);
        return true;
    }
    if (!val_is(proxies, VAL_LIST) || i >= val_count(proxies))
        return false;
    *name = *gateway = val_text(val_at(proxies, i));
    return true;
}

static const struct cfg_gateway *gateway_named(const struct cfg *cfg, struct val entry, struct str proxy)
{
    struct str name, gateway;

    for (size_t i = 0; proxy_at(entry, i, &name, &gateway); i++)
        if (str_eq(name, proxy))
            return cfg_gateway(cfg, gateway);
    return NULL;
}

static void gateways_of(const struct cfg *cfg, struct str proxy, struct gw_entry *out)
{
    const struct cfg_gateway *g = gateway_named(cfg, out->entry, proxy.len > 0 ? proxy : STR("default"));
    struct str name, gateway;

    if (g != NULL)
        out->gateways[out->n_gateways++] = g;
    if (g != NULL || proxy.len > 0)
        return;
    for (size_t i = 0; out->n_gateways < GW_ENTRY_GATEWAYS && proxy_at(out->entry, i, &name, &gateway); i++) {
        g = cfg_gateway(cfg, gateway);
        if (g != NULL)
            out->gateways[out->n_gateways++] = g;
    }
}

bool gw_entry_find(const struct cfg *cfg, struct str proxy, struct gw_entry *out)
{
    for (size_t i = 0; i < n_entries(cfg); i++) {
        struct val entry = entry_at(cfg, i);

        if (!is_broadsoft(entry) || !val_get_bool(entry, "enabled", false))
            continue;
        *out = (struct gw_entry){.name = val_get_text(entry, "name", STR("broadsoft")), .entry = entry};
        gateways_of(cfg, proxy, out);
        if (out->n_gateways > 0)
            return true;
    }
    return false;
}

bool gw_entry_own_login(const struct cfg *cfg, struct str identity_provider)
{
    if (identity_provider.len == 0)
        return false;
    for (size_t i = 0; i < n_entries(cfg); i++) {
        struct val entry = entry_at(cfg, i);

        if (str_eq(val_get_text(entry, "name", STR("")), identity_provider))
            return is_broadsoft(entry);
    }
    return true;
}

/* ---- signing in -------------------------------------------------------------------------------------- */

/* The earliest end any of the cookies tells; 0 when none does. */
static int64_t cookies_end(const struct http_result *res, int64_t now_us, struct arena *a)
{
    int64_t end_us = 0;

    for (size_t i = 0; i < res->n_headers; i++) {
        struct str rest = res->headers[i].value;
        int64_t us = 0;

        if (!str_ieq(res->headers[i].name, STR("set-cookie")))
            continue;
        str_cut(&rest, ';');
        while (rest.len > 0) {
            struct str value = str_trim(str_cut(&rest, ';')), name = str_cut(&value, '=');
            int64_t s;

            if (str_ieq(name, STR("max-age")) && str_to_int(str_trim(value), &s) && s > 0 && s < INT32_MAX)
                us = now_us + s * 1000000; /* stronger than Expires (RFC 6265 5.3) */
            else if (us == 0 && str_ieq(name, STR("expires")) && (s = curl_getdate(str_cstr(a, value), NULL)) > 0)
                us = s * 1000000;
        }
        if (us > now_us && (end_us == 0 || us < end_us))
            end_us = us;
    }
    return end_us;
}

int gw_user_login(struct http_client_pool *clients, struct gw_sessions *s, const struct cfg_gateway *g, struct str username,
                  struct str password, int64_t now_us, struct gw_user_login *out, bool *refused, struct arena *a,
                  struct err *e)
{
    struct cfg_gateway at = *g;
    struct gw_credential c = {0};
    struct http_result res;
    struct err ignored;

    *refused = false;
    if (gw_enabled(g, e) != 0)
        return -1;
    *out = (struct gw_user_login){.gateway = g->name, .url = gw_url(s, g)};
    if (g->auth != GW_AUTH_DEFAULT)
        at.login_url = STR(""); /* there it names where the platform gets its token */
    if (gw_login_post(clients, &at, out->url, username, password, &res, &c, a, e) != 0) {
        if (c.unreachable)
            gw_url_failed(s, g, out->url);
        return -1;
    }
    if (res.status == 401 || res.status == 403) {
        *refused = true;
        err_set(e, ERR_UNAUTHORIZED, "wrong user name or password");
        return -1;
    }
    out->cookies = gw_cookies(res.headers, res.n_headers, a);
    if (res.status < 200 || res.status > 299 || out->cookies.len == 0 || json_parse(res.body, &out->auth, a, &ignored) != 0 ||
        !val_is(out->auth, VAL_DICT)) {
        err_set(e, ERR_UPSTREAM, "gateway %.*s: login answered %d without a session", STR_ARG(g->name), res.status);
        return -1;
    }
    out->expires_us = cookies_end(&res, now_us, a);
    return 0;
}

enum { LOGOUT_MS = 2000 };

static bool has_url(const struct cfg_gateway *g, struct str url)
{
    for (size_t i = 0; i < g->n_backup_urls; i++)
        if (str_eq(g->backup_urls[i], url))
            return true;
    return str_eq(g->url, url);
}

bool gw_user_logout(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url, struct str cookies)
{
    struct arena *a = arena_new(0);
    const struct http_header headers[] = {{STR("Cookie"), cookies}, {STR("Content-Type"), STR("application/json")}};
    struct http_call call = gw_own_call(g, "POST", gw_own_url(url, g->logout_url, a));
    struct http_result res;
    struct err e = {0};
    bool answered = true;

    if (g->logout_url.len > 0 && cookies.len > 0) {
        call.connect_ms = call.total_ms = LOGOUT_MS;
        call.headers = headers;
        call.n_headers = COUNT_OF(headers);
        call.body = STR("{}");
        answered = http_client_do(clients, &call, &res, a, &e) == 0;
        if (!answered)
            log_err(LOG_WARN_LEVEL, "gateway.logout", &e);
        else if (res.status >= 400)
            log_warn("gateway.logout", "gateway=" LOG_Q " status=%d", str_cstr(a, g->name), res.status);
    }
    arena_free(a);
    return answered;
}

void gw_logins_given_up(struct http_client_pool *clients, const struct cfg *cfg, const struct gw_login_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct cfg_gateway *g = cfg_gateway(cfg, rows->items[i].gateway);

        if (g != NULL && has_url(g, rows->items[i].url) &&
            !gw_user_logout(clients, g, rows->items[i].url, rows->items[i].cookies))
            break;
    }
}

/* ---- opened logins ------------------------------------------------------------------------------------- */

enum { SLOTS = 4096, TRUSTED_MS = 60000 };

struct opened {
    char *family, *gateway, *url, *cookies; /* family NULL: empty slot */
    int64_t read_ms;
};

struct gw_logins {
    struct db *db;
    struct clock *clock;
    pthread_mutex_t lock;
    struct opened slots[SLOTS];
};

struct gw_logins *gw_logins_new(struct db *db, struct clock *clock)
{
    struct gw_logins *l = calloc(1, sizeof *l);

    if (l == NULL)
        abort();
    l->db = db;
    l->clock = clock;
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

static void slot_clear(struct opened *o)
{
    if (o->cookies != NULL)
        crypto_wipe(o->cookies, strlen(o->cookies));
    free(o->family);
    free(o->gateway);
    free(o->url);
    free(o->cookies);
    *o = (struct opened){0};
}

void gw_logins_free(struct gw_logins *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        slot_clear(&l->slots[i]);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static char *heap_text(struct str s)
{
    char *p = malloc(s.len + 1);

    if (p == NULL)
        abort();
    if (s.len > 0)
        memcpy(p, s.p, s.len);
    p[s.len] = '\0';
    return p;
}

static struct opened *slot_of(struct gw_logins *l, struct str family)
{
    return &l->slots[str_hash(family) % SLOTS];
}

int gw_logins_over(struct err *e)
{
    err_set(e, ERR_UNAUTHORIZED, "your Broadsoft session is over, sign in again");
    return -1;
}

/* What stands in the table, as a session for a call through `g`. */
static int to_session(const struct gw_login_row *row, const struct cfg_gateway *g, struct str *url, struct gw_session *out,
                      struct arena *a, struct err *e)
{
    if (gw_enabled(g, e) != 0)
        return -1;
    if (!str_eq(row->gateway, g->name)) {
        err_set(e, ERR_UNAUTHORIZED, "you are signed in on gateway %.*s, not on %.*s", STR_ARG(row->gateway),
                STR_ARG(g->name));
        return -1;
    }
    if (!has_url(g, row->url)) /* the cookies are for a host that is not the gateway's any more */
        return gw_logins_over(e);
    *out = (struct gw_session){.headers = ARENA_NEW(a, struct http_header), .n_headers = 1};
    out->headers[0] = (struct http_header){STR("Cookie"), str_dup(a, row->cookies)};
    *url = str_dup(a, row->url);
    return 1;
}

int gw_logins_try(struct gw_logins *l, struct str family, const struct cfg_gateway *g, struct str *url,
                  struct gw_session *out, struct arena *a, struct err *e)
{
    struct opened *o = slot_of(l, family);
    int rc = 0;

    if (family.len == 0)
        return gw_logins_over(e); /* a machine's token */
    pthread_mutex_lock(&l->lock);
    if (o->family != NULL && str_eq_c(family, o->family) && clock_mono_ms(l->clock) - o->read_ms < TRUSTED_MS) {
        struct gw_login_row row = {str_c(o->gateway), str_c(o->url), str_c(o->cookies)};

        rc = to_session(&row, g, url, out, a, e);
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

static void remember(struct gw_logins *l, struct str family, const struct gw_login_row *row)
{
    struct opened *o = slot_of(l, family);

    pthread_mutex_lock(&l->lock);
    slot_clear(o);
    *o = (struct opened){heap_text(family), heap_text(row->gateway), heap_text(row->url), heap_text(row->cookies),
                         clock_mono_ms(l->clock)};
    pthread_mutex_unlock(&l->lock);
}

void gw_logins_forget(struct gw_logins *l, struct str family)
{
    struct opened *o = slot_of(l, family);

    pthread_mutex_lock(&l->lock);
    if (o->family != NULL && str_eq_c(family, o->family))
        slot_clear(o);
    pthread_mutex_unlock(&l->lock);
}

int gw_logins_get(struct gw_logins *l, const struct cfg *cfg, struct str family, const struct cfg_gateway *g,
                  struct str *url, struct gw_session *out, struct arena *a, struct err *e)
{
    int rc = gw_logins_try(l, family, g, url, out, a, e);
    struct gw_login_row row;
    struct db_conn *c = NULL;

    if (rc != 0)
        return rc > 0 ? 0 : -1;
    rc = db_get(l->db, &c, e);
    if (rc == 0)
        rc = gw_store_use(c, cfg, family, clock_wall_us(l->clock), &row, a, e);
    db_put(l->db, c);
    if (rc != 0)
        return e->code == ERR_NOT_FOUND ? gw_logins_over(e) : -1;
    remember(l, family, &row);
    return to_session(&row, g, url, out, a, e) > 0 ? 0 : -1;
}

int gw_logins_of_user(struct gw_logins *l, int64_t user_id, const struct cfg_gateway *g, struct str *family, struct arena *a,
                      struct err *e)
{
    struct db_conn *c = NULL;
    int rc = db_get(l->db, &c, e);

    if (rc == 0)
        rc = gw_store_family(c, user_id, g->name, clock_wall_us(l->clock), family, a, e);
    db_put(l->db, c);
    return rc;
}
