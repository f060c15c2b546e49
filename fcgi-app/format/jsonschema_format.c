/*
 * `format`: the table, and the formats that are quickly told.
 *
 * Rules: JSON Schema 2020-12 validation, section 7.3, and the documents it names.
 */
#include "format/jsonschema_int.h"
#include "base/ascii.h"

static bool is_uuid(struct str s, struct arena *a)
{
    (void)a;
    return str_is_guid(s);
}

/* RFC 6901. */
static bool is_json_pointer(struct str s, struct arena *a)
{
    (void)a;
    if (s.len > 0 && s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == '~' && (i + 1 >= s.len || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    return true;
}

static bool is_relative_json_pointer(struct str s, struct arena *a)
{
    size_t n = 0;

    while (n < s.len && ascii_is_digit(s.p[n]))
        n++;
    if (n == 0 || (n > 1 && s.p[0] == '0'))
        return false;
    s = str_slice(s, n, s.len);
    return str_eq_c(s, "#") || is_json_pointer(s, a);
}

static bool is_regex(struct str s, struct arena *a)
{
    struct regex *re = NULL;
    struct err ignored;

    return regex_compile(&re, s, REGEX_ECMA, a, &ignored) == 0;
}

/* RFC 5322 atext; with RFC 6531 everything beyond ASCII as well. */
static bool is_atext(char c, bool international)
{
    if ((unsigned char)c >= 0x80)
        return international;
    return ascii_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Length of the part before '@', 0 when it is not one. */
static size_t local_part(struct str s, bool international)
{
    size_t i = 0;

    if (s.len > 0 && s.p[0] == '"') {
        for (i = 1; i < s.len && s.p[i] != '"'; i++) {
            if (s.p[i] == '\\')
                i++;
            if (i < s.len && (unsigned char)s.p[i] < ' ')
                return 0;
        }
        return i + 1 < s.len ? i + 1 : 0;
    }
    while (i < s.len && (is_atext(s.p[i], international) || s.p[i] == '.')) {
        if (s.p[i] == '.' && (i == 0 || s.p[i - 1] == '.'))
            return 0;
        i++;
    }
    return i > 0 && s.p[i - 1] != '.' ? i : 0;
}

/* RFC 5321 4.1.2: Mailbox. */
static bool is_mailbox(struct str s, bool international, struct arena *a)
{
    size_t n = local_part(s, international);
    struct str host;

    if (n == 0 || n >= s.len || s.p[n] != '@')
        return false;
    host = str_slice(s, n + 1, s.len);
    if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
        host = str_slice(host, 1, host.len - 1);
        return str_starts(host, STR("IPv6:")) ? js_is_ipv6(str_slice(host, 5, host.len), a)
                                              : js_is_ipv4(host, a);
    }
    return international ? js_is_idn_hostname(host, a) : js_is_hostname(host, a);
}

static bool is_email(struct str s, struct arena *a)
{
    return is_mailbox(s, false, a);
}

static bool is_idn_email(struct str s, struct arena *a)
{
    return is_mailbox(s, true, a);
}

static const struct js_format formats[] = {
    {"date", "a date (2024-05-31)", js_is_date},
    {"time", "a time with its offset (17:30:00Z)", js_is_time},
    {"date-time", "a date and time with its offset (2024-05-31T17:30:00Z)", js_is_date_time},
    {"duration", "a duration (P3DT12H)", js_is_duration},
    {"email", "an e-mail address", is_email},
    {"idn-email", "an e-mail address", is_idn_email},
    {"hostname", "a host name", js_is_hostname},
    {"idn-hostname", "a host name", js_is_idn_hostname},
    {"ipv4", "an IPv4 address", js_is_ipv4},
    {"ipv6", "an IPv6 address", js_is_ipv6},
    {"uri", "a URI", js_is_uri},
    {"uri-reference", "a URI or a relative reference", js_is_uri_reference},
    {"iri", "an IRI", js_is_iri},
    {"iri-reference", "an IRI or a relative reference", js_is_iri_reference},
    {"uri-template", "a URI template", js_is_uri_template},
    {"uuid", "a UUID", is_uuid},
    {"json-pointer", "a JSON pointer", is_json_pointer},
    {"relative-json-pointer", "a relative JSON pointer", is_relative_json_pointer},
    {"regex", "a regular expression", is_regex},
};

const struct js_format *js_format_find(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (str_eq_c(name, formats[i].name))
            return &formats[i];
    return NULL;
}
