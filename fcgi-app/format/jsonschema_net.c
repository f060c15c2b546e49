/*
 * Formats of addresses and URIs.
 *
 * Rules: RFC 3986 and 3987 (URI, IRI), RFC 6570 (templates), RFC 4291 (IPv6), RFC 2673 3.2 (IPv4).
 */
#include "format/jsonschema_int.h"

#include <arpa/inet.h>

#include "base/ascii.h"
#include "base/utf8.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_address(int family, struct str s)
{
    char text[64];
    unsigned char out[16];

    if (s.len >= sizeof text || memchr(s.p != NULL ? s.p : "", 0, s.len) != NULL)
        return false;
    memcpy(text, s.p != NULL ? s.p : "", s.len);
    text[s.len] = '\0';
    return inet_pton(family, text, out) == 1;
}

bool js_is_ipv4(struct str s, struct arena *a)
{
    (void)a;
    return is_address(AF_INET, s);
}

bool js_is_ipv6(struct str s, struct arena *a)
{
    (void)a;
    return is_address(AF_INET6, s);
}

/* Characters of a part: unreserved, sub-delims, %XX, those in `more`, and beyond ASCII for an IRI.
 */
static bool all_chars(struct str s, const char *more, bool iri)
{
    const char *p = s.p;
    const char *end = s.p + s.len;

    while (p < end) {
        if ((unsigned char)*p >= 0x80) {
            uint32_t cp = utf8_next(&p, end);

            if (!iri || cp < 0xa0 || (cp >= 0xfff0 && cp <= 0xffff) || (cp & 0xfffe) == 0xfffe)
                return false;
            continue;
        }
        if (*p == '%') {
            if (end - p < 3 || !ascii_is_hex(p[1]) || !ascii_is_hex(p[2]))
                return false;
            p += 3;
            continue;
        }
        if (!is_letter(*p) && !ascii_is_digit(*p) && !is_one_of(*p, "-._~!$&'()*+,;=") &&
            !is_one_of(*p, more))
            return false;
        p++;
    }
    return true;
}

/* [IPv6] or [v1.anything] */
static bool is_ip_literal(struct str s)
{
    size_t i = 1;

    if (s.len > 0 && (s.p[0] == 'v' || s.p[0] == 'V')) {
        while (i < s.len && ascii_is_hex(s.p[i]))
            i++;
        return i > 1 && i + 1 < s.len && s.p[i] == '.' && str_find_char(s, '%') < 0 &&
               all_chars(str_slice(s, i + 1, s.len), ":", false);
    }
    return is_address(AF_INET6, s);
}

static bool is_authority(struct str s, bool iri)
{
    ptrdiff_t at = str_rfind_char(s, '@');
    ptrdiff_t colon;
    struct str host;

    if (at >= 0) {
        if (!all_chars(str_slice(s, 0, (size_t)at), ":", iri))
            return false;
        s = str_slice(s, (size_t)at + 1, s.len);
    }
    if (s.len > 0 && s.p[0] == '[') {
        ptrdiff_t close = str_find_char(s, ']');

        if (close < 0 || !is_ip_literal(str_slice(s, 1, (size_t)close)))
            return false;
        s = str_slice(s, (size_t)close + 1, s.len);
        if (s.len > 0 && s.p[0] != ':')
            return false;
    }
    colon = str_find_char(s, ':');
    host = str_slice(s, 0, colon < 0 ? s.len : (size_t)colon);
    if (colon >= 0)
        for (size_t i = (size_t)colon + 1; i < s.len; i++)
            if (!ascii_is_digit(s.p[i]))
                return false;
    return all_chars(host, "", iri);
}

/* Cuts the scheme off; false when there is none. */
static bool cut_scheme(struct str *s)
{
    for (size_t i = 0; i < s->len; i++) {
        char c = s->p[i];

        if (c == ':' && i > 0) {
            *s = str_slice(*s, i + 1, s->len);
            return true;
        }
        if (!is_letter(c) && (i == 0 || !(ascii_is_digit(c) || is_one_of(c, "+-."))))
            return false;
    }
    return false;
}

static bool is_reference(struct str s, bool iri, bool absolute)
{
    ptrdiff_t hash;
    ptrdiff_t query;
    bool scheme = cut_scheme(&s);

    if (absolute && !scheme)
        return false;
    hash = str_find_char(s, '#');
    if (hash >= 0) {
        if (!all_chars(str_slice(s, (size_t)hash + 1, s.len), ":@/?", iri))
            return false;
        s = str_slice(s, 0, (size_t)hash);
    }
    query = str_find_char(s, '?');
    if (query >= 0) {
        if (!all_chars(str_slice(s, (size_t)query + 1, s.len), ":@/?", iri))
            return false;
        s = str_slice(s, 0, (size_t)query);
    }
    if (str_starts(s, STR("//"))) {
        ptrdiff_t slash;

        s = str_slice(s, 2, s.len);
        slash = str_find_char(s, '/');
        if (!is_authority(str_slice(s, 0, slash < 0 ? s.len : (size_t)slash), iri))
            return false;
        s = slash < 0 ? STR_NONE : str_slice(s, (size_t)slash, s.len);
    } else if (!scheme) { /* "a:b" would read as a scheme */
        ptrdiff_t slash = str_find_char(s, '/');

        if (str_find_char(str_slice(s, 0, slash < 0 ? s.len : (size_t)slash), ':') >= 0)
            return false;
    }
    return all_chars(s, ":@/", iri);
}

bool js_is_uri(struct str s, struct arena *a)
{
    (void)a;
    return is_reference(s, false, true);
}

bool js_is_uri_reference(struct str s, struct arena *a)
{
    (void)a;
    return is_reference(s, false, false);
}

bool js_is_iri(struct str s, struct arena *a)
{
    (void)a;
    return is_reference(s, true, true);
}

bool js_is_iri_reference(struct str s, struct arena *a)
{
    (void)a;
    return is_reference(s, true, false);
}

/* name, name:3, name* */
static bool is_variable(struct str s)
{
    size_t i = 0;

    while (i < s.len && (is_letter(s.p[i]) || ascii_is_digit(s.p[i]) || is_one_of(s.p[i], "_%.")))
        i++;
    if (i == 0 || s.p[0] == '.' || s.p[i - 1] == '.' ||
        str_find(str_slice(s, 0, i), STR("..")) >= 0 || !all_chars(str_slice(s, 0, i), "", false))
        return false;
    if (i == s.len || (s.p[i] == '*' && i + 1 == s.len))
        return true;
    if (s.p[i] != ':' || i + 1 == s.len || s.len - i > 5 || s.p[i + 1] == '0')
        return false;
    for (i++; i < s.len; i++)
        if (!ascii_is_digit(s.p[i]))
            return false;
    return true;
}

static bool is_template_expression(struct str s)
{
    if (s.len > 0 && is_one_of(s.p[0], "+#./;?&=,!@|"))
        s = str_slice(s, 1, s.len);
    while (s.len > 0) {
        bool more = str_find_char(s, ',') >= 0;

        if (!is_variable(str_cut(&s, ',')))
            return false;
        if (s.len == 0)
            return !more;
    }
    return false;
}

bool js_is_uri_template(struct str s, struct arena *a)
{
    (void)a;
    while (s.len > 0) {
        char c = s.p[0];

        if (c == '{') {
            ptrdiff_t close = str_find_char(s, '}');

            if (close < 0 || !is_template_expression(str_slice(s, 1, (size_t)close)))
                return false;
            s = str_slice(s, (size_t)close + 1, s.len);
            continue;
        }
        if (c == '%' && (s.len < 3 || !ascii_is_hex(s.p[1]) || !ascii_is_hex(s.p[2])))
            return false;
        if ((unsigned char)c <= ' ' || c == 0x7f || is_one_of(c, "\"<>\\^`|}"))
            return false;
        s = str_slice(s, 1, s.len);
    }
    return true;
}
