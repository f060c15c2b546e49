/*
 * uuid, randint, lipsum: random ones.  The source is the rendering's, so tests can fix it.
 */
#include "template/funcs/fn.h"
#include "template/text.h"

int fn_uuid(struct call *c, struct val *out)
{
    uint64_t high;
    uint64_t low;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    high = (vm_random(c->vm) & ~0xF000ULL) | 0x4000ULL;              /* version 4 */
    low = (vm_random(c->vm) & 0x3FFFFFFFFFFFFFFFULL) | (2ULL << 62); /* RFC 4122 variant */
    *out = lib_str(
        str_printf(c->a, "%08llx-%04llx-%04llx-%04llx-%012llx", (unsigned long long)(high >> 32),
                   (unsigned long long)(high >> 16 & 0xFFFF), (unsigned long long)(high & 0xFFFF),
                   (unsigned long long)(low >> 48), (unsigned long long)(low & 0xFFFFFFFFFFFFULL)),
        VAL_F_ASCII);
    return 0;
}

int fn_randint(struct call *c, struct val *out)
{
    struct val arg[2];
    int64_t from;
    int64_t to;
    uint64_t span;

    if (call_bind(c, "a,b", arg) != 0 || lib_int(c, arg[0], &from) != 0 ||
        lib_int(c, arg[1], &to) != 0)
        return -1;
    if (from > to)
        return call_raise(c, TMPL_EXC_VALUE, "empty range for randint(%lld, %lld)", (long long)from,
                          (long long)to);
    span = (uint64_t)to - (uint64_t)from;
    span = span == UINT64_MAX ? vm_random(c->vm) : lib_random_below(c, span + 1);
    *out = val_int((int64_t)((uint64_t)from + span));
    return 0;
}

/* ---- lipsum --------------------------------------------------------------------------------- */

static const char *const words[] = {
    "ab",         "ad",        "amet",      "anim",      "aute",    "cillum",  "commodo",
    "consequat",  "culpa",     "cupidatat", "deserunt",  "do",      "dolor",   "dolore",
    "duis",       "ea",        "eiusmod",   "elit",      "enim",    "esse",    "est",
    "et",         "eu",        "ex",        "excepteur", "fugiat",  "id",      "in",
    "incididunt", "ipsum",     "irure",     "labore",    "laboris", "laborum", "lorem",
    "magna",      "minim",     "mollit",    "nisi",      "non",     "nostrud", "nulla",
    "occaecat",   "officia",   "pariatur",  "proident",  "qui",     "quis",    "sed",
    "sint",       "sit",       "sunt",      "tempor",    "ullamco", "ut",      "velit",
    "veniam",     "voluptate",
};

static int64_t between(struct call *c, int64_t from, int64_t to)
{
    return from + (int64_t)lib_random_below(c, (uint64_t)(to - from));
}

/* One paragraph of n words: a comma every few, a full stop less often. */
static void paragraph(struct call *c, int64_t n, struct buf *out)
{
    size_t last = COUNT_OF(words);
    bool capital = true;
    int64_t comma = 0;
    int64_t stop = 0;

    for (int64_t i = 0; i < n; i++) {
        size_t w;

        do {
            w = (size_t)lib_random_below(c, COUNT_OF(words));
        } while (w == last);
        last = w;
        if (i > 0)
            buf_putc(out, ' ');
        if (capital)
            text_case(str_c(words[w]), TEXT_CAPITALIZE, out);
        else
            buf_add_c(out, words[w]);
        capital = i - between(c, 10, 20) > stop;
        if (i + 1 == n)
            break;
        if (capital) {
            comma = stop = i;
            buf_putc(out, '.');
        } else if (i - between(c, 3, 8) > comma) {
            comma = i;
            stop += 2;
            buf_putc(out, ',');
        }
    }
    buf_putc(out, '.');
}

int fn_lipsum(struct call *c, struct val *out)
{
    struct val arg[4] = {val_int(5), val_bool(true), val_int(20), val_int(100)};
    int64_t n;
    int64_t min;
    int64_t max;
    bool html;
    struct buf b;

    if (call_bind(c, "n=,html=,min=,max=", arg) != 0 || lib_int(c, arg[0], &n) != 0 ||
        lib_int(c, arg[2], &min) != 0 || lib_int(c, arg[3], &max) != 0)
        return -1;
    html = val_truth(arg[1]);
    if (n > 0 && min >= max)
        return call_raise(c, TMPL_EXC_VALUE, "empty range for randrange() (%lld, %lld, %lld)",
                          (long long)min, (long long)max, (long long)(max - min));
    lib_buf(c, &b);
    for (int64_t i = 0; i < n && !b.over; i++) {
        int64_t size = between(c, min, max);

        if (size > 0 && (vm_spend(c, size) != 0 || vm_memory(c, (uint64_t)size * 8) != 0))
            return -1;
        buf_add_c(&b, i == 0 ? "" : html ? "\n" : "\n\n");
        buf_add_c(&b, html ? "<p>" : "");
        paragraph(c, size, &b);
        buf_add_c(&b, html ? "</p>" : "");
    }
    return lib_finish(c, &b, html ? VAL_F_MARKUP : 0, out);
}
