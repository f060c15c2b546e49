/*
 * auth "oracle-sbc": a token of the border controller's REST interface, taken with name and password.
 */
#include "gateway/southbound.h"

#include "base/json.h"
#include "base/limits.h"

enum { TOKEN_LIFE_S = 570, MAX_LEVELS = 5 }; /* the device ends it after ten minutes */

/* The first member of that name at any level. */
static struct str find_token(struct val v, int levels)
{
    struct val name, value;

    if (levels == 0 || !val_is(v, VAL_DICT))
        return STR("");
    for (size_t i = 0; i < val_count(v); i++) {
        struct str found = STR("");

        if (!val_pair_at(v, i, &name, &value))
            continue;
        if (str_eq_c(val_text(name), "access_token") || str_eq_c(val_text(name), "accessToken"))
            found = val_text(value);
        if (found.len == 0)
            found = find_token(value, levels - 1);
        if (found.len > 0)
            return found;
    }
    return STR("");
}

/* <accessToken>...</accessToken>, whatever stands around it. */
static struct str xml_token(struct str xml)
{
    ptrdiff_t at = str_find(xml, STR("<accessToken>"));

    if (at < 0)
        return STR("");
    xml = str_slice(xml, (size_t)at + sizeof "<accessToken>" - 1, xml.len);
    return str_trim(str_cut(&xml, '<'));
}

int gw_oracle_sbc_login(struct http_client_pool *clients, const struct cfg_gateway *g, struct str url,
                        struct gw_credential *out, struct arena *a, struct err *e)
{
    struct http_header headers[] = {{STR("Authorization"), gw_basic(g->username, secret_text(g->password), a)},
                                    {STR("Accept"), STR("application/xml, application/json")}};
    struct http_call call = gw_own_call(g, "POST", STR(""));
    struct http_result res;
    struct err ignored;
    struct str token;
    struct val v;

    *out = (struct gw_credential){.header = "Authorization", .life_s = TOKEN_LIFE_S};
    if (g->login_url.len == 0) {
        err_set(e, ERR_BUSY, "gateway %.*s: login_url is missing", STR_ARG(g->name));
        return -1;
    }
    call.url = gw_login_url(g, url, a);
    call.headers = headers;
    call.n_headers = COUNT_OF(headers);
    call.body = STR("");
    if (gw_login_do(clients, g, &call, &res, out, a, e) != 0)
        return -1;
    if (res.status < 200 || res.status > 299)
        return gw_login_refused(g, &res, out, e);
    token = json_parse(res.body, &v, a, &ignored) == 0 ? find_token(v, MAX_LEVELS) : xml_token(res.body);
    if (!gw_header_safe(token)) {
        err_set(e, ERR_UPSTREAM, "gateway %.*s: the login sent no token", STR_ARG(g->name));
        return -1;
    }
    out->value = str_printf(a, "Bearer %.*s", STR_ARG(token));
    return 0;
}
