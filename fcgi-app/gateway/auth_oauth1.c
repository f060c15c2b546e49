/*
 * auth "oauth1": each request signed (RFC 5849), two-legged or with a fixed token; body hash by OAuth Request Body Hash.
 */
#include "gateway/southbound.h"

#include <stdlib.h>

#include "base/limits.h"
#include "http/header.h"
#include "http/url.h"

enum { MAX_OAUTH = 40 };

/* Both parts encoded. */
struct param {
    struct str name, value;
};

struct params {
    struct param *items;
    size_t n, room;
};

static void add(struct params *p, struct str name, struct str value, struct arena *a)
{
    if (p->n < p->room)
        p->items[p->n++] = (struct param){url_encode(name, "", a), url_encode(value, "", a)};
}

static int by_name(const void *x, const void *y)
{
    const struct param *p = x, *q = y;
    int order = str_cmp(p->name, q->name);

    return order != 0 ? order : str_cmp(p->value, q->value);
}

/* What cannot be decoded is taken as it stands. */
static struct str form_decode(struct str s, struct arena *a)
{
    struct str plain = s.len > 0 ? url_decode(s, true, a) : s;

    return plain.p != NULL ? plain : s;
}

static void add_pairs(struct params *p, struct str pairs, struct arena *a)
{
    while (pairs.len > 0) {
        struct str value = str_cut(&pairs, '&');
        struct str name;

        if (value.len == 0)
            continue;
        name = str_cut(&value, '=');
        add(p, form_decode(name, a), form_decode(value, a), a);
    }
}

static size_t count_pairs(struct str pairs)
{
    size_t n = 1;

    for (size_t i = 0; i < pairs.len; i++)
        n += pairs.p[i] == '&';
    return n;
}

/* ---- what the gateway's entry says ------------------------------------------------------------- */

struct method {
    const char *name, *digest; /* digest NULL: PLAINTEXT */
};

static const struct method *method_of(const struct cfg_gateway *g)
{
    static const struct method methods[] = {{"HMAC-SHA1", "sha1"}, {"HMAC-SHA256", "sha256"}, {"PLAINTEXT", NULL}};
    struct str name = val_get_text(g->extra_params, "signature_method", STR(""));

    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (str_ieq(name, str_c(methods[i].name)) || name.len == 0)
            return &methods[i];
    return NULL;
}

static bool own_extra(struct str name)
{
    return str_starts(name, STR("oauth_")) && !str_eq_c(name, "oauth_token_secret") && !str_eq_c(name, "oauth_signature");
}

static void add_oauth(struct params *p, const struct cfg_gateway *g, const char *name, struct str value, struct arena *a)
{
    if (!val_is_undef(val_get(g->extra_params, name)))
        return; /* the entry has its own, or wants none */
    add(p, str_c(name), value, a);
}

/* All oauth_* parameters but the signature. */
static void oauth_params(struct params *p, const struct cfg_gateway *g, const struct method *m, struct str nonce,
                         int64_t now_s, struct str body_hash, struct arena *a)
{
    add_oauth(p, g, "oauth_consumer_key", g->client_id, a);
    add_oauth(p, g, "oauth_nonce", nonce, a);
    add_oauth(p, g, "oauth_signature_method", str_c(m->name), a);
    add_oauth(p, g, "oauth_timestamp", str_printf(a, "%lld", (long long)now_s), a);
    add_oauth(p, g, "oauth_version", STR("1.0"), a);
    if (body_hash.len > 0)
        add_oauth(p, g, "oauth_body_hash", body_hash, a);
    for (size_t i = 0; val_is(g->extra_params, VAL_DICT) && i < val_count(g->extra_params); i++) {
        struct val name, value;

        if (val_pair_at(g->extra_params, i, &name, &value) && own_extra(val_text(name)) && !val_is_none(value) &&
            val_str_of(value, a).len > 0)
            add(p, val_text(name), val_str_of(value, a), a);
    }
}

static struct str base64_digest(const char *digest, struct str body, struct arena *a)
{
    unsigned char sum[64];
    size_t len = 0;

    crypto_digest(digest, body, sum, &len);
    return crypto_b64(a, str_make((const char *)sum, len));
}

/* ---- signing --------------------------------------------------------------------------------------- */

static struct str base_string(const struct gw_request *q, const struct url *u, struct params *p, struct arena *a)
{
    struct str uri = str_printf(a, "%.*s%.*s", STR_ARG(str_lower(a, url_origin(u, a))),
                                STR_ARG(u->path.len > 0 ? u->path : STR("/")));
    struct buf joined;

    qsort(p->items, p->n, sizeof p->items[0], by_name);
    buf_init(&joined, LIMIT_UPSTREAM_BODY, a);
    for (size_t i = 0; i < p->n; i++) {
        buf_add_c(&joined, i > 0 ? "&" : "");
        buf_add_str(&joined, p->items[i].name);
        buf_putc(&joined, '=');
        buf_add_str(&joined, p->items[i].value);
    }
    return str_printf(a, "%.*s&%.*s&%.*s", STR_ARG(q->method), STR_ARG(url_encode(uri, "", a)),
                      STR_ARG(url_encode(buf_str(&joined), "", a)));
}

static struct str signature(const struct cfg_gateway *g, const struct method *m, struct str base, struct arena *a)
{
    struct str token_secret = val_get_text(g->extra_params, "oauth_token_secret", STR(""));
    struct str key = str_printf(a, "%.*s&%.*s", STR_ARG(url_encode(secret_text(g->client_secret), "", a)),
                                STR_ARG(url_encode(token_secret, "", a)));
    unsigned char mac[64];
    size_t len = 0;

    if (m->digest == NULL)
        return key;
    crypto_hmac(m->digest, key, base, mac, &len);
    return crypto_b64(a, str_make((const char *)mac, len));
}

static struct str header_text(const struct cfg_gateway *g, struct params *p, struct arena *a)
{
    struct str realm = val_get_text(g->extra_params, "realm", STR(""));
    const char *sep = " ";
    struct buf b;

    buf_init(&b, LIMIT_HEADERS, a);
    buf_add_c(&b, "OAuth");
    if (realm.len > 0 && str_find_char(realm, '"') < 0 && str_find_char(realm, '\\') < 0) {
        buf_addf(&b, " realm=\"%.*s\"", STR_ARG(realm));
        sep = ", ";
    }
    qsort(p->items, p->n, sizeof p->items[0], by_name);
    for (size_t i = 0; i < p->n; i++, sep = ", ")
        buf_addf(&b, "%s%.*s=\"%.*s\"", sep, STR_ARG(p->items[i].name), STR_ARG(p->items[i].value));
    return buf_str(&b);
}

static struct params params_new(size_t room, struct arena *a)
{
    return (struct params){ARENA_ARRAY(a, struct param, room), 0, room};
}

int gw_oauth1(const struct cfg_gateway *g, const struct gw_request *q, struct str nonce, int64_t now_s, struct str *out,
              struct arena *a, struct err *e)
{
    const struct method *m = method_of(g);
    bool form = str_eq_c(header_media_type(q->content_type, a), "application/x-www-form-urlencoded");
    struct str body_hash = STR("");
    struct params oauth = params_new(MAX_OAUTH, a), all;
    struct url u;

    if (m == NULL) {
        err_set(e, ERR_BUSY, "gateway %.*s: unknown signature method \"%.*s\"", STR_ARG(g->name),
                STR_ARG(val_get_text(g->extra_params, "signature_method", STR(""))));
        return -1;
    }
    if (url_parse(q->url, &u, a, e) != 0)
        return -1;
    if (m->digest == NULL && !str_eq_c(u.scheme, "https")) {
        err_set(e, ERR_BUSY, "gateway %.*s: signature method PLAINTEXT is for https only", STR_ARG(g->name));
        return -1;
    }
    if (!form && val_truth(val_get(g->extra_params, "body_hash")))
        body_hash = base64_digest(m->digest != NULL ? m->digest : "sha1", q->body, a);
    oauth_params(&oauth, g, m, nonce, now_s, body_hash, a);
    all = params_new(oauth.n + count_pairs(u.query) + (form ? count_pairs(q->body) : 0), a);
    for (size_t i = 0; i < oauth.n; i++)
        all.items[all.n++] = oauth.items[i];
    add_pairs(&all, u.query, a);
    if (form)
        add_pairs(&all, q->body, a);
    add(&oauth, STR("oauth_signature"), signature(g, m, base_string(q, &u, &all, a), a), a);
    *out = header_text(g, &oauth, a);
    return 0;
}
