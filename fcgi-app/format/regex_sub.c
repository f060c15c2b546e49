/*
 * Replacing what a regular expression matches, by the rules of Python's re.sub.
 *
 * The replacement is read once per match: replacements are short, matches few.
 */
#include "format/regex_int.h"
#include "base/ascii.h"

/* Letters behind a backslash that stand for a control character, and those characters. */
static const char escape_letters[] = "abfnrtv";
static const char escape_bytes[] = "\a\b\f\n\r\t\v";

static int bad_reference(struct str shown, struct err *e)
{
    err_set(e, ERR_INVALID, "invalid group reference \"%.*s\"", STR_ARG(shown));
    return -1;
}

static int add_group(const struct regex *re, int64_t group, struct str shown, struct str subject,
                     const struct regex_match *m, struct buf *out, struct err *e)
{
    if (group < 0 || group > regex_n_groups(re))
        return bad_reference(shown, e);
    if (m->group[group].from >= 0)
        buf_add_str(out,
                    str_slice(subject, (size_t)m->group[group].from, (size_t)m->group[group].to));
    return 0;
}

/* \g<name> or \g<number> at with[*i]; leaves *i behind it. */
static int named_reference(const struct regex *re, struct str with, size_t *i, struct str subject,
                           const struct regex_match *m, struct buf *out, struct err *e)
{
    struct str rest = str_slice(with, *i, with.len);
    ptrdiff_t close = str_find_char(rest, '>');
    struct str name;
    int64_t group;

    if (rest.len < 3 || rest.p[2] != '<' || close < 4)
        return bad_reference(str_slice(rest, 0, 8), e);
    name = str_slice(rest, 3, (size_t)close);
    if (!str_to_int(name, &group))
        group = regex_group(re, name);
    *i += (size_t)close + 1;
    return add_group(re, group, name, subject, m, out, e);
}

/* \1 to \99, \0 and three digits are octal. */
static int digits(const struct regex *re, struct str with, size_t *i, struct str subject,
                  const struct regex_match *m, struct buf *out, struct err *e)
{
    size_t n = 0;
    int octal = 0;
    int group = 0;
    struct str rest = str_slice(with, *i + 1, with.len);

    while (n < 3 && n < rest.len && rest.p[n] >= '0' && rest.p[n] <= '7')
        octal = octal * 8 + (rest.p[n++] - '0');
    if (rest.p[0] == '0' || n == 3) {
        if (octal > 0177) {
            char bytes[2] = {(char)(0xc0 | octal >> 6), (char)(0x80 | (octal & 0x3f))};

            if (octal > 0377)
                return bad_reference(str_slice(with, *i, *i + 4), e);
            buf_add(out, bytes, 2);
        } else {
            buf_putc(out, (char)octal);
        }
        *i += n + 1;
        return 0;
    }
    for (n = 0; n < 2 && n < rest.len && ascii_is_digit(rest.p[n]); n++)
        group = group * 10 + (rest.p[n] - '0');
    *i += n + 1;
    return add_group(re, group, str_slice(rest, 0, n), subject, m, out, e);
}

static int expand(const struct regex *re, struct str with, struct str subject,
                  const struct regex_match *m, struct buf *out, struct err *e)
{
    size_t i = 0;

    while (i < with.len) {
        ptrdiff_t plain = str_find_char(str_slice(with, i, with.len), '\\');
        const char *known;
        char c;

        buf_add_str(out, str_slice(with, i, plain < 0 ? with.len : i + (size_t)plain));
        if (plain < 0)
            return 0;
        i += (size_t)plain;
        if (i + 1 >= with.len) {
            err_set(e, ERR_INVALID, "bad escape at the end of the replacement");
            return -1;
        }
        c = with.p[i + 1];
        known = c != '\0' ? strchr(escape_letters, c) : NULL;
        if (ascii_is_digit(c)) {
            if (digits(re, with, &i, subject, m, out, e) != 0)
                return -1;
        } else if (c == 'g') {
            if (named_reference(re, with, &i, subject, m, out, e) != 0)
                return -1;
        } else if (known != NULL) {
            buf_putc(out, escape_bytes[known - escape_letters]);
            i += 2;
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            err_set(e, ERR_INVALID, "bad escape \"\\%c\" in the replacement", c);
            return -1;
        } else {
            if (c != '\\')
                buf_putc(out, '\\');
            buf_putc(out, c);
            i += 2;
        }
    }
    return 0;
}

int regex_sub(const struct regex *re, struct str with, struct str subject, int count,
              struct buf *out, struct err *e)
{
    struct regex_match m = {.n_groups = 0};
    size_t done = 0;
    int rc = 0;

    for (int n = 0; count == 0 || n < count; n++) {
        rc = regex_next(re, subject, &m, e);
        if (rc != 1)
            break;
        buf_add_str(out, str_slice(subject, done, (size_t)m.group[0].from));
        if (expand(re, with, subject, &m, out, e) != 0)
            return -1;
        done = (size_t)m.group[0].to;
        if (out->over)
            break;
    }
    if (rc < 0)
        return -1;
    buf_add_str(out, str_slice(subject, done, subject.len));
    return 0;
}
