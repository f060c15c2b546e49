/*
 * Manual actions, the side of people: finding a question, who may answer it, answering it.
 *
 * The signal comes first in the transaction and the row of the question second, as in the batches
 * of the writer (lease, then what belongs to the task): two who meet there wait for each other in
 * one order.
 */
#include "engine/manual_int.h"

#include "auth/auth.h"
#include "base/json.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "engine/signal.h"
#include "format/jsonschema.h"

static const char gone[] = "the link is not valid, or no longer";

/* ---- finding -------------------------------------------------------------------------------- */

static void read_action(const PGresult *res, struct manual_action *out)
{
    *out = (struct manual_action){
        .id = db_int(res, 0, 0),
        .guid = db_str(res, 0, 1),
        .instance_id = db_int(res, 0, 2),
        .instance_guid = db_str(res, 0, 3),
        .task_id = db_int(res, 0, 4),
        .role_id = db_int(res, 0, 5),
        .user_id = db_int(res, 0, 6),
        .kind = db_str(res, 0, 7),
        .description = db_str(res, 0, 8),
        .outputs = db_str(res, 0, 9),
        .form = db_str(res, 0, 10),
        .output = db_is_null(res, 0, 11) ? STR_NONE : db_str(res, 0, 11),
        .anyone = db_bool(res, 0, 12),
        .active = db_bool(res, 0, 13),
    };
}

int manual_find(struct db_conn *c, struct str instance, struct str action,
                struct manual_action *out, struct arena *a, struct err *e)
{
    int64_t instance_id = 0, action_id = 0;
    PGresult *res = NULL;

    if ((!str_is_guid(instance) && (!str_to_int(instance, &instance_id) || instance_id <= 0)) ||
        (!str_is_guid(action) && (!str_to_int(action, &action_id) || action_id <= 0))) {
        err_set(e, ERR_NOT_FOUND, "no such manual action");
        return -1;
    }
    if (db_query_in(c, &manual_stmt_find,
                    DB_ARGS(DB_INT_OR_NULL(action_id), action_id == 0 ? DB_STR(action) : DB_NULL,
                            DB_INT_OR_NULL(instance_id),
                            instance_id == 0 ? DB_STR(instance) : DB_NULL),
                    &res, a, e) != 0)
        return -1;
    if (PQntuples(res) == 0) {
        err_set(e, ERR_NOT_FOUND, "no such manual action");
        return -1;
    }
    read_action(res, out);
    return 0;
}

int manual_find_token(struct db_conn *c, struct str token, struct manual_action *out,
                      struct arena *a, struct err *e)
{
    struct str digest = manual_digest(token, a), stored;
    PGresult *res = NULL;

    if (db_query_in(c, &manual_stmt_token, DB_ARGS(DB_BYTES(digest)), &res, a, e) != 0)
        return -1;
    if (PQntuples(res) > 0) {
        stored = db_bytes(res, 0, 14, a);
        if (stored.len == digest.len && crypto_equal(stored.p, digest.p, digest.len)) {
            read_action(res, out);
            out->digest = digest;
            return 0;
        }
    }
    err_set(e, ERR_GONE, "%s", gone);
    return -1;
}

/* ---- checks --------------------------------------------------------------------------------- */

int manual_pending(const struct manual_action *m, struct err *e)
{
    if (m->output.p != NULL && str_eq_c(m->output, "*cancelled*"))
        err_set(e, ERR_CONFLICT, "the action was cancelled");
    else if (m->output.p != NULL)
        err_set(e, ERR_CONFLICT, "the action was answered already");
    else if (!m->active)
        err_set(e, ERR_CONFLICT, "the transaction is closed");
    else
        return 0;
    return -1;
}

int manual_allowed(const struct manual_action *m, const struct principal *who, struct err *e)
{
    if (m->user_id != 0 && m->user_id == who->id)
        return 0;
    for (size_t i = 0; m->role_id != 0 && i < val_count(who->role_ids); i++)
        if (val_at(who->role_ids, i).u.i == m->role_id)
            return 0;
    if (m->anyone && (who->is_system || cfg_has_access(who->profile, "requests")))
        return 0;
    err_set(e, ERR_FORBIDDEN, "this action is for somebody else");
    return -1;
}

int manual_output_known(const struct manual_action *m, struct str output, struct err *e)
{
    struct str rest = m->outputs;

    while (output.len > 0 && rest.len > 0)
        if (str_eq(str_trim(str_cut(&rest, ',')), output))
            return 0;
    err_set(e, ERR_INVALID, "output: expected one of %.*s", STR_ARG(m->outputs));
    return -1;
}

/* What was sent against what was asked for; all that is wrong in one message. */
static int form_valid(const struct manual_action *m, struct val form, struct arena *a,
                      struct err *e)
{
    struct jsonschema_error *errors = NULL;
    struct jsonschema *schema;
    struct val v;
    struct buf b;
    int rc;

    if (!val_is_none(form) && !val_is(form, VAL_DICT)) {
        err_set(e, ERR_INVALID, "form: expected an object, got %s", val_type_name(form));
        return -1;
    }
    if (m->form.len == 0) {
        if (val_count(form) == 0)
            return 0;
        err_set(e, ERR_INVALID, "form: this action has none");
        return -1;
    }
    if (json_parse(m->form, &v, a, e) != 0 ||
        jsonschema_compile(&schema, v, JSONSCHEMA_AUTO, JSONSCHEMA_FORMATS, a, e) != 0) {
        err_context(e, "form");
        return -1;
    }
    rc = jsonschema_validate(schema, val_is_none(form) ? val_dict_new(a, 0) : form, &errors, a, e);
    if (rc != 0)
        return rc > 0 ? 0 : -1;
    buf_init(&b, 4 * KIB, a);
    for (; errors != NULL; errors = errors->next)
        buf_addf(&b, "%sform%s%.*s: %.*s", b.len > 0 ? "; " : "", errors->path.len > 0 ? "." : "",
                 STR_ARG(errors->path), STR_ARG(errors->message));
    err_set(e, ERR_INVALID, "%s", buf_cstr(&b));
    return -1;
}

/* ---- answering ------------------------------------------------------------------------------ */

static struct str payload_of(const struct manual_action *m, const struct principal *who,
                             struct str output, struct val form, struct arena *a)
{
    struct val p = val_dict_new(a, 4);

    val_dict_set_c(p, "action_id", val_int(m->id));
    val_dict_set_c(p, "output", val_str(output));
    if (!val_is_none(form))
        val_dict_set_c(p, "form", form);
    val_dict_set_c(p, "username", who != NULL ? val_str(who->username) : val_null());
    return json_text(p, a);
}

static int store(struct db_conn *c, const struct manual_action *m, const struct principal *who,
                 struct str output, struct val form, struct arena *a, struct err *e)
{
    int64_t n = 0;

    if (engine_signal(c, m->instance_id, m->task_id, "answer", payload_of(m, who, output, form, a),
                      e) != 0)
        return -1;
    if (m->digest.p != NULL) {
        if (db_exec(c, &manual_stmt_use, DB_ARGS(DB_BYTES(m->digest)), &n, e) != 0)
            return -1;
        if (n == 0) {
            err_set(e, ERR_GONE, "%s", gone);
            return -1;
        }
    }
    if (db_exec(c, &manual_stmt_answer,
                DB_ARGS(DB_INT(m->id), DB_STR(output),
                        val_is_none(form) ? DB_NULL : DB_STR(json_text(form, a)),
                        who != NULL ? DB_INT(who->id) : DB_NULL,
                        who != NULL ? DB_STR(who->username) : DB_NULL),
                &n, e) != 0)
        return -1;
    if (n == 0) {
        err_set(e, ERR_CONFLICT, "the action was answered or cancelled meanwhile");
        return -1;
    }
    return 0;
}

int manual_answer(struct db_conn *c, const struct manual_action *m, const struct principal *who,
                  struct str output, struct val form, struct arena *a, struct err *e)
{
    if (manual_pending(m, e) != 0 || (who != NULL && manual_allowed(m, who, e) != 0) ||
        manual_output_known(m, output, e) != 0 || form_valid(m, form, a, e) != 0 ||
        db_begin(c, e) != 0)
        return -1;
    if (store(c, m, who, output, form, a, e) != 0 || db_commit(c, e) != 0) {
        db_rollback(c);
        return -1;
    }
    return 0;
}
