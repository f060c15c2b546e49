/*
 * Manual actions, the side of the nodes: asking, cancelling, one-time tokens.
 */
#include "engine/manual_int.h"

#include "base/json.h"
#include "crypto/crypto.h"
#include "db/ids.h"
#include "engine/instance_int.h"

enum { TOKEN_BYTES = 32 };

struct str manual_digest(struct str token, struct arena *a)
{
    unsigned char digest[64];
    size_t n = 0;

    if (!crypto_digest("sha256", token, digest, &n))
        n = 0;
    return str_make(arena_dup(a, digest, sizeof digest), n);
}

struct str manual_outputs(const struct node_strs *outputs, struct arena *a)
{
    struct buf b;

    buf_init(&b, 64 * KIB, a);
    for (size_t i = 0; i < outputs->n; i++) {
        buf_add_c(&b, i > 0 ? "," : "");
        buf_add_str(&b, outputs->items[i]);
    }
    return b.len > 0 ? buf_str(&b) : STR("ok");
}

static struct db_arg text_or_null(struct str s)
{
    return s.len > 0 ? DB_STR(s) : DB_NULL;
}

enum node_rc manual_ask(struct node_run *r, const struct manual_ask *q, struct err *e)
{
    struct str digest = q->token.len > 0 ? manual_digest(q->token, r->a) : STR_NONE;
    struct val notify = val_dict_new(r->a, 1), kept = val_dict_new(r->a, 1);
    char guid[37];

    if (!node_storable(q->description) || !node_storable(q->role) || !node_storable(q->form)) {
        err_set(e, ERR_INVALID, "a text holds a NUL character");
        return NODE_FAIL;
    }
    ids_guid(r->now_us / 1000, guid);
    val_dict_set_c(notify, "until_us", val_int(q->until_us));
    node_store(r, &manual_w_ask,
               DB_ARGS(DB_STR(str_dup(r->a, str_c(guid))), DB_INT(node_instance_id(r)),
                       DB_TIME(node_instance_on_us(r)), DB_STR(node_instance_guid(r)),
                       DB_INT(node_task_id(r)), DB_STR(r->cell), DB_C(q->kind),
                       text_or_null(q->role), DB_INT_OR_NULL(q->user_id),
                       DB_STR(q->description.p != NULL ? q->description : STR("")),
                       DB_STR(q->outputs), text_or_null(q->form),
                       digest.p != NULL ? DB_BYTES(digest) : DB_NULL,
                       q->notify ? DB_STR(json_text(notify, r->a)) : DB_NULL));
    val_dict_set_c(kept, "question", val_str(q->description));
    node_keep(r, kept);
    return node_wait_signal(r, q->until_us);
}

static struct val taken_back(struct instance *in)
{
    struct val v = val_dict_new(in->a, 1);

    val_dict_set_c(v, "cancelled", val_bool(true));
    return v;
}

void manual_cancel(struct node_run *r, struct str description)
{
    struct instance *in = r->inst;

    for (uint32_t i = 0; i < in->n_tasks; i++) {
        struct task *t = in->tasks[i];
        struct val question = val_get(t->kept, "question");

        if (!val_is(question, VAL_STR) || !str_eq(val_text(question), description))
            continue;
        if (t->status == TASK_WAIT) {
            in->n_waiting--;
            t->output = STR("cancelled");
            task_touch(in, t, TASK_OK);
            instance_timers_cancel(in, t);
        } else if (t->woken) {
            t->kept = taken_back(in); /* its wake sees it */
            signal_unused(in, t);
        }
    }
}

bool manual_cancelled(const struct node_run *r)
{
    return val_get_bool(node_kept(r), "cancelled", false);
}

struct str manual_token_new(struct node_run *r, const struct manual_token *t)
{
    unsigned char raw[TOKEN_BYTES];
    struct str token;

    crypto_random(raw, sizeof raw);
    token = crypto_b64url(r->a, str_make((const char *)raw, sizeof raw));
    crypto_wipe(raw, sizeof raw);
    node_store(r, &manual_w_token,
               DB_ARGS(DB_BYTES(manual_digest(token, r->a)), DB_C(t->scope),
                       DB_INT_OR_NULL(t->user_id), text_or_null(t->username),
                       DB_INT(node_instance_id(r)), DB_TIME(node_instance_on_us(r)),
                       DB_STR(t->details), DB_TIME(t->expires_us)));
    return token;
}
