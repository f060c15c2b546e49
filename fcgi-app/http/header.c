/*
 * Header fields.
 */
#include "http/header.h"

#include <string.h>

/* ---- names and values ------------------------------------------------------------------------ */

/* Letters, digits and !#$%&'*+-.^_`|~ (RFC 9110 5.6.2): a bit for each of ASCII. */
static bool is_token_char(char c)
{
    static const uint64_t chars[2] = {0x03ff6cfa00000000U, 0x57ffffffc7fffffeU};
    unsigned char u = (unsigned char)c;

    return u < 0x80 && (chars[u / 64] >> u % 64 & 1) != 0;
}

bool header_is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.len > 0;
}

bool header_is_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* The text up to the next ';' outside quotes; leaves the rest in *s. */
static struct str next_param(struct str *s)
{
    bool quoted = false;
    size_t i = 0;
    struct str part;

    for (; i < s->len; i++) {
        char ch = s->p[i];

        if (ch == '"')
            quoted = !quoted;
        else if (quoted && ch == '\\')
            i++;
        else if (!quoted && ch == ';')
            break;
    }
    part = str_slice(*s, 0, i);
    *s = str_slice(*s, i + 1, s->len);
    return part;
}

static struct str unquote(struct str s, struct arena *a)
{
    char *to;
    size_t n = 0;

    if (s.len == 0 || s.p[0] != '"')
        return s;
    to = arena_alloc(a, s.len);
    for (size_t i = 1; i < s.len && s.p[i] != '"'; i++) {
        /* Browsers send C:\name unescaped: only \" and \\ are escapes. */
        if (s.p[i] == '\\' && i + 1 < s.len && (s.p[i + 1] == '"' || s.p[i + 1] == '\\'))
            i++;
        to[n++] = s.p[i];
    }
    return str_make(to, n);
}

struct str header_param(struct str header, const char *name, struct arena *a)
{
    (void)next_param(&header);
    while (header.len > 0) {
        struct str value = next_param(&header);
        struct str key = str_trim(str_cut(&value, '='));

        if (str_ieq(key, str_c(name)))
            return unquote(str_trim(value), a);
    }
    return STR_NONE;
}

struct str header_media_type(struct str header, struct arena *a)
{
    return str_lower(a, str_trim(next_param(&header)));
}
