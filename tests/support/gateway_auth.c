/*
 * The stand-in gateway's logins: three accounts and the people created here with a password, sessions by cookie, and who
 * may see what.
 */
#include "support/gateway_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

static const struct gw_account accounts[] = {
    {"gwsystem", "system-secret", 16, 0, "System", NULL, NULL, NULL},
    {"gwreseller", "reseller-secret", 16, 1, "Provisioning", NULL, NULL, "north"},
    {"gwgroup", "group-secret", 8, 0, "Group", "acme", "sales", NULL},
};

/* Who comes with Basic or Bearer. */
static const struct gw_account by_header = {"header", "", 16, 0, "System", NULL, NULL, NULL};

void gateway_print_accounts(void)
{
    for (size_t i = 0; i < COUNT_OF(accounts); i++) {
        const struct gw_account *at = &accounts[i];

        printf("  %-11s %-16s level %2d%s%s%s%s%s%s\n", at->username, at->password, at->level,
               at->access_type == 1 ? ", reseller " : "", at->reseller != NULL ? at->reseller : "",
               at->tenant != NULL ? ", group " : "", at->tenant != NULL ? at->tenant : "",
               at->group != NULL ? "/" : "", at->group != NULL ? at->group : "");
    }
}

/* ---- logging in
 * ------------------------------------------------------------------------------------ */

/* Passwords set through the API: collection "_passwords", under the person's id. */
#define PASSWORDS STR("_passwords")

struct gw_made {
    struct gw_account account;
    struct gw_made *next;
};

void gw_made_free(struct gateway *g)
{
    while (g->made != NULL) {
        struct gw_made *m = g->made;

        g->made = m->next;
        free((char *)(uintptr_t)m->account.username);
        free((char *)(uintptr_t)m->account.tenant);
        free((char *)(uintptr_t)m->account.group);
        free(m);
    }
}

void gw_password_set(struct gw_call *c, struct str id)
{
    struct val password = val_get(c->body, "password"), v = val_dict_new(c->r->a, 4);
    bool in_group = c->n >= 4 && str_eq_c(c->segments[2], "groups");

    if (!val_is(password, VAL_STR) || c->n < 3 || !str_eq_c(c->segments[0], "tenants"))
        return;
    val_dict_set_c(v, "password", password);
    val_dict_set_c(v, "tenant", val_str(c->segments[1]));
    val_dict_set_c(v, "group", val_str(in_group ? c->segments[3] : STR("")));
    val_dict_set_c(v, "level", val_int(!in_group ? 12 : str_eq_c(c->segments[4], "admins") ? 8 : 0));
    gw_store_put(c->g, PASSWORDS, id, v);
}

void gw_password_drop(struct gateway *g, struct str id)
{
    (void)gw_store_delete(g, PASSWORDS, id);
}

void gw_passwords_reset(struct gateway *g)
{
    gw_store_drop(g, PASSWORDS);
}

static const struct gw_account *account_made(struct gateway *g, struct str username, struct val v)
{
    struct str tenant = val_get_text(v, "tenant", STR("")), group = val_get_text(v, "group", STR(""));
    int level = (int)val_get_int(v, "level", 0);
    struct gw_made *m;

    for (m = g->made; m != NULL; m = m->next)
        if (m->account.level == level && str_eq_c(username, m->account.username) &&
            str_eq_c(tenant, m->account.tenant) &&
            str_eq_c(group, m->account.group != NULL ? m->account.group : ""))
            return &m->account;
    m = calloc(1, sizeof *m);
    if (m == NULL)
        abort();
    m->account = (struct gw_account){.username = gw_strdup(username),
                                     .level = level,
                                     .broadsoft_type = level == 12  ? "Service Provider"
                                                       : level == 8 ? "Group"
                                                                    : "User",
                                     .tenant = gw_strdup(tenant),
                                     .group = group.len > 0 ? gw_strdup(group) : NULL};
    m->next = g->made;
    g->made = m;
    return &m->account;
}

static const struct gw_account *account_of(struct gateway *g, struct val body, struct arena *a)
{
    struct str username = val_get_text(body, "username", STR(""));
    struct str password = val_get_text(body, "password", STR(""));
    struct val made = gw_store_get(g, PASSWORDS, username, a);

    for (size_t i = 0; i < COUNT_OF(accounts); i++) {
        if (!str_eq_c(username, accounts[i].username))
            continue;
        return str_eq(password, val_is_undef(made) ? str_c(accounts[i].password)
                                                   : val_get_text(made, "password", STR("")))
                   ? &accounts[i]
                   : NULL;
    }
    return !val_is_undef(made) && str_eq(password, val_get_text(made, "password", STR("")))
               ? account_made(g, username, made)
               : NULL;
}

static struct gw_session *session_new(struct gateway *g, const struct gw_account *account)
{
    struct gw_session *oldest = &g->sessions[0];

    for (size_t i = 0; i < SESSIONS; i++) {
        if (g->sessions[i].used < oldest->used)
            oldest = &g->sessions[i];
    }
    *oldest = (struct gw_session){.account = account, .used = ++g->logins};
    gw_random_id(oldest->id);
    return oldest;
}

void gw_login(struct gateway *g, const struct gw_request *r, struct val body, struct gw_answer *out)
{
    const struct gw_account *account = account_of(g, body, r->a);
    struct val ids = val_dict_new(r->a, 4);
    struct val profile = val_dict_new(r->a, 4);
    struct gw_session *s;

    g->counters.logins++;
    if (account == NULL || g->switches.refuse_login) {
        g->counters.login_failures++;
        gw_error(out, 401, 401, "user name or password is wrong", r->a);
        return;
    }
    s = session_new(g, account);
    buf_addf(
        &out->headers,
        "Set-Cookie: sessionid=%s; Path=/; HttpOnly\r\nSet-Cookie: balancer=node-%.4s; Path=/\r\n",
        s->id, s->id);
    if (account->tenant != NULL)
        val_dict_set_c(ids, "tenant_id", val_str_c(account->tenant));
    if (account->group != NULL)
        val_dict_set_c(ids, "group_id", val_str_c(account->group));
    val_dict_set_c(ids, "user_id", val_str_c(account->username));
    val_dict_set_c(profile, "user_level", val_int(account->level));
    val_dict_set_c(profile, "is_first_login", val_bool(g->switches.first_login));
    val_dict_set_c(profile, "access_type", val_int(account->access_type));
    val_dict_set_c(profile, "broadsoft_type", val_str_c(account->broadsoft_type));
    val_dict_set_c(out->body, "ids", ids);
    val_dict_set_c(out->body, "profile", profile);
}

/* ---- who calls
 * --------------------------------------------------------------------------------------- */

static struct str cookie(const struct gw_request *r, const char *name)
{
    struct str rest = gw_header(r, "cookie");

    while (rest.len > 0) {
        struct str value = str_cut(&rest, ';');
        struct str key = str_trim(str_cut(&value, '='));

        if (str_eq_c(key, name))
            return str_trim(value);
    }
    return STR("");
}

static struct gw_session *session_of(struct gateway *g, const struct gw_request *r)
{
    struct str id = cookie(r, "sessionid");
    struct str balancer = cookie(r, "balancer");

    for (size_t i = 0; i < SESSIONS; i++) {
        struct gw_session *s = &g->sessions[i];

        /* The balancer's cookie leads to the node that knows the session; without it another one
         * answers. */
        if (s->account != NULL && str_eq_c(id, s->id) && str_starts(balancer, STR("node-")) &&
            str_eq(str_slice(balancer, 5, balancer.len), str_make(s->id, 4)))
            return s;
    }
    return NULL;
}

/* Base64 of RFC 4648 without checking what does not matter here. */
static struct str base64(struct str in, struct arena *a)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf b;

    buf_init(&b, in.len * 2 + 8, a);
    for (size_t i = 0; i < in.len; i += 3) {
        uint32_t v = 0;

        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < in.len ? (unsigned char)in.p[i + k] : 0U);
        for (size_t k = 0; k < 4; k++)
            buf_putc(&b, k <= in.len - i ? digits[(v >> (18 - 6 * k)) & 63] : '=');
    }
    return buf_str(&b);
}

static bool by_authorization(struct gateway *g, const struct gw_request *r)
{
    struct str given = gw_header(r, "authorization");

    if (g->o.basic != NULL &&
        str_eq(given, str_printf(r->a, "Basic %.*s", STR_ARG(base64(str_c(g->o.basic), r->a)))))
        return true;
    return g->o.bearer != NULL && str_eq(given, str_printf(r->a, "Bearer %s", g->o.bearer));
}

void gw_logout(struct gateway *g, const struct gw_request *r)
{
    struct gw_session *s = session_of(g, r);

    if (s != NULL)
        s->account = NULL;
}

const struct gw_account *gw_who(struct gateway *g, const struct gw_request *r,
                                struct gw_answer *out)
{
    struct gw_session *s = session_of(g, r);

    if (s != NULL) {
        s->calls++;
        if (g->switches.expire_after == 0 || s->calls <= g->switches.expire_after)
            return s->account;
        s->account = NULL;
    } else if (by_authorization(g, r)) {
        return &by_header;
    }
    g->counters.unauthorized++;
    gw_error(out, 401, 401, "log in first", r->a);
    return NULL;
}

bool gw_allowed(struct gw_call *c)
{
    const struct gw_account *at = c->account;
    bool below_tenant = c->n >= 2 && str_eq_c(c->segments[0], "tenants");
    struct val tenant;

    if (at->tenant != NULL && below_tenant) {
        bool reads = str_eq_c(c->r->method, "GET");

        if (!str_eq_c(c->segments[1], at->tenant))
            return false;
        if (c->n == 2)
            return reads;
        if (at->group == NULL)
            return true;
        if (c->n < 4 || !str_eq_c(c->segments[2], "groups") || !str_eq_c(c->segments[3], at->group))
            return false;
        return at->level > 0 || (c->n == 4 && reads) ||
               (c->n >= 6 && str_eq_c(c->segments[4], "users") && str_eq_c(c->segments[5], at->username));
    }
    if (at->tenant != NULL)
        return c->n >= 1 && !str_eq_c(c->segments[0], "tenants");
    if (at->reseller != NULL && below_tenant) {
        tenant = gw_store_get(c->g, STR("tenants"), c->segments[1], c->r->a);
        return val_is_undef(tenant) ||
               str_eq_c(val_get_text(tenant, "resellerId", STR("")), at->reseller);
    }
    return true;
}
