/*
 * Every store of the tool, as stores.h has those of the applications.
 */
#ifndef SLUICE_CTL_CTL_STORES_H
#define SLUICE_CTL_CTL_STORES_H

#include "db/db.h"

extern const struct db_stmts *const ctl_stores[];
extern const size_t n_ctl_stores;
extern const struct db_stmts ctl_passwd_stmts;

#endif
