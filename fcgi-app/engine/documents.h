/*
 * Documents of instances: files people upload, nodes make and fetch, kept sealed in the database.
 *
 * A document is cut into chunks of 64 KiB, each sealed with AES-256-GCM under a content key of its
 * own, which is sealed by the newest active key labelled "document-storage" (migration.md 7.5).
 * Nothing here holds a whole document in memory: writers take pieces, readers give pieces.
 *
 * Names are handles, unique per instance: the last one put replaces.  A document put by a node is
 * stored at once, not with its task, so that the next node of the same run finds it; a node that
 * runs again after a crash replaces what it left.
 *
 * Calls block: workers only (NODE_BLOCKING for nodes).  Threads: `struct documents` any; a writer
 * or reader belongs to one thread at a time.
 *
 * Rules: workflow-engine.md 4.17, migration.md 7.3 to 7.5, http-api.md 5.15.
 */
#ifndef SLUICE_ENGINE_DOCUMENTS_H
#define SLUICE_ENGINE_DOCUMENTS_H

#include "base/value.h"
#include "db/db.h"

struct cfg_store;
struct engine;
struct node_run;

#define LIMIT_DOCUMENT (20 * MIB) /* bytes of one document */
#define LIMIT_DOCUMENT_NAME 255   /* characters */
#define LIMIT_DOCUMENT_TEXT 1000  /* characters of a description or MIME type */

struct documents;  /* the service: database, keys */
struct doc_writer; /* one document being written */
struct doc_reader; /* one document being read */

/* What is known of a stored document; texts live in the arena of the call. */
struct document {
    int64_t id;
    int64_t instance_id;
    struct str name, description, mime_type, created_by;
    int64_t size; /* bytes of the plain content; doc_open(): -1 when only reading it tells */
    int64_t created_us;
};

/* What a new document is to be; texts are copied. */
struct doc_new {
    int64_t instance_id;
    int64_t instance_us;   /* creation time of the instance, names the partition */
    struct str instance_on; /* the same as text, when that is at hand: then it counts */
    struct str name;       /* required: no control characters, no '/', not "." or ".." */
    struct str description;
    struct str mime_type;  /* empty: application/octet-stream */
    struct str created_by; /* empty: nobody */
};

/* db and cfg outlive it. */
struct documents *documents_new(struct db *db, struct cfg_store *cfg);
void documents_free(struct documents *d); /* takes NULL */
/* The engine's, for the API. */
struct documents *engine_documents(struct engine *en);

/* ---- writing -------------------------------------------------------------------------------- */

/*
 * Begin a document.  Nobody sees it before doc_commit().
 *
 * Fails with ERR_INVALID (name), ERR_DB, ERR_CONFIG (no key).
 */
MUST_CHECK int doc_create(struct documents *d, const struct doc_new *n, struct doc_writer **out,
                          struct err *e);
/* Description and author known only while writing: a form may name them behind the file.  Copied. */
void doc_describe(struct doc_writer *w, struct str description, struct str created_by);
/* The next bytes; ERR_LIMIT "document \"x\" is larger than 20 MB". */
MUST_CHECK int doc_write(struct doc_writer *w, const void *p, size_t n, struct err *e);
/* Store it, replacing one of the same name; *id may be NULL.  The writer is gone afterwards,
 * whatever happens. */
MUST_CHECK int doc_commit(struct doc_writer *w, int64_t *id, struct err *e);
/* Give it up; takes NULL. */
void doc_abort(struct doc_writer *w);

/* All at once from memory. */
MUST_CHECK int doc_put(struct documents *d, const struct doc_new *n, struct str bytes, int64_t *id,
                       struct err *e);

/* ---- reading -------------------------------------------------------------------------------- */

/*
 * Open a document by id: `out` tells what it is, living in `a`; the reader gives its bytes.
 *
 * Fails with ERR_NOT_FOUND "no such document", ERR_INTERNAL `document "a.csv" cannot be opened: its
 * key (id 3) is missing` or `document "a.csv" is damaged (seal does not open)`, ERR_DB.
 * Borrows a connection for moments only, so a slow client holds none.
 */
MUST_CHECK int doc_open(struct documents *d, int64_t id, struct document *out,
                        struct doc_reader **reader, struct arena *a, struct err *e);
/* Up to `n` bytes of plain text, all of them verified; 0 at the end, -1 on failure (as doc_open;
 * ERR_GONE when it was deleted or replaced meanwhile). */
MUST_CHECK ptrdiff_t doc_read(struct doc_reader *r, void *p, size_t n, struct err *e);
void doc_close(struct doc_reader *r); /* takes NULL */

/* The whole content in `a`. */
MUST_CHECK int doc_read_all(struct documents *d, int64_t id, struct document *out, struct str *bytes,
                            struct arena *a, struct err *e);

/* By name in one instance (not its ancestors); ERR_NOT_FOUND `no document "x"`. */
MUST_CHECK int doc_find(struct documents *d, int64_t instance_id, struct str name,
                        struct document *out, struct arena *a, struct err *e);
/* ERR_NOT_FOUND "no such document" when the instance has none of that id. */
MUST_CHECK int doc_delete(struct documents *d, int64_t instance_id, int64_t id, struct err *e);

/* Browsers may send a path as file name: its last part, in `name`. */
struct str doc_base_name(struct str name);
/* The name in a Content-Disposition, in UTF-8 (RFC 8187) when it is there so; empty: there is none. */
struct str doc_disposition_name(struct str header, struct arena *a);
/* Content-Disposition of a download: the name in ASCII for old clients and in UTF-8 (RFC 6266). */
struct str doc_disposition(struct str name, struct arena *a);

/*
 * A token of the former product becomes one of ours under the same id (sluicectl keys reseal): its
 * content is verified, opened and sealed anew in pieces, and replaced in one transaction.
 *
 * Fails as doc_read(), then nothing changed; ERR_NOT_FOUND when it is gone or is one of ours already.
 */
MUST_CHECK int doc_reseal_token(struct documents *d, int64_t id, struct err *e);

/* ---- for nodes ------------------------------------------------------------------------------ */

/* A new document of the running instance; replaces one of that name.  mime empty: octet-stream. */
MUST_CHECK int node_document_put(struct node_run *r, struct str name, struct str mime_type,
                                 struct str description, struct str bytes, int64_t *id,
                                 struct err *e);
/*
 * A document by name: the instance's own, else the nearest ancestor's (workflow-engine.md 4.17).
 *
 * Texts live in r->a.  ERR_NOT_FOUND `no document "x"`.
 */
MUST_CHECK int node_document_find(struct node_run *r, struct str name, struct document *out,
                                  struct err *e);
/* The same, whole, in r->a. */
MUST_CHECK int node_document_read(struct node_run *r, struct str name, struct document *out,
                                  struct str *bytes, struct err *e);
/*
 * Is this parameter text a reference "# documents.<name>"?  Then *name is the name, trimmed
 * (workflow-engine.md 3.3 body).
 */
bool node_document_reference(struct str value, struct str *name);

extern const struct db_stmts documents_stmts;

#endif
