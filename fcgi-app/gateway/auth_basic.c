/*
 * auth "basic": name and password with every call (RFC 7617).
 */
#include "gateway/southbound.h"

struct str gw_basic(struct str user, struct str password, struct arena *a)
{
    struct buf plain, out;

    buf_init(&plain, user.len + password.len + 1, a);
    buf_add_str(&plain, user);
    buf_putc(&plain, ':');
    buf_add_str(&plain, password);
    buf_init(&out, 2 * plain.len + 16, a);
    buf_add_c(&out, "Basic ");
    buf_add_str(&out, crypto_b64(a, buf_str(&plain)));
    (void)buf_cstr(&out);
    return buf_str(&out);
}
