/*
 * Which output stands for which status (workflow-engine.md 3.3).
 */
#include "support/cases.h"

#include "nodes/http_node.h"

static const struct row {
    const char *name;
    const char *patterns; /* comma list */
    int status;
    const char *want; /* NULL: none */
} rows[] = {
    {"exact", "200,404", 404, "404"},
    {"exact before patterns", "*,4*,404", 404, "404"},
    {"most digits win", "*,4*,40*", 404, "40*"},
    {"list order decides a tie", "4*,4xx", 404, "4*"},
    {"x is one digit", "4x", 404, NULL},
    {"star is any number of digits", "4*4", 404, "4*4"},
    {"anchored", "40", 404, NULL},
    {"2* and *", "2*,*", 200, "2*"},
    {"the rest", "2*,*", 500, "*"},
    {"none", "2*", 500, NULL},
    {"empty list", "", 200, NULL},
};

static void matches(const struct row *r)
{
    struct str items[8], rest = str_c(r->patterns), got;
    struct node_strs list = {items, 0};

    while (rest.len > 0)
        items[list.n++] = str_cut(&rest, ',');
    got = http_node_match(&list, r->status);
    if (r->want == NULL)
        assert_null(got.p);
    else
        assert_true(str_eq_c(got, r->want));
}

int main(void)
{
    return CASES(rows, matches);
}
