/*
 * Hiding secrets before anything is stored, logged or shown.
 *
 * Rule: gateway-proxy.md 8 "Masking".
 */
#ifndef SLUICE_GATEWAY_MASK_H
#define SLUICE_GATEWAY_MASK_H

#include "base/value.h"

#define MASK_SHOWN "********"

/* A header whose value is never shown ("Authorization", "Set-Cookie"...); any case. */
bool mask_header(struct str name);
/* A member, form field or query parameter whose value is never shown. */
bool mask_key(struct str name);
/* A copy of `v` with secret members replaced at any depth; shares what needs no change. */
struct val mask_value(struct val v, struct arena *a);
/* Add a body to `out` with secret members replaced; false, and nothing added, when it is no JSON object or list. */
bool mask_json(struct str body, struct buf *out, struct arena *a);
/*
 * A body as it may be kept: JSON and forms with secrets replaced, XML elements too; other text only
 * when it holds no key word; cut at `max` bytes at a UTF-8 border.  Never fails: what cannot be
 * made safe is described instead.
 */
struct str mask_body(struct str content_type, struct str body, size_t max, struct arena *a);
/* A URL with secret query parameters replaced. */
struct str mask_url(struct str url, struct arena *a);

#endif
