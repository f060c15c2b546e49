/*
 * What the nodes that ask people share.
 */
#ifndef SLUICE_NODES_PEOPLE_H
#define SLUICE_NODES_PEOPLE_H

#include "engine/manual.h"
#include "nodes/nodes.h"

/* What a parked question was woken up for. */
enum people_rc {
    PEOPLE_ANSWERED, /* *output and, when a form was sent, *form */
    PEOPLE_NOTIFY,   /* tell them: *payload as in manual.h */
    PEOPLE_LATE,     /* its time is over */
    PEOPLE_CANCELLED,
    PEOPLE_FAILED,
};
struct people_answer {
    struct str output;
    struct val form; /* undefined: none */
    struct val payload;
};
/* Read the signal; an answer is noted in the logs of the instance. */
enum people_rc people_wake(struct node_run *r, struct people_answer *out, struct err *e);

#endif
