/*
 * Values in PostgreSQL's binary form, as arrays (writer_batch.c) and COPY (copier.c) carry them: a length of four bytes, then the value.
 */
#ifndef SLUICE_DB_PG_BINARY_H
#define SLUICE_DB_PG_BINARY_H

#include "db/db.h"

struct pg_type {
    char letter;
    uint32_t oid, array_oid; /* numbers of pg_type, which never change; 0: no array of it is sent */
};

/* A letter of writer_stmt.types or copier_stmt.types; aborts for any other. */
const struct pg_type *pg_type_of(char letter);
/* Bytes of the value with its length. */
size_t pg_value_size(char letter, const struct db_arg *arg);
/* Write it; returns what is behind. */
char *pg_put_value(char *p, char letter, const struct db_arg *arg);
char *pg_put32(char *p, uint32_t v);
char *pg_put16(char *p, uint16_t v);
/* An address as inet; false when the text is none.  Takes PG_INET_MAX bytes at most, *end becomes what is behind. */
enum { PG_INET_MAX = 4 + 4 + 16 };
bool pg_put_inet(char *p, struct str text, char **end);

#endif
