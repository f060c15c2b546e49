/*
 * The public face: compiling, counting, rendering.
 */
#include "template/tmpl.h"

#include "base/limits.h"
#include "template/compile.h"
#include "template/parse.h"
#include "template/pongo2/pg.h"
#include "template/vm.h"

#define JINJA_DELIMITERS                                                                           \
    .newline_sequence = {"\n", 1}, .block_start_string = {"{%", 2}, .block_end_string = {"%}", 2}, \
    .variable_start_string = {"{{", 2}, .variable_end_string = {"}}", 2},                          \
    .comment_start_string = {"{#", 2}, .comment_end_string = {"#}", 2}

const struct tmpl_env tmpl_env_platform = {
    .dialect = TMPL_JINJA,
    .ext_do = true,
    .ext_loopcontrols = true,
    JINJA_DELIMITERS,
};

const struct tmpl_env tmpl_env_plain = {
    .dialect = TMPL_JINJA,
    JINJA_DELIMITERS,
};

const char *tmpl_exc_name(enum tmpl_exc exc)
{
    static const char *const names[] = {
        [TMPL_EXC_NONE] = "",
        [TMPL_EXC_SYNTAX] = "TemplateSyntaxError",
        [TMPL_EXC_ASSERTION] = "TemplateAssertionError",
        [TMPL_EXC_UNDEFINED] = "UndefinedError",
        [TMPL_EXC_RUNTIME] = "TemplateRuntimeError",
        [TMPL_EXC_NOT_FOUND] = "TemplateNotFound",
        [TMPL_EXC_NONE_FOUND] = "TemplatesNotFound",
        [TMPL_EXC_SECURITY] = "SecurityError",
        [TMPL_EXC_TYPE] = "TypeError",
        [TMPL_EXC_VALUE] = "ValueError",
        [TMPL_EXC_KEY] = "KeyError",
        [TMPL_EXC_INDEX] = "IndexError",
        [TMPL_EXC_ATTRIBUTE] = "AttributeError",
        [TMPL_EXC_ZERO_DIV] = "ZeroDivisionError",
        [TMPL_EXC_OVERFLOW] = "OverflowError",
        [TMPL_EXC_FILTER] = "FilterArgumentError",
        [TMPL_EXC_PY_ASSERT] = "AssertionError",
        [TMPL_EXC_PY_RUNTIME] = "RuntimeError",
        [TMPL_EXC_LIMIT] = "LimitError",
    };

    return (size_t)exc < COUNT_OF(names) && names[exc] != NULL ? names[exc] : "";
}

/* ---- compiling ------------------------------------------------------------------------------- */

static struct str delimiter(struct arena *a, struct str s, struct str otherwise)
{
    return str_dup(a, s.len > 0 ? s : otherwise);
}

/* The environment with its texts in the template's arena and empty delimiters filled in. */
static struct tmpl_env env_copy(const struct tmpl_env *from, struct arena *a)
{
    struct tmpl_env env = *from;

    env.newline_sequence = delimiter(a, env.newline_sequence, STR("\n"));
    env.block_start_string = delimiter(a, env.block_start_string, STR("{%"));
    env.block_end_string = delimiter(a, env.block_end_string, STR("%}"));
    env.variable_start_string = delimiter(a, env.variable_start_string, STR("{{"));
    env.variable_end_string = delimiter(a, env.variable_end_string, STR("}}"));
    env.comment_start_string = delimiter(a, env.comment_start_string, STR("{#"));
    env.comment_end_string = delimiter(a, env.comment_end_string, STR("#}"));
    env.line_statement_prefix = str_dup(a, env.line_statement_prefix);
    env.line_comment_prefix = str_dup(a, env.line_comment_prefix);
    return env;
}

static struct tmpl *tmpl_new(struct str name, const struct tmpl_env *env)
{
    struct arena *a = arena_new(0);
    struct tmpl *t = ARENA_NEW(a, struct tmpl);

    t->a = a;
    atomic_init(&t->refs, 1);
    t->env = env_copy(env, a);
    t->name = str_dup(a, name);
    t->printed = arena_alloc(a, sizeof(*t->printed));
    atomic_init(t->printed, 0);
    return t;
}

static int finish(struct tmpl *t, int rc, struct arena *scratch, struct tmpl **out)
{
    arena_free(scratch);
    if (rc != 0) {
        tmpl_unref(t);
        return -1;
    }
    t->bytes = arena_used(t->a) + sizeof(*t);
    *out = t;
    return 0;
}

int tmpl_compile(struct tmpl **out, struct str source, struct str name, const struct tmpl_env *env,
                 struct err *e)
{
    struct tmpl *t = tmpl_new(name, env);
    struct arena *scratch = arena_new(64 * KIB);
    struct parser p;
    struct node *body = NULL;
    int rc;

    err_clear(e);
    if (env->dialect == TMPL_PONGO2) {
        rc = pg_compile(t, source, scratch, e);
        return finish(t, rc, scratch, out);
    }
    rc = parse_template(&p, source, &t->env, &body, t->a, scratch, e);
    if (rc == 0)
        rc = compile_template(t, body, &p.lx, scratch, e);
    return finish(t, rc, scratch, out);
}

int tmpl_compile_expr(struct tmpl **out, struct str source, bool python, struct err *e)
{
    struct tmpl_env env = tmpl_env_platform;
    struct tmpl *t;
    struct arena *scratch = arena_new(64 * KIB);
    struct parser p;
    struct node *expr = NULL;
    int rc;

    if (python)
        env.undefined = TMPL_UNDEF_STRICT;
    t = tmpl_new(STR(""), &env);
    t->python = python;
    err_clear(e);
    rc = parse_bare(&p, source, python, &t->env, &expr, t->a, scratch, e);
    if (rc == 0)
        rc = compile_expression(t, expr, &p.lx, scratch, e);
    return finish(t, rc, scratch, out);
}

struct tmpl *tmpl_ref(struct tmpl *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tmpl_unref(struct tmpl *t)
{
    if (t != NULL && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
        arena_free(t->a);
}

/* ---- rendering
 * -----------------------------------------------------------------------------------------------
 */

int tmpl_render(const struct tmpl *t, const struct tmpl_run *run, struct buf *out, struct arena *a,
                struct err *e)
{
    return vm_start(t, run, out, NULL, a, e);
}

static void unref(void *t)
{
    tmpl_unref(t);
}

int tmpl_eval(const struct tmpl *t, const struct tmpl_run *run, struct val *out, struct arena *a,
              struct err *e)
{
    struct tmpl *mine = (struct tmpl *)(uintptr_t)(const void *)t;

    if (vm_start(t, run, NULL, out, a, e) != 0)
        return -1;
    if (out->type >= VAL_BIGINT) /* may show parts of the template's constants */
        arena_defer(a, unref, tmpl_ref(mine));
    return 0;
}

/* ---- plain text
 * --------------------------------------------------------------------------------------------------
 */

bool tmpl_is_plain(struct str source)
{
    const char *p = source.p;
    const char *end = source.p + source.len;

    while (p < end && (p = memchr(p, '{', (size_t)(end - p))) != NULL) {
        if (p + 1 < end && (p[1] == '{' || p[1] == '%' || p[1] == '#'))
            return false;
        p++;
    }
    return source.len == 0 || memchr(source.p, '\r', source.len) == NULL;
}

struct str tmpl_plain_text(struct str source)
{
    if (source.len > 0 && source.p[source.len - 1] == '\n')
        source.len--;
    return source;
}
