/*
 * The database address: every way people write it, and no password in any message.
 */
#include "db/db.h"
#include "support/cases.h"

#define CANARY "canary7"

static const struct good {
    const char *name, *in, *uri, *shown, *warn;
} good[] = {
    {"plain", "postgresql://apio:canary7@postgres/apio", "postgresql://apio:canary7@postgres/apio",
     "apio@postgres:5432/apio", ""},
    {"short scheme and port", "postgres://apio:canary7@10.0.0.1:5433/apio",
     "postgresql://apio:canary7@10.0.0.1:5433/apio", "apio@10.0.0.1:5433/apio", ""},
    {"driver suffix", "postgresql+psycopg2://u:canary7@h/d", "postgresql://u:canary7@h/d",
     "u@h:5432/d", ""},
    {"letter case", "POSTGRESQL://u:canary7@h/d", "postgresql://u:canary7@h/d", "u@h:5432/d", ""},
    {"blanks around", "  postgresql://u:canary7@h/d \n", "postgresql://u:canary7@h/d", "u@h:5432/d",
     ""},
    {"at sign in the password", "postgresql://apio:canary7@x@h/d",
     "postgresql://apio:canary7%40x@h/d", "apio@h:5432/d",
     "DB: the password contains \"@\"; write it as %40"},
    {"encoded password", "postgresql://u:p%40%2F%3f%23%25@h/d",
     "postgresql://u:p%40%2F%3F%23%25@h/d", "u@h:5432/d", ""},
    {"colon and hash in the password", "postgresql://u:a:b#c@h/d", "postgresql://u:a%3Ab%23c@h/d",
     "u@h:5432/d", ""},
    {"empty password", "postgresql://u:@h/d", "postgresql://u:@h/d", "u@h:5432/d", ""},
    {"no user", "postgresql://h/d", "postgresql://h/d", "h:5432/d", ""},
    {"two hosts", "postgresql://u:canary7@a:5432,b/d?target_session_attrs=read-write",
     "postgresql://u:canary7@a:5432,b/d?target_session_attrs=read-write", "u@a:5432,b:5432/d", ""},
    {"two hosts, either would do", "postgresql://u@a,b:5433/d?target_session_attrs=any",
     "postgresql://u@a,b:5433/d?target_session_attrs=any", "u@a:5432,b:5433/d", ""},
    {"two hosts, not said which", "postgresql://u@a,b:5433/d?sslmode=disable",
     "postgresql://u@a,b:5433/d?sslmode=disable&target_session_attrs=read-write", "u@a:5432,b:5433/d", ""},
    {"two hosts in the query", "postgresql://u@/d?host=a,b&port=5432,5433",
     "postgresql://u@/d?host=a%2Cb&port=5432%2C5433&target_session_attrs=read-write", "u@a,b:5432,5433/d", ""},
    {"address of version 6", "postgresql://u@[::1]:5433/d", "postgresql://u@[::1]:5433/d",
     "u@[::1]:5433/d", ""},
    {"socket in the host", "postgresql://u@%2Frun%2Fpg/d", "postgresql://u@%2Frun%2Fpg/d",
     "u@/run/pg:5432/d", ""},
    {"socket in the query", "postgresql:///d?host=/run/pg&port=5433&user=u",
     "postgresql://u@/d?host=%2Frun%2Fpg&port=5433", "u@/run/pg:5433/d", ""},
    {"port of the local socket", "postgresql://u@:5433/d", "postgresql://u@/d?port=5433",
     "u@[local]:5433/d", ""},
    {"search path", "postgresql://u:canary7@h/d?options=-csearch_path%3Dsluice",
     "postgresql://u:canary7@h/d?options=-csearch_path%3Dsluice", "u@h:5432/d", ""},
    {"password in the query", "postgresql://u@h/d?password=canary7", "postgresql://u:canary7@h/d",
     "u@h:5432/d", ""},
    {"database in the query", "postgresql://u@h?dbname=d", "postgresql://u@h/d", "u@h:5432/d", ""},
    {"tls",
     "postgresql://u@h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem&connect_timeout=3&passfile=/x",
     "postgresql://u@h/"
     "d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=3&passfile=%2Fx",
     "u@h:5432/d", ""},
    {"parameters of other drivers", "postgresql://u:canary7@h/d?pool_max_conns=5&timezone=UTC",
     "postgresql://u:canary7@h/d", "u@h:5432/d",
     "DB: parameter \"pool_max_conns\" is of another program and was dropped\n"
     "DB: parameter \"timezone\" is of another program and was dropped"},
};

static void parses(const struct good *r)
{
    struct arena *a = arena_new(0);
    struct buf warn;
    struct err e = {0};
    struct str uri, shown;

    buf_init(&warn, KIB, a);
    if (db_address_parse(str_c(r->in), "DB", &uri, &shown, &warn, a, &e) != 0)
        fail_msg("%s", e.msg);
    assert_string_equal(uri.p, r->uri);
    assert_string_equal(str_cstr(a, shown), r->shown);
    assert_string_equal(buf_cstr(&warn), r->warn);
    assert_null(strstr(str_cstr(a, shown), CANARY));
    arena_free(a);
}

#define ENCODE                                                                                     \
    "DB: the part before \"@\" contains \"/\" or \"?\"; percent-encode it (/ = %2F, ? = %3F, @ = " \
    "%40, # = %23, % = "                                                                           \
    "%25)"
#define SHAPE "DB: expected postgresql://user:password@host/database"

static const struct bad {
    const char *name, *in, *msg;
} bad[] = {
    {"empty", "", "DB is not set; expected postgresql://user:password@host/database"},
    {"blank", "   ", "DB is not set; expected postgresql://user:password@host/database"},
    {"double quote", "\"postgresql://u:canary7@h/d\"",
     "DB starts with a quote character; remove the quotes (env files and lists in compose files "
     "keep them)"},
    {"single quote", "'postgresql://u:canary7@h/d'",
     "DB starts with a quote character; remove the quotes (env files and lists in compose files "
     "keep them)"},
    {"other scheme", "mysql://u:canary7@h/d",
     "DB: scheme \"mysql\" is not supported (postgresql://)"},
    {"jdbc", "jdbc:postgresql://u:canary7@h/d",
     "DB: scheme \"jdbc\" is not supported (postgresql://)"},
    {"no scheme", "u:canary7@h/d", SHAPE},
    {"key words", "host=h password=canary7 dbname=d", SHAPE},
    {"secret before the scheme", "canary7 @postgresql://h/d", SHAPE},
    {"slash in the password", "postgresql://u:canary7/ss@h/d", ENCODE},
    {"question mark in the password", "postgresql://u:canary7?ss@h/d", ENCODE},
    {"at sign and slash", "postgresql://u:p@canary7/ss@h/d", ENCODE},
    {"at sign and question mark", "postgresql://u:p@x?canary7=1@h/d", ENCODE},
    {"percent in the password", "postgresql://u:canary7%ss@h/d",
     "DB: \"%\" in the password must be written %25"},
    {"percent at the end", "postgresql://u:canary7%@h/d",
     "DB: \"%\" in the password must be written %25"},
    {"percent and one digit", "postgresql://u:canary7%4@h/d",
     "DB: \"%\" in the password must be written %25"},
    {"encoded zero", "postgresql://u:canary7%00@h/d",
     "DB: \"%\" in the password must be written %25"},
    {"unknown parameter", "postgresql://u:canary7@h/d?foo=1", "DB: unknown parameter \"foo\""},
    {"strange parameter", "postgresql://u:x@h/d?canary7!=1",
     "DB: the part behind \"?\" is not a list of name=value"},
    {"parameter without value", "postgresql://u:x@h/d?canary7",
     "DB: the part behind \"?\" is not a list of name=value"},
    {"no database", "postgresql://u:canary7@h", "DB: no database name"},
    {"no database but a slash", "postgresql://u:canary7@h/", "DB: no database name"},
    {"port", "postgresql://u@h:canary7/d", "DB: the port must be a number from 1 to 65535"},
    {"password without host", "postgresql://u:canary7/d",
     "DB: the port must be a number from 1 to 65535"},
    {"large port", "postgresql://u@h:70000/d", "DB: the port must be a number from 1 to 65535"},
    {"line feed inside", "postgresql://u:canary7\n@h/d", "DB: a control character in the address"},
    {"empty host in a list", "postgresql://u@a,,b/d", SHAPE},
    {"open bracket", "postgresql://u:canary7@[::1/d", SHAPE},
};

static void refuses(const struct bad *r)
{
    struct arena *a = arena_new(0);
    struct buf warn;
    struct err e = {0};
    struct str uri, shown;

    buf_init(&warn, KIB, a);
    assert_int_equal(db_address_parse(str_c(r->in), "DB", &uri, &shown, &warn, a, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_string_equal(e.msg, r->msg);
    assert_null(strstr(e.msg, CANARY));
    assert_null(strstr(e.detail, CANARY));
    assert_null(strstr(buf_cstr(&warn), CANARY));
    arena_free(a);
}

static void other_label(void **state)
{
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct str uri, shown;

    (void)state;
    assert_int_equal(
        db_address_parse(STR("oracle://u:p@h/d"), "datastores[2].dsn", &uri, &shown, NULL, a, &e),
        -1);
    assert_string_equal(e.msg,
                        "datastores[2].dsn: scheme \"oracle\" is not supported (postgresql://)");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(other_label)};

    return CASES(good, parses) + CASES(bad, refuses) + cmocka_run_group_tests(more, NULL, NULL);
}
