/*
 * Sliding windows and thresholds.
 */
#include "alarm/rates.h"

#include <stdlib.h>

#include "alarm/alarm.h"

enum { CALLS_MIN = 10 };

void rate_totals(struct rate *r, int64_t now_ms, int64_t slot_ms, uint64_t calls, uint64_t bad)
{
    int64_t number = now_ms / slot_ms;
    struct rate_slot *s = &r->slots[number % WINDOW_SLOTS];

    if (s->number != number)
        *s = (struct rate_slot){.number = number};
    if (r->begun && calls >= r->calls && bad >= r->bad) {
        s->calls += calls - r->calls;
        s->bad += bad - r->bad;
    }
    r->calls = calls;
    r->bad = bad;
    r->begun = true;
}

void rate_window(const struct rate *r, int64_t now_ms, int64_t slot_ms, uint64_t *calls, uint64_t *bad)
{
    int64_t now = now_ms / slot_ms;

    *calls = *bad = 0;
    for (size_t i = 0; i < WINDOW_SLOTS; i++) {
        if (now - r->slots[i].number >= WINDOW_SLOTS)
            continue;
        *calls += r->slots[i].calls;
        *bad += r->slots[i].bad;
    }
}

/* Numbers, or what an editor leaves of them. */
static bool threshold_of(struct val t, double *out)
{
    struct val v = val_get(t, "threshold");
    char text[32], *end;

    if (val_is(v, VAL_INT)) {
        *out = (double)v.u.i;
        return true;
    }
    if (val_is(v, VAL_FLOAT)) {
        *out = v.u.f;
        return true;
    }
    if (!val_is(v, VAL_STR) || val_text(v).len == 0 || val_text(v).len >= sizeof text)
        return false;
    memcpy(text, val_text(v).p, val_text(v).len);
    text[val_text(v).len] = '\0';
    *out = strtod(text, &end);
    return *end == '\0';
}

/* The gravest level whose threshold is crossed. */
static enum rate_verdict judge(struct val rule, double figure, bool below, const char **level)
{
    static const char *const levels[] = {ALARM_INFO, ALARM_MAJOR, ALARM_CRITICAL};
    struct val list = val_get(rule, "thresholds");
    enum rate_verdict verdict = RATE_UNKNOWN;
    size_t gravest = 0;

    for (size_t i = 0; val_is(list, VAL_LIST) && i < val_count(list); i++) {
        struct val t = val_at(list, i);
        double threshold;

        if (!threshold_of(t, &threshold))
            continue;
        if (verdict == RATE_UNKNOWN)
            verdict = RATE_FINE;
        if (below ? figure >= threshold : figure < threshold)
            continue;
        verdict = RATE_BAD;
        for (size_t k = gravest; k < COUNT_OF(levels); k++)
            if (str_eq_c(val_text(val_get(t, "level")), levels[k]))
                gravest = k;
    }
    *level = levels[gravest];
    return verdict;
}

enum rate_verdict rate_judge_success(struct val rule, uint64_t calls, uint64_t bad, double *percent, const char **level)
{
    enum rate_verdict verdict;

    *percent = calls > 0 ? 100.0 * (double)(calls - (bad < calls ? bad : calls)) / (double)calls : 100.0;
    if (calls == 0)
        return RATE_UNKNOWN;
    verdict = judge(rule, *percent, true, level);
    return verdict == RATE_BAD && calls < CALLS_MIN ? RATE_UNKNOWN : verdict;
}

enum rate_verdict rate_judge_count(struct val rule, uint64_t bad, const char **level)
{
    return judge(rule, (double)bad, false, level);
}
