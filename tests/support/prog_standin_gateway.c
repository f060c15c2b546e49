/*
 * standin_gateway: a stand-in for the gateway behind the proxy, for tests and for trying things
 * out.
 */
#include "support/gateway.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server.h"

struct options {
    const char *host;
    int port;
    struct gateway_opts gateway;
};

static void help(void)
{
    printf("standin_gateway: a gateway that lives in memory\n\n"
           "  -port=N             port to listen on; 0 (the default) takes a free one.  It is "
           "printed on standard output\n"
           "  -host=ADDRESS       127.0.0.1 by default\n"
           "  -basic=USER:PASS    accept these credentials instead of cookies\n"
           "  -bearer=TOKEN       accept this token instead of cookies\n"
           "  -empty              start without example data\n\n"
           "accounts (POST /api/v1/login/ {\"username\", \"password\"}):\n");
    gateway_print_accounts();
    printf("\nswitches: GET, PUT or DELETE (reset) /_control with a json object of\n"
           "  delay_ms, status, big_mb, expire_after, times    numbers (times: how many calls, 0 = "
           "until reset)\n"
           "  refuse_login, first_login, reset_mid_body, close_early, hang, garbage, forget_sessions    true or "
           "false\n"
           "  path, method    which calls (part of the target; login only when the path names it)\n"
           "  location, headers    added to the answer (headers: an object)\n"
           "reading: GET /_control/counters, GET /_control/requests, GET /health\n");
}

/* "-name=value", "--name=value" or "-name value"; the value, or NULL when it is another option. */
static const char *value_of(const char *name, int argc, char **argv, int *i)
{
    struct str arg = str_c(argv[*i]);
    struct str key;

    if (!str_starts(arg, STR("-")))
        return NULL;
    arg = str_slice(arg, str_starts(arg, STR("--")) ? 2 : 1, arg.len);
    key = str_slice(arg, 0, strlen(name));
    if (!str_eq_c(key, name))
        return NULL;
    arg = str_slice(arg, key.len, arg.len);
    if (arg.len > 0)
        return arg.p[0] == '=' ? arg.p + 1 : NULL;
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static int bad_usage(const char *arg)
{
    fprintf(stderr, "standin_gateway: \"%s\" is not an option with a valid value; see --help\n",
            arg);
    return 2;
}

/* 0 go on, 1 help was shown, 2 wrong. */
static int read_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        const char *v;

        if (str_eq_c(str_c(arg), "--help") || str_eq_c(str_c(arg), "-help")) {
            help();
            return 1;
        }
        if (str_eq_c(str_c(arg), "-empty") || str_eq_c(str_c(arg), "--empty")) {
            o->gateway.empty = true;
        } else if ((v = value_of("port", argc, argv, &i)) != NULL) {
            int64_t port = -1;

            if (!str_to_int(str_c(v), &port) || port < 0 || port > 65535)
                return bad_usage(arg);
            o->port = (int)port;
        } else if ((v = value_of("host", argc, argv, &i)) != NULL) {
            o->host = v;
        } else if ((v = value_of("basic", argc, argv, &i)) != NULL) {
            o->gateway.basic = v;
        } else if ((v = value_of("bearer", argc, argv, &i)) != NULL) {
            o->gateway.bearer = v;
        } else {
            return bad_usage(arg);
        }
    }
    return 0;
}

static int port_of(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        return 0;
    if (addr.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    return ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

static void on_term(int signo)
{
    (void)signo;
    _exit(0);
}

int main(int argc, char **argv)
{
    struct options o = {.host = "127.0.0.1"};
    struct gateway *g;
    struct err e;
    int fd = -1;
    int rc = read_options(argc, argv, &o);

    if (rc != 0)
        return rc == 1 ? 0 : rc;
    if (http_listen_tcp(o.host, o.port, &fd, &e) != 0) {
        fprintf(stderr, "standin_gateway: %s\n", e.msg);
        return 1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTERM, on_term);
    (void)signal(SIGINT, on_term);
    g = gateway_new(&o.gateway);
    printf("%d\n", port_of(fd));
    fflush(stdout);
    rc = gateway_serve(g, fd);
    gateway_free(g);
    return rc != 0;
}
