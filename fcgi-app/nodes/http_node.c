/*
 * HTTP calls of nodes: the call with its retries and its cache, the result, the choice of the output.
 */
#include "nodes/http_node_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "format/xml.h"
#include "gateway/mask.h"
#include "http/header.h"
#include "template/literal.h"

enum { RETRY_DEFAULT_MAX = 3 };

const char *const http_node_methods[] = {"get",   "post", "put",     "delete",
                                         "patch", "head", "options", NULL};
const char *const http_node_outputs[] = {"success", "error", "skip", "rollback", NULL};
const char *const http_node_retries[] = {"network", "timeout", "429", "4*",  "5*",
                                         "500",     "502",     "503", "504", NULL};
const char *const http_node_retry_names[] = {"retry_policy", "retry", NULL};

/* ---- status patterns ------------------------------------------------------------------------ */

static bool pattern_fits(struct str p, const char *digits)
{
    if (p.len == 0)
        return *digits == '\0';
    if (p.p[0] == '*') {
        for (const char *d = digits;; d++) {
            if (pattern_fits(str_slice(p, 1, p.len), d))
                return true;
            if (*d == '\0')
                return false;
        }
    }
    if (*digits == '\0' || (p.p[0] != *digits && p.p[0] != 'x' && p.p[0] != 'X'))
        return false;
    return pattern_fits(str_slice(p, 1, p.len), digits + 1);
}

struct str http_node_match(const struct node_strs *patterns, int status)
{
    struct str best = STR_NONE;
    int best_digits = -1;
    char text[16];

    snprintf(text, sizeof text, "%03d", status);
    for (size_t i = 0; i < patterns->n; i++) {
        struct str p = patterns->items[i];
        int digits = 0;

        if (!pattern_fits(p, text))
            continue;
        for (size_t k = 0; k < p.len; k++)
            digits += p.p[k] >= '0' && p.p[k] <= '9';
        if (digits > best_digits) {
            best = p;
            best_digits = digits;
        }
    }
    return best;
}

/* ---- what came back ------------------------------------------------------------------------- */

static struct val answer_text(struct str text, struct arena *a)
{
    return utf8_check(text) == text.len ? val_str(text) : val_str(crypto_b64(a, text));
}

static struct val answer_body(const struct http_node *c, const struct http_result *res,
                              struct arena *a)
{
    struct str type = header_media_type(http_result_header(res, "content-type"), a),
               text = res->body;
    struct str start = str_slice(str_trim(text), 0, 1);
    struct err ignored;
    struct val v;

    if (c->text_answer)
        return answer_text(text, a);
    if (text.len == 0)
        return val_null();
    if (c->xml && xml_parse(text, &v, a, &ignored) == 0)
        return v;
    if (c->xml || utf8_check(text) != text.len)
        return answer_text(text, a);
    if ((str_ends(type, STR("json")) || str_eq_c(start, "{") || str_eq_c(start, "[")) &&
        json_parse(text, &v, a, &ignored) == 0)
        return v;
    return val_str(text);
}

/* ---- the cache ------------------------------------------------------------------------------ */

/*
 * "GET and status < 400 -> stored and reused; other methods invalidate"; several keys: looked up by
 * the first, stored under all.  A cache that is away costs a call and a line in the log, no more.
 */
static struct str cache_store(const struct node_run *r)
{
    const struct cfg *cfg = node_cfg(r);

    return cfg != NULL ? cfg_text(cfg, "cache.store") : STR("");
}

static void cache_trouble(const struct err *e)
{
    log_err(LOG_WARN_LEVEL, "cache", e);
}

static struct str next_key(struct str *keys)
{
    struct str key = STR("");

    while (keys->len > 0 && key.len == 0)
        key = str_trim(str_cut(keys, ','));
    return key;
}

/* A kept answer: its trace is written; false when there is none. */
static bool cache_read(struct node_run *r, const struct http_node *c, const struct http_outgoing *o,
                       int *status, struct val *body)
{
    struct str keys = c->cache_key, key = next_key(&keys), text;
    struct node_trace t = {.session_holder = c->session_holder,
                           .method = o->call.method,
                           .cache_hit = true,
                           .started_us = clock_wall_us(&clock_system)};
    struct val kept, in;
    struct err e;

    if (key.len == 0 || !str_eq_c(o->call.method, "GET"))
        return false;
    if (gw_cache_get(gw_http_cache(node_http(r)), cache_store(r), key, &text, r->a, &e) != 0) {
        cache_trouble(&e);
        return false;
    }
    if (text.p == NULL || json_parse_kept(text, &kept, r->a, &e) != 0)
        return false;
    *status = (int)val_get_int(kept, "status", 200);
    *body = val_get(kept, "body");
    in = val_dict_new(r->a, 3);
    val_dict_set_c(in, "method", val_str(o->call.method));
    val_dict_set_c(in, "url", val_str(mask_url(utf8_repair(r->a, o->call.url), r->a)));
    val_dict_set_c(in, "cache_key", val_str(key));
    t.status = *status;
    t.url = val_text(val_get(in, "url"));
    t.input = json_text(in, r->a);
    t.output = json_text(mask_value(kept, r->a), r->a);
    t.output = str_slice(t.output, 0, LIMIT_TRACE_BODY);
    t.output = str_slice(t.output, 0, utf8_check(t.output));
    t.ended_us = clock_wall_us(&clock_system);
    node_trace(r, &t);
    return true;
}

/* After the request has gone out, answered or not. */
static void cache_write(struct node_run *r, const struct http_node *c, const struct http_outgoing *o,
                        bool failed, int status, struct val body)
{
    struct str keys = c->cache_key, key, text;
    bool get = str_eq_c(o->call.method, "GET");
    struct val kept;
    struct err e;

    if (keys.len == 0 || (get && (failed || status >= 400)))
        return;
    kept = val_dict_new(r->a, 2);
    val_dict_set_c(kept, "status", val_int(status));
    val_dict_set_c(kept, "body", body);
    text = get ? json_text(kept, r->a) : STR("");
    while ((key = next_key(&keys)).len > 0)
        if ((get ? gw_cache_put(gw_http_cache(node_http(r)), cache_store(r), key, text,
                                c->cache_ttl_s, &e)
                 : gw_cache_drop(gw_http_cache(node_http(r)), cache_store(r), key, &e)) != 0) {
            cache_trouble(&e);
            return;
        }
}

/* ---- retries -------------------------------------------------------------------------------- */

struct policy {
    struct node_strs conditions;
    int64_t delay_ms; /* 0: immediately */
    int max;          /* calls in all */
};

static int policy_read(struct val v, struct policy *p, struct arena *a, struct err *e)
{
    struct val list = val_get(v, "conditions"), max = val_get(v, "max");
    struct str delay = str_trim(val_get_text(v, "delay", STR("")));
    int64_t n = RETRY_DEFAULT_MAX;

    *p = (struct policy){.max = 1};
    if (!val_is(v, VAL_DICT) || val_count(list) == 0)
        return 0;
    p->conditions.items = ARENA_ARRAY(a, struct str, val_count(list));
    for (size_t i = 0; i < val_count(list); i++)
        p->conditions.items[p->conditions.n++] = str_trim(val_text(val_at(list, i)));
    if (val_is(max, VAL_INT))
        n = max.u.i;
    else if (val_text(max).len > 0 && !str_to_int(str_trim(val_text(max)), &n)) {
        err_set(e, ERR_INVALID, "parameter \"retry policy\": max is not a whole number");
        return -1;
    }
    p->max = n < 1 ? 1 : n > 1000 ? 1000 : (int)n;
    if (delay.len == 0 || str_eq_c(delay, "immediate"))
        return 0;
    return duration_parse(delay, clock_wall_us(&clock_system), STR(""), &p->delay_ms, e);
}

static bool wants_retry(const struct policy *p, int status, const struct err *failed)
{
    for (size_t i = 0; i < p->conditions.n; i++) {
        struct str c = p->conditions.items[i];
        const struct node_strs one = {&c, 1};

        if (failed != NULL ? (str_eq_c(c, "network") && failed->code == ERR_UPSTREAM) ||
                                 (str_eq_c(c, "timeout") && failed->code == ERR_TIMEOUT)
                           : http_node_match(&one, status).p != NULL)
            return true;
    }
    return false;
}

/* ---- the node ------------------------------------------------------------------------------- */

static enum node_rc leave(struct node_run *r, const struct http_node *c, int status, struct err *e)
{
    struct str code = http_node_match(&c->http_codes, status);

    if (code.p != NULL)
        return node_fire_str(r, code);
    if (status < 400 && (c->http_codes.n == 0 || node_linked(r, STR("success"))))
        return node_fire(r, "success");
    err_set(e, ERR_UPSTREAM, "%.*s answered %d",
            STR_ARG(c->session_holder.len > 0 ? c->session_holder : STR("the server")), status);
    return NODE_FAIL;
}

static int write_result(struct node_run *r, const struct http_node *c, int status, struct val body,
                        const struct err *failed, struct err *e)
{
    struct val result = val_dict_new(r->a, 3);

    val_dict_set_c(result, "status", val_int(status));
    val_dict_set_c(result, "body", body);
    if (failed != NULL)
        val_dict_set_c(result, "error", val_str_c(failed->msg));
    return node_set(r, &c->output, result, e);
}

/* An answer, fresh or kept: written, then the output chosen by the node or its caller. */
static enum node_rc answered(struct node_run *r, const struct http_node *c, int status,
                             struct val body, struct err *e)
{
    if (write_result(r, c, status, body, NULL, e) != 0)
        return NODE_FAIL;
    if (c->answer == NULL)
        return leave(r, c, status, e);
    *c->answer = (struct http_node_answer){status, body};
    return NODE_OK;
}

/* Other branches go on while this one waits for its answer. */
static int exchange(struct node_run *r, const struct http_outgoing *o, struct gw_answer *ans, struct err *e)
{
    struct gw_http *http = node_http(r);
    const struct cfg *cfg = node_cfg(r);
    int rc;

    node_blocks(r);
    rc = gw_http_do(http, cfg, &o->call, ans, r->a, e);
    node_goes_on(r);
    return rc;
}

enum node_rc http_node_run(struct node_run *r, const struct http_node *c, struct err *e)
{
    struct http_outgoing o;
    struct policy policy;
    struct val body = val_null();
    int status;

    if (policy_read(c->retry, &policy, r->a, e) != 0 || http_outgoing_make(r, c, &o, e) != 0)
        return NODE_FAIL;
    if (c->cache_ttl_s < 0) {
        err_set(e, ERR_INVALID, "parameter \"cache_ttl\" is negative");
        return NODE_FAIL;
    }
    if (c->cache_ttl_s > INT32_MAX) {
        err_set(e, ERR_INVALID, "parameter \"cache_ttl\" is more than %d", INT32_MAX);
        return NODE_FAIL;
    }
    if (cache_read(r, c, &o, &status, &body))
        return answered(r, c, status, body, e);
    for (int turn = r->tries + 1;; turn++) {
        int64_t started_us = clock_wall_us(&clock_system);
        struct str external_id = STR_NONE;
        struct gw_answer ans;
        struct err why;
        bool failed = exchange(r, &o, &ans, &why) != 0;
        /* nothing was sent when the request itself was wrong */
        bool sent = !failed || (why.code != ERR_INVALID && why.code != ERR_NOT_FOUND &&
                                why.code != ERR_UNAUTHORIZED);

        body = failed ? val_null() : answer_body(c, &ans.res, r->a);
        if (!failed && c->audit_id)
            external_id = val_get_text(body, "_record_internal_id",
                                       val_get_text(body, "_internal_record_id", STR_NONE));
        if (sent) {
            http_trace(r, c, &o, &ans, failed ? &why : NULL, started_us, external_id);
            cache_write(r, c, &o, failed, ans.res.status, body);
        }
        if (turn < policy.max && wants_retry(&policy, ans.res.status, failed ? &why : NULL)) {
            if (policy.delay_ms > 0)
                return node_wait_until(r, clock_wall_us(&clock_system) + policy.delay_ms * 1000,
                                       "retry", STR_NONE, "success");
            continue;
        }
        if (!failed)
            return answered(r, c, ans.res.status, body, e);
        if (write_result(r, c, 0, body, &why, e) != 0)
            return NODE_FAIL;
        *e = why;
        return NODE_FAIL;
    }
}
