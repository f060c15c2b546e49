/*
 * WebSockets asked for over FastCGI, which cannot carry them (gateway-proxy.md 11.5).
 */
#include "api/api.h"

int websocket_elsewhere(struct api_call *c, struct err *e)
{
    (void)e;
    http_reply_header(c->req, STR("Upgrade"), STR("websocket"));
    c->status = 426;
    c->text = STR("{\"error\":\"websocket needs the -wsPort listener\"}");
    return 0;
}
