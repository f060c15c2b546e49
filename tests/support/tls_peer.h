/*
 * An HTTPS server, and an HTTP server that passes connections on (CONNECT); a thread per connection on a free port of 127.0.0.1.
 *
 * The first answers 200 {"sni":"...","client":"CN of the client's certificate","path":"..."}.  A test changes what they show or want at any
 * time; it counts for connections made from then on.
 */
#ifndef SLUICE_TESTS_TLS_PEER_H
#define SLUICE_TESTS_TLS_PEER_H

#include "support/pki.h"

struct tls_peer;

struct tls_peer *tls_peer_new(void);
void tls_peer_free(struct tls_peer *p);
int tls_peer_port(const struct tls_peer *p);
/* From now on show `leaf`, also to those connected, who are cut off; ask for a certificate of `clients` when not NULL, and take nobody without one. */
void tls_peer_show(struct tls_peer *p, const struct pki *leaf, const struct pki *clients);
/* Requests answered. */
long tls_peer_requests(struct tls_peer *p);

struct connect_peer;

struct connect_peer *connect_peer_new(void);
void connect_peer_free(struct connect_peer *p);
int connect_peer_port(const struct connect_peer *p);
/* "user:password" it wants, NULL: nothing; status: what it answers to whoever may, 200 passes on. */
void connect_peer_want(struct connect_peer *p, const char *user_password, int status);
/* CONNECT requests passed on, requests with an absolute URL answered, and those refused. */
long connect_peer_tunnels(struct connect_peer *p);
long connect_peer_plain(struct connect_peer *p);
long connect_peer_refused(struct connect_peer *p);
/* Whether something of these words was in a request's head: "Authorization: Bearer". */
bool connect_peer_saw(struct connect_peer *p, const char *words);

#endif
