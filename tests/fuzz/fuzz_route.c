/*
 * Route patterns and paths: the first line is the pattern, the second the path asked for.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "config/config_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfg_box *b = cfg_box_new();
    struct str rest = str_make((const char *)data, size);
    struct str pattern = str_cut(&rest, '\n');
    struct cfg_route r = {.id = 1, .enabled = true, .activity_id = 1, .method = HTTP_GET};
    struct route_match m;
    struct err e;

    r.route = str_dup(b->c.a, pattern);
    if (route_prepare(&r, b->c.a, &e) == 0) {
        b->c.routes = &r;
        b->c.n_routes = 1;
        cfg_route_find(&b->c, HTTP_GET, rest, STR(""), STR(""), &m, b->c.a);
        if (m.route != NULL && !val_is(m.match_info, VAL_DICT))
            abort();
        cfg_route_find(&b->c, HTTP_PUT, rest, STR("/api/v01/p1"), STR("p1"), &m, b->c.a);
    }
    cfg_put(&b->c);
    return 0;
}
