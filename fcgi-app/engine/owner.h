/*
 * The name under which a process holds leases, and whether the process behind a name is gone.
 *
 * A lease expires by itself; but a process that was killed and started again at once need not wait
 * for that when its neighbour can see that nobody is left.
 */
#ifndef SLUICE_ENGINE_OWNER_H
#define SLUICE_ENGINE_OWNER_H

#include "base/str.h"

enum { OWNER_MAX = 128 };

/* "<host>/<boot>.<pid namespace>.<pid>.<start>": unique in time and space. */
void owner_name(char out[OWNER_MAX]);
/* True only when it is certain: same boot and pid namespace as ours, and no such process any more.
 */
bool owner_gone(struct str owner);

#endif
