/*
 * Places at a gateway, given out fairly by user.
 *
 * A gateway gets so many calls at once and no more.  When all places are taken, callers wait, and a place that comes free goes to
 * the waiting users in turn, each user's calls in their order: a bulk of one user costs another no more than his turn.  One
 * user alone never holds the last eighth of the places, so that others usually find one free.
 *
 * No threads and no clocks here; who waits is told through a call-back, and gives up by himself.
 */
#ifndef SLUICE_PROXY_FAIR_H
#define SLUICE_PROXY_FAIR_H

#include "base/base.h"

struct fair;
struct fair_user;

struct fair_ticket {
    struct fair_ticket *next, *prev; /* those of the same user, first come first */
    struct fair_user *user;          /* NULL: holds no place and waits for none */
    bool waiting;
    void (*granted)(void *arg); /* on whatever thread gave a place back, without a lock */
    void *arg;
};

enum fair_rc {
    FAIR_GRANTED,
    FAIR_WAITING,
    FAIR_FULL,     /* too many wait */
    FAIR_TOO_MANY, /* too many of this user's calls wait */
};

struct fair_stats {
    int active, waiting, users;
    uint64_t waited, refused;
};

struct fair *fair_new(void);
/* Takes NULL; nobody may hold or wait for a place. */
void fair_free(struct fair *f);
/*
 * Ask for a place among `places` (at least 1); as many calls may wait, a quarter of them of one user.
 *
 * t  zeroed but for granted and arg, which are called after FAIR_WAITING only.
 */
enum fair_rc fair_enter(struct fair *f, struct fair_ticket *t, int64_t user_id, int places);
/* Give the place back; takes a ticket that holds none. */
void fair_leave(struct fair *f, struct fair_ticket *t);
/* Stop waiting; false when a place was given meanwhile (`granted` has run or will). */
bool fair_give_up(struct fair *f, struct fair_ticket *t);
struct fair_stats fair_stats(struct fair *f);

#endif
