/*
 * The answer of a route: from the context of an instance to HTTP.
 *
 * Rules: workflow-engine.md 4.6, 4.8, 5.1.5.
 */
#include "engine/engine_int.h"

#include "base/json.h"
#include "base/limits.h"

static struct str json_error(struct run *r, const char *text, bool with_ids)
{
    struct val o = val_dict_new(r->a, 3);

    val_dict_set_c(o, "error", val_str_c(text));
    if (with_ids) {
        val_dict_set_c(o, "id", val_int(r->in->id));
        val_dict_set_c(o, "guid", val_str_c(r->in->guid));
    }
    return json_text(o, r->a);
}

void answer_id(struct run *r, int status, const char *error)
{
    struct val o = val_dict_new(r->a, 3);

    if (error != NULL)
        val_dict_set_c(o, "error", val_str_c(error));
    val_dict_set_c(o, "id", val_int(r->in->id));
    val_dict_set_c(o, "guid", val_str_c(r->in->guid));
    r->answer.status = status;
    r->answer.content_type = STR("application/json");
    r->answer.body = json_text(o, r->a);
}

static void answer_error(struct run *r, const char *text)
{
    r->answer.status = 500;
    r->answer.content_type = STR("application/json");
    r->answer.body = json_error(r, text, true);
}

/* Headers we set ourselves. */
static bool ours(struct str name)
{
    return str_ieq(name, STR("content-length")) || str_ieq(name, STR("transfer-encoding")) ||
           str_ieq(name, STR("connection")) || str_ieq(name, STR("date"));
}

static void take_headers(struct run *r, struct val headers)
{
    struct answer *ans = &r->answer;
    struct val key, value;

    ans->headers = ARENA_ARRAY(r->a, struct http_header, val_count(headers));
    for (size_t i = 0; i < val_count(headers); i++) {
        struct str name, text;

        if (!val_pair_at(headers, i, &key, &value) || !val_is(key, VAL_STR) ||
            val_is(value, VAL_DICT) || val_is(value, VAL_LIST) || val_is_none(value) ||
            ours(val_text(key)))
            continue;
        name = val_text(key);
        text = val_is(value, VAL_STR) ? val_text(value) : json_text(value, r->a);
        if (str_ieq(name, STR("content-type")))
            ans->content_type = text;
        else
            ans->headers[ans->n_headers++] = (struct http_header){name, text};
    }
}

static bool take_body(struct run *r, struct val value)
{
    struct val body = val_get(value, "body");
    struct answer *ans = &r->answer;
    struct str type;

    if (val_is_none(body)) {
        ans->body = STR("");
        type = STR("text/plain; charset=utf-8");
    } else if (val_is(body, VAL_STR)) {
        ans->body = val_text(body);
        type = STR("text/plain; charset=utf-8");
        if (str_eq_c(val_text(val_get(value, "encoding")), "base64")) {
            type = STR("application/octet-stream");
            if (!crypto_unb64(r->a, ans->body, &ans->body)) {
                answer_error(r, "the body of the answer is not base64");
                return false;
            }
        }
    } else {
        ans->body = json_text(body, r->a);
        type = STR("application/json");
    }
    if (ans->content_type.len == 0)
        ans->content_type = type;
    return true;
}

/* What is kept with the request: status, headers, and the body cut. */
static void keep_answer(struct run *r, struct val value)
{
    struct val kept = val_dict_new(r->a, 3), body = val_get(value, "body");

    val_dict_set_c(kept, "status", val_int(r->answer.status));
    val_dict_set_c(kept, "headers",
                   val_is(val_get(value, "headers"), VAL_DICT) ? val_get(value, "headers")
                                                               : val_dict_new(r->a, 0));
    if (r->answer.body.len > LIMIT_RESPONSE_KEPT) {
        struct str cut = str_slice(r->answer.body, 0, LIMIT_RESPONSE_KEPT);

        /* not in the middle of a character */
        while (cut.len > 0 && ((unsigned char)r->answer.body.p[cut.len] & 0xC0) == 0x80)
            cut.len--;
        body = val_str(cut);
    }
    val_dict_set_c(kept, "body", val_is_undef(body) ? val_null() : body);
    r->answer.kept = kept;
}

/* A whole number (200.0 is what templates divide to), or a text holding one; nothing leaves *code as it is. */
static bool read_status(struct val status, int64_t *code)
{
    if (val_is_none(status))
        return true;
    if (val_is(status, VAL_INT))
        *code = status.u.i;
    if (val_is(status, VAL_FLOAT) && status.u.f >= 100 && status.u.f < 600)
        *code = (int64_t)status.u.f;
    return val_is(status, VAL_INT) || (val_is(status, VAL_FLOAT) && (double)*code == status.u.f) ||
           (val_is(status, VAL_STR) && str_to_int(str_trim(val_text(status)), code));
}

static void answer_value(struct run *r, struct val value)
{
    struct val status = val_get(value, "status");
    int64_t code = 200;

    if (!val_is(value, VAL_DICT)) {
        answer_error(r, "the answer of the workflow is not an object");
        return;
    }
    if (!read_status(status, &code) || code < 100 || code > 599) {
        answer_error(r, "the status of the answer is not between 100 and 599");
        return;
    }
    r->answer.status = (int)code;
    take_headers(r, val_get(value, "headers"));
    if (take_body(r, value))
        keep_answer(r, value);
}

void answer_make(struct run *r)
{
    const struct instance *in = r->in;

    r->answer = (struct answer){.kept = val_undef(NULL)};
    switch (instance_where(in)) {
    case INSTANCE_BLOCKED:
        if (r->handled)
            break;
        answer_error(r, str_cstr(r->a, in->last_error.len > 0 ? in->last_error
                                                              : STR("the workflow is blocked")));
        return;
    case INSTANCE_PARKED:
        answer_id(r, 202, NULL);
        return;
    case INSTANCE_CLOSED:
        break;
    }
    if (!val_is_undef(in->doc_response)) {
        struct err e;

        if (answer_document(r, &e) != 0)
            answer_error(r, str_cstr(r->a, str_c(e.msg)));
    } else if (!val_is_undef(in->sync_response))
        answer_value(r, in->sync_response);
    else if (!val_is_undef(in->response))
        answer_value(r, in->response);
    else
        answer_id(r, 200, NULL);
}

void answer_send(struct run *r)
{
    struct http_req *req = atomic_exchange(&r->req, NULL);
    const struct answer *ans = &r->answer;

    if (req == NULL)
        return;
    for (size_t i = 0; i < ans->n_headers; i++)
        http_reply_header(req, ans->headers[i].name, ans->headers[i].value);
    http_reply(req, ans->status, ans->content_type, ans->body);
}

void answer_fail(struct run *r, const struct err *e)
{
    struct http_req *req = atomic_exchange(&r->req, NULL);

    if (req != NULL)
        http_reply_error(req, e);
}
