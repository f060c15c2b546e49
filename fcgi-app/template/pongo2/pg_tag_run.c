/*
 * What the tags now, spaceless, widthratio and lorem do with their values.
 */
#include <math.h>

#include "template/datetime_int.h"
#include "template/pongo2/pg_flt.h"

/* ---- now --------------------------------------------------------------------------------------
 */

/* {% now layout %}; an argument: the moment that examples show. */
static int run_now(struct call *c, struct val *out)
{
    struct clock *clock = vm_run(c->vm)->clock;
    int64_t us = INT64_C(1391625105) * SECOND_US;
    const struct zone *zone = NULL;
    struct val now;
    struct buf b;

    if (c->n_pos == 0) {
        us = clock_wall_us(clock != NULL ? clock : &clock_system);
        if (dt_platform_zone(c, &zone) != 0)
            return -1;
    }
    now = dt_at(c->a, us, zone);
    lib_buf(c, &b);
    pg_time_format(dt_of(now), pg_self_text(c), &b);
    return lib_finish(c, &b, 0, out);
}

const struct filter_def pg_tag_now = {"now", run_now, INPUT_ANY, false};

/* ---- spaceless --------------------------------------------------------------------------------
 */

static bool space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Does a tag that ends at `end` begin on its line? */
static bool begins_left(const char *p, size_t end)
{
    while (end > 0 && p[end - 1] != '<' && p[end - 1] != '\n')
        end--;
    return end > 0 && p[end - 1] == '<';
}

/* Does a tag that begins at `from` end on its line? */
static bool ends_right(const char *p, size_t from, size_t len)
{
    while (from < len && p[from] != '>' && p[from] != '\n')
        from++;
    return from < len && p[from] == '>';
}

/* Blanks between two tags go; again, since lines grow together. */
static int run_spaceless(struct call *c, struct val *out)
{
    struct str s = val_text(c->self);
    char *p = arena_dup(c->a, s.p, s.len + 1); /* captured text has a NUL behind it */
    size_t len = s.len;
    bool changed = true;

    while (changed) {
        size_t to = 0;
        size_t i = 0;

        changed = false;
        if (vm_spend(c, (int64_t)len / 16 + 1) != 0)
            return -1;
        while (i < len) {
            size_t end = i;

            while (end < len && space(p[end]))
                end++;
            if (end > i && to > 0 && p[to - 1] == '>' && end < len && p[end] == '<' &&
                begins_left(p, to) && ends_right(p, end, len)) {
                i = end;
                changed = true;
            }
            p[to++] = p[i++];
        }
        len = to;
    }
    *out = val_str(str_make(p, len));
    return 0;
}

const struct filter_def pg_tag_spaceless = {"spaceless", run_spaceless, INPUT_ANY, false};

/* ---- widthratio -------------------------------------------------------------------------------
 */

static int run_widthratio(struct call *c, struct val *out)
{
    double r = pg_float(c->self) / pg_float(c->pos[0]) * pg_float(c->pos[1]);

    *out = val_int(pg_int(val_float(ceil(r + 0.5))));
    return 0;
}

const struct filter_def pg_tag_widthratio = {"widthratio", run_widthratio, INPUT_ANY, false};

/* ---- lorem ------------------------------------------------------------------------------------
 */

static const char *const sentences[] = {
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut "
    "labore et dolore magna aliqua.",
    "Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea "
    "commodo consequat.",
    "Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla "
    "pariatur.",
    "Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit "
    "anim id est laborum.",
};

enum { LOREM_MAX = 100000 };

/* Word `i` of the sentences, counted through. */
static struct str word_at(uint64_t i)
{
    struct str word = STR("");
    uint64_t n = 0;
    size_t k;

    for (k = 0;; k = (k + 1) % COUNT_OF(sentences)) {
        struct str rest = str_c(sentences[k]);

        while (text_word_next(&rest, &word)) {
            if (n++ == i)
                return word;
        }
    }
}

static uint64_t words(void)
{
    struct str word;
    uint64_t n = 0;
    size_t k;

    for (k = 0; k < COUNT_OF(sentences); k++) {
        struct str rest = str_c(sentences[k]);

        while (text_word_next(&rest, &word))
            n++;
    }
    return n;
}

/* count|lorem(method, random): words, paragraphs or blocks of text. */
static int run_lorem(struct call *c, struct val *out)
{
    struct str method = val_text(c->pos[0]);
    bool by_word = str_eq_c(method, "w");
    bool tags = str_eq_c(method, "p");
    uint64_t n = by_word ? words() : COUNT_OF(sentences);
    int64_t i;
    struct buf b;

    if (pg_count(c, c->self.u.i, LOREM_MAX) != 0 || vm_spend(c, c->self.u.i) != 0)
        return -1;
    lib_buf(c, &b);
    for (i = 0; i < c->self.u.i; i++) {
        uint64_t at = c->pos[1].u.b ? lib_random_below(c, n) : (uint64_t)i % n;

        if (i > 0)
            buf_putc(&b, by_word ? ' ' : '\n');
        buf_add_c(&b, tags ? "<p>" : "");
        if (by_word)
            buf_add_str(&b, word_at(at));
        else
            buf_add_c(&b, sentences[at]);
        buf_add_c(&b, tags ? "</p>" : "");
    }
    return lib_finish(c, &b, 0, out);
}

const struct filter_def pg_tag_lorem = {"lorem", run_lorem, INPUT_ANY, false};
