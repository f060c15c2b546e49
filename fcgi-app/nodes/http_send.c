/*
 * HTTP calls of nodes: what goes out, and what the trace shows of it.
 */
#include "nodes/http_node_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "config/config.h"
#include "engine/documents.h"
#include "gateway/mask.h"
#include "http/multipart.h"
#include "http/url.h"

/* ---- what is sent --------------------------------------------------------------------------- */

static struct str header_value(const struct node_pairs *headers, const char *name)
{
    for (size_t i = 0; i < headers->n; i++)
        if (str_ieq(headers->items[i].name, str_c(name)))
            return headers->items[i].value;
    return STR_NONE;
}

static int form_text(const struct node_pairs *fields, struct str *out, struct arena *a, struct err *e)
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
    if (b.over) {
        err_set(e, ERR_LIMIT, "the form is larger than %zu bytes", b.max);
        return -1;
    }
    *out = buf_str(&b);
    return 0;
}

/* "# documents.<name>": the document itself, under its name and type (3.4). */
static int document_part(struct node_run *r, struct str name, struct http_part *part,
                         struct err *e)
{
    struct document d;

    if (node_document_read(r, name, &d, &part->value, e) != 0)
        return -1;
    part->filename = d.name;
    part->mime = d.mime_type;
    return 0;
}

static int multipart_parts(struct node_run *r, const struct node_pairs *fields,
                           struct http_outgoing *o, struct err *e)
{
    struct arena *a = r->a;
    struct http_part *parts = ARENA_ARRAY(a, struct http_part, fields->n + 1);
    struct val shown = val_dict_new(a, fields->n);
    struct str name;

    for (size_t i = 0; i < fields->n; i++) {
        parts[i] =
            (struct http_part){.name = fields->items[i].name, .value = fields->items[i].value};
        val_dict_set_str(shown, fields->items[i].name, val_str(fields->items[i].value));
        if (node_document_reference(fields->items[i].value, &name) &&
            document_part(r, name, &parts[i], e) != 0)
            return -1;
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

static int body_out(struct node_run *r, const struct http_node *c, struct http_outgoing *o,
                    struct err *e)
{
    struct str given = header_value(&c->headers, "content-type");
    struct str text = c->text.p != NULL ? c->text : c->body.text;

    switch (c->body.form) {
    case NODE_BODY_MULTIPART:
        return multipart_parts(r, &c->body.fields, o, e);
    case NODE_BODY_FORM:
        if (form_text(&c->body.fields, &o->call.body, r->a, e) != 0)
            return -1;
        o->content_type = STR("application/x-www-form-urlencoded");
        break;
    case NODE_BODY_DEFAULT:
        if (text.len == 0 && (str_ieq(c->method, STR("get")) || str_ieq(c->method, STR("head"))))
            return 0;
        o->call.body = text.p != NULL ? text : STR("");
        if (text.len > 0)
            o->content_type = c->xml                              ? STR("text/xml; charset=utf-8")
                              : c->json || is_json(text, r->a) ? STR("application/json")
                                                                  : STR("text/plain; charset=utf-8");
        break;
    }
    if (given.p != NULL && !c->json)
        o->content_type = STR_NONE;
    if (o->content_type.p != NULL)
        o->headers[o->call.n_headers++] =
            (struct http_header){STR("Content-Type"), o->content_type};
    o->shown = node_trace_body(r, o->content_type.p == NULL ? given : o->content_type, o->call.body);
    return 0;
}

/* For what changes something, unless the author sends a key of his own or the gateway wants none. */
static bool wants_key(struct node_run *r, const struct http_node *c, struct str method)
{
    const struct cfg *cfg = node_cfg(r);
    const struct cfg_gateway *g = c->gateway;

    if (g == NULL && cfg != NULL && c->session_holder.len > 0)
        g = cfg_session_holder(cfg, c->session_holder);
    return !str_eq_c(method, "GET") && !str_eq_c(method, "HEAD") && !str_eq_c(method, "OPTIONS") &&
           header_value(&c->headers, "idempotency-key").p == NULL &&
           (g == NULL || g->idempotency_key);
}

int http_outgoing_make(struct node_run *r, const struct http_node *c, struct http_outgoing *o,
                         struct err *e)
{
    struct buf method;

    *o = (struct http_outgoing){.call = {.holder = c->session_holder,
                                         .url = c->url,
                                         .gateway = c->gateway,
                                         .user_id = c->user_id,
                                         .user_or_fail = c->user_or_fail}};
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
        if (c->headers.items[i].name.len > 0 &&
            !(c->json && str_ieq(c->headers.items[i].name, STR("content-type"))))
            o->headers[o->call.n_headers++] =
                (struct http_header){c->headers.items[i].name, c->headers.items[i].value};
    /* the same after a crash and for every retry, so that a careful server does the thing once */
    if (wants_key(r, c, o->call.method))
        o->headers[o->call.n_headers++] =
            (struct http_header){STR("Idempotency-Key"), node_idempotency_key(r)};
    if (body_out(r, c, o, e) != 0)
        return -1;
    o->call.headers = o->headers;
    return 0;
}

/* ---- the trace ------------------------------------------------------------------------------ */

/* An object of the headers for a trace, secrets masked. */
static struct val http_shown_headers(const struct http_header *headers, size_t n, struct arena *a)
{
    struct val out = val_dict_new(a, n);

    for (size_t i = 0; i < n; i++)
        val_dict_set_str(out, utf8_repair(a, headers[i].name),
                         mask_header(headers[i].name) || mask_key(headers[i].name)
                             ? VAL_STR_LIT(MASK_SHOWN)
                             : val_str(utf8_repair(a, headers[i].value)));
    return out;
}

void http_trace(struct node_run *r, const struct http_node *c, const struct http_outgoing *o,
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
    val_dict_set_c(in, "headers", http_shown_headers(ans->sent, ans->n_sent, r->a));
    val_dict_set_c(in, "body",
                   o->shown.p != NULL ? val_str(utf8_repair(r->a, o->shown)) : val_null());
    if (failed != NULL) {
        val_dict_set_c(out, "error", val_str_c(failed->msg));
    } else {
        val_dict_set_c(out, "status", val_int(ans->res.status));
        val_dict_set_c(out, "headers", http_shown_headers(ans->res.headers, ans->res.n_headers, r->a));
        val_dict_set_c(out, "body",
                       val_str(node_trace_body(r, http_result_header(&ans->res, "content-type"), ans->res.body)));
    }
    t.input = json_text(in, r->a);
    t.output = json_text(out, r->a);
    node_trace(r, &t);
}
