/*
 * A trace as the API shows it (http-api.md 5.15): the select list of a row `t` of traces.
 */
#ifndef SLUICE_API_TRACE_VIEW_H
#define SLUICE_API_TRACE_VIEW_H

#include "api/api.h"

#define TRACE_OBJECT                                                                               \
    "json_build_object('id', t.id, 'processing_trace_id', t.id, 'task_id', t.task_id, 'label', t.label, 'status', t.status::text, " \
    "'session_holder', t.session_holder, 'host', t.host, 'http_method', t.http_method, 'http_url', t.http_url, "  \
    "'input', coalesce(t.input, ''), 'output', coalesce(t.output, ''), 'external_id', t.external_id, 'request_id', "   \
    "t.request_id, 'cache_hit', coalesce(t.cache_hit, false), 'created_on', " DB_ISO("t.created_on")                  \
    ", 'updated_on', " DB_ISO("coalesce(t.updated_on, t.created_on)") ")"

/* With ?details=1: to the traces in c->text what the gateways recorded of them; c->conn is given back then. */
MUST_CHECK int traces_with_details(struct api_call *c, struct err *e);

#endif
