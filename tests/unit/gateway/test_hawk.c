/*
 * Hawk: MACs, payload hashes and the server's clock, against published values.
 */
#include "gateway/southbound.h"

#include "base/json.h"
#include "support/cases.h"

#define KEY "werxhqb98rpaxn39848xrunpaw3489ruxnpa98w4rxn"
#define URL "http://example.com:8000/resource/1?b=1&a=2"

static const struct row {
    const char *name;
    const char *extras, *method, *url, *type, *body;
    const char *want; /* header, or the error behind '!' */
} rows[] = {
    {"GET", "{\"ext\": \"some-app-ext-data\"}", "GET", URL, "", "",
     "Hawk id=\"dh37fgj492je\", ts=\"1353832234\", nonce=\"j4h3g2\", ext=\"some-app-ext-data\", "
     "mac=\"6R4rV5iE+NPoym+WwjeHzjAGXUtLNIxmo1vpMofpLAE=\""},
    {"POST with a payload hash", "{\"ext\": \"some-app-ext-data\"}", "POST", URL,
     "Text/Plain; charset=utf-8", "Thank you for flying Hawk",
     "Hawk id=\"dh37fgj492je\", ts=\"1353832234\", nonce=\"j4h3g2\", "
     "hash=\"Yi9LfIIFRtBEPt74PVmbTF/xVAwPn7ub15ePICfgnuY=\", "
     "ext=\"some-app-ext-data\", mac=\"aSe1DERmZuRl3pI36/9BdZmnErTw3sNzOOAUlfeKjVw=\""},
    {"host in capitals", "{\"ext\": \"some-app-ext-data\"}", "GET",
     "http://EXAMPLE.com:8000/resource/1?b=1&a=2", "", "",
     "Hawk id=\"dh37fgj492je\", ts=\"1353832234\", nonce=\"j4h3g2\", ext=\"some-app-ext-data\", "
     "mac=\"6R4rV5iE+NPoym+WwjeHzjAGXUtLNIxmo1vpMofpLAE=\""},
    {"application and delegation",
     "{\"ext\": \"some-app-ext-data\", \"app\": \"app1\", \"dlg\": \"dlg1\"}", "GET", URL, "", "",
     "Hawk id=\"dh37fgj492je\", ts=\"1353832234\", nonce=\"j4h3g2\", ext=\"some-app-ext-data\", "
     "mac=\"6595zWfR7VFCsU2xEeUgMg5htr20YeKJUB2QTmEplzY=\", app=\"app1\", dlg=\"dlg1\""},
    {"a quote", "{\"ext\": \"a\\\"b\"}", "GET", URL, "", "",
     "!gateway g: hawk values must not hold quotes, backslashes or control characters"},
};

static void headers(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {
        .name = STR("g"), .hawk_id = STR("dh37fgj492je"), .hawk_algorithm = STR("sha256")};
    struct gw_request q = {str_c(r->method), str_c(r->url), str_c(r->type), str_c(r->body)};
    struct err e = {0};
    struct str out = STR("");

    g.hawk_key = secret_new(a, KEY, sizeof KEY - 1);
    assert_int_equal(json_parse(str_c(r->extras), &g.extra_params, a, &e), 0);
    if (r->want[0] == '!') {
        assert_int_equal(gw_hawk(&g, &q, STR("j4h3g2"), 1353832234, &out, a, &e), -1);
        assert_string_equal(e.msg, r->want + 1);
    } else {
        assert_int_equal(gw_hawk(&g, &q, STR("j4h3g2"), 1353832234, &out, a, &e), 0);
        assert_string_equal(str_cstr(a, out), r->want);
    }
    arena_free(a);
}

#define TSM "z5QBMrxKpjj/1OPfWaYrOajuW8cjtj1eyXLwac3ad1Y="

static const struct clock_row {
    const char *name, *challenge;
    int64_t want; /* 0: tells no time */
} clock_rows[] = {
    {"proved", "Hawk ts=\"1353832999\", tsm=\"" TSM "\", error=\"Stale timestamp\"", 1353832999},
    {"other order", "Hawk error=\"ts=0\",tsm=\"" TSM "\",ts=\"1353832999\"", 1353832999},
    {"another time", "Hawk ts=\"1353832998\", tsm=\"" TSM "\"", 0},
    {"no proof", "Hawk ts=\"1353832999\"", 0},
    {"no number", "Hawk ts=\"x\", tsm=\"" TSM "\"", 0},
    {"another scheme", "Basic ts=\"1353832999\", tsm=\"" TSM "\"", 0},
    {"plain", "Hawk", 0},
    {"nothing", "", 0},
};

static void clocks(const struct clock_row *r)
{
    struct arena *a = arena_new(0);
    struct cfg_gateway g = {.name = STR("g"), .hawk_algorithm = STR("sha256")};
    int64_t got = 0;

    g.hawk_key = secret_new(a, KEY, sizeof KEY - 1);
    assert_int_equal(gw_hawk_time(&g, str_c(r->challenge), &got, a), r->want != 0);
    if (r->want != 0)
        assert_int_equal(got, r->want);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, headers) + CASES(clock_rows, clocks);
}
