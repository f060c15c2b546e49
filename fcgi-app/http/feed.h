/*
 * Memory in place of a socket: what libfcgi reads.
 *
 * libfcgi reads through a layer of its own for operating systems (fcgios.h), which a program may replace.  Ours takes bytes from
 * memory, so that libfcgi, still the only parser, waits for nobody, costs no system call and holds no descriptor.
 */
#ifndef SLUICE_HTTP_FEED_H
#define SLUICE_HTTP_FEED_H

#include <fcgiapp.h>

#include "base/base.h"

/* What libfcgi reads next on this thread; the bytes stay where they are until it has, or until the next call.  When they are used up it sees
 * the end of the connection. */
void feed_give(const char *p, size_t n);
/* Of those, how many it has not read. */
size_t feed_left(void);
/* Read the head of a request, which must lie there whole.  0; -1: it does not, or libfcgi cannot use it, and nothing is held. */
int feed_accept(FCGX_Request *r);
/* False when the libfcgi of this system does not ask us, but reads descriptors whatever we do. */
bool feed_works(void);

#endif
