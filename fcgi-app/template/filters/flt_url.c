/*
 * urlencode, url_qs, url_raw_query, url_path: addresses and their parts.
 */
#include "base/utf8.h"
#include "base/ascii.h"
#include "template/filters/flt.h"

static bool unreserved(char ch)
{
    return ((ch | 32) >= 'a' && (ch | 32) <= 'z') || (ch >= '0' && ch <= '9') || ch == '_' ||
           ch == '.' || ch == '-' || ch == '~';
}

/* Percent encoding; in a query blanks become "+" and "/" is encoded too. */
static void quote(struct str s, bool query, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.p[i];

        if (unreserved(s.p[i]) || (ch == '/' && !query)) {
            buf_putc(out, s.p[i]);
        } else if (ch == ' ' && query) {
            buf_putc(out, '+');
        } else {
            buf_putc(out, '%');
            buf_putc(out, "0123456789ABCDEF"[ch >> 4]);
            buf_putc(out, "0123456789ABCDEF"[ch & 15]);
        }
    }
}

static int quote_value(struct call *c, struct val v, bool query, struct buf *out)
{
    if (v.type != VAL_BYTES && lib_text(c, v, &v) != 0)
        return -1;
    quote(val_text(v), query, out);
    return 0;
}

static int quote_pair(struct call *c, struct val key, struct val value, struct buf *out)
{
    if (out->len > 0)
        buf_putc(out, '&');
    if (quote_value(c, key, true, out) != 0)
        return -1;
    buf_putc(out, '=');
    return quote_value(c, value, true, out);
}

static int quote_pairs(struct call *c, struct buf *out)
{
    struct iter it;
    struct val item;
    int rc;

    if (iter_init(c, c->self, &it) != 0)
        return -1;
    while ((rc = iter_next(c, &it, &item)) == 1) {
        const struct val *pair;
        size_t n;

        if (lib_items(c, item, &pair, &n) != 0)
            return -1;
        if (n != 2)
            return n < 2 ? call_raise(c, TMPL_EXC_VALUE,
                                      "not enough values to unpack (expected 2, got %zu)", n)
                         : call_raise(c, TMPL_EXC_VALUE, "too many values to unpack (expected 2)");
        if (quote_pair(c, pair[0], pair[1], out) != 0)
            return -1;
    }
    return rc;
}

int flt_urlencode(struct call *c, struct val *out)
{
    struct buf b;
    struct val key;
    struct val value;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    lib_buf(c, &b);
    if (c->self.type == VAL_DICT) {
        for (size_t i = 0; val_pair_at(c->self, i, &key, &value); i++) {
            if (quote_pair(c, key, value, &b) != 0)
                return -1;
        }
    } else if (c->self.type < VAL_LIST && c->self.type != VAL_UNDEF) {
        if (quote_value(c, c->self, false, &b) != 0)
            return -1;
    } else if (quote_pairs(c, &b) != 0) {
        return -1;
    }
    return lib_finish(c, &b, VAL_F_ASCII, out);
}

/* ---- taking addresses apart -------------------------------------------------------------------
 */

/* The address as text without its fragment; none and undefined are empty. */
static int address(struct call *c, struct str *out)
{
    struct val s = VAL_STR_LIT("");
    ptrdiff_t hash;

    if (call_bind(c, "", NULL) != 0 || (!val_is_none(c->self) && lib_text(c, c->self, &s) != 0))
        return -1;
    *out = val_text(s);
    hash = str_find_char(*out, '#');
    if (hash >= 0)
        out->len = (size_t)hash;
    return 0;
}

static struct str query_of(struct str url)
{
    ptrdiff_t mark = str_find_char(url, '?');

    if (mark >= 0)
        return str_slice(url, (size_t)mark + 1, url.len);
    /* no "?": a bare query when it looks like one, else an address without a query */
    if (str_find(url, STR("://")) < 0 && str_find_char(url, '=') > 0 && url.p[0] != '/')
        return url;
    return STR("");
}

static struct val unquote(struct str s, struct arena *a)
{
    struct buf b;

    buf_init(&b, s.len + 1, a);
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '%' && i + 2 < s.len && ascii_hex(s.p[i + 1]) >= 0 && ascii_hex(s.p[i + 2]) >= 0) {
            buf_putc(&b, (char)(ascii_hex(s.p[i + 1]) * 16 + ascii_hex(s.p[i + 2])));
            i += 2;
        } else {
            buf_putc(&b, s.p[i] == '+' ? ' ' : s.p[i]);
        }
    }
    return val_str(utf8_repair(a, buf_str(&b)));
}

int flt_url_qs(struct call *c, struct val *out)
{
    struct str url;
    struct str rest;

    if (address(c, &url) != 0)
        return -1;
    *out = val_dict_new(c->a, 0);
    rest = query_of(url);
    while (rest.len > 0) {
        struct str value = str_cut(&rest, '&');
        struct str name = str_cut(&value, '=');

        if (name.len > 0 || value.len > 0)
            val_dict_set(*out, unquote(name, c->a), unquote(value, c->a));
    }
    return 0;
}

int flt_url_raw_query(struct call *c, struct val *out)
{
    struct str url;

    if (address(c, &url) != 0)
        return -1;
    *out = val_str(query_of(url));
    return 0;
}

int flt_url_path(struct call *c, struct val *out)
{
    struct str url;
    ptrdiff_t mark;
    ptrdiff_t scheme;

    if (address(c, &url) != 0)
        return -1;
    mark = str_find_char(url, '?');
    if (mark >= 0)
        url.len = (size_t)mark;
    scheme = str_find(url, STR("://"));
    if (scheme >= 0 || str_starts(url, STR("//"))) {
        struct str rest = str_slice(url, scheme >= 0 ? (size_t)scheme + 3 : 2, url.len);
        ptrdiff_t slash = str_find_char(rest, '/');

        url = slash >= 0 ? str_slice(rest, (size_t)slash, rest.len) : STR("");
    }
    *out = val_str(url);
    return 0;
}
