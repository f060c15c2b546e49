/*
 * The variables of templates, built when a template asks for them.
 *
 * Rules: workflow-engine.md 6.2.
 */
#include "engine/instance_int.h"

#include "auth/auth.h"
#include "gateway/mask.h"

extern char **environ;

static const char *const task_status_names[] = {"RUN", "RUN", "WAIT", "OK", "ERROR"};

static struct val iso(int64_t us, struct arena *a)
{
    char text[CLOCK_ISO_MAX];

    clock_iso(us, text);
    return val_str(str_dup(a, str_c(text)));
}

static struct val id_or_null(int64_t id)
{
    return id != 0 ? val_int(id) : val_null();
}

static struct val var_instance(struct instance *in)
{
    struct val d;

    if (!val_is_undef(in->v_instance))
        return in->v_instance;
    d = val_dict_new(in->a, 6);
    val_dict_set_c(d, "id", val_int(in->id));
    val_dict_set_c(d, "guid", val_str_c(in->guid));
    val_dict_set_c(d, "callback_task_id", id_or_null(in->callback_task_id));
    val_dict_set_c(d, "user_id", id_or_null(in->user_id));
    val_dict_set_c(d, "original_request_id", id_or_null(in->request_id));
    val_dict_set_c(d, "label", in->label.p != NULL ? val_str(in->label) : val_null());
    in->v_instance = d;
    return d;
}

static struct val var_tasks(struct instance *in, struct arena *a)
{
    struct val list = val_list_new(a, in->n_tasks);

    for (uint32_t i = 0; i < in->n_tasks; i++) {
        const struct task *t = in->tasks[i];
        struct val d = val_dict_new(a, 6);

        val_dict_set_c(d, "id", val_int(t->id));
        val_dict_set_c(d, "cell_id", val_str(t->cell_name));
        val_dict_set_c(d, "status", val_str_c(task_status_names[t->status]));
        val_dict_set_c(d, "output", t->output.p != NULL ? val_str(t->output) : val_null());
        val_dict_set_c(d, "created_on", iso(t->created_us, a));
        val_dict_set_c(d, "updated_on", iso(t->updated_us, a));
        val_list_add(list, d);
    }
    return list;
}

/* ---- settings without what looks secret ----------------------------------------------------- */

static struct val without_secrets(struct val v, struct arena *a)
{
    struct val out, key, value;

    if (val_is(v, VAL_LIST)) {
        out = val_list_new(a, val_count(v));
        for (size_t i = 0; i < val_count(v); i++)
            val_list_add(out, without_secrets(val_at(v, i), a));
        return out;
    }
    if (!val_is(v, VAL_DICT))
        return v;
    out = val_dict_new(a, val_count(v));
    for (size_t i = 0; i < val_count(v); i++)
        if (val_pair_at(v, i, &key, &value) && !mask_key(val_text(key)))
            val_dict_set(out, key, without_secrets(value, a));
    return out;
}

/* The fixed headers of gateways are where their tokens stand (gateway-proxy.md 4). */
static void drop_headers(struct val settings)
{
    struct val gateways = val_get(settings, "gateways"), name, entry;

    for (size_t i = 0; val_is(gateways, VAL_DICT) && val_pair_at(gateways, i, &name, &entry); i++)
        if (val_is(entry, VAL_DICT))
            (void)val_dict_del(entry, val_str_c("headers"));
}

static struct val var_settings(struct instance *in)
{
    if (in->env.cfg == NULL)
        return val_undef("settings");
    if (val_is_undef(in->v_settings)) {
        in->v_settings = without_secrets(in->env.cfg->masked, in->a);
        drop_headers(in->v_settings);
    }
    return in->v_settings;
}

static struct val var_env(struct instance *in, struct arena *a)
{
    struct val env = in->env.cfg != NULL ? val_get(in->env.cfg->doc, "env") : val_undef(NULL);

    return val_is(env, VAL_DICT) ? env : val_dict_new(a, 0);
}

static struct val var_worker_env(struct arena *a)
{
    static const char *const words[] = {"DB", "DSN", "PASSWORD", "SECRET", "TOKEN", "KEY"};
    struct val out = val_dict_new(a, 32);

    for (char **p = environ; p != NULL && *p != NULL; p++) {
        struct str rest = str_c(*p), name = str_cut(&rest, '=');
        bool hide = false;

        for (size_t i = 0; i < COUNT_OF(words); i++)
            hide = hide || str_find(name, str_c(words[i])) >= 0;
        if (!hide)
            val_dict_set_str(out, name, val_str(rest));
    }
    return out;
}

static struct val var_parent(struct instance *in, struct arena *a)
{
    if (in->parent != NULL)
        return context_dict(in->parent, a);
    return val_is_undef(in->v_parent_context) ? val_dict_new(a, 0) : in->v_parent_context;
}

/* ---- look-up -------------------------------------------------------------------------------- */

static struct val lookup(void *ctx, struct str name, struct arena *a)
{
    struct instance *in = ctx;

    if (str_eq_c(name, "request"))
        return in->request;
    if (str_eq_c(name, "context"))
        return context_dict(in, a);
    if (str_eq_c(name, "instance"))
        return var_instance(in);
    if (str_eq_c(name, "tasks"))
        return var_tasks(in, a);
    if (str_eq_c(name, "user"))
        return val_is_none(in->user) ? val_undef("user") : in->user;
    if (str_eq_c(name, "settings"))
        return var_settings(in);
    if (str_eq_c(name, "env"))
        return var_env(in, a);
    if (str_eq_c(name, "proxy_name"))
        return in->proxy_name.len > 0 ? val_str(in->proxy_name) : val_undef("proxy_name");
    if (str_eq_c(name, "parent_instance_context"))
        return var_parent(in, a);
    if (str_eq_c(name, "sub_instances_responses"))
        return instance_responses(in, a);
    if (str_eq_c(name, "worker_env"))
        return var_worker_env(a);
    if (str_eq_c(name, "event"))
        return in->v_event;
    return val_undef(NULL);
}

static int load_template(void *ctx, struct str name, struct str *source, struct arena *a,
                         struct err *e)
{
    const struct instance *in = ctx;
    const struct cfg_template *t = in->env.cfg != NULL ? cfg_template(in->env.cfg, name) : NULL;

    (void)a;
    if (t == NULL) {
        err_set(e, ERR_NOT_FOUND, "there is no template \"%.*s\"", STR_ARG(name));
        return -1;
    }
    *source = t->source; /* lives with the snapshot, which outlives the stretch */
    return 0;
}

struct tmpl_run instance_tmpl_run(struct instance *in)
{
    return (struct tmpl_run){
        .lookup = lookup,
        .lookup_ctx = in,
        .loader = load_template,
        .loader_ctx = in,
        .cache = in->env.templates,
        .clock = in->env.clock,
        .timezone = in->env.cfg != NULL ? in->env.cfg->timezone : STR(""),
    };
}

struct val instance_variables(struct instance *in, struct arena *a)
{
    static const char *const names[] = {
        "request",   "instance", "context",    "tasks", "sub_instances_responses",
        "settings",  "env",      "worker_env", "user",  "parent_instance_context",
        "proxy_name"};
    struct val out = val_dict_new(a, COUNT_OF(names));

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct val v = lookup(in, str_c(names[i]), a);

        if (!val_is_undef(v))
            val_dict_set_c(out, names[i], val_copy(v, a));
    }
    return out;
}
