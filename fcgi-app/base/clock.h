/*
 * Time, injected: tests set it, programs read the system's.
 */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <pthread.h>

#include "base/base.h"

struct clock {
    int64_t (*wall_us)(struct clock *c); /* microseconds since 1970, UTC */
    int64_t (*mono_us)(struct clock *c); /* microseconds that never go back */
    int64_t fake_us;                     /* used by clock_fake only */
};

extern struct clock clock_system;

/* Microseconds since 1970, UTC; c says whose. */
int64_t clock_wall_us(struct clock *c);
/* Microseconds that never go back; for measuring and deadlines. */
int64_t clock_mono_us(struct clock *c);
/* The same in milliseconds. */
int64_t clock_mono_ms(struct clock *c);

/*
 * Waiting for a condition, at most so long, whatever becomes of the wall clock meanwhile: the condition is made by
 * clock_cond_init(), and pthread_cond_timedwait() gets what clock_in_ms() said.
 */
void clock_cond_init(pthread_cond_t *c);
struct timespec clock_in_ms(int64_t ms);

/* "2021-02-19T21:20:04.389189Z": the timestamp form of the API (http-api.md 1.2), years 0..9999.
 * 28 bytes with the NUL. */
enum { CLOCK_ISO_MAX = 32 };
void clock_iso(int64_t wall_us, char out[CLOCK_ISO_MAX]);

/* Proleptic Gregorian calendar <-> days since 1970-01-01 (both directions, any year 1..9999). */
int64_t clock_days_from_civil(int year, int month, int day);
void clock_civil_from_days(int64_t days, int *year, int *month, int *day);

#endif
