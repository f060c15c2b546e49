/*
 * Dates, times, durations and zones as values: their text, order and arithmetic.
 *
 * Formatting and reading stand in datetime_text.c, methods in datetime_methods.c.
 */
#include "template/datetime_int.h"

#include <math.h>

#include "base/utf8.h"

static const struct tmpl_class dt_classes[DT_TIME + 1];
static const struct tmpl_class delta_class;
static const struct tmpl_class tz_class;

struct delta {
    struct val_obj obj;
    int64_t us;
};

struct tz {
    struct val_obj obj;
    const struct zone *zone;
};

bool dt_is(struct val v)
{
    return v.type == VAL_OBJ && v.u.obj->cls >= &dt_classes[0].base &&
           v.u.obj->cls <= &dt_classes[DT_TIME].base;
}

bool dt_is_delta(struct val v)
{
    return v.type == VAL_OBJ && v.u.obj->cls == &delta_class.base;
}

const struct dt *dt_of(struct val v)
{
    return (const struct dt *)(const void *)v.u.obj;
}

int64_t dt_delta_us(struct val v)
{
    return ((const struct delta *)(const void *)v.u.obj)->us;
}

struct val dt_delta_new(struct arena *a, int64_t us)
{
    struct delta *d = ARENA_NEW(a, struct delta);

    d->obj.cls = &delta_class.base;
    d->us = us;
    return val_obj(&d->obj);
}

int64_t dt_floor_div(int64_t x, int64_t y)
{
    return x / y - (x % y < 0);
}

struct val dt_new(struct arena *a, enum dt_kind kind, int64_t local_us, const struct zone *zone)
{
    struct dt *d = ARENA_NEW(a, struct dt);

    d->obj.cls = &dt_classes[kind].base;
    d->kind = kind;
    d->local_us = local_us;
    d->zone = zone;
    if (zone != NULL)
        d->offset_s = zone_offset_local(zone, dt_floor_div(local_us, SECOND_US));
    return val_obj(&d->obj);
}

struct val dt_at(struct arena *a, int64_t utc_us, const struct zone *zone)
{
    int32_t offset =
        zone != NULL ? zone_offset(zone, dt_floor_div(utc_us, SECOND_US), NULL, NULL) : 0;
    struct val v = dt_new(a, DT_DATETIME, utc_us + offset * SECOND_US, zone);

    ((struct dt *)(void *)v.u.obj)->offset_s = offset;
    return v;
}

int64_t dt_utc_us(const struct dt *d)
{
    return d->local_us - d->offset_s * SECOND_US;
}

void dt_fields(const struct dt *d, struct dt_fields *f)
{
    int64_t days = dt_floor_div(d->local_us, DAY_US);
    int64_t us = d->local_us - days * DAY_US;

    f->days = days;
    clock_civil_from_days(days, &f->year, &f->month, &f->day);
    f->us = (int)(us % SECOND_US);
    us /= SECOND_US;
    f->second = (int)(us % 60);
    f->minute = (int)(us / 60 % 60);
    f->hour = (int)(us / 3600);
    f->weekday = (int)(((days + 3) % 7 + 7) % 7);
    f->yday = (int)(days - clock_days_from_civil(f->year, 1, 1)) + 1;
}

static bool dt_in_range(int64_t local_us)
{
    return local_us >= clock_days_from_civil(1, 1, 1) * DAY_US &&
           local_us < clock_days_from_civil(10000, 1, 1) * DAY_US;
}

/* ---- zones --------------------------------------------------------------------------------------
 */

static void tz_str(const struct val_obj *o, struct buf *out)
{
    buf_add_str(out, zone_name(((const struct tz *)(const void *)o)->zone));
}

static const struct tmpl_class tz_class = {
    .base = {.name = "tzinfo", .str = tz_str},
};

struct val dt_zone_new(struct arena *a, const struct zone *zone)
{
    struct tz *tz = ARENA_NEW(a, struct tz);

    tz->obj.cls = &tz_class.base;
    tz->zone = zone;
    return val_obj(&tz->obj);
}

int dt_zone_arg(struct call *c, struct val v, const struct zone **out)
{
    if (v.type == VAL_OBJ && v.u.obj->cls == &tz_class.base) {
        *out = ((const struct tz *)(const void *)v.u.obj)->zone;
        return 0;
    }
    if (v.type != VAL_STR)
        return call_raise(c, TMPL_EXC_TYPE, "a time zone must be its name or tz(name), not '%s'",
                          val_type_name(v));
    *out = zone_open(val_text(v), c->a);
    if (*out == NULL)
        return call_raise(c, TMPL_EXC_VALUE, "unknown time zone '%.*s'", STR_ARG(val_text(v)));
    return 0;
}

int dt_platform_zone(struct call *c, const struct zone **out)
{
    struct str name = vm_run(c->vm)->timezone;

    *out = NULL;
    return name.len == 0 ? 0 : dt_zone_arg(c, val_str(name), out);
}

/* ---- durations
 * ----------------------------------------------------------------------------------- */

static void delta_str(const struct val_obj *o, struct buf *out)
{
    int64_t us = ((const struct delta *)(const void *)o)->us;
    int64_t days = dt_floor_div(us, DAY_US);
    int64_t rest = us - days * DAY_US;
    int64_t s = rest / SECOND_US;

    if (days != 0)
        buf_addf(out, "%lld day%s, ", (long long)days, days == 1 || days == -1 ? "" : "s");
    buf_addf(out, "%lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60),
             (long long)(s % 60));
    if (rest % SECOND_US != 0)
        buf_addf(out, ".%06lld", (long long)(rest % SECOND_US));
}

static void delta_repr(const struct val_obj *o, struct buf *out)
{
    int64_t us = ((const struct delta *)(const void *)o)->us;
    int64_t days = dt_floor_div(us, DAY_US);
    int64_t rest = us - days * DAY_US;
    const char *comma = "";

    buf_add_c(out, "datetime.timedelta(");
    if (days != 0) {
        buf_addf(out, "days=%lld", (long long)days);
        comma = ", ";
    }
    if (rest / SECOND_US != 0) {
        buf_addf(out, "%sseconds=%lld", comma, (long long)(rest / SECOND_US));
        comma = ", ";
    }
    if (rest % SECOND_US != 0)
        buf_addf(out, "%smicroseconds=%lld", comma, (long long)(rest % SECOND_US));
    buf_add_c(out, us == 0 ? "0)" : ")");
}

static bool delta_truth(const struct val_obj *o)
{
    return ((const struct delta *)(const void *)o)->us != 0;
}

static bool delta_eq(const struct val_obj *o, struct val other)
{
    return dt_is_delta(other) && dt_delta_us(other) == ((const struct delta *)(const void *)o)->us;
}

static int delta_cmp(const struct val_obj *o, struct val other, int *out)
{
    int64_t x = ((const struct delta *)(const void *)o)->us;

    if (!dt_is_delta(other))
        return -1;
    *out = x < dt_delta_us(other) ? -1 : x > dt_delta_us(other);
    return 0;
}

static uint64_t delta_hash(const struct val_obj *o)
{
    return val_hash(val_int(((const struct delta *)(const void *)o)->us));
}

static struct val delta_json(const struct val_obj *o, struct arena *a)
{
    struct buf b;

    buf_init(&b, 64, a);
    delta_str(o, &b);
    return val_str(buf_str(&b));
}

static struct val delta_copy(const struct val_obj *o, struct arena *a)
{
    return dt_delta_new(a, ((const struct delta *)(const void *)o)->us);
}

static struct val delta_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    int64_t us = ((const struct delta *)(const void *)o)->us;
    int64_t days = dt_floor_div(us, DAY_US);

    (void)a;
    if (str_eq_c(name, "days"))
        return val_int(days);
    if (str_eq_c(name, "seconds"))
        return val_int((us - days * DAY_US) / SECOND_US);
    if (str_eq_c(name, "microseconds"))
        return val_int((us - days * DAY_US) % SECOND_US);
    return val_undef(NULL);
}

static int bad_operands(struct call *c, char op, struct val x, struct val y, bool reflected)
{
    return call_raise(c, TMPL_EXC_TYPE, "unsupported operand type(s) for %c: '%s' and '%s'", op,
                      val_type_name(reflected ? y : x), val_type_name(reflected ? x : y));
}

static int delta_result(struct call *c, double us, struct val *out)
{
    if (!(fabs(us) < 8.64e19)) /* 999999999 days */
        return call_raise(c, TMPL_EXC_OVERFLOW, "days=%.0f; must have magnitude <= 999999999",
                          us / (double)DAY_US);
    if (fabs(us) > 9e18)
        return call_raise(c, TMPL_EXC_OVERFLOW, "duration does not fit 64 bits");
    *out = dt_delta_new(c->a, (int64_t)nearbyint(us));
    return 0;
}

static int delta_scale(struct call *c, char op, int64_t us, struct val by, struct val *out)
{
    double f;
    int64_t product;

    if (op == '*' && lib_is_int(by) && by.type != VAL_BIGINT) {
        if (__builtin_mul_overflow(us, by.type == VAL_BOOL ? by.u.b : by.u.i, &product))
            return call_raise(c, TMPL_EXC_OVERFLOW, "duration does not fit 64 bits");
        *out = dt_delta_new(c->a, product);
        return 0;
    }
    if (lib_to_float(c, by, &f) != 0)
        return -1;
    if (op == '/' && f == 0)
        return call_raise(c, TMPL_EXC_ZERO_DIV, "division by zero");
    return delta_result(c, op == '*' ? (double)us * f : (double)us / f, out);
}

static int delta_arith(struct val_obj *o, char op, struct val other, bool reflected, struct call *c,
                       struct val *out)
{
    int64_t us = ((const struct delta *)(const void *)o)->us;
    int64_t r;

    if (dt_is_delta(other)) {
        int64_t y = dt_delta_us(other);

        if (op == '+' ? __builtin_add_overflow(us, y, &r)
                      : op == '-' && (reflected ? __builtin_sub_overflow(y, us, &r)
                                                : __builtin_sub_overflow(us, y, &r)))
            return call_raise(c, TMPL_EXC_OVERFLOW, "duration does not fit 64 bits");
        if (op == '+' || op == '-') {
            *out = dt_delta_new(c->a, r);
            return 0;
        }
        if (op == '/') {
            if ((reflected ? us : y) == 0)
                return call_raise(c, TMPL_EXC_ZERO_DIV, "division by zero");
            *out = val_float(reflected ? (double)y / (double)us : (double)us / (double)y);
            return 0;
        }
    } else if (lib_is_number(other) && (op == '*' || (op == '/' && !reflected))) {
        return delta_scale(c, op, us, other, out);
    } else if (dt_is(other)) {
        return dt_shift(c, dt_of(other), op == '-' ? -us : us, out);
    }
    return bad_operands(c, op, val_obj(o), other, reflected);
}

static const struct tmpl_class delta_class = {
    .base = {.name = "datetime.timedelta",
             .str = delta_str,
             .repr = delta_repr,
             .truth = delta_truth,
             .eq = delta_eq,
             .cmp = delta_cmp,
             .hash = delta_hash,
             .json = delta_json,
             .copy = delta_copy},
    .getattr = delta_getattr,
    .arith = delta_arith,
};

int dt_delta_args(struct call *c, struct val *out)
{
    static const double units[] = {86400e6, 1e6, 1, 1e3, 60e6, 3600e6, 604800e6};
    struct val arg[COUNT_OF(units)];
    double us = 0;
    int64_t exact = 0;
    bool is_exact = true;

    for (size_t i = 0; i < COUNT_OF(units); i++)
        arg[i] = val_int(0);
    if (call_bind(c, "days=,seconds=,microseconds=,milliseconds=,minutes=,hours=,weeks=", arg) != 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        int64_t part;
        double f;

        if (!lib_is_number(arg[i]))
            return call_raise(c, TMPL_EXC_TYPE, "unsupported type for timedelta component: %s",
                              val_type_name(arg[i]));
        if (lib_to_float(c, arg[i], &f) != 0)
            return -1;
        us += f * units[i];
        if (arg[i].type != VAL_INT ||
            __builtin_mul_overflow(arg[i].u.i, (int64_t)units[i], &part) ||
            __builtin_add_overflow(exact, part, &exact))
            is_exact = false;
    }
    if (!is_exact)
        return delta_result(c, us, out);
    *out = dt_delta_new(c->a, exact);
    return 0;
}

/* ---- date-times -------------------------------------------------------------------------------
 */

int dt_shift(struct call *c, const struct dt *d, int64_t us, struct val *out)
{
    int64_t local;

    if (d->kind == DT_DATE)
        us = dt_floor_div(us, DAY_US) * DAY_US;
    if (d->kind == DT_TIME)
        return call_raise(c, TMPL_EXC_TYPE,
                          "unsupported operand type(s) for +: 'datetime.time' and "
                          "'datetime.timedelta'");
    if (__builtin_add_overflow(d->local_us, us, &local) || !dt_in_range(local))
        return call_raise(c, TMPL_EXC_OVERFLOW, "date value out of range");
    *out = dt_new(c->a, d->kind, local, d->zone);
    return 0;
}

static void put_offset(const struct dt *d, struct buf *out)
{
    int32_t s = d->offset_s < 0 ? -d->offset_s : d->offset_s;

    buf_addf(out, "%c%02d:%02d", d->offset_s < 0 ? '-' : '+', s / 3600, s / 60 % 60);
    if (s % 60 != 0)
        buf_addf(out, ":%02d", s % 60);
}

void dt_iso(const struct dt *d, char sep, struct buf *out)
{
    struct dt_fields f;

    dt_fields(d, &f);
    if (d->kind != DT_TIME)
        buf_addf(out, "%04d-%02d-%02d", f.year, f.month, f.day);
    if (d->kind == DT_DATE)
        return;
    if (d->kind == DT_DATETIME)
        buf_putc(out, sep);
    buf_addf(out, "%02d:%02d:%02d", f.hour, f.minute, f.second);
    if (f.us != 0)
        buf_addf(out, ".%06d", f.us);
    if (d->zone != NULL)
        put_offset(d, out);
}

static const struct dt *obj_dt(const struct val_obj *o)
{
    return (const struct dt *)(const void *)o;
}

static void dt_str(const struct val_obj *o, struct buf *out)
{
    dt_iso(obj_dt(o), ' ', out);
}

static void dt_repr(const struct val_obj *o, struct buf *out)
{
    const struct dt *d = obj_dt(o);
    struct dt_fields f;

    dt_fields(d, &f);
    buf_add_c(out, o->cls->name);
    if (d->kind == DT_TIME)
        buf_addf(out, "(%d, %d", f.hour, f.minute);
    else
        buf_addf(out, "(%d, %d, %d", f.year, f.month, f.day);
    if (d->kind == DT_DATETIME)
        buf_addf(out, ", %d, %d", f.hour, f.minute);
    if (d->kind != DT_DATE && (f.second != 0 || f.us != 0))
        buf_addf(out, ", %d", f.second);
    if (d->kind != DT_DATE && f.us != 0)
        buf_addf(out, ", %d", f.us);
    if (d->zone != NULL)
        buf_addf(out, ", tzinfo=tz('%.*s')", STR_ARG(zone_name(d->zone)));
    buf_putc(out, ')');
}

static bool dt_eq(const struct val_obj *o, struct val other)
{
    const struct dt *x = obj_dt(o);
    const struct dt *y;

    if (!dt_is(other) || other.u.obj->cls != o->cls)
        return false;
    y = dt_of(other);
    return (x->zone == NULL) == (y->zone == NULL) && dt_utc_us(x) == dt_utc_us(y);
}

static int dt_cmp(const struct val_obj *o, struct val other, int *out)
{
    const struct dt *x = obj_dt(o);
    const struct dt *y;

    if (!dt_is(other) || other.u.obj->cls != o->cls)
        return -1;
    y = dt_of(other);
    if ((x->zone == NULL) != (y->zone == NULL))
        return -1;
    *out = dt_utc_us(x) < dt_utc_us(y) ? -1 : dt_utc_us(x) > dt_utc_us(y);
    return 0;
}

static uint64_t dt_hash(const struct val_obj *o)
{
    return val_hash(val_int(dt_utc_us(obj_dt(o))));
}

static struct val dt_json(const struct val_obj *o, struct arena *a)
{
    struct buf b;

    buf_init(&b, 64, a);
    dt_iso(obj_dt(o), 'T', &b);
    return val_str(buf_str(&b));
}

/* The zone of a copy is its offset: the rules live in the arena left behind. */
static struct val dt_copy(const struct val_obj *o, struct arena *a)
{
    const struct dt *d = obj_dt(o);

    return dt_new(a, d->kind, d->local_us, d->zone != NULL ? zone_fixed(d->offset_s, a) : NULL);
}

static struct val dt_getattr(struct val_obj *o, struct str name, struct arena *a)
{
    const struct dt *d = obj_dt(o);
    struct dt_fields f;
    const struct {
        const char *name;
        const int *value;
        bool of_time;
    } members[] = {
        {"year", &f.year, false},     {"month", &f.month, false},  {"day", &f.day, false},
        {"hour", &f.hour, true},      {"minute", &f.minute, true}, {"second", &f.second, true},
        {"microsecond", &f.us, true},
    };

    dt_fields(d, &f);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        if (str_eq_c(name, members[i].name) && d->kind != (members[i].of_time ? DT_DATE : DT_TIME))
            return val_int(*members[i].value);
    }
    if (str_eq_c(name, "tzinfo") && d->kind != DT_DATE)
        return d->zone != NULL ? dt_zone_new(a, d->zone) : val_null();
    return val_undef(NULL);
}

static int dt_difference(struct call *c, const struct dt *x, const struct dt *y, struct val *out)
{
    if ((x->zone == NULL) != (y->zone == NULL))
        return call_raise(c, TMPL_EXC_TYPE,
                          "can't subtract offset-naive and offset-aware datetimes");
    if (x->zone != NULL &&
        str_eq(zone_name(x->zone),
               zone_name(y->zone))) /* on one clock Python subtracts what the clock shows */
        *out = dt_delta_new(c->a, x->local_us - y->local_us);
    else
        *out = dt_delta_new(c->a, dt_utc_us(x) - dt_utc_us(y));
    return 0;
}

static int dt_arith(struct val_obj *o, char op, struct val other, bool reflected, struct call *c,
                    struct val *out)
{
    const struct dt *d = obj_dt(o);

    if (dt_is_delta(other) && d->kind != DT_TIME && (op == '+' || (op == '-' && !reflected)))
        return dt_shift(c, d, op == '-' ? -dt_delta_us(other) : dt_delta_us(other), out);
    if (op == '-' && dt_is(other) && other.u.obj->cls == o->cls && d->kind != DT_TIME)
        return reflected ? dt_difference(c, dt_of(other), d, out)
                         : dt_difference(c, d, dt_of(other), out);
    return bad_operands(c, op, val_obj(o), other, reflected);
}

#define DT_CLASS(type_name)                                                                        \
    {                                                                                              \
        .base = {.name = type_name,                                                                \
                 .str = dt_str,                                                                    \
                 .repr = dt_repr,                                                                  \
                 .eq = dt_eq,                                                                      \
                 .cmp = dt_cmp,                                                                    \
                 .hash = dt_hash,                                                                  \
                 .json = dt_json,                                                                  \
                 .copy = dt_copy},                                                                 \
        .getattr = dt_getattr, .arith = dt_arith                                                   \
    }

static const struct tmpl_class dt_classes[DT_TIME + 1] = {
    [DT_DATETIME] = DT_CLASS("datetime.datetime"),
    [DT_DATE] = DT_CLASS("datetime.date"),
    [DT_TIME] = DT_CLASS("datetime.time"),
};
