/*
 * Documents of instances: upload, list, download, deletion; what a damaged one says; what the
 * database holds.
 */
#include "base/arena.h"
#include "integration/env_api.h"
#include "integration/env_int.h"
#include "support/cases.h"
#include "support/fcgi_client.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct env *env;
static pid_t core;
static int64_t instance; /* of the administrator */
static const char *base; /* its documents */

#define ANSWERING                                                                                  \
    DEFINITION(CELL("answer", "sync_response", "\"status\":\"200\",\"body\":\"x\"", "\"ok\"") ",",    \
               LINE("start.ok", "answer") "," LINE("answer.ok", "end"))
#define BOUNDARY "----sluiceTest42"

static const char *psql(const char *sql)
{
    return env_psql(env, sql);
}

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

/* Text of n bytes without NUL, different at every place. */
static char *text_of(size_t n)
{
    char *s = arena_alloc(env_arena(env), n + 1);

    for (size_t i = 0; i < n; i++)
        s[i] = (char)('!' + (i * 31 + i / 251) % 90);
    s[n] = '\0';
    return s;
}

static int64_t new_instance(const char *path)
{
    ENV_WAIT(env, 10000, api_raw(env, "GET", path, NULL).status == 200);
    ENV_WAIT(env, 10000, strcmp(psql("SELECT count(*) FROM instances"), "0") != 0);
    return atoll(psql("SELECT max(id) FROM instances"));
}

static struct env_answer send_form(const char *path, const char *name, const char *type,
                                   const char *content, const char *more)
{
    const char *headers[] = {api_auth(env), "Content-Type: multipart/form-data; boundary=" BOUNDARY, NULL};
    const char *body =
        printed("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"content\"; filename=\"%s\"\r\n"
                "Content-Type: %s\r\n\r\n%s\r\n%s--" BOUNDARY "--\r\n",
                name, type, content, more);

    return env_http(env, "POST", path, headers, body);
}

static int64_t put(const char *name, const char *content)
{
    struct env_answer a = send_form(base, name, "text/csv", content, "");

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

    if (a.status != 200)
        env_fail(env, "download: %d %s", a.status, a.body);
    assert_int_equal(a.body_len, strlen(content));
    assert_memory_equal(a.body, content, a.body_len);
}

static void says(int64_t id, int status, const char *error)
{
    struct env_answer a = get(id);

    if (a.status != status || strcmp(api_text(env, api_json(env, &a), "error"), error) != 0)
        env_fail(env, "expected %d \"%s\", got %d %s", status, error, a.status, a.body);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* The last one replaces those before, however many come at once. */
static void uploads_at_once(void **state)
{
    enum { UPLOADS = 24, STEP = 100000 };
    const char *const headers[] = {api_auth(env), "Content-Type: text/plain", NULL};
    const char *path = printed("%s?name=same.txt", base), *content = text_of(UPLOADS * STEP);
    pid_t pids[UPLOADS];
    struct val list;
    int status;

    (void)state;
    for (size_t i = 0; i < UPLOADS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(env_http_once(env, "POST", path, headers, content + (UPLOADS - 1 - i) * STEP).status == 200 ? 0 : 1);
        assert_true(pids[i] > 0);
    }
    for (size_t i = 0; i < UPLOADS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    list = api(env, 200, "GET", base, NULL);
    assert_int_equal(val_count(val_get(list, "documents")), 1);
    api(env, 200, "DELETE", printed("%s/%s", base, api_text(env, list, "documents.0.id")), NULL);
}

static void form_upload(void **state)
{
    struct env_answer a;
    struct val list;
    int64_t id;

    (void)state;
    a = send_form(base, "C:\\\\tmp\\\\a.csv", "text/csv", "id;name\n1;x\n",
                  "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nfirst try\r\n"
                  "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"created_by\"\r\n\r\nsomebody\r\n");
    assert_int_equal(a.status, 200);
    id = api_int(api_json(env, &a), "id");
    list = api(env, 200, "GET", base, NULL);
    assert_string_equal(api_text(env, list, "documents.0.name"), "a.csv");
    assert_string_equal(api_text(env, list, "documents.0.description"), "first try");
    assert_string_equal(api_text(env, list, "documents.0.mime_type"), "text/csv");
    assert_string_equal(api_text(env, list, "documents.0.created_by"), "admin");
    assert_int_equal(api_int(list, "documents.0.size_in_bytes"), 12);
    a = get(id);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "id;name\n1;x\n");
    assert_string_equal(env_header(env, &a, "content-type"), "text/csv");
    assert_string_equal(env_header(env, &a, "content-disposition"), "attachment; filename=\"a.csv\"");
    /* a download link of the interface */
    a = env_http(env, "GET", printed("%s/%lld?auth_token=%s", base, (long long)id, api_token()), NULL, NULL);
    assert_int_equal(a.status, 200);
    a = env_http(env, "GET", printed("%s/%lld", base, (long long)id), NULL, NULL);
    assert_int_equal(a.status, 401);
    api(env, 200, "DELETE", printed("%s/%lld", base, (long long)id), NULL);
    api(env, 404, "GET", printed("%s/%lld", base, (long long)id), NULL);
    api(env, 404, "DELETE", printed("%s/%lld", base, (long long)id), NULL);
    /* a type that no header can carry is none */
    a = send_form(base, "odd.txt", "text/plain\nSet-Cookie: a=b", "x", "");
    assert_int_equal(a.status, 200);
    id = api_int(api_json(env, &a), "id");
    a = get(id);
    assert_string_equal(env_header(env, &a, "content-type"), "application/octet-stream");
    api(env, 200, "DELETE", printed("%s/%lld", base, (long long)id), NULL);
    list = api(env, 200, "GET", base, NULL);
    assert_int_equal(val_count(val_get(list, "documents")), 0);
}

static void raw_upload(void **state)
{
    const char *headers[] = {api_auth(env), "Content-Type: application/pdf", NULL};
    struct env_answer a =
        env_http(env, "POST", printed("%s?name=%%C3%%A9t%%C3%%A9.pdf&description=raw", base), headers, "%PDF-1.7");
    int64_t id;

    (void)state;
    assert_int_equal(a.status, 200);
    id = api_int(api_json(env, &a), "id");
    a = get(id);
    assert_string_equal(a.body, "%PDF-1.7");
    assert_string_equal(env_header(env, &a, "content-type"), "application/pdf");
    assert_string_equal(env_header(env, &a, "content-disposition"),
                        "attachment; filename=\"__t__.pdf\"; filename*=UTF-8''%C3%A9t%C3%A9.pdf");
    api(env, 200, "DELETE", printed("%s/%lld", base, (long long)id), NULL);
}

/* Names as people have them: kept, and given back as RFC 6266 wants. */
static const struct name_row {
    const char *name, *in, *stored, *disposition; /* in: ?name= as it stands in the URL; stored NULL: refused */
} names[] = {
    {"quote", "a%22b.csv", "a\"b.csv", "filename=\"a_b.csv\"; filename*=UTF-8''a%22b.csv"},
    {"semicolon", "a%3Bb.csv", "a;b.csv", "filename=\"a;b.csv\""},
    {"back slash", "a%5Cb.csv", "a\\b.csv", "filename=\"a_b.csv\"; filename*=UTF-8''a%5Cb.csv"},
    {"percent", "100%2541.txt", "100%41.txt", "filename=\"100%41.txt\"; filename*=UTF-8''100%2541.txt"},
    {"blanks", "two%20words.txt", "two words.txt", "filename=\"two words.txt\""},
    {"umlaut and euro", "%C3%BC%E2%82%AC.txt", "\xc3\xbc\xe2\x82\xac.txt", "filename=\"_____.txt\"; filename*=UTF-8''%C3%BC%E2%82%AC.txt"},
    {"beyond the plane", "%F0%9F%93%84", "\xf0\x9f\x93\x84", "filename=\"____\"; filename*=UTF-8''%F0%9F%93%84"},
    {"no suffix, a dot first", ".profile", ".profile", "filename=\".profile\""},
    {"slash", "a%2Fb.csv", NULL, NULL},
    {"line feed", "a%0Ab.csv", NULL, NULL},
    {"carriage return", "a%0D%0AX-Evil:1", NULL, NULL},
    {"NUL", "a%00b", NULL, NULL},
    {"broken UTF-8", "a%FFb", NULL, NULL},
    {"dots", "..", NULL, NULL},
};

static void keeps_name(const struct name_row *r)
{
    const char *headers[] = {api_auth(env), "Content-Type: text/plain", NULL};
    struct env_answer a = env_http(env, "POST", printed("%s?name=%s", base, r->in), headers, "x");
    int64_t id;

    if (a.status != (r->stored != NULL ? 200 : 400))
        env_fail(env, "%d %s", a.status, a.body);
    if (r->stored == NULL)
        return;
    id = api_int(api_json(env, &a), "id");
    assert_string_equal(psql(printed("SELECT name FROM documents WHERE id = %lld", (long long)id)), r->stored);
    a = get(id);
    assert_string_equal(env_header(env, &a, "content-disposition"), printed("attachment; %s", r->disposition));
    api(env, 200, "DELETE", printed("%s/%lld", base, (long long)id), NULL);
}

/* The name beside the bytes, in either form. */
static void name_by_header(void **state)
{
    const char *headers[] = {api_auth(env), "Content-Type: text/plain",
                             "Content-Disposition: attachment; filename=\"old.txt\"; filename*=UTF-8''n%C3%A4u.txt", NULL};
    struct env_answer a = env_http(env, "POST", base, headers, "x");

    (void)state;
    assert_int_equal(a.status, 200);
    assert_string_equal(psql("SELECT name FROM documents ORDER BY id DESC LIMIT 1"), "n\xc3\xa4u.txt");
    headers[2] = "Content-Disposition: attachment; filename=\"C:\\\\tmp\\\\plain.txt\"";
    assert_int_equal(env_http(env, "POST", base, headers, "x").status, 200);
    assert_string_equal(psql("SELECT name FROM documents ORDER BY id DESC LIMIT 1"), "plain.txt");
    psql("DELETE FROM documents");
}

enum { BOUND_KIB = 12 * 1024 };

/* Of 200 MB nothing stays, and 20 MB go in and out without being held. */
static void memory_is_bounded(void **state)
{
    struct str zeros = {.p = calloc(1, 200 * MIB), .len = 200 * MIB};
    const char *params[] = {printed("HTTP_AUTHORIZATION=%s", api_auth(env) + strlen("Authorization: ")), NULL};
    const struct fcgi_request r = {.method = "POST", .uri = printed("%s?name=huge.bin", base), .body = zeros,
                                   .content_type = "application/octet-stream", .params = params};
    struct fcgi_answer a;
    long before;

    (void)state;
    holds(put("warm.csv", "x"), "x");
    before = env_peak_kib(env, core);
    a = fcgi_call(env_path(env, "core.sock"), &r, env_arena(env));
    if (a.status != 413 && a.status != 0) /* 0: told while we were still sending */
        env_fail(env, "200 MB: %d %.*s", a.status, STR_ARG(a.body));
    for (int i = 0; i < 3; i++) {
        const struct fcgi_request fits = {.method = "POST", .uri = printed("%s?name=fits.bin", base), .body = {zeros.p, 20 * MIB},
                                          .content_type = "application/octet-stream", .params = params};

        a = fcgi_call(env_path(env, "core.sock"), &fits, env_arena(env));
        assert_int_equal(a.status, 200);
        assert_int_equal(get(atoll(psql("SELECT max(id) FROM documents"))).body_len, 20 * MIB);
    }
    assert_string_equal(psql("SELECT count(*) FROM documents WHERE name = 'huge.bin'"), "0");
    if (env_peak_kib(env, core) - before > BOUND_KIB)
        env_fail(env, "memory grew by %ld KiB", env_peak_kib(env, core) - before);
    free((void *)(uintptr_t)zeros.p);
    psql("DELETE FROM documents");
}

static void sizes(void **state)
{
    static const size_t list[] = {0, 1, 65535, 65536, 65537, 131072, 262144, 262145, 1000000, 6000000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        const char *content = text_of(list[i]);
        int64_t id = put("sized.csv", content);
        struct env_answer a = get(id);

        assert_int_equal(atoll(env_header(env, &a, "content-length")), list[i]);
        holds(id, content);
    }
    /* one of the name: the last one */
    assert_string_equal(psql("SELECT count(*) FROM documents WHERE name = 'sized.csv'"), "1");
    assert_string_equal(psql("SELECT count(*) FROM pg_largeobject_metadata"), "0");
    assert_string_equal(psql("SELECT size_in_bytes FROM documents WHERE name = 'sized.csv'"), "6000000");
}

static void too_large(void **state)
{
    struct env_answer a = send_form(base, "large.csv", "text/csv", text_of(20 * MIB + 1), "");

    (void)state;
    if (a.status != 413)
        env_fail(env, "expected 413, got %d %s", a.status, a.body);
    assert_string_equal(api_text(env, api_json(env, &a), "error"), "document \"large.csv\" is larger than 20 MB");
    assert_string_equal(psql("SELECT count(*) FROM documents WHERE name = 'large.csv'"), "0");
    holds(put("large.csv", text_of(20 * MIB)), text_of(20 * MIB));
}

static void bad_uploads(void **state)
{
    static const struct {
        const char *type, *body;
        const char *want;
    } rows[] = {
        {"multipart/form-data", "x", "boundary"},
        {"multipart/form-data; boundary=b", "", "closing boundary"},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"content\"; filename=\"a\"\r\n\r\nxyz", "closing boundary"},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nx\r\n--b--", "content: a file is required"},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"content\"; filename=\"..\"\r\n\r\nx\r\n--b--", "not the name"},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"content\"; filename=\"\"\r\n\r\nx\r\n--b--", "no name"},
        {"multipart/form-data; boundary=b", "--b\r\nX: y\r\n\r\nx\r\n--b--", "without a name"},
        {"text/plain", "x", "name of the document is missing"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *headers[] = {api_auth(env), printed("Content-Type: %s", rows[i].type), NULL};
        struct env_answer a = env_http(env, "POST", base, headers, rows[i].body);

        if (a.status != 400 || strstr(a.body, rows[i].want) == NULL)
            env_fail(env, "row %zu: expected 400 \"%s\", got %d %s", i, rows[i].want, a.status, a.body);
    }
    api(env, 404, "GET", "/api/v01/transactions/999999999/documents", NULL);
    api(env, 404, "GET", "/api/v01/transactions/999999999/documents/1", NULL);
    assert_string_equal(psql("SELECT count(*) FROM documents WHERE name IN ('a', '..', '')"), "0");
}

static void of_somebody_else(void **state)
{
    int64_t id = put("mine.csv", "secret");
    const char *admin, *token;

    (void)state;
    api(env, 200, "POST", "/api/v01/system/user_profiles",
        "{\"name\":\"reader\",\"accesses\":[\"requests\"],\"api_rules\":[]}");
    api(env, 200, "POST", "/api/v01/system/users",
        printed("{\"username\":\"other\",\"password\":\"Pass-word-1\",\"email\":\"o@example.com\",\"is_system\":false,"
                "\"profile_id\":%s}", psql("SELECT id FROM user_profiles WHERE name = 'reader'")));
    psql("UPDATE users SET need_password_change = false WHERE username = 'other'");
    token = api_login(env, "other", "Pass-word-1");
    assert_non_null(token);
    admin = api_as(token);
    api(env, 403, "GET", base, NULL);
    api(env, 403, "GET", printed("%s/%lld", base, (long long)id), NULL);
    api(env, 403, "DELETE", printed("%s/%lld", base, (long long)id), NULL);
    assert_int_equal(send_form(base, "theirs.csv", "text/csv", "x", "").status, 403);
    assert_int_equal(send_form(base, "theirs.csv", "text/csv", text_of(3000000), "").status, 403);
    api_as(admin);
    holds(id, "secret");
    /* another instance does not have it */
    api(env, 404, "GET", printed("/api/v01/transactions/%lld/documents/%lld",
                                 (long long)new_instance("/api/v01/custom/docs"), (long long)id), NULL);
}

static void damage_is_noticed(void **state)
{
    int64_t one = put("one.csv", text_of(200000)), two = put("two.csv", "another content");
    const char *content_one = psql(printed("SELECT encode(content, 'hex') FROM documents WHERE id = %lld", (long long)one));

    (void)state;
    assert_string_equal(psql(printed("SELECT position('another'::bytea IN content) FROM documents WHERE id = %lld", (long long)two)),
                        "0");
    /* a bit of the first chunk */
    psql(printed("UPDATE documents SET content = set_byte(content, 5, get_byte(content, 5) # 1) WHERE id = %lld", (long long)one));
    says(one, 500, "document \"one.csv\" is damaged (seal does not open)");
    /* cut off: fewer chunks */
    psql(printed("UPDATE documents SET content = decode('%s', 'hex') WHERE id = %lld", content_one, (long long)one));
    holds(one, text_of(200000));
    psql(printed("UPDATE documents SET content = substring(content for 65552) WHERE id = %lld", (long long)one));
    says(one, 500, "document \"one.csv\" is damaged (seal does not open)");
    /* rows swapped: the head belongs to its document */
    psql(printed("UPDATE documents SET head = (SELECT head FROM documents WHERE id = %lld), content = (SELECT content FROM "
                 "documents WHERE id = %lld) WHERE id = %lld", (long long)two, (long long)two, (long long)one));
    says(one, 500, "document \"one.csv\" is damaged (seal does not open)");
    /* people are told, once */
    assert_string_equal(psql("SELECT count(*) || ' ' || min(level) || ' ' || min(message) FROM alarms WHERE key = 'document_damaged' AND active"),
                        "1 major document \"one.csv\" is damaged (seal does not open)");
    /* the key is gone */
    psql(printed("UPDATE documents SET key_id = 4711 WHERE id = %lld", (long long)two));
    says(two, 500, "document \"two.csv\" cannot be opened: its key (id 4711) is missing");
    assert_string_equal(api_text(env, api(env, 200, "GET", base, NULL), "documents.0.name"), "sized.csv");
    api(env, 200, "DELETE", printed("%s/%lld", base, (long long)one), NULL);
    api(env, 200, "DELETE", printed("%s/%lld", base, (long long)two), NULL);
}

/* A large document damaged further on: what was sent is right, and the end is missing. */
static void broken_off(void **state)
{
    const char *content = text_of(3000000);
    int64_t id = put("far.csv", content);
    struct env_answer a;

    (void)state;
    psql(printed("UPDATE documents SET content = set_byte(content, 2500000, get_byte(content, 2500000) # 1) WHERE id = %lld",
                 (long long)id));
    a = get(id);
    assert_true(a.status == 0 || a.body_len < strlen(content));
    api(env, 200, "DELETE", printed("%s/%lld", base, (long long)id), NULL);
}

/* A file sent with a route is a document of its instance, and an instance answers with one. */
static void through_a_route(void **state)
{
    const char *headers[] = {api_auth(env), "Content-Type: multipart/form-data; boundary=" BOUNDARY, NULL};
    int64_t id = api_activity(
        env, "echo file",
        DEFINITION(CELL("pick", "context_setter", "\"key\":\"*doc_response*\",\"value\":\"{{ request.body.file }}\"", "\"ok\"") ",",
                   LINE("start.ok", "pick") "," LINE("pick.ok", "end")));
    struct env_answer a;

    (void)state;
    api_route(env, "post", "/echo", id, ",\"sync\":true");
    for (int i = 0; i < 2; i++) {
        const char *content = text_of(i == 0 ? 20 : 300000);
        const char *body =
            printed("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r.txt\"\r\n"
                    "Content-Type: text/plain\r\n\r\n%s\r\n--" BOUNDARY "--\r\n", content);

        ENV_WAIT(env, 5000, (a = env_http(env, "POST", "/api/v01/custom/echo", headers, body)).status != 404);
        if (a.status != 200 || strcmp(a.body, content) != 0)
            env_fail(env, "%d %.200s", a.status, a.body);
        assert_string_equal(env_header(env, &a, "content-type"), "text/plain");
        assert_string_equal(env_header(env, &a, "content-disposition"), "attachment; filename=\"r.txt\"");
    }
    a = env_http(env, "POST", "/api/v01/custom/echo", headers,
                 "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nnope.txt\r\n--" BOUNDARY "--\r\n");
    assert_int_equal(a.status, 500);
    assert_string_equal(api_text(env, api_json(env, &a), "error"), "no document \"nope.txt\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(memory_is_bounded), API_TEST(form_upload), API_TEST(uploads_at_once), API_TEST(raw_upload), API_TEST(name_by_header), API_TEST(sizes),
        API_TEST(too_large),   API_TEST(bad_uploads),      API_TEST(of_somebody_else),
        API_TEST(damage_is_noticed), API_TEST(broken_off), API_TEST(through_a_route),
    };
    int64_t activity;

    env = env_start();
    env_small_quarantine();
    core = env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    activity = api_activity(env, "docs", ANSWERING);
    api_route(env, "get", "/docs", activity, ",\"sync\":true");
    instance = new_instance("/api/v01/custom/docs");
    base = printed("/api/v01/transactions/%lld/documents", (long long)instance);
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL) + CASES(names, keeps_name));
}
