/*
 * Whether the holder of a lease is gone: only when that is certain.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cases.h"

#include "engine/owner.h"

static void we_are_here(void **state)
{
    char name[OWNER_MAX];

    (void)state;
    owner_name(name);
    assert_false(owner_gone(str_c(name)));
}

static void a_dead_one_is_gone(void **state)
{
    char name[OWNER_MAX];
    int fds[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        owner_name(name);
        _exit(write(fds[1], name, sizeof name) == (ssize_t)sizeof name ? 0 : 1);
    }
    assert_int_equal(read(fds[0], name, sizeof name), sizeof name);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(owner_gone(str_c(name)));
    close(fds[0]);
    close(fds[1]);
}

/* Another boot, another container, another kind of name: not ours to judge. */
static void strangers_are_left_alone(void **state)
{
    static const char *const names[] = {"", "host", "host:12:34", "host/", "host/00000000.1.1.1", "host/x.y.z"};
    char name[OWNER_MAX], other[2 * OWNER_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_false(owner_gone(str_c(names[i])));
    owner_name(name);
    snprintf(other, sizeof other, "%s.more", name);
    assert_false(owner_gone(str_c(other)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(we_are_here),
        cmocka_unit_test(a_dead_one_is_gone),
        cmocka_unit_test(strangers_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
