/*
 * Methods of str that look for something or cut; methods_str.c lists them in its table.
 */
#ifndef SLUICE_TEMPLATE_METHODS_FIND_H
#define SLUICE_TEMPLATE_METHODS_FIND_H

#include "template/methods_int.h"

/* A text argument, escaped when the method is markup's. */
MUST_CHECK int str_arg(struct call *c, struct val v, const char *what, struct str *out);

int pystr_count(struct call *c, struct val *out);
int pystr_endswith(struct call *c, struct val *out);
int pystr_find(struct call *c, struct val *out);
int pystr_index(struct call *c, struct val *out);
int pystr_partition(struct call *c, struct val *out);
int pystr_rfind(struct call *c, struct val *out);
int pystr_rindex(struct call *c, struct val *out);
int pystr_rpartition(struct call *c, struct val *out);
int pystr_rsplit(struct call *c, struct val *out);
int pystr_split(struct call *c, struct val *out);
int pystr_splitlines(struct call *c, struct val *out);
int pystr_startswith(struct call *c, struct val *out);

#endif
