/*
 * auth "default": the gateway's own login with cookies (gateway-proxy.md 6.1), and what all logins share.
 */
#include "gateway/southbound.h"

#include "base/json.h"
#include "base/limits.h"
#include "http/url.h"

struct http_call gw_own_call(const struct cfg_gateway *g, const char *method, struct str url)
{
    return (struct http_call){
        .method = str_c(method),
        .url = url,
        .connect_ms = (int64_t)g->timeout_s * 1000,
        .total_ms = (int64_t)g->timeout_s * 1000,
        .tls_insecure = !g->tls_verify,
        .tls_ca = g->tls_ca,
        .proxy = g->proxy,
        .client_cert = g->client_cert,
        .client_key = secret_text(g->client_key),
    };
}

struct str gw_own_url(struct str url, struct str path, struct arena *a)
{
    struct url u;
    struct err ignored;

    if (str_starts(path, STR("http://")) || str_starts(path, STR("https://")))
        return path;
    /* a path from the root belongs to the host, not below the base URL's own path */
    if (str_starts(path, STR("/")) && url_parse(url, &u, a, &ignored) == 0)
        return str_printf(a, "%.*s%.*s", STR_ARG(url_origin(&u, a)), STR_ARG(path));
    return str_printf(a, "%.*s/%.*s", STR_ARG(url), STR_ARG(path));
}

struct str gw_login_url(const struct cfg_gateway *g, struct str url, struct arena *a)
{
    return gw_own_url(url, g->login_url.len > 0 ? g->login_url : STR("/api/v1/login/"), a);
}

int gw_login_do(struct http_client_pool *clients, const struct cfg_gateway *g, const struct http_call *call,
                struct http_result *res, struct gw_credential *out, struct arena *a, struct err *e)
{
    if (http_client_do(clients, call, res, a, e) == 0)
        return 0;
    out->unreachable = true;
    err_context(e, "gateway %.*s: login", STR_ARG(g->name));
    return -1;
}

int gw_login_refused(const struct cfg_gateway *g, const struct http_result *res, struct gw_credential *out, struct err *e)
{
    out->refused = res->status == 401 || res->status == 403;
    if (out->refused)
        err_set(e, ERR_UPSTREAM, "gateway %.*s refused the system login", STR_ARG(g->name));
    else
        err_set(e, ERR_UPSTREAM, "gateway %.*s: login answered %d", STR_ARG(g->name), res->status);
    return -1;
}

bool gw_header_safe(struct str token)
{
    for (size_t i = 0; i < token.len; i++)
        if ((unsigned char)token.p[i] <= ' ' || (unsigned char)token.p[i] >= 0x7f)
            return false;
    return token.len > 0;
}

int gw_login_post(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url, struct str username,
                  struct str password, struct http_result *res, struct gw_credential *out, struct arena *a, struct err *e)
{
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")},
                                          {STR("Accept"), STR("application/json")}};
    struct http_call call = gw_own_call(g, "POST", gw_login_url(g, url, a));
    struct val body = val_dict_new(a, 2);

    val_dict_set_c(body, "username", val_str(username));
    val_dict_set_c(body, "password", val_str(password));
    call.body = json_text(body, a);
    call.headers = headers;
    call.n_headers = COUNT_OF(headers);
    return gw_login_do(clients, g, &call, res, out, a, e);
}

int gw_default_login(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url,
                     struct gw_credential *out, struct arena *a, struct err *e)
{
    struct http_result res;

    *out = (struct gw_credential){.header = "Cookie"};
    if (gw_login_post(clients, g, url, g->username, secret_text(g->password), &res, out, a, e) != 0)
        return -1;
    if (res.status < 200 || res.status > 299)
        return gw_login_refused(g, &res, out, e);
    out->value = gw_cookies(res.headers, res.n_headers, a);
    return 0;
}

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
