/*
 * sluicectl: the operator's tool.  Finds the command and hands over.
 */
#include <stdio.h>

#include "base/log.h"
#include "ctl/ctl.h"

static const struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(name, arguments, summary) {#name, arguments, summary, ctl_##name},
#include "ctl/commands.def"
#undef COMMAND
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_command(FILE *to, const struct command *c)
{
    (void)fprintf(to, "  sluicectl %s %s\n      %s\n", c->name, c->arguments, c->summary);
}

static void print_all(FILE *to)
{
    (void)fprintf(to, "usage:\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        print_command(to, &commands[i]);
    (void)fprintf(to, "  sluicectl -help | -version\n");
}

int ctl_usage(const char *command, const char *complaint)
{
    const struct command *c = find(command);

    if (complaint != NULL)
        (void)fprintf(stderr, "sluicectl %s: %s\n", command, complaint);
    (void)fprintf(stderr, "usage:\n");
    if (c != NULL)
        print_command(stderr, c);
    return CTL_USAGE;
}

int main(int argc, char **argv)
{
    const struct command *c;

    log_init("sluicectl", LOG_INFO_LEVEL);
    if (argc < 2) {
        print_all(stderr);
        return CTL_USAGE;
    }
    if (ctl_is_option(argv[1], "help") || ctl_is_option(argv[1], "h")) {
        print_all(stdout);
        return CTL_OK;
    }
    if (ctl_is_option(argv[1], "version")) {
        (void)printf("sluicectl %s\n", SLUICE_VERSION);
        return CTL_OK;
    }
    c = find(argv[1]);
    if (c == NULL) {
        (void)fprintf(stderr, "sluicectl: unknown command \"%s\"\n", argv[1]);
        print_all(stderr);
        return CTL_USAGE;
    }
    for (int i = 2; i < argc; i++) {
        if (ctl_is_option(argv[i], "help")) {
            print_command(stdout, c);
            return CTL_OK;
        }
    }
    return c->run(argc - 1, argv + 1);
}
