/*
 * sluicectl doctor -structure: the tables of a database by name and type, and the line that makes
 * the structure of a former platform known (migration.md 6.2).
 *
 * No data is read, so that a site can pass the output on.
 */
#include <stdio.h>

#include "base/arena.h"
#include "ctl/doctor.h"
#include "db/structure.h"

static const char *taken_for(const struct structure_found *s, struct arena *a)
{
    const char *version = s->version != NULL ? s->version : "version not known";

    switch (s->kind) {
    case HOLDS_NOTHING:
        return "empty";
    case HOLDS_OURS:
        return "a database of this product";
    case HOLDS_LEGACY_0:
        return arena_printf(a, "APIO core 0.x, %s (revision %s)", version, s->revision != NULL ? s->revision : "unknown");
    case HOLDS_LEGACY_2:
        return arena_printf(a, "APIO core 2.x, %s (structure %s)", version, s->revision != NULL ? s->revision : "unknown");
    case HOLDS_LEGACY:
        return arena_printf(a, "APIO core, %s (%s)", version, s->names);
    case HOLDS_FOREIGN:
        break;
    }
    return "not a structure of the former product";
}

int doctor_structure(struct ctl_db *d, struct err *e)
{
    struct structure_found s;
    struct db_conn *c = NULL;
    int rc = -1;

    if (db_get(d->db, &c, e) == 0 && structure_look_at(c, &s, d->a, e) == 0) {
        printf("# schema \"%s\": %s\n%.*s", s.schema, taken_for(&s, d->a), STR_ARG(s.lines));
        if (s.kind != HOLDS_NOTHING && s.kind != HOLDS_OURS)
            printf("# for sql/legacy.list:\nfingerprint %s %s\n", s.fingerprint, s.version != NULL ? s.version : "VERSION");
        rc = 0;
    }
    db_put(d->db, c);
    return rc;
}
