/*
 * -batch: rows in, answers out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "ctl/ctl.h"

enum { ARENA_CHUNK = 64 * 1024 };

static void answer(struct str line, ctl_row_fn *row, void *ctx, struct val reply, struct arena *a)
{
    struct err e = {0};
    struct val v = val_null();

    if (utf8_check(line) != line.len)
        err_set(&e, ERR_INVALID, "the line is not UTF-8");
    else if (json_parse(line, &v, a, &e) == 0 && !val_is(v, VAL_DICT))
        err_set(&e, ERR_INVALID, "expected an object");
    if (e.code == ERR_NONE) {
        row(ctx, v, reply, a);
        return;
    }
    val_dict_set_c(reply, "error", VAL_STR_LIT("InvalidRow"));
    val_dict_set_c(reply, "message", val_str_dup(a, str_c(e.msg)));
}

int ctl_batch(ctl_row_fn *row, void *ctx)
{
    struct arena *a = arena_new(ARENA_CHUNK);
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    while ((n = getline(&line, &room, stdin)) >= 0) {
        struct val reply = val_dict_new(a, 4);
        struct str text;

        if (n > 0 && line[n - 1] == '\n')
            n--;
        answer(str_make(line, (size_t)n), row, ctx, reply, a);
        text = json_text(reply, a);
        (void)fwrite(text.p, 1, text.len, stdout);
        (void)putchar('\n');
        (void)fflush(stdout);
        arena_reset(a);
    }
    free(line);
    arena_free(a);
    return ferror(stdin) || ferror(stdout) ? CTL_FAILED : CTL_OK;
}
