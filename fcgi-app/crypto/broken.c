/*
 * The end of the program when OpenSSL cannot do what it must.
 */
#include "crypto/crypto_int.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "base/log.h"

void crypto_broken(const char *call)
{
    char why[160];

    ERR_error_string_n(ERR_peek_last_error(), why, sizeof why);
    log_error("crypto.broken", "call=%s why=" LOG_Q, call, why);
    abort();
}
