/*
 * -proxy=PREFIX:GATEWAY: syntax, which prefix catches a path, which gateway it is (gateway-proxy.md 1.2).
 */
#include "config/proxy_map.h"

#include "base/arena.h"
#include "base/json.h"
#include "support/cases.h"

static const struct row {
    const char *name, *value;
    const char *want; /* "prefix name gateway" of the last one, or the error */
} rows[] = {
    {"plain", "/api/v01/p1:bwks", "/api/v01/p1 p1 bwks"},
    {"trailing slash", "/api/v01/p1/:bwks", "/api/v01/p1 p1 bwks"},
    {"list", "/api/v01/p1:a,/api/v01/p2:b", "/api/v01/p2 p2 b"},
    {"last colon", "/api/v01/a:b:c", "/api/v01/a:b a:b c"},
    {"other root", "/gw:x", "/gw gw x"},
    {"two prefixes, one gateway", "/api/v01/p1:a,/api/v01/px1:a", "/api/v01/px1 px1 a"},
    {"empty", "", "-proxy: expected PREFIX:GATEWAY, got \"\""},
    {"no colon", "/api/v01/p1", "-proxy: expected PREFIX:GATEWAY, got \"/api/v01/p1\""},
    {"no prefix", ":bwks", "-proxy: expected PREFIX:GATEWAY, got \":bwks\""},
    {"no gateway", "/api/v01/p1:", "-proxy: expected PREFIX:GATEWAY, got \"/api/v01/p1:\""},
    {"empty item", "/api/v01/p1:a,,/api/v01/p2:b", "-proxy: expected PREFIX:GATEWAY, got \"\""},
    {"relative", "api/v01/p1:a", "-proxy: \"api/v01/p1\" is not a plain absolute path"},
    {"query", "/api/v01/p1?x:a", "-proxy: \"/api/v01/p1?x\" is not a plain absolute path"},
    {"fragment", "/api/v01/p1#x:a", "-proxy: \"/api/v01/p1#x\" is not a plain absolute path"},
    {"escape", "/api/v01/p%31:a", "-proxy: \"/api/v01/p%31\" is not a plain absolute path"},
    {"blank", "/api/v01/p 1:a", "-proxy: \"/api/v01/p 1\" is not a plain absolute path"},
    {"two slashes", "/api//p1:a", "-proxy: \"/api//p1\" is not a plain absolute path"},
    {"dot", "/api/./p1:a", "-proxy: \"/api/./p1\" is not a plain absolute path"},
    {"dots", "/api/../p1:a", "-proxy: \"/api/../p1\" is not a plain absolute path"},
    {"root", "/:a", "-proxy: \"/\" would hide the core API"},
    {"api", "/api:a", "-proxy: \"/api\" would hide the core API"},
    {"version", "/api/v01:a", "-proxy: \"/api/v01\" would hide the core API"},
    {"area", "/api/v01/auth:a", "-proxy: \"/api/v01/auth\" would hide the core API"},
    {"below an area", "/api/v01/custom/x:a", "-proxy: \"/api/v01/custom/x\" would hide the core API"},
    {"area with slash", "/api/v01/system/:a", "-proxy: \"/api/v01/system/\" would hide the core API"},
    {"like an area", "/api/v01/authx:a", "/api/v01/authx authx a"},
    {"twice", "/api/v01/p1:a,/api/v01/p1/:b", "-proxy: prefix \"/api/v01/p1\" is mapped twice"},
};

static void reads(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct proxy_maps m = {0};
    struct err e = {0};

    if (proxy_maps_add(&m, str_c(r->value), a, &e) != 0) {
        assert_int_equal(e.code, ERR_USAGE);
        assert_string_equal(e.msg, r->want);
    } else {
        const struct proxy_map *last = &m.maps[m.n - 1];

        assert_string_equal(arena_printf(a, "%.*s %.*s %.*s", STR_ARG(last->prefix), STR_ARG(last->name),
                                         STR_ARG(last->gateway)),
                            r->want);
    }
    arena_free(a);
}

static const struct find_row {
    const char *name, *path;
    const char *want; /* gateway, "" = none */
} find_rows[] = {
    {"below", "/api/v01/p1/tenants/", "one"},
    {"the prefix", "/api/v01/p1", "one"},
    {"with slash", "/api/v01/p1/", "one"},
    {"segment border", "/api/v01/p10/tenants", "ten"},
    {"no segment border", "/api/v01/p11/x", ""},
    {"longest", "/api/v01/p1/deep/x", "deep"},
    {"not as long", "/api/v01/p1/deeper/x", "one"},
    {"core", "/api/v01/health", ""},
    {"above", "/api/v01", ""},
};

static void finds(const struct find_row *r)
{
    struct arena *a = arena_new(0);
    struct proxy_maps m = {0};
    struct err e = {0};
    const struct proxy_map *found;

    assert_int_equal(proxy_maps_add(&m, STR("/api/v01/p1:one,/api/v01/p10:ten,/api/v01/p1/deep:deep"), a, &e), 0);
    found = proxy_maps_find(&m, str_c(r->path));
    assert_string_equal(found != NULL ? str_cstr(a, found->gateway) : "", r->want);
    arena_free(a);
}

/* ---- resolving ------------------------------------------------------------------------------- */

#define TEXT(literal) {"" literal, sizeof(literal) - 1}

static const struct cfg_gateway known[] = {
    {.name = TEXT("apio-uat"), .session_holder = TEXT("apio-uat"), .url = TEXT("https://uat")},
    {.name = TEXT("apio-dev"), .session_holder = TEXT("dev"), .url = TEXT("https://dev")},
    {.name = TEXT("none"), .session_holder = TEXT("none"), .url = TEXT("")},
};

static const struct resolve_row {
    const char *name, *gateway;
    size_t n_known;
    const char *want; /* its URL, or the error */
} resolve_rows[] = {
    {"there", "apio-dev", 3, "https://dev"},
    {"unknown", "bwks", 2, "gateway \"bwks\" of proxy /api/v01/p1 is not in the configuration (known: apio-uat, apio-dev)"},
    {"none at all", "bwks", 0, "gateway \"bwks\" of proxy /api/v01/p1 is not in the configuration (known: none)"},
    {"other case", "Apio-Dev", 2,
     "gateway \"Apio-Dev\" of proxy /api/v01/p1 is not in the configuration (known: apio-uat, apio-dev); did you mean \"apio-dev\"?"},
    {"a session holder", "dev", 2, "gateway \"dev\" of proxy /api/v01/p1 is not in the configuration (known: apio-uat, apio-dev); did you mean \"apio-dev\"?"},
    {"no URL", "none", 3, "gateway \"none\" has no http(s) URL"},
};

static void resolves(const struct resolve_row *r)
{
    const struct cfg c = {.gateways = known, .n_gateways = r->n_known};
    const struct proxy_map m = {STR("/api/v01/p1"), STR("p1"), str_c(r->gateway)};
    const struct cfg_gateway *g = NULL;
    struct err e = {0};

    if (proxy_map_resolve(&c, &m, &g, &e) == 0) {
        assert_string_equal(g->url.p, r->want);
    } else {
        assert_int_equal(e.code, ERR_CONFIG);
        assert_string_equal(e.msg, r->want);
    }
}

/* ---- paths of proxies nobody started ----------------------------------------------------------- */

static const struct meant_row {
    const char *name, *path, *want;
} meant_rows[] = {
    {"the usual form", "/api/v01/p9/tenants/", "/api/v01/p9"},
    {"more digits", "/api/v01/p12", "/api/v01/p12"},
    {"of the menu", "/api/v01/pbx/tenants", "/api/v01/pbx"},
    {"longer name", "/api/v01/pbxs/tenants", ""},
    {"no number", "/api/v01/p/tenants", ""},
    {"not only a number", "/api/v01/p9x/tenants", ""},
    {"an area of the API", "/api/v01/playground", ""},
    {"elsewhere", "/api/v02/p9/x", ""},
};

static void guesses(const struct meant_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg c = {0};
    struct err e = {0};

    assert_int_equal(json_parse_copy(STR("{\"provisioning\":{\"gateways\":[null,{\"name\":\"x\"},{\"name\":\"PBX\",\"prefix\":\"/api/v01/pbx/\"}]}}"),
                                     &c.doc, a, &e),
                     0);
    assert_string_equal(str_cstr(a, proxy_prefix_meant(&c, str_c(r->path))), r->want);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, reads) + CASES(find_rows, finds) + CASES(resolve_rows, resolves) + CASES(meant_rows, guesses);
}
