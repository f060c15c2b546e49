/*
 * phonenumber_valid, _e164, _cc, _cca, _type: telephone numbers.
 *
 * Numbers are international ("+33..."); with a region argument national ones are read too.
 */
#include "format/phone.h"
#include "template/filters/flt.h"

/* Read the number; false when it is not a valid one. */
static int read_phone(struct call *c, struct phone *out, bool *valid)
{
    struct val region = val_null();
    struct val s = VAL_STR_LIT("");
    struct str text = STR_NONE;

    if (call_bind(c, "region=", &region) != 0 ||
        (!val_is_none(c->self) && lib_text(c, c->self, &s) != 0) ||
        (!val_is_none(region) && lib_need_text(c, region, "region", &text) != 0))
        return -1;
    *valid = phone_parse(val_text(s), text, out);
    return 0;
}

int flt_phonenumber_valid(struct call *c, struct val *out)
{
    struct phone p;
    bool valid;

    if (read_phone(c, &p, &valid) != 0)
        return -1;
    *out = val_bool(valid);
    return 0;
}

int flt_phonenumber_e164(struct call *c, struct val *out)
{
    struct phone p;
    bool valid;

    if (read_phone(c, &p, &valid) != 0)
        return -1;
    *out = val_str(str_dup(c->a, valid ? str_c(p.e164) : STR("")));
    return 0;
}

int flt_phonenumber_cc(struct call *c, struct val *out)
{
    struct phone p;
    bool valid;

    if (read_phone(c, &p, &valid) != 0)
        return -1;
    *out = valid ? val_int(p.country_code) : val_null();
    return 0;
}

int flt_phonenumber_cca(struct call *c, struct val *out)
{
    struct phone p;
    bool valid;

    if (read_phone(c, &p, &valid) != 0)
        return -1;
    *out = valid ? val_str(str_dup(c->a, str_c(p.region))) : val_null();
    return 0;
}

int flt_phonenumber_type(struct call *c, struct val *out)
{
    struct phone p;
    bool valid;

    if (read_phone(c, &p, &valid) != 0)
        return -1;
    *out = val_str_c(valid ? p.type : "UNKNOWN");
    return 0;
}
