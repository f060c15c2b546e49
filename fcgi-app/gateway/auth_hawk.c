/*
 * auth "hawk": each request carries a MAC over itself, and a hash of its body.
 *
 * The scheme's values stand in quoted header attributes without escapes, so what would need one is refused.
 */
#include "gateway/southbound.h"

#include "base/limits.h"
#include "http/header.h"
#include "http/url.h"

static struct str mac_of(const struct cfg_gateway *g, const char *digest, struct str text, struct arena *a)
{
    unsigned char mac[64];
    size_t len = 0;

    crypto_hmac(digest, secret_text(g->hawk_key), text, mac, &len);
    return crypto_b64(a, str_make((const char *)mac, len));
}

static struct str payload_hash(const char *digest, const struct gw_request *q, struct arena *a)
{
    struct str type = header_media_type(q->content_type, a);
    unsigned char sum[64];
    size_t len = 0;
    struct buf b;

    if (q->body.len == 0)
        return STR("");
    buf_init(&b, q->body.len + type.len + 64, a);
    buf_add_c(&b, "hawk.1.payload\n");
    buf_add_str(&b, type);
    buf_putc(&b, '\n');
    buf_add_str(&b, q->body);
    buf_putc(&b, '\n');
    crypto_digest(digest, buf_str(&b), sum, &len);
    return crypto_b64(a, str_make((const char *)sum, len));
}

static bool fits(struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.p[i] == '"' || value.p[i] == '\\' || (unsigned char)value.p[i] < 0x20)
            return false;
    return true;
}

static struct str normalised(const struct gw_request *q, const struct url *u, struct str nonce, int64_t now_s, struct str hash,
                             struct str ext, struct arena *a)
{
    struct buf b;

    buf_init(&b, LIMIT_HEADERS + q->url.len, a);
    buf_addf(&b, "hawk.1.header\n%lld\n%.*s\n%.*s\n", (long long)now_s, STR_ARG(nonce), STR_ARG(q->method));
    buf_add_str(&b, u->path.len > 0 ? u->path : STR("/"));
    if (u->query.p != NULL) {
        buf_putc(&b, '?');
        buf_add_str(&b, u->query);
    }
    buf_addf(&b, "\n%.*s\n%d\n%.*s\n%.*s\n", STR_ARG(str_lower(a, u->host)),
             u->port != 0 ? u->port : url_default_port(u->scheme), STR_ARG(hash), STR_ARG(ext));
    return buf_str(&b);
}

static void attribute(struct buf *b, const char *name, struct str value)
{
    if (value.len > 0)
        buf_addf(b, "%s%s=\"%.*s\"", b->len > 5 ? ", " : "", name, STR_ARG(value));
}

int gw_hawk(const struct cfg_gateway *g, const struct gw_request *q, struct str nonce, int64_t now_s, struct str *out,
            struct arena *a, struct err *e)
{
    const char *digest = cfg_hawk_digest(g->hawk_algorithm);
    struct str ext = val_get_text(g->extra_params, "ext", STR(""));
    struct str app = val_get_text(g->extra_params, "app", STR(""));
    struct str dlg = val_get_text(g->extra_params, "dlg", STR(""));
    struct str hash, text;
    struct url u;
    struct buf b;

    if (digest == NULL || !fits(g->hawk_id) || !fits(ext) || !fits(app) || !fits(dlg)) {
        err_set(e, ERR_BUSY, "gateway %.*s: %s", STR_ARG(g->name),
                digest == NULL ? "unknown hawk algorithm"
                               : "hawk values must not hold quotes, backslashes or control characters");
        return -1;
    }
    if (url_parse(q->url, &u, a, e) != 0)
        return -1;
    hash = payload_hash(digest, q, a);
    text = normalised(q, &u, nonce, now_s, hash, ext, a);
    if (app.len > 0)
        text = str_printf(a, "%.*s%.*s\n%.*s\n", STR_ARG(text), STR_ARG(app), STR_ARG(dlg));
    buf_init(&b, LIMIT_HEADERS, a);
    buf_add_c(&b, "Hawk ");
    attribute(&b, "id", g->hawk_id);
    attribute(&b, "ts", str_printf(a, "%lld", (long long)now_s));
    attribute(&b, "nonce", nonce);
    attribute(&b, "hash", hash);
    attribute(&b, "ext", ext);
    attribute(&b, "mac", mac_of(g, digest, text, a));
    attribute(&b, "app", app);
    attribute(&b, "dlg", app.len > 0 ? dlg : STR(""));
    *out = buf_str(&b);
    return 0;
}

/* Value of name="..." in a challenge. */
static struct str challenge_value(struct str challenge, const char *name, struct arena *a)
{
    struct str key = str_printf(a, "%s=\"", name);

    for (;;) {
        ptrdiff_t at = str_find(challenge, key);
        bool whole;

        if (at < 0)
            return STR("");
        whole = at == 0 || challenge.p[at - 1] == ' ' || challenge.p[at - 1] == ',';
        challenge = str_slice(challenge, (size_t)at + key.len, challenge.len);
        if (whole)
            return str_cut(&challenge, '"');
    }
}

bool gw_hawk_time(const struct cfg_gateway *g, struct str challenge, int64_t *server_s, struct arena *a)
{
    const char *digest = cfg_hawk_digest(g->hawk_algorithm);
    struct str ts = challenge_value(challenge, "ts", a), tsm = challenge_value(challenge, "tsm", a), want;

    if (digest == NULL || !str_ieq(str_slice(challenge, 0, 5), STR("Hawk ")) || !str_to_int(ts, server_s))
        return false;
    want = mac_of(g, digest, str_printf(a, "hawk.1.ts\n%.*s\n", STR_ARG(ts)), a);
    return want.len == tsm.len && crypto_equal(want.p, tsm.p, want.len);
}
