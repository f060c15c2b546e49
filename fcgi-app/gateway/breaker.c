/*
 * Closed -> (failures in a row) -> open -> (wait) -> a probe -> closed, or open for another wait.
 */
#include "gateway/breaker.h"

bool breaker_admits(struct breaker *b, const struct breaker_rule *r, int64_t now_ms, int64_t *wait_ms)
{
    if (!b->open || r->failures == 0)
        return true;
    if (now_ms < b->next_ms) {
        *wait_ms = b->next_ms - now_ms;
        return false;
    }
    b->probing = true;
    b->next_ms = now_ms + r->probe_ms;
    return true;
}

bool breaker_failed(struct breaker *b, const struct breaker_rule *r, int64_t now_ms)
{
    b->failed_ms = now_ms;
    if (b->open) {
        /* calls from before it opened say nothing new */
        if (b->probing)
            b->next_ms = now_ms + r->wait_ms;
        b->probing = false;
        return false;
    }
    if (r->failures == 0 || ++b->failures < r->failures)
        return false;
    b->open = true;
    b->next_ms = now_ms + r->wait_ms;
    return true;
}

bool breaker_worked(struct breaker *b)
{
    bool was = b->open;

    *b = (struct breaker){0};
    return was;
}
