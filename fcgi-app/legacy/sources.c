/*
 * Sources of settings: files and env files, and what they share.
 */
#include "legacy/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "crypto/crypto.h"
#include "legacy/plan.h"
#include "legacy/sources_int.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

void legacy_sources_init(struct legacy_sources *s, struct buf *notes, struct arena *a)
{
    *s = (struct legacy_sources){.a = a, .notes = notes, .list = val_list_new(a, 4)};
    s->last = &s->first;
}

void legacy_note(struct legacy_sources *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_addf(s->notes, "%s\n", plan_shown(arena_vprintf(s->a, fmt, ap)));
    va_end(ap);
}

/* What strerror() says, as our messages begin: lower case. */
static const char *reason(int errnum, struct arena *a)
{
    char *text = arena_strdup(a, strerror(errnum));

    if (text[0] >= 'A' && text[0] <= 'Z')
        text[0] = (char)(text[0] + 32);
    return text;
}

void legacy_source_add(struct legacy_sources *s, const char *path, const char *digest)
{
    struct val one = val_dict_new(s->a, 2);

    val_dict_set_c(one, "path", val_str_c(arena_strdup(s->a, path)));
    val_dict_set_c(one, "sha256", val_str_c(arena_strdup(s->a, digest)));
    val_list_add(s->list, one);
}

static void remember(struct legacy_sources *s, const char *path, struct str text)
{
    unsigned char digest[64];
    size_t n;

    if (crypto_digest("sha256", text, digest, &n))
        legacy_source_add(s, path, str_cstr(s->a, crypto_hex(s->a, digest, n)));
}

int legacy_read_secret(struct legacy_sources *s, const char *path, struct str *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *p = NULL;
    ssize_t n = 0, got = 0, room = FILE_MAX;
    int rc = -1;

    if (fd < 0 || fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        err_set(e, ERR_USAGE, "cannot read %s: %s", path, fd < 0 ? reason(errno, s->a) : "not a file");
        goto out;
    }
    if (S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < FILE_MAX)
        room = (ssize_t)st.st_size; /* there may be thousands */
    p = arena_alloc(s->a, (size_t)room + 1);
    while (n <= room && (got = read(fd, p + n, (size_t)(room + 1 - n))) > 0)
        n += got;
    if (got < 0 || n > room) {
        err_set(e, ERR_USAGE, "cannot read %s: %s", path, got < 0 ? reason(errno, s->a) : "too large");
        goto out;
    }
    *out = str_make(p, (size_t)n);
    rc = 0;
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

int legacy_read(struct legacy_sources *s, const char *path, struct str *out, struct err *e)
{
    if (legacy_read_secret(s, path, out, e) != 0)
        return -1;
    remember(s, path, *out);
    return 0;
}

struct legacy_service *legacy_service_new(struct legacy_sources *s, struct str name, const char *path)
{
    struct legacy_service *svc = ARENA_NEW(s->a, struct legacy_service);

    svc->name = str_dup(s->a, name);
    svc->source = str_c(arena_strdup(s->a, path));
    *s->last = svc;
    s->last = &svc->next;
    return svc;
}

void legacy_value_add(struct legacy_sources *s, struct legacy_service *svc, struct str name,
                      struct str text, struct str where)
{
    char *key = (char *)(uintptr_t)str_lower(s->a, name).p;
    size_t n = svc->n_values;

    for (size_t i = 0; i < name.len; i++)
        if (key[i] == '-')
            key[i] = '_';
    if ((n & (n - 1)) == 0) /* full: there is room for 1, 2, 4, 8 ... */
        svc->values = arena_grow(s->a, svc->values, n * sizeof *svc->values, (n > 0 ? 2 * n : 1) * sizeof *svc->values);
    svc->values[svc->n_values++] =
        (struct legacy_value){str_make(key, name.len), str_dup(s->a, text), str_dup(s->a, where)};
}

/* "NAME:PATH"; a path alone begins with '/' or '.', or has no colon. */
static const char *split_name(const char *arg, struct str *name)
{
    const char *colon = strchr(arg, ':');

    *name = STR("");
    if (arg[0] == '/' || arg[0] == '.' || colon == NULL)
        return arg;
    *name = str_make(arg, (size_t)(colon - arg));
    return colon + 1;
}

static int legacy_config_file(struct legacy_sources *s, struct legacy_service *svc, const char *path,
                              struct err *e)
{
    struct yaml_node *root;
    struct str text;

    if (legacy_read(s, path, &text, e) != 0)
        return -1;
    if (yaml_read(text, path, &root, s->a, e) != 0) {
        e->code = ERR_USAGE;
        return -1;
    }
    svc->file = root;
    svc->file_name = str_c(arena_strdup(s->a, path));
    return 0;
}

int legacy_file(struct legacy_sources *s, const char *arg, struct err *e)
{
    struct str name;
    const char *path = split_name(arg, &name);
    struct legacy_service *svc = legacy_service_new(s, name, path);

    svc->proxy = name.len > 0;
    return legacy_config_file(s, svc, path, e);
}

/* A proxy's environment has what only proxies had. */
static void legacy_tell_proxy(struct legacy_service *svc)
{
    for (size_t i = 0; i < svc->n_values; i++)
        svc->proxy = svc->proxy || str_eq_c(svc->values[i].name, "proxy_url") ||
                     str_eq_c(svc->values[i].name, "proxy_prefix");
}

/* APIO_CONFIG_FILE of a service: read where it can be. */
int legacy_follow(struct legacy_sources *s, struct legacy_service *svc, struct err *e)
{
    for (size_t i = 0; i < svc->n_values && svc->file == NULL; i++) {
        struct err why = {0};

        if (!str_eq_c(svc->values[i].name, "apio_config_file") || svc->values[i].text.len == 0)
            continue;
        if (legacy_config_file(s, svc, svc->values[i].text.p, &why) == 0)
            continue;
        if (!str_starts(str_c(why.msg), STR("cannot read"))) {
            *e = why;
            return -1;
        }
        legacy_note(s, "%.*s: %s; give it with --file", STR_ARG(svc->source), why.msg);
        s->gaps = true;
    }
    return 0;
}

struct str legacy_unquote(struct str text)
{
    text = str_trim(text);
    if (text.len >= 2 && (text.p[0] == '"' || text.p[0] == '\'') && text.p[text.len - 1] == text.p[0])
        return str_slice(text, 1, text.len - 1);
    return text;
}

int legacy_env_file(struct legacy_sources *s, const char *arg, struct err *e)
{
    struct str name, rest;
    const char *path = split_name(arg, &name);
    struct legacy_service *svc = legacy_service_new(s, name, path);

    if (legacy_read(s, path, &rest, e) != 0)
        return -1;
    for (int line = 1; rest.len > 0; line++) {
        struct str value = str_trim(str_cut(&rest, '\n')), key;

        if (value.len == 0 || value.p[0] == '#')
            continue;
        if (str_starts(value, STR("export ")))
            value = str_trim(str_slice(value, 7, value.len));
        if (str_find_char(value, '=') <= 0) {
            err_set(e, ERR_USAGE, "%s:%d: expected NAME=value", path, line);
            return -1;
        }
        key = str_trim(str_cut(&value, '='));
        legacy_value_add(s, svc, key, legacy_unquote(value),
                         str_printf(s->a, "line %d of %s", line, path));
    }
    legacy_tell_proxy(svc);
    return legacy_follow(s, svc, e);
}

static struct legacy_value in_file(const struct legacy_sources *s, const struct legacy_service *svc,
                                   const char *name)
{
    for (size_t i = 0; svc->file != NULL && i < svc->file->n; i++) {
        const struct yaml_pair *p = &svc->file->pairs[i];
        char *key = (char *)(uintptr_t)str_lower(s->a, p->key).p;

        for (size_t k = 0; k < p->key.len; k++)
            if (key[k] == '-')
                key[k] = '_';
        if (p->value->kind == YAML_TEXT && str_eq_c(str_make(key, p->key.len), name))
            return (struct legacy_value){str_c(name), p->value->text,
                                         str_printf(s->a, "line %d of %.*s", p->line,
                                                    STR_ARG(svc->file_name))};
    }
    return (struct legacy_value){0};
}

struct legacy_value legacy_get(struct legacy_sources *s, const struct legacy_service *svc,
                               const char *name)
{
    struct legacy_value file = in_file(s, svc, name), env = {0};

    for (size_t i = 0; i < svc->n_values; i++)
        if (str_eq_c(svc->values[i].name, name))
            env = svc->values[i];
    if (env.text.p == NULL)
        return file;
    if (file.text.p != NULL && !str_eq(env.text, file.text))
        legacy_note(s, "%s: the environment differs from %.*s; the environment is taken", name, STR_ARG(file.where));
    return env;
}
