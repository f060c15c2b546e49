/*
 * Rows of documents: statements, lists and look-ups.
 */
#include "engine/documents_int.h"

#include "db/locks.h"
#include "engine/engine_int.h"

/* Who stores a document of the same instance and name comes afterwards, and replaces this one. */
const struct db_stmt doc_stmt_next = {
    "doc_next", "SELECT nextval('documents_id_seq'), pg_advisory_xact_lock(" DB_LOCK_DOCUMENT ")", 2};

const struct db_stmt doc_stmt_forget = {
    "doc_forget", "DELETE FROM documents WHERE instance_id = $1 AND name = $2", 2};

#define INSERT_COLUMNS                                                                             \
    "INSERT INTO documents (id, instance_id, instance_on, name, description, mime_type, "          \
    "size_in_bytes, created_by, key_id, head, content) "                                           \
    "SELECT $1::bigint, $2::bigint, $3::timestamptz, $4, $5, $6, $7::bigint, $8, k.id, $10::bytea, "
/* The row of the key is held, so that it cannot be retired behind our back; a key that is not the
 * writing one any more inserts nothing. */
#define INSERT_KEY_AS(parameter)                                                                   \
    " FROM (SELECT id FROM keys WHERE id = " parameter " AND label = '" DOCUMENT_LABEL             \
    "' AND state = 'active' FOR KEY SHARE) k"
#define INSERT_KEY INSERT_KEY_AS("$9")

const struct db_stmt doc_stmt_insert = {"doc_insert", INSERT_COLUMNS "$11::bytea" INSERT_KEY, 11};

/* Larger ones come in pieces: gathered in a large object of the same transaction. */
const struct db_stmt doc_stmt_large = {"doc_large", "SELECT lo_create(0)::bigint", 0};
const struct db_stmt doc_stmt_large_put = {
    "doc_large_put", "SELECT lo_put($1::bigint::oid, $2::bigint, $3::bytea)", 3};
const struct db_stmt doc_stmt_insert_large = {
    "doc_insert_large", INSERT_COLUMNS "lo_get($11::bigint::oid)" INSERT_KEY, 11};
const struct db_stmt doc_stmt_large_drop = {"doc_large_drop", "SELECT lo_unlink($1::bigint::oid)",
                                            1};

/* A token becomes one of ours. */
#define TURN(content)                                                                              \
    "UPDATE documents SET key_id = k.id, head = $3::bytea, size_in_bytes = $4::bigint, "           \
    "content = " content INSERT_KEY_AS("$2") " WHERE documents.id = $1 AND documents.head IS NULL"
const struct db_stmt doc_stmt_turn = {"doc_turn", TURN("$5::bytea"), 5};
const struct db_stmt doc_stmt_turn_large = {"doc_turn_large", TURN("lo_get($5::bigint::oid)"), 5};

/* The content comes along when it is small: $2 is how much that is. */
const struct db_stmt doc_stmt_open = {
    "doc_open",
    "SELECT " DOC_COLUMNS
    ", d.key_id, d.head, octet_length(d.content), "
    "CASE WHEN octet_length(d.content) <= $2::integer THEN d.content END "
    "FROM documents d WHERE d.id = $1",
    2};

const struct db_stmt doc_stmt_piece = {
    "doc_piece",
    "SELECT head IS NULL, substring(content from $2::integer for $3::integer) FROM documents "
    "WHERE id = $1",
    3};

const struct db_stmt doc_stmt_find = {
    "doc_find", "SELECT " DOC_COLUMNS " FROM documents d WHERE d.instance_id = $1 AND d.name = $2",
    2};

/* The nearest of a chain: instances of this run by array, then stored ancestors of the top one. */
const struct db_stmt doc_stmt_find_up = {
    "doc_find_up",
    "WITH RECURSIVE up (id, since, n) AS ("
    "SELECT $3::bigint, $4::timestamptz, 1000 WHERE $3::bigint > 0 "
    "UNION ALL SELECT i.parent_instance_id, i.parent_on, up.n + 1 FROM up "
    "JOIN instances i ON i.id = up.id AND i.created_on = up.since "
    "WHERE i.parent_instance_id IS NOT NULL AND up.n < 1100), "
    "chain AS (SELECT x.id, x.n FROM unnest($2::bigint[]) WITH ORDINALITY AS x (id, n) "
    "UNION ALL SELECT up.id, up.n FROM up) "
    "SELECT " DOC_COLUMNS " FROM chain JOIN documents d ON d.instance_id = chain.id "
    "AND d.name = $1 ORDER BY chain.n LIMIT 1",
    4};

const struct db_stmt doc_stmt_delete = {
    "doc_delete", "DELETE FROM documents WHERE instance_id = $1 AND id = $2", 2};

static const struct db_stmt *const all[] = {
    &doc_stmt_next,      &doc_stmt_forget,       &doc_stmt_insert,     &doc_stmt_large,
    &doc_stmt_large_put, &doc_stmt_insert_large, &doc_stmt_large_drop, &doc_stmt_open,
    &doc_stmt_turn,      &doc_stmt_turn_large,   &doc_stmt_piece,      &doc_stmt_find,
    &doc_stmt_find_up,   &doc_stmt_delete,
};
const struct db_stmts documents_stmts = {"documents", all, COUNT_OF(all)};

void doc_row(const PGresult *res, int row, struct document *out, struct arena *a)
{
    *out = (struct document){
        .id = db_int(res, row, 0),
        .instance_id = db_int(res, row, 1),
        .name = str_dup(a, db_str(res, row, 2)),
        .description = str_dup(a, db_str(res, row, 3)),
        .mime_type = str_dup(a, db_str(res, row, 4)),
        .size = db_int(res, row, 5),
        .created_by = str_dup(a, db_str(res, row, 6)),
        .created_us = db_time_us(res, row, 7),
    };
}

static int query(struct documents *d, const struct db_stmt *s, const struct db_arg *args, size_t n,
                 PGresult **res, struct arena *a, struct err *e)
{
    struct db_conn *c = NULL;
    int rc = db_get(d->db, &c, e) == 0 ? db_query_in(c, s, args, n, res, a, e) : -1;

    db_put(d->db, c);
    return rc;
}

static int first_row(const PGresult *res, struct str name, struct document *out, struct arena *a,
                     struct err *e)
{
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no document \"%.*s\"", STR_ARG(name));
        return -1;
    }
    doc_row(res, 0, out, a);
    return 0;
}

int doc_find(struct documents *d, int64_t instance_id, struct str name, struct document *out,
             struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    if (query(d, &doc_stmt_find, DB_ARGS(DB_INT(instance_id), DB_STR(name)), &res, a, e) != 0)
        return -1;
    return first_row(res, name, out, a, e);
}

int doc_delete(struct documents *d, int64_t instance_id, int64_t id, struct err *e)
{
    struct db_conn *c = NULL;
    int64_t gone = 0;
    int rc = db_get(d->db, &c, e) == 0 ? db_exec(c, &doc_stmt_delete,
                                                 DB_ARGS(DB_INT(instance_id), DB_INT(id)), &gone, e)
                                       : -1;

    db_put(d->db, c);
    if (rc == 0 && gone == 0) {
        err_set(e, ERR_NOT_FOUND, "no such document");
        return -1;
    }
    return rc;
}

/* ---- for nodes ------------------------------------------------------------------------------ */

/* Own instance, then those above it in this run, then the stored ones above them. */
int instance_document(const struct instance *in, struct str name, struct document *out,
                      struct arena *a, struct err *e)
{
    struct documents *d = in->env.documents;
    PGresult *res = NULL;
    struct buf ids;

    buf_init(&ids, 4 * KIB, a);
    buf_addf(&ids, "{%lld", (long long)in->id);
    while (in->parent != NULL) {
        in = in->parent;
        buf_addf(&ids, ",%lld", (long long)in->id);
    }
    buf_putc(&ids, '}');
    if (query(d, &doc_stmt_find_up,
              DB_ARGS(DB_STR(name), DB_STR(buf_str(&ids)), DB_INT(in->parent_id),
                      in->parent_id > 0 ? DB_TIME(in->parent_us) : DB_NULL),
              &res, a, e) != 0)
        return -1;
    return first_row(res, name, out, a, e);
}

int node_document_find(struct node_run *r, struct str name, struct document *out, struct err *e)
{
    return instance_document(r->inst, name, out, r->a, e);
}

int node_document_read(struct node_run *r, struct str name, struct document *out, struct str *bytes,
                       struct err *e)
{
    if (node_document_find(r, name, out, e) != 0)
        return -1;
    return doc_read_all(r->inst->env.documents, out->id, out, bytes, r->a, e);
}

int node_document_put(struct node_run *r, struct str name, struct str mime_type,
                      struct str description, struct str bytes, int64_t *id, struct err *e)
{
    const struct doc_new n = {
        .instance_id = r->inst->id,
        .instance_us = r->inst->created_us,
        .name = name,
        .description = description,
        .mime_type = mime_type,
        .created_by = r->inst->owner,
    };

    return doc_put(r->inst->env.documents, &n, bytes, id, e);
}

bool node_document_reference(struct str value, struct str *name)
{
    const struct str word = STR("documents.");

    value = str_trim(value);
    if (value.len == 0 || value.p[0] != '#')
        return false;
    value = str_trim(str_slice(value, 1, value.len));
    if (!str_starts(value, word))
        return false;
    *name = str_trim(str_slice(value, word.len, value.len));
    return name->len > 0;
}
