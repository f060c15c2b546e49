/*
 * Ceilings on everything a stranger can make large.
 *
 * Published ones: workflow-engine.md section 8; the others are ours.  Test builds shrink those that
 * give bugs a chance.
 */
#ifndef SLUICE_BASE_LIMITS_H
#define SLUICE_BASE_LIMITS_H

#include "base/base.h"

#define LIMIT_BODY (32 * MIB)          /* request body, bytes */
#define LIMIT_BODY_INLINE (64 * KIB)   /* read on the loop; larger ones by a worker */
#define LIMIT_TARGET (8 * KIB)         /* request target, bytes */
#define LIMIT_HEADERS (64 * KIB)       /* header block, bytes */
#define LIMIT_JSON_DEPTH 512           /* nested arrays and objects */
#define LIMIT_JSON_KEPT 576            /* the same where such texts were stored inside of our own */
#define LIMIT_TASKS 10000              /* task rows of an instance */
#define LIMIT_GOTO 50                  /* gotos in a row */
#define LIMIT_DEPTH 20                 /* nested sub-instances */
#define LIMIT_CONTEXT_KEY 255          /* characters */
#define LIMIT_CONTEXT_VALUE (8 * MIB)  /* bytes of one value as JSON */
#define LIMIT_CONTEXT (64 * MIB)       /* bytes of a whole context as JSON */
#define LIMIT_TRACE_BODY (1 * MIB)     /* bytes of a body kept in a trace */
#define LIMIT_RESPONSE_KEPT (64 * KIB) /* bytes of an answer kept with its request */
#define LIMIT_REPEATED (1 * MIB)       /* bytes of an answer kept for an Idempotency-Key */
#define LIMIT_UPSTREAM_BODY (32 * MIB) /* answer body a node keeps */
#define LIMIT_TMPL_OUTPUT (16 * MIB)   /* bytes a template may print */
#define LIMIT_TMPL_MS 10000            /* time a rendering may take */
#define LIMIT_TMPL_DEPTH 200           /* nested macros, blocks and recursive loops */
#define LIMIT_TMPL_RANGE 100000        /* items of range() */
#define LIMIT_TMPL_INCLUDE 20          /* nested includes, imports and parents */
#define LIMIT_TMPL_SOURCE (1 * MIB)    /* bytes of a template's source */
#define LIMIT_DEFINITION (4 * MIB)     /* bytes of a workflow definition */
#define LIMIT_PAGE_SIZE 1000           /* rows of one page of a list */

#endif
