/*
 * What the readers of sources share.
 */
#ifndef SLUICE_LEGACY_SOURCES_INT_H
#define SLUICE_LEGACY_SOURCES_INT_H

#include "legacy/sources.h"

/* A line of what was seen and left out, without what a terminal obeys. */
void legacy_note(struct legacy_sources *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct legacy_service *legacy_service_new(struct legacy_sources *s, struct str name, const char *path);
void legacy_value_add(struct legacy_sources *s, struct legacy_service *svc, struct str name,
                      struct str text, struct str where);
MUST_CHECK int legacy_follow(struct legacy_sources *s, struct legacy_service *svc, struct err *e);
struct str legacy_unquote(struct str text);

#endif
