/*
 * Secrets in what is stored, logged or shown: found by the names of members (gateway-proxy.md 8).
 */
#ifndef SLUICE_CONFIG_MASK_H
#define SLUICE_CONFIG_MASK_H

#include "base/value.h"

#define MASK_TEXT "********"

/* Does a member, parameter or column of this name hold a secret?  Any letter case. */
bool mask_is_secret(struct str name);
/* Headers that are never kept: authorization, cookies, keys. */
bool mask_is_secret_header(struct str name);
/* A value with the values of secret members replaced; what holds none is not copied. */
struct val mask_value(struct val v, struct arena *a);
/*
 * A body as it may be kept, at most `max` bytes: JSON and forms masked; other types and what cannot be read but names a secret
 * only by type and length.
 *
 * Returns a value: the text, cut at a code point border; null for an empty body.
 */
struct val mask_body(struct str body, struct str content_type, size_t max, struct arena *a);
/* A query with the values of secret parameters replaced. */
struct str mask_query(struct str query, struct arena *a);

#endif
