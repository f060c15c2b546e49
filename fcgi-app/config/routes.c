/*
 * Custom routes: patterns and the choice among them (workflow-engine.md 5.1.2, 5.1.3).
 *
 * A pattern is matched against the canonical path, so its literal parts are brought to the same
 * form.  Routes with plain variables are walked by hand; a regular expression is used only where
 * the route has one.
 */
#include "config/config_int.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "format/regex.h"
#include "http/url.h"

#define API_ROOT "/api/v01/"
#define CUSTOM_PREFIX "/api/v01/custom"
#define PUBLIC_PREFIX "/api/v01/public"

enum {
    VARIABLES_MAX = 40,
    STEPS_MAX = 20000, /* tries to divide one path among variables; more count as no match */
};

struct part {
    struct str literal; /* what stands before the variable */
    struct str name;    /* .p NULL: the pattern ends after the literal */
};

struct route_pattern {
    struct part *parts; /* the last one has no name */
    size_t n_parts;
    struct regex *re; /* NULL: plain variables only */
    size_t n_literal; /* characters outside braces, as written */
    size_t n_regex;   /* variables with a regular expression */
    struct str first; /* literal every match starts with */
};

/* ---- compiling ----------------------------------------------------------------------------------
 */

/* Literal text as it looks in a canonical path. */
static struct str canonical_literal(struct str s, struct arena *a)
{
    struct buf out;

    buf_init(&out, 4 * LIMIT_TARGET, a);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL)
            buf_addf(&out, "%%%02X", c);
        else
            buf_putc(&out, (char)c);
    }
    return buf_str(&out);
}

static void regex_literal(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '/' || c == '_';

        if (!word)
            buf_putc(out, '\\');
        buf_putc(out, (char)c);
    }
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return s.len > 0;
}

/* Offset of the brace that closes the one at `open`, or 0: expressions hold braces themselves
 * (\d{2}). */
static size_t closing(struct str path, size_t open)
{
    size_t depth = 0;

    for (size_t i = open; i < path.len; i++) {
        if (path.p[i] == '\\')
            i++;
        else if (path.p[i] == '{')
            depth++;
        else if (path.p[i] == '}' && --depth == 0)
            return i;
    }
    return 0;
}

struct compiling {
    struct route_pattern *p;
    struct buf re;
    struct arena *a;
    struct err *e;
};

static int bad(struct compiling *c, size_t at, const char *what)
{
    err_set(c->e, ERR_INVALID, "route: %s at column %zu", what, at + 1);
    c->e->column = (int)at + 1;
    return -1;
}

static int add_variable(struct compiling *c, struct str inside, size_t at)
{
    struct str regex = inside;
    struct str name = str_cut(&regex, ':');
    bool has_regex = name.len < inside.len;
    struct err why = {0};
    struct regex *alone;

    if (!is_name(name))
        return bad(c, at, "expected a name such as {id}");
    for (size_t i = 0; i < c->p->n_parts; i++)
        if (str_eq(c->p->parts[i].name, name))
            return bad(c, at, "this name is used twice");
    if (c->p->n_parts >= VARIABLES_MAX)
        return bad(c, at, "too many variables");
    if (has_regex) {
        if (regex.len == 0)
            return bad(c, at, "empty regular expression");
        if (regex_compile(&alone, regex, REGEX_FULL, c->a, &why) != 0) {
            err_set(c->e, ERR_INVALID, "route: regular expression at column %zu: %s", at + 1,
                    why.msg);
            c->e->column = (int)at + 1;
            return -1;
        }
        c->p->n_regex++;
        buf_addf(&c->re, "(?<r%zu>%.*s)", c->p->n_parts, STR_ARG(regex));
    } else {
        buf_addf(&c->re, "(?<r%zu>[^/{}]+)", c->p->n_parts);
    }
    c->p->parts[c->p->n_parts].name = str_dup(c->a, name);
    return 0;
}

bool route_next_variable(struct str *rest, struct str *literal, struct str *name, struct str *regex)
{
    ptrdiff_t open = str_find_char(*rest, '{');
    size_t close = open < 0 ? 0 : closing(*rest, (size_t)open);

    *literal = *rest;
    *name = *regex = STR("");
    if (close == 0) {
        *rest = STR("");
        return false;
    }
    *literal = str_slice(*rest, 0, (size_t)open);
    *regex = str_slice(*rest, (size_t)open + 1, close);
    *name = str_cut(regex, ':');
    *rest = str_slice(*rest, close + 1, rest->len);
    return true;
}

int route_pattern_compile(struct route_pattern **out, struct str path, struct arena *a,
                          struct err *e)
{
    struct route_pattern *p = ARENA_NEW(a, struct route_pattern);
    struct compiling c = {.p = p, .a = a, .e = e};
    size_t from = 0;

    buf_init(&c.re, 64 * KIB, a);
    p->parts = ARENA_ARRAY(a, struct part, VARIABLES_MAX + 1);
    if (path.len == 0 || path.p[0] != '/')
        return bad(&c, 0, "must start with \"/\"");
    for (;;) {
        ptrdiff_t open = str_find_char(str_slice(path, from, path.len), '{');
        size_t end = open < 0 ? path.len : from + (size_t)open;
        struct str literal = str_slice(path, from, end);
        ptrdiff_t stray = str_find_char(literal, '}');
        size_t close;

        if (stray >= 0)
            return bad(&c, from + (size_t)stray, "\"}\" without \"{\"");
        p->n_literal += literal.len;
        p->parts[p->n_parts].literal = canonical_literal(literal, a);
        regex_literal(&c.re, p->parts[p->n_parts].literal);
        if (open < 0)
            break;
        close = closing(path, end);
        if (close == 0)
            return bad(&c, end, "\"{\" without \"}\"");
        if (add_variable(&c, str_slice(path, end + 1, close), end) != 0)
            return -1;
        p->n_parts++;
        from = close + 1;
    }
    p->n_parts++;
    p->first = p->parts[0].literal;
    if (p->n_regex > 0) {
        struct err why = {0};

        if (c.re.over || regex_compile(&p->re, buf_str(&c.re), REGEX_FULL, a, &why) != 0) {
            err_set(e, ERR_INVALID, "route: %s", c.re.over ? "too long" : why.msg);
            return -1;
        }
    }
    *out = p;
    return 0;
}

/* ---- matching -----------------------------------------------------------------------------------
 */

/* Where each variable's value stands. */
struct values {
    size_t from[VARIABLES_MAX], to[VARIABLES_MAX];
    unsigned steps;
};

/* Plain variables: the value reaches up to the next literal or slash; the shortest that lets the
 * rest fit. */
static bool walk(const struct route_pattern *p, size_t part, struct str path, size_t at,
                 struct values *v)
{
    const struct part *q = &p->parts[part];
    struct str next;
    size_t end;

    if (++v->steps > STEPS_MAX || !str_starts(str_slice(path, at, path.len), q->literal))
        return false;
    at += q->literal.len;
    if (part + 1 == p->n_parts)
        return at == path.len;
    for (end = at; end < path.len && strchr("/{}", path.p[end]) == NULL; end++)
        ;
    next = p->parts[part + 1].literal;
    v->from[part] = at;
    if (next.len > 0 ? next.p[0] == '/' : part + 2 == p->n_parts) {
        v->to[part] = end; /* nothing to try: the value cannot end earlier */
        return end > at && walk(p, part + 1, path, end, v);
    }
    for (size_t to = end; to > at; to--) {
        v->to[part] = to;
        if (walk(p, part + 1, path, to, v))
            return true;
    }
    return false;
}

static bool by_regex(const struct route_pattern *p, struct str path, struct values *v)
{
    struct regex_match m;
    struct err e = {0};

    if (regex_exec(p->re, path, 0, &m, &e) != 1)
        return false; /* too many steps count as no match */
    for (size_t i = 0; i + 1 < p->n_parts; i++) {
        char name[16] = {'r'};
        size_t n = 1;
        int group;

        if (i >= 10)
            name[n++] = (char)('0' + i / 10);
        name[n++] = (char)('0' + i % 10);
        group = regex_group(p->re, str_make(name, n));
        if (group < 0 || m.group[group].from < 0)
            return false;
        v->from[i] = (size_t)m.group[group].from;
        v->to[i] = (size_t)m.group[group].to;
    }
    return true;
}

static bool fits(const struct route_pattern *p, struct str path, struct values *v)
{
    if (!str_starts(path, p->first))
        return false;
    v->steps = 0;
    return p->re != NULL ? by_regex(p, path, v) : walk(p, 0, path, 0, v);
}

static struct val decoded(struct str raw, struct arena *a)
{
    struct str s = url_decode(raw, false, a);

    if (s.p == NULL)
        s = raw;
    return val_str(utf8_check(s) == s.len ? s : utf8_repair(a, s));
}

static struct val values_as_dict(const struct route_pattern *p, struct str path,
                                 const struct values *v, struct arena *a)
{
    struct val d = val_dict_new(a, p->n_parts);

    for (size_t i = 0; i + 1 < p->n_parts; i++)
        val_dict_set_str(d, p->parts[i].name, decoded(str_slice(path, v->from[i], v->to[i]), a));
    return d;
}

/* ---- choosing -----------------------------------------------------------------------------------
 */

struct search {
    const struct cfg_box *b;
    struct str path;
    struct str prefix, name; /* of the proxy; empty in the core */
    const struct cfg_route *best;
    size_t best_literal;
    struct str best_rest; /* what best's pattern was matched against */
    struct values best_values;
};

static bool below(struct str path, struct str prefix)
{
    return path.len > prefix.len && path.p[prefix.len] == '/' && str_starts(path, prefix);
}

static bool is_absolute(const struct cfg_route *r)
{
    return str_starts(r->route, STR(API_ROOT));
}

/* A group named like the short name of a proxy binds the route to that proxy. */
static bool bound_elsewhere(const struct search *s, const struct cfg_route *r)
{
    if (r->group.len == 0 || s->prefix.len == 0 || str_eq(r->group, s->name))
        return false;
    for (size_t i = 0; i < s->b->n_proxy_names; i++)
        if (str_eq(r->group, s->b->proxy_names[i]))
            return true;
    return false;
}

/* The part of the path a route's pattern speaks about; false when the route does not answer there.
 */
static bool rest_for(const struct search *s, const struct cfg_route *r, struct str *rest)
{
    struct str prefix;

    if (is_absolute(r)) {
        *rest = s->path;
        return !bound_elsewhere(s, r);
    }
    if (r->is_public)
        prefix = STR(PUBLIC_PREFIX);
    else
        prefix = s->prefix.len > 0 ? s->prefix : STR(CUSTOM_PREFIX);
    if (!below(s->path, prefix) || (!r->is_public && bound_elsewhere(s, r)))
        return false;
    *rest = str_slice(s->path, prefix.len, s->path.len);
    return true;
}

static bool is_better(const struct search *s, const struct cfg_route *r, size_t literal)
{
    if (s->best == NULL || literal != s->best_literal)
        return s->best == NULL || literal > s->best_literal;
    if (r->pattern->n_regex != s->best->pattern->n_regex)
        return r->pattern->n_regex > s->best->pattern->n_regex;
    return r->id < s->best->id;
}

static bool answers(const struct cfg_route *r)
{
    return r->enabled && r->activity_id != 0 && r->pattern != NULL;
}

static void find_best(struct search *s, enum http_method method)
{
    const struct cfg *c = &s->b->c;

    for (size_t i = 0; i < c->n_routes; i++) {
        const struct cfg_route *r = &c->routes[i];
        struct values v;
        struct str rest;
        size_t literal;

        if (r->method != method || !answers(r) || !rest_for(s, r, &rest))
            continue;
        literal = s->path.len - rest.len + r->pattern->n_literal;
        if (is_better(s, r, literal) && fits(r->pattern, rest, &v)) {
            s->best = r;
            s->best_literal = literal;
            s->best_rest = rest;
            s->best_values = v;
        }
    }
}

static unsigned methods_there(struct search *s)
{
    const struct cfg *c = &s->b->c;
    unsigned allowed = 0;

    for (size_t i = 0; i < c->n_routes; i++) {
        const struct cfg_route *r = &c->routes[i];
        struct values v;
        struct str rest;

        if (answers(r) && rest_for(s, r, &rest) && fits(r->pattern, rest, &v))
            allowed |= 1u << r->method;
    }
    return allowed;
}

/* Behind the prefix, without leading slash; absolute routes: behind the first segment below the
 * API's root. */
static struct str tail_of(const struct search *s, const struct cfg_route *r, struct str path)
{
    struct str rest;

    if (s->prefix.len > 0 && below(path, s->prefix))
        return str_slice(path, s->prefix.len + 1, path.len);
    if (!is_absolute(r))
        return str_slice(path, (r->is_public ? sizeof PUBLIC_PREFIX : sizeof CUSTOM_PREFIX),
                         path.len);
    rest = str_slice(path, sizeof API_ROOT - 1, path.len);
    str_cut(&rest, '/');
    return rest;
}

void cfg_route_find(const struct cfg *c, enum http_method method, struct str path,
                    struct str proxy_prefix, struct str proxy_name, struct route_match *out,
                    struct arena *a)
{
    struct str other = path.len > 1 && path.p[path.len - 1] == '/'
                           ? str_slice(path, 0, path.len - 1)
                           : str_printf(a, "%.*s/", STR_ARG(path));
    struct str forms[] = {path, other};
    enum http_method asked = method == HTTP_HEAD ? HTTP_GET : method;

    *out = (struct route_match){.match_info = val_undef(NULL)};
    if (c->n_routes == 0)
        return;
    for (size_t i = 0; i < COUNT_OF(forms) && out->route == NULL; i++) {
        struct search s = {
            .b = cfg_box_of(c), .path = forms[i], .prefix = proxy_prefix, .name = proxy_name};

        find_best(&s, asked);
        if (s.best == NULL)
            continue;
        out->route = s.best;
        out->match_info = values_as_dict(s.best->pattern, s.best_rest, &s.best_values, a);
        out->tail = str_dup(a, tail_of(&s, s.best, path));
        out->allowed = 1u << asked;
    }
    for (size_t i = 0; i < COUNT_OF(forms) && out->route == NULL && out->allowed == 0; i++) {
        struct search s = {
            .b = cfg_box_of(c), .path = forms[i], .prefix = proxy_prefix, .name = proxy_name};

        out->allowed = methods_there(&s);
    }
}

/* ---- reading ------------------------------------------------------------------------------------
 */

int route_prepare(struct cfg_route *r, struct arena *a, struct err *e)
{
    if (is_absolute(r)) {
        r->path = r->route;
        r->is_public = r->is_public && str_starts(r->route, STR(PUBLIC_PREFIX "/"));
    } else {
        r->path = str_printf(a, "%s%.*s", r->is_public ? PUBLIC_PREFIX : CUSTOM_PREFIX,
                             STR_ARG(r->route));
    }
    return route_pattern_compile(&r->pattern, r->route, a, e);
}

void proxy_names_read(struct cfg_box *b)
{
    struct val entries = val_path(b->c.doc, "provisioning.gateways");
    struct val sso = val_get(b->c.doc, "SSO");
    size_t room = val_count(entries) + 1;
    struct str *names;
    size_t n = 0;

    for (size_t i = 0; val_is(sso, VAL_LIST) && i < val_count(sso); i++)
        room += val_count(val_path(val_at(sso, i), "parameters.proxies"));
    names = ARENA_ARRAY(b->c.a, struct str, room);
    for (size_t i = 0; val_is(entries, VAL_LIST) && i < val_count(entries); i++) {
        struct str prefix = val_get_text(val_at(entries, i), "prefix", STR(""));

        while (prefix.len > 0 && prefix.p[prefix.len - 1] == '/')
            prefix.len--;
        prefix = str_slice(prefix, (size_t)(str_rfind_char(prefix, '/') + 1), prefix.len);
        if (prefix.len > 0)
            names[n++] = prefix;
    }
    for (size_t i = 0; val_is(sso, VAL_LIST) && i < val_count(sso); i++) {
        struct val proxies = val_path(val_at(sso, i), "parameters.proxies");

        for (size_t k = 0; val_is(proxies, VAL_DICT) && k < val_count(proxies); k++) {
            struct val name;
            struct val gateway;

            if (val_pair_at(proxies, k, &name, &gateway) && val_is(name, VAL_STR))
                names[n++] = val_text(name);
        }
    }
    b->proxy_names = names;
    b->n_proxy_names = n;
}
