/*
 * URI references: resolving, for $id and $ref.
 *
 * Rule: RFC 3986 section 5.2 (with appendix B's split into parts).
 */
#include "format/jsonschema_int.h"

#include "base/ascii.h"
#include "base/utf8.h"

/* Parts of a reference; `has_*` tells an empty part from none. */
struct parts {
    struct str scheme, authority, path, query;
    bool has_scheme, has_authority, has_query;
};

struct str js_uri_fragment(struct str *uri, bool *has)
{
    ptrdiff_t at = str_find_char(*uri, '#');
    struct str fragment = STR_NONE;

    *has = at >= 0;
    if (at >= 0) {
        fragment = str_slice(*uri, (size_t)at + 1, uri->len);
        *uri = str_slice(*uri, 0, (size_t)at);
    }
    return fragment;
}

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return s.len > 0;
}

/* First of `a` and `b` that is there, else `otherwise`. */
static size_t first_of(struct str s, char a, char b, size_t otherwise)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == a || s.p[i] == b)
            return i;
    return otherwise;
}

static struct parts split(struct str s)
{
    struct parts p = {0};
    ptrdiff_t colon = str_find_char(s, ':');
    ptrdiff_t query;

    if (colon > 0 && is_scheme(str_slice(s, 0, (size_t)colon))) {
        p.has_scheme = true;
        p.scheme = str_slice(s, 0, (size_t)colon);
        s = str_slice(s, (size_t)colon + 1, s.len);
    }
    query = str_find_char(s, '?');
    if (query >= 0) {
        p.has_query = true;
        p.query = str_slice(s, (size_t)query + 1, s.len);
        s = str_slice(s, 0, (size_t)query);
    }
    if (str_starts(s, STR("//"))) {
        size_t end;

        s = str_slice(s, 2, s.len);
        end = first_of(s, '/', '/', s.len);
        p.has_authority = true;
        p.authority = str_slice(s, 0, end);
        s = str_slice(s, end, s.len);
    }
    p.path = s;
    return p;
}

/* Drop the last segment and its '/'. */
static void drop_segment(struct buf *out)
{
    while (out->len > 0 && out->p[out->len - 1] != '/')
        out->len--;
    if (out->len > 0)
        out->len--;
}

/* RFC 3986 5.2.4. */
static struct str without_dots(struct str path, struct arena *a)
{
    struct buf out;

    buf_init(&out, path.len + 1, a);
    while (path.len > 0) {
        size_t end;

        if (str_starts(path, STR("../"))) {
            path = str_slice(path, 3, path.len);
        } else if (str_starts(path, STR("./"))) {
            path = str_slice(path, 2, path.len);
        } else if (str_starts(path, STR("/./"))) {
            path = str_slice(path, 2, path.len);
        } else if (str_eq_c(path, "/.")) {
            path = STR("/");
        } else if (str_starts(path, STR("/../")) || str_eq_c(path, "/..")) {
            path = path.len > 3 ? str_slice(path, 3, path.len) : STR("/");
            drop_segment(&out);
        } else if (str_eq_c(path, ".") || str_eq_c(path, "..")) {
            break;
        } else {
            end = 1 + first_of(str_slice(path, 1, path.len), '/', '/', path.len - 1);
            buf_add_str(&out, str_slice(path, 0, end));
            path = str_slice(path, end, path.len);
        }
    }
    return buf_str(&out);
}

static struct str merge(const struct parts *base, struct str path, struct arena *a)
{
    ptrdiff_t slash = str_rfind_char(base->path, '/');

    if (base->has_authority && base->path.len == 0)
        return str_printf(a, "/%.*s", STR_ARG(path));
    return str_printf(a, "%.*s%.*s", (int)(slash + 1), base->path.p != NULL ? base->path.p : "",
                      STR_ARG(path));
}

static struct str join(const struct parts *p, struct arena *a)
{
    struct buf out;

    buf_init(&out, MIB, a);
    if (p->has_scheme)
        buf_addf(&out, "%.*s:", STR_ARG(p->scheme));
    if (p->has_authority)
        buf_addf(&out, "//%.*s", STR_ARG(p->authority));
    buf_add_str(&out, p->path);
    if (p->has_query)
        buf_addf(&out, "?%.*s", STR_ARG(p->query));
    return buf_str(&out);
}

struct str js_uri_resolve(struct str base, struct str ref, struct arena *a)
{
    struct parts b = split(base);
    struct parts r = split(ref);

    if (r.has_scheme) {
        r.path = without_dots(r.path, a);
        return join(&r, a);
    }
    r.scheme = b.scheme;
    r.has_scheme = b.has_scheme;
    if (r.has_authority) {
        r.path = without_dots(r.path, a);
        return join(&r, a);
    }
    r.authority = b.authority;
    r.has_authority = b.has_authority;
    if (r.path.len == 0) {
        r.path = b.path;
        if (!r.has_query) {
            r.has_query = b.has_query;
            r.query = b.query;
        }
    } else if (r.path.p[0] == '/') {
        r.path = without_dots(r.path, a);
    } else {
        r.path = without_dots(merge(&b, r.path, a), a);
    }
    return join(&r, a);
}

bool js_uri_decode(struct str s, struct str *out, struct arena *a)
{
    struct buf b;

    buf_init(&b, s.len + 1, a);
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '%' && i + 2 < s.len && ascii_hex(s.p[i + 1]) >= 0 && ascii_hex(s.p[i + 2]) >= 0) {
            buf_putc(&b, (char)(ascii_hex(s.p[i + 1]) * 16 + ascii_hex(s.p[i + 2])));
            i += 2;
        } else {
            buf_putc(&b, s.p[i]);
        }
    }
    *out = buf_str(&b);
    return utf8_check(*out) == out->len;
}
