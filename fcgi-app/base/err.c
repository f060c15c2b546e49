/*
 * Errors: filling and extending struct err.  Nothing here allocates.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* A text cut by its limit may end inside a character: take the rest of that away. */
static void cut_to_character(char *s)
{
    size_t len = strlen(s);
    size_t from = len > 4 ? len - 4 : 0;

    while (from < len && ((unsigned char)s[from] & 0xc0) == 0x80)
        from++;
    s[from + utf8_check(str_make(s + from, len - from))] = '\0';
}

static void format(char *out, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* What is quoted may be anything, and half a character where a quotation was cut; a text that is no UTF-8 could not be stored. */
static void mend(char *s)
{
    struct str text = str_c(s);
    size_t good;

    while ((good = utf8_check(text)) < text.len) {
        s[(size_t)(text.p - s) + good] = '?';
        text = str_slice(text, good + 1, text.len);
    }
}

/* Through a copy, as the old message may be one of the arguments. */
static void format(char *out, const char *fmt, va_list ap)
{
    char text[ERR_TEXT_MAX];
    int n = vsnprintf(text, sizeof(text), fmt, ap);

    if (n < 0)
        text[0] = '\0';
    if (n >= ERR_TEXT_MAX)
        cut_to_character(text);
    mend(text);
    memcpy(out, text, strlen(text) + 1);
}

void err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (e == NULL)
        return;
    va_start(ap, fmt);
    format(e->msg, fmt, ap);
    va_end(ap);
    e->code = code;
    e->line = 0;
    e->column = 0;
    e->app_code = 0;
    e->retry_s = 0;
    e->detail[0] = '\0';
}

void err_detail(struct err *e, const char *fmt, ...)
{
    va_list ap;

    if (e == NULL)
        return;
    va_start(ap, fmt);
    format(e->detail, fmt, ap);
    va_end(ap);
}

void err_context(struct err *e, const char *fmt, ...)
{
    char old[ERR_TEXT_MAX];
    va_list ap;

    if (e == NULL)
        return;
    memcpy(old, e->msg, strlen(e->msg) + 1);
    va_start(ap, fmt);
    format(e->msg, fmt, ap);
    va_end(ap);
    size_t len = strlen(e->msg);
    int n = snprintf(e->msg + len, ERR_TEXT_MAX - len, ": %s", old);
    if (n >= 0 && (size_t)n >= ERR_TEXT_MAX - len)
        cut_to_character(e->msg);
}

void err_clear(struct err *e)
{
    if (e == NULL)
        return;
    e->code = ERR_NONE;
    e->line = 0;
    e->column = 0;
    e->app_code = 0;
    e->msg[0] = '\0';
    e->detail[0] = '\0';
}

const char *err_code_name(enum err_code code)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",
        [ERR_INVALID] = "invalid",
        [ERR_UNAUTHORIZED] = "unauthorized",
        [ERR_FORBIDDEN] = "forbidden",
        [ERR_NOT_FOUND] = "not_found",
        [ERR_METHOD] = "method",
        [ERR_CONFLICT] = "conflict",
        [ERR_GONE] = "gone",
        [ERR_LIMIT] = "limit",
        [ERR_UNPROCESSABLE] = "unprocessable",
        [ERR_MISDIRECTED] = "misdirected",
        [ERR_INTERNAL] = "internal",
        [ERR_UPSTREAM] = "upstream",
        [ERR_BUSY] = "busy",
        [ERR_DB] = "db",
        [ERR_TIMEOUT] = "timeout",
        [ERR_CONFIG] = "config",
        [ERR_USAGE] = "usage",
    };

    return (size_t)code < COUNT_OF(names) ? names[code] : "unknown";
}
