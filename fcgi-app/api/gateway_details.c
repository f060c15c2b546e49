/*
 * What a gateway recorded behind a call: traces with ?details=1 carry it (gateway-proxy.md 6.4, http-api.md 5.15).
 *
 * It is asked for under the platform's session, so what it answers is masked like everything else we show.
 */
#include "api/trace_view.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "gateway/gw_http.h"
#include "gateway/mask.h"
#include "http/url.h"

enum { RECORDS_MAX = 20, ALL_MS = 2000, CONTENT_MAX = 256 * 1024 };

/* south_data: a text that holds a list of messages; the content of each is XML or JSON of the switch. */
static struct str shown(struct str south, struct arena *a)
{
    struct val list;
    struct err e;

    if (south.len == 0 || json_parse_copy(south, &list, a, &e) != 0 || !val_is(list, VAL_LIST))
        return STR("");
    for (size_t i = 0; i < val_count(list); i++) {
        struct str content = val_get_text(val_at(list, i), "content", STR(""));
        bool xml = str_starts(str_trim(content), STR("<"));

        if (val_is(val_at(list, i), VAL_DICT))
            val_dict_set_c(val_at(list, i), "content",
                           val_str(mask_body(xml ? STR("text/xml") : STR("application/json"), content, CONTENT_MAX, a)));
    }
    return json_text(list, a);
}

/* The record of one call; undefined when it cannot be had in the time left. */
static struct val record(struct api_call *c, const struct cfg_gateway *g, struct str id, int64_t left_ms)
{
    struct cfg_gateway brief = *g; /* the same, less patient */
    struct gw_call call = {.gateway = &brief,
                           .method = STR("GET"),
                           .url = str_printf(c->a, "/local/audit_records/%.*s/", STR_ARG(url_encode(id, "", c->a)))};
    struct gw_answer out;
    struct val v, details;
    struct err e = {0};

    brief.timeout_s = left_ms > 1000 ? 2 : 1;
    if (gw_http_do(engine_http(c->api->engine), c->cfg, &call, &out, c->a, &e) != 0 ||
        json_parse(out.res.body, &v, c->a, &e) != 0) {
        log_err(LOG_INFO_LEVEL, "gateway.record", &e);
        return val_undef(NULL);
    }
    if (out.res.status != 200 || !val_is(v, VAL_DICT))
        return val_undef(NULL);
    details = val_dict_new(c->a, 1);
    val_dict_set_c(details, "south_data", val_str(shown(val_get_text(v, "south_data", STR("")), c->a)));
    return details;
}

static void add_all(struct api_call *c, struct val traces)
{
    int64_t until = clock_mono_ms(&clock_system) + ALL_MS;
    int asked = 0;

    for (size_t i = 0; val_is(traces, VAL_LIST) && i < val_count(traces) && asked < RECORDS_MAX; i++) {
        struct str id = val_get_text(val_at(traces, i), "external_id", STR(""));
        struct str holder = val_get_text(val_at(traces, i), "session_holder", STR(""));
        const struct cfg_gateway *g = holder.len > 0 ? cfg_session_holder(c->cfg, holder) : NULL;
        int64_t left = until - clock_mono_ms(&clock_system);
        struct val details;

        if (id.len == 0 || g == NULL)
            continue;
        if (left <= 0)
            return;
        asked++;
        details = record(c, g, id, left);
        if (val_is(details, VAL_DICT))
            val_dict_set_c(val_at(traces, i), "gateway_details", details);
    }
}

int traces_with_details(struct api_call *c, struct err *e)
{
    struct val v;

    if (!str_eq(http_req_param(c->req, "details"), STR("1")))
        return 0;
    if (json_parse_copy(c->text, &v, c->a, e) != 0)
        return -1;
    db_put(c->api->db, c->conn); /* not held while gateways think */
    c->conn = NULL;
    add_all(c, val_get(v, "traces"));
    c->text = json_text(v, c->a);
    return 0;
}
