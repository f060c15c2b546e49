/*
 * sluicectl: what its commands share.
 *
 * A command is a file ctl_<name>.c with `int ctl_<name>(int argc, char **argv)` and a line in
 * commands.def.  argv[0] is the command's name.  It returns the exit status: 0 = done, 1 = the
 * answer is no or something failed (said on stderr), 2 = wrong arguments (see ctl_usage).
 */
#ifndef SLUICE_CTL_CTL_H
#define SLUICE_CTL_CTL_H

#include "base/value.h"

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

#define COMMAND(name, arguments, summary) int ctl_##name(int argc, char **argv);
#include "ctl/commands.def"
#undef COMMAND

/* What main() does: find the command and run it; the exit status. */
int ctl_main(int argc, char **argv);
/* Print how `command` is called, after the complaint if there is one; returns CTL_USAGE. */
int ctl_usage(const char *command, const char *complaint);
/* "sluicectl <command>: <message>" on stderr; returns CTL_FAILED. */
int ctl_fail(const char *command, const struct err *e);
/* True for "-name" and "--name". */
bool ctl_is_option(const char *arg, const char *name);
/* VALUE of "-name=VALUE" and "--name=VALUE"; NULL: another option. */
const char *ctl_option_value(const char *arg, const char *name);
/* "50/s", "30s", "7": the number above 0 before the unit, which may be left out. */
bool ctl_number(const char *text, const char *unit, int64_t *out);
/* True for an argument that begins with '-' and is more than that ("-" alone is standard input). */
bool ctl_looks_like_option(const char *arg);

/* The whole of a file, "-" or NULL for standard input.  ERR_INVALID: it cannot be read. */
MUST_CHECK int ctl_read(const char *path, struct str *out, struct arena *a, struct err *e);
/* Likewise, read as JSON. */
MUST_CHECK int ctl_read_json(const char *path, struct val *out, struct arena *a, struct err *e);

/* Answer a row of a batch: `reply` is an object to be filled, living in `a` as everything else. */
typedef void ctl_row_fn(void *ctx, struct val row, struct val reply, struct arena *a);

/*
 * -batch: JSON objects in, one a line on standard input; one object out per line, in order, each
 * written before the next is read.  A line that is no JSON object is answered
 * {"error":"InvalidRow","message":...}.
 */
int ctl_batch(ctl_row_fn *row, void *ctx);

#endif
