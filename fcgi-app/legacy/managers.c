/*
 * Process managers as sources: compose files and supervisord files.
 */
#include "base/arena.h"
#include "legacy/sources_int.h"

/* Does this command line run a module of the former product?  Then *proxy tells which. */
static bool legacy_command(struct str command, bool *proxy)
{
    *proxy = str_find(command, STR("server_proxy")) >= 0;
    return *proxy || str_find(command, STR("api.server")) >= 0 ||
           str_find(command, STR("api/server")) >= 0;
}

/* ---- compose --------------------------------------------------------------------------------- */

/* A command is a text or a list of words. */
static struct str command_text(const struct yaml_node *n, struct arena *a)
{
    struct buf b;

    if (n == NULL)
        return STR("");
    if (n->kind != YAML_LIST)
        return n->text;
    buf_init(&b, 64 * KIB, a);
    for (size_t i = 0; i < n->n; i++)
        buf_addf(&b, "%s%.*s", i > 0 ? " " : "", STR_ARG(n->items[i]->text));
    return buf_str(&b);
}

/* "$$" of a compose file is one '$'. */
static struct str undouble(struct str s, char c, struct arena *a)
{
    char *p = arena_alloc(a, s.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        p[n++] = s.p[i];
        if (s.p[i] == c && i + 1 < s.len && s.p[i + 1] == c)
            i++;
    }
    return str_make(p, n);
}

static void take_environment(struct legacy_sources *s, struct legacy_service *svc,
                             const struct yaml_node *env)
{
    struct str where = str_printf(s->a, "service %.*s", STR_ARG(svc->name));

    if (env == NULL)
        return;
    for (size_t i = 0; i < env->n; i++) {
        if (env->kind == YAML_MAP) {
            legacy_value_add(s, svc, env->pairs[i].key,
                             undouble(env->pairs[i].value->text, '$', s->a), where);
        } else if (env->kind == YAML_LIST) {
            struct str value = undouble(env->items[i]->text, '$', s->a);
            struct str name = str_cut(&value, '=');

            legacy_value_add(s, svc, name, legacy_unquote(value), where);
        }
    }
}

int legacy_compose(struct legacy_sources *s, const char *path, struct err *e)
{
    const struct yaml_node *services;
    struct yaml_node *root;
    struct str text;
    bool any = false;

    if (legacy_read(s, path, &text, e) != 0)
        return -1;
    if (yaml_read(text, path, &root, s->a, e) != 0) {
        e->code = ERR_USAGE;
        return -1;
    }
    services = yaml_get(root, "services");
    if (services == NULL || services->kind != YAML_MAP)
        services = root; /* the first form of compose files had no "services" */
    for (size_t i = 0; i < services->n; i++) {
        const struct yaml_node *one = services->pairs[i].value;
        struct str command = command_text(yaml_get(one, "command"), s->a);
        struct legacy_service *svc;
        bool proxy;

        if (command.len == 0)
            command = command_text(yaml_get(one, "entrypoint"), s->a);
        if (!legacy_command(command, &proxy)) {
            legacy_note(s, "%s: service %.*s is not one of the old modules; left out", path, STR_ARG(services->pairs[i].key));
            continue;
        }
        svc = legacy_service_new(s, services->pairs[i].key, path);
        svc->proxy = proxy;
        take_environment(s, svc, yaml_get(one, "environment"));
        if (legacy_follow(s, svc, e) != 0)
            return -1;
        any = true;
    }
    if (any)
        return 0;
    err_set(e, ERR_USAGE, "%s: no service runs the old modules", path);
    return -1;
}

/* ---- supervisord ------------------------------------------------------------------------------ */

/* One KEY=value of environment=, quoted or not; false at the end or when it cannot be read. */
static bool next_variable(struct str *rest, struct str *name, struct str *value)
{
    ptrdiff_t eq = str_find_char(*rest, '=');
    size_t end;

    if (eq <= 0)
        return false;
    *name = str_trim(str_slice(*rest, 0, (size_t)eq));
    *rest = str_trim(str_slice(*rest, (size_t)eq + 1, rest->len));
    if (rest->len > 0 && (rest->p[0] == '"' || rest->p[0] == '\'')) {
        for (end = 1; end < rest->len && rest->p[end] != rest->p[0]; end++)
            continue;
        *value = str_slice(*rest, 1, end);
        end++;
    } else {
        for (end = 0; end < rest->len && rest->p[end] != ','; end++)
            continue;
        *value = str_trim(str_slice(*rest, 0, end));
    }
    *rest = str_trim(str_slice(*rest, end, rest->len));
    if (rest->len > 0 && rest->p[0] == ',')
        *rest = str_trim(str_slice(*rest, 1, rest->len));
    return true;
}

struct program {
    struct str name, command, environment;
};

static int take_program(struct legacy_sources *s, const char *path, const struct program *p,
                        bool *any, struct err *e)
{
    struct str rest = p->environment, name, value;
    struct legacy_service *svc;
    bool proxy;

    if (p->name.len == 0)
        return 0;
    if (!legacy_command(p->command, &proxy)) {
        legacy_note(s, "%s: program %.*s is not one of the old modules; left out", path, STR_ARG(p->name));
        return 0;
    }
    svc = legacy_service_new(s, p->name, path);
    svc->proxy = proxy;
    while (next_variable(&rest, &name, &value))
        legacy_value_add(s, svc, name, undouble(value, '%', s->a),
                         str_printf(s->a, "program %.*s", STR_ARG(p->name)));
    *any = true;
    return legacy_follow(s, svc, e);
}

/* A line without its comment: a blank and ';' begin one. */
static struct str without_comment(struct str line)
{
    for (size_t i = 1; i < line.len; i++)
        if (line.p[i] == ';' && (line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
            return str_slice(line, 0, i);
    return line;
}

int legacy_supervisord(struct legacy_sources *s, const char *path, struct err *e)
{
    struct program p = {0};
    struct str rest, *last = NULL;
    bool any = false;

    if (legacy_read(s, path, &rest, e) != 0)
        return -1;
    while (rest.len > 0) {
        struct str line = without_comment(str_cut(&rest, '\n')), value = str_trim(line), key;

        if (value.len == 0 || value.p[0] == ';' || value.p[0] == '#')
            continue;
        if (value.p[0] == '[') {
            if (take_program(s, path, &p, &any, e) != 0)
                return -1;
            p = (struct program){0};
            last = NULL;
            if (str_starts(value, STR("[program:")))
                p.name = str_slice(value, 9, value.len - 1);
        } else if ((line.p[0] == ' ' || line.p[0] == '\t') && last != NULL) {
            *last = str_printf(s->a, "%.*s %.*s", STR_ARG(*last), STR_ARG(value));
        } else {
            key = str_trim(str_cut(&value, '='));
            last = str_eq_c(key, "command")       ? &p.command
                   : str_eq_c(key, "environment") ? &p.environment
                                                  : NULL;
            if (last != NULL)
                *last = str_trim(value);
        }
    }
    if (take_program(s, path, &p, &any, e) != 0)
        return -1;
    if (any)
        return 0;
    err_set(e, ERR_USAGE, "%s: no program runs the old modules", path);
    return -1;
}
