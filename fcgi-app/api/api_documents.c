/*
 * Documents of transactions: upload, download, deletion (http-api.md 5.15); the list stands with
 * the other lists of a transaction.
 *
 * Bytes flow: an upload is sealed as it arrives, a download is opened as the client takes it.
 */
#include <pthread.h>
#include <time.h>

#include "api/transaction.h"
#include "base/arena.h"
#include "base/log.h"
#include "engine/documents.h"
#include "http/header.h"
#include "http/multipart_stream.h"

enum {
    PIECE = 64 * 1024,
    STREAM_HIGH = 512 * 1024, /* queued towards nginx: wait until it has taken it */
    STALL_S = 60,             /* a client that takes nothing for so long is given up */
    FIELD_MAX = 8 * 1024,
};

/* ---- upload ---------------------------------------------------------------------------------- */

static ptrdiff_t read_body(void *ctx, char *p, size_t n)
{
    struct http_req *r = ctx;

    if (!r->body_pending) {
        /* a small body is at hand already */
        if (n > r->body.len)
            n = r->body.len;
        if (n > 0)
            memcpy(p, r->body.p, n);
        r->body = str_slice(r->body, n, r->body.len);
        return (ptrdiff_t)n;
    }
    return http_req_read(r, p, n);
}

struct upload {
    struct api_call *c;
    struct doc_new n;
    struct doc_writer *w;
};

static int take_file(struct upload *u, struct multipart_stream *m, const struct http_part *part,
                     struct err *e)
{
    char *piece = arena_alloc(u->c->a, PIECE);
    ptrdiff_t got;

    if (u->w != NULL) {
        err_set(e, ERR_INVALID, "content is there twice");
        return -1;
    }
    u->n.name = doc_base_name(part->filename);
    u->n.mime_type = part->mime;
    if (doc_create(engine_documents(u->c->api->engine), &u->n, &u->w, e) != 0)
        return -1;
    while ((got = multipart_stream_read(m, piece, PIECE, e)) > 0)
        if (doc_write(u->w, piece, (size_t)got, e) != 0)
            return -1;
    return got < 0 ? -1 : 0;
}

static int take_field(struct upload *u, struct multipart_stream *m, struct str name, struct err *e)
{
    struct str text;

    if (multipart_stream_text(m, FIELD_MAX, &text, e) != 0)
        return -1;
    if (str_eq_c(name, "description"))
        u->n.description = text;
    else if (str_eq_c(name, "created_by") && u->c->user->entity.len > 0 && text.len > 0)
        u->n.created_by = text; /* an entity speaks for its people */
    return 0;
}

static int take_form(struct upload *u, struct err *e)
{
    struct multipart_stream *m;
    struct http_part part;
    int rc;

    if (multipart_stream_new(&m, u->c->req->content_type, read_body, u->c->req, u->c->a, e) != 0)
        return -1;
    while ((rc = multipart_stream_next(m, &part, e)) > 0) {
        if (part.filename.p != NULL && str_eq_c(part.name, "content"))
            rc = take_file(u, m, &part, e);
        else
            rc = take_field(u, m, part.name, e);
        if (rc != 0)
            return -1;
    }
    if (rc == 0 && u->w == NULL) {
        err_set(e, ERR_INVALID, "content: a file is required");
        return -1;
    }
    return rc;
}

/* The body is the file: its name comes as ?name= or by Content-Disposition. */
static int take_raw(struct upload *u, struct err *e)
{
    struct http_req *r = u->c->req;
    struct str disposition = http_req_header(r, "content-disposition");
    char *piece = arena_alloc(u->c->a, PIECE);
    ptrdiff_t got;

    u->n.name = http_req_param(r, "name");
    if (u->n.name.len == 0)
        u->n.name = doc_disposition_name(disposition, u->c->a);
    if (u->n.name.len == 0) {
        err_set(e, ERR_INVALID, "the name of the document is missing: send a form with the file "
                                "\"content\", or ?name= with the bytes");
        return -1;
    }
    if (http_req_param(r, "description").p != NULL)
        u->n.description = http_req_param(r, "description");
    u->n.mime_type = r->content_type;
    if (doc_create(engine_documents(u->c->api->engine), &u->n, &u->w, e) != 0)
        return -1;
    while ((got = read_body(r, piece, PIECE)) > 0)
        if (doc_write(u->w, piece, (size_t)got, e) != 0)
            return -1;
    if (got < 0)
        err_set(e, ERR_INVALID, "the body broke off");
    return got < 0 ? -1 : 0;
}

int transaction_document_post(struct api_call *c, struct err *e)
{
    struct upload u = {.c = c};
    struct str type = header_media_type(c->req->content_type, c->a);
    struct transaction t;
    int64_t id = 0;

    if (transaction_open(c, &t, e) != 0)
        return -1;
    /* the upload takes its time: no connection is held meanwhile */
    db_put(c->api->db, c->conn);
    c->conn = NULL;
    u.n = (struct doc_new){
        .instance_id = t.id, .instance_on = str_dup(c->a, t.on), .created_by = c->user->username};
    if ((str_eq_c(type, "multipart/form-data") ? take_form(&u, e) : take_raw(&u, e)) != 0) {
        doc_abort(u.w);
        return -1;
    }
    doc_describe(u.w, u.n.description, u.n.created_by);
    if (doc_commit(u.w, &id, e) != 0 || db_get(c->api->db, &c->conn, e) != 0)
        return -1;
    api_audit(c, "create", "documents", u.n.name);
    api_answer_id(c, "id", id);
    return 0;
}

/* ---- download -------------------------------------------------------------------------------- */

/* What the worker waits for. */
struct drain {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done, gone;
};

static void on_drain(void *arg, bool gone)
{
    struct drain *d = arg;

    pthread_mutex_lock(&d->lock);
    d->done = true;
    d->gone = d->gone || gone;
    pthread_cond_signal(&d->cond);
    pthread_mutex_unlock(&d->lock);
}

/* Send and, when too much is queued, wait; false: the client is gone or takes nothing. */
static bool send_piece(struct http_req *r, struct drain *d, const char *p, size_t n)
{
    struct timespec until;
    bool ok;

    pthread_mutex_lock(&d->lock);
    d->done = false;
    pthread_mutex_unlock(&d->lock);
    if (http_stream_write(r, p, n) <= STREAM_HIGH)
        return true;
    until = clock_in_ms(STALL_S * 1000);
    pthread_mutex_lock(&d->lock);
    while (!d->done && !d->gone)
        if (pthread_cond_timedwait(&d->cond, &d->lock, &until) != 0)
            break;
    ok = d->done && !d->gone;
    pthread_mutex_unlock(&d->lock);
    return ok;
}

static void drain_init(struct drain *d)
{
    *d = (struct drain){.done = false};
    pthread_mutex_init(&d->lock, NULL);
    clock_cond_init(&d->cond);
}

static void send_head(struct api_call *c, const struct document *doc)
{
    http_reply_header(c->req, STR("Content-Type"), doc->mime_type);
    http_reply_header(c->req, STR("Content-Disposition"), doc_disposition(doc->name, c->a));
    http_reply_header(c->req, STR("X-Content-Type-Options"), STR("nosniff"));
    if (doc->size >= 0)
        http_reply_header(c->req, STR("Content-Length"),
                          str_printf(c->a, "%lld", (long long)doc->size));
    http_stream_begin(c->req, 200);
}

/* The first piece is there already: what cannot be opened was answered as an error. */
static void send_document(struct api_call *c, struct doc_reader *reader, char *piece, ptrdiff_t got)
{
    struct drain d;
    struct err e = {0};
    bool ok = true;

    drain_init(&d);
    http_stream_on_drain(c->req, on_drain, &d);
    while (got > 0 && ok) {
        ok = send_piece(c->req, &d, piece, (size_t)got);
        if (ok)
            got = doc_read(reader, piece, PIECE, &e);
    }
    if (got < 0)
        log_err(LOG_ERROR_LEVEL, "document.broken_off", &e);
    http_stream_end(c->req, got != 0);
    pthread_cond_destroy(&d.cond);
    pthread_mutex_destroy(&d.lock);
}

int transaction_document_get(struct api_call *c, struct err *e)
{
    struct doc_reader *reader = NULL;
    struct transaction t;
    struct document doc;
    char *piece = arena_alloc(c->a, PIECE);
    ptrdiff_t got;
    int64_t id;

    if (transaction_open(c, &t, e) != 0 || api_id(c, 1, "document", &id, e) != 0)
        return -1;
    db_put(c->api->db, c->conn);
    c->conn = NULL;
    if (doc_open(engine_documents(c->api->engine), id, &doc, &reader, c->a, e) != 0)
        return -1;
    if (doc.instance_id != t.id) {
        doc_close(reader);
        err_set(e, ERR_NOT_FOUND, "no such document");
        return -1;
    }
    got = doc_read(reader, piece, PIECE, e);
    if (got < 0) {
        doc_close(reader);
        return -1;
    }
    send_head(c, &doc);
    c->replied = true;
    send_document(c, reader, piece, got);
    doc_close(reader);
    return 0;
}

/* ---- deletion -------------------------------------------------------------------------------- */

int transaction_document_delete(struct api_call *c, struct err *e)
{
    struct transaction t;
    int64_t id;

    if (transaction_open(c, &t, e) != 0 || api_id(c, 1, "document", &id, e) != 0 ||
        doc_delete(engine_documents(c->api->engine), t.id, id, e) != 0)
        return -1;
    api_audit(c, "delete", "documents", c->params[1]);
    return 0;
}

bool api_streams(const struct http_req *r)
{
    return r->method == HTTP_POST && str_starts(r->path, STR("/api/v01/transactions/")) &&
           str_ends(r->path, STR("/documents"));
}
