/*
 * The system's clock, and the calendar without the C library's time zones.
 */
#include "base/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t); /* fails for unknown clocks only */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#if defined(SLUICE_TEST_BUILD)
/* By how much a test has set the clock of this program: the first number in the file SLUICE_CLOCK names. */
static const volatile int64_t no_jump, *jump_us = &no_jump;

static void find_jump(void)
{
    const char *path = getenv("SLUICE_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *p = fd >= 0 ? mmap(NULL, sizeof *jump_us, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (p != MAP_FAILED)
        jump_us = p;
    if (fd >= 0)
        close(fd);
}

static int64_t jump(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, find_jump);
    return *jump_us;
}
#else
static int64_t jump(void)
{
    return 0;
}
#endif

static int64_t system_wall(struct clock *c)
{
    (void)c;
    return read_us(CLOCK_REALTIME) + jump();
}

static int64_t system_mono(struct clock *c)
{
    (void)c;
    return read_us(CLOCK_MONOTONIC);
}

struct clock clock_system = {.wall_us = system_wall, .mono_us = system_mono};

int64_t clock_wall_us(struct clock *c)
{
    return c->wall_us(c);
}

int64_t clock_mono_us(struct clock *c)
{
    return c->mono_us(c);
}

int64_t clock_mono_ms(struct clock *c)
{
    return c->mono_us(c) / 1000;
}

void clock_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(c, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

struct timespec clock_in_ms(int64_t ms)
{
    int64_t at_us = read_us(CLOCK_MONOTONIC) + ms * 1000;

    return (struct timespec){.tv_sec = (time_t)(at_us / 1000000), .tv_nsec = (long)(at_us % 1000000) * 1000};
}

/* Years begin in March here, so that the leap day is the last of its year; an era is 400 years. */
enum { ERA_DAYS = 146097, EPOCH_FROM_ERA = 719468 };

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t clock_days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * ERA_DAYS + day_of_era - EPOCH_FROM_ERA;
}

void clock_civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + EPOCH_FROM_ERA;
    int64_t era = floor_div(z, ERA_DAYS);
    int64_t doe = z - era * ERA_DAYS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t from_march = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * from_march + 2) / 5 + 1);
    *month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

/* `v` in `n` digits, and a separator behind them. */
static char *put_digits(char *out, int n, int v, char sep)
{
    for (int i = n - 1; i >= 0; i--) {
        out[i] = (char)('0' + v % 10);
        v /= 10;
    }
    out[n] = sep;
    return out + n + 1;
}

void clock_iso(int64_t wall_us, char out[CLOCK_ISO_MAX])
{
    const int64_t day_us = (int64_t)86400 * 1000000;
    int64_t days = floor_div(wall_us, day_us);
    int64_t us = wall_us - days * day_us;
    int s = (int)(us / 1000000);
    int year = 0;
    int month = 0;
    int day = 0;

    clock_civil_from_days(days, &year, &month, &day);
    out = put_digits(out, 4, year, '-');
    out = put_digits(out, 2, month, '-');
    out = put_digits(out, 2, day, 'T');
    out = put_digits(out, 2, s / 3600, ':');
    out = put_digits(out, 2, s / 60 % 60, ':');
    out = put_digits(out, 2, s % 60, '.');
    out = put_digits(out, 6, (int)(us % 1000000), 'Z');
    *out = '\0';
}
