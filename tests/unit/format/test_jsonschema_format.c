/*
 * JSON Schema's `format`: what each accepts and refuses.
 */
#include <string.h>

#include "support/cases.h"

#include "format/jsonschema.h"

static const struct row {
    const char *format; /* first: it names the row */
    const char *value;
    bool valid;
} rows[] = {
    {"date", "2024-02-29", true},
    {"date", "2023-02-29", false},
    {"date", "2024-2-9", false},
    {"date", "2024-13-01", false},
    {"time", "08:30:06Z", true},
    {"time", "08:30:06.283185+02:00", true},
    {"time", "08:30:06", false},
    {"time", "24:00:00Z", false},
    {"time", "23:59:60Z", true},
    {"time", "15:59:60-08:00", true},
    {"time", "22:59:60Z", false},
    {"time", "08:30:06.Z", false},
    {"time", "08:30:06+24:00", false},
    {"date-time", "1963-06-19T08:30:06.283185Z", true},
    {"date-time", "1963-06-19 08:30:06Z", false},
    {"date-time", "1998-12-31T23:59:61Z", false},
    {"duration", "P4DT12H30M5S", true},
    {"duration", "P4Y", true},
    {"duration", "PT1H5M3S", true},
    {"duration", "PT1H5S", false},
    {"duration", "P3Y9D", false},
    {"duration", "P2W", true},
    {"duration", "P1", false},
    {"duration", "PT1D", false},
    {"duration", "P1YT", false},
    {"duration", "P2D1Y", false},
    {"duration", "P1Y2W", false},
    {"email", "joe.bloggs@example.com", true},
    {"email", "te~st@example.com", true},
    {"email", "\"joe bloggs\"@example.com", true},
    {"email", "joe@[127.0.0.1]", true},
    {"email", "joe@[IPv6:::1]", true},
    {"email", "2962", false},
    {"email", ".test@example.com", false},
    {"email", "te..st@example.com", false},
    {"email", "joe@[127.0.0.300]", false},
    {"email", "joe@exa mple.com", false},
    {"idn-email", "\uc2e4\ub840@\uc2e4\ub840.\ud14c\uc2a4\ud2b8", true},
    {"idn-email", "@x.org", false},
    {"hostname", "www.example.com", true},
    {"hostname", "xn--4gbwdl.xn--wgbh1c", true},
    {"hostname", "-bad.com", false},
    {"hostname", "not_valid", false},
    {"hostname", "a..b", false},
    {"hostname", "", false},
    {"hostname", "host.", false},
    {"hostname", "xn--X", false},
    {"hostname", "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd", false},
    {"idn-hostname", "\uc2e4\ub840.\ud14c\uc2a4\ud2b8", true},
    {"idn-hostname", "\u302e\uc2e4\ub840", false},
    {"idn-hostname", "\u0300hello", false},
    {"idn-hostname", "l\u00b7l", true},
    {"idn-hostname", "a\u00b7l", false},
    {"idn-hostname", "\u03b1\u0375\u03b2", true},
    {"idn-hostname", "\u03b1\u0375S", false},
    {"idn-hostname", "\u05d0\u05f3\u05d1", true},
    {"idn-hostname", "A\u05f3\u05d1", false},
    {"idn-hostname", "def\u30fbabc", false},
    {"idn-hostname", "\u30fb\u3041", true},
    {"idn-hostname", "\u0628\u0660\u06f0", false},
    {"idn-hostname", "\u0915\u094d\u200d\u0937", true},
    {"idn-hostname", "\u0915\u200d\u0937", false},
    {"idn-hostname", "a\u3002b", true},
    {"idn-hostname", "\u05d1\u05d2.example", true},
    {"idn-hostname", "\u05d17.example", true},
    {"idn-hostname", "7\u05d1", false},
    {"idn-hostname", "x\u05d1", false},
    {"idn-hostname", "5x.\u05d1", false},
    {"idn-hostname", "5x.y", true},
    {"idn-hostname", "\u05d13\u0663", false},
    {"idn-hostname", "xn--7-2hc", false},
    {"idn-hostname", "xn---5db", false},
    {"ipv4", "192.168.0.1", true},
    {"ipv4", "127.0.0.0.1", false},
    {"ipv4", "256.256.256.256", false},
    {"ipv4", "087.10.0.1", false},
    {"ipv6", "::1", true},
    {"ipv6", "1::d6:192.168.0.1", true},
    {"ipv6", "12345::", false},
    {"ipv6", "::1/64", false},
    {"ipv6", "fe80::a%eth1", false},
    {"uri", "http://foo.bar/?baz=qux#quux", true},
    {"uri", "urn:oasis:names:specification:docbook:dtd:xml:4.1.2", true},
    {"uri", "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com", true},
    {"uri", "ldap://[2001:db8::7]/c=GB?objectClass?one", true},
    {"uri", "//foo.bar/?baz", false},
    {"uri", "http://example.com/a b", false},
    {"uri", "http://foo.bar/<>", false},
    {"uri", "bar,baz:x", false},
    {"uri", "http://[::1", false},
    {"uri", "http://a:b", false},
    {"uri", "http://\u00e9", false},
    {"uri", "%", false},
    {"uri-reference", "/abc", true},
    {"uri-reference", "#frag%20", true},
    {"uri-reference", "#frag\\ment", false},
    {"uri-reference", "", true},
    {"uri-reference", "a_b:c", false},
    {"iri", "http://\u0192\u00f8\u00f8.\u00df\u00e5r/?\u2202\u00e9\u0153=\u03c0", true},
    {"iri", "http://2001:0db8:85a3::8a2e:0370:7334", false},
    {"iri-reference", "/\u00e2\u03c0\u03c0", true},
    {"iri-reference", "\\\\WINDOWS\\f\u00eele", false},
    {"uri-template", "http://example.com/dictionary/{term:1}/{+term*}{?a,b}", true},
    {"uri-template", "http://example.com/{term", false},
    {"uri-template", "{}", false},
    {"uri-template", "{x..y}", false},
    {"uri-template", "it's", true},
    {"uri-template", "{a,}", false},
    {"uri-template", "a b", false},
    {"json-pointer", "/foo/bar~0/baz~1/%a", true},
    {"json-pointer", "", true},
    {"json-pointer", "/foo/~", false},
    {"json-pointer", "#", false},
    {"relative-json-pointer", "0/foo", true},
    {"relative-json-pointer", "120/a", true},
    {"relative-json-pointer", "0#", true},
    {"relative-json-pointer", "01/a", false},
    {"relative-json-pointer", "/foo", false},
    {"relative-json-pointer", "0##", false},
    {"regex", "([abc])+\\s+$", true},
    {"regex", "^(abc]", false},
    {"regex", "^\\S(|(.|\\n)*\\S)\\Z", false},
    {"uuid", "2EB8AA08-aa98-11ea-b4aa-73b441d16380", true},
    {"uuid", "2eb8aa08aa9811eab4aa73b441d16380", false},
    {"uuid", "2eb8aa08-aa98-11ea-b4ga-73b441d16380", false},
    {"of our own", "anything", true},
};

static void fits(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct val schema = val_dict_new(a, 1);
    struct jsonschema *s = NULL;
    struct err e = {0};
    int rc;

    val_dict_set_c(schema, "format", val_str_c(r->format));
    assert_int_equal(jsonschema_compile(&s, schema, JSONSCHEMA_AUTO, JSONSCHEMA_FORMATS, a, &e), 0);
    rc = jsonschema_validate(s, val_str_c(r->value), NULL, a, &e);
    if (rc != (r->valid ? 1 : 0))
        fail_msg("%s \"%s\": %d", r->format, r->value, rc);
    assert_int_equal(jsonschema_validate(s, val_int(1), NULL, a, &e), 1);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, fits);
}
