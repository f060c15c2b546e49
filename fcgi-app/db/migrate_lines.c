/*
 * Where the statements of a migration begin: the server says which of them failed, not on which
 * line it stands.
 */
#include "db/migrate_int.h"

#include <ctype.h>
#include <string.h>

/* Behind what opens at p: '...', "...", $tag$...$tag$, a comment; p + 1 for anything else. */
static const char *behind(const char *p)
{
    const char *end = NULL;
    size_t n;

    switch (*p) {
    case '\'':
    case '"':
        end = strchr(p + 1, *p);
        break;
    case '-':
        if (p[1] != '-')
            return p + 1;
        end = strchr(p, '\n');
        break;
    case '/':
        if (p[1] != '*')
            return p + 1;
        end = strstr(p + 2, "*/");
        end = end != NULL ? end + 1 : NULL;
        break;
    case '$':
        for (n = 1; isalnum((unsigned char)p[n]) || p[n] == '_'; n++)
            ;
        if (p[n] != '$' || isdigit((unsigned char)p[1]))
            return p + 1;
        end = memmem(p + n + 1, strlen(p + n + 1), p, n + 1);
        end = end != NULL ? end + n : NULL;
        break;
    default:
        return p + 1;
    }
    return end != NULL ? end + 1 : p + strlen(p);
}

static bool is_comment(const char *p)
{
    return (p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*');
}

static const char *statement_begin(const char *p)
{
    while (*p != '\0' && (isspace((unsigned char)*p) || *p == ';' || is_comment(p)))
        p = is_comment(p) ? behind(p) : p + 1;
    return p;
}

int migrate_statement_line(const char *sql, int n)
{
    const char *at = statement_begin(sql);
    int line = 1;

    for (; n > 0 && *at != '\0'; n--) {
        while (*at != '\0' && *at != ';')
            at = behind(at);
        at = statement_begin(at);
    }
    for (const char *p = sql; p < at; p++)
        line += *p == '\n' ? 1 : 0;
    return line;
}
