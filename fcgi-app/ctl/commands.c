/*
 * The commands of the tool: finding one, handing over, saying how it is called.
 */
#include <stdio.h>

#include "base/log.h"
#include "crypto/crypto.h"
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

/* "import-legacy" is the function ctl_import_legacy(). */
static const char *shown_name(const struct command *c, char out[64])
{
    size_t n = 0;

    for (; n < 63 && c->name[n] != '\0'; n++)
        out[n] = c->name[n] == '_' ? '-' : c->name[n];
    out[n] = '\0';
    return out;
}

static const struct command *find(const char *name)
{
    char shown[64];

    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(shown_name(&commands[i], shown), name) == 0)
            return &commands[i];
    return NULL;
}

static void print_command(FILE *to, const struct command *c)
{
    char shown[64];

    (void)fprintf(to, "  sluicectl %s %s\n      %s\n", shown_name(c, shown), c->arguments, c->summary);
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

int ctl_main(int argc, char **argv)
{
    const struct command *c;

    crypto_no_core_dumps();
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
