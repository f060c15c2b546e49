/*
 * sluicectl keys verify: open everything that is sealed, and write nothing (migration.md 7.7).
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "ctl/keys.h"

static const struct db_stmt stmt_documents = {
    "verify_documents", "SELECT id FROM documents WHERE id > $1 ORDER BY id LIMIT 1000", 1};
static const struct db_stmt stmt_version = {
    "verify_version", "SELECT id, content FROM configuration WHERE id > $1 ORDER BY id LIMIT 1",
    1};

static const struct db_stmt *const all[] = {&stmt_documents, &stmt_version};
const struct db_stmts keys_verify_stmts = {"keys_verify", all, COUNT_OF(all)};

struct verify {
    struct keys *k;
    const struct cfg *cfg;
    struct documents *docs;
    struct arena *a;
    int64_t right, wrong;
};

static void count(struct verify *v, const char *table, int64_t id, int rc, const struct err *e)
{
    if (rc == 0) {
        v->right++;
        return;
    }
    v->wrong++;
    (void)fprintf(stderr, "%s id %lld: %s\n", table, (long long)id, e->msg);
}

/* Every chunk of it. */
static int open_document(struct verify *v, int64_t id, struct err *e)
{
    char piece[16 * KIB];
    struct doc_reader *r = NULL;
    struct document doc;
    ptrdiff_t got;

    if (doc_open(v->docs, id, &doc, &r, v->a, e) != 0)
        return -1;
    while ((got = doc_read(r, piece, sizeof piece, e)) > 0)
        continue;
    doc_close(r);
    return got == 0 ? 0 : -1;
}

static int documents(struct verify *v, struct err *e)
{
    int64_t cursor = 0;
    int n;

    do {
        PGresult *res = NULL;

        if (db_query_in(v->k->c, &stmt_documents, DB_ARGS(DB_INT(cursor)), &res, v->a, e) != 0)
            return -1;
        n = PQntuples(res);
        for (int i = 0; i < n; i++) {
            struct err why = {0};
            int rc;

            cursor = db_int(res, i, 0);
            rc = open_document(v, cursor, &why);
            if (rc != 0 && (why.code == ERR_NOT_FOUND || why.code == ERR_GONE))
                continue; /* deleted meanwhile */
            count(v, "documents", cursor, rc, &why);
        }
        arena_reset(v->a);
    } while (n > 0);
    return 0;
}

static int column(struct verify *v, const struct keys_column *col, struct err *e)
{
    int64_t cursor = 0;
    int n;

    do {
        PGresult *res = NULL;

        if (db_query_in(v->k->c, &col->all, DB_ARGS(DB_INT(cursor), DB_INT(0), DB_INT(1000)), &res,
                        v->a, e) != 0)
            return -1;
        n = PQntuples(res);
        for (int i = 0; i < n; i++) {
            struct err why = {0};
            struct str plain;

            cursor = db_int(res, i, 0);
            count(v, col->name, cursor,
                  keys_open_text(v->cfg, col, db_str(res, i, 1), db_str(res, i, 2), &plain, v->a,
                                 &why),
                  &why);
        }
        arena_reset(v->a);
    } while (n > 0);
    return 0;
}

static int configuration(struct verify *v, struct err *e)
{
    int64_t id = 0;

    for (;;) {
        struct val stored, opened;
        PGresult *res = NULL;
        struct err why = {0};

        arena_reset(v->a);
        if (db_query_in(v->k->c, &stmt_version, DB_ARGS(DB_INT(id)), &res, v->a, e) != 0)
            return -1;
        if (PQntuples(res) == 0)
            return 0;
        id = db_int(res, 0, 0);
        count(v, "configuration", id,
              json_parse(db_str(res, 0, 1), &stored, v->a, &why) != 0 ||
                      cfg_document_open(v->cfg, stored, &opened, v->a, &why) != 0
                  ? -1
                  : 0,
              &why);
    }
}

static int everything(struct verify *v, struct err *e)
{
    if (documents(v, e) != 0)
        return -1;
    for (size_t i = 0; i < n_keys_columns; i++)
        if (column(v, &keys_columns[i], e) != 0)
            return -1;
    return configuration(v, e);
}

int keys_verify(struct keys *k, struct err *e)
{
    struct verify v = {.k = k};
    struct cfg_store *store = NULL;
    int rc = -1;

    v.a = arena_new(64 * KIB);
    if (cfg_store_new_kek(&store, k->d.db, k->has_kek ? &k->kek : NULL, e) != 0)
        goto out;
    v.cfg = cfg_get(store);
    v.docs = documents_new(k->d.db, store);
    if (everything(&v, e) == 0) {
        printf("%lld items open, %lld do not\n", (long long)v.right, (long long)v.wrong);
        rc = v.wrong > 0 ? KEYS_GAPS : CTL_OK;
    }
    cfg_put(v.cfg);
out:
    documents_free(v.docs);
    cfg_store_free(store);
    arena_free(v.a);
    return rc;
}
