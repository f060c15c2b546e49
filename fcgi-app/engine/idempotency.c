/*
 * Requests a client may repeat: the header Idempotency-Key on custom routes.
 *
 * The key is stored in the transaction that stores the request, so of two requests at the same time
 * one finds that it was first.  A synchronous run with a key is stored before it starts, with a
 * lease: should its process die, another one brings it to its end, and the client that asks again
 * gets the answer.
 *
 * Rules: PROMISES.md.
 */
#include "engine/idempotency.h"

#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "engine/engine_int.h"

enum {
    WAITERS_MAX = 4, /* workers that may wait for the answers of others */
    LOOK_MS = 20,    /* and then less and less often */
    LOOK_MAX_MS = 500,
};

/* ---- statements ----------------------------------------------------------------------------- */

const struct db_stmt key_stmt_find = {
    "request_key_find",
    "SELECT digest, status, content_type, headers, body, instance_id, guid FROM request_keys "
    "WHERE route_id = $1 AND caller = $2 AND key = $3 AND expires_on > now()",
    3};

const struct writer_stmt key_w_expired = {
    "request_key_expired",
    "DELETE FROM request_keys k USING unnest($1::bigint[], $2::text[], $3::text[]) AS u(route_id, "
    "caller, key) WHERE k.route_id = u.route_id AND k.caller = u.caller AND k.key = u.key AND "
    "k.expires_on <= now()",
    "itt", 21};

/* Others that nobody asks for any more go with it. */
const struct writer_stmt key_w_sweep = {
    "request_key_sweep",
    "DELETE FROM request_keys WHERE ctid = ANY (ARRAY(SELECT ctid FROM request_keys WHERE "
    "expires_on <= now() AND $1::bigint[] IS NOT NULL ORDER BY expires_on LIMIT 100 FOR UPDATE "
    "SKIP LOCKED))",
    "i", 22};

const struct writer_stmt key_w_insert = {
    "request_key_insert",
    "INSERT INTO request_keys (route_id, caller, key, digest, instance_id, guid, status, "
    "content_type, body) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], "
    "$5::bigint[], $6::text[], $7::bigint[], $8::text[], $9::bytea[])",
    "ittyitity", 23};

const struct writer_stmt key_w_answer = {
    "request_key_answer",
    "UPDATE request_keys k SET status = u.status, content_type = u.content_type, headers = "
    "u.headers, body = u.body FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::json[], "
    "$5::bytea[]) AS u(id, status, content_type, headers, body) WHERE k.instance_id = u.id AND "
    "k.status IS NULL",
    "iitjy", 24};

/* ---- asking --------------------------------------------------------------------------------- */

static bool well_formed(struct str key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.p[i] < 0x21 || key.p[i] > 0x7e)
            return false;
    return key.len <= KEY_MAX;
}

/* What was asked, whatever headers came with it. */
static struct str digest_of(struct run *r, struct val request)
{
    struct val asked = val_dict_new(r->a, 2);
    unsigned char digest[64];
    size_t n = 0;

    val_dict_set_c(asked, "url", val_str(r->url));
    val_dict_set_c(asked, "body", val_get(request, "body"));
    if (!crypto_digest("sha256", json_text(asked, r->a), digest, &n))
        abort();
    return (struct str){arena_dup(r->a, digest, n), n};
}

int key_read(struct run *r, struct http_req *req, const struct principal *user, int64_t route_id,
             struct val request, struct err *e)
{
    struct str key = str_trim(http_req_header(req, "idempotency-key"));

    if (key.len == 0)
        return 0;
    if (!well_formed(key)) {
        err_set(e, ERR_INVALID, "header \"Idempotency-Key\" must be 1 to %d visible characters",
                KEY_MAX);
        return -1;
    }
    r->key = ARENA_NEW(r->a, struct request_key);
    *r->key = (struct request_key){
        .route_id = route_id,
        .caller = user != NULL ? str_printf(r->a, "%lld", (long long)user->id) : STR(""),
        .key = str_dup(r->a, key),
        .digest = digest_of(r, request),
    };
    return 0;
}

static void replay_headers(struct http_req *req, struct str json)
{
    struct val headers, row;
    struct err e;

    http_reply_header(req, STR("Idempotency-Replayed"), STR("true"));
    if (json.len == 0 || json_parse(json, &headers, req->a, &e) != 0)
        return;
    for (size_t i = 0; i < val_count(headers); i++) {
        row = val_at(headers, i);
        http_reply_header(req, val_text(val_at(row, 0)), val_text(val_at(row, 1)));
    }
}

static void refuse(struct http_req *req, int status, const char *why, const PGresult *res)
{
    struct val o = val_dict_new(req->a, 3);

    val_dict_set_c(o, "error", val_str_c(why));
    if (status == 409) {
        http_reply_header(req, STR("Retry-After"), STR("1"));
        val_dict_set_c(o, "id", val_int(db_int(res, 0, 5)));
        val_dict_set_c(o, "guid", val_str(str_dup(req->a, db_str(res, 0, 6))));
    }
    http_reply_json(req, status, o);
}

/* In the arena of the request: the run may be gone before the answer is written.  False: there is
 * none yet, and it can be waited for. */
static bool reply(const struct request_key *k, struct http_req *req, const PGresult *res, bool wait)
{
    if (!str_eq(db_bytes(res, 0, 0, req->a), k->digest)) {
        refuse(req, 422, "this Idempotency-Key was used for another request", res);
    } else if (PQgetisnull(res, 0, 1)) {
        if (wait)
            return false;
        refuse(req, 409, "the first request with this Idempotency-Key has no answer yet", res);
    } else if (PQgetisnull(res, 0, 4)) {
        refuse(req, 409, "the first answer to this Idempotency-Key was too large to be kept", res);
    } else {
        replay_headers(req,
                       db_str(res, 0, 3).len > 0 ? str_dup(req->a, db_str(res, 0, 3)) : STR_NONE);
        http_reply(req, (int)db_int(res, 0, 1), str_dup(req->a, db_str(res, 0, 2)),
                   db_bytes(res, 0, 4, req->a));
    }
    return true;
}

/* *runs: there is no answer yet, and none was given. */
static enum key_found look(struct run *r, struct http_req *req, bool wait, bool *runs,
                           struct err *e)
{
    const struct request_key *k = r->key;
    enum key_found found = KEY_FAILED;
    struct db_conn *c = NULL;
    PGresult *res = NULL;

    *runs = false;
    if (db_get(r->en->o.db, &c, e) != 0 ||
        db_query(c, &key_stmt_find, DB_ARGS(DB_INT(k->route_id), DB_STR(k->caller), DB_STR(k->key)),
                 &res, e) != 0)
        goto out;
    found = PQntuples(res) > 0 ? KEY_ANSWERED : KEY_NEW;
    if (found == KEY_ANSWERED)
        *runs = !reply(k, req, res, wait);
out:
    PQclear(res);
    db_put(r->en->o.db, c);
    return found;
}

enum key_found key_replay(struct run *r, struct http_req *req, struct err *e)
{
    struct engine *en = r->en;
    int64_t until_ms = clock_mono_ms(en->clock) + en->o.sync_ms;
    bool wait = atomic_fetch_add(&en->n_repeats, 1) < WAITERS_MAX, runs;
    enum key_found found;

    for (int64_t ms = LOOK_MS;; ms = ms * 2 < LOOK_MAX_MS ? ms * 2 : LOOK_MAX_MS) {
        found = look(r, req, wait, &runs, e);
        if (!runs)
            break;
        usleep((useconds_t)(ms * 1000));
        wait = clock_mono_ms(en->clock) < until_ms && !en->jobs_stop;
    }
    atomic_fetch_sub(&en->n_repeats, 1);
    return found;
}

/* ---- storing -------------------------------------------------------------------------------- */

/* NULL: too large, which is told apart from an empty one. */
static struct db_arg kept_body(const struct answer *ans)
{
    return ans->body.len > LIMIT_REPEATED ? DB_NULL
           : ans->body.p != NULL          ? DB_BYTES(ans->body)
                                          : DB_BYTES(STR(""));
}

#define ADD(stmt, ...) writer_add(&r->item, stmt, DB_ARGS(__VA_ARGS__), r->a)

void key_add(struct run *r)
{
    const struct request_key *k = r->key;
    const struct answer *ans = &r->answer;
    bool known = ans->status != 0;

    ADD(&key_w_expired, DB_INT(k->route_id), DB_STR(k->caller), DB_STR(k->key));
    ADD(&key_w_sweep, DB_INT(k->route_id));
    ADD(&key_w_insert, DB_INT(k->route_id), DB_STR(k->caller), DB_STR(k->key), DB_BYTES(k->digest),
        DB_INT(r->in->id), DB_C(r->in->guid), known ? DB_INT(ans->status) : DB_NULL,
        known ? DB_STR(ans->content_type) : DB_NULL, known ? kept_body(ans) : DB_NULL);
}

void key_add_answer(struct run *r)
{
    const struct answer *ans = &r->answer;
    struct val headers = val_list_new(r->a, ans->n_headers);

    for (size_t i = 0; i < ans->n_headers; i++) {
        struct val row = val_list_new(r->a, 2);

        val_list_add(row, val_str(ans->headers[i].name));
        val_list_add(row, val_str(ans->headers[i].value));
        val_list_add(headers, row);
    }
    ADD(&key_w_answer, DB_INT(r->in->id), DB_INT(ans->status), DB_STR(ans->content_type),
        DB_STR(json_text(headers, r->a)), kept_body(ans));
}
