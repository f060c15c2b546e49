/*
 * The node catalogue (workflow-engine.md 2.1).
 */
#include "api/api.h"

int cells_list(struct api_call *c, struct err *e)
{
    (void)e;
    c->result = wf_catalogue(engine_nodes(c->api->engine), c->a);
    return 0;
}
