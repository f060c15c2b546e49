/*
 * Keys and what they seal, as an operator moves them: the statement of the migrations page, tokens
 * of the former product, sluicectl keys, the key outside the database (migration.md 7, R-16, R-17,
 * R-20, R-21).
 */
#include "base/arena.h"
#include "integration/env_api.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RENAME "UPDATE keys SET label = 'document-storage-old' WHERE label = 'document-storage'"
#define BACK "UPDATE keys SET label = 'document-storage' WHERE label = 'document-storage-old'"
#define FERNET_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define FERNET_HELLO                                                                               \
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
#define SMTP_CANARY "canary-7f3a-smtp"

#define ANSWERING                                                                                  \
    DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"x\"", "\"ok\"") ",",    \
               LINE("start.ok", "answer") "," LINE("answer.ok", "end"))

static struct env *env;
static const char *base; /* documents of an instance */
static int64_t instance;
static pid_t core;
static int n_runs;

static char *printed(const char *fmt, ...) PRINTF_LIKE(1, 2);
static char *printed(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = arena_vprintf(env_arena(env), fmt, ap);
    va_end(ap);
    return s;
}

static const char *psql(const char *sql)
{
    return env_psql(env, sql);
}

static char *text_of(size_t n, unsigned seed)
{
    char *s = arena_alloc(env_arena(env), n + 1);

    for (size_t i = 0; i < n; i++)
        s[i] = (char)('!' + (i * 31 + i / 251 + seed) % 90);
    s[n] = '\0';
    return s;
}

/* ---- documents ------------------------------------------------------------------------------- */

static int64_t put(const char *name, const char *content)
{
    const char *headers[] = {api_auth(env), "Content-Type: text/csv", NULL};
    struct env_answer a = env_http(env, "POST", printed("%s?name=%s", base, name), headers, content);

    if (a.status != 200)
        env_fail(env, "upload of %s: %d %s", name, a.status, a.body);
    return api_int(api_json(env, &a), "id");
}

static struct env_answer get(int64_t id)
{
    return api_raw(env, "GET", printed("%s/%lld", base, (long long)id), NULL);
}

static void holds(int64_t id, const char *content)
{
    struct env_answer a = get(id);

    if (a.status != 200 || strcmp(a.body, content) != 0)
        env_fail(env, "document %lld: %d %.200s", (long long)id, a.status, a.body);
}

static int64_t key_of(int64_t document)
{
    return atoll(psql(printed("SELECT key_id FROM documents WHERE id = %lld", (long long)document)));
}

static int64_t put_token(const char *name, const char *token, const char *key_id)
{
    return atoll(psql(printed(
        "INSERT INTO documents (instance_id, instance_on, name, mime_type, key_id, content) SELECT %lld, created_on, '%s', "
        "'text/plain', %s, convert_to('%s', 'UTF8') FROM instances WHERE id = %lld RETURNING id",
        (long long)instance, name, key_id, token, (long long)instance)));
}

static int64_t add_token_key(const char *label)
{
    return atoll(psql(printed("INSERT INTO keys (label, algorithm, material) VALUES ('%s', 'fernet', convert_to('" FERNET_KEY
                              "', 'UTF8')) RETURNING id", label)));
}

/* ---- sluicectl keys -------------------------------------------------------------------------- */

static pid_t start_ctl(const char *name, const char *line)
{
    const char *argv[16] = {env_program(env, "sluicectl"), "keys"};
    const char *vars[] = {printed("DB=%s", env_db(env)), NULL};
    struct str rest = str_c(line);
    size_t n = 2;

    while (rest.len > 0 && n < COUNT_OF(argv) - 1)
        argv[n++] = str_cstr(env_arena(env), str_cut(&rest, ' '));
    return env_spawn(env, name, argv, vars);
}

/* Neither the password of the configuration nor the keys outside the database. */
static void hides(const char *what, const char *text)
{
    if (strstr(text, "canary") != NULL || strstr(text, "02030405060708090a") != NULL)
        env_fail(env, "%s shows a secret", what);
}

/* Its output; the exit status must be the one expected. */
static const char *ctl(int status, const char *line)
{
    const char *name = printed("keys%d", n_runs++);
    int got = env_wait_exit(env, start_ctl(name, line), 60000);

    if (got != status)
        env_fail(env, "keys %s: expected exit %d, got %d: %s", line, status, got, env_log(env, name));
    hides(line, env_log(env, name));
    return env_log(env, name);
}

static void says(const char *output, const char *part)
{
    if (strstr(output, part) == NULL)
        env_fail(env, "expected \"%s\" in: %s", part, output);
}

/* ---- R-16, R-17, R-20, R-21 ------------------------------------------------------------------- */

static void item_14_R_17_the_statement_any_number_of_times(void **state)
{
    int64_t before = put("before.csv", "kept before"), after, later;

    (void)state;
    psql(RENAME);
    psql(RENAME);
    /* the next write makes a new key, at once */
    after = put("after.csv", "kept after");
    assert_int_not_equal(key_of(before), key_of(after));
    holds(before, "kept before");
    holds(after, "kept after");
    assert_string_equal(psql("SELECT count(*) FROM keys WHERE label = 'document-storage'"), "1");
    psql(RENAME);
    later = put("later.csv", "kept later");
    assert_int_not_equal(key_of(after), key_of(later));
    assert_string_equal(psql("SELECT count(*) FROM keys WHERE label = 'document-storage-old'"), "2");
    /* back: the newest of the label writes */
    psql(BACK);
    holds(before, "kept before");
    holds(after, "kept after");
    holds(later, "kept later");
    assert_int_equal(key_of(put("back.csv", "x")), key_of(later));
}

static void R_17_needs_no_superuser(void **state)
{
    (void)state;
    psql("CREATE ROLE operator LOGIN");
    psql("GRANT SELECT, UPDATE ON keys TO operator");
    env_psql_at(env, env_db_of(env, "operator", NULL), RENAME);
    env_psql_at(env, env_db_of(env, "operator", NULL), BACK);
}

static void R_16_a_token_key_never_writes(void **state)
{
    int64_t old, id, made;

    (void)state;
    psql(RENAME);
    old = add_token_key("document-storage");
    id = put_token("token.txt", FERNET_HELLO, printed("%lld", (long long)old));
    made = put("new.csv", "sealed anew");
    assert_int_not_equal(key_of(made), old);
    assert_string_equal(psql(printed("SELECT algorithm FROM keys WHERE id = %lld", (long long)key_of(made))), "aes-256-gcm");
    holds(id, "hello");
    psql(RENAME);
    psql(BACK);
    psql("UPDATE documents SET head = head WHERE head IS NULL");
    assert_int_not_equal(key_of(put("newer.csv", "x")), old);
    holds(id, "hello");
}

static void R_20_after_the_rename_everything_is_there(void **state)
{
    static const size_t sizes[] = {0, 10, 65536, 200000};
    int64_t ids[COUNT_OF(sizes)], fresh;
    struct env_answer a;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        ids[i] = put(printed("r20-%zu.csv", i), text_of(sizes[i], (unsigned)i));
    psql(RENAME);
    fresh = put("r20-fresh.csv", "fresh");
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        holds(ids[i], text_of(sizes[i], (unsigned)i));
        assert_int_not_equal(key_of(ids[i]), key_of(fresh));
    }
    a = get(ids[1]);
    assert_string_equal(env_header(env, &a, "content-type"), "text/csv");
}

static void R_21_only_a_token_key(void **state)
{
    int64_t key, id, unnamed, made;

    (void)state;
    psql(RENAME);
    psql("UPDATE keys SET state = 'decrypt' WHERE label = 'document-storage-old'");
    key = add_token_key("document-storage");
    id = put_token("r21.txt", FERNET_HELLO, printed("%lld", (long long)key));
    unnamed = put_token("r21b.txt", FERNET_HELLO, "NULL");
    holds(id, "hello");
    holds(unnamed, "hello"); /* proved by the MAC */
    made = put("r21.csv", "written without any statement");
    assert_int_not_equal(key_of(made), key);
    holds(made, "written without any statement");
    holds(id, "hello");
}

static void item_15_a_token_that_no_key_opens(void **state)
{
    char bad[] = FERNET_HELLO;
    int64_t id;
    struct env_answer a;

    (void)state;
    bad[40] = bad[40] == 'A' ? 'B' : 'A';
    id = put_token("bad.txt", bad, "NULL");
    a = get(id);
    assert_int_equal(a.status, 500);
    assert_string_equal(api_text(env, api_json(env, &a), "error"), "document \"bad.txt\" is damaged (seal does not open)");
    says(ctl(3, "verify"), printed("documents id %lld: document \"bad.txt\" is damaged", (long long)id));
    says(ctl(3, "reseal"), printed("documents id %lld: document \"bad.txt\" is damaged (seal does not open); left as is", (long long)id));
    assert_string_equal(psql(printed("SELECT convert_from(content, 'UTF8') FROM documents WHERE id = %lld", (long long)id)), bad);
    api(env, 200, "DELETE", printed("%s/%lld", base, (long long)id), NULL);
}

static void restart(const char *option)
{
    env_kill(env, core, SIGTERM);
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", option, NULL});
    ENV_WAIT(env, 15000, env_http(env, "GET", "/api/v01/health", NULL, NULL).status == 200);
}

/* ---- rotation and reseal ----------------------------------------------------------------------- */

static void keys_rotate_after_90_days(void **state)
{
    int64_t id = put("worn.csv", "worn"), next;

    (void)state;
    psql(printed("UPDATE keys SET created_on = now() - interval '91 days' WHERE id = %lld", (long long)key_of(id)));
    ENV_WAIT(env, 10000, strcmp(psql(printed("SELECT state FROM keys WHERE id = %lld", (long long)key_of(id))), "decrypt") == 0);
    next = put("next.csv", "next");
    assert_int_not_equal(key_of(next), key_of(id));
    holds(id, "worn");
}

/* Bounded by the law of random nonces; processes count, and write the count when they end. */
static void keys_rotate_after_2_to_the_30_seals(void **state)
{
    int64_t id = put("counted.csv", "counted"), key = key_of(id), next;
    int64_t before = atoll(psql(printed("SELECT seals FROM keys WHERE id = %lld", (long long)key)));

    (void)state;
    for (int i = 0; i < 5; i++)
        put(printed("counted-%d.csv", i), "x");
    restart("-threads=2");
    assert_true(atoll(psql(printed("SELECT seals FROM keys WHERE id = %lld", (long long)key))) >= before + 6);
    psql(printed("UPDATE keys SET seals = 1073741823 WHERE id = %lld", (long long)key));
    assert_int_equal(key_of(put("last.csv", "last")), key);
    psql(printed("UPDATE keys SET seals = 1073741824 WHERE id = %lld", (long long)key));
    ENV_WAIT(env, 10000, strcmp(psql(printed("SELECT state FROM keys WHERE id = %lld", (long long)key)), "decrypt") == 0);
    next = put("next30.csv", "next");
    assert_int_not_equal(key_of(next), key);
    holds(id, "counted");
}

static void rotate_and_reseal(void **state)
{
    int64_t small = put("small.csv", "small"), large = put("large.csv", text_of(3000000, 1)), token, old = key_of(small);
    const char *list;

    (void)state;
    token = put_token("large token.txt", FERNET_HELLO, "NULL");
    api_configure(env, "smtp", "{\"server\":\"127.0.0.1\",\"password\":\"" SMTP_CANARY "\"}");
    says(ctl(0, "rotate document-storage"), "writes \"document-storage\" now");
    says(ctl(0, "rotate secrets"), "writes \"secrets\" now");
    says(ctl(1, "rotate nonsense"), "no key is labelled \"nonsense\"");
    says(ctl(1, printed("retire %lld", (long long)old)), "still seals");
    says(ctl(0, "reseal --dry-run"), "documents");
    assert_int_equal(key_of(small), old);
    says(ctl(0, "reseal --batch=7"), ", 0 could not be opened");
    holds(small, "small");
    holds(large, text_of(3000000, 1));
    holds(token, "hello");
    assert_int_not_equal(key_of(small), old);
    assert_string_equal(psql("SELECT count(*) FROM documents WHERE head IS NULL OR key_id <> (SELECT max(id) FROM keys WHERE "
                             "label = 'document-storage' AND state = 'active' AND algorithm = 'aes-256-gcm')"), "0");
    assert_string_equal(psql("SELECT size_in_bytes FROM documents WHERE name = 'large token.txt'"), "5");
    list = ctl(0, "list");
    says(list, "document-storage");
    says(list, "aes-256-gcm");
    says(ctl(0, "verify"), ", 0 do not");
    says(ctl(0, printed("retire %lld", (long long)old)), "is retired");
    says(ctl(1, printed("purge %lld --yes", (long long)old)), "it can be purged after 30");
    psql(printed("UPDATE keys SET changed_on = now() - interval '40 days' WHERE id = %lld", (long long)old));
    says(ctl(2, printed("purge %lld", (long long)old)), "say --yes");
    says(ctl(0, printed("purge %lld --yes", (long long)old)), "is gone");
    holds(small, "small");
    /* the running core sees the configuration under its new key */
    says(api_text(env, api(env, 200, "GET", "/api/v01/system/configuration", NULL), "content.smtp"), "## SECRET ##");
}

static void refusals(void **state)
{
    const char *writing = psql("SELECT max(id) FROM keys WHERE label = 'document-storage' AND state = 'active'");

    (void)state;
    says(ctl(1, printed("retire %s", writing)), "run sluicectl keys rotate document-storage first");
    says(ctl(1, "retire 99999"), "there is no key 99999");
    says(ctl(2, "retire x"), "is not the id of a key");
    says(ctl(1, printed("purge %s --yes", writing)), "is not retired");
    ctl(2, "retire");
    ctl(2, "fold");
    ctl(2, "list more");
    ctl(2, "reseal --batch=0");
    ctl(2, "reseal --label=tokens");
    ctl(2, "wrap");
    ctl(2, "reseal --kek");
}

/* Killed at any moment, while documents come and go: nothing is lost, nothing stays behind. */
static void item_16_reseal_killed_many_times(void **state)
{
    enum { N = 300, KILLS = 20 };
    int64_t ids[N + KILLS];
    int n = 0;

    (void)state;
    for (; n < N; n++)
        ids[n] = put(printed("many-%d.csv", n), text_of(2000 + 37u * (unsigned)n, (unsigned)n));
    for (int i = 0; i < 20; i++)
        put_token(printed("killed-%d.txt", i), FERNET_HELLO, "NULL");
    ctl(0, "rotate document-storage");
    for (int i = 0; i < KILLS; i++, n++) {
        pid_t pid = start_ctl("killed", "reseal --batch=5");

        usleep((useconds_t)(20000 + 7000 * i));
        ids[n] = put(printed("many-%d.csv", n), text_of(2000 + 37u * (unsigned)n, (unsigned)n));
        holds(ids[(i * 13) % N], text_of(2000 + 37u * (unsigned)((i * 13) % N), (unsigned)((i * 13) % N)));
        env_kill(env, pid, SIGKILL);
    }
    says(ctl(0, "reseal"), ", 0 could not be opened");
    for (int i = 0; i < n; i++)
        holds(ids[i], text_of(2000 + 37u * (unsigned)i, (unsigned)i));
    assert_string_equal(psql("SELECT count(DISTINCT key_id) FROM documents"), "1");
    assert_string_equal(psql("SELECT count(*) FROM documents WHERE head IS NULL"), "0");
    assert_string_equal(psql("SELECT count(*) FROM pg_largeobject_metadata"), "0");
    says(ctl(0, "verify"), ", 0 do not");
}

/* ---- the key outside the database ---------------------------------------------------------------- */

static const char *kek_file(const char *name, const char *hex, unsigned mode)
{
    const char *path = env_path(env, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, hex, strlen(hex)), strlen(hex));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

/* A program on a socket of its own that must not start. */
static void refuses(const char *program, const char *const *options, const char *why)
{
    const char *name = printed("refused%d", n_runs++);
    const char *argv[6] = {env_program(env, program), printed("-socket=%s", env_path(env, "refused.sock"))};
    const char *vars[] = {printed("DB=%s", env_db(env)), NULL};
    int status;

    for (size_t i = 0; options[i] != NULL && i < COUNT_OF(argv) - 3; i++)
        argv[2 + i] = options[i];
    status = env_wait_exit(env, env_spawn(env, name, argv, vars), 30000);
    if (status != 78)
        env_fail(env, "expected exit 78, got %d: %s", status, env_log(env, name));
    says(env_log(env, name), why);
    hides(why, env_log(env, name));
}

static void core_refuses(const char *option, const char *why)
{
    refuses("sluice-core", (const char *const[]){option, NULL}, why);
}

/* Killed at several moments: all keys are as before, or all as wanted; ends as wanted. */
static void killed_or_done(const char *line, const char *is_done)
{
    for (int i = 0; i < 6; i++) {
        pid_t pid = start_ctl("killed_wrap", line);

        usleep((useconds_t)(4000 * i));
        env_kill(env, pid, SIGKILL);
        assert_string_equal(psql("SELECT count(DISTINCT coalesce(wrapped_by, '')) FROM keys"), "1");
    }
    if (strcmp(psql(is_done), "t") != 0)
        (void)ctl(0, line);
    assert_string_equal(psql(is_done), "t");
}

static void item_17_the_key_outside_the_database(void **state)
{
    const char *one = kek_file("kek1", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0600);
    const char *two = kek_file("kek2", "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0600);
    const char *too_short = kek_file("kek4", "ff02030405060708090a0b0c0d0e0f", 0600);
    const char *open_to_all = kek_file("kek3", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0644);
    int64_t id = put("wrapped.csv", "under a wrapped key");

    (void)state;
    killed_or_done(printed("wrap -kek=%s", one), "SELECT bool_and(wrapped_by = '630dcd2966c43366') FROM keys");
    says(ctl(0, printed("wrap -kek=%s", one)), "0 of "); /* again: nothing to do */
    holds(id, "under a wrapped key"); /* who runs already has its keys */
    says(ctl(78, "verify"), "is wrapped by 630dcd2966c43366; give that key with -kek=FILE");
    core_refuses("-threads=1", "is wrapped by 630dcd2966c43366; give that key with -kek=FILE");
    core_refuses(printed("-kek=%s", two), "-kek: the file holds key ");
    core_refuses(printed("-kek=%s", two), " needs 630dcd2966c43366");
    refuses("sluice-proxy", (const char *const[]){"-proxy=/api/v01/p1:bwks", printed("-kek=%s", two), NULL}, " needs 630dcd2966c43366");
    core_refuses(printed("-kek=%s", open_to_all), "is readable by everyone (mode 0644)");
    /* a proxy without it would log everybody out */
    refuses("sluice-proxy", (const char *const[]){"-proxy=/api/v01/p1:bwks", "-runMigration=false", NULL},
            "is wrapped by 630dcd2966c43366; give that key with -kek=FILE");
    core_refuses(printed("-kek=%s", too_short), "-kek: expected 32 bytes, got 30");
    core_refuses("-kek=/does/not/exist", "-kek: cannot read /does/not/exist");
    restart(printed("-kek=%s", one));
    holds(id, "under a wrapped key");
    says(ctl(0, printed("rotate document-storage -kek=%s", one)), "writes");
    assert_string_equal(psql("SELECT count(*) FROM keys WHERE wrapped_by IS NULL"), "0");
    holds(put("wrapped2.csv", "more"), "more");
    says(ctl(0, printed("reseal -kek=%s", one)), "0 could not be opened");
    killed_or_done(printed("rewrap -kek=%s --new=%s", one, two), "SELECT bool_and(wrapped_by <> '630dcd2966c43366') FROM keys");
    ctl(78, printed("verify -kek=%s", one));
    says(ctl(0, printed("verify -kek=%s", two)), ", 0 do not");
    restart(printed("-kek=%s", two));
    holds(id, "under a wrapped key");
    /* one row damaged */
    psql("CREATE TABLE kept AS SELECT id, material FROM keys");
    psql("UPDATE keys SET material = set_byte(material, 30, get_byte(material, 30) # 1) WHERE label = 'secrets' AND state = 'active'");
    core_refuses(printed("-kek=%s", two), "(secrets) is damaged; restore table keys from a backup");
    psql("UPDATE keys SET material = kept.material FROM kept WHERE kept.id = keys.id");
    killed_or_done(printed("unwrap -kek=%s", two), "SELECT bool_and(wrapped_by IS NULL) FROM keys");
    restart("-threads=1");
    holds(id, "under a wrapped key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(item_14_R_17_the_statement_any_number_of_times),
        API_TEST(R_17_needs_no_superuser),
        API_TEST(R_16_a_token_key_never_writes),
        API_TEST(R_20_after_the_rename_everything_is_there),
        API_TEST(R_21_only_a_token_key),
        API_TEST(item_15_a_token_that_no_key_opens),
        API_TEST(keys_rotate_after_90_days),
        API_TEST(keys_rotate_after_2_to_the_30_seals),
        API_TEST(rotate_and_reseal),
        API_TEST(refusals),
        API_TEST(item_16_reseal_killed_many_times),
        API_TEST(item_17_the_key_outside_the_database),
    };
    int64_t activity;

    env = env_start();
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    activity = api_activity(env, "keys", ANSWERING);
    api_route(env, "get", "/keys", activity, ",\"sync\":true");
    ENV_WAIT(env, 10000, api_raw(env, "GET", "/api/v01/custom/keys", NULL).status == 200);
    instance = atoll(psql("SELECT max(id) FROM instances"));
    base = printed("/api/v01/transactions/%lld/documents", (long long)instance);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
