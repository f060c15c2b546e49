/*
 * The request object that workflows see.
 *
 * Rule: workflow-engine.md 4.13; http-api.md 1 (bodies are parsed by content as well as by header).
 */
#include "engine/engine_int.h"

#include "base/json.h"
#include "base/utf8.h"
#include "engine/documents.h"
#include "http/header.h"
#include "http/multipart.h"
#include "http/url.h"

static bool looks_json(struct str text)
{
    text = str_trim(text);
    return text.len > 0 && (text.p[0] == '{' || text.p[0] == '[');
}

static int multipart_body(struct http_req *r, struct str raw, struct val *out, struct arena *a,
                          struct err *e)
{
    struct http_part *parts;
    size_t n;

    if (multipart_parse(r->content_type, raw, &parts, &n, a, e) != 0)
        return -1;
    *out = val_dict_new(a, n);
    for (size_t i = 0; i < n; i++) {
        struct str value = parts[i].filename.p != NULL ? doc_base_name(parts[i].filename) : parts[i].value;

        val_dict_set_str(*out, utf8_repair(a, parts[i].name), val_str(utf8_repair(a, value)));
    }
    return 0;
}

/* Text that is not UTF-8 travels as base64. */
static struct val text_body(struct str raw, struct arena *a)
{
    return val_str(utf8_check(raw) == raw.len ? raw : crypto_b64(a, raw));
}

/* By content, whatever the header says: clients send JSON without a type, or with that of a form.
 */
static bool json_by_content(struct str raw, struct val *out, struct arena *a)
{
    struct err ignored;

    return looks_json(raw) && utf8_check(raw) == raw.len && json_parse(raw, out, a, &ignored) == 0;
}

static int json_body(struct str raw, struct val *out, struct arena *a, struct err *e)
{
    if (utf8_check(raw) != raw.len) {
        err_set(e, ERR_INVALID, "the body is not UTF-8");
        return -1;
    }
    if (str_trim(raw).len == 0 || json_parse(raw, out, a, e) == 0)
        return 0;
    err_context(e, "the body is not JSON (line %d, column %d)", e->line, e->column);
    return -1;
}

static int body_value(struct http_req *r, struct val *out, struct arena *a, struct err *e)
{
    struct str type = header_media_type(r->content_type, a), raw;

    *out = val_null();
    if (r->body.len == 0)
        return 0;
    raw = str_dup(a, r->body); /* the run may outlive the request */
    if (str_eq_c(type, "application/json") || str_ends(type, STR("+json")))
        return json_body(raw, out, a, e);
    if (str_eq_c(type, "multipart/form-data"))
        return multipart_body(r, raw, out, a, e);
    if (json_by_content(raw, out, a))
        return 0;
    *out = str_eq_c(type, "application/x-www-form-urlencoded") ? url_query_parse(raw, a)
                                                               : text_body(raw, a);
    return 0;
}

static struct val headers_value(struct http_req *r, struct arena *a)
{
    static const char *const hidden[] = {"authorization", "cookie", "proxy-authorization"};
    struct http_header *list;
    size_t n = http_req_headers(r, &list);
    struct val out = val_dict_new(a, n);

    for (size_t i = 0; i < n; i++) {
        bool hide = false;

        for (size_t k = 0; k < COUNT_OF(hidden); k++)
            hide = hide || str_eq_c(list[i].name, hidden[k]);
        if (!hide)
            val_dict_set_str(out, str_dup(a, list[i].name),
                             val_str(str_dup(a, utf8_repair(a, list[i].value))));
    }
    return out;
}

static struct val text_copy(struct str s, struct arena *a)
{
    return val_str(str_dup(a, utf8_repair(a, s)));
}

int request_object(struct http_req *r, const struct route_match *m, struct val *out,
                   struct arena *a, struct err *e)
{
    /* a token in the query is the caller's: workflows do not see it and no row keeps it (http-api.md 1.3) */
    struct str query = url_query_without(r->query, "auth_token", a);
    struct val o = val_dict_new(a, 8), body;

    if (body_value(r, &body, a, e) != 0)
        return -1;
    val_dict_set_c(o, "body", body);
    val_dict_set_c(o, "content_type", text_copy(r->content_type, a));
    val_dict_set_c(o, "match_info",
                   val_is_undef(m->match_info) ? val_dict_new(a, 0) : val_copy(m->match_info, a));
    val_dict_set_c(o, "method", text_copy(r->method_name, a));
    val_dict_set_c(o, "params",
                   query.len > 0 ? url_query_parse(str_dup(a, query), a) : val_dict_new(a, 0));
    val_dict_set_c(o, "tail", text_copy(m->tail, a));
    val_dict_set_c(o, "url", text_copy(r->path, a));
    val_dict_set_c(o, "headers", headers_value(r, a));
    *out = o;
    return 0;
}
