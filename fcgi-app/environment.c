/*
 * The process environment: DB, and the names of older products that are ignored (migration.md 3.1).
 */
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/log.h"
#include "template/zone.h"

static const char *const legacy_names[] = {
    "APIO_CONFIG_FILE", "host", "port", "db", "proxy_login_url", "proxy_url", "proxy_username",
    "proxy_password", "proxy_prefix", "proxy_name",
};
static const char *const libpq_names[] = {
    "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGOPTIONS", "PGSSLMODE", "PGPASSFILE",
};

/* One line naming those of `names` that are set; never a value. */
static void report(const char *const *names, size_t n, enum log_level level, const char *event,
                   const char *what)
{
    char list[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (getenv(names[i]) != NULL && len < sizeof list)
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? ", " : "", names[i]);
    }
    if (len > 0)
        log_write(level, event, "names=" LOG_Q " note=" LOG_Q, list, what);
}

static int database_text(struct str *out, struct err *e)
{
    const char *db = getenv("DB");

    *out = str_trim(str_c(db));
    if (out->len > 0)
        return 0;
    if (getenv("db") != NULL)
        err_set(e, ERR_USAGE,
                "DB is not set; \"db\" is set, but the name must be upper case: DB=postgresql://…");
    else if (getenv("SCH_DB") != NULL)
        err_set(e, ERR_USAGE, "DB is not set (SCH_DB is read by the scheduler command only)");
    else if (getenv("WHK_DB") != NULL)
        err_set(e, ERR_USAGE, "DB is not set (WHK_DB is read by the webhooks command only)");
    else
        err_set(e, ERR_USAGE, "DB is not set; expected postgresql://user:password@host/database");
    return -1;
}

/* A zone for schedules other than the document's (workflow-engine.md 5.2). */
static int check_zone(struct arena *a, struct err *e)
{
    const char *zone = getenv("APIO_TIMEZONE");

    if (zone == NULL || zone[0] == '\0' || zone_open(str_c(zone), a) != NULL)
        return 0;
    err_set(e, ERR_USAGE, "APIO_TIMEZONE: there is no time zone \"%s\"", zone);
    return -1;
}

int app_kek(const char *option, struct kek *out, bool *given, struct err *e)
{
    const char *path = option != NULL && option[0] != '\0' ? option : getenv("KEK");

    memset(out, 0, sizeof *out);
    *given = path != NULL && path[0] != '\0';
    return *given ? kek_read(path, out, e) : 0;
}

int app_environment(struct str *uri, struct str *shown, struct arena *a, struct err *e)
{
    struct str text;
    struct buf warnings;

    if (database_text(&text, e) != 0 || check_zone(a, e) != 0)
        return -1;
    report(legacy_names, COUNT_OF(legacy_names), LOG_WARN_LEVEL, "environment.ignored",
           "settings are in the database; only DB is read");
    if (getenv("APIO_OPENID_AUTH") != NULL)
        log_warn("environment.ignored", "note=" LOG_Q,
                 "APIO_OPENID_AUTH is ignored; single sign-on is in the configuration (SSO)");
    report(libpq_names, COUNT_OF(libpq_names), LOG_INFO_LEVEL, "environment.libpq",
           "used for what DB leaves out");
    buf_init(&warnings, 4096, a);
    if (db_address_parse(text, "DB", uri, shown, &warnings, a, e) != 0)
        return -1;
    for (struct str rest = buf_str(&warnings), line; rest.len > 0;) {
        line = str_cut(&rest, '\n');
        if (line.len > 0)
            log_warn("environment.address", "note=\"%.*s\"", STR_ARG(line));
    }
    return 0;
}
