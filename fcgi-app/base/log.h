/*
 * The log: one line of key=value pairs per event on stderr.
 *
 * ERROR: a person must act.  WARN: we coped.  INFO: something changed state.  DEBUG: free.
 * A failure is logged once, where it stops travelling.  Never give it a secret.
 *
 *     log_info("http.start", "listen=%s loops=%d", where, n);
 *     -> 2026-01-02T03:04:05.678Z INFO sluice-core http.start listen=... loops=2
 *
 * Values that may hold blanks or quotes go through LOG_Q: log_warn("db.lost", "why=" LOG_Q, ...).
 * Its two control characters become quotes, and quotes between them are escaped, so that a value
 * cannot pose as a pair of its own.  Other control characters are escaped everywhere.
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_DEBUG_LEVEL, LOG_INFO_LEVEL, LOG_WARN_LEVEL, LOG_ERROR_LEVEL };

/* Program name for the lines and lowest level written; call once, before any thread. */
void log_init(const char *program, enum log_level lowest);
/* Request or instance the calling thread works for, added to its lines ("request=17"; copied, cut
 * at 127 bytes); NULL to clear. */
void log_context(const char *text);
void log_write(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* One line with message, code and detail of `e`. */
void log_err(enum log_level level, const char *event, const struct err *e);
bool log_enabled(enum log_level level);

#define LOG_Q "\x01%s\x02"
#define log_error(...) log_write(LOG_ERROR_LEVEL, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN_LEVEL, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO_LEVEL, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_enabled(LOG_DEBUG_LEVEL))                                                          \
            log_write(LOG_DEBUG_LEVEL, __VA_ARGS__);                                               \
    } while (0)

#endif
