/*
 * Entries of `gateways`: from the document to a struct (gateway-proxy.md 1 to 4).
 *
 * The same reading serves saving (strict: refuse) and loading (cope, and say so once): a document
 * stored by an older version or by hand must not keep the platform from starting.
 */
#include "config/config_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "http/header.h"
#include "http/url.h"

enum { CERT_WARN_DAYS = 30 };

struct reading {
    struct cfg_gateway *g;
    struct val entry;
    bool strict;
    bool quiet; /* faults were logged when this document was first read */
    struct arena *a;
    struct err *e;
};

/* A fault: -1 when it must be refused, 0 when it was logged and is coped with. */
static int fault(const struct reading *r, const char *member, const struct err *why)
{
    if (r->strict) {
        err_set(r->e, ERR_INVALID, "%s%s%s", member, member[0] != '\0' ? ": " : "", why->msg);
        return -1;
    }
    if (!r->quiet)
        log_warn("config.gateway", "gateway=" LOG_Q " member=%s why=" LOG_Q, r->g->name.p, member,
                 why->msg);
    return 0;
}

static int fault_text(const struct reading *r, const char *member, const char *why)
{
    struct err e = {0};

    err_set(&e, ERR_INVALID, "%s", why);
    return fault(r, member, &e);
}

static struct str text_of(const struct reading *r, const char *name)
{
    return str_trim(val_get_text(r->entry, name, STR("")));
}

static struct secret secret_of(const struct reading *r, const char *name)
{
    struct str s = val_get_text(r->entry, name, STR(""));

    return secret_new(r->a, s.p, s.len);
}

/* An http(s) address without final slash; empty when it is no such address. */
static int read_url(const struct reading *r, const char *member, struct str text, struct str *out)
{
    struct err e = {0};
    struct url u;
    size_t len = text.len;

    *out = STR("");
    if (text.len == 0)
        return 0;
    if (url_parse(text, &u, r->a, &e) != 0)
        return fault(r, member, &e);
    if (!str_eq_c(u.scheme, "http") && !str_eq_c(u.scheme, "https"))
        return fault_text(r, member, "expected an http or https URL");
    if (u.userinfo.len > 0)
        return fault_text(r, member,
                          "credentials in the URL are not taken; use username and password");
    if (u.fragment.len > 0 || u.query.p != NULL)
        return fault_text(r, member, "expected a URL without query and fragment");
    while (len > 0 && text.p[len - 1] == '/')
        len--;
    *out = str_dup(r->a, str_make(text.p, len));
    return 0;
}

static int read_urls(const struct reading *r)
{
    struct val list = val_get(r->entry, "backup_urls");
    struct str *urls = ARENA_ARRAY(r->a, struct str, val_count(list) + 1);
    size_t n = 0;

    if (read_url(r, "url", text_of(r, "url"), &r->g->url) != 0)
        return -1;
    for (size_t i = 0; val_is(list, VAL_LIST) && i < val_count(list); i++) {
        if (read_url(r, "backup_urls", str_trim(val_text(val_at(list, i))), &urls[n]) != 0)
            return -1;
        if (urls[n].len > 0)
            n++;
    }
    r->g->backup_urls = urls;
    r->g->n_backup_urls = n;
    return 0;
}

static int read_timeout(const struct reading *r)
{
    const struct setting *s = setting_named("gateways.*.timeout");
    struct val v = val_get(r->entry, "timeout");
    double t = 0;
    int rc = setting_number(s, v, &t);

    r->g->timeout_s = 10;
    if (rc == 0)
        return 0;
    if (rc < 0 || !isfinite(t))
        return fault_text(r, "timeout", "expected a number of seconds");
    if (t <= 0) { /* what interfaces store for "none" (gateway-proxy.md 2.6) */
        if (!r->strict && !r->quiet)
            log_warn("config.gateway", "gateway=" LOG_Q " member=timeout why=\"not above 0, taken as %d\"", r->g->name.p,
                     r->g->timeout_s);
        return 0;
    }
    if (t > (double)s->max) {
        r->g->timeout_s = (int)s->max;
        return fault_text(r, "timeout", "expected 1 to 3600 seconds");
    }
    r->g->timeout_s = (int)ceil(t);
    if (!r->strict && !r->quiet && !val_is(v, VAL_INT))
        log_warn("config.gateway",
                 "gateway=" LOG_Q " member=timeout why=\"not a whole number, taken as %d\"",
                 r->g->name.p, r->g->timeout_s);
    return 0;
}

/* A whole number as its setting allows. */
static int read_count(const struct reading *r, const char *path, int *out)
{
    const struct setting *s = setting_named(path);
    const char *member = strrchr(path, '.') + 1;
    struct val v = val_get_str(r->entry, str_c(member));
    double t = 0;
    int rc = setting_number(s, v, &t);

    *out = (int)strtol(s->def, NULL, 10);
    if (rc == 0)
        return 0;
    if (rc > 0 && t >= (double)s->min && t <= (double)s->max && floor(t) == t) {
        *out = (int)t;
        return 0;
    }
    return fault_text(r, member, arena_printf(r->a, "expected a whole number from %lld to %lld", (long long)s->min, (long long)s->max));
}

static int read_protection(const struct reading *r)
{
    return read_count(r, "gateways.*.concurrency", &r->g->concurrency) != 0 ||
                   read_count(r, "gateways.*.breaker_failures", &r->g->breaker_failures) != 0 ||
                   read_count(r, "gateways.*.breaker_wait", &r->g->breaker_wait_s) != 0
               ? -1
               : 0;
}

/* Adds one header; a fault that is coped with leaves it out. */
static int add_header(const struct reading *r, struct http_header *list, size_t *n, struct val name,
                      struct val value)
{
    struct err why = {0};
    struct str nm = str_trim(val_text(name));
    struct str v;

    if (!val_is(name, VAL_STR) || !header_is_token(nm)) {
        err_set(&why, ERR_INVALID, "header \"%.*s\" is not a valid name", STR_ARG(nm));
        return fault(r, "headers", &why);
    }
    v = val_is_none(value) ? STR("") : val_str_of(value, r->a);
    if (val_is(value, VAL_LIST) || val_is(value, VAL_DICT) || !header_is_value(v)) {
        err_set(&why, ERR_INVALID, "header \"%.*s\" has no valid value", STR_ARG(nm));
        return fault(r, "headers", &why);
    }
    list[(*n)++] = (struct http_header){str_dup(r->a, nm), str_dup(r->a, v)};
    return 0;
}

static int read_headers(const struct reading *r)
{
    struct val v = val_get(r->entry, "headers");
    struct http_header *list;
    struct err why = {0};
    size_t n = 0;

    if (val_is(v, VAL_STR)) {
        struct str text = str_trim(val_text(v));

        if (text.len == 0)
            return 0;
        if (json_parse(text, &v, r->a, &why) != 0)
            return fault_text(r, "headers", "expected JSON such as [[\"name\", \"value\"]]");
    }
    if (val_is_none(v))
        return 0;
    list = ARENA_ARRAY(r->a, struct http_header, val_count(v) + 1);
    for (size_t i = 0; i < val_count(v); i++) {
        struct val name;
        struct val value;

        if (val_is(v, VAL_DICT)) {
            val_pair_at(v, i, &name, &value);
        } else if (val_is(v, VAL_LIST) && val_is(val_at(v, i), VAL_LIST) &&
                   val_count(val_at(v, i)) == 2) {
            name = val_at(val_at(v, i), 0);
            value = val_at(val_at(v, i), 1);
        } else {
            return fault_text(r, "headers", "expected JSON such as [[\"name\", \"value\"]]");
        }
        if (add_header(r, list, &n, name, value) != 0)
            return -1;
    }
    r->g->headers = list;
    r->g->n_headers = n;
    return 0;
}

static int read_auth(const struct reading *r)
{
    static const struct {
        const char *name;
        enum gw_auth auth;
    } kinds[] = {
        {"", GW_AUTH_DEFAULT},
        {"default", GW_AUTH_DEFAULT},
        {"basic", GW_AUTH_BASIC},
        {"oauth1", GW_AUTH_OAUTH1},
        {"oauth2", GW_AUTH_OAUTH2},
        {"hawk", GW_AUTH_HAWK},
        {"oracle-sbc", GW_AUTH_ORACLE_SBC},
    };
    struct cfg_gateway *g = r->g;

    g->auth = GW_AUTH_UNKNOWN;
    g->auth_name = str_dup(r->a, text_of(r, "auth"));
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (str_eq_c(g->auth_name, kinds[i].name))
            g->auth = kinds[i].auth;
    g->login_url = str_dup(r->a, text_of(r, "login_url"));
    if (g->login_url.len == 0 && g->auth == GW_AUTH_DEFAULT)
        g->login_url = STR("/api/v1/login/");
    g->logout_url = str_dup(r->a, text_of(r, "logout_url"));
    g->username = str_dup(r->a, val_get_text(r->entry, "username", STR("")));
    g->password = secret_of(r, "password");
    g->client_id = str_dup(r->a, val_get_text(r->entry, "client_id", STR("")));
    g->client_secret = secret_of(r, "client_secret");
    g->refresh_token = secret_of(r, "refresh_token");
    g->grant_type = str_dup(r->a, text_of(r, "grant_type"));
    g->extra_params = val_copy(val_get(r->entry, "extra_params"), r->a);
    g->hawk_id = str_dup(r->a, text_of(r, "id"));
    g->hawk_key = secret_of(r, "key");
    g->hawk_algorithm = str_dup(r->a, text_of(r, "algorithm"));
    if (g->hawk_algorithm.len == 0)
        g->hawk_algorithm = STR("sha256");
    if (g->auth == GW_AUTH_UNKNOWN) {
        struct err why = {0};

        err_set(&why, ERR_INVALID, "unknown auth \"%.*s\"", STR_ARG(g->auth_name));
        return fault(r, "auth", &why);
    }
    if (g->auth == GW_AUTH_BASIC && str_find_char(g->username, ':') >= 0)
        return fault_text(r, "username", "must not hold a colon with auth \"basic\"");
    if (g->auth == GW_AUTH_OAUTH1 && g->username.len > 0 && g->login_url.len > 0)
        return fault_text(r, "username",
                          "token requests with auth \"oauth1\" are not supported; leave it empty");
    return 0;
}

/* Said at each new document, saved or loaded, not at each reading of the same one. */
static void warn_of_expiry(const struct reading *r)
{
    int64_t left_s = crypto_tls_expires_s(r->g->client_cert) - clock_wall_us(&clock_system) / 1000000;

    if (!r->quiet && left_s < (int64_t)CERT_WARN_DAYS * 86400)
        log_warn("config.gateway", "gateway=" LOG_Q " member=client_tls_cert why=\"%s\" days=%lld", r->g->name.p,
                 left_s < 0 ? "expired" : "expires soon", (long long)(left_s / 86400));
}

static int read_tls(const struct reading *r)
{
    struct cfg_gateway *g = r->g;
    struct err why = {0};

    g->tls_ca = str_dup(r->a, text_of(r, "tls_ca"));
    if (g->tls_ca.len > 0 && crypto_tls_expires_s(g->tls_ca) == 0) {
        g->tls_ca = STR("");
        if (fault_text(r, "tls_ca", "expected certificates in PEM form") != 0)
            return -1;
    }
    if (!g->tls_verify && !r->quiet)
        log_warn("config.gateway", "gateway=" LOG_Q " member=tls_verify why=\"the certificate is not checked\"", g->name.p);

    g->client_cert = str_dup(r->a, text_of(r, "client_tls_cert"));
    g->client_key = secret_of(r, "client_tls_key");
    if (g->client_cert.len == 0 && g->client_key.len == 0)
        return 0;
    if (crypto_tls_pair_check(g->client_cert, secret_text(g->client_key), &why) == 0) {
        warn_of_expiry(r);
        return 0;
    }
    g->client_cert = STR("");
    g->client_key = (struct secret){NULL, 0};
    return fault(r, "client_tls_key", &why);
}

/* It stands in the line of each request: a plain path, or nothing. */
static bool plain_path(struct str s, struct arena *a)
{
    struct err ignored = {0};
    struct str canonical;

    return s.len == 0 || (str_find_char(s, '?') < 0 && str_find_char(s, '#') < 0 && url_canonical_path(s, &canonical, a, &ignored) == 0);
}

static int read_root(const struct reading *r, bool versioned)
{
    struct str root = text_of(r, "api_root");

    r->g->api_root = versioned ? STR("") : STR("/api/v1");
    if (!val_is(val_get(r->entry, "api_root"), VAL_STR))
        return 0;
    while (root.len > 0 && root.p[root.len - 1] == '/')
        root.len--;
    root = root.len > 0 && root.p[0] != '/' ? str_printf(r->a, "/%.*s", STR_ARG(root)) : str_dup(r->a, root);
    if (!plain_path(root, r->a))
        return fault_text(r, "api_root", "expected a path such as /api/v1");
    r->g->api_root = root;
    return 0;
}

static int read_paths(const struct reading *r)
{
    struct cfg_gateway *g = r->g;
    ptrdiff_t slash = str_rfind_char(g->url, '/');
    struct str last = str_slice(g->url, (size_t)(slash + 1), g->url.len);
    bool versioned = str_starts(last, STR("v")) && last.len > 1 && slash > 0 &&
                     str_ends(str_slice(g->url, 0, (size_t)slash), STR("/api"));

    for (size_t i = 1; versioned && i < last.len; i++)
        versioned = last.p[i] >= '0' && last.p[i] <= '9';
    if (read_root(r, versioned) != 0)
        return -1;
    g->append_slash = val_get_bool(r->entry, "append_slash", true);
    g->idempotency_key = val_get_bool(r->entry, "idempotency_key", true);
    g->failover_next = str_eq_c(text_of(r, "failover"), "next");
    g->disabled = val_get_bool(r->entry, "disabled", false);
    g->check = !g->disabled && val_get_bool(r->entry, "check", false);
    g->check_url = str_dup(r->a, text_of(r, "check_url"));
    if (g->check_url.len == 0)
        g->check_url = str_dup(r->a, text_of(r, "health_check_url"));
    if (g->check_url.len == 0)
        g->check_url = STR("/health");
    return 0;
}

static int read_entry(struct cfg_gateway *out, struct str name, struct val entry, struct val masked,
                      bool strict, bool quiet, struct arena *a, struct err *e)
{
    struct reading r = {out, entry, strict, quiet, a, e};

    *out = (struct cfg_gateway){.name = str_dup(a, name), .raw = val_copy(masked, a)};
    out->session_holder = str_dup(a, text_of(&r, "session_holder"));
    if (out->session_holder.len == 0)
        out->session_holder = out->name;
    out->tls_verify = val_get_bool(entry, "tls_verify", true);
    out->proxy = str_dup(a, text_of(&r, "proxies"));
    if (read_urls(&r) != 0 || read_timeout(&r) != 0 || read_protection(&r) != 0 || read_headers(&r) != 0 ||
        read_auth(&r) != 0 || read_tls(&r) != 0)
        return -1;
    return read_paths(&r);
}

int gateway_read(struct cfg_gateway *out, struct str name, struct val entry, struct val masked,
                 bool strict, struct arena *a, struct err *e)
{
    return read_entry(out, name, entry, masked, strict, false, a, e);
}

void gateways_read(struct cfg_box *b)
{
    struct val map = val_get(b->c.doc, "gateways");
    struct val masked = val_get(b->c.masked, "gateways");
    struct cfg_gateway *list = ARENA_ARRAY(b->c.a, struct cfg_gateway, val_count(map) + 1);
    size_t n = 0;

    for (size_t i = 0; val_is(map, VAL_DICT) && i < val_count(map); i++) {
        struct val name;
        struct val entry;
        struct err e = {0};

        val_pair_at(map, i, &name, &entry);
        if (val_is(entry, VAL_DICT) &&
            read_entry(&list[n], val_text(name), entry, val_get_str(masked, val_text(name)), false,
                       b->same_document, b->c.a, &e) == 0)
            n++;
    }
    b->c.gateways = list;
    b->c.n_gateways = n;
}

const struct cfg_gateway *cfg_gateway(const struct cfg *c, struct str name)
{
    for (size_t i = 0; i < c->n_gateways; i++)
        if (str_eq(c->gateways[i].name, name))
            return &c->gateways[i];
    return NULL;
}

const struct cfg_gateway *cfg_session_holder(const struct cfg *c, struct str holder)
{
    for (size_t i = 0; i < c->n_gateways; i++)
        if (str_eq(c->gateways[i].session_holder, holder))
            return &c->gateways[i];
    return cfg_gateway(c, holder);
}
