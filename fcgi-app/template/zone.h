/*
 * Time zones of the system's database (RFC 8536), read without touching the process's TZ.
 */
#ifndef SLUICE_TEMPLATE_ZONE_H
#define SLUICE_TEMPLATE_ZONE_H

#include "base/arena.h"
#include "base/str.h"

struct zone;

/* Zone "Europe/Paris", living in `a`; NULL when unknown or unreadable. */
const struct zone *zone_open(struct str name, struct arena *a);
/* A zone of a fixed offset in seconds. */
const struct zone *zone_fixed(int32_t offset_s, struct arena *a);
/* Offset at an instant (seconds since 1970 UTC); *abbreviation is "CET" and the like, *dst whether
 * it is summer. */
int32_t zone_offset(const struct zone *z, int64_t utc_s, const char **abbreviation, bool *dst);
/* Offset of a wall-clock time; in the hour that comes twice the first one, in the gap the one
 * before it. */
int32_t zone_offset_local(const struct zone *z, int64_t local_s);
/* Name as opened; empty for UTC offsets. */
struct str zone_name(const struct zone *z);

#endif
