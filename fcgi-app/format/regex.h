/*
 * Regular expressions over PCRE2, with its limits set so that no pattern explodes.
 *
 * Python's dialect is accepted: (?P<name>...), \Z, \g<name> in replacements.  Matching is by code
 * points. What Python reads differently from PCRE2 is rewritten before compiling
 * (regex_translate.c).
 *
 * A compiled expression never changes: any number of threads match with it at once.
 */
#ifndef SLUICE_FORMAT_REGEX_H
#define SLUICE_FORMAT_REGEX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct regex;

enum regex_flags {
    REGEX_ICASE = 1,
    REGEX_MULTILINE = 2,
    REGEX_DOTALL = 4,
    REGEX_ANCHORED = 8, /* match at the start only */
    REGEX_FULL = 16,    /* the whole subject */
    REGEX_ECMA =
        32, /* JSON Schema: ECMA 262 spellings where they differ (\d is ASCII, $ is the very end) */
};

/* Compile; freed with the arena.  Fails with ERR_INVALID "…" and the offset (from 1) in e->column.
 */
MUST_CHECK int regex_compile(struct regex **out, struct str pattern, unsigned flags,
                             struct arena *a, struct err *e);

/*
 * Compiled before in this process, by content: one bounded table, shared by threads.
 *
 * The result stays good until the calling thread has asked for 32 other expressions or ended: use
 * it and forget it.
 */
MUST_CHECK int regex_cached(const struct regex **out, struct str pattern, unsigned flags,
                            struct err *e);

enum { REGEX_GROUPS_MAX = 100 };

struct regex_match {
    int n_groups; /* with group 0 */
    struct {
        ptrdiff_t from, to; /* byte offsets, -1 when the group did not take part */
    } group[REGEX_GROUPS_MAX];
    int64_t ends_us; /* when regex_next gives up; set by its first call */
};

/*
 * 1 = matched from byte `from` on, 0 = no match, -1 = ERR_LIMIT: the pattern needs too many steps,
 * or on a long subject more than two seconds.
 *
 * `subject` is UTF-8: checked when from is 0 (ERR_INVALID), believed later; `from` is a border
 * between code points.
 */
MUST_CHECK int regex_exec(const struct regex *re, struct str subject, size_t from,
                          struct regex_match *m, struct err *e);
/* The match after the one in *m, going on as Python's finditer does (an empty match is followed by
 * one that is not empty or stands further on); m->n_groups == 0 begins.  Returns as regex_exec. */
MUST_CHECK int regex_next(const struct regex *re, struct str subject, struct regex_match *m,
                          struct err *e);
/* Number of group `name`, or -1. */
int regex_group(const struct regex *re, struct str name);
int regex_n_groups(const struct regex *re); /* without group 0 */

/* Python's re.sub: count 0 = all; \1, \g<1>, \g<name> in `with`; -1 on limits or a bad reference.
 */
MUST_CHECK int regex_sub(const struct regex *re, struct str with, struct str subject, int count,
                         struct buf *out, struct err *e);

#endif
