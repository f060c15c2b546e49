/*
 * Loaded into PostgreSQL before all other libraries: a clock that can be set, and a disk that can be full (bad_day.h).
 *
 * A full disk takes what is written over something that is there, and nothing behind it: then the call fails with ENOSPC, as it
 * does on a file system without a free block.  Which calls PostgreSQL 15 grows its files by: write, pwrite, pwritev, posix_fallocate
 * and, for a new file of pg_wal, the zeros it writes first.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bad_day.h"

#define EXPORTED __attribute__((visibility("default")))

static struct bad_day fine, *day = &fine;

__attribute__((constructor)) static void find_day(void)
{
    const char *path = getenv("SLUICE_BAD_DAY");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd >= 0 ? mmap(NULL, sizeof *day, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (p != MAP_FAILED)
        day = p;
    if (fd >= 0)
        close(fd);
}

static int64_t jump_us(void)
{
    return __atomic_load_n(&day->clock_us, __ATOMIC_RELAXED);
}

/* ---- the clock ------------------------------------------------------------------------------- */

EXPORTED int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    int64_t us;

    if (rc != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return rc;
    us = (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000 + jump_us();
    t->tv_sec = (time_t)(us / 1000000);
    t->tv_nsec = (long)(us % 1000000) * 1000 + t->tv_nsec % 1000;
    return 0;
}

EXPORTED int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec t;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    tv->tv_sec = t.tv_sec;
    tv->tv_usec = (suseconds_t)(t.tv_nsec / 1000);
    return 0;
}

EXPORTED time_t time(time_t *out)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL)
        *out = t.tv_sec;
    return t.tv_sec;
}

/* ---- the disk -------------------------------------------------------------------------------- */

static int kind_of(int fd)
{
    char link[64], path[512];
    ssize_t n;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return 0;
    path[n] = '\0';
    if (path[0] != '/' || strncmp(path, "/dev/", 5) == 0 || strstr(path, ".log") != NULL)
        return 0;
    return strstr(path, "/pg_wal/") != NULL ? DAY_WAL_FULL : DAY_DATA_FULL;
}

/* Is there no room for a file that ends at `end`? */
static bool no_room(int fd, off_t end)
{
    int full = __atomic_load_n(&day->full, __ATOMIC_RELAXED);
    struct stat st;

    if (full == 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || end <= st.st_size || (kind_of(fd) & full) == 0)
        return false;
    (void)__atomic_add_fetch(&day->refused, 1, __ATOMIC_RELAXED);
    return true;
}

EXPORTED ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    if (no_room(fd, at + (off_t)n)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, p, n, at);
}

EXPORTED ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

EXPORTED ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
    off_t end = at;

    for (int i = 0; i < n; i++)
        end += (off_t)v[i].iov_len;
    if (no_room(fd, end)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwritev, fd, v, n, at, 0);
}

EXPORTED ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    return pwritev64(fd, v, n, at);
}

EXPORTED ssize_t write(int fd, const void *p, size_t n)
{
    off_t at = day->full != 0 ? lseek(fd, 0, SEEK_CUR) : 0;

    if (at >= 0 && day->full != 0 && no_room(fd, at + (off_t)n)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, p, n);
}

EXPORTED int posix_fallocate64(int fd, off64_t at, off64_t n)
{
    if (no_room(fd, at + n))
        return ENOSPC;
    return syscall(SYS_fallocate, fd, 0, at, n) == 0 ? 0 : errno;
}

EXPORTED int posix_fallocate(int fd, off_t at, off_t n)
{
    return posix_fallocate64(fd, at, n);
}
