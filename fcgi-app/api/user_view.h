/*
 * The user object of the API, for its owner and for administrators (http-api.md 5.3, 5.4), and what
 * writing needs.
 */
#ifndef SLUICE_API_USER_VIEW_H
#define SLUICE_API_USER_VIEW_H

#include "api/api.h"

/*
 * The user with everything that hangs on him.
 *
 * attempts    how many login attempts are listed
 * show_token  the readable M2M token instead of true or false
 * ERR_NOT_FOUND "no such user".
 */
MUST_CHECK int user_view(struct api_call *c, int64_t id, int64_t attempts, bool show_token,
                         struct val *out, struct err *e);

/* Assignments of an UPDATE, or columns of an INSERT, put together from the members that were sent.
 */
struct user_sets {
    struct buf columns, values, assigns;
    struct db_arg args[DB_PARAMS_MAX];
    size_t n;
};

enum user_who { USER_SELF = 1, USER_ADMIN = 2, USER_NEW = 4 }; /* who may set a member, and when */

/* Read the members of the body that `who` may set; n starts with what stands in args already.
 * ERR_INVALID names the member. */
MUST_CHECK int user_sets_read(struct api_call *c, enum user_who who, struct user_sets *s,
                              struct err *e);

/* Store them at the user whose id, DB_INT, is args[0]; nothing happens where none was read.  ERR_CONFLICT: the
 * name is taken, or there is no such profile. */
MUST_CHECK int user_sets_store(struct api_call *c, const struct user_sets *s, struct err *e);

/* A new M2M token or none, as the members token and token_expiry_date say. */
MUST_CHECK int user_token_write(struct api_call *c, int64_t id, struct err *e);

/* Principals changed: this process need not wait for the notice. */
void user_told(struct api_call *c);

extern const struct db_stmts user_view_stmts, api_me_stmts, api_users_stmts, api_roles_stmts,
    api_profiles_stmts, api_configuration_stmts, api_weak_passwords_stmts, api_audit_stmts,
    api_user_callbacks_stmts, api_reset_stmts;

#endif
