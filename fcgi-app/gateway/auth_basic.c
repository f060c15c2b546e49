/*
 * auth "basic": name and password with every call (RFC 7617).
 */
#include "gateway/southbound.h"

struct str gw_basic(struct str user, struct str password, struct arena *a)
{
    struct str plain = str_printf(a, "%.*s:%.*s", STR_ARG(user), STR_ARG(password));

    return str_printf(a, "Basic %.*s", STR_ARG(crypto_b64(a, plain)));
}
