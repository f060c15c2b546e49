/*
 * The archive as a whole: keys, order, counts.
 */
#include "legacy/archive.h"

#include <stdio.h>

#include "base/arena.h"
#include "legacy/archive_int.h"

static const struct db_stmt *const all[] = {
    &archive_stmt_find,  &archive_stmt_put,      &archive_stmt_block, &archive_stmt_mark,
    &archive_stmt_month, &archive_stmt_document, &archive_stmt_copy,
};
const struct db_stmts legacy_archive_stmts = {"legacy_archive", all, COUNT_OF(all)};

void legacy_archive_init(struct legacy_archive *ar, bool history, struct arena *a)
{
    *ar = (struct legacy_archive){.a = a, .history = history};
    ar->instances = val_list_new(a, 16);
    ar->documents = val_list_new(a, 16);
}

void legacy_archive_close(struct legacy_archive *ar)
{
    if (ar->keys != NULL)
        crypto_wipe(ar->keys, ar->room_keys * sizeof *ar->keys);
    if (ar->db == NULL)
        return;
    db_put(ar->db, ar->c); /* rolls back */
    db_free(ar->db);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void make_room(struct legacy_archive *ar)
{
    size_t room = 2 * ar->room_keys + FERNET_READINGS_MAX;
    struct fernet_key *keys;

    if (ar->n_keys + FERNET_READINGS_MAX <= ar->room_keys)
        return;
    keys = arena_alloc(ar->a, room * sizeof *keys);
    memset(keys, 0, room * sizeof *keys);
    if (ar->keys != NULL) {
        memcpy(keys, ar->keys, ar->n_keys * sizeof *keys);
        crypto_wipe(ar->keys, ar->room_keys * sizeof *ar->keys);
    }
    ar->keys = keys;
    ar->room_keys = room;
}

void legacy_archive_key(struct legacy_archive *ar, struct str material)
{
    size_t n;

    material = str_trim(material);
    if (str_starts(material, STR("\\x"))) /* bytes, as PostgreSQL shows them */
        material = str_slice(material, 2, material.len);
    if (material.len == 0)
        return;
    make_room(ar);
    n = fernet_readings(material, ar->keys + ar->n_keys);
    ar->n_keys += n;
    if (n > 0)
        ar->n_rows++;
}

int legacy_archive_keys(struct legacy_archive *ar, struct legacy_sources *s, const char *path,
                        struct err *e)
{
    struct str text;

    if (legacy_read_secret(s, path, &text, e) != 0)
        return -1;
    while (text.len > 0)
        legacy_archive_key(ar, str_cut(&text, '\n'));
    return 0;
}

/* ---- all ------------------------------------------------------------------------------------- */

bool archive_is_running(struct val instance)
{
    return str_ieq(val_get_text(instance, "status", STR("")), STR("ACTIVE"));
}

/* Which instances come: those documents hang on, or all. */
static void choose(struct archiving *w)
{
    for (size_t i = 0; i < val_count(w->ar->instances); i++) {
        struct val item = val_at(w->ar->instances, i);

        val_dict_set_str(w->by_id, val_get_text(item, "id", STR("")), item);
        val_dict_set_c(item, WANTED, val_bool(w->ar->history));
    }
    for (size_t i = 0; i < val_count(w->ar->documents); i++) {
        struct str owner = val_get_text(val_at(w->ar->documents, i), "instance", STR(""));
        struct val item = val_get_str(w->by_id, owner);

        if (val_is(item, VAL_DICT))
            val_dict_set_c(item, WANTED, val_bool(true));
    }
}

int legacy_archive_write(struct legacy_archive *ar, const struct legacy_archive_target *t,
                         struct legacy_plan *p, struct err *e)
{
    struct archiving w = {.ar = ar, .t = t, .pl = {.p = p, .a = ar->a, .e = e}};

    w.by_id = val_dict_new(ar->a, val_count(ar->instances));
    choose(&w);
    if (archive_instances(&w, e) != 0)
        return -1;
    return archive_documents(&w, e);
}

void legacy_archive_counts(const struct legacy_archive *ar, struct val counts)
{
    if (val_count(ar->instances) > 0)
        val_dict_set_c(counts, "instances", val_int(ar->instance_counts.added));
    if (val_count(ar->documents) > 0)
        val_dict_set_c(counts, "documents", val_int(ar->document_counts.added + ar->document_counts.replaced));
}

void legacy_archive_tell(const struct legacy_archive *ar)
{
    size_t n = val_count(ar->instances), m = val_count(ar->documents);

    if (n > 0)
        printf("instances: %zu read, %d added, %d unchanged, %d running, %d left out\n", n,
               ar->instance_counts.added, ar->instance_counts.unchanged, ar->instance_counts.running,
               ar->instance_counts.skipped);
    if (m > 0)
        printf("documents: %zu read, %d added, %d replaced, %d kept, %d unchanged, %d unreadable, %d left out\n", m,
               ar->document_counts.added, ar->document_counts.replaced, ar->document_counts.kept,
               ar->document_counts.unchanged, ar->document_counts.unreadable, ar->document_counts.skipped);
}
