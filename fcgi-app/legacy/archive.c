/*
 * The archive as a whole: keys and counts.
 */
#include "legacy/archive.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "legacy/archive_int.h"

static const struct db_stmt *const all[] = {
    &archive_stmt_find,
    &archive_stmt_find_request,
    &archive_stmt_complete,
    &archive_stmt_parents,
    &archive_stmt_instances,
    &archive_stmt_parts[ARCHIVE_REQUESTS],
    &archive_stmt_parts[ARCHIVE_TASKS],
    &archive_stmt_parts[ARCHIVE_ERRORS],
    &archive_stmt_parts[ARCHIVE_TRACES],
    &archive_stmt_block,
    &archive_stmt_mark,
    &archive_stmt_rows,
    &archive_stmt_month,
    &archive_stmt_document,
    &archive_stmt_document_piece,
    &archive_stmt_large,
    &archive_stmt_large_put,
    &archive_stmt_copy,
    &archive_stmt_large_drop,
};
const struct db_stmts legacy_archive_stmts = {"legacy_archive", all, COUNT_OF(all)};

void legacy_archive_init(struct legacy_archive *ar, bool history, struct arena *a)
{
    *ar = (struct legacy_archive){.a = a, .history = history};
}

void legacy_archive_close(struct legacy_archive *ar)
{
    if (ar->keys != NULL)
        crypto_wipe(ar->keys, ar->room_keys * sizeof *ar->keys);
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

/* ---- counts ---------------------------------------------------------------------------------- */

static const char *const names[] = {"requests", "tasks", "errors", "traces"};

void legacy_archive_counts(const struct legacy_archive *ar, struct val counts)
{
    if (ar->instances.read > 0)
        val_dict_set_c(counts, "instances", val_int(ar->instances.added));
    for (int i = 0; i < ARCHIVE_PARTS; i++)
        if (ar->parts[i].read > 0)
            val_dict_set_c(counts, names[i], val_int(ar->parts[i].added));
    if (ar->documents.read > 0)
        val_dict_set_c(counts, "documents", val_int(ar->documents.added + ar->documents.replaced));
}

static void tell_rows(const char *what, const struct archive_counts *n)
{
    printf("%s: %" PRId64 " read, %" PRId64 " added, %" PRId64 " unchanged, %" PRId64 " running, %" PRId64 " left out\n", what,
           n->read, n->added, n->unchanged, n->running, n->skipped);
}

void legacy_archive_tell(const struct legacy_archive *ar)
{
    const struct archive_counts *n = &ar->documents;

    if (ar->instances.read > 0)
        tell_rows("instances", &ar->instances);
    if (ar->parts[ARCHIVE_REQUESTS].read > 0)
        tell_rows(names[ARCHIVE_REQUESTS], &ar->parts[ARCHIVE_REQUESTS]);
    for (int i = ARCHIVE_TASKS; i < ARCHIVE_PARTS; i++)
        if (ar->parts[i].read > 0)
            printf("%s: %" PRId64 " added, %" PRId64 " left out\n", names[i], ar->parts[i].added, ar->parts[i].skipped);
    if (n->read > 0)
        printf("documents: %" PRId64 " read, %" PRId64 " added, %" PRId64 " replaced, %" PRId64 " kept, %" PRId64 " unchanged, %" PRId64
               " unreadable, %" PRId64 " left out\n",
               n->read, n->added, n->replaced, n->kept, n->unchanged, n->unreadable, n->skipped);
}
