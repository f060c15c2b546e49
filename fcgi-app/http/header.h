/*
 * Header fields: what may stand in one (RFC 9110 5), and the parts of a value.
 */
#ifndef SLUICE_HTTP_HEADER_H
#define SLUICE_HTTP_HEADER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

/* A token, as the names of fields and methods are (RFC 9110 5.6.2); not empty. */
bool header_is_token(struct str s);
/* No line ends or other control characters but tabs (RFC 9110 5.5); may be empty. */
bool header_is_value(struct str s);

/* Value of parameter `name` of a header such as "text/html; charset=utf-8"; .p NULL when absent. */
struct str header_param(struct str header, const char *name, struct arena *a);
/* "text/html" in lower case, without parameters. */
struct str header_media_type(struct str header, struct arena *a);

#endif
