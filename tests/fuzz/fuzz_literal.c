/*
 * Relaxed literals from any bytes: never a crash; what is read can be written and read again.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "template/literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct str text = str_make((const char *)data, size);
    struct val v;
    struct val again;
    struct err e = {0};
    int64_t ms;

    if (literal_parse(text, size > 0 ? data[0] & 1 : 0, &v, a, &e) == 0) {
        struct buf b;

        buf_init(&b, 64 * MIB, a);
        json_write(v, JSON_COMPACT, 0, &b);
        if (!b.over && literal_parse(buf_str(&b), 0, &again, a, &e) != 0)
            abort();
    } else if (e.code == ERR_NONE || e.line < 1 || e.column < 1) {
        abort();
    }
    if (duration_parse(text, 1613728800000000, STR("Europe/Paris"), &ms, &e) == 0 && ms < 0)
        abort();
    arena_free(a);
    return 0;
}
