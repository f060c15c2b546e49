/*
 * Every advisory lock of the product, here and nowhere else: two that were alike would keep each other out.
 *
 * The arguments of pg_try_advisory_lock() and its relatives, as SQL.  Processes of two releases work on one database, so a lock
 * never changes its numbers.  Those with a name instead of a number are the hash PostgreSQL makes of it.
 */
#ifndef SLUICE_DB_LOCKS_H
#define SLUICE_DB_LOCKS_H

#define DB_LOCK_CLASS "1399616867"
/* whoever changes the schema: migration.md 8.3 */
#define DB_LOCK_MIGRATE DB_LOCK_CLASS ", 1"
/* making the partitions of a month; taken by history_make() in sql/migrations */
#define DB_LOCK_HISTORY DB_LOCK_CLASS ", 2"
/* the nightly clean-up */
#define DB_LOCK_MAINTENANCE DB_LOCK_CLASS ", 3"
/* sluicectl import-legacy, by the session */
#define DB_LOCK_IMPORT DB_LOCK_CLASS ", 4"
/* who starts what is due */
#define DB_LOCK_SCHEDULE DB_LOCK_CLASS ", hashtext('schedule')"
/* who writes down what the checks of gateways found */
#define DB_LOCK_GATEWAY_CHECK DB_LOCK_CLASS ", hashtext('gw-check')"
/* who judges the rates of all processes */
#define DB_LOCK_VITALS DB_LOCK_CLASS ", hashtext('vitals')"
/* making a key */
#define DB_LOCK_KEYS "hashtext('sluice'), hashtext('keys')"
/* storing a document of an instance, $1, under a name, $2; the only one of a single number of 64 bits, which PostgreSQL keeps apart
 * from those of two */
#define DB_LOCK_DOCUMENT "hashtextextended($2, $1)"

/* All of two numbers, for the test that no two are alike. */
#define DB_LOCKS                                                                                                       \
    {                                                                                                                  \
        DB_LOCK_MIGRATE, DB_LOCK_HISTORY, DB_LOCK_MAINTENANCE, DB_LOCK_IMPORT, DB_LOCK_SCHEDULE, DB_LOCK_GATEWAY_CHECK,  \
            DB_LOCK_VITALS, DB_LOCK_KEYS                                                                               \
    }

#endif
