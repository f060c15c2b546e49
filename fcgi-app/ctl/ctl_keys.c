/*
 * sluicectl keys: the keys of the database, and what they seal (migration.md 7.7).
 *
 * Exit status: 0 done; 1 it could not be done, or is refused; 2 wrong arguments; 3 done with gaps;
 * 78 the keys cannot be opened.
 */
#include "ctl/keys.h"

#include <stdio.h>

#include "base/arena.h"

enum { PURGE_DAYS = 30 };

static const struct db_stmt stmt_list = {
    "keys_list",
    "SELECT id, label, algorithm, state, coalesce(wrapped_by, '-'), "
    "extract(day FROM now() - created_on)::int FROM keys ORDER BY id",
    0};
static const struct db_stmt stmt_label = {
    "keys_label",
    "SELECT algorithm FROM keys WHERE label = $1 AND algorithm NOT LIKE 'fernet%' ORDER BY id DESC LIMIT 1",
    1};
/* Held against those who are just sealing with it (KEY SHARE). */
static const struct db_stmt stmt_one = {
    "keys_one",
    "SELECT label, state, extract(day FROM now() - changed_on)::int, "
    "id = (SELECT max(o.id) FROM keys o WHERE o.label = keys.label AND o.state = 'active') "
    "FROM keys WHERE id = $1 FOR UPDATE",
    1};
static const struct db_stmt stmt_retire = {
    "keys_retire", "UPDATE keys SET state = 'retired', changed_on = now() WHERE id = $1", 1};
static const struct db_stmt stmt_purge = {"keys_purge", "DELETE FROM keys WHERE id = $1", 1};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_label, &stmt_one, &stmt_retire, &stmt_purge};
const struct db_stmts keys_stmts = {"keys", all, COUNT_OF(all)};

/* ---- list ------------------------------------------------------------------------------------ */

static void print_items(const PGresult *items, int64_t id)
{
    bool any = false;

    for (int i = 0; i < PQntuples(items); i++) {
        if (db_is_null(items, i, 1) || db_int(items, i, 1) != id)
            continue;
        printf("%s%s %s", any ? ", " : "", PQgetvalue(items, i, 0), PQgetvalue(items, i, 2));
        any = true;
    }
    printf("%s\n", any ? "" : "-");
}

static void print_strays(const PGresult *items, const PGresult *list)
{
    for (int i = 0; i < PQntuples(items); i++) {
        bool known = false;

        for (int k = 0; k < PQntuples(list) && !known; k++)
            known = !db_is_null(items, i, 1) && db_int(items, i, 1) == db_int(list, k, 0);
        if (!known && db_is_null(items, i, 1))
            printf("of no key: %s %s\n", PQgetvalue(items, i, 0), PQgetvalue(items, i, 2));
        else if (!known)
            printf("of key %s, which is missing: %s %s\n", PQgetvalue(items, i, 1),
                   PQgetvalue(items, i, 0), PQgetvalue(items, i, 2));
    }
}

int keys_list(struct keys *k, struct err *e)
{
    PGresult *list = NULL, *items = NULL;

    if (db_query_in(k->c, &stmt_list, DB_NO_ARGS, &list, k->a, e) != 0 ||
        db_query_in(k->c, &keys_stmt_items, DB_NO_ARGS, &items, k->a, e) != 0)
        return -1;
    printf("%-5s %-22s %-12s %-8s %6s  %-16s  %s\n", "id", "label", "algorithm", "state", "days",
           "wrapped by", "items");
    for (int i = 0; i < PQntuples(list); i++) {
        printf("%-5s %-22s %-12s %-8s %6s  %-16s  ", PQgetvalue(list, i, 0),
               PQgetvalue(list, i, 1), PQgetvalue(list, i, 2), PQgetvalue(list, i, 3),
               PQgetvalue(list, i, 5), PQgetvalue(list, i, 4));
        print_items(items, db_int(list, i, 0));
    }
    print_strays(items, list);
    return CTL_OK;
}

/* ---- rotate, retire, purge ------------------------------------------------------------------- */

int keys_rotate(struct keys *k, struct err *e)
{
    struct str label = str_c(k->args->words[0]), algorithm;
    int64_t id;

    if (db_begin(k->c, e) != 0 || cfg_keys_lock(k->c, e) != 0)
        return -1;
    if (db_text(k->c, &stmt_label, DB_ARGS(DB_STR(label)), &algorithm, k->a, e) != 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "no key is labelled \"%.*s\"", STR_ARG(label));
        return -1;
    }
    if (cfg_key_new(k->c, label, algorithm, k->has_kek ? &k->kek : NULL, &id, k->a, e) != 0 ||
        cfg_keys_tell(k->c, e) != 0 || db_commit(k->c, e) != 0)
        return -1;
    printf("key %lld writes \"%.*s\" now\n", (long long)id, STR_ARG(label));
    return CTL_OK;
}

static int read_id(const struct keys *k, int64_t *id, struct err *e)
{
    if (str_to_int(str_c(k->args->words[0]), id) && *id > 0)
        return 0;
    err_set(e, ERR_USAGE, "\"%s\" is not the id of a key", k->args->words[0]);
    return -1;
}

/* Row of the key, locked; ERR_NOT_FOUND. */
static int lock_key(struct keys *k, int64_t id, PGresult **row, struct err *e)
{
    if (db_begin(k->c, e) != 0 || cfg_keys_lock(k->c, e) != 0 ||
        db_query_in(k->c, &stmt_one, DB_ARGS(DB_INT(id)), row, k->a, e) != 0)
        return -1;
    if (PQntuples(*row) > 0)
        return 0;
    err_set(e, ERR_NOT_FOUND, "there is no key %lld", (long long)id);
    return -1;
}

/* Items that name the key, as text "12 documents, 3 users"; empty when none. */
static int items_of(struct keys *k, int64_t id, struct buf *out, struct err *e)
{
    PGresult *items = NULL;

    if (db_query_in(k->c, &keys_stmt_items, DB_NO_ARGS, &items, k->a, e) != 0)
        return -1;
    for (int i = 0; i < PQntuples(items); i++)
        if (!db_is_null(items, i, 1) && db_int(items, i, 1) == id)
            buf_addf(out, "%s%s in %s", out->len > 0 ? ", " : "", PQgetvalue(items, i, 2),
                     PQgetvalue(items, i, 0));
    return 0;
}

static int check_unused(struct keys *k, int64_t id, struct err *e)
{
    struct buf items;

    buf_init(&items, 4096, k->a);
    if (items_of(k, id, &items, e) != 0)
        return -1;
    if (items.len == 0)
        return 0;
    err_set(e, ERR_CONFLICT, "key %lld still seals %s; run sluicectl keys reseal first",
            (long long)id, buf_cstr(&items));
    return -1;
}

int keys_retire(struct keys *k, struct err *e)
{
    PGresult *row = NULL;
    int64_t id;

    if (read_id(k, &id, e) != 0 || lock_key(k, id, &row, e) != 0)
        return -1;
    if (db_bool(row, 0, 3)) {
        err_set(e, ERR_CONFLICT, "key %lld writes \"%s\"; run sluicectl keys rotate %s first",
                (long long)id, PQgetvalue(row, 0, 0), PQgetvalue(row, 0, 0));
        return -1;
    }
    if (check_unused(k, id, e) != 0 ||
        db_exec(k->c, &stmt_retire, DB_ARGS(DB_INT(id)), NULL, e) != 0 || db_commit(k->c, e) != 0)
        return -1;
    printf("key %lld is retired\n", (long long)id);
    return CTL_OK;
}

int keys_purge(struct keys *k, struct err *e)
{
    PGresult *row = NULL;
    int64_t id, days;

    if (read_id(k, &id, e) != 0 || lock_key(k, id, &row, e) != 0)
        return -1;
    days = db_int(row, 0, 2);
    if (!str_eq_c(db_str(row, 0, 1), "retired")) {
        err_set(e, ERR_CONFLICT, "key %lld is not retired; run sluicectl keys retire %lld first",
                (long long)id, (long long)id);
        return -1;
    }
    if (days < PURGE_DAYS) {
        err_set(e, ERR_CONFLICT, "key %lld was retired %lld days ago; it can be purged after %d",
                (long long)id, (long long)days, PURGE_DAYS);
        return -1;
    }
    if (check_unused(k, id, e) != 0)
        return -1;
    if (!k->args->yes) {
        err_set(e, ERR_USAGE, "key %lld would be gone for ever, and backups made before it was "
                              "retired need it: say --yes", (long long)id);
        return -1;
    }
    (void)fprintf(stderr, "sluicectl keys: backups made before key %lld was retired need it\n",
                  (long long)id);
    if (db_exec(k->c, &stmt_purge, DB_ARGS(DB_INT(id)), NULL, e) != 0 || db_commit(k->c, e) != 0)
        return -1;
    printf("key %lld is gone\n", (long long)id);
    return CTL_OK;
}

/* ---- command line ---------------------------------------------------------------------------- */

static const struct verb {
    const char *name;
    keys_verb *run;
    int n_words;
} verbs[] = {
    {"list", keys_list, 0},     {"rotate", keys_rotate, 1}, {"reseal", keys_reseal, 0},
    {"verify", keys_verify, 0}, {"retire", keys_retire, 1}, {"purge", keys_purge, 1},
    {"wrap", keys_wrap, 0},     {"unwrap", keys_unwrap, 0}, {"rewrap", keys_rewrap, 0},
};

static bool read_option(const char *arg, struct keys_args *o)
{
    const char *v;

    if (ctl_is_option(arg, "dry-run"))
        return o->dry_run = true;
    if (ctl_is_option(arg, "yes"))
        return o->yes = true;
    if ((v = ctl_option_value(arg, "kek")) != NULL)
        return (o->kek = v)[0] != '\0';
    if ((v = ctl_option_value(arg, "new")) != NULL)
        return (o->new_kek = v)[0] != '\0';
    if ((v = ctl_option_value(arg, "label")) != NULL)
        return (o->label = v)[0] != '\0';
    if ((v = ctl_option_value(arg, "batch")) != NULL)
        return ctl_number(v, "", &o->batch) && o->batch <= 10000;
    if ((v = ctl_option_value(arg, "rate")) != NULL)
        return ctl_number(v, "/s", &o->rate);
    if ((v = ctl_option_value(arg, "max-lag")) != NULL)
        return ctl_number(v, "s", &o->max_lag_s);
    return false;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int run_verb(const struct verb *v, const struct keys_args *o, const char *command)
{
    struct keys k = {.args = o};
    struct err e = {0};
    int rc = -1;

    k.a = arena_new(0);
    if (ctl_db_open(&k.d, false, &e) == 0 && app_kek(o->kek, &k.kek, &k.has_kek, &e) == 0 &&
        db_get(k.d.db, &k.c, &e) == 0)
        rc = v->run(&k, &e);
    if (rc < 0)
        rc = ctl_db_fail(command, &e);
    arena_free(k.a); /* results before their connection */
    db_put(k.d.db, k.c);
    ctl_db_close(&k.d);
    kek_wipe(&k.kek);
    return rc;
}

int ctl_keys(int argc, char **argv)
{
    struct keys_args o = {.batch = 100, .max_lag_s = 30};
    const struct verb *v;

    if (argc < 2)
        return ctl_usage(argv[0], "what is to be done? list, rotate, reseal, verify, retire, purge, "
                                  "wrap, unwrap or rewrap");
    v = find_verb(argv[1]);
    if (v == NULL)
        return ctl_usage(argv[0], "unknown verb");
    for (int i = 2; i < argc; i++) {
        if (!ctl_looks_like_option(argv[i]) && o.n_words < 2)
            o.words[o.n_words++] = argv[i];
        else if (!ctl_looks_like_option(argv[i]) || !read_option(argv[i], &o))
            return ctl_usage(argv[0], "an option that is not known, or its value cannot be read");
    }
    if (o.n_words != v->n_words)
        return ctl_usage(argv[0], v->n_words == 0 ? "nothing is wanted behind the verb"
                                                  : "one label or id is wanted behind the verb");
    return run_verb(v, &o, argv[0]);
}
