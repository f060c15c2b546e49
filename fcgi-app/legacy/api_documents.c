/*
 * Documents of the old platform's transactions, one after the other: what it decrypts goes sealed
 * into ours while it comes, so none is in memory as a whole.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fault.h"
#include "legacy/api_int.h"

enum { TRIES = 3, PIECE = 16 * 1024 };

struct one {
    struct api_past *p;
    struct arena *a;
    struct val item;
    const char *shown, *path;
    struct doc_new n;
    struct document here; /* of that name; id 0: none */
    struct doc_writer *writer;
    struct doc_reader *reader; /* of `here`, to compare */
    bool same, refused;
    struct err why;            /* refused: by the writer or the reader */
};

int api_documents_list(struct api_past *p, int64_t instance, struct val *out)
{
    struct val v;

    *out = val_list_new(p->w.a, 0);
    if (p->w.ar->no_documents)
        return 0;
    if (legacy_api_get(p->api, arena_printf(p->w.a, "/api/v01/transactions/%lld/documents", (long long)instance), &v, p->w.a, p->e) == 0) {
        if (val_is(val_get(v, "documents"), VAL_LIST))
            *out = val_get(v, "documents");
        return 0;
    }
    if (p->api->status == 404)
        return 0;
    if (!legacy_api_goes_on(p->api))
        return -1;
    plan_gap(&p->w.pl, "documents of transaction %lld: %s", (long long)instance, p->e->msg);
    return 0;
}

/* ---- on the way ------------------------------------------------------------------------------ */

/* Is what is here the same so far? */
static bool compare(struct one *o, struct str piece)
{
    char ours[PIECE];

    while (o->same && piece.len > 0) {
        size_t want = piece.len < sizeof ours ? piece.len : sizeof ours;
        ptrdiff_t got = doc_read(o->reader, ours, want, &o->why);

        if (got < 0 && o->why.code == ERR_DB)
            return false;
        o->same = got > 0 && memcmp(ours, piece.p, (size_t)got) == 0;
        piece = str_slice(piece, got > 0 ? (size_t)got : 0, piece.len);
    }
    return true;
}

static bool take(void *ctx, struct str piece)
{
    struct one *o = ctx;

    o->refused = (o->reader != NULL && !compare(o, piece)) || doc_write(o->writer, piece.p, piece.len, &o->why) != 0;
    return !o->refused;
}

static int leave(struct one *o, const char *why)
{
    o->p->w.ar->documents.skipped++;
    plan_gap(&o->p->w.pl, "%s: %s", o->shown, why);
    return 0;
}

static void end(struct one *o)
{
    doc_close(o->reader);
    doc_abort(o->writer);
    o->reader = NULL;
    o->writer = NULL;
}

/* Once from the first byte; 1: it is to be tried again. */
static int fetch(struct one *o, int tries)
{
    struct api_past *p = o->p;
    struct document doc;
    char byte;
    int rc;

    end(o);
    o->refused = false;
    if (doc_create(p->w.t->documents, &o->n, &o->writer, &o->why) != 0)
        return o->why.code == ERR_INVALID ? leave(o, o->why.msg) : (*p->e = o->why, -1);
    o->same = o->here.id != 0 && doc_open(p->w.t->documents, o->here.id, &doc, &o->reader, o->a, &o->why) == 0;
    rc = legacy_api_stream(p->api, o->path, take, o, o->a, p->e);
    if (rc == 0) {
        o->same = o->same && doc_read(o->reader, &byte, 1, &o->why) == 0;
        return 0;
    }
    if (o->refused && o->why.code == ERR_LIMIT) {
        doc_abort(o->writer);
        o->writer = NULL;
        return leave(o, o->why.msg);
    }
    if (o->refused) {
        *p->e = o->why;
        return -1;
    }
    if (p->api->status == 0 && tries < TRIES)
        return 1;
    doc_abort(o->writer);
    o->writer = NULL;
    return legacy_api_goes_on(p->api) ? leave(o, p->e->msg) : -1;
}

/* ---- one ------------------------------------------------------------------------------------- */

/* What is here was stored after theirs was: theirs is what was taken then. */
static bool is_older(const struct one *o)
{
    struct str theirs = val_get_text(o->item, "created_on", STR(""));
    char ours[CLOCK_ISO_MAX];

    clock_iso(o->here.created_us, ours);
    return theirs.len >= 20 && theirs.p[theirs.len - 1] == 'Z' && str_cmp(str_slice(theirs, 0, 19), str_make(ours, 19)) < 0;
}

static int store(struct one *o)
{
    struct archive_counts *n = &o->p->w.ar->documents;
    enum archive_there there = o->here.id == 0 ? THERE_NOT : o->same ? THERE_SAME : THERE_OTHER;
    struct doc_writer *writer = o->writer;
    struct err why = {0};
    bool write;

    if (archive_decide(&o->p->w, o->shown, o->n.name, there, &write, o->p->e) != 0)
        return -1;
    if (!write)
        return 0;
    o->writer = NULL; /* gone, whatever happens */
    if (doc_commit(writer, NULL, &why) != 0) {
        if (why.code == ERR_INVALID)
            return leave(o, why.msg);
        *o->p->e = why;
        return -1;
    }
    if (there == THERE_NOT)
        n->added++;
    else
        n->replaced++;
    FAULT_DIE("import", STR("documents"));
    return 0;
}

static int move(struct one *o)
{
    const struct legacy_archive_target *t = o->p->w.t;
    int rc = 1;

    if (o->n.instance_id != 0 && doc_find(t->documents, o->n.instance_id, o->n.name, &o->here, o->a, &o->why) != 0 &&
        o->why.code != ERR_NOT_FOUND) {
        *o->p->e = o->why;
        return -1;
    }
    if (o->here.id != 0 && t->conflict == LEGACY_KEEP && is_older(o)) {
        o->p->w.ar->documents.unchanged++;
        return 0;
    }
    if (t->dry) { /* only its name was looked at */
        o->p->w.ar->documents.added += o->here.id == 0;
        o->p->w.ar->documents.kept += o->here.id != 0;
        return 0;
    }
    for (int tries = 1; rc == 1; tries++)
        rc = fetch(o, tries);
    return rc == 0 && o->writer != NULL ? store(o) : rc;
}

int api_documents(struct api_past *p, struct val instance, struct val list, bool *all)
{
    int64_t gone = p->w.ar->documents.skipped;
    int rc = 0;

    for (size_t i = 0; i < val_count(list) && rc == 0; i++) {
        struct one o = {.p = p, .a = arena_new(0), .item = val_at(list, i)};
        struct str id = val_get_text(instance, "id", STR("?"));

        p->w.ar->documents.read++;
        o.n = archive_document(instance, o.item);
        o.shown = arena_printf(o.a, "documents of transaction %.*s: \"%.*s\"", STR_ARG(id), STR_ARG(val_get_text(o.item, "name", STR("?"))));
        o.path = arena_printf(o.a, "/api/v01/transactions/%.*s/documents/%lld", STR_ARG(id), (long long)val_get_int(o.item, "id", 0));
        rc = move(&o);
        end(&o);
        arena_free(o.a);
    }
    *all = p->w.ar->documents.skipped == gone;
    return rc;
}
