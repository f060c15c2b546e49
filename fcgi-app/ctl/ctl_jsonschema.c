/*
 * sluicectl jsonschema: check JSON against a schema.
 *
 * Rows of a batch: {"schema","data"[,"draft"][,"formats"]} ->
 * {"valid","errors":[{"path","message"}]} or
 * {"error"}.  `format` is checked with -formats (in a row: "formats":true) and only noted without,
 * as the specification has it.
 */
#include <stdio.h>

#include "base/json.h"
#include "ctl/ctl.h"
#include "format/jsonschema.h"

static int draft_of(struct val v, enum jsonschema_draft *out, struct err *e)
{
    struct str name = val_text(v);

    *out = JSONSCHEMA_AUTO;
    if (val_is_none(v))
        return 0;
    if (str_find(name, STR("2020-12")) >= 0)
        *out = JSONSCHEMA_2020_12;
    else if (str_find(name, STR("draft-07")) >= 0 || str_find(name, STR("draft7")) >= 0 ||
             str_eq_c(name, "7"))
        *out = JSONSCHEMA_DRAFT7;
    if (*out != JSONSCHEMA_AUTO)
        return 0;
    err_set(e, ERR_INVALID, "unknown draft \"%.*s\": draft-07 and 2020-12 are known",
            STR_ARG(name));
    return -1;
}

/* ctx: the flags of the command line. */
static void answer(void *ctx, struct val row, struct val reply, struct arena *a)
{
    unsigned flags =
        *(const unsigned *)ctx | (val_get_bool(row, "formats", false) ? JSONSCHEMA_FORMATS : 0);
    struct jsonschema_error *errors = NULL;
    struct jsonschema *s = NULL;
    enum jsonschema_draft draft;
    struct err e = {0};
    struct val list;
    int rc = -1;

    if (draft_of(val_get(row, "draft"), &draft, &e) == 0 &&
        jsonschema_compile(&s, val_get(row, "schema"), draft, flags, a, &e) == 0)
        rc = jsonschema_validate(s, val_get(row, "data"), &errors, a, &e);
    if (rc < 0) {
        val_dict_set_c(reply, "error", val_str_dup(a, str_c(e.msg)));
        return;
    }
    list = val_list_new(a, 0);
    for (const struct jsonschema_error *x = errors; x != NULL; x = x->next) {
        struct val one = val_dict_new(a, 2);

        val_dict_set_c(one, "path", val_str(x->path));
        val_dict_set_c(one, "message", val_str(x->message));
        val_list_add(list, one);
    }
    val_dict_set_c(reply, "valid", val_bool(rc == 1));
    val_dict_set_c(reply, "errors", list);
}

static int check_file(const char *schema_file, const char *file, unsigned flags)
{
    struct arena *a = arena_new(0);
    struct jsonschema_error *errors = NULL;
    struct jsonschema *s = NULL;
    struct err e = {0};
    struct val schema;
    struct val data;
    int valid = -1;

    if (ctl_read_json(schema_file, &schema, a, &e) == 0 &&
        jsonschema_compile(&s, schema, JSONSCHEMA_AUTO, flags, a, &e) == 0 &&
        ctl_read_json(file, &data, a, &e) == 0)
        valid = jsonschema_validate(s, data, &errors, a, &e);
    if (valid < 0)
        (void)ctl_fail("jsonschema", &e);
    else
        (void)puts(valid ? "valid" : "not valid");
    for (; errors != NULL; errors = errors->next)
        (void)printf("%.*s%s%.*s\n", STR_ARG(errors->path), errors->path.len > 0 ? ": " : "",
                     STR_ARG(errors->message));
    arena_free(a);
    return valid == 1 ? CTL_OK : CTL_FAILED;
}

int ctl_jsonschema(int argc, char **argv)
{
    const char *files[2] = {NULL, NULL};
    bool batch = false;
    unsigned flags = 0;
    int n = 0;

    for (int i = 1; i < argc; i++) {
        if (ctl_is_option(argv[i], "batch"))
            batch = true;
        else if (ctl_is_option(argv[i], "formats"))
            flags = JSONSCHEMA_FORMATS;
        else if (ctl_looks_like_option(argv[i]))
            return ctl_usage(argv[0], "unknown option");
        else if (n < 2)
            files[n++] = argv[i];
        else
            return ctl_usage(argv[0], "too many files");
    }
    if (batch && n == 0)
        return ctl_batch(answer, &flags);
    if (n == 0 || batch)
        return ctl_usage(argv[0], batch ? "a batch takes no files" : "a schema file is wanted");
    return check_file(files[0], files[1], flags);
}
