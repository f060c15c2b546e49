/*
 * Cells of comma separated values (RFC 4180).  Lines and commas between cells are the caller's.
 */
#ifndef SLUICE_FORMAT_CSV_H
#define SLUICE_FORMAT_CSV_H

#include "base/str.h"

struct buf;

/* One cell: as it is, or in quotes where a comma, a quote or the end of a line stands in it. */
void csv_add_cell(struct buf *out, struct str s);

#endif
