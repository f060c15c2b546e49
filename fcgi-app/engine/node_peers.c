/*
 * What a running node is offered beyond its own instance: rows of the database, the gateway of its proxy, templates; and what
 * its task remembers while it is parked.
 */
#include "config/proxy_map.h"
#include "db/db.h"
#include "engine/instance_int.h"

void node_keep(struct node_run *r, struct val v)
{
    r->task->kept = val_copy(v, r->inst->a);
}

struct val node_kept(const struct node_run *r)
{
    return r->task->kept;
}

int node_db(const struct node_run *r, struct db_conn **out, struct err *e)
{
    *out = NULL;
    if (r->inst->env.db != NULL)
        return db_get(r->inst->env.db, out, e);
    err_set(e, ERR_DB, "there is no database here");
    return -1;
}

bool node_try_again(const struct node_run *r, const struct err *e)
{
    const struct instance_env *env = &r->inst->env;

    return env->try_again != NULL && env->try_again(env->ctx, e);
}

void node_db_put(const struct node_run *r, struct db_conn *c)
{
    if (c != NULL)
        db_put(r->inst->env.db, c);
}

const struct cfg_gateway *node_proxy_gateway(const struct node_run *r)
{
    const struct proxy_maps *maps = r->inst->env.proxies;
    struct str name = r->inst->proxy_name;

    for (size_t i = 0; name.len > 0 && maps != NULL && i < maps->n; i++)
        if (str_eq(maps->maps[i].name, name) && r->inst->env.cfg != NULL)
            return cfg_gateway(r->inst->env.cfg, maps->maps[i].gateway);
    return NULL;
}

int64_t node_user_id(const struct node_run *r)
{
    return r->inst->user_id;
}

void node_tmpl_run(const struct node_run *r, struct tmpl_run *out)
{
    *out = instance_tmpl_run(r->inst);
}
