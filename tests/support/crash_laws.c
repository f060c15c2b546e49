/*
 * The laws of it_crash.
 */
#include "support/crash_laws.h"

#include "base/arena.h"
#include "base/buf.h"

const struct crash_law crash_laws[] = {
    {"an acknowledged run was lost", "id || ' ' || coalesce(status, 'gone')",
     "a.id, m.status FROM proof.acked a LEFT JOIN mine m ON m.id = a.id AND m.guid = a.guid "
     "WHERE a.round = $R AND m.status IS DISTINCT FROM 'CLOSED_IN_SUCCESS'"},
    {"a run did not end well", "id || ' ' || status",
     "id, status FROM mine WHERE status <> 'CLOSED_IN_SUCCESS'"},
    {"the request does not say how the run ended", "id::text",
     "m.id FROM mine m LEFT JOIN requests r ON r.id = m.original_request_id "
     "WHERE r.status IS DISTINCT FROM 'SUCCESS' OR r.instance_status IS DISTINCT FROM m.status"},
    {"a cell has not exactly one task, in OK", "id || ' ' || cell || ' ' || n",
     "m.id, c.cell, count(t.id) AS n FROM mine m JOIN proof.cells c ON c.activity = m.activity_id "
     "LEFT JOIN tasks t ON t.instance_id = m.id AND t.cell_id = c.cell "
     "GROUP BY m.id, c.cell HAVING count(t.id) <> 1 OR bool_or(t.status <> 'OK')"},
    {"a task is of no cell", "id || ' ' || cell_id",
     "m.id, t.cell_id FROM mine m JOIN tasks t ON t.instance_id = m.id LEFT JOIN proof.cells c "
     "ON c.activity = m.activity_id AND c.cell = t.cell_id WHERE c.cell IS NULL"},
    {"the context is not as expected", "id || ' ' || key || ' ' || coalesce(v, 'absent')",
     "m.id, c.key, x.value::text AS v FROM mine m "
     "JOIN proof.cells c ON c.activity = m.activity_id AND c.key IS NOT NULL "
     "LEFT JOIN contexts x ON x.instance_id = m.id AND x.key = c.key "
     "WHERE (x.value #>> c.path) IS DISTINCT FROM c.want"},
    {"a cell never called", "id || ' ' || cell",
     "m.id, c.cell FROM mine m JOIN proof.cells c ON c.activity = m.activity_id AND c.call "
     "WHERE NOT EXISTS (SELECT FROM made WHERE made.guid = m.guid AND made.cell = c.cell)"},
    {"a call has no task", "guid || ' ' || cell",
     "d.guid, d.cell FROM made d LEFT JOIN mine m ON m.guid = d.guid "
     "LEFT JOIN tasks t ON t.instance_id = m.id AND t.cell_id = d.cell WHERE t.id IS NULL"},
    {"a task calls with several keys", "guid || ' ' || cell",
     "guid, cell FROM made GROUP BY guid, cell HAVING count(DISTINCT key) <> 1 OR min(key) = ''"},
    {"several tasks call with one key", "key",
     "key FROM made GROUP BY key HAVING count(DISTINCT (guid, cell)) <> 1"},
    {"a completed task called again, and no core stood still", "guid || ' ' || cell",
     "d.guid, d.cell FROM made d JOIN mine m ON m.guid = d.guid "
     "JOIN tasks t ON t.instance_id = m.id AND t.cell_id = d.cell "
     "WHERE d.at_us > extract(epoch FROM t.updated_on) * 1000000 AND NOT EXISTS (SELECT FROM "
     "proof.blows b WHERE b.round = $R AND b.what = 'stop' "
     "AND d.at_us BETWEEN b.from_us AND b.to_us + $L)"},
    {"a call was repeated, and nothing was struck in between", "guid || ' ' || cell",
     "r.guid, r.cell FROM (SELECT guid, cell, at_us, "
     "lag(at_us) OVER (PARTITION BY guid, cell ORDER BY at_us) AS before_us FROM made) r "
     "WHERE before_us IS NOT NULL AND NOT EXISTS (SELECT FROM proof.blows b WHERE b.round = $R "
     "AND b.from_us <= r.at_us AND b.to_us + $L >= r.before_us)"},
    {"a timer still waits", "id::text",
     "t.id FROM timers t JOIN mine m ON m.id = t.instance_id WHERE t.status = 'WAIT'"},
    {"a state was left behind", "id::text",
     "m.id FROM mine m JOIN instance_states s ON s.instance_id = m.id"},
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
               "made AS (SELECT * FROM proof.calls WHERE round = $R) ",
               round, start_us, slack_us);
    buf_addf(&b, "SELECT coalesce(string_agg(%s, '; '), '') FROM (SELECT ", law->show);
    add_filled(&b, law->find, round, start_us, slack_us);
    buf_add_c(&b, " LIMIT 5) AS bad");
    return buf_cstr(&b);
}
