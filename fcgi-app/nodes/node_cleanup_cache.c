/*
 * cleanup_cache: forget answers kept by the call nodes (workflow-engine.md 3.13).
 */
#include "config/config.h"
#include "gateway/gw_http.h"
#include "nodes/nodes.h"

struct cfg_cleanup {
    struct node_strs keys;
};

static const struct param params[] = {
    {.name = "cache_keys",
     .kind = PARAM_STRINGS,
     .offset = offsetof(struct cfg_cleanup, keys),
     .mandatory = true,
     .aliases = (const char *const[]){"keys", "cache_key", NULL},
     .help = "Keys to forget; one that ends in * stands for all that begin so."},
    {0},
};

static enum node_rc cleanup_cache_run(struct node_run *r, struct err *e)
{
    const struct cfg_cleanup *c = r->cfg;
    const struct cfg *cfg = node_cfg(r);
    struct str store = cfg != NULL ? cfg_text(cfg, "cache.store") : STR("");

    if (c->keys.n == 0) {
        err_set(e, ERR_INVALID, "parameter \"cache_keys\" is empty");
        return NODE_FAIL;
    }
    if (node_http(r) == NULL) {
        err_set(e, ERR_UPSTREAM, "there is no cache here");
        return NODE_FAIL;
    }
    for (size_t i = 0; i < c->keys.n; i++)
        if (gw_cache_drop(gw_http_cache(node_http(r)), store, c->keys.items[i], e) != 0)
            return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_cleanup_cache = {
    .name = "cleanup_cache",
    .group = "calls",
    .doc = "Forgets answers kept by the call nodes.",
    .params = params,
    .cfg_size = sizeof(struct cfg_cleanup),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_BLOCKING | NODE_PURE,
    .run = cleanup_cache_run,
};
