/*
 * Manual actions: questions a run asks people, and their answers.
 *
 * A node asks: the question is stored in the transaction that parks its task, so it exists exactly
 * when the task waits for it.  An answer and the signal that wakes the task are one transaction.
 * That a question ends with its task or its instance is the database's business (0010_people.sql).
 *
 * Rules: workflow-engine.md 3.18 to 3.20, 3.31, 4.12.
 */
#ifndef SLUICE_ENGINE_MANUAL_H
#define SLUICE_ENGINE_MANUAL_H

#include "engine/node.h"

struct db_conn;
struct db_stmts;
struct principal;

/* ---- asking --------------------------------------------------------------------------------- */

struct manual_ask {
    const char *kind;       /* "action" or "approval" */
    struct str role;        /* its holders may answer; empty: none */
    int64_t user_id;        /* this user may answer; 0: none */
    struct str description; /* shown to them */
    struct str outputs;     /* comma list of the possible answers */
    struct str form;        /* JSON Schema of the form, empty: none */
    struct str token;       /* one-time token whose holder may answer too; empty: none */
    bool notify;            /* have the task woken up for telling them */
    int64_t until_us;       /* 0 = as long as it takes */
};

/*
 * Ask and park.  Without role and user anybody who may work on requests answers.
 *
 * The task is signalled
 *     "answer"   {"action_id", "output", "form"?, "username"}
 *     "refused"  {"error"}: unknown role or token, nothing was asked
 *     "notify"   {"action_id", "guid", "to": [address, ...], "until_us"} once the question is
 * stored Fails with ERR_INVALID for texts that cannot be stored.
 */
enum node_rc manual_ask(struct node_run *r, const struct manual_ask *q, struct err *e);

/* Take back the pending questions of this instance with exactly that description: their tasks end
 * OK with output "cancelled", firing nothing, and the questions with them. */
void manual_cancel(struct node_run *r, struct str description);
/* In `wake`: it was taken back while it was being woken up. */
bool manual_cancelled(const struct node_run *r);

/* The comma list of these. */
struct str manual_outputs(const struct node_strs *outputs, struct arena *a);

struct manual_token {
    const char *scope;   /* "ManualAction", "ResetPassword" */
    int64_t user_id;     /* 0 = none */
    struct str username; /* wins over user_id; empty: none */
    struct str details;  /* JSON text */
    int64_t expires_us;
};
/* A new one-time token, stored by its SHA-256 with this task; the text lives in r->a. */
struct str manual_token_new(struct node_run *r, const struct manual_token *t);

/* ---- answering ------------------------------------------------------------------------------ */

/* A question as it stands; texts live in the arena it was read into. */
struct manual_action {
    int64_t id, instance_id, task_id;
    int64_t role_id, user_id; /* 0 = none */
    struct str guid, instance_guid, kind, description, outputs, form;
    struct str output; /* .p NULL: pending */
    bool anyone;       /* asked without role and user */
    bool active;       /* its instance is */
    struct str digest; /* found by a one-time token: its SHA-256; .p NULL: not */
};

/* Both parts may be an id or a guid.  ERR_NOT_FOUND. */
MUST_CHECK int manual_find(struct db_conn *c, struct str instance, struct str action,
                           struct manual_action *out, struct arena *a, struct err *e);
/* By a one-time token; ERR_GONE for one that is unknown, used, expired or for something else: all
 * with one text. */
MUST_CHECK int manual_find_token(struct db_conn *c, struct str token, struct manual_action *out,
                                 struct arena *a, struct err *e);
/* Whether it still waits for an answer: ERR_CONFLICT. */
MUST_CHECK int manual_pending(const struct manual_action *m, struct err *e);
/* Whether this user may answer: ERR_FORBIDDEN. */
MUST_CHECK int manual_allowed(const struct manual_action *m, const struct principal *who,
                              struct err *e);
/* Whether `output` is among the possible answers: ERR_INVALID naming them. */
MUST_CHECK int manual_output_known(const struct manual_action *m, struct str output, struct err *e);

/*
 * Answer: all checks of 4.12 in their order, then answer, used token and signal in one transaction.
 *
 * who   NULL when the question was found by a token.
 * form  undefined: none was sent.
 * Fails with ERR_CONFLICT (answered, cancelled or closed meanwhile), ERR_FORBIDDEN, ERR_INVALID,
 * ERR_GONE (the token was used meanwhile).  After success the caller wakes the engine.
 */
MUST_CHECK int manual_answer(struct db_conn *c, const struct manual_action *m,
                             const struct principal *who, struct str output, struct val form,
                             struct arena *a, struct err *e);

extern const struct db_stmts manual_stmts;
extern const struct writer_stmt *const manual_writer_stmts[];
extern const size_t manual_writer_stmts_n;

#endif
