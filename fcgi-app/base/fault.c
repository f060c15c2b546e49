/*
 * Failure on purpose, for test builds: one armed point and a countdown.
 */
#include "base/fault.h"

#if defined(SLUICE_TEST_BUILD)

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool env_read;
static char armed[64];
static unsigned left; /* passages until the failure, 0: disarmed */

static void arm(struct str point, unsigned nth)
{
    if (point.len == 0 || point.len >= sizeof(armed))
        nth = 0;
    else
        memcpy(armed, point.p, point.len);
    armed[nth > 0 ? point.len : 0] = '\0';
    left = nth;
}

static void arm_from_env(void)
{
    struct str nth = str_c(getenv("SLUICE_FAULT"));
    struct str point = str_cut(&nth, ':');
    int64_t n = 1;

    env_read = true;
    if (point.len > 0 && (nth.len == 0 || str_to_int(nth, &n)) && n > 0 && n <= UINT32_MAX)
        arm(point, (unsigned)n);
}

bool fault_hit(const char *point)
{
    bool hit = false;

    (void)pthread_mutex_lock(&lock);
    if (!env_read)
        arm_from_env();
    if (left > 0 && strcmp(armed, point) == 0)
        hit = --left == 0;
    (void)pthread_mutex_unlock(&lock);
    if (hit)
        (void)fprintf(stderr, "fault: %s\n", point);
    return hit;
}

bool fault_at(const char *kind, const char *name, size_t len)
{
    char point[sizeof(armed)];
    bool hit, tell;

    (void)snprintf(point, sizeof(point), "%s.%.*s", kind, (int)(len < 32 ? len : 32), name);
    hit = fault_hit(point);
    (void)pthread_mutex_lock(&lock);
    tell = left > 0 && strcmp(armed, "passed") == 0;
    (void)pthread_mutex_unlock(&lock);
    if (tell)
        (void)fprintf(stderr, "passed: %s\n", point);
    return hit;
}

void fault_die(const char *kind, const char *name, size_t len)
{
    if (fault_at(kind, name, len))
        (void)raise(SIGKILL);
}

void fault_arm(const char *point, unsigned nth)
{
    (void)pthread_mutex_lock(&lock);
    env_read = true;
    arm(str_c(point), nth);
    (void)pthread_mutex_unlock(&lock);
}

#endif
