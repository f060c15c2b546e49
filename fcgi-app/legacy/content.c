/*
 * Writing content, kind by kind.
 */
#include "legacy/content.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "legacy/content_int.h"
#include "legacy/plan_int.h"

static const struct content_kind *content_kind(size_t kind)
{
    if (kind < CONTENT_PEOPLE)
        return &content_people[kind];
    kind -= CONTENT_PEOPLE;
    return kind < CONTENT_FLOWS ? &content_flows[kind] : &content_hooks[kind - CONTENT_FLOWS];
}

bool legacy_kind_find(struct str word, enum legacy_kind_id *out)
{
    for (size_t i = 0; i < LEGACY_KINDS; i++) {
        if (!str_eq_c(word, content_kind(i)->word))
            continue;
        *out = (enum legacy_kind_id)i;
        return true;
    }
    return false;
}

void legacy_content_init(struct legacy_content *x, struct arena *a)
{
    *x = (struct legacy_content){.a = a};
    for (size_t i = 0; i < LEGACY_KINDS; i++)
        x->items[i] = val_list_new(a, 16);
}

void legacy_content_add(struct legacy_content *x, enum legacy_kind_id kind, struct val item)
{
    x->read[kind] = true;
    val_list_add(x->items[kind], item);
}

/* ---- telling --------------------------------------------------------------------------------- */

struct writing {
    struct legacy_content *x;
    struct db_conn *c;
    const struct cfg *current;
    struct legacy_plan *p;
    enum legacy_conflict conflict;
    bool dry; /* one transaction, rolled back */
    const struct content_kind *k;
    size_t kind;
    struct val item;
};

/* `users "ann"`, `role members "ann", "night"` */
static const char *shown(const struct writing *w)
{
    const struct content_kind *k = w->k;
    struct str first = val_get_text(w->item, k->shown[0], STR("?"));

    if (k->shown[1] == NULL)
        return arena_printf(w->x->a, "%s \"%.*s\"", k->name, STR_ARG(first));
    return arena_printf(w->x->a, "%s \"%.*s\", \"%.*s\"", k->name, STR_ARG(first),
                        STR_ARG(val_get_text(w->item, k->shown[1], STR("?"))));
}

static void tell(void *ctx, const char *text)
{
    const struct writing *w = ctx;
    struct planning pl = {.p = w->p, .a = w->x->a};

    plan_gap(&pl, "%s: %s", shown(w), text);
}

static void skip(struct writing *w, const char *why)
{
    w->x->counts[w->kind].skipped++;
    tell(w, why);
}

/* Such a text is refused by the database, with its neighbours in the words of the refusal: secrets may stand there. */
static bool holds_nul(struct val v)
{
    struct val key, value;

    if (val_is(v, VAL_STR))
        return str_find_char(val_text(v), '\0') >= 0;
    for (size_t i = 0; val_is(v, VAL_LIST) && i < val_count(v); i++)
        if (holds_nul(val_at(v, i)))
            return true;
    for (size_t i = 0; val_is(v, VAL_DICT) && i < val_count(v); i++) {
        val_pair_at(v, i, &key, &value);
        if (holds_nul(key) || holds_nul(value))
            return true;
    }
    return false;
}

/* False: it cannot be written, and that was said. */
static bool look(struct writing *w)
{
    const char *why = holds_nul(w->item) ? "it holds a NUL character, which the database cannot store"
                      : w->k->unfit != NULL ? w->k->unfit(w->item, w->x->a) : NULL;

    if (why != NULL) {
        skip(w, why);
        return false;
    }
    if (w->k->remark != NULL)
        w->k->remark(w->item, tell, w);
    return true;
}

/* ---- one item -------------------------------------------------------------------------------- */

static int seal_one(struct writing *w, size_t at, struct str id, struct err *e)
{
    const struct cfg_key *k = cfg_key_active(w->current, "secrets");
    struct val v = val_get(w->item, w->k->seals[at].member);
    struct str plain = val_is(v, VAL_STR) ? val_text(v) : val_is(v, VAL_DICT) ? json_text(v, w->x->a) : STR(""), text;

    if (plain.len == 0 || plan_masked(plain))
        return 0;
    if (k == NULL || k->material.len != 32) {
        err_set(e, ERR_CONFIG, "no key labelled \"secrets\" is there to seal with");
        return -1;
    }
    text = cfg_seal_text(k, plain, w->k->seals[at].column, id, w->x->a);
    return db_exec(w->c, &w->k->seals[at].put, DB_ARGS(DB_STR(id), DB_STR(text)), NULL, e);
}

/* ERR_NOT_FOUND: what the item names is not there. */
static int put(struct writing *w, struct str text, struct err *e)
{
    struct str id;

    if (db_text(w->c, &w->k->put, DB_ARGS(DB_STR(text)), &id, w->x->a, e) != 0)
        return -1;
    for (size_t i = 0; i < KIND_SEALS && w->k->seals[i].member != NULL; i++)
        if (seal_one(w, i, id, e) != 0)
            return -1;
    return 0;
}

static int decide(struct writing *w, struct str text, struct err *e)
{
    struct str state;
    int rc;

    if (db_text(w->c, &w->k->state, DB_ARGS(DB_STR(text)), &state, w->x->a, e) != 0)
        return -1;
    if (str_eq_c(state, "same")) {
        w->x->counts[w->kind].unchanged++;
        return 0;
    }
    if (str_eq_c(state, "other") && w->conflict == LEGACY_FAIL) {
        err_set(e, ERR_CONFLICT, "conflict: %s differs from what is there; choose --on-conflict=keep or replace", shown(w));
        return -1;
    }
    if (str_eq_c(state, "other") && w->conflict == LEGACY_KEEP) {
        w->x->counts[w->kind].kept++;
        return 0;
    }
    rc = put(w, text, e);
    if (rc == 0 && str_eq_c(state, "new"))
        w->x->counts[w->kind].added++;
    else if (rc == 0)
        w->x->counts[w->kind].replaced++;
    return rc;
}

static int command(struct writing *w, const char *sql, struct err *e)
{
    PGresult *res = NULL;

    return db_query_sql(w->c, sql, NULL, 0, &res, w->x->a, e);
}

/* One that the database refuses is left out; the others are written. */
static int write_one(struct writing *w, struct err *e)
{
    struct err why = {0};

    if (command(w, "SAVEPOINT item", e) != 0)
        return -1;
    if (decide(w, json_text(w->item, w->x->a), &why) == 0)
        return command(w, "RELEASE SAVEPOINT item", e);
    if (why.code == ERR_DB || why.code == ERR_CONFIG || (why.code == ERR_CONFLICT && str_starts(str_c(why.msg), STR("conflict: ")))) {
        *e = why;
        return -1;
    }
    if (command(w, "ROLLBACK TO SAVEPOINT item", e) != 0)
        return -1;
    skip(w, why.code == ERR_NOT_FOUND ? "what it names was not imported"
                                      : arena_printf(w->x->a, "the database does not take it (%s)",
                                                     why.detail[0] != '\0' ? why.detail : why.msg));
    return 0;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* A transaction ends: tests kill here. */
static int commit(struct writing *w, struct err *e)
{
    if (w->dry)
        return 0;
    if (db_commit(w->c, e) != 0)
        return -1;
    FAULT_DIE("import", str_c(w->k->word));
    return 0;
}

static int write_kind(struct writing *w, struct err *e)
{
    bool goes_on = w->kind + 1 < LEGACY_KINDS && content_kind(w->kind + 1)->joined;

    if (!w->k->joined && !w->dry && db_begin(w->c, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(w->x->items[w->kind]); i++) {
        w->item = val_at(w->x->items[w->kind], i);
        if (look(w) && write_one(w, e) != 0)
            return -1;
    }
    return goes_on ? 0 : commit(w, e);
}

int legacy_content_write(struct legacy_content *x, struct db_conn *c, const struct cfg *current,
                         const struct legacy_options *o, bool dry, struct legacy_plan *p, struct err *e)
{
    struct writing w = {.x = x, .c = c, .current = current, .p = p, .conflict = o->conflict, .dry = dry};

    if (dry && db_begin(c, e) != 0)
        return -1;
    for (w.kind = 0; w.kind < LEGACY_KINDS; w.kind++) {
        w.k = content_kind(w.kind);
        if (write_kind(&w, e) != 0)
            return -1;
    }
    if (dry)
        db_rollback(c);
    return 0;
}

void legacy_content_counts(const struct legacy_content *x, struct val counts)
{
    for (size_t i = 0; i < LEGACY_KINDS; i++)
        if (x->read[i])
            val_dict_set_c(counts, content_kind(i)->name, val_int(x->counts[i].added + x->counts[i].replaced));
}

void legacy_content_tell(const struct legacy_content *x)
{
    for (size_t i = 0; i < LEGACY_KINDS; i++) {
        if (!x->read[i])
            continue;
        printf("%s: %zu read, %d added, %d replaced, %d kept, %d unchanged", content_kind(i)->name,
               val_count(x->items[i]), x->counts[i].added, x->counts[i].replaced, x->counts[i].kept,
               x->counts[i].unchanged);
        if (x->counts[i].skipped > 0)
            printf(", %d left out", x->counts[i].skipped);
        printf("\n");
    }
}
size_t legacy_content_stmts(const struct db_stmt *out[LEGACY_STMTS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < LEGACY_KINDS; i++) {
        const struct content_kind *k = content_kind(i);

        out[n++] = &k->state;
        out[n++] = &k->put;
        for (size_t s = 0; s < KIND_SEALS && k->seals[s].member != NULL; s++)
            out[n++] = &k->seals[s].put;
    }
    return n;
}
