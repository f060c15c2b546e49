/*
 * strftime, to_datetime, timedelta: dates.
 */
#include <math.h>

#include "template/datetime.h"
#include "template/filters/flt.h"

/* A date from a date, a text of the accepted forms, or epoch seconds; raises ValueError else. */
static int to_date(struct call *c, struct val v, struct val *out)
{
    struct val text;

    if (dt_is(v)) {
        *out = v;
        return 0;
    }
    if (v.type != VAL_STR && (!lib_is_number(v) || v.type == VAL_BOOL))
        return v.type == VAL_UNDEF
                   ? vm_fail_undefined(c, v)
                   : call_raise(c, TMPL_EXC_TYPE, "expected a date, got '%s'", val_type_name(v));
    if (lib_text(c, v, &text) != 0)
        return -1;
    if (!dt_parse(val_text(text), c->a, out))
        return call_raise(c, TMPL_EXC_VALUE, "cannot read %.*s as a date", STR_ARG(lib_repr(c, v)));
    return 0;
}

/* date|strftime(format), or format|strftime(seconds) as Ansible has it; without seconds: now. */
int flt_strftime(struct call *c, struct val *out)
{
    struct val arg = val_undef(NULL);
    struct val date = c->self;
    struct str format;

    if (call_bind(c, "format=", &arg) != 0)
        return -1;
    if (c->self.type == VAL_STR && str_find_char(val_text(c->self), '%') >= 0 &&
        arg.type != VAL_STR) {
        struct clock *clock = vm_run(c->vm)->clock;

        format = val_text(c->self);
        date = val_is_none(arg) ? dt_new(c->a, DT_DATETIME,
                                         clock_wall_us(clock != NULL ? clock : &clock_system), NULL)
                                : arg;
    } else if (val_is_undef(arg)) {
        return call_raise(c, TMPL_EXC_TYPE,
                          "strftime() missing 1 required positional argument: 'format'");
    } else if (lib_need_text(c, arg, "format", &format) != 0) {
        return -1;
    }
    return to_date(c, date, &date) != 0 ? -1 : dt_strftime(c, dt_of(date), format, out);
}

int flt_to_datetime(struct call *c, struct val *out)
{
    struct val format = val_null();
    struct str text;
    struct str pattern;

    if (call_bind(c, "format=", &format) != 0)
        return -1;
    if (val_is_none(format) || dt_is(c->self))
        return to_date(c, c->self, out);
    if (lib_need_text(c, c->self, "strptime() argument 1", &text) != 0 ||
        lib_need_text(c, format, "strptime() argument 2", &pattern) != 0)
        return -1;
    return dt_strptime(c, text, pattern, out);
}

int flt_timedelta(struct call *c, struct val *out)
{
    struct val date = val_null();
    struct val delta;

    if (to_date(c, c->self, &date) != 0 || dt_delta_args(c, &delta) != 0)
        return -1;
    return op_arith(c, OP_ADD_, date, delta, out);
}
