/*
 * Regular expressions: translation, matching and replacing.
 *
 * "<flags> pattern NUL replacement NUL subject": whatever they are, the answer comes within the
 * limits of PCRE2, and every match lies inside the subject.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "format/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_match(const struct regex_match *m, struct str subject)
{
    for (int i = 0; i < m->n_groups; i++) {
        must(m->group[i].from >= -1 && m->group[i].from <= (ptrdiff_t)subject.len);
        must(m->group[i].to <= (ptrdiff_t)subject.len);
        must(m->group[i].from < 0 || m->group[i].from <= m->group[i].to);
    }
}

static void search(const struct regex *re, struct str with, struct str subject, struct arena *a)
{
    struct regex_match m = {0};
    struct err e = {0};
    struct buf out;
    int rounds = 0;

    while (rounds++ < 100 && regex_next(re, subject, &m, &e) == 1)
        check_match(&m, subject);
    buf_init(&out, MIB, a);
    if (utf8_check(with) == with.len && utf8_check(subject) == subject.len &&
        regex_sub(re, with, subject, 0, &out, &e) == 0 && !out.over)
        must(utf8_check(buf_str(&out)) == out.len);
    must(regex_group(re, with) <= regex_n_groups(re));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct regex *re = NULL;
    struct err e = {0};
    unsigned flags = size > 0 ? data[0] & 63U : 0;
    struct str rest = size > 0 ? str_make(arena_dup(a, data + 1, size - 1), size - 1) : STR("");
    struct str pattern = str_cut(&rest, '\0');
    struct str with = str_cut(&rest, '\0');

    if (regex_compile(&re, pattern, flags, a, &e) == 0)
        search(re, with, rest, a);
    else
        must(e.msg[0] != '\0');
    arena_free(a);
    return 0;
}
