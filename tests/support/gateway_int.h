/*
 * What the files of the stand-in gateway share.
 */
#ifndef SLUICE_TESTS_GATEWAY_INT_H
#define SLUICE_TESTS_GATEWAY_INT_H

#include <pthread.h>

#include "support/gateway.h"

/* ---- accounts and sessions (gateway_auth.c) ---- */
struct gw_account {
    const char *username, *password;
    int level;       /* 16 system, 12 tenant admin, 8 group admin, 0 user */
    int access_type; /* 1: a reseller */
    const char *broadsoft_type;
    const char *tenant, *group, *reseller; /* what it is bound to, or NULL */
};

enum {
    SESSIONS = 256,
    ID_LEN = 32,
    RECORDS = 1000,
    REQUESTS_KEPT = 100,
    PATHS = 500,
    SEGMENTS = 16
};

struct gw_session {
    const struct gw_account *account; /* NULL: free */
    char id[ID_LEN + 1];
    int64_t calls; /* made with it */
    uint64_t used; /* when, in logins: the oldest gives way */
};

/* ---- switches and counters (gateway_control.c) ---- */
struct gw_switches {
    int64_t delay_ms, status, big_mb, expire_after, times;
    bool refuse_login, first_login, reset_mid_body, close_early, hang, garbage;
    char path[200], method[16], location[300];
    char *headers; /* JSON object, or NULL */
};

struct gw_path_count {
    char *key; /* "POST /api/v1/tenants/" */
    int64_t n;
};

struct gw_counters {
    int64_t connections, requests, logins, login_failures, unauthorized;
    struct gw_path_count paths[PATHS];
    size_t n_paths;
};

/* ---- data (gateway_store.c) ---- */
struct gw_item {
    char *collection; /* "tenants/acme/groups" */
    char *id;
    char *json;
    struct gw_item *next;
};

struct gw_record {
    char *id;
    char *json;
};

struct gateway {
    struct gateway_opts o;
    pthread_mutex_t lock;
    struct gw_session sessions[SESSIONS];
    struct gw_made *made; /* accounts of people who were created here with a password */
    uint64_t logins;
    struct gw_switches switches;
    struct gw_counters counters;
    struct gw_item *items;
    struct gw_record records[RECORDS];
    size_t next_record;
    char *kept[REQUESTS_KEPT]; /* JSON of the last requests */
    size_t next_kept;
};

/* A request below /api/v1/ on its way through the gateway. */
struct gw_call {
    struct gateway *g;
    const struct gw_request *r;
    const struct gw_account *account;
    struct str segments[SEGMENTS]; /* decoded; without the vendor's first one */
    size_t n;
    bool vendor; /* below "orange": single objects come wrapped (gateway-proxy.md 9.5) */
    struct val body; /* an object, or undefined */
    struct gw_answer *out;
};

/* Status and {"errors": [{code, message, details}]}. */
void gw_error(struct gw_answer *out, int status, int code, const char *message, struct arena *a);
void gw_random_id(char out[ID_LEN + 1]);
char *gw_strdup(struct str s);

/* Answers 200 with cookies, or 401. */
void gw_login(struct gateway *g, const struct gw_request *r, struct val body,
              struct gw_answer *out);
/* End the caller's session; {}. */
void gw_logout(struct gateway *g, const struct gw_request *r);
/* The password that came with the creation or change of a person, when one came. */
void gw_password_set(struct gw_call *c, struct str id);
void gw_password_drop(struct gateway *g, struct str id);
void gw_passwords_reset(struct gateway *g);
void gw_made_free(struct gateway *g);
/* Who calls, or NULL (the answer is made). */
const struct gw_account *gw_who(struct gateway *g, const struct gw_request *r,
                                struct gw_answer *out);
/* Whether the account may see the path; a tenant counts with its reseller. */
bool gw_allowed(struct gw_call *c);

void gw_control(struct gateway *g, const struct gw_request *r, struct gw_answer *out);
void gw_count(struct gateway *g, const struct gw_request *r);
/* Let the switches act on the answer; true when it must not be computed at all. */
bool gw_misbehave(struct gateway *g, const struct gw_request *r, struct gw_answer *out);
void gw_switches_reset(struct gateway *g);
void gw_counters_reset(struct gateway *g);

void gw_store_put(struct gateway *g, struct str collection, struct str id, struct val v);
/* Undefined when absent; lives in `a`. */
struct val gw_store_get(struct gateway *g, struct str collection, struct str id, struct arena *a);
/* With all that lies below it. */
bool gw_store_delete(struct gateway *g, struct str collection, struct str id);
struct val gw_store_list(struct gateway *g, struct str collection, struct arena *a);
/* All items of collections ending in `suffix`, with the collection as second part of each pair
 * [item, collection]. */
struct val gw_store_all(struct gateway *g, struct str suffix, struct arena *a);
void gw_store_drop(struct gateway *g, struct str collection);
void gw_store_clear(struct gateway *g);
void gw_store_seed(struct gateway *g);

void gw_api(struct gw_call *c);
/* gateway_pages.c: serves what is no plain collection; false: not its own. */
bool gw_page(struct gw_call *c);
/* Shared by the two. */
bool gw_is_method(const struct gw_call *c, const char *method);
/* Segments against "tenants/ * /groups" (without blanks): the star stands for one. */
bool gw_path_is(const struct gw_call *c, const char *pattern);
/* The first n segments as text. */
struct str gw_joined(const struct gw_call *c, size_t n);
void gw_not_found(struct gw_call *c);
/* What a collection or item lies below must exist: tenants/T for tenants/T/groups. */
bool gw_parents_exist(struct gw_call *c, size_t n);
/* Members of `change` over those of `base`. */
struct val gw_merged(struct val base, struct val change, struct arena *a);
/* Add or take away one number; its line of the result. */
struct val gw_change_number(struct gw_call *c, struct str collection, struct val item, bool add);
void gw_numbers(struct gw_call *c, struct str collection);

/* Give the answer its record id and keep the record. */
void gw_audit(struct gateway *g, const struct gw_request *r, const struct gw_account *who,
              struct val body, struct gw_answer *out);
struct val gw_audit_find(struct gateway *g, struct str id, struct arena *a);

#endif
