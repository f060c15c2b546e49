/*
 * sluicectl jmespath: search JSON.
 *
 * Rows of a batch: {"expression","given"} -> {"result"} or {"error","line","column"}.
 */
#include <stdio.h>

#include "base/json.h"
#include "ctl/ctl.h"
#include "format/jmespath.h"

static int search(struct str expression, struct val given, struct val *out, struct arena *a,
                  struct err *e)
{
    struct jmespath *q = NULL;

    if (jmespath_compile(&q, expression, a, e) != 0)
        return -1;
    return jmespath_search(q, given, out, a, e);
}

static void answer(void *ctx, struct val row, struct val reply, struct arena *a)
{
    struct val expression = val_get(row, "expression");
    struct err e = {0};
    struct val result;

    (void)ctx;
    if (!val_is(expression, VAL_STR))
        err_set(&e, ERR_INVALID, "\"expression\" must be a text");
    else if (search(val_text(expression), val_get(row, "given"), &result, a, &e) == 0) {
        val_dict_set_c(reply, "result", result);
        return;
    }
    val_dict_set_c(reply, "error", val_str_dup(a, str_c(e.msg)));
    if (e.column > 0)
        val_dict_set_c(reply, "column", val_int(e.column));
}

static int search_file(const char *expression, const char *file)
{
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct val given;
    struct val result;
    struct buf text;
    int rc = CTL_FAILED;

    if (ctl_read_json(file, &given, a, &e) != 0 ||
        search(str_c(expression), given, &result, a, &e) != 0) {
        (void)ctl_fail("jmespath", &e);
        goto out;
    }
    buf_init(&text, SIZE_MAX / 4, a);
    json_write(result, JSON_SPACED, 2, &text);
    buf_putc(&text, '\n');
    rc = fwrite(text.p, 1, text.len, stdout) == text.len ? CTL_OK : CTL_FAILED;
out:
    arena_free(a);
    return rc;
}

int ctl_jmespath(int argc, char **argv)
{
    if (argc == 2 && ctl_is_option(argv[1], "batch"))
        return ctl_batch(answer, NULL);
    if (argc < 2 || argc > 3)
        return ctl_usage(argv[0], "one expression and at most one file are wanted");
    return search_file(argv[1], argc == 3 ? argv[2] : NULL);
}
