/*
 * The log's lines, read back from a pipe in the place of stderr.
 */
#include "support/cases.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static char line[8192];

/* What `write` puts on stderr, without the time in front. */
static const char *written_by(void (*write_line)(void))
{
    int ends[2];
    int kept = dup(STDERR_FILENO);

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    write_line();
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    (void)close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    (void)close(ends[0]);
    line[n > 0 ? n : 0] = '\0';
    return n > 25 ? line + 25 : line;
}

static void plain(void)
{
    log_info("http.start", "listen=%s loops=%d", "unix", 2);
}

static void bare(void)
{
    log_info("app.stop", "%s", "");
}

static void with_context(void)
{
    log_context("request=17");
    log_warn("db.lost", "tries=%d", 1);
    log_context(NULL);
}

static void quoted(void)
{
    log_error("x", "why=" LOG_Q " n=1", "say \"no\" \\ a=b\nnext\x1b");
}

static void forged(void)
{
    log_error("x", "why=" LOG_Q " n=1", "a\x02 level=fatal \x01");
}

static void below(void)
{
    log_debug("x", "y=%d", 1);
}

static void from_error(void)
{
    struct err e;

    err_set(&e, ERR_DB, "could not connect");
    err_detail(&e, "host \"h\"");
    log_err(LOG_ERROR_LEVEL, "db.open", &e);
}

static void very_long(void)
{
    char text[6000];

    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_error("x", "t=" LOG_Q, text);
}

static const struct row {
    const char *name;
    void (*write_line)(void);
    const char *want;
} rows[] = {
    {"pairs", plain, "INFO prog http.start listen=unix loops=2\n"},
    {"no pairs", bare, "INFO prog app.stop\n"},
    {"context", with_context, "WARN prog db.lost request=17 tries=1\n"},
    {"quotes", quoted, "ERROR prog x why=\"say \\\"no\\\" \\\\ a=b\\nnext\\x1b\" n=1\n"},
    {"a value cannot leave its quotes", forged,
     "ERROR prog x why=\"a\\x02 level=fatal \\x01\" n=1\n"},
    {"below the level", below, ""},
    {"error", from_error,
     "ERROR prog db.open code=db msg=\"could not connect\" detail=\"host \\\"h\\\"\"\n"},
};

static void writes(const struct row *r)
{
    assert_string_equal(written_by(r->write_line), r->want);
}

static void long_lines_end(void **state)
{
    (void)state;
    (void)written_by(very_long);
    assert_in_range(strlen(line), 3000, 4096);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_lines_end)};

    log_init("prog", LOG_INFO_LEVEL);
    return cmocka_run_group_tests(tests, NULL, NULL) + CASES(rows, writes);
}
