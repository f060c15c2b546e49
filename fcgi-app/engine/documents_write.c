/*
 * Writing documents: sealed chunk by chunk, kept in memory while small, else in a nameless file of
 * sealed bytes, and stored in one short transaction at the end: a slow source holds no connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "engine/documents_int.h"
#include "http/header.h"

enum {
    SEALED_CHUNK = DOCUMENT_CHUNK + DOCUMENT_TAG,
    MEMORY_MAX = 4 * SEALED_CHUNK, /* sealed bytes before the file; also the pieces of an upload */
    ATTEMPTS = 4,                  /* of storing: a name taken meanwhile, a key renamed meanwhile */
};

struct doc_writer {
    struct documents *d;
    struct arena *a;
    struct doc_new n;
    unsigned char content_key[32];
    unsigned char plain[DOCUMENT_CHUNK];
    size_t n_plain;
    uint64_t chunk; /* number of the next one */
    int64_t size;   /* plain bytes */
    unsigned char sealed[MEMORY_MAX];
    size_t n_sealed;
    int fd; /* what did not fit into `sealed`, -1: nothing */
    int64_t n_file;
};

/* ---- names ----------------------------------------------------------------------------------- */

static int check_text(const char *what, struct str s, size_t max, struct err *e)
{
    if (utf8_check(s) != s.len) {
        err_set(e, ERR_INVALID, "%s of the document is not UTF-8", what);
        return -1;
    }
    if (utf8_len(s) > max) {
        err_set(e, ERR_INVALID, "%s of the document is longer than %zu characters", what, max);
        return -1;
    }
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] < 0x20 && s.p[i] != '\n' && s.p[i] != '\t' && s.p[i] != '\r') {
            err_set(e, ERR_INVALID, "%s of the document holds a control character", what);
            return -1;
        }
    }
    return 0;
}

static int check_name(struct str name, struct err *e)
{
    if (name.len == 0) {
        err_set(e, ERR_INVALID, "the document has no name");
        return -1;
    }
    if (check_text("the name", name, LIMIT_DOCUMENT_NAME, e) != 0)
        return -1;
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == '/' || name.p[i] == 0x7f) {
            err_set(e, ERR_INVALID, "\"%.*s\" is not the name of a document (no '/', no control "
                                    "characters)", STR_ARG(name));
            return -1;
        }
    }
    if (str_eq_c(name, ".") || str_eq_c(name, "..")) {
        err_set(e, ERR_INVALID, "\"%.*s\" is not the name of a document", STR_ARG(name));
        return -1;
    }
    return 0;
}

static int check_new(const struct doc_new *n, struct err *e)
{
    if (check_name(n->name, e) != 0 ||
        check_text("the description", n->description, LIMIT_DOCUMENT_TEXT, e) != 0 ||
        check_text("the type", n->mime_type, LIMIT_DOCUMENT_TEXT, e) != 0 ||
        check_text("the author", n->created_by, LIMIT_DOCUMENT_TEXT, e) != 0)
        return -1;
    return 0;
}

/* ---- sealing --------------------------------------------------------------------------------- */

int doc_create(struct documents *d, const struct doc_new *n, struct doc_writer **out, struct err *e)
{
    struct doc_writer *w;

    if (check_new(n, e) != 0)
        return -1;
    w = malloc(sizeof *w);
    if (w == NULL)
        abort();
    w->d = d;
    w->a = arena_new(1024);
    w->n = *n;
    w->n.name = str_dup(w->a, n->name);
    w->n.instance_on = str_dup(w->a, n->instance_on);
    w->n.description = str_dup(w->a, n->description);
    /* it becomes a header of the answer that sends the document: what cannot is no type */
    w->n.mime_type = n->mime_type.len > 0 && header_is_value(n->mime_type) ? str_dup(w->a, n->mime_type)
                                                                           : STR("application/octet-stream");
    w->n.created_by = str_dup(w->a, n->created_by);
    crypto_random(w->content_key, sizeof w->content_key);
    w->n_plain = w->n_sealed = 0;
    w->chunk = 0;
    w->size = w->n_file = 0;
    w->fd = -1;
    *out = w;
    return 0;
}

void doc_describe(struct doc_writer *w, struct str description, struct str created_by)
{
    w->n.description = str_dup(w->a, description);
    w->n.created_by = str_dup(w->a, created_by);
}

void doc_abort(struct doc_writer *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        close(w->fd);
    arena_free(w->a);
    crypto_wipe(w->content_key, sizeof w->content_key);
    crypto_wipe(w->plain, sizeof w->plain);
    free(w);
}

/* A file nobody can name: only sealed bytes go there.  A read-only system without /tmp: memory. */
static int spool_open(struct err *e)
{
    const char *dir = getenv("TMPDIR");
    int fd = open(dir != NULL && dir[0] == '/' ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        fd = memfd_create("document", MFD_CLOEXEC);
    if (fd < 0)
        err_set(e, ERR_INTERNAL, "cannot keep the document for a moment: %s", strerror(errno));
    return fd;
}

static int spool(struct doc_writer *w, struct err *e)
{
    size_t done = 0;

    if (w->fd < 0 && (w->fd = spool_open(e)) < 0)
        return -1;
    while (done < w->n_sealed) {
        ssize_t n = write(w->fd, w->sealed + done, w->n_sealed - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err_set(e, ERR_BUSY, "no room to keep the document for a moment");
            err_detail(e, "spool: %s", strerror(errno));
            return -1;
        }
        done += (size_t)n;
    }
    w->n_file += (int64_t)w->n_sealed;
    w->n_sealed = 0;
    return 0;
}

static int seal_chunk(struct doc_writer *w, bool last, struct err *e)
{
    if (w->n_sealed + w->n_plain + DOCUMENT_TAG > sizeof w->sealed && spool(w, e) != 0)
        return -1;
    document_chunk_seal(w->content_key, w->chunk++, last,
                        str_make((const char *)w->plain, w->n_plain), w->sealed + w->n_sealed);
    w->n_sealed += w->n_plain + DOCUMENT_TAG;
    w->n_plain = 0;
    return 0;
}

int doc_write(struct doc_writer *w, const void *p, size_t n, struct err *e)
{
    const unsigned char *in = p;

    if (n > LIMIT_DOCUMENT || w->size + (int64_t)n > (int64_t)LIMIT_DOCUMENT) {
        err_set(e, ERR_LIMIT, "document \"%.*s\" is larger than %llu MB", STR_ARG(w->n.name),
                (unsigned long long)(LIMIT_DOCUMENT / MIB));
        return -1;
    }
    w->size += (int64_t)n;
    while (n > 0) {
        size_t room = DOCUMENT_CHUNK - w->n_plain, take = n < room ? n : room;

        /* a full chunk is sealed when more follows: only then it is known not to be the last */
        if (room == 0) {
            if (seal_chunk(w, false, e) != 0)
                return -1;
            continue;
        }
        memcpy(w->plain + w->n_plain, in, take);
        w->n_plain += take;
        in += take;
        n -= take;
    }
    return 0;
}

/* ---- storing --------------------------------------------------------------------------------- */

/* The writing key, to be used once; made when an operator renamed the last one away. */
static int writing_key(struct documents *d, bool fresh, uint32_t *id, unsigned char key[32],
                       struct err *e)
{
    for (int round = fresh ? 1 : 0; round < 2; round++) {
        const struct cfg *c;
        const struct cfg_key *k;
        bool found;

        if (round == 1 && cfg_store_reload(d->cfg, e) != 0)
            return -1;
        c = cfg_get(d->cfg);
        k = cfg_key_active(c, DOCUMENT_LABEL);
        found = k != NULL && k->material.len == 32;
        if (found) {
            *id = k->id;
            memcpy(key, k->material.p, 32);
            cfg_key_used(k);
        }
        cfg_put(c);
        if (found)
            return 0;
    }
    err_set(e, ERR_CONFIG, "no key \"" DOCUMENT_LABEL "\" to seal documents with");
    return -1;
}

static int put_piece(struct db_conn *c, int64_t oid, int64_t at, const void *p, size_t n,
                     struct err *e)
{
    return db_exec(c, &doc_stmt_large_put,
                   DB_ARGS(DB_INT(oid), DB_INT(at), DB_BYTES(str_make(p, n))), NULL, e);
}

/* File, then what is in memory, into a large object; its number in *oid. */
static int gather(struct doc_writer *w, struct db_conn *c, int64_t *oid, struct err *e)
{
    unsigned char *piece = malloc(MEMORY_MAX);
    struct str text;
    int rc = -1;

    if (piece == NULL)
        abort();
    if (db_text(c, &doc_stmt_large, DB_NO_ARGS, &text, w->a, e) != 0 || !str_to_int(text, oid))
        goto out;
    for (int64_t at = 0; at < w->n_file;) {
        ssize_t n = pread(w->fd, piece, MEMORY_MAX, at);

        if (n <= 0) {
            err_set(e, ERR_INTERNAL, "the document could not be read back: %s", strerror(errno));
            goto out;
        }
        if (put_piece(c, *oid, at, piece, (size_t)n, e) != 0)
            goto out;
        at += n;
    }
    rc = put_piece(c, *oid, w->n_file, w->sealed, w->n_sealed, e);
out:
    free(piece);
    return rc;
}

static int insert(struct doc_writer *w, struct db_conn *c, int64_t id, uint32_t key_id,
                  struct str head, int64_t *stored, struct err *e)
{
    const struct doc_new *n = &w->n;
    struct db_arg args[11] = {
        DB_INT(id),
        DB_INT(n->instance_id),
        n->instance_on.len > 0 ? DB_STR(n->instance_on) : DB_TIME(n->instance_us),
        DB_STR(n->name),
        DB_STR(n->description),
        DB_STR(n->mime_type),
        DB_INT(w->size),
        n->created_by.len > 0 ? DB_STR(n->created_by) : DB_NULL,
        DB_INT(key_id),
        DB_BYTES(head),
    };
    int64_t oid = 0;

    if (w->fd < 0) {
        args[10] = DB_BYTES(str_make((const char *)w->sealed, w->n_sealed));
        return db_exec(c, &doc_stmt_insert, args, 11, stored, e);
    }
    if (gather(w, c, &oid, e) != 0)
        return -1;
    args[10] = DB_INT(oid);
    if (db_exec(c, &doc_stmt_insert_large, args, 11, stored, e) != 0)
        return -1;
    return db_exec(c, &doc_stmt_large_drop, DB_ARGS(DB_INT(oid)), NULL, e);
}

/* The same content in the row of a token: `id` stays. */
static int turn(struct doc_writer *w, struct db_conn *c, int64_t id, uint32_t key_id,
                struct str head, int64_t *stored, struct err *e)
{
    struct db_arg args[5] = {DB_INT(id), DB_INT(key_id), DB_BYTES(head), DB_INT(w->size)};
    int64_t oid = 0;

    if (w->fd < 0) {
        args[4] = DB_BYTES(str_make((const char *)w->sealed, w->n_sealed));
        return db_exec(c, &doc_stmt_turn, args, 5, stored, e);
    }
    if (gather(w, c, &oid, e) != 0)
        return -1;
    args[4] = DB_INT(oid);
    if (db_exec(c, &doc_stmt_turn_large, args, 5, stored, e) != 0)
        return -1;
    return db_exec(c, &doc_stmt_large_drop, DB_ARGS(DB_INT(oid)), NULL, e);
}

/* Once with the key at hand; *stored 0: the token is gone, or the key does not write any more. */
static int try_turn(struct doc_writer *w, struct db_conn *c, bool fresh_key, int64_t id,
                    int64_t *stored, struct err *e)
{
    unsigned char key[32], head[DOCUMENT_HEAD];
    uint32_t key_id = 0;

    if (writing_key(w->d, fresh_key, &key_id, key, e) != 0)
        return -1;
    document_head_seal(key_id, key, w->content_key, id, head);
    crypto_wipe(key, sizeof key);
    if (db_begin(c, e) != 0 ||
        turn(w, c, id, key_id, str_make((const char *)head, sizeof head), stored, e) != 0)
        return -1;
    return db_commit(c, e);
}

static int turn_token(struct doc_writer *w, int64_t id, struct err *e)
{
    struct db_conn *c = NULL;
    int64_t stored = 0;
    int rc = -1;

    if (seal_chunk(w, true, e) != 0 || db_get(w->d->db, &c, e) != 0)
        return -1;
    rc = try_turn(w, c, false, id, &stored, e);
    if (rc == 0 && stored == 0)
        rc = try_turn(w, c, true, id, &stored, e);
    db_put(w->d->db, c);
    if (rc == 0 && stored == 0) {
        err_set(e, ERR_NOT_FOUND, "no such token");
        rc = -1;
    }
    return rc;
}

int doc_reseal_token(struct documents *d, int64_t id, struct err *e)
{
    struct arena *a = arena_new(0);
    struct doc_reader *reader = NULL;
    struct doc_writer *w = NULL;
    struct doc_new n = {.name = STR("token")};
    struct document doc;
    char piece[16 * KIB];
    ptrdiff_t got = -1;
    int rc = -1;

    if (doc_open(d, id, &doc, &reader, a, e) != 0 || doc_create(d, &n, &w, e) != 0)
        goto out;
    while ((got = doc_read(reader, piece, sizeof piece, e)) > 0)
        if (doc_write(w, piece, (size_t)got, e) != 0)
            goto out;
    rc = got == 0 ? turn_token(w, id, e) : -1;
out:
    crypto_wipe(piece, sizeof piece);
    doc_abort(w);
    doc_close(reader);
    arena_free(a);
    return rc;
}

enum stored { STORED, STORE_AGAIN, STORE_KEY, STORE_FAILED };

/* One transaction: the old one of this name goes, the new one comes. */
static enum stored try_store(struct doc_writer *w, struct db_conn *c, bool fresh_key, int64_t *id,
                             struct err *e)
{
    unsigned char key[32], head[DOCUMENT_HEAD];
    uint32_t key_id = 0;
    int64_t stored = 0;
    struct str text;

    if (writing_key(w->d, fresh_key, &key_id, key, e) != 0)
        return STORE_FAILED;
    if (db_begin(c, e) != 0 || db_text(c, &doc_stmt_next, DB_ARGS(DB_INT(w->n.instance_id), DB_STR(w->n.name)), &text, w->a, e) != 0 ||
        !str_to_int(text, id))
        return STORE_FAILED;
    document_head_seal(key_id, key, w->content_key, *id, head);
    crypto_wipe(key, sizeof key);
    if (db_exec(c, &doc_stmt_forget, DB_ARGS(DB_INT(w->n.instance_id), DB_STR(w->n.name)), NULL,
                e) != 0)
        return STORE_FAILED;
    if (insert(w, c, *id, key_id, str_make((const char *)head, sizeof head), &stored, e) != 0) {
        db_rollback(c);
        return e->code == ERR_CONFLICT ? STORE_AGAIN : STORE_FAILED;
    }
    if (stored == 0) {
        db_rollback(c);
        err_set(e, ERR_BUSY, "the key \"" DOCUMENT_LABEL "\" changes all the time");
        return STORE_KEY;
    }
    return db_commit(c, e) == 0 ? STORED : STORE_FAILED;
}

int doc_commit(struct doc_writer *w, int64_t *id, struct err *e)
{
    struct db_conn *c = NULL;
    enum stored s = STORE_FAILED;
    bool fresh_key = false;
    int64_t new_id = 0;

    if (check_new(&w->n, e) != 0 || seal_chunk(w, true, e) != 0 || db_get(w->d->db, &c, e) != 0)
        goto out;
    for (int i = 0; i < ATTEMPTS; i++) {
        s = try_store(w, c, fresh_key, &new_id, e);
        if (s == STORED || s == STORE_FAILED)
            break;
        fresh_key = s == STORE_KEY;
    }
    if (s == STORED && id != NULL)
        *id = new_id;
out:
    db_put(w->d->db, c);
    doc_abort(w);
    return s == STORED ? 0 : -1;
}

int doc_put(struct documents *d, const struct doc_new *n, struct str bytes, int64_t *id,
            struct err *e)
{
    struct doc_writer *w;

    if (doc_create(d, n, &w, e) != 0)
        return -1;
    if (doc_write(w, bytes.p, bytes.len, e) != 0) {
        doc_abort(w);
        return -1;
    }
    return doc_commit(w, id, e);
}
