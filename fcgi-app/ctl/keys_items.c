/*
 * Everything the keys seal, as a table: where it stands and which key it names.
 */
#include "base/arena.h"
#include "ctl/keys.h"

/* Key id out of "sealed:" + base64url of 01 01 id(4) ...; null for other texts. */
#define KEY_OF(text)                                                                               \
    "(CASE WHEN " text " ~ '^sealed:[A-Za-z0-9_-]{8}' THEN ('x' || "                               \
    "encode(substring(decode(translate(substr(" text                                               \
    ", 8, 8), '-_', '+/'), 'base64') from 3 for 4), 'hex'))::bit(32)::bigint END)"

#define PICK(table, column, item)                                                                  \
    "SELECT id, " item "::text AS item, " column " FROM " table " WHERE id > $1::bigint AND " KEY_OF(      \
        column) " <> $2::bigint ORDER BY id LIMIT $3::bigint FOR UPDATE SKIP LOCKED"
#define ALL(table, column, item)                                                                   \
    "SELECT id, " item "::text AS item, " column " FROM " table " WHERE id > $1::bigint AND $2::bigint "   \
    "IS NOT NULL AND " column " LIKE 'sealed:%' ORDER BY id LIMIT $3::bigint"
#define PUT(table, column)                                                                         \
    "UPDATE " table " SET " column " = $2 WHERE id = $1::bigint AND " column " = $3"
#define COLUMN(table, column, item, label)                                                         \
    {                                                                                              \
        table "." column, label, {"keys_pick_" table "_" column, PICK(table, column, item), 3},    \
            {"keys_all_" table "_" column, ALL(table, column, item), 3},                           \
            {"keys_put_" table "_" column, PUT(table, column), 3},                                 \
    }

const struct keys_column keys_columns[] = {
    COLUMN("users", "token_sealed", "id", "secrets"),
    COLUMN("users", "totp", "id", "secrets"),
    COLUMN("user_callbacks", "endpoint_extra", "id", "secrets"),
    COLUMN("webhooks", "secret", "id", "secrets"),
    COLUMN("webhooks", "custom_header_value", "id", "secrets"),
    COLUMN("webhooks", "password", "id", "secrets"),
    COLUMN("gateway_logins", "cookies", "identity || '@' || gateway", "gateway-logins"),
};
const size_t n_keys_columns = COUNT_OF(keys_columns);

#define COUNT_TEXTS(table, column)                                                                 \
    "UNION ALL SELECT '" table "', " KEY_OF(column) ", count(*) FROM " table " WHERE " KEY_OF(     \
        column) " IS NOT NULL GROUP BY 2 "

const struct db_stmt keys_stmt_items = {
    "keys_items",
    "SELECT t, k, sum(n)::bigint FROM ("
    "SELECT 'documents' AS t, key_id::bigint AS k, count(*) AS n FROM documents GROUP BY 2 "
    "UNION ALL SELECT 'configuration', " KEY_OF("m[1]") ", count(*) FROM configuration, "
    "regexp_matches(content::text, '(sealed:[A-Za-z0-9_-]{8})', 'g') AS m GROUP BY 2 "
    COUNT_TEXTS("users", "token_sealed") COUNT_TEXTS("users", "totp")
    COUNT_TEXTS("user_callbacks", "endpoint_extra") COUNT_TEXTS("webhooks", "secret")
    COUNT_TEXTS("webhooks", "custom_header_value") COUNT_TEXTS("webhooks", "password")
    COUNT_TEXTS("gateway_logins", "cookies")
    ") x GROUP BY t, k ORDER BY k, t",
    0};

#define OF(i) &keys_columns[i].pick, &keys_columns[i].all, &keys_columns[i].put
static const struct db_stmt *const all[] = {&keys_stmt_items, OF(0), OF(1), OF(2), OF(3), OF(4), OF(5), OF(6)};
_Static_assert(COUNT_OF(all) == 1 + 3 * COUNT_OF(keys_columns), "a column is not listed");
const struct db_stmts keys_items_stmts = {"keys_items", all, COUNT_OF(all)};

int keys_open_text(const struct cfg *cfg, const struct keys_column *col, struct str item,
                   struct str text, struct str *plain, struct arena *a, struct err *e)
{
    const struct cfg_key *k;
    struct secret s;
    struct str sealed;
    uint32_t id = 0;

    if (!crypto_seal_from_text(text, &sealed, a)) {
        err_set(e, ERR_CONFIG, "is not sealed");
        return -1;
    }
    if (crypto_seal_key_id(sealed, &id, e) != 0)
        return -1;
    k = cfg_key(cfg, id);
    if (k == NULL || k->material.len != 32) {
        err_set(e, ERR_CONFIG, "its key (id %u) is missing", id);
        return -1;
    }
    if (crypto_open(k->material.p, sealed, col->name, item, &s, a, e) != 0) {
        err_set(e, ERR_CONFIG, "seal does not open with key %u", id);
        return -1;
    }
    *plain = secret_text(s);
    return 0;
}
