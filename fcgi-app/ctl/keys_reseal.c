/*
 * sluicectl keys reseal: bring what former keys sealed under the keys that write now
 * (migration.md 7.7).
 *
 * Every row is at each moment sealed by one key and says which, so there is nothing to remember: a
 * killed run leaves its open batch as it was, and the next run finds what is left.  Rows somebody
 * else has locked are left to him, so two runs share the work; rows deleted meanwhile update
 * nothing.  An item that does not open is said, counted and left as it is.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "crypto/document_seal.h"
#include "ctl/keys.h"
#include "db/listen.h"

enum { PROGRESS_MS = 5000, STALE_WRITERS_MS = 5 * LISTEN_POLL_MS / 2 /* twice, and a little */ };

static const struct db_stmt stmt_left = {
    "reseal_left",
    "SELECT count(*), count(*) FILTER (WHERE head IS NULL), "
    "coalesce(sum(octet_length(content)) FILTER (WHERE head IS NULL), 0) + 68 * count(*) "
    "FROM documents WHERE key_id IS DISTINCT FROM $1",
    1};
static const struct db_stmt stmt_heads = {
    "reseal_heads",
    "SELECT id, key_id, head FROM documents WHERE id > $1 AND key_id <> $2 AND head IS NOT NULL "
    "ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
    3};
static const struct db_stmt stmt_head = {
    "reseal_head", "UPDATE documents SET head = $2, key_id = $3 WHERE id = $1 AND key_id = $4", 4};
static const struct db_stmt stmt_token = {
    "reseal_token", "SELECT id FROM documents WHERE id > $1 AND head IS NULL ORDER BY id LIMIT 1",
    1};
static const struct db_stmt stmt_version = {
    "reseal_version",
    "SELECT id, content FROM configuration WHERE id > $1 ORDER BY id LIMIT 1 FOR UPDATE", 1};
static const struct db_stmt stmt_version_put = {
    "reseal_version_put", "UPDATE configuration SET content = $2 WHERE id = $1", 2};
static const struct db_stmt stmt_lag = {
    "reseal_lag",
    "SELECT coalesce(max(extract(epoch FROM replay_lag)), 0)::bigint FROM pg_stat_replication", 0};

static const struct db_stmt *const all[] = {&stmt_left, &stmt_heads,
                                           &stmt_head, &stmt_token, &stmt_version, &stmt_version_put, &stmt_lag};
const struct db_stmts keys_reseal_stmts = {"keys_reseal", all, COUNT_OF(all)};

struct reseal {
    struct keys *k;
    struct cfg_store *store;
    const struct cfg *cfg; /* of the pass */
    struct documents *docs;
    struct arena *a;      /* a batch */
    const char *table;    /* being worked on */
    int64_t done, failed; /* of all */
    int64_t told_ms, begun_ms;
};

/* ---- pace ------------------------------------------------------------------------------------ */

static void progress(struct reseal *r)
{
    int64_t now = clock_mono_ms(&clock_system);

    if (now - r->told_ms < PROGRESS_MS)
        return;
    r->told_ms = now;
    (void)fprintf(stderr, "%s: %lld done, %lld failed\n", r->table, (long long)r->done,
                  (long long)r->failed);
}

/* Not faster than asked, and not while standbys are too far behind. */
static void pace(struct reseal *r)
{
    const struct keys_args *o = r->k->args;
    struct str lag;
    int64_t s;
    struct err ignored;

    progress(r);
    if (o->rate > 0) {
        int64_t due = r->begun_ms + r->done * 1000 / o->rate, now = clock_mono_ms(&clock_system);

        if (due > now)
            usleep((useconds_t)(due - now) * 1000);
    }
    while (db_text(r->k->c, &stmt_lag, DB_NO_ARGS, &lag, r->a, &ignored) == 0 &&
           str_to_int(lag, &s) && s > o->max_lag_s) {
        (void)fprintf(stderr, "waiting: a standby is %lld s behind\n", (long long)s);
        sleep(1);
    }
}

static void left_as_is(struct reseal *r, int64_t id, const struct err *e)
{
    r->failed++;
    (void)fprintf(stderr, "%s id %lld: %s; left as is\n", r->table, (long long)id, e->msg);
}

/* ---- documents ------------------------------------------------------------------------------- */

/* The same content key under the writing key; opened again before it counts. */
static int new_head(const struct reseal *r, int64_t id, int64_t old_id, struct str head,
                    const struct cfg_key *to, unsigned char out[DOCUMENT_HEAD], struct err *e)
{
    const struct cfg_key *from = cfg_key(r->cfg, (uint32_t)old_id);
    unsigned char key[32], again[32];
    size_t chunk, chunk_again;
    int rc = -1;

    if (from == NULL || from->material.len != 32) {
        err_set(e, ERR_CONFIG, "its key (id %lld) is missing", (long long)old_id);
        return -1;
    }
    if (document_head_open(from->material.p, head, id, key, &chunk, e) != 0) {
        err_set(e, ERR_CONFIG, "seal does not open with key %lld", (long long)old_id);
        return -1;
    }
    document_head_seal(to->id, to->material.p, key, id, out);
    cfg_key_used(to);
    if (chunk != DOCUMENT_CHUNK)
        err_set(e, ERR_CONFIG, "chunks of %zu bytes are not written by this program", chunk);
    else if (document_head_open(to->material.p, str_make((const char *)out, DOCUMENT_HEAD), id,
                                again, &chunk_again, e) != 0 ||
             !crypto_equal(key, again, sizeof key))
        err_set(e, ERR_INTERNAL, "the content key did not come back out of its seal");
    else
        rc = 0;
    crypto_wipe(key, sizeof key);
    crypto_wipe(again, sizeof again);
    return rc;
}

static int reseal_heads(struct reseal *r, const struct cfg_key *to, int64_t *cursor, int *n,
                        struct err *e)
{
    struct db_conn *c = r->k->c;
    PGresult *res = NULL;

    if (db_begin(c, e) != 0 ||
        db_query_in(c, &stmt_heads,
                    DB_ARGS(DB_INT(*cursor), DB_INT(to->id), DB_INT(r->k->args->batch)), &res,
                    r->a, e) != 0)
        return -1;
    *n = PQntuples(res);
    for (int i = 0; i < *n; i++) {
        unsigned char head[DOCUMENT_HEAD];
        int64_t id = db_int(res, i, 0), old_id = db_int(res, i, 1), changed = 0;
        struct err why;

        *cursor = id;
        if (new_head(r, id, old_id, db_bytes(res, i, 2, r->a), to, head, &why) != 0) {
            left_as_is(r, id, &why);
            continue;
        }
        if (db_exec(c, &stmt_head,
                    DB_ARGS(DB_INT(id), DB_BYTES(str_make((const char *)head, sizeof head)),
                            DB_INT(to->id), DB_INT(old_id)),
                    &changed, e) != 0)
            return -1;
        r->done += changed;
    }
    return db_commit(c, e);
}

/* Tokens of the former product: verified, opened, sealed anew, one transaction each. */
static int reseal_tokens(struct reseal *r, struct err *e)
{
    int64_t cursor = 0;

    for (;;) {
        PGresult *res = NULL;
        struct err why = {0};

        arena_reset(r->a);
        if (db_query_in(r->k->c, &stmt_token, DB_ARGS(DB_INT(cursor)), &res, r->a, e) != 0)
            return -1;
        if (PQntuples(res) == 0)
            return 0;
        cursor = db_int(res, 0, 0);
        if (doc_reseal_token(r->docs, cursor, &why) == 0)
            r->done++;
        else if (why.code == ERR_DB || why.code == ERR_BUSY) {
            *e = why;
            return -1;
        } else if (why.code != ERR_NOT_FOUND && why.code != ERR_GONE)
            left_as_is(r, cursor, &why);
        pace(r);
    }
}

static int reseal_documents(struct reseal *r, struct err *e)
{
    const struct cfg_key *to = cfg_key_active(r->cfg, "document-storage");
    int64_t cursor = 0;
    int n;

    r->table = "documents";
    do {
        arena_reset(r->a);
        if (reseal_heads(r, to, &cursor, &n, e) != 0)
            return -1;
        pace(r);
    } while (n > 0);
    return reseal_tokens(r, e);
}

/* ---- columns of texts ------------------------------------------------------------------------ */

static int reseal_texts(struct reseal *r, const struct keys_column *col, const struct cfg_key *to,
                        int64_t *cursor, int *n, struct err *e)
{
    struct db_conn *c = r->k->c;
    PGresult *res = NULL;

    if (db_begin(c, e) != 0 ||
        db_query_in(c, &col->pick,
                    DB_ARGS(DB_INT(*cursor), DB_INT(to->id), DB_INT(r->k->args->batch)), &res,
                    r->a, e) != 0)
        return -1;
    *n = PQntuples(res);
    for (int i = 0; i < *n; i++) {
        struct str item = db_str(res, i, 1), old = db_str(res, i, 2), plain, again, sealed;
        int64_t id = db_int(res, i, 0), changed = 0;
        struct err why;

        *cursor = id;
        if (keys_open_text(r->cfg, col, item, old, &plain, r->a, &why) != 0) {
            left_as_is(r, id, &why);
            continue;
        }
        sealed = cfg_seal_text(to, plain, col->name, item, r->a);
        if (keys_open_text(r->cfg, col, item, sealed, &again, r->a, &why) != 0 ||
            !str_eq(plain, again)) {
            left_as_is(r, id, &why);
            continue;
        }
        if (db_exec(c, &col->put, DB_ARGS(DB_INT(id), DB_STR(sealed), DB_STR(old)), &changed, e) !=
            0)
            return -1;
        r->done += changed;
    }
    return db_commit(c, e);
}

static int reseal_column(struct reseal *r, const struct keys_column *col, struct err *e)
{
    const struct cfg_key *to = cfg_key_active(r->cfg, col->label);
    int64_t cursor = 0;
    int n;

    r->table = col->name;
    do {
        arena_reset(r->a);
        if (reseal_texts(r, col, to, &cursor, &n, e) != 0)
            return -1;
        pace(r);
    } while (n > 0);
    return 0;
}

/* ---- configuration --------------------------------------------------------------------------- */

/* One version; *id 0: there is none behind it. */
static int reseal_version(struct reseal *r, int64_t *id, struct err *e)
{
    struct db_conn *c = r->k->c;
    struct val stored, out;
    PGresult *res = NULL;
    bool changed = false;
    struct err why;

    if (db_begin(c, e) != 0 ||
        db_query_in(c, &stmt_version, DB_ARGS(DB_INT(*id)), &res, r->a, e) != 0)
        return -1;
    *id = PQntuples(res) > 0 ? db_int(res, 0, 0) : 0;
    if (*id == 0) {
        db_rollback(c);
        return 0;
    }
    if (json_parse(db_str(res, 0, 1), &stored, r->a, &why) != 0 ||
        cfg_document_reseal(r->cfg, stored, &out, &changed, r->a, &why) != 0)
        left_as_is(r, *id, &why);
    if (!changed) {
        db_rollback(c);
        return 0;
    }
    if (db_exec(c, &stmt_version_put, DB_ARGS(DB_INT(*id), DB_STR(json_text(out, r->a))), NULL,
                e) != 0)
        return -1;
    r->done++;
    return db_commit(c, e);
}

static int reseal_configuration(struct reseal *r, struct err *e)
{
    int64_t id = 0;

    r->table = "configuration";
    do {
        arena_reset(r->a);
        if (reseal_version(r, &id, e) != 0)
            return -1;
        pace(r);
    } while (id != 0);
    return 0;
}

/* ---- passes ---------------------------------------------------------------------------------- */

static bool wanted(const struct reseal *r, const char *label)
{
    return r->k->args->label == NULL || strcmp(r->k->args->label, label) == 0;
}

static int pass(struct reseal *r, struct err *e)
{
    int rc = -1;

    if (cfg_store_reload(r->store, e) != 0)
        return -1;
    r->cfg = cfg_get(r->store);
    if (wanted(r, "document-storage") && reseal_documents(r, e) != 0)
        goto out;
    for (size_t i = 0; i < n_keys_columns; i++)
        if (wanted(r, keys_columns[i].label) && reseal_column(r, &keys_columns[i], e) != 0)
            goto out;
    if (wanted(r, "secrets") && reseal_configuration(r, e) != 0)
        goto out;
    rc = 0;
out:
    cfg_put(r->cfg);
    r->cfg = NULL;
    return rc;
}

/* What would be done; the disk it takes. */
static int foretell(struct reseal *r, struct err *e)
{
    const struct cfg *cfg = cfg_get(r->store);
    const struct cfg_key *to = cfg_key_active(cfg, "document-storage");
    PGresult *res = NULL, *items = NULL;
    int rc = -1;

    if (db_query_in(r->k->c, &stmt_left, DB_ARGS(DB_INT(to->id)), &res, r->k->a, e) != 0)
        goto out;
    (void)fprintf(stderr,
                  "%s documents are not under key %u (%s of the former product); about %.1f MB will "
                  "be rewritten, space comes back by vacuum\n",
                  PQgetvalue(res, 0, 0), to->id, PQgetvalue(res, 0, 1),
                  (double)db_int(res, 0, 2) / 1e6);
    if (r->k->args->dry_run) {
        if (db_query_in(r->k->c, &keys_stmt_items, DB_NO_ARGS, &items, r->k->a, e) != 0)
            goto out;
        for (int i = 0; i < PQntuples(items); i++)
            printf("key %s: %s %s\n", db_is_null(items, i, 1) ? "-" : PQgetvalue(items, i, 1),
                   PQgetvalue(items, i, 0), PQgetvalue(items, i, 2));
    }
    rc = 0;
out:
    cfg_put(cfg);
    return rc;
}

static bool known_label(const char *label)
{
    return label == NULL || strcmp(label, "document-storage") == 0 ||
           strcmp(label, "secrets") == 0 || strcmp(label, "gateway-logins") == 0;
}

int keys_reseal(struct keys *k, struct err *e)
{
    struct reseal r = {.k = k};
    int rc = -1;

    if (!known_label(k->args->label)) {
        err_set(e, ERR_USAGE, "--label: expected document-storage, secrets or gateway-logins");
        return -1;
    }
    r.a = arena_new(64 * KIB);
    if (cfg_store_new_kek(&r.store, k->d.db, k->has_kek ? &k->kek : NULL, e) != 0)
        goto out;
    r.docs = documents_new(k->d.db, r.store);
    r.told_ms = r.begun_ms = clock_mono_ms(&clock_system);
    if (foretell(&r, e) != 0)
        goto out;
    if (k->args->dry_run) {
        rc = CTL_OK;
        goto out;
    }
    if (pass(&r, e) != 0)
        goto out;
    /* who had not heard of the new keys may have sealed with the old ones meanwhile */
    usleep(STALE_WRITERS_MS * 1000);
    r.failed = 0;
    if (pass(&r, e) != 0)
        goto out;
    printf("%lld items are under their new keys, %lld could not be opened\n", (long long)r.done,
           (long long)r.failed);
    if (cfg_store_count_seals(r.store, e) == 0)
        rc = r.failed > 0 ? KEYS_GAPS : CTL_OK;
out:
    documents_free(r.docs);
    cfg_store_free(r.store);
    arena_free(r.a);
    return rc;
}
