/*
 * What makes such systems fail in the field, as questions to the database.
 *
 * They read the catalogue of PostgreSQL and small tables, or through indexes: safe to ask at any
 * time.
 */
#include "ctl/doctor.h"

#define SETTING(name) "current_setting('" name "')"

const struct doctor_check doctor_checks[] = {
    {"durability", DOCTOR_ERROR,
     "SELECT name || ' is ' || setting FROM pg_settings WHERE (name = 'fsync' AND setting <> 'on') "
     "OR (name = 'full_page_writes' AND setting <> 'on') "
     "OR (name = 'synchronous_commit' AND setting = 'off') ORDER BY name",
     false, "switch it on in postgresql.conf and reload: without it an acknowledged run can be lost"},
    {"version", DOCTOR_ERROR,
     "SELECT 'PostgreSQL ' || " SETTING("server_version") " || ' is older than 13' "
     "WHERE " SETTING("server_version_num") "::int < 130000",
     false, "upgrade PostgreSQL"},
    {"read only", DOCTOR_ERROR,
     "SELECT 'the server is a standby: it takes no writes' WHERE pg_is_in_recovery()", false,
     "let DB name the primary, or all servers with target_session_attrs=read-write"},
    {"autovacuum", DOCTOR_ERROR,
     "SELECT name || ' is off' FROM pg_settings WHERE name IN ('autovacuum', 'track_counts') AND "
     "setting = 'off'",
     false, "switch it on: the tables of jobs grow without bound otherwise"},
    {"connections", DOCTOR_WARNING,
     "SELECT n || ' of ' || m || ' connections are taken' FROM (SELECT count(*) AS n, "
     SETTING("max_connections") "::int - " SETTING("superuser_reserved_connections") "::int AS m "
     "FROM pg_stat_activity WHERE backend_type = 'client backend') c WHERE n > m * 0.8",
     false, "raise max_connections, lower -workers, or put pgbouncer between (session mode)"},
    {"replication", DOCTOR_WARNING,
     "SELECT 'standby ' || application_name || ' is not waited for' FROM pg_stat_replication "
     "WHERE sync_state = 'async' AND " SETTING("synchronous_standby_names") " = ''",
     false,
     "set synchronous_standby_names: after a failover the last acknowledged runs may be missing"},
    {"replication slots", DOCTOR_WARNING,
     "SELECT 'slot ' || slot_name || ' is not used and keeps ' || pg_size_pretty(b) || ' of log' "
     "FROM (SELECT slot_name, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN "
     "pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn) AS b "
     "FROM pg_replication_slots WHERE NOT active) s WHERE b > 1 << 30",
     false, "drop the slot, or start its standby, before the disk is full"},
    {"clock", DOCTOR_WARNING,
     "SELECT 'the clocks of this host and of PostgreSQL differ by ' || round(d, 1) || ' s' FROM "
     "(SELECT abs(extract(epoch FROM clock_timestamp()) - $1::bigint / 1000000.0) AS d) c "
     "WHERE d > 1",
     true, "run a time service (chrony) on both hosts: timers fire by these clocks"},
    {"time zone", DOCTOR_ERROR,
     "WITH known AS MATERIALIZED (SELECT name FROM pg_timezone_names) "
     "SELECT 'PostgreSQL does not know the time zone ' || z FROM (SELECT 'UTC' AS z UNION SELECT "
     "timezone FROM users WHERE timezone <> '' AND timezone !~ '^[+-][0-9]{2}:?[0-9]{2}$') w WHERE NOT EXISTS (SELECT FROM known WHERE name = "
     "z) ORDER BY 1 LIMIT 10",
     false, "install tzdata on the host of PostgreSQL"},
    {"transaction ids", DOCTOR_ERROR,
     "SELECT 'the oldest row of database ' || datname || ' is ' || age(datfrozenxid) || "
     "' transactions old' FROM pg_database WHERE datallowconn AND age(datfrozenxid) > 1500000000",
     false, "run VACUUM (FREEZE) in that database now: at 2 billion PostgreSQL stops"},
    {"long transactions", DOCTOR_WARNING,
     "SELECT 'process ' || pid || ' of ' || coalesce(nullif(application_name, ''), usename, '?') "
     "|| ' has a transaction open for ' || (extract(epoch FROM now() - xact_start)::bigint / 60) "
     "|| ' minutes (' || state || ')' FROM pg_stat_activity WHERE backend_type = 'client backend' "
     "AND xact_start < now() - interval '5 minutes' ORDER BY xact_start LIMIT 10",
     false,
     "end it (SELECT pg_terminate_backend(PID)): while it lasts no dead row can be removed; set "
     "idle_in_transaction_session_timeout"},
    {"prepared transactions", DOCTOR_WARNING,
     "SELECT 'prepared transaction ' || gid || ' is open since ' || prepared FROM "
     "pg_prepared_xacts WHERE database = current_database() AND prepared < now() - "
     "interval '5 minutes'",
     false, "COMMIT PREPARED or ROLLBACK PREPARED it"},
    {"locks", DOCTOR_WARNING,
     "SELECT 'process ' || pid || ' of ' || coalesce(nullif(application_name, ''), '?') || ' waits "
     "for processes ' || array_to_string(pg_blocking_pids(pid), ', ') FROM pg_stat_activity "
     "WHERE wait_event_type = 'Lock' AND state_change < now() - interval '10 seconds' LIMIT 10",
     false, "look what those processes do (pg_stat_activity)"},
    {"bloat of jobs", DOCTOR_WARNING,
     "SELECT 'jobs takes ' || pg_size_pretty(size) || ' for ' || n || ' rows' FROM (SELECT "
     "pg_total_relation_size('jobs') AS size, (SELECT count(*) FROM jobs) AS n) s "
     "WHERE size > 64 * 1024 * 1024 AND size > 8192 * (n + 1)",
     false,
     "look for long transactions, then REINDEX TABLE CONCURRENTLY jobs and, in a quiet hour, "
     "VACUUM FULL jobs"},
    {"partitions", DOCTOR_ERROR,
     "SELECT 'the partition ' || p || ' is missing' FROM (SELECT name || '_p' || "
     "to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + m * interval '1 month', 'YYYYMM') "
     "AS p FROM history_tables, generate_series(0, 1) m) x WHERE to_regclass(quote_ident(p)) IS "
     "NULL ORDER BY 1",
     false, "SELECT history_prepare(), and see why the core does not do it (its log: maintenance)"},
    {"default partitions", DOCTOR_WARNING,
     "SELECT 'table ' || c.relname || ' holds rows of no month' FROM pg_class c JOIN "
     "pg_stat_user_tables s ON s.relid = c.oid JOIN history_tables h ON c.relname = h.name || "
     "'_default' WHERE c.relnamespace = current_schema()::regnamespace AND s.n_live_tup > 0",
     false, "SELECT history_make(TIME) for the months of these rows"},
    {"leases", DOCTOR_ERROR,
     "SELECT count(*) || ' leases ran out and nobody takes them over; the oldest, of ' || "
     "(array_agg(lease_owner ORDER BY lease_until))[1] || ', at ' || min(lease_until) FROM jobs "
     "WHERE state = 'leased' AND lease_until < now() - interval '1 minute' HAVING count(*) > 0",
     false, "start a core with -workflows"},
    {"overdue jobs", DOCTOR_ERROR,
     "SELECT count(*) || ' jobs are due and nobody starts them; the oldest since ' || min(due_on) "
     "FROM jobs WHERE state = 'ready' AND kind IN ('instance', 'mass') AND "
     "due_on < now() - interval '1 minute' HAVING count(*) > 0",
     false, "start a core with -workflows, or more of them when those there are busy"},
    {"dying processes", DOCTOR_WARNING,
     "SELECT 'transaction ' || ref_id || ' was taken up ' || attempts || ' times without getting "
     "on' FROM jobs WHERE attempts >= 3 AND kind = 'instance' ORDER BY attempts DESC LIMIT 10",
     false, "see why processes die: their logs, the kernel's (out of memory)"},
    {"failed instances", DOCTOR_WARNING,
     "SELECT 'transaction ' || ref_id || ' cannot be run: ' || coalesce(last_error, '?') FROM jobs "
     "WHERE state = 'failed' ORDER BY id LIMIT 10",
     false, "correct what the message names, then replay"},
    {"blocked instances", DOCTOR_WARNING,
     "SELECT n || ' transactions wait for a person, the oldest since ' || t FROM (SELECT count(*) "
     "AS n, min(created_on) AS t FROM instances WHERE cnt_tasks_in_error > 0 AND status = "
     "'ACTIVE') b WHERE n > 0",
     false, "list them (tasks in error), and replay, skip or close them"},
    {"lost instances", DOCTOR_ERROR,
     "SELECT 'transaction ' || i.id || ' is active and nothing will move it' FROM instances i "
     "WHERE i.status = 'ACTIVE' AND i.cnt_tasks_in_error = 0 AND (i.parent_instance_id IS NULL OR "
     "i.kind = 'child') AND coalesce(i.updated_on, i.created_on) < now() - interval '10 minutes' "
     "AND NOT EXISTS (SELECT FROM jobs j WHERE j.kind = 'instance' AND j.ref_id = i.id) "
     "AND NOT EXISTS (SELECT FROM tasks t WHERE t.instance_id = i.id AND t.instance_on = "
     "i.created_on AND t.status IN ('WAIT', 'ERROR')) "
     "AND i.created_on > now() - interval '90 days' ORDER BY i.id LIMIT 10",
     false, "replay its last task, or close it; if nobody reopened it, report it: it must not be"},
    {"orphaned jobs", DOCTOR_WARNING,
     "SELECT 'job ' || j.id || ' is of transaction ' || j.ref_id || ', which is gone' FROM jobs j "
     "WHERE j.kind = 'instance' AND j.ref_id IS NOT NULL AND NOT EXISTS (SELECT FROM instances i "
     "WHERE i.id = j.ref_id AND i.created_on = j.ref_on) LIMIT 10",
     false, "DELETE the job"},
    {"one-time links", DOCTOR_WARNING,
     "SELECT 'the link of manual action ' || m.id || ' of transaction ' || m.instance_id || "
     "' ends on ' || t.expires_on FROM one_time_tokens t JOIN manual_actions m ON m.id = "
     "t.action_id WHERE m.output IS NULL AND t.used_on IS NULL AND t.expires_on < now() + "
     "interval '1 day' ORDER BY t.expires_on LIMIT 10",
     false, "have it answered, or answer it as a user: a link that has ended cannot be used"},
    {"tokens", DOCTOR_WARNING,
     "SELECT 'the last token of entity user ' || u.username || ' ends on ' || max(t.expires_on) "
     "FROM users u JOIN refresh_tokens t ON t.user_id = u.id WHERE u.entity IS NOT NULL "
     "GROUP BY u.username HAVING max(t.expires_on) BETWEEN now() AND now() + interval '7 days' "
     "ORDER BY 1 LIMIT 10",
     false, "have it log in again, or give it a new token"},
};
const size_t doctor_checks_n = COUNT_OF(doctor_checks);
