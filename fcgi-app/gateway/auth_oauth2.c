/*
 * auth "oauth2": an access token from the token endpoint (RFC 6749): client_credentials, password, refresh_token.
 */
#include "gateway/southbound.h"

#include "base/json.h"
#include "base/limits.h"
#include "http/url.h"

enum { DEFAULT_LIFE_S = 300, MARGIN_S = 30, MAX_LIFE_S = 366 * 24 * 3600 };

struct form {
    struct buf b;
    struct val names; /* set already: extra parameters do not replace them */
    struct arena *a;
};

static void form_add(struct form *f, const char *name, struct str value)
{
    val_dict_set_c(f->names, name, val_bool(true));
    buf_addf(&f->b, "%s%s=", f->b.len > 0 ? "&" : "", name);
    buf_add_str(&f->b, url_encode(value, "", f->a));
}

static void form_extras(struct form *f, struct val extras)
{
    val_dict_set_c(f->names, "client_auth", val_bool(true)); /* ours */
    val_dict_set_c(f->names, "client_secret", val_bool(true));
    val_dict_set_c(f->names, "password", val_bool(true));
    for (size_t i = 0; val_is(extras, VAL_DICT) && i < val_count(extras); i++) {
        struct val name, value;

        if (!val_pair_at(extras, i, &name, &value) || val_is_none(value) ||
            !val_is_undef(val_get_str(f->names, val_text(name))))
            continue;
        buf_addf(&f->b, "&%.*s=", STR_ARG(url_encode(val_text(name), "", f->a)));
        buf_add_str(&f->b, url_encode(val_str_of(value, f->a), "", f->a));
    }
}

static struct str main_grant(const struct cfg_gateway *g)
{
    if (g->grant_type.len > 0)
        return g->grant_type;
    return g->username.len > 0 ? STR("password") : STR("client_credentials");
}

/* Body of a token request and, by pointer, its Authorization header (empty: none). */
static struct str request_body(const struct cfg_gateway *g, struct str grant, struct str refresh, struct str *basic,
                               struct arena *a)
{
    struct str secret = secret_text(g->client_secret);
    bool in_body = secret.len == 0 || str_eq_c(val_get_text(g->extra_params, "client_auth", STR("")), "body");
    struct form f = {.names = val_dict_new(a, 8), .a = a};

    buf_init(&f.b, MIB, a);
    form_add(&f, "grant_type", grant);
    if (str_eq_c(grant, "refresh_token")) {
        form_add(&f, "refresh_token", refresh);
    } else if (str_eq_c(grant, "password")) {
        form_add(&f, "username", g->username);
        form_add(&f, "password", secret_text(g->password));
    }
    *basic = STR("");
    if (!in_body)
        *basic = gw_basic(url_encode(g->client_id, "", a), url_encode(secret, "", a), a);
    else if (g->client_id.len > 0)
        form_add(&f, "client_id", g->client_id);
    if (in_body && secret.len > 0)
        form_add(&f, "client_secret", secret);
    form_extras(&f, g->extra_params);
    return buf_str(&f.b);
}

static int64_t life_of(struct val answer)
{
    struct val v = val_get(answer, "expires_in");
    int64_t s = DEFAULT_LIFE_S, margin;

    if (val_is(v, VAL_STR))
        (void)str_to_int(str_trim(val_text(v)), &s);
    else if (val_is(v, VAL_FLOAT))
        s = v.u.f > 0 && v.u.f < MAX_LIFE_S ? (int64_t)v.u.f : DEFAULT_LIFE_S;
    else
        s = val_get_int(answer, "expires_in", DEFAULT_LIFE_S);
    if (s > MAX_LIFE_S)
        s = MAX_LIFE_S;
    margin = s / 10 > MARGIN_S ? s / 10 : MARGIN_S;
    if (s > margin)
        return s - margin;
    return s > 1 ? s / 2 : 1; /* shorter than the margin: the callers waiting now can still use it */
}

/* The answer of the token endpoint; *error is its error code when it has one. */
static int read_answer(const struct cfg_gateway *g, const struct http_result *res, struct gw_credential *out, struct str *error,
                       struct arena *a, struct err *e)
{
    struct err ignored;
    struct val answer = val_null();
    struct str type, token;

    *error = STR("");
    if (json_parse(res->body, &answer, a, &ignored) != 0 || !val_is(answer, VAL_DICT))
        answer = val_dict_new(a, 0);
    if (res->status < 200 || res->status > 299) {
        *error = val_get_text(answer, "error", STR(""));
        out->refused = res->status >= 400 && res->status < 500 && res->status != 429;
        if (error->len > 0)
            err_set(e, ERR_UPSTREAM, "gateway %.*s: token endpoint answered %.*s", STR_ARG(g->name),
                    STR_ARG(str_slice(*error, 0, 100)));
        else
            err_set(e, ERR_UPSTREAM, "gateway %.*s: token endpoint answered %d", STR_ARG(g->name), res->status);
        return -1;
    }
    token = val_get_text(answer, "access_token", STR(""));
    type = val_get_text(answer, "token_type", STR("Bearer"));
    if (!gw_header_safe(token) || !str_ieq(type, STR("bearer"))) {
        err_set(e, ERR_UPSTREAM, "gateway %.*s: token endpoint sent no bearer token", STR_ARG(g->name));
        return -1;
    }
    out->value = str_printf(a, "Bearer %.*s", STR_ARG(token));
    out->life_s = life_of(answer);
    if (val_get_text(answer, "refresh_token", STR("")).len > 0)
        out->refresh = val_get_text(answer, "refresh_token", STR(""));
    return 0;
}

static int ask(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url, struct str grant,
               struct str refresh, struct gw_credential *out, struct str *error, struct arena *a, struct err *e)
{
    struct http_header headers[3] = {{STR("Content-Type"), STR("application/x-www-form-urlencoded")},
                                     {STR("Accept"), STR("application/json")}};
    struct http_call call = gw_own_call(g, "POST", url);
    struct http_result res;
    struct str basic;

    *error = STR("");
    call.body = request_body(g, grant, refresh, &basic, a);
    if (basic.len > 0)
        headers[2] = (struct http_header){STR("Authorization"), basic};
    call.headers = headers;
    call.n_headers = basic.len > 0 ? 3 : 2;
    if (gw_login_do(clients, g, &call, &res, out, a, e) != 0)
        return -1;
    return read_answer(g, &res, out, error, a, e);
}

int gw_oauth2_login(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url, struct str refresh,
                    struct gw_credential *out, struct arena *a, struct err *e)
{
    struct str grant = main_grant(g), error, endpoint;

    *out = (struct gw_credential){.header = "Authorization", .refresh = refresh};
    if (g->login_url.len == 0) {
        err_set(e, ERR_BUSY, "gateway %.*s: login_url is missing", STR_ARG(g->name));
        return -1;
    }
    endpoint = gw_login_url(g, url, a);
    if (refresh.len > 0) {
        if (ask(clients, g, endpoint, STR("refresh_token"), refresh, out, &error, a, e) == 0)
            return 0;
        if (str_eq_c(error, "invalid_grant"))
            out->refresh = STR("");
        if (!out->refused || str_eq_c(grant, "refresh_token"))
            return -1;
        err_clear(e);
        out->refused = false;
    } else if (str_eq_c(grant, "refresh_token")) {
        err_set(e, ERR_BUSY, "gateway %.*s: there is no usable refresh token", STR_ARG(g->name));
        return -1;
    }
    return ask(clients, g, endpoint, grant, STR(""), out, &error, a, e);
}
