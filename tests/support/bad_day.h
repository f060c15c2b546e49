/*
 * What befalls a program on a bad day: its clock is set, and the disk under it is full.
 *
 * A test maps a file and writes into it; programs that were started with bad_day_vars() see it at once: PostgreSQL through a library
 * loaded before all others (preload_bad_day.c), ours in test builds by themselves (base/clock.h; the clock only).
 */
#ifndef SLUICE_TESTS_BAD_DAY_H
#define SLUICE_TESTS_BAD_DAY_H

#include <stdint.h>

enum {
    DAY_DATA_FULL = 1, /* no file grows, save those of pg_wal and the log */
    DAY_WAL_FULL = 2,  /* no file of pg_wal grows */
};

struct bad_day {
    int64_t clock_us; /* added to the wall clock */
    int32_t full;     /* DAY_* */
    int32_t refused;  /* how often somebody wanted room and got none */
};

/* Make the file and map it.  It lives as long as the program; `path` is kept. */
struct bad_day *bad_day_new(const char *path);

#endif
