/*
 * Addresses, networks, and who the client is behind proxies.
 */
#include "base/ip_net.h"

#include "support/cases.h"

static const struct net_row {
    const char *name, *net, *ip;
    bool parses, inside;
} net_rows[] = {
    {"one address", "10.1.2.3/32", "10.1.2.3", true, true},
    {"without mask", "10.1.2.3", "10.1.2.3", true, true},
    {"another one", "10.1.2.3", "10.1.2.4", true, false},
    {"network", "10.0.0.0/8", "10.255.0.1", true, true},
    {"outside", "10.0.0.0/8", "11.0.0.1", true, false},
    {"odd mask", "10.0.0.128/25", "10.0.0.200", true, true},
    {"odd mask, outside", "10.0.0.128/25", "10.0.0.100", true, false},
    {"everything", "0.0.0.0/0", "1.2.3.4", true, true},
    {"everything of IPv4 only", "0.0.0.0/0", "::1", true, false},
    {"IPv6", "2001:db8::/32", "2001:db8:1::5", true, true},
    {"IPv6, outside", "2001:db8::/32", "2001:db9::5", true, false},
    {"mapped", "10.0.0.0/8", "::ffff:10.1.1.1", true, true},
    {"no address", "10.0.0.0/8", "unix:", true, false},
    {"empty address", "10.0.0.0/8", "", true, false},
    {"bad mask", "10.0.0.0/33", "10.0.0.1", false, false},
    {"empty mask", "10.0.0.0/", "10.0.0.1", false, false},
    {"words", "localhost", "127.0.0.1", false, false},
};

static void nets(const struct net_row *r)
{
    struct ip_net net;
    bool parsed = ip_net_parse(str_c(r->net), &net);

    assert_int_equal(parsed, r->parses);
    if (parsed)
        assert_int_equal(ip_net_has(&net, str_c(r->ip)), r->inside);
}

static const struct client_row {
    const char *name, *peer, *forwarded, *client;
} client_rows[] = {
    {"stranger", "203.0.113.9", "198.51.100.1", "203.0.113.9"},
    {"no header", "10.0.0.1", "", "10.0.0.1"},
    {"one proxy", "10.0.0.1", "198.51.100.1", "198.51.100.1"},
    {"forged on the left", "10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"},
    {"two proxies", "10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
    {"all trusted", "10.0.0.1", "10.0.0.7, 10.0.0.2", "10.0.0.7"},
    {"port", "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
    {"IPv6", "::1", "2001:db8::5", "2001:db8::5"},
    {"IPv6 with port", "::1", "[2001:db8::5]:443", "2001:db8::5"},
    {"mapped proxy", "::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"},
    {"no address", "10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"},
    {"network", "10.0.0.1", "198.51.100.0/24", "10.0.0.1"},
    {"empty entries", "10.0.0.1", ",,", "10.0.0.1"},
};

static void client(const struct client_row *r)
{
    struct ip_net items[2];
    struct ip_nets trusted = {items, 2};
    struct str got;

    assert_true(ip_net_parse(STR("10.0.0.0/8"), &items[0]));
    assert_true(ip_net_parse(STR("::1"), &items[1]));
    got = ip_client(&trusted, str_c(r->peer), str_c(r->forwarded));
    assert_true(str_eq_c(got, r->client));
}

int main(void)
{
    return CASES(net_rows, nets) + CASES(client_rows, client);
}
