/*
 * Writing YAML 1.2 (block style): what documents for people need, and no more.
 *
 * Scalars are written as JSON does, which is YAML too: so no text can be taken for a number, a
 * date or a boolean by whoever reads it.
 */
#ifndef SLUICE_FORMAT_YAML_H
#define SLUICE_FORMAT_YAML_H

#include "base/buf.h"
#include "base/value.h"

/* Write `v` with a line end behind; nothing of it may be deeper than LIMIT_JSON_DEPTH (deeper parts
 * become null). */
void yaml_write(struct val v, struct buf *out);

#endif
