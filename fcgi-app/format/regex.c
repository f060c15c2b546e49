/*
 * Regular expressions: compiling and matching over PCRE2.
 *
 * PCRE2's just-in-time compiler is used where it exists; a pattern that outgrows its stack is
 * matched once more by the interpreter, whose memory is bounded as well.
 *
 * PCRE2 counts backtracking steps anew from each starting point, so its limit alone lets a long
 * subject take steps times length.  Long subjects are therefore matched by a second compilation,
 * made when first needed, that calls back at every item of the pattern: there we look at the time.
 */
#include "format/regex_int.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/clock.h"
#include "base/utf8.h"

enum {
    PATTERN_MAX = 64 * 1024,  /* bytes of a pattern, before and after translation */
    MATCH_STEPS = 250000,     /* backtracking steps from one starting point of a short subject */
    WATCHED_STEPS = 10000000, /* and of a long one, where time is the real limit */
    MATCH_DEPTH = 1000000,    /* nested backtracking points */
    MATCH_HEAP_KIB = 64 * 1024,
    LONG_SUBJECT = 2048,               /* bytes from which on the time is looked at */
    TIME_US = 2000000,                 /* of one match, or of all that regex_next gives */
    BYTES_PER_LOOK = 16 * 1024 * 1024, /* an item may walk over the whole subject */
};

/* What matches long subjects. */
struct watched {
    _Atomic(pcre2_code *) code; /* NULL until needed */
    struct str text;            /* the translated pattern */
    uint32_t options;
};

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    int n_groups;
    struct watched *watched;
};

/* One match under watch. */
struct watch {
    int64_t ends_us;
    size_t every; /* callbacks between two looks at the clock */
    size_t left;
};

static void regex_release(void *arg)
{
    struct regex *re = arg;

    pcre2_match_context_free(re->limits);
    pcre2_code_free(atomic_load(&re->watched->code));
    pcre2_code_free(re->code);
}

static uint32_t options_of(unsigned flags, const struct regex_inline *inl)
{
    uint32_t o = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;

    if (flags & REGEX_ICASE)
        o |= PCRE2_CASELESS;
    if (flags & REGEX_MULTILINE)
        o |= PCRE2_MULTILINE;
    if (flags & REGEX_DOTALL)
        o |= PCRE2_DOTALL;
    if (flags & (REGEX_ANCHORED | REGEX_FULL))
        o |= PCRE2_ANCHORED;
    if (flags & REGEX_FULL)
        o |= PCRE2_ENDANCHORED;
    if (flags & REGEX_ECMA)
        return o | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF;
    return inl->ascii ? o : o | PCRE2_UCP;
}

static void set_compile_error(int code, size_t at, struct err *e)
{
    PCRE2_UCHAR text[256];

    if (pcre2_get_error_message(code, text, sizeof text) < 0)
        text[0] = '\0';
    err_set(e, ERR_INVALID, "%s", (const char *)text);
    e->column = (int)(at + 1);
}

static pcre2_code *compile_text(struct str text, uint32_t options, int *code, size_t *at)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_code *compiled;

    if (context == NULL)
        abort();
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    compiled = pcre2_compile((PCRE2_SPTR)(text.len > 0 ? text.p : ""), text.len, options, code, at,
                             context);
    pcre2_compile_context_free(context);
    if (compiled != NULL)
        (void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* else the interpreter runs */
    return compiled;
}

static int compile_code(struct regex *re, struct str pattern, unsigned flags, struct arena *a,
                        struct err *e)
{
    struct regex_inline inl = {0};
    struct buf text;
    int code = 0;
    size_t at = 0;

    buf_init(&text, PATTERN_MAX, a);
    if (regex_translate(pattern, flags, &inl, &text, e) != 0)
        return -1;
    re->watched = ARENA_NEW(a, struct watched);
    re->watched->text = buf_str(&text);
    re->watched->options = options_of(flags, &inl);
    re->code = compile_text(re->watched->text, re->watched->options, &code, &at);
    if (re->code == NULL) {
        set_compile_error(code, regex_translate_origin(pattern, flags, at, a), e);
        return -1;
    }
    return 0;
}

int regex_compile(struct regex **out, struct str pattern, unsigned flags, struct arena *a,
                  struct err *e)
{
    struct regex *re = ARENA_NEW(a, struct regex);
    uint32_t n = 0;

    if (pattern.len > PATTERN_MAX) {
        err_set(e, ERR_LIMIT, "the regular expression is longer than %d bytes", PATTERN_MAX);
        return -1;
    }
    if (utf8_check(pattern) != pattern.len) {
        err_set(e, ERR_INVALID, "the regular expression is not UTF-8");
        return -1;
    }
    if (compile_code(re, pattern, flags, a, e) != 0)
        return -1;
    arena_defer(a, regex_release, re);
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &n);
    if (n >= REGEX_GROUPS_MAX) {
        err_set(e, ERR_LIMIT, "the regular expression has more than %d groups",
                REGEX_GROUPS_MAX - 1);
        return -1;
    }
    re->n_groups = (int)n;
    re->limits = pcre2_match_context_create(NULL);
    if (re->limits == NULL)
        abort();
    (void)pcre2_set_match_limit(re->limits, MATCH_STEPS);
    (void)pcre2_set_depth_limit(re->limits, MATCH_DEPTH);
    (void)pcre2_set_heap_limit(re->limits, MATCH_HEAP_KIB);
    *out = re;
    return 0;
}

static void take_groups(const struct regex *re, pcre2_match_data *data, struct regex_match *m)
{
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(data);

    m->n_groups = re->n_groups + 1;
    for (int i = 0; i < m->n_groups; i++) {
        bool set = v[2 * i] != PCRE2_UNSET;

        m->group[i].from = set ? (ptrdiff_t)v[2 * i] : -1;
        m->group[i].to = set ? (ptrdiff_t)v[2 * i + 1] : -1;
    }
}

static int match_failed(int rc, struct err *e)
{
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21)
        err_set(e, ERR_INVALID, "the text is not UTF-8");
    else
        err_set(e, ERR_LIMIT, "the regular expression needs too many steps");
    return -1;
}

static int match_once(const pcre2_code *code, struct str subject, size_t from, uint32_t options,
                      pcre2_match_data *data, pcre2_match_context *limits)
{
    PCRE2_SPTR text = (PCRE2_SPTR)(subject.p != NULL ? subject.p : "");
    int rc = pcre2_match(code, text, subject.len, from, options, data, limits);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(code, text, subject.len, from, options | PCRE2_NO_JIT, data, limits);
    return rc;
}

static int look_at_time(pcre2_callout_block *block, void *arg)
{
    struct watch *w = arg;

    (void)block;
    if (w->left-- > 0)
        return 0;
    w->left = w->every;
    return clock_mono_us(&clock_system) > w->ends_us ? PCRE2_ERROR_CALLOUT : 0;
}

/* The compilation that calls back; whoever makes it first shares it. */
static const pcre2_code *watched_code(const struct regex *re)
{
    pcre2_code *made = atomic_load(&re->watched->code);
    pcre2_code *other = NULL;
    int code = 0;
    size_t at = 0;

    if (made != NULL)
        return made;
    made = compile_text(re->watched->text, re->watched->options | PCRE2_AUTO_CALLOUT, &code, &at);
    if (made == NULL)
        return re->code; /* too large with its callbacks */
    if (atomic_compare_exchange_strong(&re->watched->code, &other, made))
        return made;
    pcre2_code_free(made);
    return other;
}

static int match_watched(const struct regex *re, struct str subject, size_t from, uint32_t options,
                         int64_t ends_us, pcre2_match_data *data)
{
    pcre2_match_context *limits = pcre2_match_context_copy(re->limits);
    struct watch w = {.ends_us = ends_us, .every = BYTES_PER_LOOK / subject.len};
    int rc;

    if (limits == NULL)
        abort();
    (void)pcre2_set_match_limit(limits, WATCHED_STEPS);
    (void)pcre2_set_callout(limits, look_at_time, &w);
    rc = match_once(watched_code(re), subject, from, options, data, limits);
    pcre2_match_context_free(limits);
    return rc;
}

static int exec_at(const struct regex *re, struct str subject, size_t from, uint32_t options,
                   struct regex_match *m, struct err *e)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(re->code, NULL);
    int rc;

    if (data == NULL)
        abort();
    if (subject.len < LONG_SUBJECT)
        rc = match_once(re->code, subject, from, options, data, re->limits);
    else
        rc = match_watched(re, subject, from, options, m->ends_us, data);
    if (rc > 0)
        take_groups(re, data, m);
    pcre2_match_data_free(data);
    return rc > 0 ? 1 : match_failed(rc, e);
}

static void start_time(struct str subject, struct regex_match *m)
{
    m->ends_us = subject.len < LONG_SUBJECT ? 0 : clock_mono_us(&clock_system) + TIME_US;
}

int regex_exec(const struct regex *re, struct str subject, size_t from, struct regex_match *m,
               struct err *e)
{
    if (from > subject.len)
        return 0;
    start_time(subject, m);
    return exec_at(re, subject, from, from == 0 ? 0 : PCRE2_NO_UTF_CHECK, m, e);
}

int regex_next(const struct regex *re, struct str subject, struct regex_match *m, struct err *e)
{
    bool empty;

    if (m->n_groups == 0) {
        start_time(subject, m);
        return exec_at(re, subject, 0, 0, m, e);
    }
    empty = m->group[0].from == m->group[0].to;
    return exec_at(re, subject, (size_t)m->group[0].to,
                   PCRE2_NO_UTF_CHECK | (empty ? PCRE2_NOTEMPTY_ATSTART : 0), m, e);
}

int regex_n_groups(const struct regex *re)
{
    return re->n_groups;
}

/* PCRE2 keeps names in a table: two bytes of number, the name, padding. */
static const unsigned char *names_of(const struct regex *re, uint32_t *n, uint32_t *size)
{
    PCRE2_SPTR table = NULL;

    (void)pcre2_pattern_info(re->code, PCRE2_INFO_NAMECOUNT, n);
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_NAMEENTRYSIZE, size);
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_NAMETABLE, &table);
    return table;
}

int regex_group(const struct regex *re, struct str name)
{
    uint32_t n = 0;
    uint32_t size = 0;
    const unsigned char *entry = names_of(re, &n, &size);

    for (uint32_t i = 0; i < n; i++, entry += size)
        if (str_eq_c(name, (const char *)entry + 2))
            return entry[0] << 8 | entry[1];
    return -1;
}

