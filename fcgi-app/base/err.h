/*
 * Errors: what went wrong, in words for the caller, and more for the log only.
 *
 * Filled once, where the cause is known; on the way up err_context() adds where.  Texts are lower
 * case without a full stop, with names quoted.  `detail` (SQL, hosts, paths) never leaves the log.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include "base/base.h"

enum err_code {
    ERR_NONE = 0,
    ERR_INVALID,       /* the caller's input is wrong: 400 */
    ERR_UNAUTHORIZED,  /* no or bad credentials: 401 */
    ERR_FORBIDDEN,     /* known, but not allowed: 403 */
    ERR_NOT_FOUND,     /* 404 */
    ERR_METHOD,        /* known path, other method: 405 */
    ERR_CONFLICT,      /* state does not allow it: 409 */
    ERR_GONE,          /* used up or expired: 410 */
    ERR_LIMIT,         /* a ceiling was reached: 413 */
    ERR_UNPROCESSABLE, /* 422 */
    ERR_MISDIRECTED,   /* belongs to another application: 421 */
    ERR_INTERNAL,      /* our fault: 500 */
    ERR_UPSTREAM,      /* a peer failed or answered nonsense: 502 */
    ERR_BUSY,          /* full, or starting: 503 with Retry-After */
    ERR_DB,            /* the database is away or refused: 503 */
    ERR_TIMEOUT,       /* a peer was too slow: 504 */
    ERR_CONFIG,        /* configuration, structure, keys or rights: exit 78 */
    ERR_USAGE,         /* command line or environment: exit 2 */
};

enum { ERR_TEXT_MAX = 640 };

struct err {
    enum err_code code;
    int line;     /* in the caller's text (template, JSON...), 0 when it has none */
    int column;   /* likewise, from 1 */
    int app_code; /* "error_code" of the JSON error, 0 when absent (1: change the password first) */
    int retry_s;  /* Retry-After of a 503, 0 = the usual one */
    char msg[ERR_TEXT_MAX];
    char detail[ERR_TEXT_MAX];
};

/* Set code and message; clears the rest.  Long texts are cut at a UTF-8 border;
 * what is not UTF-8 becomes '?'. */
void err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What only the log may see. */
void err_detail(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Put "<text>: " in front of the message. */
void err_context(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *e);
const char *err_code_name(enum err_code code);

#endif
