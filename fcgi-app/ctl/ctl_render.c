/*
 * sluicectl render: render a template.
 *
 * Rows of a batch: {"template","context","templates":{name:source},"options":{...}} -> {"output"}
 * or
 * {"error","message","line"}, the error being the name of the exception Jinja2 raises.  Options are
 * those of Jinja2's Environment and start from its defaults; the form for people renders as the
 * platform does.
 */
#include <stdio.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "ctl/ctl.h"
#include "template/tmpl.h"

static const struct {
    const char *name;
    size_t at;
} bool_options[] = {
    {"trim_blocks", offsetof(struct tmpl_env, trim_blocks)},
    {"lstrip_blocks", offsetof(struct tmpl_env, lstrip_blocks)},
    {"keep_trailing_newline", offsetof(struct tmpl_env, keep_trailing_newline)},
    {"autoescape", offsetof(struct tmpl_env, autoescape)},
};

static const struct {
    const char *name;
    size_t at;
} text_options[] = {
    {"newline_sequence", offsetof(struct tmpl_env, newline_sequence)},
    {"block_start_string", offsetof(struct tmpl_env, block_start_string)},
    {"block_end_string", offsetof(struct tmpl_env, block_end_string)},
    {"variable_start_string", offsetof(struct tmpl_env, variable_start_string)},
    {"variable_end_string", offsetof(struct tmpl_env, variable_end_string)},
    {"comment_start_string", offsetof(struct tmpl_env, comment_start_string)},
    {"comment_end_string", offsetof(struct tmpl_env, comment_end_string)},
    {"line_statement_prefix", offsetof(struct tmpl_env, line_statement_prefix)},
    {"line_comment_prefix", offsetof(struct tmpl_env, line_comment_prefix)},
};

static const struct {
    const char *name;
    enum tmpl_undefined kind;
} undefined_kinds[] = {
    {"Undefined", TMPL_UNDEF_LENIENT},
    {"LoggingUndefined", TMPL_UNDEF_LENIENT}, /* what logs looks the same in the output */
    {"StrictUndefined", TMPL_UNDEF_STRICT},
    {"ChainableUndefined", TMPL_UNDEF_CHAINABLE},
    {"DebugUndefined", TMPL_UNDEF_DEBUG},
};

/* By module name or by class name. */
static const struct {
    const char *module;
    const char *class_name;
    size_t at;
} extensions[] = {
    {"jinja2.ext.do", "ExprStmtExtension", offsetof(struct tmpl_env, ext_do)},
    {"jinja2.ext.loopcontrols", "LoopControlExtension",
     offsetof(struct tmpl_env, ext_loopcontrols)},
    {"jinja2.ext.i18n", "InternationalizationExtension", offsetof(struct tmpl_env, ext_i18n)},
};

static int set_extensions(struct val list, struct tmpl_env *env, struct err *e)
{
    for (size_t i = 0; i < val_count(list); i++) {
        struct str name = val_text(val_at(list, i));
        bool known = false;

        for (size_t k = 0; k < COUNT_OF(extensions); k++) {
            if (str_eq_c(name, extensions[k].module) ||
                str_ends(name, str_c(extensions[k].class_name))) {
                *(bool *)(void *)((char *)env + extensions[k].at) = true;
                known = true;
            }
        }
        if (!known) {
            err_set(e, ERR_INVALID, "unknown extension \"%.*s\"", STR_ARG(name));
            return -1;
        }
    }
    return 0;
}

/* The language of templates, by the names workflows use. */
static int set_dialect(struct str name, struct tmpl_env *env, struct err *e)
{
    if (str_eq_c(name, "pongo2")) {
        env->dialect = TMPL_PONGO2;
    } else if (!str_eq_c(name, "jinja2")) {
        err_set(e, ERR_INVALID, "unknown template engine \"%.*s\"", STR_ARG(name));
        return -1;
    }
    return 0;
}

static int set_options(struct val options, struct tmpl_env *env, struct err *e)
{
    struct val undefined = val_get(options, "undefined");

    for (size_t i = 0; i < COUNT_OF(bool_options); i++) {
        bool *to = (bool *)(void *)((char *)env + bool_options[i].at);

        *to = val_get_bool(options, bool_options[i].name, *to);
    }
    for (size_t i = 0; i < COUNT_OF(text_options); i++) {
        struct str *to = (struct str *)(void *)((char *)env + text_options[i].at);

        *to = val_get_text(options, text_options[i].name, *to);
    }
    if (!val_is_none(undefined)) {
        size_t i = 0;

        while (i < COUNT_OF(undefined_kinds) &&
               !str_eq_c(val_text(undefined), undefined_kinds[i].name))
            i++;
        if (i == COUNT_OF(undefined_kinds)) {
            err_set(e, ERR_INVALID, "unknown kind of undefined \"%.*s\"",
                    STR_ARG(val_text(undefined)));
            return -1;
        }
        env->undefined = undefined_kinds[i].kind;
    }
    if (set_dialect(val_get_text(options, "dialect", STR("jinja2")), env, e) != 0)
        return -1;
    return set_extensions(val_get(options, "extensions"), env, e);
}

/* The loader of a batch: ctx is the row's "templates". */
static int load(void *ctx, struct str name, struct str *source, struct arena *a, struct err *e)
{
    const struct val *templates = ctx;
    struct val found = val_get_str(*templates, name);

    (void)a;
    if (!val_is(found, VAL_STR)) {
        err_set(e, ERR_NOT_FOUND, "%.*s", STR_ARG(name));
        return -1;
    }
    *source = val_text(found);
    return 0;
}

static int render(struct str source, const struct tmpl_env *env, struct val context,
                  struct val *templates, struct buf *out, struct arena *a, struct err *e)
{
    struct tmpl_run run = {
        .vars = val_is(context, VAL_DICT) ? context : val_dict_new(a, 0),
        .loader = load,
        .loader_ctx = templates,
    };
    struct tmpl *t = NULL;
    int rc;

    if (tmpl_compile(&t, source, STR_NONE, env, e) != 0)
        return -1;
    buf_init(out, LIMIT_TMPL_OUTPUT, a);
    rc = tmpl_render(t, &run, out, a, e);
    tmpl_unref(t);
    return rc;
}

static void answer(void *ctx, struct val row, struct val reply, struct arena *a)
{
    struct val source = val_get(row, "template");
    struct val templates = val_get(row, "templates");
    struct tmpl_env env = tmpl_env_plain;
    struct err e = {0};
    struct buf out;
    const char *name = "InvalidRow";

    (void)ctx;
    if (!val_is(source, VAL_STR)) {
        err_set(&e, ERR_INVALID, "\"template\" must be a text");
    } else if (set_options(val_get(row, "options"), &env, &e) == 0) {
        if (render(val_text(source), &env, val_get(row, "context"), &templates, &out, a, &e) == 0) {
            val_dict_set_c(reply, "output", val_str(buf_str(&out)));
            return;
        }
        name = tmpl_exc_name((enum tmpl_exc)e.app_code);
    }
    val_dict_set_c(reply, "error", val_str_c(name));
    val_dict_set_c(reply, "message", val_str_dup(a, str_c(e.msg)));
    val_dict_set_c(reply, "line", val_int(e.line));
}

static int render_file(const char *file, const char *context_file, const struct tmpl_env *env)
{
    struct arena *a = arena_new(0);
    struct val context = val_dict_new(a, 0);
    struct val templates = val_null();
    struct str source;
    struct err e = {0};
    struct buf out;
    int rc = CTL_FAILED;

    if (ctl_read(file, &source, a, &e) != 0 ||
        (context_file != NULL && ctl_read_json(context_file, &context, a, &e) != 0)) {
        (void)ctl_fail("render", &e);
        goto out;
    }
    if (utf8_check(source) != source.len)
        err_set(&e, ERR_INVALID, "the template is not UTF-8");
    else if (render(source, env, context, &templates, &out, a, &e) == 0)
        rc = fwrite(out.p, 1, out.len, stdout) == out.len ? CTL_OK : CTL_FAILED;
    if (e.code != ERR_NONE)
        (void)ctl_fail("render", &e);
out:
    arena_free(a);
    return rc;
}

/* -dump: the bytecode, a line per instruction. */
static int dump_file(const char *file, const struct tmpl_env *env)
{
    struct arena *a = arena_new(0);
    struct tmpl *t = NULL;
    struct str source;
    struct err e = {0};
    struct buf out;
    int rc = CTL_FAILED;

    buf_init(&out, 64 * MIB, a);
    if (ctl_read(file, &source, a, &e) != 0 ||
        tmpl_compile(&t, source, str_c(file), env, &e) != 0) {
        (void)ctl_fail("render", &e);
    } else {
        tmpl_dump(t, &out);
        rc = fwrite(out.p, 1, out.len, stdout) == out.len ? CTL_OK : CTL_FAILED;
    }
    tmpl_unref(t);
    arena_free(a);
    return rc;
}

int ctl_render(int argc, char **argv)
{
    struct tmpl_env env = tmpl_env_platform;
    const char *file = NULL;
    const char *context = NULL;
    struct err e = {0};
    bool dump = false;

    if (argc == 2 && ctl_is_option(argv[1], "batch"))
        return ctl_batch(answer, NULL);
    for (int i = 1; i < argc; i++) {
        if (ctl_is_option(argv[i], "context") && i + 1 < argc)
            context = argv[++i];
        else if (ctl_is_option(argv[i], "dialect") && i + 1 < argc &&
                 set_dialect(str_c(argv[i + 1]), &env, &e) == 0)
            i++;
        else if (ctl_is_option(argv[i], "dump"))
            dump = true;
        else if (ctl_looks_like_option(argv[i]))
            return ctl_usage(argv[0], e.code != ERR_NONE
                                          ? e.msg
                                          : "unknown option, or one without its value");
        else if (file == NULL)
            file = argv[i];
        else
            return ctl_usage(argv[0], "one template is wanted");
    }
    if (file == NULL)
        return ctl_usage(argv[0], "a template file is wanted");
    return dump ? dump_file(file, &env) : render_file(file, context, &env);
}
