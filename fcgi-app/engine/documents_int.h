/*
 * What the files of the documents share.
 */
#ifndef SLUICE_ENGINE_DOCUMENTS_INT_H
#define SLUICE_ENGINE_DOCUMENTS_INT_H

#include "config/config.h"
#include "crypto/document_seal.h"
#include "crypto/fernet.h"
#include "engine/documents.h"

struct documents {
    struct db *db;
    struct cfg_store *cfg;
};

#define DOCUMENT_LABEL "document-storage"

/* Columns of a document as doc_row() reads them; `d` is the table. */
#define DOC_COLUMNS                                                                                \
    "d.id, d.instance_id, d.name, d.description, d.mime_type, d.size_in_bytes, d.created_by, "     \
    DB_TS("d.created_on")
void doc_row(const PGresult *res, int row, struct document *out, struct arena *a);

struct instance;
/* The nearest document of that name, as node_document_find(). */
MUST_CHECK int instance_document(const struct instance *in, struct str name, struct document *out,
                                 struct arena *a, struct err *e);

extern const struct db_stmt doc_stmt_next, doc_stmt_forget, doc_stmt_insert, doc_stmt_large,
    doc_stmt_large_put, doc_stmt_insert_large, doc_stmt_large_drop, doc_stmt_open, doc_stmt_piece,
    doc_stmt_turn, doc_stmt_turn_large, doc_stmt_find, doc_stmt_find_up, doc_stmt_delete;

#endif
