/*
 * Addresses we must not be talked into calling: checked when a connection is made, after names are
 * resolved, so that a name which changes its address does not help.
 *
 * Two degrees.  Peers named by the configuration may be anywhere but at link-local addresses and
 * metadata services.  Other addresses, which may come out of data, also must not be unspecified,
 * multicast or reserved, nor the sockets of this platform's processes, nor the database.
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

/* A socket to connect to this address; -1 and *why when the guard refuses it, -1 alone when there is none. */
int ip_guard_socket(enum ip_guard guard, const struct sockaddr *addr, int type, int protocol, const char **why);

/*
 * From now on this address is ours and IP_GUARD_OPEN refuses it: the local end of a listening
 * socket, or what a socket of the database is connected to; Unix sockets add nothing.  own_port:
 * this port of this machine.  The last 64 different ones count.  Any thread.
 */
void ip_guard_own_socket(int fd);
void ip_guard_own_peer(int fd);
void ip_guard_own_port(int port);

enum { IP_GUARD_TEXT = 64 };

/* What the three above have said, as "address port", at most `max`; how many. */
size_t ip_guard_own_list(char (*out)[IP_GUARD_TEXT], size_t max);
/* Addresses of other processes of this platform, as ip_guard_own_list() gave them there; those said before are forgotten. */
void ip_guard_others(const struct str *list, size_t n);

#endif
