/*
 * sluice-proxy: the gateway-proxy of one or more prefixes.
 */
#include "proxy.h"

int main(int argc, char **argv)
{
    static const struct app_role role = {
        .program = PROGRAM_PROXY,
        .ready = proxy_ready,
        .handler = proxy_handle,
        .stop = proxy_stop,
        .free = proxy_free,
        .metrics = proxy_metrics,
    };

    return app_main(&role, argc, argv);
}
