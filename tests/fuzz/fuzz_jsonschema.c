/*
 * Fuzz: JSON Schema.  The input is {"schema":...,"data":...}; what is no JSON is tried as a
 * pattern.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "format/jsonschema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct val schema, struct val data, enum jsonschema_draft draft, struct arena *a)
{
    struct jsonschema_error *errors = NULL;
    struct jsonschema *s = NULL;
    struct err e = {0};
    int rc;

    if (jsonschema_compile(&s, schema, draft, JSONSCHEMA_FORMATS, a, &e) != 0)
        return;
    rc = jsonschema_validate(s, data, &errors, a, &e);
    if (rc >= 0 && (rc == 1) != (errors == NULL))
        abort(); /* what is not valid says why */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct val row;

    if (utf8_check(text) == text.len) {
        if (json_parse(text, &row, a, &e) != 0) {
            struct val schema = val_dict_new(a, 1);

            row = val_dict_new(a, 2);
            val_dict_set_c(schema, "pattern", val_str(text));
            val_dict_set_c(row, "schema", schema);
            val_dict_set_c(row, "data", val_str(text));
        }
        check(val_get(row, "schema"), val_get(row, "data"), JSONSCHEMA_DRAFT7, a);
        check(val_get(row, "schema"), val_get(row, "data"), JSONSCHEMA_2020_12, a);
    }
    arena_free(a);
    return 0;
}
