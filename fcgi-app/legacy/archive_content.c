/*
 * The stored bytes of one document of an old database, fetched in pieces: all of them come from one
 * snapshot, so they may be read as often as somebody wants.
 */
#include "base/arena.h"
#include "legacy/archive_int.h"

enum { PIECE = 256 * 1024 };

int old_content_open(struct old_content *o, const struct archive_content *from, struct str id, struct arena *a, struct err *e)
{
    const struct db_arg args[1] = {DB_STR(id)};
    PGresult *res = NULL;

    *o = (struct old_content){.from = from, .id = id, .size = -1, .a = arena_new(0)};
    if (db_query_sql(from->c, from->size_sql, args, 1, &res, a, e) != 0) {
        err_context(e, "the old database");
        return -1;
    }
    if (PQntuples(res) > 0 && !db_is_null(res, 0, 0))
        o->size = db_int(res, 0, 0);
    return 0;
}

void old_content_close(struct old_content *o)
{
    if (o->a != NULL)
        arena_free(o->a);
    o->a = NULL;
}

int old_content_piece(struct old_content *o, int64_t at, struct str *out, struct err *e)
{
    const struct db_arg args[3] = {DB_STR(o->id), DB_INT(at + 1), DB_INT((int64_t)PIECE)};
    PGresult *res = NULL;

    if (at < o->at || at >= o->at + (int64_t)o->window.len) {
        arena_reset(o->a);
        o->window = STR("");
        if (db_query_sql(o->from->c, o->from->piece_sql, args, 3, &res, o->a, e) != 0) {
            err_context(e, "the old database");
            return -1;
        }
        if (PQntuples(res) > 0)
            o->window = db_bytes(res, 0, 0, o->a);
        o->at = at;
    }
    *out = str_slice(o->window, (size_t)(at - o->at), o->window.len);
    if (out->len > 0)
        return 0;
    err_set(e, ERR_INTERNAL, "the old database: the content of a document is not as long as it says");
    return -1;
}

static ptrdiff_t read_piece(void *ctx, uint64_t offset, void *p, size_t n, struct err *e)
{
    struct old_content *o = ctx;
    struct str piece;

    if ((int64_t)offset >= o->size)
        return 0;
    if (old_content_piece(o, (int64_t)offset, &piece, e) != 0)
        return -1;
    if (n > piece.len)
        n = piece.len;
    memcpy(p, piece.p, n);
    return (ptrdiff_t)n;
}

struct fernet_source old_content_source(struct old_content *o)
{
    return (struct fernet_source){read_piece, o};
}
