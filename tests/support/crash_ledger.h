/*
 * An HTTP server that keeps a ledger of the calls it gets, for tests that kill who calls.
 *
 * A call is a POST of {"guid":"...","cell":"..."} with an Idempotency-Key; it is written down as
 * soon as it is whole, then answered after a moment with {"cell":"...","id":"<guid>-<cell>"}.  What is written stays,
 * whatever becomes of the caller.  One thread per connection, on a free port of 127.0.0.1.
 */
#ifndef SLUICE_TESTS_CRASH_LEDGER_H
#define SLUICE_TESTS_CRASH_LEDGER_H

#include "base/base.h"

struct ledger_call {
    char key[96]; /* Idempotency-Key, empty when absent */
    char guid[40];
    char cell[24];
    int64_t at_us; /* wall clock, when it was whole */
};

struct ledger;

/* Answers come after 0 to `delay_ms` ms, another time for each call. */
struct ledger *ledger_new(int delay_ms);
void ledger_free(struct ledger *l); /* takes NULL */
int ledger_port(const struct ledger *l);
size_t ledger_count(struct ledger *l);
struct ledger_call ledger_get(struct ledger *l, size_t i);
void ledger_clear(struct ledger *l);

#endif
