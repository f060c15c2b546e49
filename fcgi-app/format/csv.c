/*
 * Cells of comma separated values: quoted only when needed.
 */
#include "format/csv.h"

#include "base/buf.h"

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == '"' || s.p[i] == ',' || s.p[i] == '\n' || s.p[i] == '\r')
            return true;
    return false;
}

void csv_add_cell(struct buf *out, struct str s)
{
    if (!needs_quotes(s)) {
        buf_add_str(out, s);
        return;
    }
    buf_putc(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"')
            buf_putc(out, '"');
        buf_putc(out, s.p[i]);
    }
    buf_putc(out, '"');
}
