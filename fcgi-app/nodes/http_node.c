/*
 * HTTP calls of nodes.
 */
#include "nodes/http_node.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "gateway/gw_http.h"
#include "gateway/mask.h"
#include "http/multipart.h"
#include "http/url.h"
#include "template/literal.h"

enum { RETRY_DEFAULT_MAX = 3 };

const char *const http_node_methods[] = {"get",   "post", "put",     "delete",
                                         "patch", "head", "options", NULL};
const char *const http_node_outputs[] = {"success", "error", "skip", "rollback", NULL};

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

/* ---- what is sent --------------------------------------------------------------------------- */

struct outgoing {
    struct gw_call call;
    struct http_header *headers;
    struct str shown; /* the body for the trace */
    struct str content_type;
};

static struct str header_value(const struct node_pairs *headers, const char *name)
{
    for (size_t i = 0; i < headers->n; i++)
        if (str_ieq(headers->items[i].name, str_c(name)))
            return headers->items[i].value;
    return STR_NONE;
}

static struct str form_text(const struct node_pairs *fields, struct arena *a)
{
    struct buf b;

    buf_init(&b, LIMIT_BODY, a);
    for (size_t i = 0; i < fields->n; i++) {
        if (i > 0)
            buf_putc(&b, '&');
        buf_add_str(&b, url_encode(fields->items[i].name, "", a));
        buf_putc(&b, '=');
        buf_add_str(&b, url_encode(fields->items[i].value, "", a));
    }
    return buf_str(&b);
}

static int multipart_parts(const struct node_pairs *fields, struct outgoing *o, struct arena *a,
                           struct err *e)
{
    struct http_part *parts = ARENA_ARRAY(a, struct http_part, fields->n + 1);
    struct val shown = val_dict_new(a, fields->n);

    for (size_t i = 0; i < fields->n; i++) {
        struct str value = str_trim(fields->items[i].value);

        if (value.len > 0 && value.p[0] == '#' &&
            str_starts(str_trim(str_slice(value, 1, value.len)), STR("documents."))) {
            err_set(e, ERR_NOT_FOUND, "unknown document in \"%.*s\"", STR_ARG(value));
            return -1;
        }
        parts[i] =
            (struct http_part){.name = fields->items[i].name, .value = fields->items[i].value};
        val_dict_set_str(shown, fields->items[i].name, val_str(fields->items[i].value));
    }
    o->call.parts = parts;
    o->call.n_parts = fields->n;
    o->shown = json_text(mask_value(shown, a), a);
    return 0;
}

static bool is_json(struct str text, struct arena *a)
{
    struct err ignored;
    struct val v;

    return json_lazy(str_trim(text), &v, a, &ignored) == 0;
}

static int body_out(struct node_run *r, const struct http_node *c, struct outgoing *o,
                    struct err *e)
{
    struct str given = header_value(&c->headers, "content-type");
    struct str text = c->text.p != NULL ? c->text : c->body.text;

    switch (c->body.form) {
    case NODE_BODY_MULTIPART:
        return multipart_parts(&c->body.fields, o, r->a, e);
    case NODE_BODY_FORM:
        o->call.body = form_text(&c->body.fields, r->a);
        o->content_type = STR("application/x-www-form-urlencoded");
        break;
    case NODE_BODY_DEFAULT:
        if (text.len == 0 && (str_ieq(c->method, STR("get")) || str_ieq(c->method, STR("head"))))
            return 0;
        o->call.body = text.p != NULL ? text : STR("");
        if (text.len > 0)
            o->content_type = c->json || is_json(text, r->a) ? STR("application/json")
                                                             : STR("text/plain; charset=utf-8");
        break;
    }
    if (given.p != NULL)
        o->content_type = STR_NONE;
    if (o->content_type.p != NULL)
        o->headers[o->call.n_headers++] =
            (struct http_header){STR("Content-Type"), o->content_type};
    o->shown =
        mask_body(given.p != NULL ? given : o->content_type, o->call.body, LIMIT_TRACE_BODY, r->a);
    return 0;
}

static int outgoing_make(struct node_run *r, const struct http_node *c, struct outgoing *o,
                         struct err *e)
{
    struct buf method;

    *o = (struct outgoing){.call = {.holder = c->session_holder, .url = c->url}};
    buf_init(&method, 32, r->a);
    for (size_t i = 0; i < c->method.len; i++)
        buf_putc(&method,
                 (char)(c->method.p[i] >= 'a' && c->method.p[i] <= 'z' ? c->method.p[i] - 32
                                                                       : c->method.p[i]));
    o->call.method = buf_str(&method);
    if (c->url.len == 0) {
        err_set(e, ERR_INVALID, "parameter \"url\" is empty");
        return -1;
    }
    o->headers = ARENA_ARRAY(r->a, struct http_header, c->headers.n + 3);
    for (size_t i = 0; i < c->headers.n; i++)
        if (c->headers.items[i].name.len > 0)
            o->headers[o->call.n_headers++] =
                (struct http_header){c->headers.items[i].name, c->headers.items[i].value};
    /* the same after a crash and for every retry, so that a careful server does the thing once */
    if (!str_eq_c(o->call.method, "GET") && !str_eq_c(o->call.method, "HEAD") &&
        !str_eq_c(o->call.method, "OPTIONS") &&
        header_value(&c->headers, "idempotency-key").p == NULL)
        o->headers[o->call.n_headers++] =
            (struct http_header){STR("Idempotency-Key"), node_idempotency_key(r)};
    if (body_out(r, c, o, e) != 0)
        return -1;
    o->call.headers = o->headers;
    return 0;
}

/* ---- what came back ------------------------------------------------------------------------- */

static struct val answer_body(const struct http_result *res, struct arena *a)
{
    struct str type = header_media_type(http_result_header(res, "content-type"), a),
               text = res->body;
    struct err ignored;
    struct val v;

    if (text.len == 0)
        return val_null();
    if (utf8_check(text) != text.len)
        return val_str(crypto_b64(a, text));
    if ((str_ends(type, STR("json")) ||
         (str_trim(text).len > 0 && (str_trim(text).p[0] == '{' || str_trim(text).p[0] == '['))) &&
        json_parse(text, &v, a, &ignored) == 0)
        return v;
    return val_str(text);
}

static struct val shown_headers(const struct http_header *headers, size_t n, struct arena *a)
{
    struct val out = val_dict_new(a, n);

    for (size_t i = 0; i < n; i++)
        val_dict_set_str(out, utf8_repair(a, headers[i].name),
                         mask_header(headers[i].name) || mask_key(headers[i].name)
                             ? VAL_STR_LIT(MASK_SHOWN)
                             : val_str(utf8_repair(a, headers[i].value)));
    return out;
}

static void trace(struct node_run *r, const struct http_node *c, const struct outgoing *o,
                  const struct gw_answer *ans, const struct err *failed, int64_t started_us,
                  struct str external_id)
{
    struct val in = val_dict_new(r->a, 4), out = val_dict_new(r->a, 3);
    struct str url = mask_url(utf8_repair(r->a, ans->url), r->a);
    struct node_trace t = {
        .status = failed != NULL ? 0 : ans->res.status,
        .session_holder = c->session_holder,
        .host = ans->host,
        .method = o->call.method,
        .url = url,
        .external_id = external_id,
        .started_us = started_us,
        .ended_us = clock_wall_us(&clock_system),
    };

    val_dict_set_c(in, "method", val_str(o->call.method));
    val_dict_set_c(in, "url", val_str(url));
    val_dict_set_c(in, "headers", shown_headers(ans->sent, ans->n_sent, r->a));
    val_dict_set_c(in, "body",
                   o->shown.p != NULL ? val_str(utf8_repair(r->a, o->shown)) : val_null());
    if (failed != NULL) {
        val_dict_set_c(out, "error", val_str_c(failed->msg));
    } else {
        val_dict_set_c(out, "status", val_int(ans->res.status));
        val_dict_set_c(out, "headers", shown_headers(ans->res.headers, ans->res.n_headers, r->a));
        val_dict_set_c(out, "body",
                       val_str(mask_body(http_result_header(&ans->res, "content-type"),
                                         ans->res.body, LIMIT_TRACE_BODY, r->a)));
    }
    t.input = json_text(in, r->a);
    t.output = json_text(out, r->a);
    node_trace(r, &t);
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
    return duration_parse(delay, clock_wall_us(&clock_system), 0, &p->delay_ms, e);
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

enum node_rc http_node_run(struct node_run *r, const struct http_node *c, struct err *e)
{
    struct outgoing o;
    struct policy policy;

    if (policy_read(c->retry, &policy, r->a, e) != 0 || outgoing_make(r, c, &o, e) != 0)
        return NODE_FAIL;
    for (int turn = r->tries + 1;; turn++) {
        int64_t started_us = clock_wall_us(&clock_system);
        struct str external_id = STR_NONE;
        struct val body = val_null();
        struct gw_answer ans;
        struct err why;
        bool failed = gw_http_do(node_http(r), node_cfg(r), &o.call, &ans, r->a, &why) != 0;

        if (!failed) {
            body = answer_body(&ans.res, r->a);
            if (c->audit_id)
                external_id = val_get_text(body, "_record_internal_id",
                                           val_get_text(body, "_internal_record_id", STR_NONE));
        }
        /* nothing was sent when the request itself was wrong */
        if (!failed || (why.code != ERR_INVALID && why.code != ERR_NOT_FOUND))
            trace(r, c, &o, &ans, failed ? &why : NULL, started_us, external_id);
        if (turn < policy.max && wants_retry(&policy, ans.res.status, failed ? &why : NULL)) {
            if (policy.delay_ms > 0)
                return node_wait_until(r, clock_wall_us(&clock_system) + policy.delay_ms * 1000,
                                       "retry", STR_NONE, "success");
            continue;
        }
        if (write_result(r, c, failed ? 0 : ans.res.status, body, failed ? &why : NULL, e) != 0)
            return NODE_FAIL;
        if (!failed)
            return leave(r, c, ans.res.status, e);
        *e = why;
        return NODE_FAIL;
    }
}
