/*
 * Signing in at a former platform: a token in a file, or name and password asked on the terminal.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "legacy/api_int.h"

enum { LINE_SIZE = 512 };

/* ---- the terminal ---------------------------------------------------------------------------- */

/* While it is quiet, who wants to end the program is heard here, so that the terminal never stays quiet. */
struct terminal {
    int fd, signals;
    bool quiet;
    struct termios loud;
    sigset_t before;
};

static void write_text(const struct terminal *t, const char *text)
{
    (void)!write(t->fd, text, strlen(text));
}

static int hush(struct terminal *t)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct termios quiet;
    sigset_t set;

    if (tcgetattr(t->fd, &t->loud) != 0)
        return -1;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        sigaddset(&set, ends[i]);
    t->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (t->signals < 0 || pthread_sigmask(SIG_BLOCK, &set, &t->before) != 0)
        return -1;
    quiet = t->loud;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    t->quiet = true;
    return tcsetattr(t->fd, TCSAFLUSH, &quiet);
}

/* Takes one that was never hushed.  A signal that came meanwhile comes now. */
static void be_loud(struct terminal *t)
{
    if (t->quiet) {
        (void)tcsetattr(t->fd, TCSAFLUSH, &t->loud);
        (void)pthread_sigmask(SIG_SETMASK, &t->before, NULL);
    }
    if (t->signals >= 0)
        close(t->signals);
    t->quiet = false;
    t->signals = -1;
}

/* False: somebody wants the program to end. */
static bool wait_for_line(const struct terminal *t)
{
    struct pollfd fds[] = {{.fd = t->fd, .events = POLLIN}, {.fd = t->signals, .events = POLLIN}};

    while (poll(fds, COUNT_OF(fds), -1) < 0)
        continue;
    return (fds[1].revents & POLLIN) == 0;
}

static int ask(struct terminal *t, const char *question, bool quiet, char out[LINE_SIZE], struct err *e)
{
    ssize_t n;

    if (quiet && hush(t) != 0) {
        be_loud(t);
        err_set(e, ERR_USAGE, "the terminal cannot be made quiet; give --token-file=FILE");
        return -1;
    }
    write_text(t, question); /* whoever sees it may type: what was typed before is gone */
    n = wait_for_line(t) ? read(t->fd, out, LINE_SIZE) : 0;
    be_loud(t); /* what is left of a line that is too long goes too */
    if (quiet)
        write_text(t, "\n");
    if (n > 1 && out[n - 1] == '\n') {
        out[n - 1] = '\0';
        return 0;
    }
    crypto_wipe(out, LINE_SIZE);
    if (n == LINE_SIZE)
        (void)tcflush(t->fd, TCIFLUSH);
    err_set(e, ERR_USAGE, n == LINE_SIZE ? "what was typed is longer than %d bytes" : "nothing was typed; --token-file=FILE takes a token instead",
            LINE_SIZE - 1);
    return -1;
}

/* ---- the login ------------------------------------------------------------------------------- */

static int log_in(struct legacy_api *api, const char *user, const char *password, struct err *e)
{
    struct val body = val_dict_new(api->a, 2), answer;
    struct str text;
    int rc;

    val_dict_set_c(body, "username", val_str_c(user));
    val_dict_set_c(body, "password", val_str_c(password));
    text = json_text(body, api->a);
    rc = api_post(api, "/api/v01/auth/login", text, &answer, e);
    crypto_wipe((void *)(uintptr_t)text.p, text.len);
    if (rc != 0 && (api->status == 401 || api->status == 403))
        err_set(e, ERR_UPSTREAM, "the old platform does not take that name and password");
    if (rc != 0)
        return -1;
    api->refresh = val_get_text(answer, "refresh_token", STR(""));
    api->token = val_get_text(answer, "access_token", STR(""));
    if (api->token.len > 0)
        return 0;
    err_set(e, ERR_USAGE, "the old platform asks %s for a second factor; give --token-file=FILE", user);
    return -1;
}

static int login_on_terminal(struct legacy_api *api, struct err *e)
{
    struct terminal t = {.fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), .signals = -1};
    char user[LINE_SIZE], password[LINE_SIZE];
    int rc;

    if (t.fd < 0) {
        err_set(e, ERR_USAGE, "--token-file=FILE is wanted where there is no terminal");
        return -1;
    }
    rc = ask(&t, "user name on the old platform: ", false, user, e);
    if (rc == 0)
        rc = ask(&t, "password: ", true, password, e);
    close(t.fd);
    if (rc != 0)
        return -1;
    rc = log_in(api, user, password, e);
    crypto_wipe(password, sizeof password);
    return rc;
}

/* ---- the token ------------------------------------------------------------------------------- */

static int read_token(struct legacy_api *api, const char *path, struct err *e)
{
    struct legacy_sources s;
    struct buf notes;
    struct str text;

    buf_init(&notes, 64, api->a);
    legacy_sources_init(&s, &notes, api->a);
    if (legacy_read_secret(&s, path, &text, e) != 0)
        return -1;
    api->token = str_trim(text);
    for (size_t i = 0; i < api->token.len; i++)
        if ((unsigned char)api->token.p[i] <= ' ' || (unsigned char)api->token.p[i] >= 0x7f) {
            err_set(e, ERR_USAGE, "%s: expected a token and nothing else", path);
            return -1;
        }
    if (api->token.len > 0)
        return 0;
    err_set(e, ERR_USAGE, "%s: expected a token, found nothing", path);
    return -1;
}

int api_sign_in(struct legacy_api *api, const char *token_file, struct err *e)
{
    return token_file != NULL ? read_token(api, token_file, e) : login_on_terminal(api, e);
}
