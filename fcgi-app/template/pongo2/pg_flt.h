/*
 * Declarations of pongo2's filters, from pg_filters.def, and what their files share.
 */
#ifndef SLUICE_TEMPLATE_PONGO2_PG_FLT_H
#define SLUICE_TEMPLATE_PONGO2_PG_FLT_H

#include "template/library_int.h"
#include "template/pongo2/pg.h"
#include "template/text.h"

#define PG_FILTER(name, fn) int pg_flt_##fn(struct call *c, struct val *out);
#define PG_EXTRA(name)
#include "template/pongo2/pg_filters.def"
#undef PG_FILTER
#undef PG_EXTRA

/* The one argument, null when there is none. */
static inline struct val pg_arg(const struct call *c)
{
    return c->n_pos > 0 ? c->pos[0] : val_null();
}
static inline struct str pg_self_text(const struct call *c)
{
    return pg_text(c->self, c->a);
}
static inline struct str pg_arg_text(const struct call *c)
{
    return pg_text(pg_arg(c), c->a);
}
/* A whole number no larger than `max`, for what is repeated; raises when it is. */
MUST_CHECK int pg_count(struct call *c, int64_t n, int64_t max);

/* pg_flt_html.c */
void pg_escape(struct str s, struct buf *out);
/* pg_format.c: Go's fmt.Sprintf with one value. */
MUST_CHECK int pg_sprintf(struct call *c, struct str format, struct val v, struct val *out);
/* pg_layout.c: Go's time.Format; the zone is the value's, naive ones count as UTC. */
struct dt;
void pg_time_format(const struct dt *d, struct str layout, struct buf *out);

#endif
