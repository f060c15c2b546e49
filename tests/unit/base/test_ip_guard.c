/*
 * Which addresses are refused: to peers of the configuration, to everything else; our own sockets.
 */
#include "base/ip_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "support/cases.h"

static const struct row {
    const char *name, *ip;
    const char *named, *open; /* a part of the reason, NULL = allowed */
} rows[] = {
    {"public", "198.51.100.7", NULL, NULL},
    {"private", "10.1.2.3", NULL, NULL},
    {"private, 192.168", "192.168.1.1", NULL, NULL},
    {"loopback", "127.0.0.1", NULL, NULL},
    {"public IPv6", "2001:db8::1", NULL, NULL},
    {"loopback IPv6", "::1", NULL, NULL},
    {"private IPv6", "fd12:3456::1", NULL, NULL},
    {"link-local", "169.254.1.1", "link-local", "link-local"},
    {"metadata", "169.254.169.254", "link-local", "link-local"},
    {"first of the network", "169.254.0.0", "link-local", "link-local"},
    {"last of the network", "169.254.255.255", "link-local", "link-local"},
    {"before the network", "169.253.255.255", NULL, NULL},
    {"behind the network", "169.255.0.0", NULL, NULL},
    {"link-local IPv6", "fe80::1", "link-local", "link-local"},
    {"its last", "febf:ffff::1", "link-local", "link-local"},
    {"not link-local", "fec0::1", NULL, NULL},
    {"mapped", "::ffff:169.254.169.254", "link-local", "link-local"},
    {"mapped in hex", "::ffff:a9fe:a9fe", "link-local", "link-local"},
    {"compatible", "::169.254.169.254", "link-local", "link-local"},
    {"NAT64", "64:ff9b::a9fe:a9fe", "link-local", "link-local"},
    {"NAT64 of a public one", "64:ff9b::198.51.100.7", NULL, NULL},
    {"6to4", "2002:a9fe:a9fe::1", "link-local", "link-local"},
    {"mapped private", "::ffff:10.1.2.3", NULL, NULL},
    {"metadata of another cloud", "100.100.100.200", "metadata", "metadata"},
    {"its neighbour", "100.100.100.201", NULL, NULL},
    {"platform channel", "168.63.129.16", "metadata", "metadata"},
    {"metadata beside the private nets", "192.0.0.192", "metadata", "metadata"},
    {"metadata IPv6", "fd00:ec2::254", "metadata", "metadata"},
    {"metadata IPv6 of another cloud", "fd20:ce::254", "metadata", "metadata"},
    {"unspecified", "0.0.0.0", NULL, "unspecified"},
    {"this network", "0.1.2.3", NULL, "unspecified"},
    {"unspecified IPv6", "::", NULL, "unspecified"},
    {"mapped unspecified", "::ffff:0.0.0.0", NULL, "unspecified"},
    {"multicast", "224.0.0.1", NULL, "multicast"},
    {"multicast, last", "239.255.255.255", NULL, "multicast"},
    {"mapped multicast", "::ffff:224.0.0.1", NULL, "multicast"},
    {"multicast IPv6", "ff02::1", NULL, "multicast"},
    {"broadcast", "255.255.255.255", NULL, "reserved"},
    {"no address", "localhost", "no internet", "no internet"},
    {"empty", "", "no internet", "no internet"},
};

static void expect(const char *got, const char *want)
{
    if (want == NULL)
        assert_null(got);
    else
        assert_true(got != NULL && strstr(got, want) != NULL);
}

static void refuses(const struct row *r)
{
    expect(ip_guard_refuses_text(IP_GUARD_NAMED, str_c(r->ip), 80), r->named);
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, str_c(r->ip), 80), r->open);
}

static int listener(in_addr_t ip, int *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(ip)}};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

static void own_sockets(void **state)
{
    static const char *const ways[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
    static const in_addr_t bound[] = {INADDR_ANY, INADDR_LOOPBACK};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bound); i++) {
        int port;
        int fd = listener(bound[i], &port);

        for (size_t k = 0; k < COUNT_OF(ways); k++) {
            assert_null(ip_guard_refuses_text(IP_GUARD_OPEN, str_c(ways[k]), port));
        }
        ip_guard_own_socket(fd);
        for (size_t k = 0; k < COUNT_OF(ways); k++) {
            expect(ip_guard_refuses_text(IP_GUARD_OPEN, str_c(ways[k]), port), "this platform");
            expect(ip_guard_refuses_text(IP_GUARD_OPEN, str_c(ways[k]), port ^ 1), NULL);
            expect(ip_guard_refuses_text(IP_GUARD_NAMED, str_c(ways[k]), port), NULL);
        }
        expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("198.51.100.7"), port), NULL);
        close(fd);
    }
}

/* What a connection leads to, as that of the database. */
static void own_peers(void **state)
{
    int port;
    int fd = listener(INADDR_LOOPBACK, &port);
    int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK)},
                               .sin_port = htons((in_port_t)port)};

    (void)state;
    assert_int_equal(connect(c, (struct sockaddr *)&addr, sizeof addr), 0);
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("127.0.0.1"), port), NULL);
    ip_guard_own_peer(c);
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("127.0.0.1"), port), "this platform");
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("::1"), port), "this platform");
    close(c);
    close(fd);
}

static void own_ports(void **state)
{
    (void)state;
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("127.0.0.1"), 7), NULL);
    ip_guard_own_port(7);
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("127.0.0.1"), 7), "this platform");
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("::1"), 7), "this platform");
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("198.51.100.7"), 7), NULL);
}

/* What another process listens on, as it told; until it tells no more. */
static void others(void **state)
{
    char list[64][IP_GUARD_TEXT];
    struct str told[] = {STR("::ffff:127.0.0.1 9"), STR(":: 11"), STR("nonsense"), STR("::1 x"), STR("")};

    (void)state;
    ip_guard_others(told, COUNT_OF(told));
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("127.0.0.1"), 9), "this platform");
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("::ffff:127.0.0.1"), 9), "this platform");
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("127.0.0.1"), 11), "this platform");
    expect(ip_guard_refuses_text(IP_GUARD_NAMED, STR("127.0.0.1"), 9), NULL);
    ip_guard_own_port(13);
    for (size_t i = 0, n = ip_guard_own_list(list, 64); i < n; i++)
        assert_true(strcmp(list[i], "::ffff:127.0.0.1 9") != 0 && strcmp(list[i], ":: 11") != 0);
    ip_guard_others(told, 0);
    expect(ip_guard_refuses_text(IP_GUARD_OPEN, STR("127.0.0.1"), 9), NULL);
    told[0] = str_c(list[ip_guard_own_list(list, 64) - 1]);
    assert_string_equal(told[0].p, ":: 13");
}

static void sockets(void **state)
{
    struct sockaddr_in metadata = {.sin_family = AF_INET, .sin_addr = {htonl(0xa9fea9fe)}, .sin_port = htons(80)};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(80)};
    const char *why = NULL;
    int fd;

    (void)state;
    assert_int_equal(ip_guard_socket(IP_GUARD_NAMED, (struct sockaddr *)&metadata, SOCK_STREAM, 0, &why), -1);
    assert_string_equal(why, "a link-local address");
    fd = ip_guard_socket(IP_GUARD_NAMED, (struct sockaddr *)&here, SOCK_STREAM, 0, &why);
    assert_true(fd >= 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(own_sockets), cmocka_unit_test(own_peers),
                                       cmocka_unit_test(own_ports), cmocka_unit_test(others), cmocka_unit_test(sockets)};

    return CASES(rows, refuses) + cmocka_run_group_tests(tests, NULL, NULL);
}
