/*
 * sluicectl keys wrap, unwrap, rewrap: the key outside the database (migration.md 7.6).
 *
 * Each is one transaction over a few rows, so that an interruption leaves what was.
 */
#include <stdio.h>

#include "base/arena.h"
#include "ctl/keys.h"

static const struct db_stmt stmt_rows = {
    "keys_wrap_rows", "SELECT id, label, material, wrapped_by FROM keys ORDER BY id FOR UPDATE", 0};
static const struct db_stmt stmt_put = {
    "keys_wrap_put",
    "UPDATE keys SET material = $2, wrapped_by = $3, changed_on = now() WHERE id = $1", 3};

static const struct db_stmt *const all[] = {&stmt_rows, &stmt_put};
const struct db_stmts keys_wrap_stmts = {"keys_wrap", all, COUNT_OF(all)};

/* What is to become of the rows. */
struct change {
    const struct kek *from; /* opens wrapped rows; NULL: there must be none */
    const struct kek *to;   /* seals them; NULL: stored raw */
};

/* Raw material of a row; ERR_CONFIG. */
static int open_row(const PGresult *res, int i, const struct kek *from, struct secret *out,
                    struct arena *a, struct err *e)
{
    uint32_t id = (uint32_t)db_int(res, i, 0);
    struct str material = db_bytes(res, i, 2, a), by = db_str(res, i, 3);

    if (by.p == NULL) {
        *out = secret_new(a, material.p, material.len);
        crypto_wipe((void *)(uintptr_t)material.p, material.len);
        return 0;
    }
    if (from == NULL) {
        err_set(e, ERR_CONFIG, "key %u (%s) is wrapped by %.*s; give that key with -kek=FILE", id,
                PQgetvalue(res, i, 1), STR_ARG(by));
        return -1;
    }
    if (!str_eq_c(by, from->fingerprint)) {
        err_set(e, ERR_CONFIG, "-kek: the file holds key %s, key %u needs %.*s", from->fingerprint,
                id, STR_ARG(by));
        return -1;
    }
    if (key_unwrap(from, id, material, out, a, e) != 0) {
        err_set(e, ERR_CONFIG, "key %u (%s) is damaged; restore table keys from a backup", id,
                PQgetvalue(res, i, 1));
        return -1;
    }
    return 0;
}

static int change_row(struct keys *k, const PGresult *res, int i, const struct change *w,
                      int *changed, struct err *e)
{
    uint32_t id = (uint32_t)db_int(res, i, 0);
    struct str by = db_str(res, i, 3), material;
    struct secret plain, again;

    if (w->to != NULL ? str_eq_c(by, w->to->fingerprint) : by.p == NULL)
        return 0;
    if (open_row(res, i, w->from, &plain, k->a, e) != 0)
        return -1;
    material = secret_text(plain);
    if (w->to != NULL) {
        material = key_wrap(w->to, id, material, k->a);
        if (key_unwrap(w->to, id, material, &again, k->a, e) != 0 || again.len != plain.len ||
            !crypto_equal(again.p, plain.p, plain.len)) {
            err_set(e, ERR_INTERNAL, "key %u did not come back out of its seal", id);
            return -1;
        }
    }
    (*changed)++;
    return db_exec(k->c, &stmt_put,
                   DB_ARGS(DB_INT(id), DB_BYTES(material),
                           w->to != NULL ? DB_C(w->to->fingerprint) : DB_NULL),
                   NULL, e);
}

static int change_all(struct keys *k, const struct change *w, const char *done, struct err *e)
{
    PGresult *res = NULL;
    int changed = 0;

    if (db_begin(k->c, e) != 0 || cfg_keys_lock(k->c, e) != 0 ||
        db_query_in(k->c, &stmt_rows, DB_NO_ARGS, &res, k->a, e) != 0)
        return -1;
    for (int i = 0; i < PQntuples(res); i++)
        if (change_row(k, res, i, w, &changed, e) != 0)
            return -1;
    if (cfg_keys_tell(k->c, e) != 0 || db_commit(k->c, e) != 0)
        return -1;
    printf("%d of %d keys %s\n", changed, PQntuples(res), done);
    return CTL_OK;
}

static int need_kek(const struct keys *k, struct err *e)
{
    if (k->has_kek)
        return 0;
    err_set(e, ERR_USAGE, "the key outside the database is wanted: -kek=FILE");
    return -1;
}

int keys_wrap(struct keys *k, struct err *e)
{
    const struct change w = {.from = &k->kek, .to = &k->kek};

    return need_kek(k, e) == 0 ? change_all(k, &w, "wrapped", e) : -1;
}

int keys_unwrap(struct keys *k, struct err *e)
{
    const struct change w = {.from = &k->kek};

    return need_kek(k, e) == 0 ? change_all(k, &w, "unwrapped", e) : -1;
}

int keys_rewrap(struct keys *k, struct err *e)
{
    struct kek to;
    const struct change w = {.from = &k->kek, .to = &to};
    int rc = -1;

    if (need_kek(k, e) != 0)
        return -1;
    if (k->args->new_kek == NULL) {
        err_set(e, ERR_USAGE, "the new key outside the database is wanted: --new=FILE");
        return -1;
    }
    if (kek_read(k->args->new_kek, &to, e) == 0)
        rc = change_all(k, &w, "wrapped again", e);
    kek_wipe(&to);
    return rc;
}
