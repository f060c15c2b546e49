/*
 * What the files of this folder share.
 */
#ifndef SLUICE_CRYPTO_CRYPTO_INT_H
#define SLUICE_CRYPTO_CRYPTO_INT_H

#include "base/base.h"

/* A call of the library that cannot fail for its input failed: out of memory or a broken
 * installation.  Says which and aborts, as out of memory does elsewhere. */
NORETURN void crypto_broken(const char *call);
/* Value of a base64 digit of either alphabet (RFC 4648 4 and 5), or -1. */
int crypto_b64_value(char c);

#endif
