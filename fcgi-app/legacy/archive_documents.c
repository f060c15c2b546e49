/*
 * Documents of an old database: opened with the old keys and sealed anew while they come, one by one, in
 * pieces; what no key signed gives no piece.
 *
 * What no key opens is copied byte for byte, to be opened when somebody brings the key: a later
 * import with that key replaces the copy.
 */
#include "base/arena.h"
#include "base/fault.h"
#include "legacy/archive_int.h"

enum { PLAIN = 16 * 1024 };

const struct db_stmt archive_stmt_document = {
    "archive_document", "SELECT id, head IS NULL, octet_length(content), mime_type FROM documents WHERE instance_id = $1::bigint AND name = $2", 2};
const struct db_stmt archive_stmt_document_piece = {
    "archive_document_piece", "SELECT substring(content from $2::integer for $3::integer) FROM documents WHERE id = $1::bigint", 3};
/* A copy comes in pieces: gathered in a large object of the same transaction. */
const struct db_stmt archive_stmt_large = {"archive_large", "SELECT lo_create(0)::bigint", 0};
const struct db_stmt archive_stmt_large_put = {"archive_large_put", "SELECT lo_put($1::bigint::oid, $2::bigint, $3::bytea)", 3};
const struct db_stmt archive_stmt_copy = {
    "archive_copy",
    "INSERT INTO documents (instance_id, instance_on, name, description, mime_type, created_by, content) VALUES ($1::bigint, "
    "$2::timestamptz, $3, $4, $5, $6, lo_get($7::bigint::oid))",
    7};
const struct db_stmt archive_stmt_large_drop = {"archive_large_drop", "SELECT lo_unlink($1::bigint::oid)", 1};

/* One document on its way. */
struct moving {
    struct archiving *w;
    const struct archive_content *from;
    struct arena *a;
    struct val item;
    struct doc_new n;
    struct old_content content;
    struct fernet_source src;
    size_t key;  /* which signed it */
    bool opened; /* one did */
};

/* What is here of that name, copied before because no key opened it. */
enum { THERE_COPY = THERE_OTHER + 1 };

static const char *shown(struct moving *m)
{
    return arena_printf(m->a, "%.*s %.*s %.*s", STR_ARG(m->from->table), STR_ARG(m->from->key),
                        STR_ARG(val_get_text(m->item, "id", STR("?"))));
}

static void say(struct moving *m, const char *text)
{
    plan_gap(&m->w->pl, "%s: %s", shown(m), text);
}

static int leave(struct moving *m, const char *why)
{
    m->w->ar->documents.skipped++;
    say(m, why);
    return 0;
}

/* ---- the old one ----------------------------------------------------------------------------- */

/* *fault NULL: its bytes are at hand. */
static int find(struct moving *m, const char **fault, struct err *e)
{
    if (old_content_open(&m->content, m->from, val_get_text(m->item, "id", STR("")), m->a, e) != 0)
        return -1;
    m->src = old_content_source(&m->content);
    if (m->content.size < 0)
        *fault = "it has no content";
    else if (m->content.size > (int64_t)ARCHIVE_TOKEN_MAX)
        *fault = arena_printf(m->a, "it is larger than %d MB", (int)(LIMIT_DOCUMENT / MIB));
    return 0;
}

/* False: its bytes cannot be had; else m->opened says whether a key signed them. */
static bool verify(struct moving *m, struct err *e)
{
    const struct legacy_archive *ar = m->w->ar;
    struct err why = {0};

    m->opened = ar->n_keys > 0 && fernet_verify(&m->src, ar->keys, ar->n_keys, &m->key, NULL, &why) == 0;
    if (m->opened || ar->n_keys == 0 || why.code == ERR_CONFIG)
        return true;
    *e = why;
    return false;
}

/* Its plain bytes, piece by piece, until `take` says false; a bad end makes it one that no key opens. */
static int each_piece(struct moving *m, bool (*take)(void *ctx, struct str piece), void *ctx, struct err *e)
{
    struct fernet_stream *s = fernet_open(&m->src, &m->w->ar->keys[m->key]);
    char plain[PLAIN];
    struct err why = {0};
    ptrdiff_t n;

    while ((n = fernet_read(s, plain, sizeof plain, &why)) > 0 && take(ctx, str_make(plain, (size_t)n)))
        continue;
    fernet_close(s);
    crypto_wipe(plain, sizeof plain);
    if (n >= 0)
        return 0;
    m->opened = m->opened && why.code != ERR_CONFIG;
    if (why.code == ERR_CONFIG)
        return 0;
    *e = why;
    return -1;
}

/* ---- ours ------------------------------------------------------------------------------------ */

struct compared {
    struct doc_reader *ours;
    bool same;
    struct err why;
};

static bool compare_piece(void *ctx, struct str piece)
{
    struct compared *c = ctx;
    char ours[PLAIN];

    while (c->same && piece.len > 0) {
        ptrdiff_t n = doc_read(c->ours, ours, piece.len < sizeof ours ? piece.len : sizeof ours, &c->why);

        c->same = n > 0 && memcmp(ours, piece.p, (size_t)n) == 0;
        piece = str_slice(piece, n > 0 ? (size_t)n : 0, piece.len);
    }
    crypto_wipe(ours, sizeof ours);
    return c->same;
}

static int compare(struct moving *m, int64_t id, int *out, struct err *e)
{
    struct compared c = {.same = true};
    struct document doc;
    char more;
    int rc = 0;

    *out = THERE_OTHER;
    if (doc_open(m->w->t->documents, id, &doc, &c.ours, m->a, &c.why) != 0)
        c.same = false;
    else
        rc = each_piece(m, compare_piece, &c, e);
    if (rc == 0 && c.same && m->opened && doc_read(c.ours, &more, 1, &c.why) == 0)
        *out = THERE_SAME;
    doc_close(c.ours);
    if (c.why.code != ERR_DB)
        return rc;
    *e = c.why;
    return -1;
}

/* Is the copy that is here the same, byte for byte? */
static int compare_copy(struct moving *m, int64_t id, int64_t size, int *out, struct err *e)
{
    struct arena *a = arena_new(0);
    PGresult *res = NULL;
    struct str theirs;
    bool same = size == m->content.size;
    int rc = 0;

    for (int64_t at = 0; rc == 0 && same && at < size; at += (int64_t)theirs.len) {
        arena_reset(a);
        rc = old_content_piece(&m->content, at, &theirs, e);
        if (rc == 0)
            rc = db_query_in(m->w->t->c, &archive_stmt_document_piece,
                             DB_ARGS(DB_INT(id), DB_INT(at + 1), DB_INT((int64_t)theirs.len)), &res, a, e);
        same = rc == 0 && PQntuples(res) == 1 && theirs.len > 0 && str_eq(db_bytes(res, 0, 0, a), theirs);
    }
    arena_free(a);
    *out = same ? THERE_COPY : THERE_OTHER;
    return rc;
}

static int look(struct moving *m, int *out, struct err *e)
{
    PGresult *res = NULL;

    *out = THERE_NOT;
    if (m->n.instance_id == 0)
        return 0;
    if (db_query_in(m->w->t->c, &archive_stmt_document, DB_ARGS(DB_INT(m->n.instance_id), DB_STR(m->n.name)), &res, m->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0)
        return 0;
    if (db_bool(res, 0, 1))
        return compare_copy(m, db_int(res, 0, 0), db_int(res, 0, 2), out, e);
    *out = THERE_OTHER;
    if (m->opened && str_eq(db_str(res, 0, 3), m->n.mime_type))
        return compare(m, db_int(res, 0, 0), out, e);
    return 0;
}

/* ---- one ------------------------------------------------------------------------------------- */

static int copy_bytes(struct moving *m, int64_t oid, struct err *e)
{
    struct str piece;

    for (int64_t at = 0; at < m->content.size; at += (int64_t)piece.len)
        if (old_content_piece(&m->content, at, &piece, e) != 0 ||
            db_exec(m->w->t->c, &archive_stmt_large_put, DB_ARGS(DB_INT(oid), DB_INT(at), DB_BYTES(piece)), NULL, e) != 0)
            return -1;
    return 0;
}

static int copy(struct moving *m, int there, struct err *e)
{
    const struct doc_new *n = &m->n;
    struct db_conn *c = m->w->t->c;
    struct str text;
    int64_t oid;

    m->w->ar->documents.unreadable++;
    say(m, arena_printf(m->a, "no key in \"keys\" opens it (tried %d keys); %s", m->w->ar->n_rows,
                        there == THERE_OTHER ? "what is here of that name stays" : "copied as is, state unreadable"));
    if (there != THERE_NOT || m->w->t->dry)
        return 0;
    if (db_begin(c, e) != 0 || db_text(c, &archive_stmt_large, DB_NO_ARGS, &text, m->a, e) != 0 || !str_to_int(text, &oid) ||
        copy_bytes(m, oid, e) != 0 ||
        db_exec(c, &archive_stmt_copy,
                DB_ARGS(DB_INT(n->instance_id), DB_STR(n->instance_on), DB_STR(n->name), DB_STR(n->description), DB_STR(n->mime_type),
                        n->created_by.len > 0 ? DB_STR(n->created_by) : DB_NULL, DB_INT(oid)), NULL, e) != 0 ||
        db_exec(c, &archive_stmt_large_drop, DB_ARGS(DB_INT(oid)), NULL, e) != 0)
        return -1;
    return db_commit(c, e);
}

struct sealing {
    struct doc_writer *writer;
    struct err why;
    bool refused;
};

static bool seal_piece(void *ctx, struct str piece)
{
    struct sealing *s = ctx;

    s->refused = doc_write(s->writer, piece.p, piece.len, &s->why) != 0;
    return !s->refused;
}

/* Not ours to store: its name, its size. */
static int unfit(struct moving *m, const struct err *why, struct err *e)
{
    if (why->code == ERR_INVALID || why->code == ERR_LIMIT)
        return leave(m, arena_printf(m->a, "%s", why->msg));
    *e = *why;
    return -1;
}

static int seal(struct moving *m, int there, struct err *e)
{
    struct sealing s = {.writer = NULL};

    if (!m->w->t->dry) {
        if (doc_create(m->w->t->documents, &m->n, &s.writer, &s.why) != 0)
            return unfit(m, &s.why, e);
        if (each_piece(m, seal_piece, &s, e) != 0 || s.refused || !m->opened) {
            doc_abort(s.writer);
            return s.refused ? unfit(m, &s.why, e) : m->opened ? -1 : copy(m, there, e);
        }
        if (doc_commit(s.writer, NULL, &s.why) != 0)
            return unfit(m, &s.why, e);
    }
    if (there == THERE_NOT)
        m->w->ar->documents.added++;
    else
        m->w->ar->documents.replaced++;
    return 0;
}

int archive_decide(struct archiving *w, const char *shown, struct str name, enum archive_there there, bool *take, struct err *e)
{
    struct archive_counts *n = &w->ar->documents;

    *take = there == THERE_NOT || (there == THERE_OTHER && w->t->conflict == LEGACY_REPLACE);
    if (there == THERE_SAME)
        n->unchanged++;
    if (there != THERE_OTHER || *take)
        return 0;
    if (w->t->conflict == LEGACY_FAIL) {
        err_set(e, ERR_CONFLICT, "conflict: document \"%.*s\" differs from what is there; choose --on-conflict=keep or replace",
                STR_ARG(name));
        return -1;
    }
    n->kept++;
    plan_gap(&w->pl, "%s: another document of that name is here and stays (--on-conflict=replace takes the imported one)", shown);
    return 0;
}

static int decide(struct moving *m, int there, struct err *e)
{
    bool take = true;

    if (!m->opened)
        return copy(m, there, e);
    if (there != THERE_COPY && archive_decide(m->w, shown(m), m->n.name, (enum archive_there)there, &take, e) != 0)
        return -1;
    return take ? seal(m, there, e) : 0;
}

struct doc_new archive_document(struct val instance, struct val item)
{
    struct str type = val_get_text(item, "mime_type", STR(""));

    return (struct doc_new){
        .instance_id = val_get_int(instance, OUR_ID, 0),
        .instance_on = val_get_text(instance, OUR_ON, STR("")),
        .name = doc_base_name(val_get_text(item, "name", STR(""))),
        .description = val_get_text(item, "description", STR("")),
        .mime_type = type.len > 0 ? type : STR("application/octet-stream"),
        .created_by = val_get_text(item, "username", STR("")),
    };
}

static int one(struct moving *m, struct err *e)
{
    struct val instance = val_get_str(m->w->instances, val_get_text(m->item, "instance", STR("")));
    const char *fault = NULL;
    int there;

    if (!val_is(instance, VAL_DICT))
        return leave(m, "the instance it belongs to is not among those that were read");
    if (archive_is_running(instance))
        return leave(m, "the instance it belongs to still runs: let it finish or close it, then import again");
    if (!m->w->t->dry && !val_is(val_get(instance, OUR_ID), VAL_INT))
        return leave(m, "the instance it belongs to was not imported");
    if (find(m, &fault, e) != 0)
        return -1;
    if (fault != NULL)
        return leave(m, fault);
    m->n = archive_document(instance, m->item);
    if (!verify(m, e) || look(m, &there, e) != 0 || decide(m, there, e) != 0)
        return -1;
    FAULT_DIE("import", STR("documents"));
    return 0;
}

int archive_token(struct archiving *w, const struct archive_content *from, struct val item, bool twin, struct err *e)
{
    struct moving m = {.w = w, .from = from, .a = arena_new(0), .item = item};
    int rc;

    w->ar->documents.read++;
    rc = twin ? leave(&m, "its instance has another document of that name: rename one of them, then import again") : one(&m, e);
    old_content_close(&m.content);
    arena_free(m.a);
    archive_progress(w);
    return rc;
}
