/*
 * Proxies and logins of the former platform: gateways, mappings, single sign-on (migration.md 4.1,
 * 4.2).
 */
#include "base/arena.h"
#include "legacy/plan_int.h"

struct proxy {
    struct proxy *next;
    const struct legacy_service *svc;
    struct str name, prefix, gateway, origin, url, api_root, login_url, username, password;
};

struct pair {
    struct pair *next;
    struct str name, url, gateway;
};

static int refuse(struct planning *pl, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int refuse(struct planning *pl, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_set(pl->e, ERR_USAGE, "%s", arena_vprintf(pl->a, fmt, ap));
    va_end(ap);
    return -1;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* "https://10.0.1.2:8443" and the path behind it; a login may have a query. */
static int split_url(struct planning *pl, const char *what, struct str url, bool login, struct str *origin,
                     struct str *path)
{
    ptrdiff_t scheme = str_find(url, STR("://")), slash;
    struct str rest;

    if (scheme <= 0 || (!str_ieq(str_slice(url, 0, (size_t)scheme), STR("http")) &&
                        !str_ieq(str_slice(url, 0, (size_t)scheme), STR("https"))))
        return refuse(pl, "%s: \"%.*s://\xe2\x80\xa6\" is not an http(s) URL", what,
                      scheme > 0 ? (int)scheme : 0, url.p);
    rest = str_slice(url, (size_t)scheme + 3, url.len);
    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)rest.p[i] <= ' ' || rest.p[i] == 0x7f)
            return refuse(pl, "%s: the URL holds a blank or a control character", what);
    slash = str_find_char(rest, '/');
    if (str_find_char(slash < 0 ? rest : str_slice(rest, 0, (size_t)slash), '@') >= 0)
        return refuse(pl, "%s: credentials in the URL are not imported; use proxy_username", what);
    if (str_find_char(login && slash > 0 ? str_slice(rest, 0, (size_t)slash) : rest, '?') >= 0 || str_find_char(rest, '#') >= 0)
        return refuse(pl, "%s: the URL has a query or a fragment", what);
    if (rest.len == 0 || slash == 0)
        return refuse(pl, "%s: the URL names no host", what);
    *origin = str_slice(url, 0, slash < 0 ? url.len : (size_t)scheme + 3 + (size_t)slash);
    *path = slash < 0 ? STR("/") : str_slice(rest, (size_t)slash, rest.len);
    return 0;
}

/* The base path without the API root "/api/v1"; another root is kept in api_root. */
static void split_root(struct planning *pl, struct proxy *p, struct str path)
{
    ptrdiff_t api = str_find(path, STR("/api/v"));
    size_t end = api < 0 ? 0 : (size_t)api + 6;

    while (api >= 0 && end < path.len && path.p[end] >= '0' && path.p[end] <= '9')
        end++;
    if (api >= 0 && end > (size_t)api + 6 &&
        (end == path.len || str_eq_c(str_slice(path, end, path.len), "/"))) {
        struct str root = str_slice(path, (size_t)api, end);

        p->url = str_printf(pl->a, "%.*s%.*s/", STR_ARG(p->origin), (int)api, path.p);
        if (!str_eq_c(root, "/api/v1"))
            p->api_root = root;
        return;
    }
    p->url = str_printf(pl->a, "%.*s/", STR_ARG(p->origin));
    while (path.len > 1 && path.p[path.len - 1] == '/')
        path.len--;
    if (path.len > 1)
        p->api_root = path;
}

/* ---- one proxy ------------------------------------------------------------------------------- */

static bool good_prefix(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
              c == '-' || c == '_' || c == '.' || c == '~'))
            return false;
    }
    return str_find(s, STR("//")) < 0 && str_find(s, STR("/.")) < 0;
}

static int read_prefix(struct planning *pl, struct proxy *p)
{
    struct str s = str_trim(legacy_get(pl->s, p->svc, "proxy_prefix").text);

    if (s.len == 0)
        return 0;
    if (s.p[0] != '/')
        return refuse(pl, "proxy_prefix: \"%.*s\" must start with \"/\"", STR_ARG(s));
    while (s.len > 1 && s.p[s.len - 1] == '/')
        s.len--;
    if (s.len == 1 || !good_prefix(s))
        return refuse(pl, "proxy_prefix: \"%.*s\" is not a path prefix", STR_ARG(s));
    p->prefix = s;
    return 0;
}

/* The gateway of that origin in a file: workflows name it as their session holder. */
static struct str gateway_of_file(const struct legacy_service *svc, struct str origin)
{
    const struct yaml_node *list = svc->file != NULL ? yaml_get(svc->file, "gateways") : NULL;

    for (size_t i = 0; list != NULL && list->kind == YAML_MAP && i < list->n; i++) {
        const struct yaml_node *url = yaml_get(list->pairs[i].value, "url");
        struct str text = url != NULL ? str_trim(url->text) : STR("");

        if (str_starts(text, origin) && (text.len == origin.len || text.p[origin.len] == '/'))
            return list->pairs[i].key;
    }
    return STR("");
}

/* --gateway p1=bwks, else what a file calls that origin, else the proxy's own name. */
static struct str gateway_name(const struct planning *pl, struct str proxy, struct str origin)
{
    for (const char *const *g = pl->o->gateways; g != NULL && *g != NULL; g++) {
        struct str value = str_c(*g), name = str_cut(&value, '=');

        if (str_eq(name, proxy) && value.len > 0)
            return value;
    }
    for (const struct legacy_service *svc = pl->s->first; svc != NULL; svc = svc->next) {
        struct str name = gateway_of_file(svc, origin);

        if (name.len > 0)
            return name;
    }
    return proxy;
}

static int read_proxy(struct planning *pl, struct proxy *p)
{
    struct str url = str_trim(legacy_get(pl->s, p->svc, "proxy_url").text), path;

    p->name = str_trim(legacy_get(pl->s, p->svc, "proxy_name").text);
    if (read_prefix(pl, p) != 0)
        return -1;
    if (p->name.len == 0 && p->prefix.len > 0)
        p->name = str_slice(p->prefix, (size_t)(str_rfind_char(p->prefix, '/') + 1), p->prefix.len);
    if (p->name.len == 0)
        p->name = p->svc->name;
    if (url.len == 0) {
        plan_gap(pl, "%.*s: proxy \"%.*s\" has no proxy_url; no gateway was made",
                 STR_ARG(p->svc->source), STR_ARG(p->name));
        return 0;
    }
    if (split_url(pl, "proxy_url", url, false, &p->origin, &path) != 0)
        return -1;
    split_root(pl, p, path);
    p->gateway = gateway_name(pl, p->name, p->origin);
    p->username = legacy_get(pl->s, p->svc, "proxy_username").text;
    p->password = legacy_get(pl->s, p->svc, "proxy_password").text;
    if ((p->username.len > 0) != (p->password.len > 0))
        plan_note(pl, "gateway %.*s: %s; calls will go out unauthenticated", STR_ARG(p->gateway),
                  p->username.len > 0 ? "user name without password" : "password without user name");
    return 0;
}

/* One gateway each, unless --merge and origin and account are the same. */
static void merge_gateways(const struct planning *pl, struct proxy *list)
{
    for (struct proxy *p = list; pl->o->merge && p != NULL; p = p->next)
        for (struct proxy *q = list; q != p; q = q->next)
            if (str_eq(p->url, q->url) && str_eq(p->username, q->username))
                p->gateway = q->gateway;
}

static struct val gateway_entry(struct planning *pl, struct str name, struct str url)
{
    struct val g = val_dict_new(pl->a, 16);

    val_dict_set_c(g, "url", val_str(url));
    val_dict_set_c(g, "backup_urls", val_list_new(pl->a, 0));
    val_dict_set_c(g, "timeout", val_int(10));
    val_dict_set_c(g, "check", val_bool(false));
    val_dict_set_c(g, "check_url", VAL_STR_LIT("/health"));
    val_dict_set_c(g, "tls_verify", val_bool(true));
    val_dict_set_c(g, "session_holder", val_str(name));
    val_dict_set_c(g, "auth", VAL_STR_LIT("default"));
    return g;
}

static int put_proxy(struct planning *pl, const struct proxy *p)
{
    struct val g = gateway_entry(pl, p->gateway, p->url), entry = val_dict_new(pl->a, 2);

    if (p->api_root.len > 0)
        val_dict_set_c(g, "api_root", val_str(p->api_root));
    if (p->login_url.len > 0)
        val_dict_set_c(g, "login_url", val_str(p->login_url));
    if (p->username.len > 0)
        val_dict_set_c(g, "username", val_str(p->username));
    if (p->password.len > 0)
        val_dict_set_c(g, "password", val_str(p->password));
    if (plan_put(pl, "gateways", p->gateway, g) != 0)
        return -1;
    if (p->prefix.len == 0) {
        plan_gap(pl, "proxy \"%.*s\" has no proxy_prefix; no mapping was made", STR_ARG(p->name));
        return 0;
    }
    val_dict_set_c(entry, "name", val_str(p->name));
    val_dict_set_c(entry, "prefix", val_str(p->prefix));
    return plan_put_named(pl, "provisioning.gateways", entry);
}

/* ---- logins ---------------------------------------------------------------------------------- */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Does "name=" stand here? */
static bool names_pair(struct str s)
{
    size_t i = 0;

    s = str_trim(s);
    while (i < s.len && name_char(s.p[i]))
        i++;
    return i > 0 && str_starts(str_trim(str_slice(s, i, s.len)), STR("="));
}

/* The text up to the comma before the next pair. */
static struct str next_pair(struct str *rest)
{
    for (size_t i = 0; i < rest->len; i++) {
        if (rest->p[i] == ',' && names_pair(str_slice(*rest, i + 1, rest->len))) {
            struct str one = str_slice(*rest, 0, i);

            *rest = str_slice(*rest, i + 1, rest->len);
            return one;
        }
    }
    struct str one = *rest;
    *rest = STR("");
    return one;
}

static int read_pairs(struct planning *pl, struct str text, struct pair **out)
{
    struct pair **last = out;
    struct str rest = text;

    for (int n = 1; str_trim(rest).len > 0; n++) {
        struct str one = str_trim(next_pair(&rest)), url = one;
        struct pair *p = ARENA_NEW(pl->a, struct pair);

        if (names_pair(one)) {
            p->name = str_trim(str_cut(&url, '='));
            p->url = str_trim(url);
        } else if (str_find(one, STR("://")) > 0) {
            p->name = STR("default");
            p->url = one;
        }
        if (p->url.len == 0)
            return refuse(pl, "proxy_login_url: pair %d (\"%.*s\") has no URL", n,
                          p->name.len > 0 ? (int)p->name.len : (int)one.len,
                          p->name.len > 0 ? p->name.p : one.p);
        for (struct pair *q = *out; q != NULL; q = q->next)
            if (str_eq(q->name, p->name))
                return refuse(pl, "proxy_login_url: \"%.*s\" appears twice", STR_ARG(p->name));
        *last = p;
        last = &p->next;
    }
    return 0;
}

/* Same origin as a known gateway; else a known proxy name; else a gateway of its own. */
static int resolve_pair(struct planning *pl, struct pair *p, struct proxy *proxies)
{
    struct str origin, path;
    struct val g;

    if (split_url(pl, "proxy_login_url", p->url, true, &origin, &path) != 0)
        return -1;
    for (struct proxy *x = proxies; x != NULL; x = x->next) {
        if (x->origin.len > 0 && str_eq(x->origin, origin)) {
            p->gateway = x->gateway;
            x->login_url = path;
            return 0;
        }
    }
    for (struct proxy *x = proxies; x != NULL; x = x->next) {
        if (x->gateway.len > 0 && str_eq(x->name, p->name)) {
            p->gateway = x->gateway;
            x->login_url = p->url;
            return 0;
        }
    }
    p->gateway = gateway_name(pl, p->name, origin);
    g = gateway_entry(pl, p->gateway, str_printf(pl->a, "%.*s/", STR_ARG(origin)));
    val_dict_set_c(g, "login_url", val_str(path));
    return plan_put(pl, "gateways", p->gateway, g);
}

/* A proxy name that stands for another gateway already: the importer does not guess. */
static int check_mapped(struct planning *pl, const struct pair *p, struct val proxies)
{
    struct str there = val_text(val_get_str(proxies, p->name));

    if (there.len == 0 || str_eq(there, p->gateway) ||
        (pl->o->conflict_given && pl->o->conflict != LEGACY_FAIL))
        return 0;
    err_set(pl->e, ERR_CONFLICT, "conflict: proxy name \"%.*s\" is mapped to \"%.*s\"; choose "
                                 "--on-conflict=keep or replace", STR_ARG(p->name), STR_ARG(there));
    return -1;
}

static struct val current_proxies(const struct planning *pl)
{
    struct val list = val_get(pl->current->doc, "SSO");

    for (size_t i = 0; i < val_count(list); i++)
        if (str_eq_c(val_get_text(val_at(list, i), "name", STR("")), "broadsoft"))
            return val_path(val_at(list, i), "parameters.proxies");
    return val_undef(NULL);
}

static int put_logins(struct planning *pl, const struct pair *pairs)
{
    struct val entry = val_dict_new(pl->a, 5), parameters = val_dict_new(pl->a, 1);
    struct val proxies = val_dict_new(pl->a, 4), there = current_proxies(pl);

    if (pairs == NULL)
        return 0;
    for (const struct pair *p = pairs; p != NULL; p = p->next) {
        if (val_is(there, VAL_DICT) && check_mapped(pl, p, there) != 0)
            return -1;
        val_dict_set_str(proxies, p->name, val_str(p->gateway));
    }
    val_dict_set_c(parameters, "proxies", proxies);
    val_dict_set_c(entry, "name", VAL_STR_LIT("broadsoft"));
    val_dict_set_c(entry, "protocol", VAL_STR_LIT("broadsoft"));
    val_dict_set_c(entry, "enabled", val_bool(true));
    val_dict_set_c(entry, "show_login", val_bool(false));
    val_dict_set_c(entry, "parameters", parameters);
    return plan_put_named(pl, "SSO", entry);
}

/* ---- printed lines --------------------------------------------------------------------------- */

/* Legacy proxies had an n behind their name: px1n became px1. */
static void print_lines(struct planning *pl, const struct proxy *proxies)
{
    struct buf *b = &pl->p->lines;

    buf_add_c(b, "sluice-core -workflows -cleanup\n");
    for (const struct proxy *p = proxies; p != NULL; p = p->next)
        if (p->gateway.len > 0 && p->prefix.len > 0)
            buf_addf(b, "%s\n", plan_shown(arena_printf(pl->a, "sluice-proxy -workflows -proxy=%.*s:%.*s -runMigration=false",
                                                       STR_ARG(p->prefix), STR_ARG(p->gateway))));
    for (const struct proxy *p = proxies; p != NULL; p = p->next) {
        struct str name = p->svc->name, port = legacy_get(pl->s, p->svc, "port").text;

        if (name.len > 1 && name.p[name.len - 1] == 'n' && port.len > 0)
            buf_addf(b, "%s\n", plan_shown(arena_printf(pl->a, "nginx: replace %.*s:%.*s by %.*s:5000", STR_ARG(name), STR_ARG(port),
                                                       (int)name.len - 1, name.p)));
    }
}

int plan_proxies(struct planning *pl)
{
    struct proxy *proxies = NULL, **last = &proxies;
    struct pair *pairs = NULL;

    for (const struct legacy_service *svc = pl->s->first; svc != NULL; svc = svc->next) {
        struct proxy *p;
        struct str login = legacy_get(pl->s, svc, "proxy_login_url").text;

        if (login.len > 0 && read_pairs(pl, login, &pairs) != 0)
            return -1;
        if (!svc->proxy && legacy_get(pl->s, svc, "proxy_url").text.len == 0)
            continue;
        p = ARENA_NEW(pl->a, struct proxy);
        p->svc = svc;
        if (read_proxy(pl, p) != 0)
            return -1;
        *last = p;
        last = &p->next;
    }
    merge_gateways(pl, proxies);
    for (struct pair *p = pairs; p != NULL; p = p->next)
        if (resolve_pair(pl, p, proxies) != 0)
            return -1;
    for (const struct proxy *p = proxies; p != NULL; p = p->next)
        if (p->gateway.len > 0 && put_proxy(pl, p) != 0)
            return -1;
    if (put_logins(pl, pairs) != 0)
        return -1;
    print_lines(pl, proxies);
    return 0;
}
