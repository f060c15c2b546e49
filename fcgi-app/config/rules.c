/*
 * Rights of a profile: api_rules and accesses (gateway-proxy.md 5, http-api.md 4).
 */
#include "config/config_int.h"

#include "base/limits.h"
#include "http/url.h"

/* Does text fit a pattern where '*' stands for any characters?  Linear but for a factor of the
 * stars. */
static bool fits(struct str pattern, struct str text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX; /* behind the last star */
    size_t mark = 0;        /* text it swallowed up to */

    while (t < text.len) {
        if (p < pattern.len && pattern.p[p] == '*') {
            star = ++p;
            mark = t;
        } else if (p < pattern.len && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.p[p] == '*')
        p++;
    return p == pattern.len;
}

/* A final slash does not count, on either side: a gateway sees both spellings as one. */
static bool rule_fits(const struct cfg_rule *r, struct str path)
{
    char with_slash[LIMIT_TARGET + 2];

    if (fits(r->url, path))
        return true;
    if (path.len > 1 && path.p[path.len - 1] == '/')
        return fits(r->url, str_make(path.p, path.len - 1));
    if (path.len > LIMIT_TARGET)
        return false;
    memcpy(with_slash, path.p, path.len);
    with_slash[path.len] = '/';
    return fits(r->url, str_make(with_slash, path.len + 1));
}

/* The first rule that fits; NULL: none. */
static const struct cfg_rule *first_rule(const struct cfg_profile *p, enum http_method method,
                                         struct str path)
{
    for (size_t i = 0; i < p->n_rules; i++) {
        const struct cfg_rule *r = &p->rules[i];

        if ((r->any_method || r->method == method) && rule_fits(r, path))
            return r;
    }
    return NULL;
}

enum { READ_PARAMETERS = 1, READ_SEPARATORS = 2, READ_BOTH = 3 };

/* How long a separator stands at path[i] for a server that takes escapes and backslashes for one; 0: none. */
static size_t separator_at(struct str path, size_t i)
{
    struct str escape = str_slice(path, i, i + 3);

    if (str_eq_c(escape, "%2F") || str_eq_c(escape, "%5C"))
        return 3;
    return path.p[i] == '\\' ? 1 : 0;
}

/* The path as a server reads it that cuts parameters (";x=1") off segments, takes "%2F" or a
 * backslash for a separator, or does both; of the same length or shorter. */
static struct str other_reading(struct str path, unsigned reading, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < path.len; i++) {
        if ((reading & READ_PARAMETERS) != 0 && path.p[i] == ';') {
            while (i + 1 < path.len && path.p[i + 1] != '/')
                i++;
        } else if ((reading & READ_SEPARATORS) != 0 && separator_at(path, i) > 0) {
            to[n++] = '/';
            i += separator_at(path, i) - 1;
        } else {
            to[n++] = path.p[i];
        }
    }
    return str_make(to, n);
}

/* Does a rule refuse what somebody behind us may take this path for? */
static bool refused_otherwise(const struct cfg_profile *p, enum http_method method, struct str path)
{
    char buf[LIMIT_TARGET];

    if ((str_find_char(path, ';') < 0 && str_find_char(path, '%') < 0 && str_find_char(path, '\\') < 0) || path.len > sizeof buf)
        return false;
    for (unsigned reading = READ_PARAMETERS; reading <= READ_BOTH; reading++) {
        const struct cfg_rule *r = first_rule(p, method, other_reading(path, reading, buf));

        if (r != NULL && !r->allowed)
            return true;
    }
    return false;
}

bool cfg_rules_allow(const struct cfg_profile *p, enum http_method method,
                     struct str canonical_path)
{
    const struct cfg_rule *r;

    if (p == NULL)
        return false;
    if (method == HTTP_HEAD)
        method = HTTP_GET;
    r = first_rule(p, method, canonical_path);
    return r != NULL && r->allowed && !refused_otherwise(p, method, canonical_path);
}

bool cfg_has_access(const struct cfg_profile *p, const char *access)
{
    for (size_t i = 0; p != NULL && i < p->n_accesses; i++)
        if (str_eq_c(p->accesses[i], access))
            return true;
    return false;
}

static bool method_of(struct str name, struct cfg_rule *r)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {{"get", HTTP_GET},
                   {"post", HTTP_POST},
                   {"put", HTTP_PUT},
                   {"delete", HTTP_DELETE},
                   {"patch", HTTP_PATCH}};

    r->any_method = str_eq_c(name, "*") || str_ieq(name, STR("any"));
    if (r->any_method)
        return true;
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (str_ieq(name, str_c(methods[i].name))) {
            r->method = methods[i].method;
            return true;
        }
    }
    return false;
}

/* The pattern in the form paths are matched in: each part between stars made canonical. */
static struct str canonical_pattern(struct str url, struct arena *a)
{
    struct buf out;
    struct str rest = url;

    buf_init(&out, 4 * LIMIT_TARGET, a);
    while (rest.len > 0) {
        ptrdiff_t star = str_find_char(rest, '*');
        struct str part = str_slice(rest, 0, star < 0 ? rest.len : (size_t)star);
        struct err e = {0};
        struct str path;

        if (part.len > 0 && url_canonical_path(part, &path, a, &e) == 0)
            buf_add_str(&out, path);
        else
            buf_add_str(&out, part);
        if (star >= 0)
            buf_putc(&out, '*');
        rest = str_slice(rest, part.len + (star >= 0 ? 1 : 0), rest.len);
    }
    return buf_str(&out);
}

void rules_read(struct cfg_profile *p, struct val rules, struct arena *a)
{
    struct cfg_rule *list = ARENA_ARRAY(a, struct cfg_rule, val_count(rules) + 1);
    size_t n = 0;

    for (size_t i = 0; val_is(rules, VAL_LIST) && i < val_count(rules); i++) {
        struct val rule = val_at(rules, i);
        struct cfg_rule *r = &list[n];

        *r = (struct cfg_rule){.allowed = val_get_bool(rule, "allowed", false)};
        if (!method_of(str_trim(val_get_text(rule, "method", STR(""))), r)) {
            /* a rule that cannot be read must not open what it was meant to close: it refuses
             * everything it names */
            r->any_method = true;
            r->allowed = false;
        }
        r->url = canonical_pattern(str_trim(val_get_text(rule, "url", STR(""))), a);
        n++;
    }
    p->rules = list;
    p->n_rules = n;
}
