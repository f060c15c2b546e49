/*
 * The configuration: rows of PostgreSQL read into an immutable, counted snapshot.
 *
 * A process holds one store.  Whoever works on a request takes the current snapshot once (cfg_get)
 * and gives it back (cfg_put); a change swaps the pointer, old work goes on with what it took.  A
 * change that cannot be read leaves the last good snapshot in place and logs one error.  Snapshots
 * are built and freed on the threads that reload or poll, never by who gives one back on a loop.
 *
 * Contents: http-api.md 6 (document), workflow-engine.md 5.1 (routes), gateway-proxy.md (gateways).
 */
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include "crypto/crypto.h"
#include "crypto/key_wrap.h"
#include "db/db.h"
#include "format/jsonschema.h"
#include "http/request.h"

enum gw_auth {
    GW_AUTH_DEFAULT,
    GW_AUTH_BASIC,
    GW_AUTH_OAUTH1,
    GW_AUTH_OAUTH2,
    GW_AUTH_HAWK,
    GW_AUTH_ORACLE_SBC,
    GW_AUTH_UNKNOWN
};

/* An entry of `gateways` (gateway-proxy.md 1 to 4). */
struct cfg_gateway {
    struct str name;
    struct str url; /* without trailing slash */
    const struct str *backup_urls;
    size_t n_backup_urls;
    int timeout_s; /* 1..3600, default 10 */
    struct str session_holder;
    bool tls_verify;
    struct str tls_ca; /* authorities trusted besides those of the system, PEM, or empty */
    struct str proxy; /* outbound proxy URL or empty */
    const struct http_header *headers;
    size_t n_headers;
    enum gw_auth auth;
    struct str auth_name; /* as written, for "unknown auth" */
    struct str login_url;
    struct str logout_url; /* empty: the gateway is not told */
    struct str username;
    struct secret password;
    struct str client_id;
    struct secret client_secret, refresh_token;
    struct str grant_type;
    struct val extra_params;
    struct str hawk_id;
    struct secret hawk_key;
    struct str hawk_algorithm;
    bool disabled; /* no call is made to it */
    bool check;    /* and it is not disabled */
    struct str check_url;
    struct str client_cert;
    struct secret client_key;
    struct str api_root; /* "/api/v1", or "" when the URL already ends in one */
    bool append_slash;
    bool failover_next; /* attribute failover: "next" */
    bool idempotency_key; /* calls of nodes that change something carry one */
    int concurrency;      /* calls of a proxy at once, 0 = no limit of its own */
    int breaker_failures; /* network errors in a row that open its circuit, 0 = never */
    int breaker_wait_s;   /* before it is tried again */
    struct val raw;     /* the whole entry, secrets masked */
};

/* An entry of custom_routes, ready to match (workflow-engine.md 5.1). */
struct cfg_route {
    int64_t id;
    enum http_method method;
    struct str route; /* as stored */
    struct str path;  /* full path pattern below which it answers: "/api/v01/custom/x/{id}" */
    struct route_pattern *pattern;
    bool sync, is_public, enabled, support_bulk;
    int64_t activity_id, err_activity_id; /* 0 = none */
    struct jsonschema *schema;            /* NULL = none */
    struct str group;
};

struct cfg_activity {
    int64_t id;
    struct str name;
    int64_t version_id;    /* the active one */
    int64_t definition_id; /* definitions.id of that text */
    struct str definition; /* its JSON text */
    int64_t revision_us;   /* updated_on: the working version may be active and change */
};

struct cfg_rule {
    enum http_method method;
    bool any_method;
    struct str url; /* '*' matches anything, '/' too */
    bool allowed;
};

struct cfg_profile {
    int64_t id;
    struct str name;
    const struct str *accesses;
    size_t n_accesses;
    const struct cfg_rule *rules;
    size_t n_rules;
};

struct cfg_template {
    int64_t id;
    struct str key, type, source;
};

struct cfg_key { /* a row of `keys`, opened */
    uint32_t id;
    struct str label, algorithm, state;
    struct secret material;
    struct seals *seals; /* counts what it seals; NULL: nobody does */
};

struct cfg {
    uint64_t generation;
    uint64_t token_keys; /* the generation that brought the keys of tokens as they are: another number, other keys */
    struct arena *a;
    int64_t config_id;
    struct val doc;    /* the document with secrets opened: for code */
    struct val masked; /* with "********": for templates (`settings`) and the API */
    struct str timezone; /* APIO_TIMEZONE of the environment, else the document's */
    const struct cfg_gateway *gateways;
    size_t n_gateways;
    const struct cfg_route *routes;
    size_t n_routes;
    const struct cfg_activity *activities;
    size_t n_activities;
    const struct cfg_profile *profiles;
    size_t n_profiles;
    const struct cfg_template *templates;
    size_t n_templates;
    const struct cfg_key *keys;
    size_t n_keys;
};

struct cfg_store;

/* Reads the first snapshot (creating the default document and missing keys when the database has
 * none). */
MUST_CHECK int cfg_store_new(struct cfg_store **out, struct db *db, struct err *e);
/* The same with the key outside the database (migration.md 7.6), NULL: none; copied. */
MUST_CHECK int cfg_store_new_kek(struct cfg_store **out, struct db *db, const struct kek *kek,
                                 struct err *e);
void cfg_store_free(struct cfg_store *s);
/* Read again and swap; called by the listener.  On failure the last good one stays. */
MUST_CHECK int cfg_store_reload(struct cfg_store *s, struct err *e);
/* Reload when keys differ from the snapshot: call it at topic "keys", and every 10 s or so, since no
 * trigger watches that table.  One small query when nothing changed. */
MUST_CHECK int cfg_store_poll(struct cfg_store *s, struct err *e);
/* Called after each swap, on the reloading thread. */
void cfg_store_on_change(struct cfg_store *s, void (*fn)(void *arg, const struct cfg *now),
                         void *arg);

const struct cfg *cfg_get(struct cfg_store *s); /* counted; any thread, never blocks on a query */
void cfg_put(const struct cfg *c);              /* takes NULL */
const struct cfg *cfg_ref(const struct cfg *c);

/* The entry of `gateways` with this key, case-sensitive; NULL when there is none. */
const struct cfg_gateway *cfg_gateway(const struct cfg *c, struct str name);
/* By session_holder: first an entry whose session_holder is that, then one of that name. */
const struct cfg_gateway *cfg_session_holder(const struct cfg *c, struct str holder);
const struct cfg_activity *cfg_activity(const struct cfg *c, int64_t id);
const struct cfg_activity *cfg_activity_named(const struct cfg *c, struct str name);
const struct cfg_profile *cfg_profile(const struct cfg *c, int64_t id);
/* Resolution with wildcards (workflow-engine.md 6.6); NULL when none. */
const struct cfg_template *cfg_template(const struct cfg *c, struct str key);
/* Newest active AES-256-GCM key of a label; by id for opening. */
const struct cfg_key *cfg_key_active(const struct cfg *c, const char *label);
const struct cfg_key *cfg_key(const struct cfg *c, uint32_t id);

/* Seal a small value with a key of a snapshot, as text "sealed:..." (crypto_seal_text). */
struct str cfg_seal_text(const struct cfg_key *k, struct str plain, const char *purpose,
                         struct str item, struct arena *a);
/* It sealed something else. */
void cfg_key_used(const struct cfg_key *k);
/* Write down how often keys were used; every minute, and at the end. */
MUST_CHECK int cfg_store_count_seals(struct cfg_store *s, struct err *e);

/* ---- matching custom routes (routes.c) ---------------------------------------------------------
 */

struct route_match {
    const struct cfg_route *route; /* NULL: none */
    struct val match_info;         /* variable -> decoded text */
    struct str tail;  /* path behind the prefix, without leading slash (workflow-engine.md 4.13) */
    unsigned allowed; /* bit per enum http_method whose route matches the path: for 405 */
};

/*
 * Compile a route's path: variables {name} and {name:regex}; ERR_INVALID naming the column.
 */
MUST_CHECK int route_pattern_compile(struct route_pattern **out, struct str path, struct arena *a,
                                     struct err *e);

/* Cut a route's path at its next variable: the text before it, its name, its expression (empty when
 * it has none).  False: no more, the text is all that is left. */
bool route_next_variable(struct str *rest, struct str *literal, struct str *name,
                         struct str *regex);

/*
 * Find the route for a canonical path (url_canonical_path).  proxy_prefix: "" in the core,
 * "/api/v01/p1" in a proxy, where non-public routes without absolute path answer below the prefix;
 * proxy_name is its short name ("p1"). Order of choice: workflow-engine.md 5.1.3.
 */
void cfg_route_find(const struct cfg *c, enum http_method method, struct str path,
                    struct str proxy_prefix, struct str proxy_name, struct route_match *out,
                    struct arena *a);

/* ---- rules (rules.c)
 * ------------------------------------------------------------------------------ */

/* api_rules (gateway-proxy.md 5): first match in list order wins, none = refuse.  A path that a server behind us may read
 * differently (";x=1" cut off, "%2F" taken for a separator) must not fall under a rule that refuses then either. */
bool cfg_rules_allow(const struct cfg_profile *p, enum http_method method,
                     struct str canonical_path);
bool cfg_has_access(const struct cfg_profile *p, const char *access);

/* ---- single settings (document.c): a path of settings.def without '*' and '[]'; its default when
 * absent -------------- */

int64_t cfg_int(const struct cfg *c, const char *path);
bool cfg_bool(const struct cfg *c, const char *path);
struct str cfg_text(const struct cfg *c, const char *path);

/* ---- keys (config_store.c): inside a transaction of the caller ------------------------------ */

/* Nobody else makes or changes keys until the transaction ends. */
MUST_CHECK int cfg_keys_lock(struct db_conn *c, struct err *e);
/* A new writing key of a label; those before it only open from now on. */
MUST_CHECK int cfg_key_new(struct db_conn *c, struct str label, struct str algorithm,
                           const struct kek *kek, int64_t *id, struct arena *a, struct err *e);
/* Processes look at the keys at once, not at their next poll. */
MUST_CHECK int cfg_keys_tell(struct db_conn *c, struct err *e);

/* ---- the document (document.c)
 * ---------------------------------------------------------------------- */

/* The complete default document (http-api.md 6.2 "Minimal safe default", all alarms levels
 * present). */
struct val cfg_document_default(struct arena *a);
/* As clients get it: the user interface reads sections without asking whether they are there (http-api.md 6). */
struct val cfg_document_complete(struct val content, struct arena *a);
/*
 * Check a new document against the settings tables and the stored one: keeps unknown members, puts
 * stored secrets back for
 * "## SECRET ##..." and "********" (400 when there is none), seals every secret with the key
 * `secrets`.
 *
 * out  the document to store, secrets as "sealed:...".  Errors: ERR_INVALID, message
 * "gateways.bwks.url: ..." .
 */
MUST_CHECK int cfg_document_accept(const struct cfg *c, struct val incoming, struct val *out,
                                   struct arena *a, struct err *e);
/*
 * Refuse what somebody sets and nothing could act upon: an unknown `failover`, hawk `algorithm` or `cache.store`, `proxies` that are no
 * URL.  What is stored already stays.  `incoming` is an object, its secrets masked or not; ERR_INVALID as above.
 */
MUST_CHECK int cfg_document_check_values(const struct cfg *c, struct val incoming, struct arena *a, struct err *e);
enum cfg_cache { CFG_CACHE_MEMORY, CFG_CACHE_REDIS, CFG_CACHE_UNKNOWN };
/* Where cache.store says the cache is. */
enum cfg_cache cfg_cache_kind(struct str store);
/* The digest of a hawk `algorithm`, NULL for an unknown one. */
const char *cfg_hawk_digest(struct str algorithm);
/* Secrets as "## SECRET ##", DSN passwords as "********". */
struct val cfg_document_masked(struct val stored, struct arena *a);
/* A stored document with its secrets opened, for callers who may see them. */
MUST_CHECK int cfg_document_open(const struct cfg *c, struct val stored, struct val *out,
                                 struct arena *a, struct err *e);
/* A stored document with every secret under the key that writes now, opened again and compared;
 * *changed false: all were. */
MUST_CHECK int cfg_document_reseal(const struct cfg *c, struct val stored, struct val *out,
                                   bool *changed, struct arena *a, struct err *e);
/* JSON Schema of the document, for GET /system/configuration/validate. */
struct val cfg_document_schema(struct arena *a);

extern const struct db_stmts config_stmts;

#endif
