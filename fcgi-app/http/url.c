/*
 * Paths, queries and URLs: reading strictly, writing canonically.
 */
#include "http/url.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "base/utf8.h"

/* ---- characters ---------------------------------------------------------------------------------
 */

static bool is_alpha(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* RFC 3986 2.3 */
static bool is_unreserved(char ch)
{
    return is_alpha(ch) || ascii_is_digit(ch) || ch == '-' || ch == '.' || ch == '_' || ch == '~';
}

/* The byte of the escape at s.p[at], or -1. */
static int escape_at(struct str s, size_t at)
{
    int high, low;

    if (at + 2 >= s.len)
        return -1;
    high = ascii_hex(s.p[at + 1]);
    low = ascii_hex(s.p[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static size_t put_escape(char *to, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";

    to[0] = '%';
    to[1] = digits[byte >> 4];
    to[2] = digits[byte & 15];
    return 3;
}

/* ---- whole URLs
 * ----------------------------------------------------------------------------------- */

static int bad(struct err *e, const char *why)
{
    err_set(e, ERR_INVALID, "url: %s", why);
    return -1;
}

/* "scheme:" in front; leaves the rest in *s. */
static int take_scheme(struct str *s, struct url *out, struct arena *a, struct err *e)
{
    ptrdiff_t colon = str_find_char(*s, ':');

    if (colon <= 0 || !is_alpha(s->p[0]))
        return bad(e, "no scheme such as \"https:\"");
    for (size_t i = 0; i < (size_t)colon; i++) {
        char ch = s->p[i];

        if (!is_alpha(ch) && !ascii_is_digit(ch) && ch != '+' && ch != '-' && ch != '.')
            return bad(e, "no scheme such as \"https:\"");
    }
    out->scheme = str_lower(a, str_slice(*s, 0, (size_t)colon));
    *s = str_slice(*s, (size_t)colon + 1, s->len);
    if (!str_starts(*s, STR("//")))
        return bad(e, "no \"//\" behind the scheme");
    *s = str_slice(*s, 2, s->len);
    return 0;
}

static int take_port(struct str text, struct url *out, struct err *e)
{
    int64_t port = 0;

    if (text.len == 0)
        return 0; /* "host:" is allowed and means the default */
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_is_digit(text.p[i]))
            return bad(e, "the port is not a number");
    }
    if (!str_to_int(text, &port) || port < 1 || port > 65535)
        return bad(e, "the port is not between 1 and 65535");
    out->port = (int)port;
    return 0;
}

static int take_authority(struct str s, struct url *out, struct arena *a, struct err *e)
{
    ptrdiff_t at = str_rfind_char(s, '@');
    struct str port;

    if (at >= 0) {
        out->userinfo = str_slice(s, 0, (size_t)at);
        s = str_slice(s, (size_t)at + 1, s.len);
    }
    if (s.len > 0 && s.p[0] == '[') {
        ptrdiff_t end = str_find_char(s, ']');

        if (end < 0)
            return bad(e, "\"[\" without \"]\" in the host");
        out->host = str_slice(s, 1, (size_t)end);
        s = str_slice(s, (size_t)end + 1, s.len);
        if (s.len > 0 && s.p[0] != ':')
            return bad(e, "text behind \"]\" in the host");
        port = str_slice(s, 1, s.len);
    } else {
        ptrdiff_t colon = str_find_char(s, ':');

        out->host = colon < 0 ? s : str_slice(s, 0, (size_t)colon);
        port = colon < 0 ? STR_NONE : str_slice(s, (size_t)colon + 1, s.len);
    }
    if (out->host.len == 0)
        return bad(e, "no host");
    out->host = str_lower(a, out->host);
    return take_port(port, out, e);
}

int url_parse(struct str text, struct url *out, struct arena *a, struct err *e)
{
    struct url u = {0};
    struct str s = text;
    ptrdiff_t cut;
    size_t end = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.p[i];

        if (ch <= ' ' || ch == 0x7f || ch == '\\')
            return bad(e, "it holds a blank, a control character or a backslash");
    }
    if (take_scheme(&s, &u, a, e) != 0)
        return -1;
    cut = str_find_char(s, '#');
    if (cut >= 0) {
        u.fragment = str_slice(s, (size_t)cut + 1, s.len);
        s = str_slice(s, 0, (size_t)cut);
    }
    cut = str_find_char(s, '?');
    if (cut >= 0) {
        u.query = str_slice(s, (size_t)cut + 1, s.len);
        s = str_slice(s, 0, (size_t)cut);
    }
    while (end < s.len && s.p[end] != '/')
        end++;
    u.path = str_slice(s, end, s.len);
    if (take_authority(str_slice(s, 0, end), &u, a, e) != 0)
        return -1;
    *out = u;
    return 0;
}

int url_default_port(struct str scheme)
{
    if (str_eq_c(scheme, "http") || str_eq_c(scheme, "ws"))
        return 80;
    if (str_eq_c(scheme, "https") || str_eq_c(scheme, "wss"))
        return 443;
    return 0;
}

struct str url_origin(const struct url *u, struct arena *a)
{
    bool v6 = str_find_char(u->host, ':') >= 0;
    struct buf b;

    buf_init(&b, u->scheme.len + u->host.len + 32, a);
    buf_add_str(&b, u->scheme);
    buf_add_c(&b, v6 ? "://[" : "://");
    buf_add_str(&b, u->host);
    if (v6)
        buf_putc(&b, ']');
    if (u->port != 0 && u->port != url_default_port(u->scheme)) {
        buf_putc(&b, ':');
        buf_add_int(&b, u->port);
    }
    return buf_str(&b);
}

/* ---- escapes
 * ---------------------------------------------------------------------------------------- */

struct str url_decode(struct str s, bool plus, struct arena *a)
{
    char *to = arena_alloc(a, s.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        int byte = (unsigned char)s.p[i];

        if (byte == '%') {
            byte = escape_at(s, i);
            i += 2;
        } else if (plus && byte == '+') {
            byte = ' ';
        }
        if (byte <= 0)
            return STR_NONE;
        to[n++] = (char)byte;
    }
    to[n] = '\0';
    return str_make(to, n);
}

struct str url_encode(struct str s, const char *keep, struct arena *a)
{
    char *to = arena_alloc(a, 3 * s.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        char ch = s.p[i];

        if (is_unreserved(ch) || (ch != '\0' && keep != NULL && strchr(keep, ch) != NULL))
            to[n++] = ch;
        else
            n += put_escape(to + n, (unsigned char)ch);
    }
    to[n] = '\0';
    return str_make(to, n);
}

/* ---- queries
 * ------------------------------------------------------------------------------------------ */

/* Decode what can be decoded: a stray '%' stays as it is, bytes that are no UTF-8 become U+FFFD. */
static struct str decode_repaired(struct str s, struct arena *a)
{
    char *to = arena_alloc(a, s.len + 1);
    size_t n = 0;
    struct str out;

    for (size_t i = 0; i < s.len; i++) {
        int byte = s.p[i] == '%' ? escape_at(s, i) : -1;

        if (byte >= 0)
            i += 2;
        else
            byte = s.p[i] == '+' ? ' ' : (unsigned char)s.p[i];
        to[n++] = (char)byte;
    }
    out = str_make(to, n);
    return utf8_check(out) == n ? out : utf8_repair(a, out);
}

struct val url_query_parse(struct str query, struct arena *a)
{
    struct val out = val_dict_new(a, 8);

    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        struct str raw_key, key;
        struct val before, item;

        if (value.len == 0)
            continue;
        raw_key = str_cut(&value, '=');
        key = decode_repaired(raw_key, a);
        item = val_str(decode_repaired(value, a));
        before = val_get_str(out, key);
        if (val_is(before, VAL_LIST)) {
            val_list_add(before, item);
        } else if (val_is_undef(before)) {
            val_dict_set_str(out, key, item);
        } else {
            struct val list = val_list_new(a, 4);

            val_list_add(list, before);
            val_list_add(list, item);
            val_dict_set_str(out, key, list);
        }
    }
    return out;
}

static bool is_param(struct str pair, const char *name, struct arena *a)
{
    struct str key = str_cut(&pair, '=');

    return str_eq_c(decode_repaired(key, a), name);
}

struct str url_query_without(struct str query, const char *name, struct arena *a)
{
    struct buf b;
    bool first = true;
    ptrdiff_t mark;

    buf_init(&b, query.len + 1, a);
    do {
        struct str pair = query;

        mark = str_find_char(query, '&');
        if (mark >= 0) {
            pair = str_slice(query, 0, (size_t)mark);
            query = str_slice(query, (size_t)mark + 1, query.len);
        }
        if (is_param(pair, name, a))
            continue;
        if (!first)
            buf_putc(&b, '&');
        buf_add_str(&b, pair);
        first = false;
    } while (mark >= 0);
    return buf_str(&b);
}

/* ---- the canonical path
 * --------------------------------------------------------------------------------- */

static int bad_path(struct err *e, const char *why)
{
    err_set(e, ERR_INVALID, "path: %s", why);
    return -1;
}

/* One character or escape of the path at *i, written to `to`; how many bytes, or -1. */
static int canonical_char(struct str path, size_t *i, char *to, struct err *e)
{
    unsigned char ch = (unsigned char)path.p[*i];
    int byte;

    if (ch != '%') {
        if (ch >= 0x80 || ch <= ' ' || ch == 0x7f)
            return bad_path(e, "it holds a byte that must be written as %xx");
        to[0] = (char)ch;
        (*i)++;
        return 1;
    }
    byte = escape_at(path, *i);
    if (byte < 0)
        return bad_path(e, "invalid escape behind \"%\"");
    if (byte == '\0' || byte == '\r' || byte == '\n')
        return bad_path(e, "escaped NUL, CR or LF");
    *i += 3;
    if (!is_unreserved((char)byte))
        return (int)put_escape(to, (unsigned char)byte);
    to[0] = (char)byte;
    return 1;
}

/* "." or "..", alone or with parameters that a peer may cut off ("..;x=1"). */
static bool is_dots(struct str segment)
{
    size_t n = 0;

    while (n < segment.len && segment.p[n] == '.')
        n++;
    return (n == 1 || n == 2) && (n == segment.len || segment.p[n] == ';' ||
                                  str_eq_c(str_slice(segment, n, n + 3), "%3B"));
}

/* Whether the (canonical) segment holds "." or "..", perhaps beside an escaped separator that a
 * peer may decode. */
static bool hides_dots(struct str segment)
{
    size_t from = 0;

    for (size_t i = 0; i < segment.len; i++) {
        struct str escape = str_slice(segment, i, i + 3);

        if (!str_eq_c(escape, "%2F") && !str_eq_c(escape, "%5C"))
            continue;
        if (is_dots(str_slice(segment, from, i)))
            return true;
        from = i + 3;
    }
    return is_dots(str_slice(segment, from, segment.len));
}

int url_canonical_path(struct str path, struct str *out, struct arena *a, struct err *e)
{
    char *to;
    size_t n = 0;
    size_t segment = 0; /* where the current one begins in `to` */

    if (path.len > LIMIT_TARGET) {
        err_set(e, ERR_INVALID, "path: longer than %zu bytes", LIMIT_TARGET);
        return -1;
    }
    if (path.len == 0 || path.p[0] != '/')
        return bad_path(e, "it does not begin with \"/\"");
    to = arena_alloc(a, path.len + 1);
    for (size_t i = 0; i < path.len;) {
        bool slash = path.p[i] == '/';
        int wrote = canonical_char(path, &i, to + n, e);

        if (wrote < 0)
            return -1;
        if (slash && n > 0) {
            if (n == segment)
                return bad_path(e, "empty segment (\"//\")");
            if (hides_dots(str_make(to + segment, n - segment)))
                return bad_path(e, "segment \".\" or \"..\"");
        }
        n += (size_t)wrote;
        if (slash)
            segment = n;
    }
    if (hides_dots(str_make(to + segment, n - segment)))
        return bad_path(e, "segment \".\" or \"..\"");
    to[n] = '\0';
    *out = str_make(to, n);
    return 0;
}
