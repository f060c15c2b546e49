/*
 * now, utcnow, tz, timedelta: the clock and what is counted with it.
 */
#include "template/datetime.h"
#include "template/funcs/fn.h"
#include "template/zone.h"

int fn_tz(struct call *c, struct val *out)
{
    struct val name = val_null();
    const struct zone *zone;

    if (call_bind(c, "name", &name) != 0 || dt_zone_arg(c, name, &zone) != 0)
        return -1;
    *out = dt_zone_new(c->a, zone);
    return 0;
}

static int64_t clock_now(struct call *c)
{
    struct clock *clock = vm_run(c->vm)->clock;

    return clock_wall_us(clock != NULL ? clock : &clock_system);
}

int fn_now(struct call *c, struct val *out)
{
    struct val tz = val_null();
    int64_t now = clock_now(c);
    const struct zone *zone;

    if (call_bind(c, "tz=", &tz) != 0)
        return -1;
    if (!val_is_none(tz)) {
        if (dt_zone_arg(c, tz, &zone) != 0)
            return -1;
        *out = dt_at(c->a, now, zone);
        return 0;
    }
    if (dt_platform_zone(c, &zone) != 0)
        return -1;
    *out = dt_new(c->a, DT_DATETIME, zone != NULL ? dt_of(dt_at(c->a, now, zone))->local_us : now,
                  NULL);
    return 0;
}

int fn_utcnow(struct call *c, struct val *out)
{
    if (call_bind(c, "", NULL) != 0)
        return -1;
    *out = dt_new(c->a, DT_DATETIME, clock_now(c), NULL);
    return 0;
}

int fn_timedelta(struct call *c, struct val *out)
{
    return dt_delta_args(c, out);
}
