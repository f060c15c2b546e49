/*
 * Running compiled templates.
 */
#ifndef SLUICE_TEMPLATE_VM_H
#define SLUICE_TEMPLATE_VM_H

#include "template/code.h"

/* Print template `t` into `out`, or put the value of an expression into *value (one of them is
 * NULL). Results and scratch live in `a`.  Fails with err.app_code and line set. */
MUST_CHECK int vm_start(const struct tmpl *t, const struct tmpl_run *run, struct buf *out,
                        struct val *value, struct arena *a, struct err *e);

#endif
