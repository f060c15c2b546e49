/*
 * JSON Schema, draft-07 and 2020-12, compiled once, used by many threads.
 *
 * References to other documents are refused when compiling; the meta-schemas are built in.
 */
#ifndef SLUICE_FORMAT_JSONSCHEMA_H
#define SLUICE_FORMAT_JSONSCHEMA_H

#include "base/value.h"

struct jsonschema;

enum jsonschema_draft { JSONSCHEMA_AUTO, JSONSCHEMA_DRAFT7, JSONSCHEMA_2020_12 };

enum { JSONSCHEMA_FORMATS = 1 }; /* `format` is checked, not only noted */

/* Compile; everything lives in `a`, the schema value too (it must be in `a` or outlive it).
 * AUTO goes by "$schema"; absent or unknown means draft-07, which the platform's interface writes.
 */
MUST_CHECK int jsonschema_compile(struct jsonschema **out, struct val schema,
                                  enum jsonschema_draft draft, unsigned flags, struct arena *a,
                                  struct err *e);

struct jsonschema_error {
    struct str path;    /* dotted path a person understands: "items.3.name", "" for the whole */
    struct str message; /* "is required", "expected a number, got text", ... */
    struct jsonschema_error *next;
};

/* 1 = valid; 0 = not, *errors lists at most 100 of them (living in `a`); -1 = ERR_LIMIT. */
MUST_CHECK int jsonschema_validate(const struct jsonschema *s, struct val data,
                                   struct jsonschema_error **errors, struct arena *a,
                                   struct err *e);

#endif
