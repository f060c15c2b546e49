/*
 * to_bool, startswith, endswith: yes or no.
 */
#include "template/filters/flt.h"

int flt_to_bool(struct call *c, struct val *out)
{
    static const char *const yes[] = {"yes", "on", "1", "true"};
    bool truth = false;

    if (call_bind(c, "", NULL) != 0)
        return -1;
    if (val_is(c->self, VAL_NULL) || val_is(c->self, VAL_BOOL)) {
        *out = c->self;
        return 0;
    }
    if (c->self.type == VAL_STR) {
        for (size_t i = 0; i < COUNT_OF(yes); i++)
            truth = truth || str_ieq(val_text(c->self), str_c(yes[i]));
    } else {
        truth = val_eq(c->self, val_int(1));
    }
    *out = val_bool(truth);
    return 0;
}

int flt_startswith(struct call *c, struct val *out)
{
    struct val prefix = val_null();

    if (call_bind(c, "prefix", &prefix) != 0)
        return -1;
    *out = val_bool(lib_has_affix(c->self, prefix, false));
    return 0;
}

int flt_endswith(struct call *c, struct val *out)
{
    struct val suffix = val_null();

    if (call_bind(c, "suffix", &suffix) != 0)
        return -1;
    *out = val_bool(lib_has_affix(c->self, suffix, true));
    return 0;
}
