/*
 * Manual actions: those of a transaction, and answering them: as a user, by the link of a mail, by
 * a one-time token (http-api.md 5.15, workflow-engine.md 4.12).
 *
 * A browser that follows a link gets a page with one button, for programs that look at mails open
 * links too; whoever does not ask for HTML answers at once.
 */
#include "api/transaction.h"

#include "base/json.h"
#include "engine/manual.h"
#include "http/url.h"
#include "template/callable.h"

static const struct db_stmt stmt_list = {
    "api_manual_actions_list",
    "SELECT json_build_object('manual_actions', coalesce(json_agg(json_build_object('id', id, "
    "'guid', guid, 'role_id', role_id, 'user_id', user_id, 'description', description, "
    "'possible_outputs', possible_outputs, 'input_form', input_form, 'form_values', form_values, "
    "'priority', priority, 'created_by_task_id', created_by_task_id, 'handled_by_user_id', "
    "handled_by_user_id, 'handled_by_username', handled_by_username, 'output', output, "
    "'created_on', " DB_ISO("created_on") ", 'updated_on', " DB_ISO(
        "coalesce(updated_on, created_on)") ") ORDER BY id), '[]'))::text, count(*) FROM "
                                            "manual_actions WHERE instance_id = $1 AND "
                                            "instance_on = $2::timestamptz AND ($3::bigint = 0 OR "
                                            "user_id = $3 OR role_id IN (SELECT ur.role_id FROM "
                                            "user_roles ur WHERE ur.user_id = $3))",
    3,
};

static const struct db_stmt *const all[] = {&stmt_list};
const struct db_stmts api_manual_actions_stmts = {"api_manual_actions", all, COUNT_OF(all)};

/* Who may not see the transaction sees what it asks him. */
int transaction_manual_actions(struct api_call *c, struct err *e)
{
    struct transaction t;
    PGresult *res = NULL;
    struct err why;
    bool others;

    if (transaction_find(c, &t, e) != 0)
        return -1;
    others = transaction_seen(c, &t, &why) != 0;
    if (db_query_in(c->conn, &stmt_list,
                    DB_ARGS(DB_INT(t.id), DB_STR(t.on), DB_INT(others ? c->user->id : 0)), &res,
                    c->a, e) != 0)
        return -1;
    if (others && db_int(res, 0, 1) == 0) {
        *e = why;
        return -1;
    }
    c->text = db_str(res, 0, 0);
    return 0;
}

/* ---- what was sent -------------------------------------------------------------------------- */

static bool is_browser(const struct api_call *c)
{
    return str_find(http_req_header(c->req, "accept"), STR("text/html")) >= 0;
}

/* A look, not an answer: a browser that follows the link, or somebody who asks for headers only. */
static bool only_looks(const struct api_call *c)
{
    return c->req->method == HTTP_HEAD || (c->req->method == HTTP_GET && is_browser(c));
}

/* The query wins over the body; the interface's links call it "o". */
static int read_output(struct api_call *c, struct str *out, struct err *e)
{
    *out = http_req_param(c->req, "output");
    if (out->p == NULL)
        *out = http_req_param(c->req, "o");
    if (out->p == NULL && api_body_text(c, "output", 255, out, e) != 0)
        return -1;
    *out = str_trim(*out);
    if (out->len > 0)
        return 0;
    err_set(e, ERR_INVALID, "output is required");
    return -1;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void page(struct api_call *c, const char *text, struct str description, struct str output,
                 bool ask)
{
    struct buf b;

    buf_init(&b, 64 * KIB, c->a);
    buf_add_c(&b, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
                  "name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" "
                  "content=\"noindex\"><title>Sluice</title></head><body><h1>");
    html_escape(description.len > 0 ? description : STR("Your answer"), &b);
    buf_add_c(&b, "</h1><p>");
    buf_add_c(&b, text);
    buf_add_c(&b, "</p>");
    if (ask) {
        buf_add_c(&b, "<form method=\"post\"><button type=\"submit\">");
        html_escape(output, &b);
        buf_add_c(&b, "</button></form>");
    }
    buf_add_c(&b, "</body></html>\n");
    http_reply_header(c->req, STR("Cache-Control"), STR("no-store"));
    http_reply_header(c->req, STR("Content-Security-Policy"),
                      STR("default-src 'none'; form-action 'self'; frame-ancestors 'none'"));
    c->content_type = STR("text/html; charset=utf-8");
    c->text = buf_str(&b);
}

/* ---- answering ------------------------------------------------------------------------------ */

static int answer(struct api_call *c, const struct manual_action *m, const struct principal *who,
                  struct err *e)
{
    struct val form = val_get(c->body, "form");
    struct str output;

    if (manual_pending(m, e) != 0 || (who != NULL && manual_allowed(m, who, e) != 0) ||
        read_output(c, &output, e) != 0)
        return -1;
    if (only_looks(c)) {
        if (manual_output_known(m, output, e) != 0)
            return -1;
        page(c, "Press the button to answer.", m->description, output, true);
        return 0;
    }
    if (manual_answer(c->conn, m, who, output, form, c->a, e) != 0)
        return -1;
    engine_wake(c->api->engine);
    if (is_browser(c)) {
        page(c, "Thank you: your answer was stored.", m->description, output, false);
        return 0;
    }
    c->result = val_dict_new(c->a, 2);
    val_dict_set_c(c->result, "id", val_int(m->id));
    val_dict_set_c(c->result, "output", val_str(output));
    return 0;
}

int manual_action_post(struct api_call *c, struct err *e)
{
    struct manual_action m;

    if (manual_find(c->conn, c->params[0], c->params[1], &m, c->a, e) != 0)
        return -1;
    return answer(c, &m, c->user, e);
}

/* A browser without a session signs in at the interface, which then asks the same. */
static void redirect(struct api_call *c)
{
    struct str output = http_req_param(c->req, "output");

    if (output.p == NULL)
        output = http_req_param(c->req, "o");
    http_reply_header(
        c->req, STR("Location"),
        str_printf(c->a, "/transactions/%.*s/actions/%.*s?o=%.*s",
                   STR_ARG(url_encode(c->params[0], "", c->a)),
                   STR_ARG(url_encode(c->params[1], "", c->a)),
                   STR_ARG(url_encode(output.p != NULL ? output : STR(""), "", c->a))));
    c->status = 302;
}

int manual_action_link(struct api_call *c, struct err *e)
{
    struct manual_action m;

    if (api_identify(c, http_req_bearer(c->req), c->req->remote_addr, "user", e) != 0) {
        if (c->user != NULL || !is_browser(c))
            return -1;
        redirect(c);
        return 0;
    }
    if (manual_find(c->conn, c->params[0], c->params[1], &m, c->a, e) != 0)
        return -1;
    return answer(c, &m, c->user, e);
}

int manual_action_token(struct api_call *c, struct err *e)
{
    struct str token = http_req_param(c->req, "ott");
    struct manual_action m;

    if (token.p == NULL && api_body_text(c, "ott", 255, &token, e) != 0)
        return -1;
    if (token.len == 0) {
        err_set(e, ERR_INVALID, "ott is required");
        return -1;
    }
    if (manual_find_token(c->conn, token, &m, c->a, e) != 0)
        return -1;
    return answer(c, &m, NULL, e);
}
