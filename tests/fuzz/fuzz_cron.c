/*
 * Schedules: the first line is a zone, the second the seconds since 1970 to search from, then a line per field.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "engine/cron.h"
#include "template/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct str rest = str_make((const char *)data, size);
    const struct zone *z = zone_open(str_cut(&rest, '\n'), a);
    struct str fields[CRON_FIELDS] = {{0}};
    int64_t at = 0, next;
    struct cron c;
    struct err e;

    if (!str_to_int(str_cut(&rest, '\n'), &at) || at < -4000000000 || at > 253402300799)
        at = 1767225600;
    for (size_t f = 0; f < CRON_FIELDS; f++)
        fields[f] = str_cut(&rest, '\n');
    if (z == NULL)
        z = zone_fixed(19800, a);
    if (cron_parse(&c, fields, &e) == 0) {
        for (int i = 0; i < 8 && cron_next(&c, z, at, &next); i++) {
            if (next <= at)
                abort();
            at = next;
        }
    } else if (e.code != ERR_INVALID || e.msg[0] == '\0') {
        abort();
    }
    arena_free(a);
    return 0;
}
