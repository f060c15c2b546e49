/*
 * Reading the command line by the table of options.def; Go's conventions with three traps closed (migration.md 2.1).
 */
#include "options.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/arena.h"
#include "template/literal.h"

enum kind { BOOL, TEXT, PORT, INT, DURATION, MODE, PROXY, NAME, HOST, NETS };
enum { CORE = PROGRAM_CORE, PROXY_ONLY = PROGRAM_PROXY, BOTH = PROGRAM_CORE | PROGRAM_PROXY };

struct option_row {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *otherwise;
    int programs;
    const char *help;
};

#define PROGRAMS_CORE CORE
#define PROGRAMS_PROXY PROXY_ONLY
#define PROGRAMS_BOTH BOTH
static const struct option_row rows[] = {
#define OPTION(name, kind, member, otherwise, programs, help)                                      \
    {#name, kind, offsetof(struct options, member), otherwise, PROGRAMS_##programs, help},
#include "options.def"
#undef OPTION
};

static const struct option_row help_row = {"help", BOOL, offsetof(struct options, help), "false", BOTH,
                                           "print this and exit"};
static const struct option_row version_row = {"version", BOOL, offsetof(struct options, version), "false",
                                              BOTH, "print the version and exit"};

/* What must not stand on a command line, where everybody on the machine can read it. */
static const char *const environment_only[] = {"DB", "db", "password", "dsn"};

const char *program_name(enum program p)
{
    return p == PROGRAM_CORE ? "sluice-core" : "sluice-proxy";
}

static const struct option_row *find_row(struct str name)
{
    if (str_eq_c(name, "help") || str_eq_c(name, "h"))
        return &help_row;
    if (str_eq_c(name, "version"))
        return &version_row;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (str_eq_c(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

static bool bool_literal(struct str s, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (str_eq_c(s, yes[i]))
            return *out = true;
        if (str_eq_c(s, no[i])) {
            *out = false;
            return true;
        }
    }
    return false;
}

static size_t edit_distance(struct str x, struct str y)
{
    size_t row[64];

    if (x.len >= COUNT_OF(row) || y.len >= COUNT_OF(row))
        return COUNT_OF(row);
    for (size_t j = 0; j <= y.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= x.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= y.len; j++) {
            size_t best = diagonal + (x.p[i - 1] != y.p[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[y.len];
}

static void unknown_option(struct str name, enum program p, struct buf *errors)
{
    const struct option_row *near = NULL;
    size_t best = 3;

    for (size_t i = 0; i < COUNT_OF(environment_only); i++) {
        if (str_eq_c(name, environment_only[i])) {
            buf_addf(errors, "unknown option -%.*s (the database address is the environment variable DB)\n",
                     STR_ARG(name));
            return;
        }
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct str known = str_c(rows[i].name);

        if ((rows[i].programs & (int)p) == 0)
            continue;
        if (str_ieq(known, name)) {
            buf_addf(errors, "unknown option -%.*s (options are case-sensitive: -%s)\n", STR_ARG(name),
                     rows[i].name);
            return;
        }
        if (edit_distance(known, name) < best) {
            best = edit_distance(known, name);
            near = &rows[i];
        }
    }
    buf_addf(errors, "unknown option -%.*s", STR_ARG(name));
    if (near != NULL)
        buf_addf(errors, " (did you mean -%s?)", near->name);
    buf_putc(errors, '\n');
}

static bool host_ok(const char *host)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool ok = host[0] != '\0' && getaddrinfo(host, NULL, &hints, &found) == 0;

    if (found != NULL)
        freeaddrinfo(found);
    return ok;
}

static void set_mode(const struct option_row *row, struct str value, int64_t *field, struct buf *errors)
{
    int64_t mode = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '7' || value.len > 4) {
            mode = -1;
            break;
        }
        mode = mode * 8 + (value.p[i] - '0');
    }
    if (value.len == 0 || mode < 0)
        buf_addf(errors, "-%s: expected octal permissions such as 0660, got \"%.*s\"\n", row->name,
                 STR_ARG(value));
    else
        *field = mode;
}

static void set_duration(const struct option_row *row, struct str value, int64_t *field, struct buf *errors)
{
    struct err e = {0};

    if (duration_parse(value, 0, STR(""), field, &e) != 0)
        buf_addf(errors, "-%s: expected a duration such as 30s or 5m, got \"%.*s\"\n", row->name,
                 STR_ARG(value));
}

static void add_nets(const struct option_row *row, struct str value, struct ip_nets *nets,
                     struct buf *errors, struct arena *a)
{
    do {
        struct str entry = str_trim(str_cut(&value, ','));

        nets->items = arena_grow(a, nets->items, nets->n * sizeof *nets->items,
                                 (nets->n + 1) * sizeof *nets->items);
        if (ip_net_parse(entry, &nets->items[nets->n]))
            nets->n++;
        else
            buf_addf(errors, "-%s: \"%.*s\" is not an address or network such as 10.0.0.0/8\n",
                     row->name, STR_ARG(entry));
    } while (value.len > 0);
}

/* Store `value` for the row; mistakes become lines of `errors`. */
static void set_value(struct options *o, const struct option_row *row, struct str value, struct buf *errors,
                      struct arena *a)
{
    void *field = (char *)o + row->offset;
    struct err e = {0};
    int64_t number = 0;
    bool flag = false;

    switch (row->kind) {
    case BOOL:
        if (!bool_literal(value, &flag))
            buf_addf(errors, "-%s: expected true or false, got \"%.*s\"\n", row->name, STR_ARG(value));
        else
            *(bool *)field = flag;
        break;
    case NAME:
        if (bool_literal(value, &flag))
            *(const char **)field = flag ? row->otherwise : NULL;
        else
            *(const char **)field = str_cstr(a, value);
        break;
    case TEXT:
        *(const char **)field = str_cstr(a, value);
        break;
    case HOST:
        *(const char **)field = str_cstr(a, value);
        if (!host_ok(*(const char **)field))
            buf_addf(errors, "-%s: \"%.*s\" is not an address or host name\n", row->name, STR_ARG(value));
        break;
    case PORT:
        if (!str_to_int(value, &number) || number < 1 || number > 65535)
            buf_addf(errors, "-%s: expected a number from 1 to 65535, got \"%.*s\"\n", row->name,
                     STR_ARG(value));
        else
            *(int64_t *)field = number;
        break;
    case INT:
        if (!str_to_int(value, &number) || number < 0)
            buf_addf(errors, "-%s: expected a number, got \"%.*s\"\n", row->name, STR_ARG(value));
        else
            *(int64_t *)field = number;
        break;
    case MODE:
        set_mode(row, value, field, errors);
        break;
    case DURATION:
        set_duration(row, value, field, errors);
        break;
    case NETS:
        add_nets(row, value, field, errors, a);
        break;
    case PROXY:
        if (proxy_maps_add(field, value, a, &e) != 0)
            buf_addf(errors, "%s\n", e.msg);
        break;
    }
}

static bool takes_no_value(const struct option_row *row)
{
    return row->kind == BOOL || row->kind == NAME;
}

/* One option at argv[i]; returns how many words it took. */
static int parse_option(struct options *o, enum program p, int argc, char **argv, int i, struct buf *errors,
                        struct arena *a)
{
    struct str word = str_c(argv[i]), name;
    ptrdiff_t eq = str_find_char(word, '=');
    const struct option_row *row;
    bool flag;

    name = str_slice(word, str_starts(word, STR("--")) ? 2 : 1, eq >= 0 ? (size_t)eq : word.len);
    row = find_row(name);
    if (row == NULL || (row->programs & (int)p) == 0) {
        unknown_option(name, p, errors);
        /* its value, if it is one, is not an error of its own */
        return eq < 0 && i + 1 < argc && argv[i + 1][0] != '-' ? 2 : 1;
    }
    if (eq >= 0) {
        set_value(o, row, str_slice(word, (size_t)eq + 1, word.len), errors, a);
        return 1;
    }
    if (takes_no_value(row)) {
        if (i + 1 < argc && bool_literal(str_c(argv[i + 1]), &flag)) {
            set_value(o, row, str_c(argv[i + 1]), errors, a);
            return 2;
        }
        set_value(o, row, STR("true"), errors, a);
        return 1;
    }
    if (i + 1 >= argc) {
        buf_addf(errors, "-%s needs a value\n", row->name);
        return 1;
    }
    set_value(o, row, str_c(argv[i + 1]), errors, a);
    return 2;
}

static void set_defaults(struct options *o, struct arena *a)
{
    char line[64];
    struct buf none;

    buf_init(&none, sizeof line, a);
    *o = (struct options){0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].kind == HOST)
            *(const char **)((char *)o + rows[i].offset) = rows[i].otherwise;
        else if (rows[i].kind != NAME && rows[i].otherwise[0] != '\0')
            set_value(o, &rows[i], str_c(rows[i].otherwise), &none, a);
    }
}

int options_parse(struct options *o, enum program p, int argc, char **argv, struct buf *errors, struct arena *a)
{
    set_defaults(o, a);
    for (int i = 1; i < argc;) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            i += parse_option(o, p, argc, argv, i, errors, a);
        } else {
            buf_addf(errors, "unexpected word \"%s\" after %s\n", argv[i], i > 1 ? argv[i - 1] : argv[0]);
            i++;
        }
    }
    if (o->help || o->version)
        return 0;
    if (p == PROGRAM_PROXY && o->proxies.n == 0 && errors->len == 0)
        buf_addf(errors, "sluice-proxy needs -proxy=PREFIX:GATEWAY\n");
    return errors->len > 0 ? -1 : 0;
}

void options_help(enum program p, struct buf *out)
{
    static const char *const value[] = {
        [BOOL] = "", [TEXT] = "=PATH", [PORT] = "=N", [INT] = "=N", [DURATION] = "=TIME",
        [MODE] = "=MODE", [PROXY] = "=PREFIX:GATEWAY", [NAME] = "[=NAME]", [HOST] = "=ADDRESS", [NETS] = "=NETWORKS"};

    buf_addf(out,
             "usage: DB=postgresql://user:password@host/database %s [options]\n\n"
             "Serves FastCGI on descriptor 0 when that is a socket (spawn-fcgi, supervisord, systemd),\n"
             "else on -socket or -host and -port.  -x and --x, -x=v and -x v are the same.\n\n",
             program_name(p));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char left[64];

        if ((rows[i].programs & (int)p) == 0)
            continue;
        snprintf(left, sizeof left, "-%s%s", rows[i].name, value[rows[i].kind]);
        buf_addf(out, "  %-26s %s", left, rows[i].help);
        if (rows[i].otherwise[0] != '\0' && rows[i].kind != NAME)
            buf_addf(out, " (default %s)", rows[i].otherwise);
        buf_putc(out, '\n');
    }
    buf_add_c(out, "  -version                   print the version and exit\n"
                   "  -help                      print this and exit\n\n"
                   "exit status: 0 stopped, 1 could not do it now, 2 command line or environment wrong,\n"
                   "78 configuration, structure, keys or rights wrong\n");
}
