/*
 * What the files of config/ share.
 */
#ifndef SLUICE_CONFIG_CONFIG_INT_H
#define SLUICE_CONFIG_CONFIG_INT_H

#include <stdatomic.h>

#include "base/map.h"
#include "config/config.h"
#include "config/settings.h"

#define SEAL_PURPOSE "configuration.content"

/* Text of a definition: never changes, so snapshots share it instead of reading it again. */
struct def_text {
    int64_t id;
    atomic_int refs;
    size_t len;
    char p[];
};
void def_text_unref(struct def_text *d); /* takes NULL */

/* A snapshot with its count and what makes looking up quick. */
struct cfg_box {
    struct cfg c; /* first: callers see this */
    atomic_int refs;
    struct map activities_by_name;
    struct map templates_by_key;
    const struct kek *kek;  /* the store's, NULL: none */
    struct seals *seals;    /* the store's */
    bool worn_keys;         /* a writing key is to be replaced */
    struct str mark;        /* state of the keys it was read from */
    struct def_text **defs; /* texts its activities point into */
    size_t n_defs;
    const struct str *proxy_names; /* short names of proxies the document mentions */
    size_t n_proxy_names;
    int64_t *broken; /* ids of routes that cannot be read: reported once, not at each reading */
    size_t n_broken;
    bool same_document; /* as the snapshot before: its faults were reported already */
    struct cfg_box *next; /* in the store's list of those that were replaced */
};

struct cfg_box *cfg_box_new(void);
static inline const struct cfg_box *cfg_box_of(const struct cfg *c)
{
    return (const struct cfg_box *)(const void *)c;
}

/* ---- reading rows (config_store.c)
 * --------------------------------------------------------------- */

/*
 * Read everything in one read-only transaction; `last` lends the definitions it has (NULL: none).
 * complete  false when there is no document or a label has no active key: cfg_prepare() and read
 * again.
 */
MUST_CHECK int cfg_read(struct db_conn *c, const struct cfg_box *last, struct cfg_box *out,
                        bool *complete, struct err *e);
/* Make the default document and the keys that are missing, once over all processes. */
MUST_CHECK int cfg_prepare(struct db_conn *c, const struct kek *kek, struct err *e);
/* Add to what a key is known to have sealed. */
MUST_CHECK int cfg_key_count(struct db_conn *c, uint32_t id, uint64_t n, struct err *e);
/* A text that differs when any key was added, removed or changed. */
MUST_CHECK int cfg_mark(struct db_conn *c, struct str *out, struct arena *a, struct err *e);

/* ---- counting seals (seals.c) ---- */

struct seals *seals_new(void);
void seals_free(struct seals *s); /* takes NULL */
/* Write what was counted; what could not be written is kept for the next time. */
MUST_CHECK int seals_write(struct seals *s, struct db_conn *c, struct err *e);

/* ---- parts of a snapshot
 * --------------------------------------------------------------------------- */

/*
 * An entry of `gateways`.  strict: the first fault is ERR_INVALID "timeout: ..."; else faults are
 * logged, and what cannot be used is left out.
 */
MUST_CHECK int gateway_read(struct cfg_gateway *out, struct str name, struct val entry,
                            struct val masked, bool strict, struct arena *a, struct err *e);
void gateways_read(struct cfg_box *b);

/* Full path below which a route answers, whether it is public there, and its compiled pattern. */
MUST_CHECK int route_prepare(struct cfg_route *r, struct arena *a, struct err *e);
/* Short names of proxies in provisioning and single sign-on. */
void proxy_names_read(struct cfg_box *b);

void rules_read(struct cfg_profile *p, struct val rules, struct arena *a);

#endif
