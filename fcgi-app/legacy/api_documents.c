/*
 * Documents of the old platform's transactions, saved as files: the transactions themselves do not
 * move, so their documents have no place here (migration.md 6.1).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "legacy/api.h"
#include "legacy/plan_int.h"

enum { PAGE = 200, PAGES_MAX = 100000 };

struct saving {
    struct legacy_api *api;
    const char *folder;
    struct planning pl;
    int64_t n_saved;
    struct err *e;
};

static int cannot(struct saving *s, const char *path)
{
    err_set(s->e, ERR_USAGE, "--save-documents: cannot write %s: %s", path, strerror(errno));
    return -1;
}

static bool make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* A name of somebody else's, as one of a file. */
static const char *file_name(struct str name, struct arena *a)
{
    char *out = str_cstr(a, name.len > 0 && name.p[0] != '.' ? name : str_printf(a, "_%.*s", STR_ARG(name)));

    for (char *p = out; *p != '\0'; p++)
        if (*p == '/' || (unsigned char)*p < 0x20)
            *p = '_';
    return out;
}

static int write_file(struct saving *s, const char *path, struct str bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    while (fd >= 0 && bytes.len > 0) {
        ssize_t n = write(fd, bytes.p, bytes.len);

        if (n < 0) {
            close(fd);
            return cannot(s, path);
        }
        bytes = str_slice(bytes, (size_t)n, bytes.len);
    }
    return fd >= 0 && close(fd) == 0 ? 0 : cannot(s, path);
}

/* One document; its bytes live no longer than this call. */
static int save_one(struct saving *s, int64_t instance, const char *folder, struct val document)
{
    struct arena *a = arena_new(0);
    struct str bytes, mime;
    const char *path = arena_printf(a, "/api/v01/transactions/%lld/documents/%lld", (long long)instance,
                                    (long long)val_get_int(document, "id", 0));
    int rc = -1;

    if (legacy_api_bytes(s->api, path, &bytes, &mime, a, s->e) == 0) {
        rc = write_file(s, arena_printf(a, "%s/%s", folder, file_name(val_get_text(document, "name", STR("")), a)), bytes);
        s->n_saved += rc == 0;
    } else if (s->e->code != ERR_USAGE) {
        plan_gap(&s->pl, "documents of transaction %lld: \"%.*s\": %s", (long long)instance,
                 STR_ARG(val_get_text(document, "name", STR("?"))), s->e->msg);
        rc = 0;
    }
    arena_free(a);
    return rc;
}

static int save_instance(struct saving *s, int64_t instance)
{
    const char *folder = arena_printf(s->api->a, "%s/transaction-%lld", s->folder, (long long)instance);
    struct val list;

    if (instance == 0)
        return 0;
    if (legacy_api_get(s->api, arena_printf(s->api->a, "/api/v01/transactions/%lld/documents", (long long)instance), &list, s->e) != 0)
        return s->e->code == ERR_NOT_FOUND ? 0 : -1;
    list = val_get(list, "documents");
    if (val_count(list) > 0 && !make_folder(folder))
        return cannot(s, folder);
    for (size_t i = 0; i < val_count(list); i++)
        if (save_one(s, instance, folder, val_at(list, i)) != 0)
            return -1;
    return 0;
}

static int save_all(struct saving *s, const char *search, const char *member)
{
    for (int page = 1; page <= PAGES_MAX; page++) {
        struct val rows;

        if (legacy_api_get(s->api, arena_printf(s->api->a, "%s?paging=%%7B%%22page_number%%22:%d,%%22page_size%%22:%d%%7D", search, page, PAGE),
                           &rows, s->e) != 0)
            return s->e->code == ERR_NOT_FOUND ? 0 : -1;
        rows = val_get(rows, member);
        for (size_t i = 0; i < val_count(rows); i++)
            if (save_instance(s, val_get_int(val_at(rows, i), "instance_id", 0)) != 0)
                return -1;
        if (val_count(rows) < PAGE)
            return 0;
    }
    return 0;
}

int legacy_api_documents(struct legacy_api *api, const char *folder, struct legacy_plan *p, struct err *e)
{
    struct saving s = {.api = api, .folder = folder, .pl = {.p = p, .a = api->a, .e = e}, .e = e};

    if (!make_folder(folder))
        return cannot(&s, folder);
    if (save_all(&s, "/api/v01/apio/requests/search", "requests") != 0 ||
        save_all(&s, "/api/v01/custom_instances/search", "instances") != 0)
        return -1;
    plan_note(&s.pl, "documents: %lld saved in %s", (long long)s.n_saved, folder);
    return 0;
}
