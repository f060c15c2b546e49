/*
 * Fuzz: JMESPath.  The first line of the input is the expression, the rest the data.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "format/jmespath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size);
    struct str expression = str_cut(&rest, '\n');
    struct arena *a = arena_new(0);
    struct jmespath *q = NULL;
    struct err e = {0};
    struct val given = val_null();
    struct val out;

    if (utf8_check(rest) != rest.len || json_parse(rest, &given, a, &e) != 0)
        given = val_null();
    if (jmespath_compile(&q, expression, a, &e) == 0 &&
        jmespath_search(q, given, &out, a, &e) == 0) {
        struct str text = json_text(out, a);
        struct val again;

        if (json_parse(text, &again, a, &e) != 0)
            abort(); /* what comes out is JSON */
    }
    arena_free(a);
    return 0;
}
