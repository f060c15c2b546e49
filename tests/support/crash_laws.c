/*
 * The laws of it_crash.
 */
#include "support/crash_laws.h"

#include "base/arena.h"
#include "base/buf.h"
#include "support/crash_graphs.h"

const char crash_tables_sql[] =
    "CREATE SCHEMA proof; "
    "CREATE TABLE proof.cells (activity bigint, cell text, tasks int, maybe boolean, status text, "
    "output text, call boolean, key text, path text[], want text, subs int, at_once int, asks "
    "text); "
    "CREATE TABLE proof.ends (activity bigint, status text); "
    "CREATE TABLE proof.acked (round int, id bigint, guid uuid); "
    "CREATE TABLE proof.calls (round int, guid uuid, cell text, key text, at_us bigint); "
    "CREATE TABLE proof.said (round int, guid uuid, cell text, what text, status int, unsure "
    "boolean); "
    "CREATE TABLE proof.blows (round int, what text, from_us bigint, to_us bigint); "
    "CREATE INDEX ON proof.acked (round); CREATE INDEX ON proof.calls (round); "
    "CREATE INDEX ON proof.said (round); CREATE INDEX ON proof.blows (round)";

/* What the tasks that asked somebody were told. */
#define HEARD                                                                                      \
    "heard AS (SELECT m.guid, t.cell_id AS cell, CASE c.asks WHEN 'person' THEN t.output ELSE "    \
    "(SELECT x.value ->> 'n' FROM contexts x WHERE x.instance_id = m.id AND x.key = 'back_' || "   \
    "t.cell_id) END AS heard FROM mine m JOIN proof.cells c ON c.activity = m.activity_id AND "    \
    "c.asks IN ('person', 'callback') JOIN tasks t ON t.instance_id = m.id AND t.cell_id = c.cell WHERE "        \
    "t.status = 'OK') "

/* Tasks with their turn: how many of the same cell were there before. */
#define TURNS                                                                                      \
    "turns AS (SELECT t.*, row_number() OVER (PARTITION BY t.instance_id, t.cell_id ORDER BY "     \
    "t.id) - 1 AS turn FROM mine m JOIN tasks t ON t.instance_id = m.id) "

const struct crash_law crash_laws[] = {
    {"an acknowledged run was lost", "id || ' ' || coalesce(status, 'gone')",
     "a.id, m.status FROM proof.acked a LEFT JOIN mine m ON m.id = a.id AND m.guid = a.guid "
     "WHERE a.round = $R AND m.status IS DISTINCT FROM 'CLOSED_IN_SUCCESS'"},
    {"a run did not end as it should", "id || ' ' || status",
     "m.id, m.status FROM mine m LEFT JOIN proof.ends e ON e.activity = m.activity_id "
     "WHERE m.status IS DISTINCT FROM e.status"},
    {"the request does not say how the run ended", "id::text",
     "m.id FROM mine m LEFT JOIN requests r ON r.id = m.original_request_id "
     "WHERE m.callback_task_id IS NULL AND (r.status IS DISTINCT FROM 'SUCCESS' OR "
     "r.instance_status IS DISTINCT FROM m.status)"},
    {"a cell has other tasks than it should", "id || ' ' || cell || ' ' || n || ' ' || coalesce(found, '')",
     "m.id, c.cell, count(t.id) AS n, string_agg(t.status || ' ' || coalesce(t.output, ''), ',') "
     "AS found FROM mine m JOIN proof.cells c ON c.activity = m.activity_id "
     "LEFT JOIN tasks t ON t.instance_id = m.id AND t.cell_id = c.cell "
     "GROUP BY m.id, c.cell, c.tasks, c.maybe, c.status, c.output HAVING (count(t.id) <> c.tasks "
     "AND NOT (c.maybe AND count(t.id) = 0)) OR bool_or(t.status <> c.status) OR bool_or(c.output "
     "IS NOT NULL AND t.output IS DISTINCT FROM c.output)"},
    {"a task is of no cell", "id || ' ' || cell_id",
     "m.id, t.cell_id FROM mine m JOIN tasks t ON t.instance_id = m.id LEFT JOIN proof.cells c "
     "ON c.activity = m.activity_id AND c.cell = t.cell_id WHERE c.cell IS NULL"},
    {"the context is not as expected", "id || ' ' || key || ' ' || coalesce(v, 'absent')",
     "m.id, c.key, x.value::text AS v FROM mine m "
     "JOIN proof.cells c ON c.activity = m.activity_id AND c.key IS NOT NULL "
     "LEFT JOIN contexts x ON x.instance_id = m.id AND x.key = c.key "
     "WHERE (x.value #>> c.path) IS DISTINCT FROM c.want"},
    {"a cell has not one key for each of its tasks", "id || ' ' || cell || ' ' || n",
     "m.id, c.cell, count(DISTINCT d.key) AS n FROM mine m JOIN proof.cells c ON c.activity = "
     "m.activity_id AND c.call LEFT JOIN made d ON d.guid = m.guid AND d.cell = c.cell "
     "GROUP BY m.id, c.cell, c.tasks HAVING count(DISTINCT d.key) <> coalesce(c.tasks, (SELECT "
     "count(*) FROM tasks t WHERE t.instance_id = m.id AND t.cell_id = c.cell)) OR min(d.key) = ''"},
    {"a call has no task", "guid || ' ' || cell",
     "d.guid, d.cell FROM made d LEFT JOIN mine m ON m.guid = d.guid "
     "LEFT JOIN tasks t ON t.instance_id = m.id AND t.cell_id = d.cell WHERE t.id IS NULL"},
    {"several tasks call with one key", "key",
     "key FROM made GROUP BY key HAVING count(DISTINCT (guid, cell)) <> 1"},
    {"a completed task called again, and no core stood still", "guid || ' ' || cell",
     "d.guid, d.cell FROM made d JOIN mine m ON m.guid = d.guid "
     "JOIN turns t ON t.instance_id = m.id AND t.cell_id = d.cell AND t.turn = d.turn "
     "WHERE t.status = 'OK' AND d.at_us > extract(epoch FROM t.updated_on) * 1000000 AND NOT "
     "EXISTS (SELECT FROM proof.blows b WHERE b.round = $R AND b.what = 'stop' "
     "AND d.at_us BETWEEN b.from_us AND b.to_us + $L)"},
    {"a call was repeated, and nothing was struck in between", "guid || ' ' || cell",
     "r.guid, r.cell FROM (SELECT guid, cell, at_us, "
     "lag(at_us) OVER (PARTITION BY key ORDER BY at_us) AS before_us FROM made) r "
     "WHERE before_us IS NOT NULL AND NOT EXISTS (SELECT FROM proof.blows b WHERE b.round = $R "
     "AND b.from_us <= r.at_us AND b.to_us + $L >= r.before_us)"},
    {"a task has not run each of its instances once", "id || ' ' || cell || ' ' || n",
     "t.id, c.cell, count(x.id) AS n FROM mine m JOIN proof.cells c ON c.activity = m.activity_id "
     "AND c.subs > 0 JOIN tasks t ON t.instance_id = m.id AND t.cell_id = c.cell LEFT JOIN "
     "instances x ON x.callback_task_id = t.id AND x.parent_instance_id = m.id AND x.kind <> "
     "'error_handler' GROUP BY t.id, c.cell, c.subs HAVING count(x.id) <> c.subs OR "
     "count(DISTINCT x.label) <> c.subs"},
    {"an instance was run by nobody", "id::text",
     "m.id FROM mine m LEFT JOIN tasks t ON t.id = m.callback_task_id AND t.instance_id = "
     "m.parent_instance_id WHERE m.callback_task_id IS NOT NULL AND t.id IS NULL"},
    {"more instances ran at a time than may", "id || ' ' || n",
     "x.id, count(y.id) AS n FROM mine x JOIN mine m ON m.id = x.parent_instance_id JOIN tasks t "
     "ON t.id = x.callback_task_id AND t.instance_id = m.id JOIN proof.cells c ON c.activity = "
     "m.activity_id AND c.cell = t.cell_id AND c.at_once > 0 JOIN mine y ON y.callback_task_id = "
     "x.callback_task_id AND y.created_on <= x.created_on AND y.closed_on > x.created_on "
     "GROUP BY x.id, c.at_once HAVING count(y.id) > c.at_once"},
    {"two call-backs, or answers, were taken for one task", "guid || ' ' || cell || ' ' || list || ' rows ' || coalesce(kept, '')",
     "s.guid, s.cell, string_agg(s.what || ':' || s.status, ' ') AS list, (SELECT "
     "string_agg(to_jsonb(b)::text, ' ' ORDER BY b.id) FROM external_callbacks b WHERE "
     "b.external_id = s.guid || '-' || s.cell) AS kept FROM proof.said s WHERE s.round = $R AND "
     "s.status BETWEEN 200 AND 299 GROUP BY s.guid, s.cell HAVING count(*) > 1"},
    {"a task heard something else than was taken", "guid || ' ' || cell || ' ' || coalesce(heard, 'nothing')",
     "h.guid, h.cell, h.heard FROM heard h WHERE NOT EXISTS (SELECT FROM proof.said s WHERE "
     "s.round = $R AND s.guid = h.guid AND s.cell = h.cell AND s.what = h.heard AND (s.status "
     "BETWEEN 200 AND 299 OR s.unsure)) OR EXISTS (SELECT FROM proof.said s WHERE s.round = $R AND s.guid = "
     "h.guid AND s.cell = h.cell AND s.status BETWEEN 200 AND 299 AND s.what <> h.heard)"},
    {"a question was not asked once, or is open", "id || ' ' || cell_id",
     "t.id, t.cell_id FROM mine m JOIN tasks t ON t.instance_id = m.id JOIN proof.cells c ON "
     "c.activity = m.activity_id AND c.cell = t.cell_id AND c.asks = 'person' LEFT JOIN "
     "manual_actions q ON q.created_by_task_id = t.id GROUP BY t.id, t.cell_id HAVING "
     "count(q.id) <> 1 OR bool_or(q.output IS DISTINCT FROM t.output)"},
    {"an event that was taken was lost, or is there twice", "guid || ' ' || cell || ' ' || n",
     "s.guid, s.cell, count(v.id) AS n FROM proof.said s JOIN mine m ON m.guid = s.guid LEFT JOIN "
     "entity_events v ON v.instance_id = m.id AND v.source_entity || '.' || v.key = s.cell AND "
     "v.content = s.what WHERE s.round = $R AND s.cell LIKE 'of\\_%' AND s.status BETWEEN 200 AND "
     "299 GROUP BY s.guid, s.cell, s.unsure HAVING count(v.id) FILTER (WHERE v.status = "
     "'processed' OR (v.status = 'rejected' AND s.cell LIKE 'of\\_" CRASH_STRAY "%')) = 0 OR (count(v.id) > 1 AND NOT s.unsure)"},
    {"an event of a closed run is undecided", "id || ' ' || status",
     "v.id, v.status FROM mine m JOIN entity_events v ON v.instance_id = m.id WHERE m.status <> "
     "'ACTIVE' AND v.status = 'received'"},
    {"an event that was refused is there", "guid || ' ' || cell",
     "s.guid, s.cell FROM proof.said s JOIN mine m ON m.guid = s.guid JOIN entity_events v ON "
     "v.instance_id = m.id AND v.source_entity || '.' || v.key = s.cell AND v.content = s.what "
     "WHERE s.round = $R AND s.cell LIKE 'of\\_%' AND s.status = 409 AND NOT s.unsure"},
    {"an event was not worked on once", "id || ' ' || cell || ' ' || key || ' ' || n",
     "m.id, c.cell, v.key, v.n FROM mine m JOIN proof.cells c ON c.activity = m.activity_id AND "
     "c.asks = 'event' JOIN LATERAL (SELECT key, count(*) FILTER (WHERE status = 'processed') AS n "
     "FROM entity_events WHERE instance_id = m.id AND source_entity = c.cell GROUP BY key) v ON "
     "true WHERE v.n <> (SELECT count(*) FROM tasks t WHERE t.instance_id = m.id AND t.cell_id = "
     "c.cell AND t.output = v.key)"},
    {"what follows an event was not done once for each", "id || ' ' || cell || ' ' || output || ' ' || n",
     "m.id, c.cell, t.output, count(*) AS n FROM mine m JOIN proof.cells c ON c.activity = "
     "m.activity_id AND c.asks = 'event' JOIN tasks t ON t.instance_id = m.id AND t.cell_id = "
     "c.cell GROUP BY m.id, c.cell, t.output HAVING count(*) <> (SELECT count(*) FROM tasks f WHERE "
     "f.instance_id = m.id AND f.cell_id = CASE t.output WHEN 'said' THEN 'heard_' ELSE 'told_' END "
     "|| c.cell) OR (t.output = 'said' AND count(*) IS DISTINCT FROM (SELECT length(x.value #>> "
     "'{}') FROM contexts x WHERE x.instance_id = m.id AND x.key = 'heard_' || c.cell))"},
    {"somebody is still asked", "id::text",
     "q.id FROM mine m JOIN manual_actions q ON q.instance_id = m.id WHERE q.output IS NULL"},
    {"a call-back is still awaited", "id || ' ' || status",
     "b.id, b.status FROM mine m JOIN external_callbacks b ON b.instance_id = m.id WHERE b.status "
     "<> 'CONSUMED'"},
    {"a timer still waits", "id::text",
     "t.id FROM timers t JOIN mine m ON m.id = t.instance_id WHERE t.status = 'WAIT'"},
    {"a state was left behind", "id::text",
     "m.id FROM mine m JOIN instance_states s ON s.instance_id = m.id"},
    {"a signal was left behind", "id::text",
     "m.id FROM mine m JOIN instance_signals s ON s.instance_id = m.id"},
    {"a request of a sub-workflow was left behind", "id::text",
     "m.id FROM mine m JOIN subworkflow_items s ON s.instance_id = m.id"},
    {"a job was left behind", "id::text",
     "m.id FROM mine m JOIN jobs j ON j.kind = 'instance' AND j.ref_id = m.id"},
};
const size_t crash_laws_n = COUNT_OF(crash_laws);

const struct crash_law crash_law_open = {
    "a run is still open",
    "id || ' ' || coalesce(state, 'no job') || ' ' || coalesce(attempts, 0) || ' ' || "
    "coalesce(last_error, '')",
    "m.id, j.state, j.attempts, j.last_error FROM mine m "
    "LEFT JOIN jobs j ON j.ref_id = m.id AND j.kind = 'instance' WHERE m.status = 'ACTIVE'"};

const struct crash_law crash_law_left_alone = {
    "a run was left alone", "id || '/tasks/' || task_id",
    "m.id, t.id AS task_id FROM mine m JOIN tasks t ON t.instance_id = m.id AND t.status = 'ERROR' "
    "WHERE m.status = 'ACTIVE' AND NOT EXISTS (SELECT FROM jobs j WHERE j.kind = 'instance' AND "
    "j.ref_id = m.id AND j.lease_owner IS NOT NULL) AND EXISTS (SELECT FROM errors x WHERE "
    "x.instance_id = m.id AND x.task_id = t.id AND x.description LIKE '%died%')"};

static void add_filled(struct buf *b, const char *sql, int round, int64_t start_us,
                       int64_t slack_us)
{
    for (; *sql != '\0'; sql++) {
        if (strncmp(sql, "$R", 2) == 0)
            buf_add_int(b, round);
        else if (strncmp(sql, "$S", 2) == 0)
            buf_addf(b, "%lld.%06lld", (long long)(start_us / 1000000),
                     (long long)(start_us % 1000000));
        else if (strncmp(sql, "$L", 2) == 0)
            buf_add_int(b, slack_us);
        else {
            buf_putc(b, *sql);
            continue;
        }
        sql++;
    }
}

const char *crash_law_sql(const struct crash_law *law, int round, int64_t start_us,
                          int64_t slack_us, struct arena *a)
{
    struct buf b;

    buf_init(&b, MIB, a);
    add_filled(&b,
               "WITH mine AS (SELECT * FROM instances WHERE created_on >= to_timestamp($S)), "
               "made AS (SELECT *, substring(key FROM '[0-9]+$')::bigint AS turn FROM proof.calls "
               "WHERE round = $R), " TURNS ", " HEARD,
               round, start_us, slack_us);
    buf_addf(&b, "SELECT coalesce(string_agg(%s, '; '), '') FROM (SELECT ", law->show);
    add_filled(&b, law->find, round, start_us, slack_us);
    buf_add_c(&b, " LIMIT 5) AS bad");
    return buf_cstr(&b);
}
