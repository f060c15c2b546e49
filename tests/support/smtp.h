/*
 * A mail server for tests: takes every message and keeps it, or refuses as told.
 *
 * One thread, a connection at a time, on a free port of 127.0.0.1.  Recipients that begin with "refused" are refused with 550;
 * with "later" with 451.
 */
#ifndef SLUICE_TESTS_SMTP_H
#define SLUICE_TESTS_SMTP_H

#include <stddef.h>

struct smtp_peer;

struct smtp_peer *smtp_peer_new(void);
void smtp_peer_free(struct smtp_peer *p);
int smtp_peer_port(const struct smtp_peer *p);
/* How many messages came. */
size_t smtp_peer_count(struct smtp_peer *p);
/* Message i with its envelope in front: "MAIL FROM:<a>\nRCPT TO:<b>\n...AUTH ...\n\n" and the data as sent; NULL when there is
 * none.  Lives until smtp_peer_free(). */
const char *smtp_peer_message(struct smtp_peer *p, size_t i);

#endif
