/*
 * The rows behind a snapshot: reading them in one transaction, and making what a new database
 * lacks.
 */
#include "config/config_int.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "db/listen.h"
#include "db/locks.h"

static const struct db_stmt stmt_read_only = {
    "config_read_only", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", 0};

#define KEY_WORN "(state = 'active' AND algorithm = 'aes-256-gcm' AND " LISTEN_KEY_WORN ")"

static const struct db_stmt stmt_keys = {"config_keys",
                                         "SELECT id, label, algorithm, material, wrapped_by, state, "
                                         KEY_WORN " "
                                         "FROM keys WHERE state <> 'retired' ORDER BY id",
                                         0};

/* What may change without counting up the topic "config": keys by hand. */
static const struct db_stmt stmt_mark = {
    "config_mark",
    "SELECT coalesce(md5(string_agg(concat_ws(' ', id, algorithm, state, wrapped_by, label, " KEY_WORN
    "), ',' ORDER BY id)), '') FROM keys",
    0};

static const struct db_stmt stmt_document = {
    "config_document", "SELECT id, content FROM configuration ORDER BY id DESC LIMIT 1", 0};

static const struct db_stmt stmt_profiles = {
    "config_profiles",
    "SELECT id, name, array_to_json(accesses), api_rules FROM user_profiles ORDER BY id", 0};

static const struct db_stmt stmt_activities = {
    "config_activities",
    "SELECT a.id, a.name, v.id, v.definition_id, " DB_TS(
        "v.updated_on") " FROM activities a "
                        "JOIN activity_versions v ON v.activity_id = a.id AND v.active ORDER BY "
                        "a.id",
    0};

static const struct db_stmt stmt_definitions = {
    "config_definitions", "SELECT id, definition FROM definitions WHERE id = ANY ($1::bigint[])",
    1};

static const struct db_stmt stmt_routes = {
    "config_routes",
    "SELECT id, method, route, activity_id, err_activity_id, schema, sync, public, enabled, "
    "support_bulk, group_name "
    "FROM custom_routes ORDER BY id",
    0};

static const struct db_stmt stmt_templates = {
    "config_templates",
    "SELECT id, key, type, template FROM templates WHERE template IS NOT NULL ORDER BY id", 0};

static const struct db_stmt stmt_lock = {
    "config_lock", "SELECT pg_advisory_xact_lock(" DB_LOCK_KEYS ")", 0};

static const struct db_stmt stmt_key_missing = {"config_key_missing",
                                                "SELECT NOT EXISTS (SELECT 1 FROM keys WHERE label "
                                                "= $1 AND state = 'active' AND algorithm = $2 "
                                                "AND NOT " KEY_WORN ")",
                                                2};

static const struct db_stmt stmt_key_insert = {
    "config_key_insert",
    "INSERT INTO keys (id, label, algorithm, material, wrapped_by) VALUES ($1, $2, $3, $4, $5)", 5};

static const struct db_stmt stmt_key_seals = {
    "config_key_seals", "UPDATE keys SET seals = seals + $2 WHERE id = $1", 2};

static const struct db_stmt stmt_key_next = {"config_key_next", "SELECT nextval('keys_id_seq')", 0};

/* Those that wrote until now only open from now on. */
static const struct db_stmt stmt_key_former = {
    "config_key_former",
    "UPDATE keys SET state = 'decrypt', changed_on = now() WHERE label = $1 AND algorithm = $2 "
    "AND state = 'active' AND id < $3",
    3};

/* New keys are wrapped when the others are, or when there are none yet. */
static const struct db_stmt stmt_wraps = {
    "config_wraps",
    "SELECT NOT EXISTS (SELECT 1 FROM keys) OR EXISTS (SELECT 1 FROM keys WHERE wrapped_by = $1)",
    1};

static const struct db_stmt stmt_document_first = {
    "config_document_first",
    "INSERT INTO configuration (content, comment) SELECT $1, 'first start' "
    "WHERE NOT EXISTS (SELECT 1 FROM configuration)",
    1};

/* A new key is used at once: others must not wait for their next look at `keys`. */
static const struct db_stmt stmt_tell = {
    "config_tell",
    "WITH g AS (UPDATE generations SET n = n + 1, changed_on = now() WHERE topic = 'config') "
    "SELECT pg_notify('sluice', 'config')",
    0};

static const struct db_stmt *const all[] = {
    &stmt_tell, &stmt_read_only,   &stmt_keys,        &stmt_mark,           &stmt_document,  &stmt_profiles,
    &stmt_activities,  &stmt_definitions, &stmt_routes,         &stmt_templates, &stmt_lock,
    &stmt_key_missing, &stmt_key_insert,  &stmt_document_first, &stmt_key_next,
    &stmt_key_former,  &stmt_wraps,       &stmt_key_seals,
};
const struct db_stmts config_stmts = {"config", all, COUNT_OF(all)};

#define GCM "aes-256-gcm"
#define RS256 "rs256"

/* Every label the programs write with. */
static const struct label {
    const char *name, *algorithm;
} labels[] = {
    {"secrets", GCM},
    {"document-storage", GCM},
    {"gateway-logins", GCM},
    {"tokens", RS256},
};

/* ---- keys ---------------------------------------------------------------------------------------
 */

static int damaged(const struct cfg_key *k, struct err *e)
{
    err_set(e, ERR_CONFIG, "key %u (%.*s) is damaged; restore table keys from a backup", k->id,
            STR_ARG(k->label));
    return -1;
}

/* Out of what the key outside the database sealed. */
static int unwrap(const struct cfg_key *k, const struct kek *kek, struct str by,
                  struct str *material, struct arena *a, struct err *e)
{
    struct secret plain;

    if (kek == NULL) {
        err_set(e, ERR_CONFIG, "key %u (%.*s) is wrapped by %.*s; give that key with -kek=FILE",
                k->id, STR_ARG(k->label), STR_ARG(by));
        return -1;
    }
    if (!str_eq_c(by, kek->fingerprint)) {
        err_set(e, ERR_CONFIG, "-kek: the file holds key %s, key %u needs %.*s", kek->fingerprint,
                k->id, STR_ARG(by));
        return -1;
    }
    if (key_unwrap(kek, k->id, *material, &plain, a, e) != 0)
        return damaged(k, e);
    *material = secret_text(plain);
    return 0;
}

static int read_key(const PGresult *res, int row, struct cfg_key *k, const struct kek *kek,
                    struct seals *seals, bool *worn, struct arena *a, struct err *e)
{
    struct str material = db_bytes(res, row, 3, a);

    k->id = (uint32_t)db_int(res, row, 0);
    k->label = str_dup(a, db_str(res, row, 1));
    k->algorithm = str_dup(a, db_str(res, row, 2));
    k->state = str_dup(a, db_str(res, row, 5));
    k->seals = seals;
    *worn = *worn || db_bool(res, row, 6);
    if (!db_is_null(res, row, 4) &&
        unwrap(k, kek, str_dup(a, db_str(res, row, 4)), &material, a, e) != 0)
        return -1;
    if (str_eq_c(k->algorithm, GCM) && material.len != 32)
        return damaged(k, e);
    k->material = secret_new(a, material.p, material.len);
    crypto_wipe((void *)(uintptr_t)material.p, material.len);
    return 0;
}

static int read_keys(struct db_conn *c, struct cfg_box *b, struct err *e)
{
    PGresult *res = NULL;
    struct cfg_key *keys;
    int rc = -1;

    if (db_query(c, &stmt_keys, DB_NO_ARGS, &res, e) != 0)
        goto out;
    keys = ARENA_ARRAY(b->c.a, struct cfg_key, (size_t)PQntuples(res) + 1);
    for (int i = 0; i < PQntuples(res); i++)
        if (read_key(res, i, &keys[i], b->kek, b->seals, &b->worn_keys, b->c.a, e) != 0)
            goto out;
    b->c.keys = keys;
    b->c.n_keys = (size_t)PQntuples(res);
    rc = 0;
out:
    PQclear(res);
    return rc;
}

int cfg_mark(struct db_conn *c, struct str *out, struct arena *a, struct err *e)
{
    return db_text(c, &stmt_mark, DB_NO_ARGS, out, a, e);
}

static bool keys_complete(const struct cfg *c)
{
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        const struct cfg_key *k = cfg_key_active(c, labels[i].name);

        if (k == NULL || !str_eq_c(k->algorithm, labels[i].algorithm))
            return false;
    }
    return true;
}

static int wraps(struct db_conn *c, const struct kek *kek, bool *out, struct arena *a,
                 struct err *e)
{
    struct str yes = STR_NONE;

    if (kek != NULL && db_text(c, &stmt_wraps, DB_ARGS(DB_C(kek->fingerprint)), &yes, a, e) != 0)
        return -1;
    *out = str_eq_c(yes, "t");
    return 0;
}

int cfg_key_new(struct db_conn *c, struct str label, struct str algorithm, const struct kek *kek,
                int64_t *id, struct arena *a, struct err *e)
{
    unsigned char raw[32];
    struct str material = str_make((const char *)raw, sizeof raw);
    struct str public_pem, text;
    bool wrap;
    int rc = -1;

    crypto_random(raw, sizeof raw);
    if ((str_eq_c(algorithm, RS256) && jwt_keygen(&material, &public_pem, a, e) != 0) ||
        wraps(c, kek, &wrap, a, e) != 0 ||
        db_text(c, &stmt_key_next, DB_NO_ARGS, &text, a, e) != 0 || !str_to_int(text, id))
        goto out;
    if (wrap)
        material = key_wrap(kek, (uint32_t)*id, material, a);
    if (db_exec(c, &stmt_key_insert,
                DB_ARGS(DB_INT(*id), DB_STR(label), DB_STR(algorithm), DB_BYTES(material),
                        wrap ? DB_C(kek->fingerprint) : DB_NULL),
                NULL, e) != 0 ||
        db_exec(c, &stmt_key_former, DB_ARGS(DB_STR(label), DB_STR(algorithm), DB_INT(*id)), NULL,
                e) != 0)
        goto out;
    log_info("config.key", "id=%lld label=%.*s algorithm=%.*s made", (long long)*id, STR_ARG(label),
             STR_ARG(algorithm));
    rc = 0;
out:
    crypto_wipe(raw, sizeof raw);
    return rc;
}

int cfg_key_count(struct db_conn *c, uint32_t id, uint64_t n, struct err *e)
{
    return db_exec(c, &stmt_key_seals, DB_ARGS(DB_INT(id), DB_INT((int64_t)n)), NULL, e);
}

int cfg_keys_lock(struct db_conn *c, struct err *e)
{
    return db_exec(c, &stmt_lock, DB_NO_ARGS, NULL, e);
}

int cfg_keys_tell(struct db_conn *c, struct err *e)
{
    return db_exec(c, &stmt_tell, DB_NO_ARGS, NULL, e);
}

int cfg_prepare(struct db_conn *c, const struct kek *kek, struct err *e)
{
    struct arena *a = arena_new(0);
    int rc = -1;

    if (db_begin(c, e) != 0)
        goto out;
    if (db_exec(c, &stmt_lock, DB_NO_ARGS, NULL, e) != 0)
        goto out;
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        struct str missing;
        int64_t id;

        if (db_text(c, &stmt_key_missing, DB_ARGS(DB_C(labels[i].name), DB_C(labels[i].algorithm)),
                    &missing, a, e) != 0)
            goto out;
        if (str_eq_c(missing, "t") && (cfg_key_new(c, str_c(labels[i].name), str_c(labels[i].algorithm),
                                                   kek, &id, a, e) != 0 ||
                                       db_exec(c, &stmt_tell, DB_NO_ARGS, NULL, e) != 0))
            goto out;
    }
    if (db_exec(c, &stmt_document_first, DB_ARGS(DB_STR(json_text(cfg_document_default(a), a))),
                NULL, e) != 0)
        goto out;
    rc = db_commit(c, e);
out:
    if (rc != 0)
        db_rollback(c);
    arena_free(a);
    return rc;
}

/* ---- document -----------------------------------------------------------------------------------
 */

static int read_document(struct db_conn *c, const struct cfg_box *last, struct cfg_box *b,
                         bool *there, struct err *e)
{
    struct arena *a = b->c.a;
    PGresult *res = NULL;
    struct val stored;
    const char *zone = getenv("APIO_TIMEZONE");
    int rc = -1;

    if (db_query(c, &stmt_document, DB_NO_ARGS, &res, e) != 0)
        goto out;
    *there = PQntuples(res) > 0;
    if (!*there) {
        rc = 0;
        goto out;
    }
    b->c.config_id = db_int(res, 0, 0);
    b->same_document = last != NULL && last->c.config_id == b->c.config_id;
    if (json_parse_copy(db_str(res, 0, 1), &stored, a, e) != 0 ||
        cfg_document_open(&b->c, stored, &b->c.doc, a, e) != 0)
        goto out;
    b->c.masked = cfg_document_masked(stored, a);
    b->c.timezone = zone != NULL && zone[0] != '\0' ? str_c(zone) : cfg_text(&b->c, "timezone");
    gateways_read(b);
    proxy_names_read(b);
    rc = 0;
out:
    PQclear(res);
    if (rc != 0)
        err_context(e, "configuration version %lld", (long long)b->c.config_id);
    return rc;
}

/* ---- profiles -----------------------------------------------------------------------------------
 */

static int read_profiles(struct db_conn *c, struct cfg_box *b, struct err *e)
{
    struct arena *a = b->c.a;
    PGresult *res = NULL;
    struct cfg_profile *list;
    int n;

    if (db_query(c, &stmt_profiles, DB_NO_ARGS, &res, e) != 0)
        return -1;
    n = PQntuples(res);
    list = ARENA_ARRAY(a, struct cfg_profile, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        struct val accesses = val_undef(NULL);
        struct val rules = val_undef(NULL);
        struct str *names;
        struct err why = {0};

        list[i].id = db_int(res, i, 0);
        list[i].name = str_dup(a, db_str(res, i, 1));
        if (json_parse_copy(db_str(res, i, 2), &accesses, a, &why) != 0 ||
            json_parse_copy(db_str(res, i, 3), &rules, a, &why) != 0)
            log_err(LOG_WARN_LEVEL, "config.profile", &why);
        names = ARENA_ARRAY(a, struct str, val_count(accesses) + 1);
        for (size_t k = 0; k < val_count(accesses); k++)
            names[k] = val_text(val_at(accesses, k));
        list[i].accesses = names;
        list[i].n_accesses = val_count(accesses);
        rules_read(&list[i], rules, a);
    }
    PQclear(res);
    b->c.profiles = list;
    b->c.n_profiles = (size_t)n;
    return 0;
}

/* ---- activities ---------------------------------------------------------------------------------
 */

static struct def_text *lent(const struct cfg_box *last, int64_t id)
{
    for (size_t i = 0; last != NULL && i < last->n_defs; i++) {
        if (last->defs[i] != NULL && last->defs[i]->id == id) {
            atomic_fetch_add_explicit(&last->defs[i]->refs, 1, memory_order_relaxed);
            return last->defs[i];
        }
    }
    return NULL;
}

/* Fill the places of b->defs that nobody lent: wanted[i] is the id for place i. */
static int fetch_definitions(struct db_conn *c, struct cfg_box *b, const int64_t *wanted,
                             struct err *e)
{
    struct buf ids;
    PGresult *res = NULL;

    buf_init(&ids, 16 * MIB, b->c.a);
    buf_putc(&ids, '{');
    for (size_t i = 0; i < b->n_defs; i++)
        if (b->defs[i] == NULL)
            buf_addf(&ids, "%s%lld", ids.len > 1 ? "," : "", (long long)wanted[i]);
    buf_putc(&ids, '}');
    if (ids.len == 2)
        return 0;
    if (db_query(c, &stmt_definitions, DB_ARGS(DB_STR(buf_str(&ids))), &res, e) != 0)
        return -1;
    for (int row = 0; row < PQntuples(res); row++) {
        int64_t id = db_int(res, row, 0);
        struct str text = db_str(res, row, 1);
        struct def_text *d = malloc(sizeof *d + text.len + 1);

        if (d == NULL)
            abort();
        d->id = id;
        d->len = text.len;
        atomic_init(&d->refs, 1);
        memcpy(d->p, text.p, text.len);
        d->p[text.len] = '\0';
        for (size_t i = 0; i < b->n_defs; i++) {
            if (b->defs[i] == NULL && wanted[i] == id) {
                atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
                b->defs[i] = d;
            }
        }
        def_text_unref(d);
    }
    PQclear(res);
    return 0;
}

static int read_activities(struct db_conn *c, const struct cfg_box *last, struct cfg_box *b,
                           struct err *e)
{
    struct arena *a = b->c.a;
    PGresult *res = NULL;
    struct cfg_activity *list;
    int64_t *wanted;
    int rc = -1;

    if (db_query(c, &stmt_activities, DB_NO_ARGS, &res, e) != 0)
        goto out;
    b->n_defs = (size_t)PQntuples(res);
    b->defs = ARENA_ARRAY(a, struct def_text *, b->n_defs + 1);
    list = ARENA_ARRAY(a, struct cfg_activity, b->n_defs + 1);
    wanted = ARENA_ARRAY(a, int64_t, b->n_defs + 1);
    for (size_t i = 0; i < b->n_defs; i++) {
        int row = (int)i;

        list[i].id = db_int(res, row, 0);
        list[i].name = str_dup(a, db_str(res, row, 1));
        list[i].version_id = db_int(res, row, 2);
        wanted[i] = db_int(res, row, 3);
        list[i].definition_id = wanted[i];
        list[i].revision_us = db_time_us(res, row, 4);
        b->defs[i] = lent(last, wanted[i]);
        map_set(&b->activities_by_name, list[i].name, &list[i]);
    }
    if (fetch_definitions(c, b, wanted, e) != 0)
        goto out;
    for (size_t i = 0; i < b->n_defs; i++)
        if (b->defs[i] != NULL)
            list[i].definition = str_make(b->defs[i]->p, b->defs[i]->len);
    b->c.activities = list;
    b->c.n_activities = b->n_defs;
    rc = 0;
out:
    PQclear(res);
    return rc;
}

/* ---- routes and templates
 * ------------------------------------------------------------------------ */

static bool method_of(struct str name, enum http_method *out)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {
        {"get", HTTP_GET}, {"post", HTTP_POST}, {"put", HTTP_PUT}, {"delete", HTTP_DELETE}};

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (str_ieq(name, str_c(methods[i].name))) {
            *out = methods[i].method;
            return true;
        }
    }
    return false;
}

static bool was_broken(const struct cfg_box *last, int64_t id)
{
    for (size_t i = 0; last != NULL && i < last->n_broken; i++)
        if (last->broken[i] == id)
            return true;
    return false;
}

/* A route that cannot be read is left out and reported: the others must go on answering. */
static bool read_route(const PGresult *res, int row, const struct cfg_box *last,
                       struct cfg_route *r, struct arena *a)
{
    struct err e = {0};
    struct val schema;

    r->id = db_int(res, row, 0);
    r->route = str_dup(a, db_str(res, row, 2));
    r->activity_id = db_int(res, row, 3);
    r->err_activity_id = db_int(res, row, 4);
    r->sync = db_bool(res, row, 6);
    r->is_public = db_bool(res, row, 7);
    r->enabled = db_bool(res, row, 8);
    r->support_bulk = db_bool(res, row, 9);
    r->group = str_dup(a, db_str(res, row, 10));
    if (!method_of(db_str(res, row, 1), &r->method))
        err_set(&e, ERR_INVALID, "unknown method");
    else if (route_prepare(r, a, &e) == 0 &&
             (db_is_null(res, row, 5) ||
              (json_parse_copy(db_str(res, row, 5), &schema, a, &e) == 0 &&
               (val_is_none(schema) ||
                jsonschema_compile(&r->schema, schema, JSONSCHEMA_AUTO, 0, a, &e) == 0))))
        return true;
    err_context(&e, "route %lld \"%s\" does not answer", (long long)r->id, r->route.p);
    if (!was_broken(last, r->id))
        log_err(LOG_ERROR_LEVEL, "config.route", &e);
    return false;
}

static int read_routes(struct db_conn *c, const struct cfg_box *last, struct cfg_box *b,
                       struct err *e)
{
    PGresult *res = NULL;
    struct cfg_route *list;
    size_t n = 0;

    if (db_query(c, &stmt_routes, DB_NO_ARGS, &res, e) != 0)
        return -1;
    list = ARENA_ARRAY(b->c.a, struct cfg_route, (size_t)PQntuples(res) + 1);
    b->broken = ARENA_ARRAY(b->c.a, int64_t, (size_t)PQntuples(res) + 1);
    for (int i = 0; i < PQntuples(res); i++) {
        list[n] = (struct cfg_route){0};
        if (read_route(res, i, last, &list[n], b->c.a))
            n++;
        else
            b->broken[b->n_broken++] = list[n].id;
    }
    PQclear(res);
    b->c.routes = list;
    b->c.n_routes = n;
    return 0;
}

static int read_templates(struct db_conn *c, struct cfg_box *b, struct err *e)
{
    struct arena *a = b->c.a;
    PGresult *res = NULL;
    struct cfg_template *list;
    int n;

    if (db_query(c, &stmt_templates, DB_NO_ARGS, &res, e) != 0)
        return -1;
    n = PQntuples(res);
    list = ARENA_ARRAY(a, struct cfg_template, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        list[i].id = db_int(res, i, 0);
        list[i].key = str_dup(a, db_str(res, i, 1));
        list[i].type = str_dup(a, db_str(res, i, 2));
        list[i].source = str_dup(a, db_str(res, i, 3));
        map_set(&b->templates_by_key, list[i].key, &list[i]);
    }
    PQclear(res);
    b->c.templates = list;
    b->c.n_templates = (size_t)n;
    return 0;
}

/* ---- all of it ----------------------------------------------------------------------------------
 */

int cfg_read(struct db_conn *c, const struct cfg_box *last, struct cfg_box *out, bool *complete,
             struct err *e)
{
    bool document = false;
    int rc = -1;

    if (db_begin(c, e) != 0)
        return -1;
    if (db_exec(c, &stmt_read_only, DB_NO_ARGS, NULL, e) != 0 ||
        cfg_mark(c, &out->mark, out->c.a, e) != 0 || read_keys(c, out, e) != 0 ||
        read_document(c, last, out, &document, e) != 0 || read_profiles(c, out, e) != 0 ||
        read_activities(c, last, out, e) != 0 || read_routes(c, last, out, e) != 0 ||
        read_templates(c, out, e) != 0)
        goto out;
    *complete = document && !out->worn_keys && keys_complete(&out->c);
    rc = db_commit(c, e);
out:
    if (rc != 0)
        db_rollback(c);
    return rc;
}
