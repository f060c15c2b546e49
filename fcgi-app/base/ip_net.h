/*
 * Addresses and networks: whitelists of accounts, proxies whose word counts.
 */
#ifndef SLUICE_BASE_IP_NET_H
#define SLUICE_BASE_IP_NET_H

#include "base/str.h"

/* An address or network, in network order; IPv4 as ::ffff:a.b.c.d. */
struct ip_net {
    unsigned char addr[16];
    unsigned bits;
};

struct ip_nets {
    struct ip_net *items;
    size_t n;
};

/* "10.0.0.0/8", "::1", "10.1.2.3" */
bool ip_net_parse(struct str text, struct ip_net *out);
/* False for what is no address. */
bool ip_net_has(const struct ip_net *net, struct str ip);
bool ip_nets_have(const struct ip_nets *nets, struct str ip);

/*
 * The client behind proxies (gateway-proxy.md 11.4): the peer, unless it is trusted; then the first
 * address from the right of X-Forwarded-For that is not trusted.
 *
 * peer       address of who connected.
 * forwarded  the header, its lines joined with commas; may be empty.  An entry may carry a port; one
 *            that is no address ends the walk at the proxy that sent it.
 * Returns a part of one of the two.
 */
struct str ip_client(const struct ip_nets *trusted, struct str peer, struct str forwarded);

#endif
