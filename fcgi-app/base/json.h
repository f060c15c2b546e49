/*
 * JSON (RFC 8259) to values and back.
 *
 * Ours and not a library's because definitions and ids must survive exactly: integers of any length
 * stay integers, member order and the last of repeated members are kept, errors say where, and text
 * can be left unread until somebody looks (json_lazy).
 */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include "base/value.h"

/*
 * Read one JSON text with nothing but blanks around it.
 *
 * text  must be UTF-8; strings without escapes point into it, so it must outlive the value
 *       (json_parse_copy copies it into the arena first).
 * out   the value, living in `a`.
 * Fails with ERR_INVALID, line and column set: "expected ',' or '}'"; deeper than LIMIT_JSON_DEPTH:
 *       "nested deeper than 512".
 */
MUST_CHECK int json_parse(struct str text, struct val *out, struct arena *a, struct err *e);
MUST_CHECK int json_parse_copy(struct str text, struct val *out, struct arena *a, struct err *e);

/*
 * As json_parse, but only checks the text and remembers it: each object or array is read one level
 * deep the first time somebody looks inside.  For large contexts of which little is used.
 */
MUST_CHECK int json_lazy(struct str text, struct val *out, struct arena *a, struct err *e);

/*
 * As json_parse and json_lazy, for text we stored: what others sent stands there inside of our own objects, so it may be deeper, up to
 * LIMIT_JSON_KEPT.
 */
MUST_CHECK int json_parse_kept(struct str text, struct val *out, struct arena *a, struct err *e);
MUST_CHECK int json_lazy_kept(struct str text, struct val *out, struct arena *a, struct err *e);

/*
 * Copy one JSON text to `out` in compact form, with the text `instead` in place of the value of each member, at any depth, whose name
 * `hide` picks; null stays.  What is kept stands as it was written: numbers, escapes, repeated members.  In one pass, without values.
 *
 * Fails as json_parse, and then leaves `out` as it was; `a` holds decoded names.
 */
MUST_CHECK int json_hide(struct str text, bool (*hide)(struct str name), const char *instead, struct buf *out, struct arena *a,
                         struct err *e);

enum json_style {
    JSON_COMPACT = 0, /* {"a":1,"b":[]}: what the API sends; non-ASCII raw, '/' not escaped */
    JSON_SPACED = 1,  /* {"a": 1, "b": []}: Python's json.dumps separators */
    JSON_ASCII = 2,   /* \u escapes beyond ASCII */
    JSON_SORTED = 4,  /* members by key */
    JSON_HTML = 8,    /* < > & ' as \u003c ...: Jinja2's tojson */
};

/* Write `v`; floats in Python's form, NaN and infinities as null (JSON has none), undefined as
 * null. indent 0 = one line, else blanks per level.  Values without JSON form: their str(). */
void json_write(struct val v, unsigned style, int indent, struct buf *out);
/* Compact text in `a`, NUL-terminated. */
struct str json_text(struct val v, struct arena *a);
/* `"text"` with its quotes and escapes. */
void json_write_string(struct str s, unsigned style, struct buf *out);

#endif
