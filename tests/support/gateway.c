/*
 * The stand-in gateway: one request from authentication to audit record.
 */
#include "support/gateway_int.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/json.h"
#include "http/url.h"

#define API STR("/api/v1/")

/* ---- helpers
 * ------------------------------------------------------------------------------------- */

char *gw_strdup(struct str s)
{
    char *p = malloc(s.len + 1);

    if (p == NULL)
        abort();
    memcpy(p, s.p != NULL ? s.p : "", s.len);
    p[s.len] = '\0';
    return p;
}

void gw_random_id(char out[ID_LEN + 1])
{
    unsigned char bytes[ID_LEN / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        abort();
    for (size_t i = 0; i < sizeof(bytes); i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[ID_LEN] = '\0';
}

struct str gw_header(const struct gw_request *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++) {
        if (str_ieq(r->headers[i].name, str_c(name)))
            return r->headers[i].value;
    }
    return STR("");
}

void gw_error(struct gw_answer *out, int status, int code, const char *message, struct arena *a)
{
    struct val list = val_list_new(a, 1);
    struct val one = val_dict_new(a, 4);
    struct val details = val_dict_new(a, 4);

    val_dict_set_c(details, "summary", val_str_dup(a, str_c(message)));
    val_dict_set_c(one, "code", val_int(code));
    val_dict_set_c(one, "message", val_str_dup(a, str_c(message)));
    val_dict_set_c(one, "details", details);
    val_list_add(list, one);
    out->status = status;
    out->body = val_dict_new(a, 4);
    val_dict_set_c(out->body, "errors", list);
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

struct gateway *gateway_new(const struct gateway_opts *o)
{
    struct gateway *g = calloc(1, sizeof(*g));

    if (g == NULL)
        abort();
    g->o = *o;
    pthread_mutex_init(&g->lock, NULL);
    if (!o->empty)
        gw_store_seed(g);
    return g;
}

void gateway_free(struct gateway *g)
{
    if (g == NULL)
        return;
    gw_switches_reset(g);
    gw_counters_reset(g);
    gw_store_clear(g);
    gw_made_free(g);
    for (size_t i = 0; i < RECORDS; i++) {
        free(g->records[i].id);
        free(g->records[i].json);
    }
    pthread_mutex_destroy(&g->lock);
    free(g);
}

void gateway_connected(struct gateway *g)
{
    pthread_mutex_lock(&g->lock);
    g->counters.connections++;
    pthread_mutex_unlock(&g->lock);
}

/* ---- one request
 * ----------------------------------------------------------------------------------- */

static bool split_path(struct gw_call *c)
{
    struct str rest =
        str_slice(c->r->path, API.len, c->r->path.len - 1); /* without the final slash */

    while (rest.len > 0) {
        struct str segment = url_decode(str_cut(&rest, '/'), false, c->r->a);

        if (segment.p == NULL || c->n == SEGMENTS)
            return false;
        if (c->n == 0 && !c->vendor && str_eq_c(segment, "orange"))
            c->vendor = true;
        else
            c->segments[c->n++] = segment;
    }
    return true;
}

/* The body as an object; 416 for anything else the gateway does not want (gateway-proxy.md 7). */
static bool read_body(struct gw_call *c)
{
    struct err e;
    bool wanted = str_eq_c(c->r->method, "POST") || str_eq_c(c->r->method, "PUT");

    if (c->r->body.len == 0 && !wanted)
        return true;
    if (json_parse(c->r->body, &c->body, c->r->a, &e) == 0 && val_is(c->body, VAL_DICT))
        return true;
    c->body = val_undef(NULL);
    gw_error(c->out, 416, 416, "the body must be a json object", c->r->a);
    return false;
}

static void serve_api(struct gw_call *c)
{
    bool login = str_eq_c(c->r->path, "/api/v1/login/");

    if (!str_ends(c->r->path, STR("/")) || !split_path(c)) {
        gw_error(c->out, 404, 404, "no such end point", c->r->a);
        return;
    }
    if (gw_misbehave(c->g, c->r, c->out) || !read_body(c))
        return;
    if (login && str_eq_c(c->r->method, "POST")) {
        gw_login(c->g, c->r, c->body, c->out);
        return;
    }
    if (str_eq_c(c->r->path, "/api/v1/logout/") && str_eq_c(c->r->method, "POST")) {
        gw_logout(c->g, c->r);
        return;
    }
    c->account = gw_who(c->g, c->r, c->out);
    if (c->account == NULL)
        return;
    if (!gw_allowed(c)) {
        gw_error(c->out, 403, 403, "not allowed for this login", c->r->a);
        return;
    }
    gw_api(c);
}

void gateway_handle(struct gateway *g, const struct gw_request *r, struct gw_answer *out)
{
    struct gw_call c = {.g = g, .r = r, .out = out};

    *out = (struct gw_answer){.status = 200, .body = val_dict_new(r->a, 8)};
    buf_init(&out->headers, 64 * KIB, r->a);
    pthread_mutex_lock(&g->lock);
    if (str_starts(r->path, STR("/_control"))) {
        gw_control(g, r, out);
    } else if (str_eq_c(r->path, "/health")) {
        val_dict_set_c(out->body, "status", VAL_STR_LIT("ok"));
    } else {
        gw_count(g, r);
        if (str_starts(r->path, API))
            serve_api(&c);
        else
            gw_error(out, 404, 404, "no such end point", r->a);
        gw_audit(g, r, c.account, c.body, out);
    }
    pthread_mutex_unlock(&g->lock);
}
