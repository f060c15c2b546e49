/*
 * The files of deploy/ for containers and process managers hold together: whoever stops a program waits longer than it takes to
 * finish what is in flight, a log has bounds, and a container has no more rights than it needs (migration.md 5.2, 5.4).
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "integration/env_int.h"

#define DEPLOY SLUICE_SOURCE_DIR "/deploy/"

static struct env *env;

/* The number behind `what`, everywhere it stands; at least one must be there. */
static void each_is_longer(const char *path, const char *what, long than)
{
    const char *text = env_read_file(env, path), *p = strstr(text, what);

    if (p == NULL)
        env_fail(env, "%s: no %s", path, what);
    for (; p != NULL; p = strstr(p + 1, what))
        if (strtol(p + strlen(what), NULL, 10) <= than)
            env_fail(env, "%s: %s%ld is not longer than %ld s", path, what, strtol(p + strlen(what), NULL, 10), than);
}

static long drain_s(void)
{
    const char *p = strstr(env_read_file(env, SLUICE_SOURCE_DIR "/fcgi-app/options.def"), "OPTION(drain, DURATION, drain_ms, \"");

    assert_non_null(p);
    return strtol(strchr(p, '"') + 1, NULL, 10);
}

static void a_stop_waits_for_what_is_in_flight(void **state)
{
    long drain = drain_s();

    (void)state;
    assert_true(drain > 0);
    each_is_longer(DEPLOY "docker/compose.yaml", "stop_grace_period: ", drain);
    each_is_longer(DEPLOY "supervisord/sluice.conf", "stopwaitsecs=", drain);
    each_is_longer(DEPLOY "spawn-fcgi/sluice", "stop_s=", drain);
    each_is_longer(DEPLOY "systemd/sluice-core.service", "TimeoutStopSec=", drain);
    each_is_longer(DEPLOY "systemd/sluice-proxy@.service", "TimeoutStopSec=", drain);
}

/* What stands below the name of a service: lines that begin with four blanks. */
static const char *service(const char *name)
{
    const char *text = env_read_file(env, DEPLOY "docker/compose.yaml"), *from = strstr(text, env_fmt(env, "\n  %s:\n    ", name)), *end;

    if (from == NULL)
        env_fail(env, "compose.yaml: no service %s", name);
    from = strchr(from + 1, '\n');
    for (end = from; strncmp(end, "\n    ", 5) == 0;)
        end = strchr(end + 1, '\n');
    return env_fmt(env, "%.*s\n", (int)(end - from), from);
}

static void services_of_compose(void **state)
{
    static const char *const all[] = {"postgres", "apiocore", "px1"};
    static const char *const wanted[] = {"\n    restart: unless-stopped\n", "\n    stop_grace_period: ", "\n    logging: *bounded\n"};
    static const char *const ours[] = {"\n    read_only: true\n", "\n    cap_drop: [ALL]\n", "\n    security_opt: [no-new-privileges:true]\n", "\n    ulimits: {nofile: 65536, core: 0}\n"};

    (void)state;
    assert_non_null(strstr(env_read_file(env, DEPLOY "docker/compose.yaml"), "&bounded"));
    assert_non_null(strstr(env_read_file(env, DEPLOY "docker/compose.yaml"), "{max-size: 50m, max-file: \"10\"}"));
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        for (size_t k = 0; k < COUNT_OF(wanted); k++)
            if (strstr(service(all[i]), wanted[k]) == NULL)
                env_fail(env, "compose.yaml: %s lacks %s", all[i], wanted[k]);
        for (size_t k = 0; i > 0 && k < COUNT_OF(ours); k++)
            if (strstr(service(all[i]), ours[k]) == NULL)
                env_fail(env, "compose.yaml: %s lacks %s", all[i], ours[k]);
    }
}

static void the_image(void **state)
{
    const char *file = env_read_file(env, DEPLOY "docker/Dockerfile");

    (void)state;
    assert_non_null(strstr(file, "\nUSER 65532:65532\n"));
    assert_non_null(strstr(file, "\nSTOPSIGNAL SIGTERM\n"));
    assert_non_null(strstr(file, "\nHEALTHCHECK "));
    assert_non_null(strstr(file, "\nENTRYPOINT [\"/usr/bin/tini\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_waits_for_what_is_in_flight), cmocka_unit_test(services_of_compose), cmocka_unit_test(the_image),
    };

    env = env_start();
    return env_end(env, cmocka_run_group_tests(tests, NULL, NULL));
}
