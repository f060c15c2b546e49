/*
 * sluicectl doctor: looks at what makes installations fail, and says what to do.
 *
 * Reads only.  Exit status: 0 nothing is wrong (there may be warnings), 1 something is.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "config/config.h"
#include "crypto/crypto.h"
#include "ctl/doctor.h"
#include "db/migrate.h"

enum { CERT_WARN_DAYS = 30, CERTS_MAX = 32 };

static const char *const levels[] = {"warning", "error"};

struct doctor {
    struct ctl_db d;
    struct db_conn *c;
    const char *kek;     /* option -kek, NULL: not given */
    struct val findings; /* [{"check", "level", "problem", "advice"}] */
    int n[2];            /* by level */
    size_t n_checks;
};

static void found(struct doctor *d, const char *check, enum doctor_level level, struct str problem,
                  const char *advice)
{
    struct val one = val_dict_new(d->d.a, 4);

    val_dict_set_c(one, "check", val_str_c(check));
    val_dict_set_c(one, "level", val_str_c(levels[level]));
    val_dict_set_c(one, "problem", val_str(problem));
    val_dict_set_c(one, "advice", val_str_c(advice));
    val_list_add(d->findings, one);
    d->n[level]++;
}

/* ---- the database --------------------------------------------------------------------------- */

static void ask(struct doctor *d, const struct doctor_check *check)
{
    struct str now = str_printf(d->d.a, "%lld", (long long)clock_wall_us(&clock_system));
    struct db_arg arg = DB_STR(now);
    PGresult *res = NULL;
    struct err e;

    d->n_checks++;
    if (db_query_sql(d->c, check->sql, &arg, check->clock ? 1 : 0, &res, d->d.a, &e) != 0) {
        found(d, check->name, DOCTOR_WARNING,
              str_printf(d->d.a, "could not be looked at: %s", e.detail[0] != '\0' ? e.detail : e.msg),
              "run as the owner of the database, with the schema of this program");
        return;
    }
    for (int row = 0; row < PQntuples(res); row++)
        found(d, check->name, check->level, str_dup(d->d.a, db_str(res, row, 0)), check->advice);
}

static int check_schema(struct doctor *d, struct err *e)
{
    int version;

    d->n_checks++;
    if (migrate_current(d->c, &version, e) != 0)
        return -1;
    if (version < migrate_target())
        found(d, "schema", DOCTOR_ERROR,
              str_printf(d->d.a, "the schema is at %d, this program needs %d", version, migrate_target()),
              "run sluicectl migrate, or start the core");
    else if (version > migrate_target())
        found(d, "schema", DOCTOR_ERROR,
              str_printf(d->d.a, "the schema is at %d, newer than this program (%d)", version, migrate_target()),
              "use the sluicectl of the programs that run");
    return 0;
}

/* ---- certificates --------------------------------------------------------------------------- */

static void check_certificate(struct doctor *d, struct str what, struct str pem)
{
    int64_t ends_s = crypto_tls_expires_s(pem);
    int64_t days = (ends_s - clock_wall_us(&clock_system) / 1000000) / 86400;

    d->n_checks++;
    if (ends_s == 0)
        found(d, "certificates", DOCTOR_ERROR, str_printf(d->d.a, "%.*s cannot be read", STR_ARG(what)),
              "store a PEM certificate, the leaf first");
    else if (ends_s <= clock_wall_us(&clock_system) / 1000000)
        found(d, "certificates", DOCTOR_ERROR, str_printf(d->d.a, "%.*s has ended", STR_ARG(what)),
              "replace it");
    else if (days < CERT_WARN_DAYS)
        found(d, "certificates", DOCTOR_WARNING,
              str_printf(d->d.a, "%.*s ends in %lld days", STR_ARG(what), (long long)days), "replace it in time");
}

static void check_gateways(struct doctor *d)
{
    struct cfg_store *store = NULL;
    const struct cfg *cfg;
    struct err e;

    d->n_checks++;
    if (ctl_config(&d->d, d->kek, &store, &e) != 0) {
        found(d, "configuration", DOCTOR_ERROR, str_dup(d->d.a, str_c(e.msg)), "correct the configuration");
        return;
    }
    cfg = cfg_get(store);
    for (size_t i = 0; i < cfg->n_gateways; i++) {
        const struct cfg_gateway *g = &cfg->gateways[i];

        if (g->client_cert.len > 0)
            check_certificate(d, str_printf(d->d.a, "the client certificate of gateway \"%.*s\"", STR_ARG(g->name)),
                              g->client_cert);
    }
    cfg_put(cfg);
    cfg_store_free(store);
}

static void check_file(struct doctor *d, const char *path)
{
    struct str pem;
    struct err e;

    if (ctl_read(path, &pem, d->d.a, &e) != 0)
        found(d, "certificates", DOCTOR_ERROR, str_dup(d->d.a, str_c(e.msg)), "correct the path, or the rights of the file");
    else
        check_certificate(d, str_printf(d->d.a, "the certificate in %s", path), pem);
}

/* ---- telling -------------------------------------------------------------------------------- */

static void print_json(struct doctor *d)
{
    struct val o = val_dict_new(d->d.a, 5);
    struct str text;

    val_dict_set_c(o, "ok", val_bool(d->n[DOCTOR_ERROR] == 0));
    val_dict_set_c(o, "checks", val_int((int64_t)d->n_checks));
    val_dict_set_c(o, "errors", val_int(d->n[DOCTOR_ERROR]));
    val_dict_set_c(o, "warnings", val_int(d->n[DOCTOR_WARNING]));
    val_dict_set_c(o, "findings", d->findings);
    text = json_text(o, d->d.a);
    (void)printf("%.*s\n", STR_ARG(text));
}

static void print_text(struct doctor *d)
{
    for (size_t i = 0; i < val_count(d->findings); i++) {
        struct val f = val_at(d->findings, i);
        struct str level = val_get_text(f, "level", STR("")), check = val_get_text(f, "check", STR(""));
        struct str problem = val_get_text(f, "problem", STR("")), advice = val_get_text(f, "advice", STR(""));

        (void)printf("%.*s: %.*s: %.*s\n    %.*s\n", STR_ARG(level), STR_ARG(check), STR_ARG(problem), STR_ARG(advice));
    }
    (void)printf("%zu checks, %d errors, %d warnings\n", d->n_checks, d->n[DOCTOR_ERROR], d->n[DOCTOR_WARNING]);
}

static int examine(struct doctor *d, const char *const *certs, size_t n_certs, struct err *e)
{
    int rc = -1;

    d->findings = val_list_new(d->d.a, 8);
    if (db_get(d->d.db, &d->c, e) != 0)
        return -1;
    if (check_schema(d, e) != 0)
        goto out;
    for (size_t i = 0; i < doctor_checks_n; i++)
        ask(d, &doctor_checks[i]);
    for (size_t i = 0; i < n_certs; i++)
        check_file(d, certs[i]);
    rc = 0;
out:
    db_put(d->d.db, d->c);
    if (rc == 0)
        check_gateways(d);
    return rc;
}

int ctl_doctor(int argc, char **argv)
{
    const char *certs[CERTS_MAX];
    struct doctor d = {.n_checks = 0};
    bool json = false, structure = false;
    size_t n_certs = 0;
    struct err e = {0};
    int rc;

    for (int i = 1; i < argc; i++) {
        if (ctl_is_option(argv[i], "json"))
            json = true;
        else if (ctl_is_option(argv[i], "structure"))
            structure = true;
        else if (ctl_kek_option(argv[i], &d.kek))
            continue;
        else if (ctl_is_option(argv[i], "cert") && i + 1 < argc && n_certs < CERTS_MAX)
            certs[n_certs++] = argv[++i];
        else
            return ctl_usage(argv[0], "-json, -structure, -kek=FILE and -cert FILE are taken, nothing else");
    }
    if (structure) {
        rc = ctl_db_open(&d.d, false, &e) == 0 && doctor_structure(&d.d, &e) == 0 ? CTL_OK : ctl_db_fail(argv[0], &e);
    } else if (ctl_db_open(&d.d, false, &e) != 0 || examine(&d, certs, n_certs, &e) != 0) {
        rc = ctl_db_fail(argv[0], &e);
    } else {
        json ? print_json(&d) : print_text(&d);
        rc = d.n[DOCTOR_ERROR] > 0 ? CTL_FAILED : CTL_OK;
    }
    ctl_db_close(&d.d);
    return rc;
}
