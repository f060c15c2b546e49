/*
 * Declarations of all tests, from checks.def, and what their files use.
 */
#ifndef SLUICE_TEMPLATE_CHECKS_CHK_H
#define SLUICE_TEMPLATE_CHECKS_CHK_H

#include "template/library_int.h"

#define CHECK(name, fn) int chk_##fn(struct call *c, struct val *out);
#include "template/checks/checks.def"
#undef CHECK

#endif
