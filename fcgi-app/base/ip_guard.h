/*
 * Addresses we must not be talked into calling: checked when a connection is made, after names are
 * resolved, so that a name which changes its address does not help.
 *
 * Two degrees.  Peers named by the configuration may be anywhere but at link-local addresses and
 * metadata services.  Other addresses, which may come out of data, also must not be unspecified,
 * multicast or reserved, nor this process' own sockets, nor the database.
 */
#ifndef SLUICE_BASE_IP_GUARD_H
#define SLUICE_BASE_IP_GUARD_H

#include <sys/socket.h>

#include "base/ip_net.h"

enum ip_guard {
    IP_GUARD_NAMED, /* the peer stands in the configuration */
    IP_GUARD_OPEN,  /* anything else */
};

/*
 * Why this address may not be called ("a link-local address"), or NULL.  What IPv6 says in other
 * words about an IPv4 address (mapped, compatible, NAT64, 6to4) counts as that address.  Families
 * other than IPv4 and IPv6 are refused.  Any thread.
 */
const char *ip_guard_refuses(enum ip_guard guard, const struct sockaddr *addr);
/* The same for a text and a port. */
const char *ip_guard_refuses_text(enum ip_guard guard, struct str ip, int port);

/*
 * From now on this address is ours and IP_GUARD_OPEN refuses it: the local end of a listening
 * socket, or what a socket of the database is connected to; Unix sockets add nothing.  own_port:
 * this port of this machine.  The last 64 different ones count.  Any thread.
 */
void ip_guard_own_socket(int fd);
void ip_guard_own_peer(int fd);
void ip_guard_own_port(int port);

#endif
