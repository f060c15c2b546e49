/*
 * The database address: what people write, brought to the one form libpq takes without surprises.
 *
 * libpq is stricter than the programs these addresses were written for, splits at the first '@',
 * and prints the whole text, password included, when it does not understand it.  So nothing
 * unchecked reaches it, and no message here shows anything but scheme and parameter names.
 */
#include "db/db_int.h"
#include "base/ascii.h"

#include <ctype.h>
#include <stdlib.h>

enum { PARAM_NAME_MAX = 40 };

struct address {
    const char *label;
    struct buf *warn;
    struct arena *a;
    struct str user, password, hosts, database; /* decoded, .p NULL when absent */
    struct str port;                            /* of the query: for all hosts */
    bool names_kind; /* the latter: target_session_attrs */
    struct buf hosts_uri, query_uri;
};

static void warning(const struct address *ad, const char *text)
{
    if (ad->warn == NULL)
        return;
    if (ad->warn->len > 0)
        buf_putc(ad->warn, '\n');
    buf_addf(ad->warn, "%s: %s", ad->label, text);
}

/* ---- pieces ------------------------------------------------------------------------------ */

/* %XX -> bytes; false for an incomplete one and for %00. */
static bool decode(struct str s, struct str *out, struct arena *a)
{
    char *p = arena_alloc(a, s.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        int hi, lo;

        if (s.p[i] != '%') {
            p[n++] = s.p[i];
            continue;
        }
        hi = i + 2 < s.len ? ascii_hex(s.p[i + 1]) : -1;
        lo = i + 2 < s.len ? ascii_hex(s.p[i + 2]) : -1;
        if (hi < 0 || lo < 0 || hi * 16 + lo == 0)
            return false;
        p[n++] = (char)(hi * 16 + lo);
        i += 2;
    }
    p[n] = '\0';
    *out = str_make(p, n);
    return true;
}

static void encode(struct str s, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            buf_putc(out, (char)c);
        } else {
            buf_putc(out, '%');
            buf_putc(out, digits[c >> 4]);
            buf_putc(out, digits[c & 15]);
        }
    }
}

/* ---- scheme ------------------------------------------------------------------------------ */

static int refuse_shape(const struct address *ad, struct err *e)
{
    err_set(e, ERR_USAGE, "%s: expected postgresql://user:password@host/database", ad->label);
    return -1;
}

/* Check and cut off "scheme://". */
static int take_scheme(const struct address *ad, struct str *text, struct err *e)
{
    ptrdiff_t end = str_find(*text, STR("://"));
    struct str whole, scheme, driver;

    if (end <= 0)
        return refuse_shape(ad, e);
    whole = str_lower(ad->a, str_slice(*text, 0, (size_t)end));
    for (size_t i = 0; i < whole.len; i++) {
        if (!isalnum((unsigned char)whole.p[i]) && strchr("+-.:", whole.p[i]) == NULL)
            return refuse_shape(ad, e);
    }
    driver = whole;
    scheme = str_cut(&driver, ':'); /* jdbc:postgresql */
    if (scheme.len == whole.len) {
        driver = whole;
        scheme = str_cut(&driver, '+');
    }
    if (!str_eq_c(scheme, "postgresql") && !str_eq_c(scheme, "postgres")) {
        err_set(e, ERR_USAGE, "%s: scheme \"%.*s\" is not supported (postgresql://)", ad->label,
                STR_ARG(scheme));
        return -1;
    }
    *text = str_slice(*text, (size_t)end + 3, text->len);
    return 0;
}

/* ---- user and password ------------------------------------------------------------------- */

static int take_user(struct address *ad, struct str info, struct err *e)
{
    struct str password = info;
    struct str user = str_cut(&password, ':');
    bool has_password = user.len < info.len;

    if (!decode(user, &ad->user, ad->a)) {
        err_set(e, ERR_USAGE, "%s: \"%%\" in the user name must be written %%25", ad->label);
        return -1;
    }
    if (!has_password)
        return 0;
    if (str_find_char(password, '@') >= 0)
        warning(ad, "the password contains \"@\"; write it as %40");
    if (!decode(password, &ad->password, ad->a)) {
        err_set(e, ERR_USAGE, "%s: \"%%\" in the password must be written %%25", ad->label);
        return -1;
    }
    return 0;
}

/* ---- hosts ------------------------------------------------------------------------------- */

static bool port_ok(struct str s)
{
    int64_t n;

    return s.len > 0 && isdigit((unsigned char)s.p[0]) && str_to_int(s, &n) && n >= 1 && n <= 65535;
}

static void add_param(struct address *ad, struct str name, struct str value)
{
    buf_putc(&ad->query_uri, ad->query_uri.len > 0 ? '&' : '?');
    encode(name, &ad->query_uri);
    buf_putc(&ad->query_uri, '=');
    encode(value, &ad->query_uri);
}

static int refuse_port(const struct address *ad, struct err *e)
{
    err_set(e, ERR_USAGE, "%s: the port must be a number from 1 to 65535", ad->label);
    return -1;
}

/* One "host[:port]": appended to hosts (shown) and hosts_uri. */
static int take_host(struct address *ad, struct str one, struct buf *shown, struct err *e)
{
    ptrdiff_t colon;
    struct str host = one, port = STR_NONE, plain;

    if (one.len > 0 && one.p[0] == '[') {
        ptrdiff_t close = str_find_char(one, ']');

        if (close < 0)
            return refuse_shape(ad, e);
        host = str_slice(one, 0, (size_t)close + 1);
        one = str_slice(one, (size_t)close + 1, one.len);
        if (one.len > 0 && one.p[0] != ':')
            return refuse_shape(ad, e);
        if (one.len > 0)
            port = str_slice(one, 1, one.len);
        plain = host;
    } else {
        colon = str_find_char(one, ':');
        if (colon >= 0) {
            host = str_slice(one, 0, (size_t)colon);
            port = str_slice(one, (size_t)colon + 1, one.len);
        }
        if (!decode(host, &plain, ad->a))
            return refuse_shape(ad, e);
        for (size_t i = 0; i < plain.len; i++) {
            if (!isalnum((unsigned char)plain.p[i]) && strchr("-._/@", plain.p[i]) == NULL)
                return refuse_shape(ad, e);
        }
    }
    if (port.p != NULL && port.len > 0 && !port_ok(port))
        return refuse_port(ad, e);
    if (plain.len == 0)
        return refuse_shape(ad, e);
    if (shown->len > 0)
        buf_putc(shown, ',');
    if (ad->hosts_uri.len > 0)
        buf_putc(&ad->hosts_uri, ',');
    buf_addf(shown, "%.*s:%.*s", STR_ARG(plain), STR_ARG(port.len > 0 ? port : STR("5432")));
    if (host.len > 0 && host.p[0] == '[')
        buf_add_str(&ad->hosts_uri, host);
    else
        encode(plain, &ad->hosts_uri);
    if (port.len > 0)
        buf_addf(&ad->hosts_uri, ":%.*s", STR_ARG(port));
    return 0;
}

static int take_hosts(struct address *ad, struct str hosts, struct err *e)
{
    struct buf shown;

    buf_init(&shown, 4 * KIB, ad->a);
    if (hosts.len > 0 && hosts.p[0] == ':') { /* a port without host: of the local socket */
        ad->port = str_slice(hosts, 1, hosts.len);
        if (ad->port.len > 0 && !port_ok(ad->port))
            return refuse_port(ad, e);
        if (ad->port.len > 0)
            add_param(ad, STR("port"), ad->port);
        return 0;
    }
    while (hosts.len > 0) {
        if (take_host(ad, str_cut(&hosts, ','), &shown, e) != 0)
            return -1;
    }
    ad->hosts = buf_str(&shown);
    return 0;
}

/* ---- parameters -------------------------------------------------------------------------- */

static bool libpq_knows(struct str name)
{
    PQconninfoOption *all = PQconndefaults();
    bool found = false;

    for (PQconninfoOption *o = all; o != NULL && o->keyword != NULL && !found; o++)
        found = str_eq_c(name, o->keyword);
    PQconninfoFree(all);
    return found;
}

/* Parameters of other programs' drivers, dropped with a warning. */
static bool is_foreign(struct str name)
{
    return str_starts(name, STR("pool_")) || str_starts(name, STR("statement_cache_")) ||
           str_eq_c(name, "default_query_exec_mode") || str_eq_c(name, "timezone");
}

static int refuse_param(const struct address *ad, struct str name, struct err *e)
{
    bool plain = name.len > 0 && name.len <= PARAM_NAME_MAX;

    for (size_t i = 0; i < name.len && plain; i++)
        plain = isalnum((unsigned char)name.p[i]) || name.p[i] == '_' || name.p[i] == '-' ||
                name.p[i] == '.';
    if (plain)
        err_set(e, ERR_USAGE, "%s: unknown parameter \"%.*s\"", ad->label, STR_ARG(name));
    else
        err_set(e, ERR_USAGE, "%s: the part behind \"?\" is not a list of name=value", ad->label);
    return -1;
}

static int take_param(struct address *ad, struct str name, struct str value, struct err *e)
{
    if (str_eq_c(name, "dbname")) {
        ad->database = value;
        return 0;
    }
    if (str_eq_c(name, "user")) {
        ad->user = value;
        return 0;
    }
    if (str_eq_c(name, "password")) {
        ad->password = value;
        return 0;
    }
    if (str_eq_c(name, "ssl") && str_eq_c(value, "true")) { /* of JDBC; libpq reads it too */
        name = STR("sslmode");
        value = STR("require");
    }
    if (is_foreign(name)) {
        warning(ad, arena_printf(ad->a, "parameter \"%.*s\" is of another program and was dropped",
                                 STR_ARG(name)));
        return 0;
    }
    if (!libpq_knows(name))
        return refuse_param(ad, name, e);
    if (str_eq_c(name, "port"))
        ad->port = value;
    ad->names_kind = ad->names_kind || str_eq_c(name, "target_session_attrs");
    if (str_eq_c(name, "host") && ad->hosts.len == 0)
        ad->hosts = value;
    add_param(ad, name, value);
    return 0;
}

static int take_query(struct address *ad, struct str query, struct err *e)
{
    while (query.len > 0) {
        struct str pair = str_cut(&query, '&');
        struct str rest = pair;
        struct str name = str_cut(&rest, '=');
        struct str value;

        if (pair.len == 0)
            continue;
        if (name.len == pair.len)
            return refuse_param(ad, STR_NONE, e);
        if (!decode(name, &name, ad->a))
            return refuse_param(ad, STR_NONE, e);
        if (!decode(rest, &value, ad->a)) {
            err_set(e, ERR_USAGE, "%s: \"%%\" in a parameter must be written %%25", ad->label);
            return -1;
        }
        if (take_param(ad, name, value, e) != 0)
            return -1;
    }
    return 0;
}

/* ---- the whole --------------------------------------------------------------------------- */

static int check_text(const struct address *ad, struct str text, struct err *e)
{
    if (text.len == 0) {
        err_set(e, ERR_USAGE, "%s is not set; expected postgresql://user:password@host/database",
                ad->label);
        return -1;
    }
    if (text.p[0] == '"' || text.p[0] == '\'') {
        err_set(e, ERR_USAGE,
                "%s starts with a quote character; remove the quotes (env files and lists in "
                "compose files keep them)",
                ad->label);
        return -1;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f) {
            err_set(e, ERR_USAGE, "%s: a control character in the address", ad->label);
            return -1;
        }
    }
    return 0;
}

/* "user:password@hosts/database?query", the scheme being gone. */
static int take_rest(struct address *ad, struct str rest, struct err *e)
{
    size_t end = 0;
    struct str authority, path, query = STR_NONE;
    ptrdiff_t at;

    while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    authority = str_slice(rest, 0, end);
    path = str_slice(rest, end, rest.len);
    if (str_find_char(path, '@') >= 0) {
        err_set(e, ERR_USAGE,
                "%s: the part before \"@\" contains \"/\" or \"?\"; percent-encode it (/ = %%2F, ? "
                "= %%3F, @ = %%40, "
                "# = %%23, %% = %%25)",
                ad->label);
        return -1;
    }
    at = str_rfind_char(authority, '@');
    if (at >= 0) {
        if (take_user(ad, str_slice(authority, 0, (size_t)at), e) != 0)
            return -1;
        authority = str_slice(authority, (size_t)at + 1, authority.len);
    }
    if (take_hosts(ad, authority, e) != 0)
        return -1;
    if (path.len > 0 && path.p[0] == '/')
        path = str_slice(path, 1, path.len);
    query = path;
    path = str_cut(&query, '?');
    if (!decode(path, &ad->database, ad->a)) {
        err_set(e, ERR_USAGE, "%s: \"%%\" in the database name must be written %%25", ad->label);
        return -1;
    }
    if (take_query(ad, query, e) != 0)
        return -1;
    if (ad->database.len == 0) {
        err_set(e, ERR_USAGE, "%s: no database name", ad->label);
        return -1;
    }
    return 0;
}

/* Of several servers the one that takes writes is meant, whichever that is at the time. */
static void mean_the_primary(struct address *ad)
{
    if (!ad->names_kind && str_find_char(ad->hosts, ',') >= 0)
        add_param(ad, STR("target_session_attrs"), STR("read-write"));
}

static struct str build_uri(struct address *ad)
{
    struct buf b;

    buf_init(&b, 16 * KIB, ad->a);
    buf_add_c(&b, "postgresql://");
    if (ad->user.len > 0 || ad->password.p != NULL) {
        encode(ad->user, &b);
        if (ad->password.p != NULL) {
            buf_putc(&b, ':');
            encode(ad->password, &b);
        }
        buf_putc(&b, '@');
    }
    buf_add_str(&b, buf_str(&ad->hosts_uri));
    buf_putc(&b, '/');
    encode(ad->database, &b);
    buf_add_str(&b, buf_str(&ad->query_uri));
    (void)buf_cstr(&b);
    return buf_str(&b);
}

static struct str build_shown(const struct address *ad)
{
    struct str hosts = ad->hosts;

    if (ad->hosts_uri.len == 0) { /* a socket or PGHOST; the port stands in the query */
        if (hosts.len == 0)
            hosts = STR("[local]");
        hosts = str_printf(ad->a, "%.*s:%.*s", STR_ARG(hosts),
                           STR_ARG(ad->port.len > 0 ? ad->port : STR("5432")));
    }
    return str_printf(ad->a, "%.*s%s%.*s/%.*s", STR_ARG(ad->user), ad->user.len > 0 ? "@" : "",
                      STR_ARG(hosts), STR_ARG(ad->database));
}

int db_address_parse(struct str text, const char *label, struct str *uri, struct str *shown,
                     struct buf *warn, struct arena *a, struct err *e)
{
    struct address ad = {.label = label, .warn = warn, .a = a};
    PQconninfoOption *parsed;

    text = str_trim(text);
    buf_init(&ad.hosts_uri, 8 * KIB, a);
    buf_init(&ad.query_uri, 8 * KIB, a);
    if (check_text(&ad, text, e) != 0 || take_scheme(&ad, &text, e) != 0 ||
        take_rest(&ad, text, e) != 0)
        return -1;
    mean_the_primary(&ad);
    *uri = build_uri(&ad);
    *shown = build_shown(&ad);
    parsed = PQconninfoParse(uri->p, NULL); /* its own text would show the password */
    if (parsed == NULL)
        return refuse_shape(&ad, e);
    PQconninfoFree(parsed);
    return 0;
}
