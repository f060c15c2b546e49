/*
 * The stand-in gateway's switches and counters, below /_control.
 */
#include "support/gateway_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"

/* ---- switches
 * ---------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
} numbers[] = {
    {"delay_ms", offsetof(struct gw_switches, delay_ms)},
    {"status", offsetof(struct gw_switches, status)},
    {"big_mb", offsetof(struct gw_switches, big_mb)},
    {"expire_after", offsetof(struct gw_switches, expire_after)},
    {"times", offsetof(struct gw_switches, times)},
};

static const struct {
    const char *name;
    size_t at;
} flags[] = {
    {"refuse_login", offsetof(struct gw_switches, refuse_login)},
    {"first_login", offsetof(struct gw_switches, first_login)},
    {"reset_mid_body", offsetof(struct gw_switches, reset_mid_body)},
    {"close_early", offsetof(struct gw_switches, close_early)},
    {"hang", offsetof(struct gw_switches, hang)},
    {"garbage", offsetof(struct gw_switches, garbage)},
};

static const struct {
    const char *name;
    size_t at;
    size_t size;
} texts[] = {
    {"path", offsetof(struct gw_switches, path), sizeof(((struct gw_switches *)0)->path)},
    {"method", offsetof(struct gw_switches, method), sizeof(((struct gw_switches *)0)->method)},
    {"location", offsetof(struct gw_switches, location),
     sizeof(((struct gw_switches *)0)->location)},
};

void gw_switches_reset(struct gateway *g)
{
    free(g->switches.headers);
    g->switches = (struct gw_switches){0};
}

static void set_switches(struct gateway *g, struct val body, struct arena *a)
{
    char *base = (char *)&g->switches;
    struct val v;

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        v = val_get(body, numbers[i].name);
        if (val_is(v, VAL_INT))
            memcpy(base + numbers[i].at, &v.u.i, sizeof(int64_t));
    }
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        v = val_get(body, flags[i].name);
        if (val_is(v, VAL_BOOL))
            memcpy(base + flags[i].at, &v.u.b, sizeof(bool));
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        v = val_get(body, texts[i].name);
        if (val_is(v, VAL_STR))
            snprintf(base + texts[i].at, texts[i].size, "%.*s", STR_ARG(val_text(v)));
    }
    v = val_get(body, "headers");
    if (val_is(v, VAL_DICT)) {
        free(g->switches.headers);
        g->switches.headers = gw_strdup(json_text(v, a));
    }
}

static struct val show_switches(const struct gateway *g, struct arena *a)
{
    const char *base = (const char *)&g->switches;
    struct val out = val_dict_new(a, 16);
    struct val headers;
    struct err e;

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        int64_t n;

        memcpy(&n, base + numbers[i].at, sizeof(n));
        val_dict_set_c(out, numbers[i].name, val_int(n));
    }
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        bool b;

        memcpy(&b, base + flags[i].at, sizeof(b));
        val_dict_set_c(out, flags[i].name, val_bool(b));
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        val_dict_set_c(out, texts[i].name, val_str_dup(a, str_c(base + texts[i].at)));
    if (g->switches.headers != NULL &&
        json_parse_copy(str_c(g->switches.headers), &headers, a, &e) == 0)
        val_dict_set_c(out, "headers", headers);
    return out;
}

/* ---- misbehaving
 * --------------------------------------------------------------------------------------- */

static bool applies(const struct gw_switches *s, const struct gw_request *r)
{
    if (s->method[0] != '\0' && !str_eq_c(r->method, s->method))
        return false;
    if (s->path[0] != '\0')
        return str_find(r->target, str_c(s->path)) >= 0;
    return !str_eq_c(r->path, "/api/v1/login/"); /* the login misbehaves only when it is meant */
}

static void add_headers(const struct gw_switches *s, struct gw_answer *out, struct arena *a)
{
    struct val headers, name, value;
    struct err e;

    if (s->headers == NULL || json_parse_copy(str_c(s->headers), &headers, a, &e) != 0)
        return;
    for (size_t i = 0; val_pair_at(headers, i, &name, &value); i++)
        buf_addf(&out->headers, "%.*s: %.*s\r\n", STR_ARG(val_text(name)),
                 STR_ARG(val_text(value)));
}

static struct val filler(int64_t mb, struct arena *a)
{
    size_t n = (size_t)mb * MIB;
    char *p = arena_alloc(a, n);

    memset(p, 'x', n);
    return val_str(str_make(p, n));
}

static void forced_status(const struct gw_switches *s, struct gw_answer *out, struct arena *a)
{
    int status = (int)s->status;

    if (status >= 400)
        gw_error(out, status, status, "the gateway was told to fail", a);
    out->status = status;
    if (status == 429)
        buf_add_c(&out->headers, "Retry-After: 1\r\n");
    if (status == 207)
        val_dict_set_c(out->body, "result", val_list_new(a, 1));
    if (s->location[0] != '\0')
        buf_addf(&out->headers, "Location: %s\r\n", s->location);
}

bool gw_misbehave(struct gateway *g, const struct gw_request *r, struct gw_answer *out)
{
    struct gw_switches *s = &g->switches;
    bool done = true;

    if (!applies(s, r))
        return false;
    out->delay_ms = s->delay_ms;
    add_headers(s, out, r->a);
    if (s->reset_mid_body)
        out->fault = GW_RESET_MID_BODY;
    else if (s->close_early)
        out->fault = GW_CLOSE_EARLY;
    else if (s->hang)
        out->fault = GW_HANG;
    else if (s->garbage)
        out->fault = GW_GARBAGE;
    if (s->status != 0)
        forced_status(s, out, r->a);
    else if (s->big_mb > 0 && s->big_mb <= 1024)
        val_dict_set_c(out->body, "filler", filler(s->big_mb, r->a));
    else if (out->fault == GW_ANSWER || out->fault == GW_RESET_MID_BODY)
        done = false; /* the true answer, late or cut */
    if (s->times > 0 && (done || s->delay_ms > 0 || out->fault != GW_ANSWER) && --s->times == 0)
        gw_switches_reset(g);
    return done;
}

/* ---- counters
 * -------------------------------------------------------------------------------------------- */

void gw_counters_reset(struct gateway *g)
{
    for (size_t i = 0; i < g->counters.n_paths; i++)
        free(g->counters.paths[i].key);
    g->counters = (struct gw_counters){0};
    for (size_t i = 0; i < REQUESTS_KEPT; i++) {
        free(g->kept[i]);
        g->kept[i] = NULL;
    }
    g->next_kept = 0;
}

static struct val request_json(const struct gw_request *r)
{
    struct val out = val_dict_new(r->a, 8);
    struct val headers = val_list_new(r->a, r->n_headers);

    for (size_t i = 0; i < r->n_headers; i++) {
        struct val pair = val_list_new(r->a, 2);

        val_list_add(pair, val_str_dup(r->a, r->headers[i].name));
        val_list_add(pair, val_str_dup(r->a, r->headers[i].value));
        val_list_add(headers, pair);
    }
    val_dict_set_c(out, "method", val_str(r->method));
    val_dict_set_c(out, "target", val_str(r->target));
    val_dict_set_c(out, "headers", headers);
    val_dict_set_c(out, "body", val_str(utf8_repair(r->a, str_slice(r->body, 0, 10000))));
    return out;
}

void gw_count(struct gateway *g, const struct gw_request *r)
{
    struct gw_counters *n = &g->counters;
    struct str key = str_printf(r->a, "%.*s %.*s", STR_ARG(r->method), STR_ARG(r->path));
    size_t i = 0;

    n->requests++;
    free(g->kept[g->next_kept]);
    g->kept[g->next_kept] = gw_strdup(json_text(request_json(r), r->a));
    g->next_kept = (g->next_kept + 1) % REQUESTS_KEPT;
    while (i < n->n_paths && !str_eq_c(key, n->paths[i].key))
        i++;
    if (i == PATHS)
        return;
    if (i == n->n_paths)
        n->paths[n->n_paths++] = (struct gw_path_count){gw_strdup(key), 0};
    n->paths[i].n++;
}

static struct val show_counters(const struct gateway *g, struct arena *a)
{
    const struct gw_counters *n = &g->counters;
    struct val out = val_dict_new(a, 8);
    struct val paths = val_dict_new(a, 16);

    val_dict_set_c(out, "connections", val_int(n->connections));
    val_dict_set_c(out, "requests", val_int(n->requests));
    val_dict_set_c(out, "logins", val_int(n->logins));
    val_dict_set_c(out, "login_failures", val_int(n->login_failures));
    val_dict_set_c(out, "unauthorized", val_int(n->unauthorized));
    for (size_t i = 0; i < n->n_paths; i++)
        val_dict_set_str(paths, str_dup(a, str_c(n->paths[i].key)), val_int(n->paths[i].n));
    val_dict_set_c(out, "paths", paths);
    return out;
}

/* The last requests, oldest first. */
static struct val show_requests(const struct gateway *g, struct arena *a)
{
    struct val out = val_dict_new(a, 1);
    struct val list = val_list_new(a, REQUESTS_KEPT);
    struct err e;

    for (size_t i = 0; i < REQUESTS_KEPT; i++) {
        const char *text = g->kept[(g->next_kept + i) % REQUESTS_KEPT];
        struct val one;

        if (text != NULL && json_parse_copy(str_c(text), &one, a, &e) == 0)
            val_list_add(list, one);
    }
    val_dict_set_c(out, "requests", list);
    return out;
}

void gw_control(struct gateway *g, const struct gw_request *r, struct gw_answer *out)
{
    struct str what = str_slice(r->path, sizeof("/_control") - 1, r->path.len);
    struct val body;
    struct err e;

    if (str_eq_c(what, "/counters") || str_eq_c(what, "/counters/")) {
        out->body = show_counters(g, r->a);
        return;
    }
    if (str_eq_c(what, "/requests") || str_eq_c(what, "/requests/")) {
        out->body = show_requests(g, r->a);
        return;
    }
    if (what.len > 1) {
        gw_error(out, 404, 404, "no such end point", r->a);
        return;
    }
    if (str_eq_c(r->method, "DELETE")) {
        gw_switches_reset(g);
        gw_counters_reset(g);
        gw_passwords_reset(g);
        memset(g->sessions, 0, sizeof(g->sessions));
    } else if (!str_eq_c(r->method, "GET")) {
        if (json_parse(r->body, &body, r->a, &e) != 0 || !val_is(body, VAL_DICT)) {
            gw_error(out, 416, 416, "the body must be a json object", r->a);
            return;
        }
        if (val_get_bool(body, "forget_sessions", false))
            memset(g->sessions, 0, sizeof(g->sessions));
        set_switches(g, body, r->a);
    }
    out->body = show_switches(g, r->a);
}
