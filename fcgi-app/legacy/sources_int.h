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
MUST_CHECK int legacy_config_file(struct legacy_sources *s, struct legacy_service *svc,
                                  const char *path, struct err *e);
void legacy_tell_proxy(struct legacy_service *svc);
MUST_CHECK int legacy_follow(struct legacy_sources *s, struct legacy_service *svc, struct err *e);
struct str legacy_unquote(struct str text);
/* Does this command line run a module of the former product?  Then *proxy tells which. */
bool legacy_command(struct str command, bool *proxy);

#endif
