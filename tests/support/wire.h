/*
 * A wire between a program and a server on Unix sockets, which a test can cut or hold.
 *
 * What is on its way when it is cut is lost, as when a host or a network goes; held, it takes bytes
 * and delivers none, as when a firewall has forgotten a connection.  One thread.
 */
#ifndef SLUICE_TESTS_WIRE_H
#define SLUICE_TESTS_WIRE_H

#include "base/base.h"

struct wire;

/* Listens on one path, connects to the other for each connection. */
struct wire *wire_new(const char *listen_path, const char *target_path);
void wire_free(struct wire *w); /* takes NULL */
/* End every connection now; new ones are taken. */
void wire_cut(struct wire *w);
/* Deliver nothing any more, also of new connections; letting go ends them all. */
void wire_hold(struct wire *w, bool hold);

#endif
