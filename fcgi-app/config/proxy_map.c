/*
 * Parsing and resolving -proxy mappings.  Not the proxy itself: that is proxy-module/.
 */
#include "config/proxy_map.h"

#include <stdio.h>

#include "base/arena.h"

/* Areas of the core's own API: a mapping may neither be one of them nor stand above one. */
static const char *const core_areas[] = {
    "/api/v01/activities", "/api/v01/alarms",   "/api/v01/apio",     "/api/v01/auth",
    "/api/v01/bulks",      "/api/v01/cells",    "/api/v01/custom",   "/api/v01/custom_instances",
    "/api/v01/custom_routes", "/api/v01/filters", "/api/v01/gateways", "/api/v01/health",
    "/api/v01/public",     "/api/v01/reports",  "/api/v01/system",   "/api/v01/templates",
    "/api/v01/timers",     "/api/v01/transactions", "/api/v01/webhooks",
};

static bool covers(struct str prefix, struct str path)
{
    return str_starts(path, prefix) && (path.len == prefix.len || path.p[prefix.len] == '/');
}

static bool is_plain_path(struct str p)
{
    struct str rest = p;

    if (p.len == 0 || p.p[0] != '/')
        return false;
    for (size_t i = 0; i < p.len; i++) {
        unsigned char c = (unsigned char)p.p[i];

        if (c <= ' ' || c >= 0x7f || c == '?' || c == '#' || c == '%')
            return false;
    }
    str_cut(&rest, '/');
    while (rest.len > 0) {
        struct str segment = str_cut(&rest, '/');

        if (segment.len == 0 || str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
            return false;
    }
    return true;
}

static bool hides_core(struct str prefix)
{
    if (prefix.len == 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(core_areas); i++) {
        if (covers(prefix, str_c(core_areas[i])) || covers(str_c(core_areas[i]), prefix))
            return true;
    }
    return false;
}

static int add_one(struct proxy_maps *m, struct str item, struct arena *a, struct err *e)
{
    ptrdiff_t colon = str_rfind_char(item, ':');
    struct str prefix, gateway, as_given;

    if (colon <= 0 || (size_t)colon + 1 == item.len) {
        err_set(e, ERR_USAGE, "-proxy: expected PREFIX:GATEWAY, got \"%.*s\"", STR_ARG(item));
        return -1;
    }
    prefix = as_given = str_slice(item, 0, (size_t)colon);
    gateway = str_slice(item, (size_t)colon + 1, item.len);
    if (prefix.len > 1 && prefix.p[prefix.len - 1] == '/')
        prefix.len--;
    if (!is_plain_path(prefix)) {
        err_set(e, ERR_USAGE, "-proxy: \"%.*s\" is not a plain absolute path", STR_ARG(as_given));
        return -1;
    }
    if (str_eq(prefix, STR("/")) || hides_core(prefix)) {
        err_set(e, ERR_USAGE, "-proxy: \"%.*s\" would hide the core API", STR_ARG(as_given));
        return -1;
    }
    for (size_t i = 0; i < m->n; i++) {
        if (str_eq(m->maps[i].prefix, prefix)) {
            err_set(e, ERR_USAGE, "-proxy: prefix \"%.*s\" is mapped twice", STR_ARG(prefix));
            return -1;
        }
    }
    m->maps = arena_grow(a, m->maps != NULL ? m->maps : arena_alloc(a, 0), m->n * sizeof *m->maps,
                         (m->n + 1) * sizeof *m->maps);
    m->maps[m->n++] = (struct proxy_map){
        .prefix = str_dup(a, prefix),
        .name = str_dup(a, str_slice(prefix, (size_t)str_rfind_char(prefix, '/') + 1, prefix.len)),
        .gateway = str_dup(a, gateway),
    };
    return 0;
}

int proxy_maps_add(struct proxy_maps *m, struct str value, struct arena *a, struct err *e)
{
    struct str rest = value;

    do {
        if (add_one(m, str_cut(&rest, ','), a, e) != 0)
            return -1;
    } while (rest.len > 0);
    return 0;
}

const struct proxy_map *proxy_maps_find(const struct proxy_maps *m, struct str path)
{
    const struct proxy_map *best = NULL;

    for (size_t i = 0; i < m->n; i++) {
        if (covers(m->maps[i].prefix, path) && (best == NULL || m->maps[i].prefix.len > best->prefix.len))
            best = &m->maps[i];
    }
    return best;
}

struct str proxy_prefix_meant(const struct cfg *c, struct str path)
{
    const struct str usual = STR("/api/v01/p");
    struct val menu = val_path(c->doc, "provisioning.gateways");
    size_t n = usual.len;

    for (size_t i = 0; val_is(menu, VAL_LIST) && i < val_count(menu); i++) {
        struct str prefix = val_get_text(val_at(menu, i), "prefix", STR(""));

        while (prefix.len > 0 && prefix.p[prefix.len - 1] == '/')
            prefix.len--;
        if (prefix.len > 0 && covers(prefix, path))
            return prefix;
    }
    if (!str_starts(path, usual))
        return STR("");
    while (n < path.len && path.p[n] >= '0' && path.p[n] <= '9')
        n++;
    return n > usual.len && (n == path.len || path.p[n] == '/') ? str_slice(path, 0, n) : STR("");
}

/* A gateway the operator may have meant: other letter case, or known by its session holder. */
static const struct cfg_gateway *near_miss(const struct cfg *c, struct str name)
{
    for (size_t i = 0; i < c->n_gateways; i++) {
        if (str_ieq(c->gateways[i].name, name) || str_eq(c->gateways[i].session_holder, name))
            return &c->gateways[i];
    }
    return NULL;
}

static void unknown_gateway(const struct cfg *c, const struct proxy_map *m, struct err *e)
{
    const struct cfg_gateway *near = near_miss(c, m->gateway);
    char known[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < c->n_gateways && len < sizeof known; i++) {
        int n = snprintf(known + len, sizeof known - len, "%s%.*s", i > 0 ? ", " : "",
                         STR_ARG(c->gateways[i].name));

        len += n > 0 ? (size_t)n : 0;
    }
    err_set(e, ERR_CONFIG, "gateway \"%.*s\" of proxy %.*s is not in the configuration (known: %s)",
            STR_ARG(m->gateway), STR_ARG(m->prefix), c->n_gateways > 0 ? known : "none");
    if (near != NULL) {
        char first[ERR_TEXT_MAX];

        memcpy(first, e->msg, sizeof first);
        err_set(e, ERR_CONFIG, "%s; did you mean \"%.*s\"?", first, STR_ARG(near->name));
    }
}

int proxy_map_resolve(const struct cfg *c, const struct proxy_map *m, const struct cfg_gateway **out,
                      struct err *e)
{
    const struct cfg_gateway *g = cfg_gateway(c, m->gateway);

    if (g == NULL) {
        unknown_gateway(c, m, e);
        return -1;
    }
    if (g->url.len == 0) {
        err_set(e, ERR_CONFIG, "gateway \"%.*s\" has no http(s) URL", STR_ARG(m->gateway));
        return -1;
    }
    *out = g;
    return 0;
}
