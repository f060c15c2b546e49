/*
 * The log: a line is put together on the stack and written with one call, so that lines of several
 * threads and processes do not mix (up to PIPE_BUF).
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 4096, OPEN_QUOTE = 1, CLOSE_QUOTE = 2 };

/* Set by log_init() before there are threads, only read afterwards. */
static char program[32] = "sluice";
static enum log_level lowest_level = LOG_INFO_LEVEL;

static _Thread_local char context[128];

void log_init(const char *name, enum log_level lowest)
{
    (void)snprintf(program, sizeof(program), "%s", name);
    lowest_level = lowest;
}

void log_context(const char *text)
{
    (void)snprintf(context, sizeof(context), "%s", text != NULL ? text : "");
}

bool log_enabled(enum log_level level)
{
    return level >= lowest_level;
}

/*
 * Copy `text` to out..end with its control characters escaped.
 *
 * A value may hold the quote marks of LOG_Q itself; then it cannot be told where it ends, and all
 * from the first mark to the last becomes one quoted value.
 */
static char *put_escaped(char *out, const char *end, const char *text, bool ambiguous)
{
    const char *last = strrchr(text, CLOSE_QUOTE);
    bool quoted = false;

    for (const char *p = text; *p != '\0' && end - out > 4; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == OPEN_QUOTE && !quoted) {
            quoted = true;
            *out++ = '"';
        } else if (c == CLOSE_QUOTE && quoted && (!ambiguous || p == last)) {
            quoted = false;
            *out++ = '"';
        } else if (c == '\n') {
            *out++ = '\\';
            *out++ = 'n';
        } else if (c < 0x20 || c == 0x7f) {
            out += snprintf(out, 5, "\\x%02x", c);
        } else {
            if (quoted && (c == '"' || c == '\\'))
                *out++ = '\\';
            *out++ = (char)c;
        }
    }
    if (quoted)
        *out++ = '"';
    return out;
}

static size_t count(const char *s, char c)
{
    size_t n = 0;

    while ((s = strchr(s, c)) != NULL) {
        n++;
        s++;
    }
    return n;
}

static void write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* there is no other place to complain */
        p += done;
        n -= (size_t)done;
    }
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES];
    char now[CLOCK_ISO_MAX];
    va_list ap;

    if (!log_enabled(level))
        return;
    int saved = errno;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        text[0] = '\0';
    clock_iso(clock_wall_us(&clock_system), now);
    int head = snprintf(line, sizeof(line) / 2, "%.23sZ %s %s %s%s%s%s", now, names[level], program,
                        event, context[0] != '\0' ? " " : "", context, text[0] != '\0' ? " " : "");
    if (head < 0 || head >= (int)sizeof(line) / 2)
        head = 0;
    char *out = put_escaped(line + head, line + sizeof(line) - 2, text,
                            count(text, CLOSE_QUOTE) != count(fmt, CLOSE_QUOTE));
    *out++ = '\n';
    write_all(line, (size_t)(out - line));
    errno = saved;
}

void log_err(enum log_level level, const char *event, const struct err *e)
{
    if (e->detail[0] != '\0')
        log_write(level, event, "code=%s msg=" LOG_Q " detail=" LOG_Q, err_code_name(e->code),
                  e->msg, e->detail);
    else
        log_write(level, event, "code=%s msg=" LOG_Q, err_code_name(e->code), e->msg);
}
