/*
 * What the files of "sluicectl doctor" share.
 */
#ifndef SLUICE_CTL_DOCTOR_H
#define SLUICE_CTL_DOCTOR_H

#include "ctl/ctl_db.h"

enum doctor_level {
    DOCTOR_WARNING, /* will hurt some day */
    DOCTOR_ERROR,   /* hurts already, or promises do not hold */
};

/*
 * A question to the database: each row of the answer is a problem, as one text.
 *
 * $1 is the text of the clock of this host, microseconds since 1970, where a statement asks for it.
 */
struct doctor_check {
    const char *name;
    enum doctor_level level;
    const char *sql;
    bool clock; /* takes $1 */
    const char *advice;
};

/* Print the structure of the database, names and types only, and what it is taken for. */
MUST_CHECK int doctor_structure(struct ctl_db *d, struct err *e);

extern const struct doctor_check doctor_checks[];
extern const size_t doctor_checks_n;

#endif
