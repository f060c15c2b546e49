/*
 * The file of a bad day, as the test sees it.
 */
#include "support/bad_day.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct bad_day *bad_day_new(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    void *p;

    if (fd < 0 || fchmod(fd, 0666) != 0 || ftruncate(fd, sizeof(struct bad_day)) != 0)
        abort();
    p = mmap(NULL, sizeof(struct bad_day), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        abort();
    close(fd);
    return p;
}
