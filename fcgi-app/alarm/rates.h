/*
 * How much went wrong of late: a window that slides over counters, and the thresholds of the configuration.
 *
 * No lock and no clock here.  A window holds WINDOW_SLOTS figures, however much is counted.
 *
 * Rules: http-api.md 6.2 (alarms): kinds, levels and thresholds; the window is ours.
 */
#ifndef SLUICE_ALARM_RATES_H
#define SLUICE_ALARM_RATES_H

#include "base/value.h"

enum { WINDOW_SLOTS = 10 };

struct rate_slot {
    int64_t number; /* of the slot since the beginning of the clock */
    uint64_t calls, bad;
};

/* Zeroed to begin with. */
struct rate {
    struct rate_slot slots[WINDOW_SLOTS];
    uint64_t calls, bad; /* totals seen last */
    bool begun;
};

/* The totals are now these; what they grew by counts as of now.  The first ones, and smaller ones, count nothing. */
void rate_totals(struct rate *r, int64_t now_ms, int64_t slot_ms, uint64_t calls, uint64_t bad);
/* What the window holds: the slot of now and those before it. */
void rate_window(const struct rate *r, int64_t now_ms, int64_t slot_ms, uint64_t *calls, uint64_t *bad);

enum rate_verdict {
    RATE_UNKNOWN, /* too few calls to say, or no threshold is set: leave things as they are */
    RATE_FINE,
    RATE_BAD,
};

/*
 * rule   {"system_clear": bool, "thresholds": [{"level", "threshold"}]} of the document.
 * level  of the gravest threshold crossed: "info", "major", "critical".
 *
 * A success rate is bad below its threshold, in percent; it needs 10 calls to become so and one to be fine again.
 */
enum rate_verdict rate_judge_success(struct val rule, uint64_t calls, uint64_t bad, double *percent, const char **level);
/* A number of failures is bad from its threshold on. */
enum rate_verdict rate_judge_count(struct val rule, uint64_t bad, const char **level);

#endif
