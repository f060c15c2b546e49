/*
 * Logging in and out, renewing tokens, taking access away (http-api.md 5.1).
 *
 * Password hashing is slow and the work inside borrows connections of its own, so these handlers
 * give back theirs first: many logins at once must not wait for each other's.
 */
#include "api/login_gateway.h"
#include "gateway/logins.h"

static void give_back_connection(struct api_call *c)
{
    db_put(c->api->db, c->conn);
    c->conn = NULL;
}

/*
 * What the identity provider answered comes along (http-api.md 5.1), below our own members; it cannot make the interface ask for a
 * second factor, nor pass a token off as ours.
 */
static struct val enriched(struct api_call *c, struct val theirs)
{
    static const char *const ours[] = {"access_token", "refresh_token", "token",     "2fa_payload",
                                       "option",       "ui_profile",    "email_set", "error"};
    struct val out = val_is(theirs, VAL_DICT) ? val_copy(theirs, c->a) : val_dict_new(c->a, 5);

    for (size_t i = 0; i < COUNT_OF(ours); i++)
        (void)val_dict_del(out, val_str_c(ours[i]));
    return out;
}

static void answer_tokens(struct api_call *c, const struct auth_tokens *t, struct val theirs)
{
    c->result = enriched(c, theirs);
    val_dict_set_c(c->result, "access_token", val_str(t->access_token));
    if (t->refresh_token.len > 0)
        val_dict_set_c(c->result, "refresh_token", val_str(t->refresh_token));
    if (t->token.len > 0)
        val_dict_set_c(c->result, "token", val_str(t->token));
    val_dict_set_c(c->result, "ui_profile", val_str(t->ui_profile));
    val_dict_set_c(c->result, "email_set", val_bool(t->email_set));
}

int auth_login_post(struct api_call *c, struct err *e)
{
    struct str username;
    struct str password;
    struct str proxy = STR("");
    struct val theirs = val_undef(NULL);
    struct auth_tokens t;
    int rc;

    if (api_body_only(c, "username,password,proxy", e) != 0 ||
        api_body_need(c, "username", 200, &username, e) != 0 ||
        api_body_need(c, "password", 200, &password, e) != 0 ||
        api_body_text(c, "proxy", 70, &proxy, e) != 0)
        return -1;
    give_back_connection(c);
    rc = login_by_gateway(c, username, password, proxy, &t, &theirs, e);
    if (rc < 0)
        return -1;
    if (rc == 0 && auth_login(c->api->auth, c->cfg, username, password, c->req->remote_addr,
                   http_req_header(c->req, "user-agent"), &t, c->a, e) != 0)
        return -1;
    answer_tokens(c, &t, theirs);
    return 0;
}

int auth_access_token_get(struct api_call *c, struct err *e)
{
    struct auth_tokens t;

    give_back_connection(c);
    if (auth_refresh(c->api->auth, c->cfg, http_req_bearer(c->req), &t, c->a, e) != 0)
        return -1;
    answer_tokens(c, &t, val_undef(NULL));
    return 0;
}

int auth_logout_get(struct api_call *c, struct err *e)
{
    struct str sign = http_req_param(c->req, "sign");
    struct gw_login_rows sessions;

    if (gw_store_of_sign(c->conn, c->cfg, sign, &sessions, c->a, e) != 0)
        return -1;
    give_back_connection(c);
    if (auth_logout(c->api->auth, sign.p != NULL ? sign : STR(""), e) != 0)
        return -1;
    gw_logins_given_up(c->api->clients, c->cfg, &sessions);
    c->result = val_dict_new(c->a, 0);
    return 0;
}

int auth_public_key_get(struct api_call *c, struct err *e)
{
    c->text = auth_public_key(c->cfg, c->a);
    c->content_type = STR("application/x-pem-file");
    if (c->text.len > 0)
        return 0;
    err_set(e, ERR_CONFIG, "there is no signing key");
    return -1;
}

/* No login asks for a second factor, so no code can be right. */
int auth_2fa_post(struct api_call *c, struct err *e)
{
    struct str payload;
    struct str code;

    if (api_body_need(c, "2fa_payload", 8192, &payload, e) == 0 &&
        api_body_need(c, "code", 20, &code, e) == 0)
        err_set(e, ERR_INVALID, "the code is not right, or no longer");
    return -1;
}

/* 503 tells the interface that passkeys are off (http-api.md 5.1). */
int auth_webauthn_refuse(struct api_call *c, struct err *e)
{
    (void)c;
    err_set(e, ERR_BUSY, "passkeys are off");
    return -1;
}

int auth_password_rules_get(struct api_call *c, struct err *e)
{
    static const struct {
        const char *name, *setting;
    } counts[] = {
        {"min_length", "password.min_length"},           {"min_uppercase", "password.uppercase"},
        {"min_lowercase", "password.lowercase"},         {"min_digits", "password.digits"},
        {"min_special_chars", "password.special_chars"}, {"history", "password.duplicate_limit"},
    };
    struct val system = val_dict_new(c->a, 8);
    struct val rules = val_dict_new(c->a, 2);

    (void)e;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        val_dict_set_c(system, counts[i].name, val_int(cfg_int(c->cfg, counts[i].setting)));
    val_dict_set_c(system, "cannot_contains_username",
                   val_bool(cfg_bool(c->cfg, "password.cannot_contain_username")));
    val_dict_set_c(system, "cannot_contains_rev_old_passwords",
                   val_bool(cfg_bool(c->cfg, "password.cannot_reverse_old_password")));
    val_dict_set_c(rules, "system", system);
    val_dict_set_c(rules, "idp", val_dict_new(c->a, 0));
    c->result = val_dict_new(c->a, 3);
    val_dict_set_c(c->result, "rules", rules);
    val_dict_set_c(c->result, "system", system);
    val_dict_set_c(c->result, "idp", val_dict_new(c->a, 0));
    return 0;
}
