/*
 * The YAML file in layers (migration.md 4.3): sections of the document by their own names, what an
 * operator's map file says, and a list of the rest.
 */
#include "base/arena.h"
#include "config/settings.h"
#include "gateway/mask.h"
#include "legacy/plan_int.h"

static const char *const known_names[] = {
    "db", "host", "port", "proxy_url", "proxy_username", "proxy_password", "proxy_prefix",
    "proxy_name", "proxy_login_url", "apio_openid_auth",
};
static const struct section {
    const char *name;
    enum { BY_KEY, BY_NAME, WHOLE } how;
} sections[] = {
    {"gateways", BY_KEY}, {"gateways_tcp", BY_KEY}, {"datastores", BY_NAME}, {"gui", BY_KEY},
    {"smtp", BY_KEY},     {"smpp", BY_KEY},         {"provisioning", BY_KEY}, {"logs", BY_KEY},
    {"password", BY_KEY}, {"SSO", BY_NAME},         {"alarms", BY_KEY},      {"retention", BY_KEY},
    {"env", BY_KEY},      {"cache", BY_KEY},
};

/* ---- values with their types ------------------------------------------------------------------ */

static int bad_value(struct planning *pl, const struct yaml_node *n, const struct place *at,
                     const char *wanted)
{
    err_set(pl->e, ERR_USAGE, "line %d: %.*s: expected %s, got \"%.*s\"", n->line,
            STR_ARG(place_dotted(at, pl->a)), wanted, STR_ARG(n->text));
    return -1;
}

static bool read_bool(struct str s, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "y", "1"};
    static const char *const no[] = {"false", "no", "off", "n", "0"};

    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (str_ieq(s, str_c(yes[i])))
            return *out = true;
        if (str_ieq(s, str_c(no[i]))) {
            *out = false;
            return true;
        }
    }
    return false;
}

/* A scalar stays text until its target type is known. */
static int scalar(struct planning *pl, const struct yaml_node *n, const struct place *at,
                  struct val *out)
{
    const struct setting *s = setting_at(at);
    struct str text = str_trim(n->text);
    int64_t number;
    bool flag;

    *out = val_str(n->text);
    if (s == NULL)
        return 0;
    switch (s->kind) {
    case SETTING_INT:
    case SETTING_NUMBER:
    case SETTING_COUNT:
        if (!str_to_int(text, &number))
            return bad_value(pl, n, at, "a number");
        *out = val_int(number);
        return 0;
    case SETTING_BOOL:
        if (!read_bool(text, &flag))
            return bad_value(pl, n, at, "true or false");
        *out = val_bool(flag);
        return 0;
    default:
        return 0;
    }
}

static int typed(struct planning *pl, const struct yaml_node *n, const struct place *at,
                 struct val *out)
{
    struct val one;

    switch (n->kind) {
    case YAML_EMPTY:
        *out = val_null();
        return 0;
    case YAML_TEXT:
        return scalar(pl, n, at, out);
    case YAML_LIST:
        *out = val_list_new(pl->a, n->n);
        for (size_t i = 0; i < n->n; i++) {
            struct place here = {.up = at, .name = str_printf(pl->a, "%zu", i), .item = true};

            if (typed(pl, n->items[i], &here, &one) != 0)
                return -1;
            val_list_add(*out, one);
        }
        return 0;
    case YAML_MAP:
        *out = val_dict_new(pl->a, n->n);
        for (size_t i = 0; i < n->n; i++) {
            struct place here = {.up = at, .name = n->pairs[i].key};

            if (typed(pl, n->pairs[i].value, &here, &one) != 0)
                return -1;
            val_dict_set_str(*out, n->pairs[i].key, one);
        }
        return 0;
    }
    return 0;
}

/* ---- sections -------------------------------------------------------------------------------- */

/* Entries of single sign-on by OpenID are on or off as the environment said. */
static void openid(struct planning *pl, const struct legacy_service *svc, struct val entry,
                   bool *seen)
{
    struct legacy_value v = legacy_get(pl->s, svc, "apio_openid_auth");
    bool on = false;

    if (!str_eq_c(val_get_text(entry, "protocol", STR("")), "oidc"))
        return;
    *seen = true;
    if (v.text.p == NULL)
        return;
    if (!read_bool(str_trim(v.text), &on))
        on = false;
    val_dict_set_c(entry, "enabled", val_bool(on));
}

static int take_section(struct planning *pl, const struct legacy_service *svc,
                        const struct section *sec, const struct yaml_pair *pair, bool *oidc)
{
    const struct place at = {.name = str_c(sec->name)};
    struct val v, key, value;

    if (typed(pl, pair->value, &at, &v) != 0)
        return -1;
    if (val_is(v, VAL_NULL))
        return 0;
    if (!val_is(v, sec->how == BY_NAME ? VAL_LIST : VAL_DICT)) {
        err_set(pl->e, ERR_USAGE, "line %d: %s: expected %s", pair->line, sec->name,
                sec->how == BY_NAME ? "a list" : "names and values");
        return -1;
    }
    for (size_t i = 0; i < val_count(v); i++) {
        if (sec->how == BY_NAME) {
            if (!val_is(val_at(v, i), VAL_DICT)) {
                err_set(pl->e, ERR_USAGE, "line %d: %s: entry %zu is not names and values",
                        pair->line, sec->name, i + 1);
                return -1;
            }
            openid(pl, svc, val_at(v, i), oidc);
            if (plan_put_named(pl, sec->name, val_at(v, i)) != 0)
                return -1;
            continue;
        }
        val_pair_at(v, i, &key, &value);
        if (plan_put(pl, sec->name, val_text(key), value) != 0)
            return -1;
    }
    return 0;
}

/* ---- the operator's map ---------------------------------------------------------------------- */

static const struct yaml_node *node_at(const struct yaml_node *n, struct str path)
{
    while (path.len > 0 && n != NULL) {
        struct str name = str_cut(&path, '.');
        const struct yaml_node *next = NULL;

        for (size_t i = 0; n->kind == YAML_MAP && i < n->n; i++)
            if (str_eq(n->pairs[i].key, name))
                next = n->pairs[i].value;
        n = next;
    }
    return n;
}

/* The place of "smtp.port", built from the right. */
static int put_at(struct planning *pl, const struct yaml_node *n, struct str path,
                  const struct place *up)
{
    struct str rest = path, name = str_cut(&rest, '.');
    struct place here = {.up = up, .name = name};
    struct val v;
    ptrdiff_t dot;

    if (rest.len > 0)
        return put_at(pl, n, rest, &here);
    if (typed(pl, n, &here, &v) != 0)
        return -1;
    path = place_dotted(&here, pl->a);
    dot = str_rfind_char(path, '.');
    if (dot <= 0) {
        err_set(pl->e, ERR_USAGE, "--map: \"%.*s\" is not a place inside a section", STR_ARG(path));
        return -1;
    }
    return plan_put(pl, str_cstr(pl->a, str_slice(path, 0, (size_t)dot)), name, v);
}

static bool mapped(const struct planning *pl, struct str path)
{
    struct str rest = pl->o->map;

    while (rest.len > 0) {
        struct str to = str_trim(str_cut(&rest, '\n')), from = str_trim(str_cut(&to, '='));

        if (from.len > 0 && (str_eq(from, path) ||
                             (path.len > from.len && str_starts(path, from) && path.p[from.len] == '.')))
            return true;
    }
    return false;
}

/* Does a name of this path look like that of a secret? */
static bool any_secret(struct str path)
{
    bool secret = false;

    while (path.len > 0)
        secret = mask_key(str_cut(&path, '.')) || secret;
    return secret;
}

static int take_map(struct planning *pl, const struct legacy_service *svc)
{
    struct str rest = pl->o->map;

    for (int line = 1; rest.len > 0; line++) {
        struct str to = str_trim(str_cut(&rest, '\n')), from;
        const struct yaml_node *n;

        if (to.len == 0 || to.p[0] == '#')
            continue;
        from = str_trim(str_cut(&to, '='));
        to = str_trim(to);
        if (from.len == 0 || to.len == 0) {
            err_set(pl->e, ERR_USAGE, "--map: line %d: expected old.path=new.path", line);
            return -1;
        }
        n = node_at(svc->file, from);
        pl->secret = any_secret(from);
        if (n != NULL && put_at(pl, n, to, NULL) != 0)
            return -1;
        pl->secret = false;
    }
    return 0;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void list_rest(struct planning *pl, const struct yaml_node *n, const char *path, int line)
{
    if (mapped(pl, str_c(path)))
        return;
    if (n->kind == YAML_MAP && n->n > 0) {
        for (size_t i = 0; i < n->n; i++)
            list_rest(pl, n->pairs[i].value,
                      arena_printf(pl->a, "%s.%.*s", path, STR_ARG(n->pairs[i].key)),
                      n->pairs[i].line);
        return;
    }
    plan_note(pl, "not imported: line %d %s", line, path);
}

static bool is_known_name(struct planning *pl, struct str key)
{
    char *name = (char *)(uintptr_t)str_lower(pl->a, key).p;

    for (size_t i = 0; i < key.len; i++)
        if (name[i] == '-')
            name[i] = '_';
    for (size_t i = 0; i < COUNT_OF(known_names); i++)
        if (str_eq_c(str_make(name, key.len), known_names[i]))
            return true;
    return false;
}

static int take_pair(struct planning *pl, const struct legacy_service *svc,
                     const struct yaml_pair *pair, bool *oidc)
{
    if (is_known_name(pl, pair->key))
        return 0;
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        if (str_eq_c(pair->key, sections[i].name))
            return take_section(pl, svc, &sections[i], pair, oidc);
    list_rest(pl, pair->value, str_cstr(pl->a, pair->key), pair->line);
    return 0;
}

int plan_files(struct planning *pl)
{
    bool oidc = false, wanted = false, on;

    for (const struct legacy_service *svc = pl->s->first; svc != NULL; svc = svc->next) {
        struct legacy_value v = legacy_get(pl->s, svc, "apio_openid_auth");

        wanted = wanted || (v.text.p != NULL && read_bool(str_trim(v.text), &on) && on);
        if (svc->file == NULL)
            continue;
        for (size_t i = 0; i < svc->file->n; i++) {
            if (take_pair(pl, svc, &svc->file->pairs[i], &oidc) != 0) {
                err_context(pl->e, "%.*s", STR_ARG(svc->file_name));
                return -1;
            }
        }
        if (take_map(pl, svc) != 0)
            return -1;
    }
    if (wanted && !oidc)
        plan_note(pl, "OpenID was on but no provider was found; add it under SSO");
    return 0;
}
