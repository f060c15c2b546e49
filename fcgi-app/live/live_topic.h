/*
 * What a socket can show.
 */
#ifndef SLUICE_LIVE_TOPIC_H
#define SLUICE_LIVE_TOPIC_H

#include "api/api.h"

struct live_topic {
    const char *before, *after; /* the path around the parameter; without one, `before` is all of it */
    /*
     * c->conn, c->user and c->params[0] are set.
     *
     * stamp  changes whenever what is shown changes; cheap.
     */
    int (*stamp)(struct api_call *c, struct str *stamp, struct err *e);
    int (*show)(struct api_call *c, struct str *text, struct err *e);
};

/* The topic of a path, and its parameter; NULL for a path that has none. */
const struct live_topic *live_topic_find(struct str path, struct str *param);

#endif
