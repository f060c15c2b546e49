/*
 * sluice-core: the HTTP API, custom routes, the workflow engine, jobs.
 */
#include "app.h"

int main(int argc, char **argv)
{
    static const struct app_role role = {.program = PROGRAM_CORE, .handler = core_handle};

    return app_main(&role, argc, argv);
}
