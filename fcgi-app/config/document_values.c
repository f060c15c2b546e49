/*
 * Values of the document that nothing could act upon.
 *
 * They are refused where somebody sets them.  Those stored already stay: a platform that moved here may hold what the former one
 * understood, and must not be kept from saving everything else.
 */
#include "config/config_int.h"

#include "base/ascii.h"
#include "http/url.h"

enum cfg_cache cfg_cache_kind(struct str store)
{
    store = str_trim(store);
    if (store.len == 0 || str_starts(store, STR("memory:")))
        return CFG_CACHE_MEMORY;
    return str_starts(store, STR("redis://")) ? CFG_CACHE_REDIS : CFG_CACHE_UNKNOWN;
}

const char *cfg_hawk_digest(struct str algorithm)
{
    if (algorithm.len == 0 || str_ieq(algorithm, STR("sha256")))
        return "sha256";
    return str_ieq(algorithm, STR("sha1")) ? "sha1" : NULL;
}

static bool is_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_digit(s.p[i]))
            return false;
    return true;
}

static bool is_cache(struct str store, struct arena *a)
{
    struct err ignored;
    struct url u;

    if (cfg_cache_kind(store) != CFG_CACHE_REDIS)
        return cfg_cache_kind(store) == CFG_CACHE_MEMORY;
    return url_parse(store, &u, a, &ignored) == 0 && u.host.len > 0 && u.query.p == NULL && u.fragment.len == 0 &&
           is_digits(str_slice(u.path, 1, u.path.len));
}

static bool is_proxy(struct str text, struct arena *a)
{
    static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    struct err ignored;
    struct url u;

    if (text.len == 0)
        return true;
    if (url_parse(text, &u, a, &ignored) != 0 || u.host.len == 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (str_eq_c(u.scheme, schemes[i]))
            return true;
    return false;
}

static bool is_failover(struct str text, struct arena *a)
{
    (void)a;
    return text.len == 0 || str_eq_c(text, "call") || str_eq_c(text, "next");
}

static bool is_algorithm(struct str text, struct arena *a)
{
    (void)a;
    return cfg_hawk_digest(text) != NULL;
}

/* Refuses `member` of `now` when it is of no use and not what `before` holds. */
static int check(struct val now, struct val before, const char *place, const char *member, bool (*good)(struct str, struct arena *),
                 const char *wanted, struct arena *a, struct err *e)
{
    struct val v = val_get(now, member);

    if (!val_is(v, VAL_STR) || good(str_trim(val_text(v)), a) || (val_is(before, VAL_DICT) && val_eq(val_get(before, member), v)))
        return 0;
    err_set(e, ERR_INVALID, "%s.%s: expected %s", place, member, wanted);
    return -1;
}

static int check_gateway(struct str name, struct val now, struct val before, struct arena *a, struct err *e)
{
    const char *place = arena_printf(a, "gateways.%.*s", STR_ARG(name));

    if (check(now, before, place, "failover", is_failover, "\"call\" or \"next\"", a, e) != 0 ||
        check(now, before, place, "proxies", is_proxy, "a URL such as http://proxy.example.org:3128/", a, e) != 0)
        return -1;
    if (!str_eq_c(str_trim(val_get_text(now, "auth", STR(""))), "hawk"))
        return 0;
    return check(now, before, place, "algorithm", is_algorithm, "\"sha256\" or \"sha1\"", a, e);
}

int cfg_document_check_values(const struct cfg *c, struct val incoming, struct arena *a, struct err *e)
{
    struct val map = val_get(incoming, "gateways"), old = val_get(c->masked, "gateways"), name, entry;

    for (size_t i = 0; val_is(map, VAL_DICT) && i < val_count(map); i++) {
        val_pair_at(map, i, &name, &entry);
        if (val_is(entry, VAL_DICT) &&
            check_gateway(val_text(name), entry, val_is(old, VAL_DICT) ? val_get_val(old, name) : val_undef(NULL), a, e) != 0)
            return -1;
    }
    if (!val_is(val_get(incoming, "cache"), VAL_DICT))
        return 0;
    return check(val_get(incoming, "cache"), val_get(c->masked, "cache"), "cache", "store", is_cache,
                 "memory:// or redis://host:port/number", a, e);
}
