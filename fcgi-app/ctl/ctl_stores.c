/*
 * The stores of the tool's commands.
 */
#include "ctl/ctl_stores.h"

#include "ctl/keys.h"
#include "legacy/archive.h"
#include "legacy/target.h"

const struct db_stmts *const ctl_stores[] = {
    &ctl_passwd_stmts, &keys_stmts, &keys_items_stmts, &keys_reseal_stmts, &keys_verify_stmts, &keys_wrap_stmts, &legacy_stmts,
    &legacy_archive_stmts,
};
const size_t n_ctl_stores = COUNT_OF(ctl_stores);
