/*
 * JSON reading: reading now and reading late agree, and what was read survives being written.
 */
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Members of objects print in their order, so equal texts mean more than equal values. */
static void check(struct val now, struct val late, struct arena *a)
{
    struct val again = val_undef(NULL);
    struct err e;
    struct arena *other = arena_new(0);
    struct str text = json_text(now, a);

    must(str_eq(text, json_text(val_copy(late, other), other)));
    must(str_eq(text, json_text(late, a)));
    must(val_eq(now, late));
    must(json_parse(text, &again, a, &e) == 0);
    must(val_eq(now, again));
    must(str_eq(text, json_text(again, a)));
    arena_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct val now = val_undef(NULL);
    struct val late = val_undef(NULL);
    struct err now_e = {.code = ERR_NONE};
    struct err late_e = {.code = ERR_NONE};
    /* a copy of its own, so that a byte read beyond the end is found */
    char *text = arena_dup(a, data, size);

    int rc = json_parse(str_make(text, size), &now, a, &now_e);
    must(json_lazy(str_make(text, size), &late, a, &late_e) == rc);
    if (rc == 0)
        check(now, late, a);
    else
        must(now_e.line == late_e.line && now_e.column == late_e.column);
    arena_free(a);
    return 0;
}
