/*
 * Fuzz: the database address.  What is accepted is accepted again in its normal form, and shows the
 * same.
 */
#include <stdlib.h>

#include "db/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct str uri, shown, uri2, shown2;
    struct buf warn;

    buf_init(&warn, 64 * KIB, a);
    if (db_address_parse(str_make((const char *)data, size), "DB", &uri, &shown, &warn, a, &e) ==
        0) {
        if (db_address_parse(uri, "DB", &uri2, &shown2, NULL, a, &e) != 0)
            abort();
        if (!str_eq(uri, uri2) || !str_eq(shown, shown2))
            abort();
    }
    arena_free(a);
    return 0;
}
