/*
 * sluicectl keys: what its parts share (migration.md 7.6, 7.7).
 */
#ifndef SLUICE_CTL_KEYS_H
#define SLUICE_CTL_KEYS_H

#include "ctl/ctl_db.h"
#include "engine/documents.h"

enum { KEYS_GAPS = 3 }; /* exit status: finished, but something was left as it is */

/* The command line behind "keys VERB". */
struct keys_args {
    const char *words[2]; /* LABEL, ID */
    int n_words;
    const char *kek;      /* -kek=FILE */
    const char *new_kek;  /* --new=FILE */
    const char *label;    /* --label=L */
    int64_t batch;        /* rows of a transaction */
    int64_t rate;         /* items a second, 0 = as fast as it goes */
    int64_t max_lag_s;
    bool dry_run, yes;
};

/* What every verb works with. */
struct keys {
    struct ctl_db d;
    struct kek kek;
    bool has_kek;
    struct db_conn *c;
    struct arena *a; /* for life */
    const struct keys_args *args;
};

typedef int keys_verb(struct keys *k, struct err *e); /* an exit status, or -1 with `e` */

keys_verb keys_list, keys_rotate, keys_retire, keys_purge;   /* ctl_keys.c */
keys_verb keys_reseal, keys_verify;                          /* keys_reseal.c, keys_verify.c */
keys_verb keys_wrap, keys_unwrap, keys_rewrap;               /* keys_wrap.c */

/* ---- what is sealed (keys_items.c) ------------------------------------------------------------ */

/* A column of texts "sealed:...". */
struct keys_column {
    const char *name;    /* "users.token_sealed": the purpose of the seal too */
    const char *label;   /* of the key that writes it */
    struct db_stmt pick; /* ($1 behind this id, $2 not by this key, $3 rows) -> id, item, text */
    struct db_stmt all;  /* the same, whatever the key: $2 is not looked at */
    struct db_stmt put;  /* ($1 id, $2 new text, $3 old text) */
};
extern const struct keys_column keys_columns[];
extern const size_t n_keys_columns;

/* (table, key id, items) for all that is sealed; no parameter. */
extern const struct db_stmt keys_stmt_items;

/* Open the text of a column with the keys of `cfg`. */
MUST_CHECK int keys_open_text(const struct cfg *cfg, const struct keys_column *col, struct str item,
                              struct str text, struct str *plain, struct arena *a, struct err *e);

extern const struct db_stmts keys_stmts, keys_items_stmts, keys_reseal_stmts, keys_verify_stmts, keys_wrap_stmts;

#endif
