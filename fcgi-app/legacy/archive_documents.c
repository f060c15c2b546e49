/*
 * Documents of an old database: fetched one by one, opened with the old keys, sealed anew.
 *
 * What no key opens is copied byte for byte, to be opened when somebody brings the key: a later
 * import with that key replaces the copy.
 */
#include "base/arena.h"
#include "base/fault.h"
#include "legacy/archive_int.h"

const struct db_stmt archive_stmt_document = {
    "archive_document",
    "SELECT id, head IS NULL, head IS NULL AND content = $3::bytea, mime_type FROM documents WHERE instance_id = $1::bigint AND name = $2",
    3};
const struct db_stmt archive_stmt_copy = {
    "archive_copy",
    "INSERT INTO documents (instance_id, instance_on, name, description, mime_type, created_by, content) VALUES ($1::bigint, "
    "$2::timestamptz, $3, $4, $5, $6, $7::bytea)",
    7};

/* One document on its way. */
struct moving {
    struct archiving *w;
    const struct archive_content *from;
    struct arena *a;
    struct val item;
    struct doc_new n;
    struct str token;
    struct secret plain;
    bool opened;
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

/* NULL: its bytes are at hand. */
static int fetch(struct moving *m, const char **fault, struct err *e)
{
    const struct db_arg args[1] = {DB_STR(val_get_text(m->item, "id", STR("")))};
    PGresult *res = NULL;

    if (db_query_sql(m->from->c, m->from->sql, args, 1, &res, m->a, e) != 0) {
        err_context(e, "the old database");
        return -1;
    }
    if (PQntuples(res) == 0 || !db_bool(res, 0, 1))
        *fault = "it has no content";
    else if (db_is_null(res, 0, 0))
        *fault = arena_printf(m->a, "it is larger than %d MB", (int)(LIMIT_DOCUMENT / MIB));
    else
        m->token = db_bytes(res, 0, 0, m->a);
    return 0;
}

static void open_token(struct moving *m)
{
    const struct legacy_archive *ar = m->w->ar;
    struct err why = {0};

    m->opened = ar->n_keys > 0 && fernet_open_all(m->token, ar->keys, ar->n_keys, &m->plain, NULL, m->a, &why) == 0;
}

/* ---- ours ------------------------------------------------------------------------------------ */

static int compare(struct moving *m, int64_t id, int *out, struct err *e)
{
    struct document doc;
    struct str bytes;
    struct err why = {0};

    *out = THERE_OTHER;
    if (doc_read_all(m->w->t->documents, id, &doc, &bytes, m->a, &why) == 0) {
        if (str_eq(bytes, secret_text(m->plain)))
            *out = THERE_SAME;
    } else if (why.code == ERR_DB) {
        *e = why;
        return -1;
    }
    return 0;
}

static int look(struct moving *m, int *out, struct err *e)
{
    PGresult *res = NULL;

    *out = THERE_NOT;
    if (m->n.instance_id == 0)
        return 0;
    if (db_query_in(m->w->t->c, &archive_stmt_document,
                    DB_ARGS(DB_INT(m->n.instance_id), DB_STR(m->n.name), DB_BYTES(m->token)), &res, m->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0)
        return 0;
    if (db_bool(res, 0, 2))
        *out = THERE_COPY;
    else if (!m->opened || db_bool(res, 0, 1) || !str_eq(db_str(res, 0, 3), m->n.mime_type))
        *out = THERE_OTHER;
    else
        return compare(m, db_int(res, 0, 0), out, e);
    return 0;
}

/* ---- one ------------------------------------------------------------------------------------- */

static int copy(struct moving *m, int there, struct err *e)
{
    const struct doc_new *n = &m->n;

    m->w->ar->documents.unreadable++;
    say(m, arena_printf(m->a, "no key in \"keys\" opens it (tried %d keys); %s", m->w->ar->n_rows,
                        there == THERE_OTHER ? "what is here of that name stays" : "copied as is, state unreadable"));
    if (there != THERE_NOT || m->w->t->dry)
        return 0;
    return db_exec(m->w->t->c, &archive_stmt_copy,
                   DB_ARGS(DB_INT(n->instance_id), DB_STR(n->instance_on), DB_STR(n->name), DB_STR(n->description),
                           DB_STR(n->mime_type), n->created_by.len > 0 ? DB_STR(n->created_by) : DB_NULL,
                           DB_BYTES(m->token)),
                   NULL, e);
}

static int seal(struct moving *m, int there, struct err *e)
{
    struct err why = {0};

    if (!m->w->t->dry && doc_put(m->w->t->documents, &m->n, secret_text(m->plain), NULL, &why) != 0) {
        if (why.code == ERR_INVALID || why.code == ERR_LIMIT)
            return leave(m, arena_printf(m->a, "%s", why.msg));
        *e = why;
        return -1;
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
    if (fetch(m, &fault, e) != 0)
        return -1;
    if (fault != NULL)
        return leave(m, fault);
    m->n = archive_document(instance, m->item);
    open_token(m);
    if (look(m, &there, e) != 0 || decide(m, there, e) != 0)
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
    arena_free(m.a);
    archive_progress(w);
    return rc;
}
