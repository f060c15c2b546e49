/*
 * Declarations of all global functions, from funcs.def and i18n.def, and what their files use.
 */
#ifndef SLUICE_TEMPLATE_FUNCS_FN_H
#define SLUICE_TEMPLATE_FUNCS_FN_H

#include "template/library_int.h"

#define FUNC(name, fn) int fn_##fn(struct call *c, struct val *out);
#include "template/funcs/funcs.def"
#undef FUNC
int fn_gettext(struct call *c, struct val *out);
int fn_ngettext(struct call *c, struct val *out);
int fn_npgettext(struct call *c, struct val *out);
int fn_pgettext(struct call *c, struct val *out);

#endif
