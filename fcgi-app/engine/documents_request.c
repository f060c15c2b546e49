/*
 * Documents at the two ends of a route: files of a form become documents of the new instance, and
 * an instance may answer with one (workflow-engine.md 4.13, 5.1.5).
 */
#include "base/arena.h"
#include "engine/documents_int.h"
#include "engine/engine_int.h"
#include "http/header.h"
#include "http/multipart.h"
#include "http/url.h"

struct str doc_base_name(struct str name)
{
    ptrdiff_t slash = str_rfind_char(name, '/'), back = str_rfind_char(name, '\\');
    ptrdiff_t at = slash > back ? slash : back;

    return str_slice(name, (size_t)(at + 1), name.len);
}

struct str doc_disposition_name(struct str header, struct arena *a)
{
    struct str extended = header_param(header, "filename*", a), charset = str_cut(&extended, '\'');

    (void)str_cut(&extended, '\''); /* the language */
    if (str_ieq(charset, STR("utf-8")))
        return doc_base_name(url_decode(extended, false, a));
    return doc_base_name(header_param(header, "filename", a));
}

struct str doc_disposition(struct str name, struct arena *a)
{
    struct str ascii = str_dup(a, name);
    char *p = (char *)(uintptr_t)ascii.p;

    for (size_t i = 0; i < ascii.len; i++)
        if (p[i] == '"' || p[i] == '\\' || (unsigned char)p[i] < 0x20 || (unsigned char)p[i] > 0x7e)
            p[i] = '_';
    /* some clients decode "%41" in the plain form: they are given the other one too */
    if (str_eq(ascii, name) && str_find_char(name, '%') < 0)
        return str_printf(a, "attachment; filename=\"%.*s\"", STR_ARG(ascii));
    return str_printf(a, "attachment; filename=\"%.*s\"; filename*=UTF-8''%.*s", STR_ARG(ascii),
                      STR_ARG(url_encode(name, "", a)));
}

bool request_has_files(struct http_req *r)
{
    return str_eq_c(header_media_type(r->content_type, r->a), "multipart/form-data");
}

int request_documents(struct run *r, struct http_req *req, struct err *e)
{
    struct http_part *parts;
    size_t n;

    if (!request_has_files(req) || req->body.len == 0)
        return 0;
    if (multipart_parse(req->content_type, req->body, &parts, &n, req->a, e) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct doc_new doc = {
            .instance_id = r->in->id,
            .instance_us = r->in->created_us,
            .name = doc_base_name(parts[i].filename),
            .mime_type = parts[i].mime,
            .created_by = r->in->owner,
        };

        if (parts[i].filename.len > 0 &&
            doc_put(r->en->documents, &doc, parts[i].value, NULL, e) != 0)
            return -1;
    }
    return 0;
}

int answer_document(struct run *r, struct err *e)
{
    struct str name = str_trim(val_text(r->in->doc_response));
    struct val kept = val_dict_new(r->a, 3);
    struct answer *ans = &r->answer;
    struct document doc;

    if (name.len == 0) {
        err_set(e, ERR_INTERNAL, "the answer of the workflow names no document");
        return -1;
    }
    if (instance_document(r->in, name, &doc, r->a, e) != 0 ||
        doc_read_all(r->en->documents, doc.id, &doc, &ans->body, r->a, e) != 0)
        return -1;
    ans->status = 200;
    ans->content_type = doc.mime_type;
    ans->headers = ARENA_NEW(r->a, struct http_header);
    ans->headers[0] =
        (struct http_header){STR("Content-Disposition"), doc_disposition(doc.name, r->a)};
    ans->n_headers = 1;
    val_dict_set_c(kept, "status", val_int(200));
    val_dict_set_c(kept, "document", val_str(doc.name));
    ans->kept = kept;
    return 0;
}
