/*
 * Signing in at the old platform on a terminal (migration.md 6.3): asked for, typed without being shown, and the terminal as
 * it was whatever happens.
 */
#include "integration/env_moving.h"
#include "support/cases.h"
#include "support/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

static struct env *env;
static const char *db;
static int old_port;

/* ---- somebody at a terminal ------------------------------------------------------------------ */

struct desk {
    int master, slave, from_shell;
    pid_t shell, pid; /* what keeps the terminal, and what runs on it */
    char screen[16 * 1024];
    size_t n;
};

/* Like a shell: its terminal outlives what it runs, and so do the settings of it. */
static void be_a_shell(struct desk *d, int out, char *const *argv)
{
    pid_t pid;
    int status;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (login_tty(d->slave) != 0 || setenv("DB", db, 1) != 0)
        _exit(99);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(argv[0], argv);
        _exit(99);
    }
    (void)signal(SIGINT, SIG_IGN);
    if (write(out, &pid, sizeof pid) != sizeof pid || waitpid(pid, &status, 0) != pid || write(out, &status, sizeof status) != sizeof status)
        _exit(99);
    for (;;)
        pause();
}

static void sit_down(struct desk *d, int port)
{
    const char *argv[] = {env_program(env, "sluicectl"), "import-legacy", "--dry-run", printed("--from-api=http://127.0.0.1:%d/", port), NULL};
    int ends[2];

    *d = (struct desk){.master = -1};
    assert_int_equal(openpty(&d->master, &d->slave, NULL, NULL, NULL), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(d->master, F_SETFL, O_NONBLOCK), 0);
    d->shell = fork();
    if (d->shell == 0)
        be_a_shell(d, ends[1], (char *const *)(uintptr_t)argv);
    close(ends[1]);
    d->from_shell = ends[0];
    assert_int_equal(read(ends[0], &d->pid, sizeof d->pid), sizeof d->pid);
}

static bool shows(struct desk *d, const char *text)
{
    ssize_t n = read(d->master, d->screen + d->n, sizeof d->screen - 1 - d->n);

    d->n += n > 0 ? (size_t)n : 0;
    d->screen[d->n] = '\0';
    return strstr(d->screen, text) != NULL;
}

static void sees(struct desk *d, const char *text)
{
    ENV_WAIT(env, 30000, shows(d, text));
    if (!shows(d, text))
        env_fail(env, "expected \"%s\" on the terminal: %s", text, d->screen);
}

static void types(struct desk *d, const char *text)
{
    assert_int_equal(write(d->master, text, strlen(text)), strlen(text));
}

static bool echoes(const struct desk *d)
{
    struct termios mode;

    assert_int_equal(tcgetattr(d->slave, &mode), 0);
    return (mode.c_lflag & ECHO) != 0;
}

/* How it ended; the terminal shows again what is typed, and never showed the password. */
static int stand_up(struct desk *d)
{
    struct pollfd end = {.fd = d->from_shell, .events = POLLIN};
    int status = 0;

    for (int i = 0; i < 600 && poll(&end, 1, 100) == 0; i++)
        (void)shows(d, "");
    if (read(d->from_shell, &status, sizeof status) != sizeof status)
        env_fail(env, "it does not end: %s", d->screen);
    (void)shows(d, "");
    assert_true(echoes(d));
    moving_hides(env, "the terminal", d->screen);
    kill(d->shell, SIGKILL);
    assert_int_equal(waitpid(d->shell, NULL, 0), d->shell);
    close(d->master);
    close(d->slave);
    close(d->from_shell);
    return status;
}

static void asked_for_the_password(struct desk *d, int port, const char *user)
{
    sit_down(d, port);
    sees(d, "user name on the old platform: ");
    assert_true(echoes(d));
    types(d, printed("%s\n", user));
    sees(d, "password: ");
    assert_false(echoes(d));
}

/* ---- what may happen ------------------------------------------------------------------------- */

static void signs_in(void **state)
{
    struct desk d;

    (void)state;
    asked_for_the_password(&d, old_port, "boss");
    types(&d, CANARY "\n");
    sees(&d, "dry run, nothing was written");
    assert_int_equal(WEXITSTATUS(stand_up(&d)), 3);
    assert_non_null(strstr(d.screen, "password: \r\n")); /* the line ends, though nobody showed its end */
    assert_non_null(strstr(d.screen, "users: 3 read, 3 added"));
}

static const struct row {
    const char *name, *user, *password; /* password NULL: it is not asked for */
    int status;
    const char *says;
} rows[] = {
    {"a wrong password", "boss", CANARY "-not", 1, "the old platform does not take that name and password"},
    {"no name", "", NULL, 2, "nothing was typed; --token-file=FILE takes a token instead"},
    {"no password", "boss", "", 2, "nothing was typed; --token-file=FILE takes a token instead"},
    {"too long a password", "boss",
     "....................................................................................................................................."
     "....................................................................................................................................."
     "....................................................................................................................................."
     "....................................................................................................................................." CANARY,
     2, "what was typed is longer than 511 bytes"},
};

static void refuses(const struct row *r)
{
    struct desk d;

    sit_down(&d, old_port);
    sees(&d, "user name on the old platform: ");
    types(&d, printed("%s\n", r->user));
    if (r->password != NULL) {
        sees(&d, "password: ");
        types(&d, printed("%s\n", r->password));
    }
    sees(&d, r->says);
    assert_int_equal(WEXITSTATUS(stand_up(&d)), r->status);
}

/* By its key, and by somebody else. */
static void given_up(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        struct desk d;
        int status;

        asked_for_the_password(&d, old_port, "boss");
        if (signals[i] == SIGINT)
            types(&d, "\x03");
        else
            assert_int_equal(kill(d.pid, signals[i]), 0);
        status = stand_up(&d);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
    }
}

static void a_second_factor(void **state)
{
    static const struct peer_step answer[] = {{.body = "{\"two_fa\": \"totp\"}"}};
    struct peer *p = peer_new(answer, 1);
    struct desk d;

    (void)state;
    asked_for_the_password(&d, peer_port(p), "boss");
    types(&d, CANARY "\n");
    sees(&d, "the old platform asks boss for a second factor; give --token-file=FILE");
    assert_int_equal(WEXITSTATUS(stand_up(&d)), 2);
    assert_int_equal(peer_requests(p), 1);
    peer_free(p);
}

static void no_terminal(void **state)
{
    const char *argv[] = {"setsid", "--wait", env_program(env, "sluicectl"), "import-legacy", printed("--from-api=http://127.0.0.1:%d/", old_port), NULL};
    int status = env_wait_exit(env, env_spawn(env, "no terminal", argv, ARGS(printed("DB=%s", db))), 30000);

    (void)state;
    assert_int_equal(status, 2);
    says(env_log(env, "no terminal"), "--token-file=FILE is wanted where there is no terminal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_in), cmocka_unit_test(given_up), cmocka_unit_test(a_second_factor), cmocka_unit_test(no_terminal),
    };
    pid_t old;
    int failed;

    env = env_start();
    db = moving_base(env);
    (void)moving_ctl(env, 0, db, ARGS("migrate"));
    old_port = moving_old_api_with(env, &old, ARGS("-login=boss:" CANARY));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += CASES(rows, refuses);
    env_kill(env, old, SIGTERM);
    return env_end(env, failed);
}
