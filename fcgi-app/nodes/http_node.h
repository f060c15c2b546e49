/*
 * What the HTTP-like nodes share: the call, its trace, the result object and the choice of the
 * output.
 *
 * Rule: workflow-engine.md 3.3.
 */
#ifndef SLUICE_NODES_HTTP_NODE_H
#define SLUICE_NODES_HTTP_NODE_H

#include "nodes/nodes.h"

struct http_node_answer {
    int status;
    struct val body;
};

struct http_node {
    struct str session_holder;
    struct str method;
    struct str url;
    struct node_body body;
    struct str text; /* nodes whose body is plain text use this instead of `body` */
    struct node_key output;
    struct node_strs http_codes;
    struct node_pairs headers;
    struct val retry;
    struct str cache_key; /* comma list */
    int64_t cache_ttl_s;  /* 0 = for ever */
    bool json;        /* always sent as application/json */
    bool xml;         /* sent as XML, answers read as XML */
    bool text_answer; /* the body of the result is always a text */
    const struct cfg_gateway *gateway; /* instead of session_holder; see struct gw_call */
    int64_t user_id;
    bool user_or_fail;
    bool audit_id; /* the body's _record_internal_id names the trace */
    /* The caller chooses the output: an answer of the server is put here, NODE_OK returned.  NULL:
     * the common rules choose. */
    struct http_node_answer *answer;
};

extern const char *const http_node_methods[];
extern const char *const http_node_outputs[];
extern const char *const http_node_retries[];
extern const char *const http_node_retry_names[];

/* Rows of a table of parameters that several of these nodes have. */
#define HTTP_PARAM_HOLDER                                                                          \
    {                                                                                              \
        .name = "session_holder", .kind = PARAM_SESSION,                                           \
        .offset = offsetof(struct http_node, session_holder),                                      \
        .help = "HTTP client of the configuration; empty for an absolute URL."                     \
    }
#define HTTP_PARAM_METHOD                                                                          \
    {                                                                                              \
        .name = "method", .kind = PARAM_CHOICE, .offset = offsetof(struct http_node, method),      \
        .otherwise = "get", .values = http_node_methods, .help = "HTTP method, get when empty."    \
    }
#define HTTP_PARAM_URL                                                                             \
    {                                                                                              \
        .name = "url", .kind = PARAM_LINE, .offset = offsetof(struct http_node, url),              \
        .mandatory = true, .help = "Path below the client's URL, or an absolute URL."              \
    }
#define HTTP_PARAM_OUTPUT                                                                          \
    {                                                                                              \
        .name = "output_context_key", .kind = PARAM_KEY,                                           \
        .offset = offsetof(struct http_node, output),                                              \
        .help = "Context key that receives status and body."                                       \
    }
#define HTTP_PARAM_CODES                                                                           \
    {                                                                                              \
        .name = "http_codes", .kind = PARAM_OUTPUTS,                                               \
        .offset = offsetof(struct http_node, http_codes),                                          \
        .help = "Status codes with an output of their own, such as 404 or 4*."                     \
    }
#define HTTP_PARAM_HEADERS                                                                         \
    {                                                                                              \
        .name = "headers", .kind = PARAM_HEADERS, .offset = offsetof(struct http_node, headers),   \
        .help = "Headers to send; an empty value removes the client's."                            \
    }
#define HTTP_PARAM_RETRY                                                                           \
    {                                                                                              \
        .name = "retry policy", .kind = PARAM_RETRY, .offset = offsetof(struct http_node, retry),  \
        .values = http_node_retries, .aliases = http_node_retry_names,                             \
        .help = "When to call again, after which delay, and how many calls in all."                \
    }
#define HTTP_PARAM_CACHE_KEY                                                                       \
    {                                                                                              \
        .name = "cache_key", .kind = PARAM_LINE, .offset = offsetof(struct http_node, cache_key),  \
        .help = "Where a GET's answer is kept and looked up; other methods forget it.  Several "   \
                "are separated by commas."                                                         \
    }
#define HTTP_PARAM_CACHE_TTL                                                                       \
    {                                                                                              \
        .name = "cache_ttl", .kind = PARAM_INT, .offset = offsetof(struct http_node, cache_ttl_s), \
        .otherwise = "300", .help = "Seconds an answer is kept, 300 when empty, 0 = for ever."     \
    }

/* The call all HTTP-like nodes make: render, call, trace, write the result, choose the output (3.3). */
enum node_rc http_node_run(struct node_run *r, const struct http_node *c, struct err *e);

/*
 * Which of the patterns stands for a status: an exact code, else the pattern with most digits, else
 * list order.
 * '*' is any number of digits, 'x' one.  .p NULL when none does.
 */
struct str http_node_match(const struct node_strs *patterns, int status);

#endif
