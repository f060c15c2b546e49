/*
 * Cells of comma separated values.
 */
#include "support/cases.h"

#include "base/arena.h"
#include "base/buf.h"
#include "format/csv.h"

static const struct row {
    const char *name;
    const char *in;
    const char *want;
} rows[] = {
    {"a word", "word", "word"},
    {"nothing", "", ""},
    {"blanks stay", " a b ", " a b "},
    {"a comma", "a,b", "\"a,b\""},
    {"a quote is doubled", "say \"no\"", "\"say \"\"no\"\"\""},
    {"only a quote", "\"", "\"\"\"\""},
    {"a line feed", "a\nb", "\"a\nb\""},
    {"a carriage return", "a\rb", "\"a\rb\""},
    {"a semicolon separates nothing", "a;b", "a;b"},
};

static void writes_cell(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct buf b;

    buf_init(&b, 1024, a);
    csv_add_cell(&b, str_c(r->in));
    assert_string_equal(buf_cstr(&b), r->want);
    arena_free(a);
}

int main(void)
{
    return CASES(rows, writes_cell);
}
