/*
 * Reading documents: pieces of the stored bytes are fetched as they are needed, opened chunk by
 * chunk, and handed out only when their seal was right.
 *
 * Content of the former product (a Fernet token, head null) is read twice: once for its MAC, once
 * to decrypt it.  When such a document is resealed while somebody reads it, the reader opens it
 * again where it was.
 */
#include <stdlib.h>

#include "alarm/alarm.h"
#include "base/arena.h"
#include "base/log.h"
#include "engine/documents_int.h"
#include "engine/engine_int.h"

enum { PIECE = 4 * (DOCUMENT_CHUNK + DOCUMENT_TAG) }; /* stored bytes fetched at a time */

struct doc_reader {
    struct documents *d;
    struct arena *a; /* for life */
    int64_t id;
    char *name;
    int64_t pos; /* plain bytes given so far */
    bool legacy;

    struct arena *window_a;
    struct str window; /* stored bytes from `window_at` */
    int64_t window_at;
    int64_t stored_len;

    /* ours */
    unsigned char content_key[32];
    size_t chunk;
    uint64_t next; /* number of the next chunk */
    bool ended;
    unsigned char *plain;
    size_t at, n;

    /* the former product's */
    struct fernet_source src;
    struct fernet_stream *token;
    bool moved; /* it is one of ours now */
};

/* ---- words ----------------------------------------------------------------------------------- */

/* People are told: one alarm per document, however often it is met. */
static void tell(const struct doc_reader *r, const char *why)
{
    const struct alarm x = {
        .key = "document_damaged",
        .subject = str_printf(r->a, "%lld", (long long)r->id),
        .level = ALARM_MAJOR,
        .message = str_c(why),
    };
    struct db_conn *c = NULL;
    struct err e;

    if (db_get(r->d->db, &c, &e) != 0 || alarm_raise(c, &x, &e) != 0)
        log_err(LOG_WARN_LEVEL, "document.alarm", &e);
    db_put(r->d->db, c);
}

/* "seal does not open" becomes what a person can read; each broken document is logged where it is
 * met. */
static int damaged(const struct doc_reader *r, struct err *e)
{
    err_set(e, ERR_INTERNAL, "document \"%s\" is damaged (seal does not open)", r->name);
    log_error("document.damaged", "document=%lld name=" LOG_Q, (long long)r->id, r->name);
    tell(r, e->msg);
    return -1;
}

static int gone(const struct doc_reader *r, struct err *e)
{
    err_set(e, ERR_GONE, "document \"%s\" was deleted or replaced while it was read", r->name);
    return -1;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool is_token_key(const struct cfg_key *k)
{
    return str_starts(k->algorithm, STR("fernet"));
}

/* The readings of the key of a token, or of all such keys when its row names none. */
static size_t token_keys(const struct cfg *c, int64_t key_id, struct fernet_key *out, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_keys; i++) {
        const struct cfg_key *k = &c->keys[i];

        if (key_id != 0 ? k->id != (uint32_t)key_id : !is_token_key(k))
            continue;
        if (n + FERNET_READINGS_MAX > max)
            break;
        n += fernet_readings(secret_text(k->material), out + n);
    }
    return n;
}

/* A key another process made a moment ago is not in the snapshot yet: look again once. */
static const struct cfg *keys_with(struct documents *d, int64_t key_id)
{
    const struct cfg *c = cfg_get(d->cfg);
    struct err ignored;

    if (key_id == 0 || cfg_key(c, (uint32_t)key_id) != NULL)
        return c;
    cfg_put(c);
    if (cfg_store_reload(d->cfg, &ignored) != 0)
        log_err(LOG_WARN_LEVEL, "document.keys", &ignored);
    return cfg_get(d->cfg);
}

static int key_missing(const struct doc_reader *r, int64_t key_id, struct err *e)
{
    err_set(e, ERR_INTERNAL, "document \"%s\" cannot be opened: its key (id %lld) is missing",
            r->name, (long long)key_id);
    return -1;
}

/* ---- stored bytes ---------------------------------------------------------------------------- */

static int fetch(struct doc_reader *r, int64_t at, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int rc = -1;

    arena_reset(r->window_a);
    r->window = STR_NONE;
    if (db_get(r->d->db, &c, e) != 0 ||
        db_query(c, &doc_stmt_piece, DB_ARGS(DB_INT(r->id), DB_INT(at + 1), DB_INT((int64_t)PIECE)),
                 &res, e) != 0)
        goto out;
    if (PQntuples(res) == 0) {
        rc = gone(r, e);
        goto out;
    }
    if (db_bool(res, 0, 0) != r->legacy) {
        r->moved = true;
        rc = gone(r, e);
        goto out;
    }
    r->window = db_bytes(res, 0, 1, r->window_a);
    r->window_at = at;
    rc = 0;
out:
    PQclear(res);
    db_put(r->d->db, c);
    return rc;
}

/* Stored bytes at an offset, as many as the window has, at least `least` unless they end before. */
static int stored(struct doc_reader *r, int64_t at, size_t least, struct str *out, struct err *e)
{
    int64_t end = r->window_at + (int64_t)r->window.len;
    bool have = r->window.p != NULL && at >= r->window_at &&
                (at + (int64_t)least <= end || end == r->stored_len);

    if (!have && fetch(r, at, e) != 0)
        return -1;
    *out = str_slice(r->window, (size_t)(at - r->window_at), r->window.len);
    return 0;
}

/* ---- ours ------------------------------------------------------------------------------------ */

static int next_chunk(struct doc_reader *r, struct err *e)
{
    size_t sealed = r->chunk + DOCUMENT_TAG;
    int64_t at = (int64_t)(r->next * sealed), left = r->stored_len - at;
    bool last = left <= (int64_t)sealed;
    struct str bytes;

    if (left < DOCUMENT_TAG)
        return damaged(r, e);
    if (last)
        sealed = (size_t)left;
    if (stored(r, at, sealed, &bytes, e) != 0)
        return -1;
    if (bytes.len < sealed ||
        !document_chunk_open(r->content_key, r->next, last, str_slice(bytes, 0, sealed), r->plain))
        return damaged(r, e);
    r->next++;
    r->ended = last;
    r->at = 0;
    r->n = sealed - DOCUMENT_TAG;
    return 0;
}

static ptrdiff_t read_ours(struct doc_reader *r, void *p, size_t n, struct err *e)
{
    while (r->at == r->n && !r->ended)
        if (next_chunk(r, e) != 0)
            return -1;
    if (n > r->n - r->at)
        n = r->n - r->at;
    memcpy(p, r->plain + r->at, n);
    r->at += n;
    return (ptrdiff_t)n;
}

/* ---- the former product's -------------------------------------------------------------------- */

static ptrdiff_t read_stored(void *ctx, uint64_t offset, void *p, size_t n, struct err *e)
{
    struct doc_reader *r = ctx;
    struct str bytes;

    if ((int64_t)offset >= r->stored_len)
        return 0;
    if (stored(r, (int64_t)offset, 1, &bytes, e) != 0)
        return -1;
    if (n > bytes.len)
        n = bytes.len;
    memcpy(p, bytes.p, n);
    return (ptrdiff_t)n;
}

static int open_token(struct doc_reader *r, int64_t key_id, struct err *e)
{
    enum { MAX = 16 * FERNET_READINGS_MAX };
    struct fernet_key *keys = calloc(MAX, sizeof *keys);
    const struct cfg *c = keys_with(r->d, key_id);
    size_t n, which;
    int rc = -1;

    if (keys == NULL)
        abort();
    if (key_id != 0 && cfg_key(c, (uint32_t)key_id) == NULL) {
        rc = key_missing(r, key_id, e);
        goto out;
    }
    n = token_keys(c, key_id, keys, MAX);
    r->src = (struct fernet_source){read_stored, r};
    if (fernet_verify(&r->src, keys, n, &which, NULL, e) != 0) {
        if (e->code == ERR_CONFIG)
            rc = damaged(r, e);
        goto out;
    }
    r->token = fernet_open(&r->src, &keys[which]);
    rc = 0;
out:
    cfg_put(c);
    crypto_wipe(keys, MAX * sizeof *keys);
    free(keys);
    return rc;
}

static ptrdiff_t read_token(struct doc_reader *r, void *p, size_t n, struct err *e)
{
    ptrdiff_t got = fernet_read(r->token, p, n, e);

    return got < 0 && e->code == ERR_CONFIG ? damaged(r, e) : got;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_head(struct doc_reader *r, int64_t key_id, struct str head, struct err *e)
{
    const struct cfg *c = keys_with(r->d, key_id);
    const struct cfg_key *k = cfg_key(c, (uint32_t)key_id);
    int rc = -1;

    if (k == NULL)
        rc = key_missing(r, key_id, e);
    else if (k->material.len != 32 ||
             document_head_open(k->material.p, head, r->id, r->content_key, &r->chunk, e) != 0)
        rc = damaged(r, e);
    else
        rc = 0;
    cfg_put(c);
    if (rc == 0)
        r->plain = arena_alloc(r->a, r->chunk);
    return rc;
}

/* By the stored bytes, whatever the column says; a cut end shows while reading. */
static int64_t plain_size(const struct doc_reader *r)
{
    int64_t sealed = (int64_t)r->chunk + DOCUMENT_TAG;
    int64_t chunks = r->chunk > 0 ? (r->stored_len + sealed - 1) / sealed : 0;

    return r->stored_len - chunks * DOCUMENT_TAG;
}

/* From the row, however often: `out` may be NULL. */
static int open_row(struct doc_reader *r, struct document *out, struct arena *a, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    struct document row;
    int64_t key_id;
    struct str head;
    int rc = -1;

    arena_reset(r->window_a);
    r->window = STR_NONE;
    if (db_get(r->d->db, &c, e) != 0 ||
        db_query(c, &doc_stmt_open, DB_ARGS(DB_INT(r->id), DB_INT((int64_t)PIECE)), &res, e) != 0)
        goto out;
    db_put(r->d->db, c);
    c = NULL;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such document");
        goto out;
    }
    doc_row(res, 0, &row, a);
    r->name = str_cstr(r->a, row.name);
    key_id = db_int(res, 0, 8);
    r->legacy = db_is_null(res, 0, 9);
    head = db_bytes(res, 0, 9, r->a);
    r->stored_len = db_int(res, 0, 10);
    r->moved = false;
    if (!db_is_null(res, 0, 11)) {
        r->window = db_bytes(res, 0, 11, r->window_a);
        r->window_at = 0;
    }
    rc = r->legacy ? open_token(r, key_id, e) : open_head(r, key_id, head, e);
    row.size = r->legacy ? -1 : plain_size(r);
    if (out != NULL)
        *out = row;
out:
    PQclear(res);
    db_put(r->d->db, c);
    return rc;
}

int doc_open(struct documents *d, int64_t id, struct document *out, struct doc_reader **reader,
             struct arena *a, struct err *e)
{
    struct doc_reader *r = calloc(1, sizeof *r);

    if (r == NULL)
        abort();
    r->d = d;
    r->id = id;
    r->a = arena_new(0);
    r->window_a = arena_new(0);
    /* resealed between its row and its first bytes: the row says so now */
    if (open_row(r, out, a, e) != 0 && (!r->moved || open_row(r, out, a, e) != 0)) {
        doc_close(r);
        return -1;
    }
    *reader = r;
    return 0;
}

/* Resealed while it was read: open it again and go on behind what was given. */
static int open_again(struct doc_reader *r, struct err *e)
{
    fernet_close(r->token);
    r->token = NULL;
    if (open_row(r, NULL, r->a, e) != 0)
        return -1;
    if (r->legacy)
        return gone(r, e);
    r->next = (uint64_t)r->pos / r->chunk;
    r->ended = false;
    if (next_chunk(r, e) != 0)
        return -1;
    r->at = (size_t)((uint64_t)r->pos % r->chunk);
    return r->at <= r->n ? 0 : damaged(r, e);
}

ptrdiff_t doc_read(struct doc_reader *r, void *p, size_t n, struct err *e)
{
    ptrdiff_t got;

    if (n == 0)
        return 0;
    got = r->legacy ? read_token(r, p, n, e) : read_ours(r, p, n, e);
    if (got < 0 && r->moved && r->legacy) {
        if (open_again(r, e) != 0)
            return -1;
        got = read_ours(r, p, n, e);
    }
    if (got > 0)
        r->pos += got;
    return got;
}

void doc_close(struct doc_reader *r)
{
    if (r == NULL)
        return;
    fernet_close(r->token);
    if (r->plain != NULL)
        crypto_wipe(r->plain, r->chunk);
    crypto_wipe(r->content_key, sizeof r->content_key);
    arena_free(r->window_a);
    arena_free(r->a);
    free(r);
}

int doc_read_all(struct documents *d, int64_t id, struct document *out, struct str *bytes,
                 struct arena *a, struct err *e)
{
    struct doc_reader *r = NULL;
    struct buf b;
    ptrdiff_t got = -1;

    if (doc_open(d, id, out, &r, a, e) != 0)
        return -1;
    buf_init(&b, LIMIT_DOCUMENT, a);
    if (out->size > 0 && out->size <= (int64_t)LIMIT_DOCUMENT)
        (void)buf_reserve(&b, (size_t)out->size);
    for (;;) {
        char piece[16 * KIB];

        got = doc_read(r, piece, sizeof piece, e);
        if (got <= 0)
            break;
        buf_add(&b, piece, (size_t)got);
    }
    doc_close(r);
    if (got == 0 && b.over) {
        err_set(e, ERR_LIMIT, "document \"%.*s\" is larger than %llu MB", STR_ARG(out->name),
                (unsigned long long)(LIMIT_DOCUMENT / MIB));
        return -1;
    }
    *bytes = b.p != NULL ? buf_str(&b) : STR("");
    return got == 0 ? 0 : -1;
}

struct documents *documents_new(struct db *db, struct cfg_store *cfg)
{
    struct documents *d = calloc(1, sizeof *d);

    if (d == NULL)
        abort();
    d->db = db;
    d->cfg = cfg;
    return d;
}

void documents_free(struct documents *d)
{
    free(d);
}

struct documents *engine_documents(struct engine *en)
{
    return en->documents;
}
