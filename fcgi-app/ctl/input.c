/*
 * Arguments, files and complaints: what every command needs.
 */
#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/utf8.h"
#include "ctl/ctl.h"

enum { READ_STEP = 64 * 1024 };

int ctl_fail(const char *command, const struct err *e)
{
    if (e->line > 0)
        (void)fprintf(stderr, "sluicectl %s: line %d, column %d: %s\n", command, e->line, e->column,
                      e->msg);
    else if (e->column > 0)
        (void)fprintf(stderr, "sluicectl %s: column %d: %s\n", command, e->column, e->msg);
    else
        (void)fprintf(stderr, "sluicectl %s: %s\n", command, e->msg);
    return CTL_FAILED;
}

bool ctl_is_option(const char *arg, const char *name)
{
    if (arg[0] != '-')
        return false;
    return strcmp(arg + (arg[1] == '-' ? 2 : 1), name) == 0;
}

const char *ctl_option_value(const char *arg, const char *name)
{
    size_t n = strlen(name);

    if (arg[0] != '-')
        return NULL;
    arg += arg[1] == '-' ? 2 : 1;
    return strncmp(arg, name, n) == 0 && arg[n] == '=' ? arg + n + 1 : NULL;
}

bool ctl_number(const char *text, const char *unit, int64_t *out)
{
    struct str s = str_c(text);

    if (str_ends(s, str_c(unit)))
        s.len -= strlen(unit);
    return str_to_int(s, out) && *out > 0;
}

bool ctl_looks_like_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0';
}

int ctl_read(const char *path, struct str *out, struct arena *a, struct err *e)
{
    bool standard = path == NULL || strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "rb");
    struct buf b;
    size_t n = 1;
    int rc = -1;

    buf_init(&b, SIZE_MAX / 4, a);
    if (f == NULL) {
        err_set(e, ERR_INVALID, "cannot open \"%s\": %s", path, strerror(errno));
        return -1;
    }
    while (n > 0) {
        char *to = buf_reserve(&b, READ_STEP);

        n = to != NULL ? fread(to, 1, READ_STEP, f) : 0;
        b.len += n;
    }
    if (ferror(f))
        err_set(e, ERR_INVALID, "cannot read \"%s\": %s", standard ? "-" : path, strerror(errno));
    else
        rc = 0;
    if (!standard)
        (void)fclose(f);
    *out = buf_str(&b);
    return rc;
}

int ctl_read_json(const char *path, struct val *out, struct arena *a, struct err *e)
{
    struct str text;

    if (ctl_read(path, &text, a, e) != 0)
        return -1;
    if (utf8_check(text) != text.len) {
        err_set(e, ERR_INVALID, "the text is not UTF-8");
    } else if (json_parse(text, out, a, e) == 0) {
        return 0;
    }
    err_context(e, "%s", path != NULL ? path : "standard input");
    return -1;
}
