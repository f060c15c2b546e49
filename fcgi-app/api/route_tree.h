/*
 * The rows of routes.def as a tree of path segments: finding one costs the length of the path, not
 * the number of rows.
 */
#ifndef SLUICE_API_ROUTE_TREE_H
#define SLUICE_API_ROUTE_TREE_H

#include "api/api.h"

struct route_tree;

/*
 * Build it, living in `a`; rows are borrowed.
 *
 * A segment of a pattern is a text, "text*" (one segment that starts so) or "{name}" (any segment
 * that is not empty).
 */
const struct route_tree *route_tree_new(const struct api_route *routes, size_t n, struct arena *a);

/*
 * The row for method and path, or NULL.
 *
 * Texts win over placeholders, further left first.  HEAD finds GET.
 * params   what stands for placeholders and behind "text*", in order, not decoded; {0} behind the last.
 * allowed  methods of the best fitting path, as bits 1 << method; 0: no such path.
 */
const struct api_route *route_tree_find(const struct route_tree *t, enum http_method method,
                                        struct str path, struct str params[API_PARAMS_MAX],
                                        unsigned *allowed);

#endif
