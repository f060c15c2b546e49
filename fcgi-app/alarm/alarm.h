/*
 * Alarms: what people should look at, kept until it is over.
 *
 * There is at most one active alarm per key and subject; raising it again tells when it was seen last.
 */
#ifndef SLUICE_ALARM_ALARM_H
#define SLUICE_ALARM_ALARM_H

#include "db/db.h"
#include "db/writer.h"

#define ALARM_INFO "info"
#define ALARM_MAJOR "major"
#define ALARM_CRITICAL "critical"

struct alarm {
    const char *key;    /* what kind: "scheduled_job" */
    struct str subject; /* what it is about: the name of a job, a gateway; may be empty */
    const char *level;
    struct str message;
    struct str value; /* a figure; may be empty */
};

/* Raise it now. */
MUST_CHECK int alarm_raise(struct db_conn *c, const struct alarm *x, struct err *e);
/* Raise it with an item of the writer, in whose transaction it then is. */
void alarm_add(struct writer_item *item, const struct alarm *x, struct arena *a);
/* It is over: the platform saw so by itself.  Without such an alarm nothing happens. */
MUST_CHECK int alarm_over(struct db_conn *c, const char *key, struct str subject, struct err *e);

extern const struct db_stmts alarm_stmts;
extern const struct writer_stmts alarm_writer_stmts;

#endif
