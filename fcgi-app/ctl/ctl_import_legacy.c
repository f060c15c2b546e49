/*
 * sluicectl import-legacy: settings of a former platform into the database DB (migration.md 6.3).
 *
 * Exit status: 0 done; 2 wrong arguments or values; 3 imported with gaps; 75 another import runs;
 * 78 the target cannot be used; else 1.
 */
#include <stdio.h>

#include "base/arena.h"
#include "ctl/ctl_db.h"
#include "http/client.h"
#include "legacy/api.h"
#include "legacy/db.h"
#include "legacy/target.h"

enum { IMPORT_GAPS = 3, IMPORT_BUSY = 75, SOURCES_MAX = 64, NOTES_MAX = 4 * 1024 * 1024 };

enum source_kind { FROM_FILE, FROM_ENV, FROM_COMPOSE, FROM_SUPERVISORD };

struct import_args {
    struct {
        enum source_kind kind;
        const char *path;
    } sources[SOURCES_MAX];
    size_t n_sources;
    const char *gateways[SOURCES_MAX + 1];
    size_t n_gateways;
    const char *map, *secrets, *kek, *from_api, *token_file, *send_reset, *keys;
    struct legacy_db_options db;
    struct legacy_options o;
    int64_t rate;
    bool dry_run, apply, check, history, no_documents, run_migration;
};

struct import {
    const struct import_args *args;
    struct ctl_db d;
    struct arena *a;
    struct cfg_store *store;
    const struct cfg *cfg;
    struct legacy_sources sources;
    struct legacy_plan plan;
    struct legacy_target target;
    struct legacy_api api;
    struct legacy_content content;
    struct legacy_archive archive;
    struct legacy_db *old;
    size_t said; /* bytes of the plan's notes that were printed */
};

/* ---- arguments ------------------------------------------------------------------------------- */

/* VALUE of "--name=VALUE", when it says something. */
static const char *value_of(const char *arg, const char *name)
{
    const char *v = ctl_option_value(arg, name);

    return v != NULL && v[0] != '\0' ? v : NULL;
}

static bool add_source(struct import_args *o, enum source_kind kind, const char *path)
{
    if (path == NULL || o->n_sources == SOURCES_MAX)
        return false;
    o->sources[o->n_sources].kind = kind;
    o->sources[o->n_sources++].path = path;
    return true;
}

static bool conflict_rule(struct import_args *o, const char *text)
{
    static const char *const names[] = {"keep", "replace", "fail"};

    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        o->o.conflict = (enum legacy_conflict)i;
        return o->o.conflict_given = true;
    }
    return false;
}

static bool read_option(struct import_args *o, const char *arg)
{
    static const struct {
        const char *name;
        size_t at;
    } texts[] = {
        {"map", offsetof(struct import_args, map)},
        {"secrets", offsetof(struct import_args, secrets)},
        {"keys", offsetof(struct import_args, keys)},
        {"kek", offsetof(struct import_args, kek)},
        {"from-api", offsetof(struct import_args, from_api)},
        {"token-file", offsetof(struct import_args, token_file)},
        {"send-reset", offsetof(struct import_args, send_reset)},
        {"from-db", offsetof(struct import_args, db.dsn_file)},
        {"structure", offsetof(struct import_args, db.structure)},
        {"structure-map", offsetof(struct import_args, db.map_file)},
        {"timezone", offsetof(struct import_args, db.timezone)},
    };
    const char *v;

    if (ctl_is_option(arg, "dry-run"))
        return o->dry_run = true;
    if (ctl_is_option(arg, "apply"))
        return o->apply = true;
    if (ctl_is_option(arg, "check"))
        return o->check = true;
    if (ctl_is_option(arg, "history"))
        return o->history = true;
    if (ctl_is_option(arg, "no-documents"))
        return o->no_documents = true;
    if ((v = value_of(arg, "rate")) != NULL)
        return ctl_number(v, "/s", &o->rate);
    if (ctl_is_option(arg, "merge"))
        return o->o.merge = true;
    if (value_of(arg, "runMigration") != NULL)
        return !(o->run_migration = strcmp(value_of(arg, "runMigration"), "false") != 0) ||
               strcmp(value_of(arg, "runMigration"), "true") == 0;
    if ((v = value_of(arg, "on-conflict")) != NULL)
        return conflict_rule(o, v);
    if ((v = value_of(arg, "file")) != NULL)
        return add_source(o, FROM_FILE, v);
    if ((v = value_of(arg, "env-file")) != NULL)
        return add_source(o, FROM_ENV, v);
    if ((v = value_of(arg, "compose")) != NULL)
        return add_source(o, FROM_COMPOSE, v);
    if ((v = value_of(arg, "supervisord")) != NULL)
        return add_source(o, FROM_SUPERVISORD, v);
    if ((v = value_of(arg, "gateway")) != NULL && strchr(v, '=') != NULL &&
        o->n_gateways < SOURCES_MAX) {
        o->gateways[o->n_gateways++] = v;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if ((v = value_of(arg, texts[i].name)) == NULL)
            continue;
        memcpy((char *)o + texts[i].at, &v, sizeof v);
        return true;
    }
    return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_sources(struct import *im, struct err *e)
{
    for (size_t i = 0; i < im->args->n_sources; i++) {
        const char *path = im->args->sources[i].path;
        int rc = -1;

        switch (im->args->sources[i].kind) {
        case FROM_FILE:
            rc = legacy_file(&im->sources, path, e);
            break;
        case FROM_ENV:
            rc = legacy_env_file(&im->sources, path, e);
            break;
        case FROM_COMPOSE:
            rc = legacy_compose(&im->sources, path, e);
            break;
        case FROM_SUPERVISORD:
            rc = legacy_supervisord(&im->sources, path, e);
            break;
        }
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int read_extra(struct import *im, struct legacy_options *o, struct err *e)
{
    *o = im->args->o;
    o->gateways = im->args->gateways;
    if (im->args->map != NULL && legacy_read(&im->sources, im->args->map, &o->map, e) != 0)
        return -1;
    if (im->args->secrets != NULL &&
        legacy_read_secret(&im->sources, im->args->secrets, &o->secrets, e) != 0)
        return -1;
    return 0;
}

/* The platform itself: its API, or its database. */
static int read_platform(struct import *im, const struct legacy_options *o, struct err *e)
{
    if (im->args->from_api != NULL) {
        if (legacy_api_open(&im->api, im->args->from_api, im->args->token_file, im->a, e) != 0 ||
            legacy_api_read(&im->api, o, im->cfg, &im->plan, &im->content, e) != 0)
            return -1;
        legacy_source_add(&im->sources, im->args->from_api, "");
    }
    if (im->args->db.dsn_file == NULL)
        return 0;
    if (im->args->keys != NULL && legacy_archive_keys(&im->archive, &im->sources, im->args->keys, e) != 0)
        return -1;
    return legacy_db_read(&im->args->db, &im->sources, o, im->cfg, &im->plan, &im->content, &im->archive, &im->old, im->a, e);
}

/* ---- talking --------------------------------------------------------------------------------- */

/* A line of the process manager, quoted and doubled as supervisord wants it; the password
 * is not repeated. */
static void print_supervisord(const struct import *im)
{
    const char *shown = im->d.shown.p;

    printf("environment=DB=\"postgresql://");
    for (const char *p = shown; *p != '\0'; p++)
        printf("%s", *p == '%' ? "%%" : (char[]){*p, '\0'});
    printf("\"   (with the password: user:password@, %% written %%%%)\n");
}

/* Notes that came since the last time. */
static void print_notes(struct import *im)
{
    if (im->plan.notes.len > im->said)
        printf("%.*s", (int)(im->plan.notes.len - im->said), im->plan.notes.p + im->said);
    im->said = im->plan.notes.len;
    if (im->plan.unsaid > 0)
        printf("... and %lld lines more\n", (long long)im->plan.unsaid);
    im->plan.unsaid = 0;
}

static void print_plan(struct import *im)
{
    printf("%.*s", (int)im->plan.changes.len, im->plan.changes.p != NULL ? im->plan.changes.p : "");
    print_notes(im);
    printf("%.*s", (int)im->plan.lines.len, im->plan.lines.p != NULL ? im->plan.lines.p : "");
    if (im->plan.lines.len > 0)
        print_supervisord(im);
}

/* Does each imported gateway answer, and is its certificate trusted? */
static void check_gateways(struct import *im)
{
    struct http_client_pool *pool = http_client_pool_new();
    struct val map = val_get(im->plan.doc, "gateways"), key, value;

    for (size_t i = 0; i < val_count(map); i++) {
        struct http_call call = {.method = STR("GET"), .connect_ms = 5000, .total_ms = 10000};
        struct http_result out;
        struct err e = {0};

        val_pair_at(map, i, &key, &value);
        call.url = val_get_text(value, "url", STR(""));
        if (call.url.len == 0 || http_client_do(pool, &call, &out, im->a, &e) == 0)
            continue;
        printf("%s\n", plan_shown(arena_printf(im->a, "gateway %.*s: %s", STR_ARG(val_text(key)), strstr(e.msg, "certificate") == NULL
               ? e.msg : "certificate not trusted (self-signed); add the CA to the system, or set tls_verify to false")));
    }
    http_client_pool_free(pool);
}

static struct val counts_of(const struct import *im)
{
    struct val v = val_dict_new(im->a, 8);

    val_dict_set_c(v, "added", val_int(im->plan.added));
    val_dict_set_c(v, "replaced", val_int(im->plan.replaced));
    val_dict_set_c(v, "kept", val_int(im->plan.kept));
    val_dict_set_c(v, "unchanged", val_int(im->plan.unchanged));
    legacy_content_counts(&im->content, v);
    legacy_archive_counts(&im->archive, v);
    return v;
}

/* "import from apio.yml, px1n" */
static const char *comment_of(struct import *im)
{
    struct buf b;

    buf_init(&b, 8192, im->a);
    buf_add_c(&b, "import from ");
    for (const struct legacy_service *s = im->sources.first; s != NULL; s = s->next) {
        struct str name = s->name.len > 0 ? s->name : s->source;
        ptrdiff_t slash = str_rfind_char(name, '/');

        buf_addf(&b, "%s%.*s", s != im->sources.first ? ", " : "",
                 STR_ARG(str_slice(name, (size_t)(slash + 1), name.len)));
    }
    if (im->args->from_api != NULL)
        buf_addf(&b, "%sthe API", im->sources.first != NULL ? ", " : "");
    if (im->args->db.dsn_file != NULL)
        buf_addf(&b, "%sthe old database", im->sources.first != NULL || im->args->from_api != NULL ? ", " : "");
    return buf_cstr(&b);
}

/* Documents and closed instances. */
static int archive(struct import *im, bool dry, struct err *e)
{
    struct documents *docs = documents_new(im->d.db, im->store);
    const struct legacy_archive_target t = {im->target.c, docs, im->args->o.conflict, dry};
    int rc = 0;

    if (im->args->from_api != NULL)
        rc = legacy_api_history(&im->api, &im->archive, &t, &im->plan, e);
    if (rc == 0 && im->old != NULL)
        rc = legacy_db_history(im->old, &im->archive, &t, &im->plan, e);

    documents_free(docs);
    return rc == 0 && !dry ? cfg_store_count_seals(im->store, e) : rc;
}

/* ---- the import ------------------------------------------------------------------------------ */

static int open_target(struct import *im, struct err *e)
{
    if (ctl_db_open(&im->d, im->args->run_migration, e) != 0 ||
        ctl_config(&im->d, im->args->kek, &im->store, e) != 0)
        return -1;
    im->cfg = cfg_get(im->store);
    im->target.a = im->a;
    return db_get(im->d.db, &im->target.c, e);
}

static int write_all(struct import *im, struct err *e)
{
    printf("what is done on this platform from now on is not carried back to the old one\n");
    if (legacy_begin(&im->target, im->sources.list, e) != 0)
        return -1;
    if (legacy_content_write(&im->content, im->target.c, im->cfg, &im->args->o, false, &im->plan, e) != 0)
        return -1;
    if (archive(im, false, e) != 0)
        return -1;
    if (legacy_finish(&im->target, im->cfg, &im->plan, comment_of(im), counts_of(im), e) != 0)
        return -1;
    return im->args->send_reset == NULL ? 0 : legacy_send_reset(&im->target, &im->content, im->args->send_reset, &im->plan, e);
}

static int import_all(struct import *im, struct err *e)
{
    struct legacy_options o;
    bool configured, write;

    if (legacy_lock(&im->target, e) != 0 || legacy_configured(&im->target, &configured, e) != 0 ||
        read_sources(im, e) != 0 || read_extra(im, &o, e) != 0)
        return -1;
    if (legacy_plan_make(&im->plan, &im->sources, &o, im->cfg, im->a, e) != 0)
        return -1;
    if (read_platform(im, &o, e) != 0)
        return -1;
    write = im->args->apply || (!configured && !im->args->dry_run);
    if (!write && legacy_content_write(&im->content, im->target.c, im->cfg, &im->args->o, true, &im->plan, e) != 0)
        return -1;
    if (!write && archive(im, true, e) != 0)
        return -1;
    print_plan(im);
    if (im->args->check)
        check_gateways(im);
    if (legacy_check(&im->target, im->cfg, &im->plan, e) != 0)
        return -1;
    if (write && write_all(im, e) != 0)
        return -1;
    print_notes(im);
    printf("%s: %d added, %d replaced, %d kept, %d unchanged\n",
           write ? "imported" : "dry run, nothing was written (--apply writes)", im->plan.added,
           im->plan.replaced, im->plan.kept, im->plan.unchanged);
    legacy_content_tell(&im->content);
    legacy_archive_tell(&im->archive);
    if (im->plan.gaps)
        printf("imported with gaps\n");
    return im->plan.gaps ? IMPORT_GAPS : CTL_OK;
}

static int run(const struct import_args *o, const char *command)
{
    struct import *im;
    struct arena *a = arena_new(0);
    struct err e = {0};
    int rc = -1;

    im = ARENA_NEW(a, struct import);
    im->a = a;
    im->args = o;
    http_client_init();
    buf_init(&im->plan.notes, NOTES_MAX, a);
    legacy_sources_init(&im->sources, &im->plan.notes, a);
    legacy_content_init(&im->content, a);
    legacy_archive_init(&im->archive, o->history, a);
    im->archive.no_documents = o->no_documents;
    im->api.rate = o->rate;
    if (open_target(im, &e) == 0)
        rc = import_all(im, &e);
    plan_shown(e.msg);
    if (rc < 0)
        rc = e.code == ERR_BUSY ? (ctl_fail(command, &e), IMPORT_BUSY) : ctl_db_fail(command, &e);
    legacy_api_close(&im->api);
    legacy_db_close(im->old);
    legacy_archive_close(&im->archive);
    db_put(im->d.db, im->target.c);
    cfg_put(im->cfg);
    cfg_store_free(im->store);
    ctl_db_close(&im->d);
    arena_free(a);
    return rc;
}

int ctl_import_legacy(int argc, char **argv)
{
    struct import_args o = {.run_migration = true, .rate = LEGACY_RATE};

    for (int i = 1; i < argc; i++)
        if (!ctl_looks_like_option(argv[i]) || !read_option(&o, argv[i]))
            return ctl_usage(argv[0], "an option that is not known, or without its value");
    if (o.n_sources == 0 && o.from_api == NULL && o.db.dsn_file == NULL)
        return ctl_usage(argv[0], "nothing to import from");
    if (o.send_reset != NULL && strchr(o.send_reset, '@') != NULL)
        return ctl_usage(argv[0], "--send-reset: credentials in the URL are not taken");
    return run(&o, argv[0]);
}
