/*
 * What the kinds of content share: how one is found and written.
 */
#ifndef SLUICE_LEGACY_CONTENT_INT_H
#define SLUICE_LEGACY_CONTENT_INT_H

#include "legacy/content.h"

/* Parts of statements whose $1 is an item as JSON. */
#define TEXT(name) "($1::json ->> '" name "')"
#define FLAG(name, preset) "coalesce(" TEXT(name) "::boolean, " preset ")"
/* An object or a list, else null: some interfaces store such things as text. */
#define JSON(name)                                                                                 \
    "(CASE WHEN json_typeof($1::json -> '" name "') IN ('object', 'array') THEN $1::json -> '" name "' END)"
/* "new", "same" when `same` holds, else "other", by the row `id` belongs to. */
#define STATE(id, same) "CASE WHEN " id " IS NULL THEN 'new' WHEN " same " THEN 'same' ELSE 'other' END"
#define LIKE_OURS(column, value) column " IS NOT DISTINCT FROM " value

enum { KIND_SEALS = 3 };

/* Every kind is such a row. */
struct content_kind {
    const char *word;     /* of map files */
    const char *name;     /* for people: "scheduled jobs" */
    const char *shown[2]; /* members that name an item in messages */
    bool joined;          /* in one transaction with the kind before */
    struct db_stmt state; /* $1: "new", "same", "other" */
    struct db_stmt put;   /* $1: id of the row; no row: what the item names is not there */
    struct {
        const char *member; /* of the item */
        const char *column; /* "webhooks.secret": what it is sealed for */
        struct db_stmt put; /* $1 id, $2 the sealed text */
    } seals[KIND_SEALS];
    /* Why an item cannot be written, living in `a`; NULL: it can. */
    const char *(*unfit)(struct val item, struct arena *a);
    /* What of an item does not come along, one line each, with what to do. */
    void (*remark)(struct val item, void (*say)(void *ctx, const char *text), void *ctx);
};

/* content_people.c, content_flows.c, content_hooks.c: in the order of the enumeration */
extern const struct content_kind content_people[], content_flows[], content_hooks[];
enum { CONTENT_PEOPLE = 6, CONTENT_FLOWS = 6, CONTENT_HOOKS = 6 };

#endif
