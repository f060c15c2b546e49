/*
 * The target of an import.
 */
#include "legacy/target.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/json.h"
#include "db/locks.h"

static const struct db_stmt stmt_lock = {"legacy_lock",
                                         "SELECT pg_try_advisory_lock(" DB_LOCK_IMPORT ")", 0};
static const struct db_stmt stmt_holder = {
    "legacy_holder",
    "SELECT to_char(started_on, 'HH24:MI') || ' (' || who || ')' FROM imports WHERE finished_on IS "
    "NULL ORDER BY id DESC LIMIT 1",
    0};
static const struct db_stmt stmt_configured = {
    "legacy_configured",
    "SELECT EXISTS (SELECT 1 FROM configuration WHERE comment IS DISTINCT FROM 'first start')", 0};
static const struct db_stmt stmt_begin = {
    "legacy_begin", "INSERT INTO imports (who, sources) VALUES ($1, $2) RETURNING id", 2};
static const struct db_stmt stmt_version = {
    "legacy_version",
    "INSERT INTO configuration (content, created_by, comment) VALUES ($1, 'import-legacy', $2)", 2};
static const struct db_stmt stmt_end = {
    "legacy_end", "UPDATE imports SET finished_on = now(), counts = $2, skipped = $3 WHERE id = $1",
    3};

static const struct db_stmt *const all[] = {&stmt_lock,  &stmt_holder,  &stmt_configured,
                                            &stmt_begin, &stmt_version, &stmt_end,
                                            &legacy_stmt_without_password};
const struct db_stmts legacy_stmts = {"legacy", all, COUNT_OF(all)};

int legacy_lock(struct legacy_target *t, struct err *e)
{
    struct str got, holder;

    if (db_text(t->c, &stmt_lock, DB_NO_ARGS, &got, t->a, e) != 0)
        return -1;
    if (str_eq_c(got, "t"))
        return 0;
    if (db_text(t->c, &stmt_holder, DB_NO_ARGS, &holder, t->a, e) != 0)
        holder = STR("a moment ago");
    err_set(e, ERR_BUSY, "an import is running since %.*s", STR_ARG(holder));
    return -1;
}

int legacy_configured(struct legacy_target *t, bool *out, struct err *e)
{
    struct str text;

    if (db_text(t->c, &stmt_configured, DB_NO_ARGS, &text, t->a, e) != 0)
        return -1;
    *out = str_eq_c(text, "t");
    return 0;
}

int legacy_begin(struct legacy_target *t, struct val sources, struct err *e)
{
    char host[128] = "";
    struct str text;

    (void)gethostname(host, sizeof host - 1);
    if (db_text(t->c, &stmt_begin,
                DB_ARGS(DB_C(arena_printf(t->a, "host %s, pid %d", host, (int)getpid())),
                        DB_STR(json_text(sources, t->a))),
                &text, t->a, e) != 0)
        return -1;
    FAULT_DIE("import", STR("begin"));
    return str_to_int(text, &t->import_id) ? 0 : -1;
}

int legacy_check(struct legacy_target *t, const struct cfg *current, const struct legacy_plan *p, struct err *e)
{
    struct val stored;

    if (!p->changed || cfg_document_accept(current, p->doc, &stored, t->a, e) == 0)
        return 0;
    if (e->code == ERR_INVALID)
        e->code = ERR_USAGE;
    return -1;
}

int legacy_finish(struct legacy_target *t, const struct cfg *current, const struct legacy_plan *p,
                  const char *comment, struct val counts, struct err *e)
{
    struct val stored;

    if (db_begin(t->c, e) != 0)
        return -1;
    if (p->changed && (cfg_document_accept(current, p->doc, &stored, t->a, e) != 0 ||
                       db_exec(t->c, &stmt_version,
                               DB_ARGS(DB_STR(json_text(stored, t->a)), DB_C(comment)), NULL, e) != 0))
        return -1;
    if (db_exec(t->c, &stmt_end,
                DB_ARGS(DB_INT(t->import_id), DB_STR(json_text(counts, t->a)),
                        DB_STR(json_text(p->skipped, t->a))),
                NULL, e) != 0)
        return -1;
    if (db_commit(t->c, e) != 0)
        return -1;
    FAULT_DIE("import", STR("configuration"));
    return 0;
}
