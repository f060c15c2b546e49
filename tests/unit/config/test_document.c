/*
 * The document: checks, masks, kept secrets, seals (http-api.md 6.1).
 */
#include "unit/config/box.h"

#include "format/jsonschema.h"

#define STORED                                                                                     \
    "{\"gateways\":{\"bwks\":{\"url\":\"http://h/\",\"password\":\"gwpw\"}},"                      \
    "\"datastores\":[{\"name\":\"one\",\"dsn\":\"mysql://u:p1@h/"                                  \
    "a\"},{\"name\":\"two\",\"dsn\":\"postgres://u:p@2@h/b\"}],"                                   \
    "\"smtp\":{\"password\":\"smtppw\"},\"SSO\":[null,{\"name\":\"oidc\",\"parameters\":{"         \
    "\"client_secret\":\"cs\"}}],"                                                                 \
    "\"env\":{\"password\":\"shown\"},\"extra\":{\"kept\":[1,2.5,null]}}"

/* What the next caller gets back after saving `in`, masked; or the error. */
static const struct row {
    const char *name, *in, *out, *error;
} rows[] = {
    {"secret kept", "{\"smtp\":{\"password\":\"## SECRET ##\"}}",
     "{\"smtp\":{\"password\":\"smtppw\"}}", NULL},
    {"secret kept, marker with more", "{\"smtp\":{\"password\":\"## SECRET ## x\"}}",
     "{\"smtp\":{\"password\":\"smtppw\"}}", NULL},
    {"secret kept by stars", "{\"smtp\":{\"password\":\"********\"}}",
     "{\"smtp\":{\"password\":\"smtppw\"}}", NULL},
    {"secret changed", "{\"smtp\":{\"password\":\"new\"}}", "{\"smtp\":{\"password\":\"new\"}}",
     NULL},
    {"secret removed", "{\"smtp\":{\"password\":\"\"}}", "{\"smtp\":{\"password\":\"\"}}", NULL},
    {"secret null", "{\"smtp\":{\"password\":null}}", "{\"smtp\":{\"password\":null}}", NULL},
    {"renamed gateway",
     "{\"gateways\":{\"new\":{\"url\":\"http://h/\",\"password\":\"## SECRET ##\"}}}", NULL,
     "gateways.new.password: there is no stored secret to keep; give it"},
    {"kept in its entry",
     "{\"gateways\":{\"bwks\":{\"url\":\"http://h/\",\"password\":\"## SECRET ##\"}}}",
     "{\"gateways\":{\"bwks\":{\"url\":\"http://h/\",\"password\":\"gwpw\"}}}", NULL},
    {"address kept, others removed before it",
     "{\"datastores\":[{\"name\":\"two\",\"dsn\":\"postgres://u:********@h/b\"}]}",
     "{\"datastores\":[{\"name\":\"two\",\"dsn\":\"postgres://u:p@2@h/b\"}]}", NULL},
    {"address without password", "{\"datastores\":[{\"name\":\"x\",\"dsn\":\"mysql://h/a\"}]}",
     "{\"datastores\":[{\"name\":\"x\",\"dsn\":\"mysql://h/a\"}]}", NULL},
    {"address, nothing to keep",
     "{\"datastores\":[{\"name\":\"x\",\"dsn\":\"mysql://u:********@h/a\"}]}", NULL,
     "datastores.0.dsn: there is no stored password to keep; give it"},
    {"item known by name",
     "{\"SSO\":[{\"name\":\"oidc\",\"parameters\":{\"client_secret\":\"## SECRET ##\"}}]}",
     "{\"SSO\":[{\"name\":\"oidc\",\"parameters\":{\"client_secret\":\"cs\"}}]}", NULL},
    {"null items", "{\"SSO\":[null]}", "{\"SSO\":[null]}", NULL},
    {"unknown members", "{\"extra\":{\"a\":[1,2.5,\"## SECRET ##\"]}}",
     "{\"extra\":{\"a\":[1,2.5,\"## SECRET ##\"]}}", NULL},
    {"big numbers", "{\"env\":{\"n\":123456789012345678901234567890}}",
     "{\"env\":{\"n\":123456789012345678901234567890}}", NULL},
    {"not an object", "[]", NULL, "expected the configuration document, an object"},
    {"section of another kind", "{\"gui\":[]}", NULL, "gui: expected an object"},
    {"text wanted", "{\"smtp\":{\"host\":1}}", NULL, "smtp.host: expected text"},
    {"secret of another kind", "{\"smtp\":{\"password\":7}}", NULL, "smtp.password: expected text"},
    {"bool wanted", "{\"smtp\":{\"ssl\":\"yes\"}}", NULL, "smtp.ssl: expected true or false"},
    {"number wanted", "{\"smtp\":{\"port\":\"x\"}}", NULL,
     "smtp.port: expected a whole number from 1 to 65535"},
    {"number too large", "{\"smtp\":{\"port\":65536}}", NULL,
     "smtp.port: expected a whole number from 1 to 65535"},
    {"no fraction", "{\"retention\":{\"default\":1.5}}", NULL,
     "retention.default: expected a whole number from 0 to 1200"},
    {"empty number", "{\"password\":{\"min_length\":\"\"}}", "{\"password\":{\"min_length\":\"\"}}",
     NULL},
    {"count as bool", "{\"password\":{\"digits\":true}}", "{\"password\":{\"digits\":true}}", NULL},
    {"no bool elsewhere", "{\"smtp\":{\"port\":true}}", NULL,
     "smtp.port: expected a whole number from 1 to 65535"},
    {"texts wanted", "{\"gui\":{\"modules\":[1]}}", NULL, "gui.modules: expected a list of texts"},
    {"URL wanted", "{\"gateways\":{\"a\":{\"url\":\"gw\"}}}", NULL,
     "gateways.a.url: expected an http or https URL"},
    {"backup URL", "{\"gateways\":{\"a\":{\"backup_urls\":[\"http://x\",3]}}}", NULL,
     "gateways.a.backup_urls.1: expected text"},
    {"gateway null", "{\"gateways\":{\"a\":null}}", NULL, "gateways.a: expected an object"},
    {"gateway without name", "{\"gateways\":{\"\":{}}}", NULL,
     "gateways: a name must not be empty"},
    {"rule of gateways", "{\"gateways\":{\"a\":{\"auth\":\"x\"}}}", NULL,
     "gateways.a.auth: unknown auth \"x\""},
    {"threshold",
     "{\"alarms\":{\"alarms\":{\"x\":{\"thresholds\":[{\"threshold\":0.5},{\"threshold\":\"\"}]}}}"
     "}",
     "{\"alarms\":{\"alarms\":{\"x\":{\"thresholds\":[{\"threshold\":0.5},{\"threshold\":\"\"}]}}}"
     "}",
     NULL},
    {"datastore twice", "{\"datastores\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", NULL,
     "datastores.1.name: \"a\" appears twice"},
    {"datastore without name", "{\"datastores\":[{\"dsn\":\"mysql://h/a\"}]}", NULL,
     "datastores.0.name: is required"},
};

static void accepts(const struct row *r)
{
    struct cfg_box *b = box_new(STORED);
    struct arena *a = b->c.a;
    struct val stored;
    struct val opened;
    struct err e = {0};
    int rc = cfg_document_accept(&b->c, box_json(r->in, a), &stored, a, &e);

    if (r->error != NULL) {
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_INVALID);
        assert_string_equal(e.msg, r->error);
    } else {
        if (rc != 0)
            fail_msg("%s", e.msg);
        assert_int_equal(cfg_document_open(&b->c, stored, &opened, a, &e), 0);
        assert_string_equal(json_text(opened, a).p, r->out);
    }
    cfg_put(&b->c);
}

static void nothing_shows_secrets(void **state)
{
    static const char *const secrets[] = {"gwpw", ":p1@", "p@2", "smtppw", "\"cs\""};
    struct cfg_box *b = box_new(STORED);
    struct arena *a = b->c.a;
    struct val stored;
    struct err e = {0};
    struct str masked = json_text(b->c.masked, a);
    struct str text;

    (void)state;
    assert_int_equal(cfg_document_accept(&b->c, b->c.doc, &stored, a, &e), 0);
    text = json_text(stored, a);
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        assert_int_equal(str_find(masked, str_c(secrets[i])), -1);
        assert_int_equal(str_find(text, str_c(secrets[i])), -1);
    }
    assert_true(str_find(masked, STR("mysql://u:********@h/a")) >= 0);
    assert_true(str_find(masked, STR("postgres://u:********@h/b")) >= 0);
    assert_true(str_find(masked, STR("\"shown\"")) >= 0);
    assert_true(str_find(text, STR("mysql://u:sealed:")) >= 0);
    /* masking what is stored gives the same as masking what is open */
    assert_string_equal(json_text(cfg_document_masked(stored, a), a).p, masked.p);
    cfg_put(&b->c);
}

/* A seal is bound to its place: moved to another member it does not open. */
static void moved_secret(void **state)
{
    struct cfg_box *b = box_new(STORED);
    struct arena *a = b->c.a;
    struct val stored;
    struct val moved = val_dict_new(a, 1);
    struct val smpp = val_dict_new(a, 1);
    struct val out;
    struct err e = {0};

    (void)state;
    assert_int_equal(cfg_document_accept(&b->c, b->c.doc, &stored, a, &e), 0);
    val_dict_set_c(smpp, "password", val_path(stored, "smtp.password"));
    val_dict_set_c(moved, "smpp", smpp);
    assert_int_equal(cfg_document_open(&b->c, moved, &out, a, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.msg, "secret /smpp/password cannot be opened: seal does not open");
    ((struct cfg_key *)(uintptr_t)b->c.keys)->id = 8;
    assert_int_equal(cfg_document_open(&b->c, stored, &out, a, &e), -1);
    assert_string_equal(
        e.msg, "secret /gateways/bwks/password cannot be opened: its key (id 7) is missing");
    cfg_put(&b->c);
}

static void pointer_escapes(void **state)
{
    struct arena *a = arena_new(0);
    const struct place root = {NULL, STR("gateways"), false};
    const struct place gw = {&root, STR("a/b~c"), false};

    (void)state;
    assert_true(str_eq_c(place_pointer(&gw, a), "/gateways/a~1b~0c"));
    assert_true(str_eq_c(place_dotted(&gw, a), "gateways.a/b~c"));
    arena_free(a);
}

static void default_is_complete(void **state)
{
    struct cfg_box *b = box_new("{}");
    struct arena *a = b->c.a;
    struct val def = cfg_document_default(a);
    struct jsonschema_error *errors = NULL;
    struct jsonschema *schema;
    struct val out;
    struct err e = {0};

    (void)state;
    assert_int_equal(cfg_document_accept(&b->c, def, &out, a, &e), 0);
    assert_int_equal(val_count(val_path(def, "alarms.alarms.network_issues.thresholds")), 3);
    assert_int_equal(jsonschema_compile(&schema, cfg_document_schema(a), JSONSCHEMA_AUTO, 0, a, &e),
                     0);
    assert_int_equal(jsonschema_validate(schema, def, &errors, a, &e), 1);
    assert_int_equal(
        jsonschema_validate(schema, box_json("{\"smtp\":{\"port\":0}}", a), &errors, a, &e), 0);
    assert_true(str_eq_c(errors->path, "smtp.port"));
    cfg_put(&b->c);
}

static void single_settings(void **state)
{
    struct cfg_box *b = box_new(
        "{\"gui\":{\"lockout_threshold\":\"7\",\"label\":\"x\"},\"password\":{\"digits\":true,"
        "\"min_length\":\"\"},\"smtp\":{\"port\":0}}");

    (void)state;
    assert_int_equal(cfg_int(&b->c, "gui.lockout_threshold"), 7);
    assert_int_equal(cfg_int(&b->c, "gui.lockout_duration"), 5);
    assert_int_equal(cfg_int(&b->c, "password.digits"), 1);
    assert_int_equal(cfg_int(&b->c, "password.min_length"), 8);
    assert_int_equal(cfg_int(&b->c, "smtp.port"), 25); /* out of range: the default */
    assert_true(cfg_bool(&b->c, "gui.prod"));
    assert_false(cfg_bool(&b->c, "gui.2fa.active"));
    assert_true(str_eq_c(cfg_text(&b->c, "gui.label"), "x"));
    assert_true(str_eq_c(cfg_text(&b->c, "cache.store"), "memory://"));
    assert_true(str_eq_c(cfg_text(&b->c, "timezone"), "UTC"));
    cfg_put(&b->c);
}

/* ---- values nothing could act upon ------------------------------------------------------------- */

#define ODD                                                                                                                  \
    "{\"gateways\":{\"old\":{\"failover\":\"never\",\"proxies\":\"ftp://u:pw@x\",\"auth\":\"hawk\",\"algorithm\":\"md5\"}}," \
    "\"cache\":{\"store\":\"rediss://:pw@h/0\"}}"

static const struct value_row {
    const char *name, *in, *error;
} value_rows[] = {
    {"nothing", "{}", NULL},
    {"none", "{\"gateways\":{\"a\":{\"failover\":null,\"proxies\":\"\"},\"b\":null},\"cache\":null}", NULL},
    {"failover", "{\"gateways\":{\"a\":{\"failover\":\"call\"},\"b\":{\"failover\":\" next \"}}}", NULL},
    {"unknown failover", "{\"gateways\":{\"a\":{\"failover\":\"Next\"}}}", "gateways.a.failover: expected \"call\" or \"next\""},
    {"algorithms", "{\"gateways\":{\"a\":{\"auth\":\"hawk\",\"algorithm\":\"SHA256\"},\"b\":{\"auth\":\"hawk\",\"algorithm\":\"sha1\"}}}", NULL},
    {"algorithm nobody uses", "{\"gateways\":{\"a\":{\"auth\":\"basic\",\"algorithm\":\"md5\"}}}", NULL},
    {"unknown algorithm", "{\"gateways\":{\"a\":{\"auth\":\"hawk\",\"algorithm\":\"md5\"}}}",
     "gateways.a.algorithm: expected \"sha256\" or \"sha1\""},
    {"proxies", "{\"gateways\":{\"a\":{\"proxies\":\"http://u:********@p:3128/\"},\"b\":{\"proxies\":\"HTTPS://[::1]:1\"}}}", NULL},
    {"socks", "{\"gateways\":{\"a\":{\"proxies\":\"socks5h://p:1080\"}}}", NULL},
    {"proxy without scheme", "{\"gateways\":{\"a\":{\"proxies\":\"proxy:3128\"}}}",
     "gateways.a.proxies: expected a URL such as http://proxy.example.org:3128/"},
    {"proxy of another kind", "{\"gateways\":{\"a\":{\"proxies\":\"ftp://p/\"}}}",
     "gateways.a.proxies: expected a URL such as http://proxy.example.org:3128/"},
    {"words for a proxy", "{\"gateways\":{\"a\":{\"proxies\":\"our proxy\"}}}",
     "gateways.a.proxies: expected a URL such as http://proxy.example.org:3128/"},
    {"memory", "{\"cache\":{\"store\":\"memory://\"}}", NULL},
    {"redis", "{\"cache\":{\"store\":\"redis://:********@h:6379/15\"}}", NULL},
    {"redis alone", "{\"cache\":{\"store\":\"redis://h\"}}", NULL},
    {"unknown store", "{\"cache\":{\"store\":\"memcached://h\"}}", "cache.store: expected memory:// or redis://host:port/number"},
    {"redis without host", "{\"cache\":{\"store\":\"redis://\"}}", "cache.store: expected memory:// or redis://host:port/number"},
    {"redis by name", "{\"cache\":{\"store\":\"redis://h/main\"}}", "cache.store: expected memory:// or redis://host:port/number"},
    {"what is there stays",
     "{\"gateways\":{\"old\":{\"failover\":\"never\",\"proxies\":\"ftp://u:********@x\",\"auth\":\"hawk\",\"algorithm\":\"md5\"}},"
     "\"cache\":{\"store\":\"rediss://:********@h/0\"}}", NULL},
    {"there, but elsewhere", "{\"gateways\":{\"new\":{\"failover\":\"never\"}}}", "gateways.new.failover: expected \"call\" or \"next\""},
};

static void checks_values(const struct value_row *r)
{
    struct cfg_box *b = box_new(ODD);
    struct err e = {0};
    int rc = cfg_document_check_values(&b->c, box_json(r->in, b->c.a), b->c.a, &e);

    if (r->error == NULL && rc != 0)
        fail_msg("%s", e.msg);
    if (r->error != NULL) {
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERR_INVALID);
        assert_string_equal(e.msg, r->error);
    }
    cfg_put(&b->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_shows_secrets), cmocka_unit_test(moved_secret),
        cmocka_unit_test(pointer_escapes),       cmocka_unit_test(default_is_complete),
        cmocka_unit_test(single_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, accepts) + CASES(value_rows, checks_values);
}
