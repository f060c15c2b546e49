/*
 * An upstream that does to its caller what the path asks for: "/.../do/reset_head/".
 *
 * A thread per connection on a free port of 127.0.0.1; it goes on when a test breaks off.
 *
 *   ok               200 {"ok":true}, connection kept
 *   echo_head        200, the request's head as text
 *   sink, slow_sink  read the whole body (at leisure), 200 {"bytes":N}
 *   early            413 before the body is read, then close
 *   big_N            N MiB with a length          endless   chunks until the caller goes
 *   wants_TOKEN      401 without "Authorization: Bearer TOKEN", else ok
 *   sleep_N          N ms, then ok                hang      never answer      drip  a byte each 50 ms
 *   gate, gate_X     ok, or what X does, once the gate is open (it is not at first)
 *   reset_now, reset_head, reset_body, close_now, close_head, close_body      break off at that stage
 *   garbage, headers_10000, big_head, two_lengths, length_and_chunks, bad_chunk, huge_chunk, folded, control_char,
 *   short_length (more bytes than announced), continue (three times 100, then ok), unauthorized (401), fail (500)
 */
#ifndef SLUICE_TESTS_ROGUE_H
#define SLUICE_TESTS_ROGUE_H

#include "base/str.h"

struct rogue;

struct rogue *rogue_new(void);
/* Connections that still wait are left behind. */
void rogue_free(struct rogue *r);
int rogue_port(const struct rogue *r);
/* Requests begun, request body bytes read, answer bytes sent, calls being worked on now. */
long rogue_requests(struct rogue *r);
long long rogue_body_bytes(struct rogue *r);
long long rogue_sent_bytes(struct rogue *r);
long rogue_active(struct rogue *r);
void rogue_gate(struct rogue *r, bool open);

#endif
