/*
 * Ids and partitions of the past.
 *
 * An id tells the month of its row by the notes in id_marks (sql/migrations/0001_base.sql).  Ids of
 * the archive come from blocks of the usual sequence whose ends are noted as of now, so that ids of
 * running processes on both sides keep their meaning; inside, each month is noted at its own time.  The
 * end of the month under way stands at the tail of its block, so that a kill leaves no note missing.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "db/ids.h"
#include "legacy/archive_int.h"

const struct db_stmt archive_stmt_block = {
    "archive_block",
    "WITH block AS MATERIALIZED (SELECT nextval(('ids_' || $2::text)::regclass) AS id), marks AS (INSERT INTO id_marks (kind, first_id, "
    "noted_on) SELECT $2::text, id + k, clock_timestamp() FROM block, unnest(ARRAY[0, $1::integer]) k) SELECT id FROM block", 2};
/* $2: a time in that month; $3: its end, else its beginning. */
const struct db_stmt archive_stmt_mark = {
    "archive_mark",
    "INSERT INTO id_marks (kind, first_id, noted_on) SELECT $4::text, $1::bigint, CASE WHEN $3::boolean THEN m + interval '1 month' "
    "ELSE m + interval '1 hour' END FROM date_trunc('month', $2::timestamptz, 'UTC') m "
    "ON CONFLICT (kind, first_id) DO UPDATE SET noted_on = excluded.noted_on", 4};
const struct db_stmt archive_stmt_rows = {"archive_rows", "SELECT nextval(('ids_' || $1::text)::regclass)", 1};
const struct db_stmt archive_stmt_month = {"archive_month", "SELECT history_make($1::timestamptz)", 1};

enum { MONTH = 7 /* characters of "2024-03" */, YEAR_MIN = 2000 };

/* ---- times ----------------------------------------------------------------------------------- */

static bool digits(struct str s, size_t at, size_t n, int *out)
{
    int64_t v;

    if (s.len < at + n || !str_to_int(str_slice(s, at, at + n), &v) || v < 0)
        return false;
    *out = (int)v;
    return true;
}

/* "2024-03-05T10:00:00", then a fraction or a zone. */
static bool is_time(struct str s, int *year)
{
    int month, day, hour, minute, second, y, m, d;

    if (!digits(s, 0, 4, year) || !digits(s, 5, 2, &month) || !digits(s, 8, 2, &day) || !digits(s, 11, 2, &hour) ||
        !digits(s, 14, 2, &minute) || !digits(s, 17, 2, &second) || s.len > 35)
        return false;
    if (s.p[4] != '-' || s.p[7] != '-' || (s.p[10] != 'T' && s.p[10] != ' ') || s.p[13] != ':' || s.p[16] != ':' ||
        month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60)
        return false;
    for (size_t i = 19; i < s.len; i++)
        if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.' && s.p[i] != '+' && s.p[i] != '-' && s.p[i] != ':' &&
            (s.p[i] != 'Z' || i != s.len - 1))
            return false;
    clock_civil_from_days(clock_days_from_civil(*year, month, day), &y, &m, &d);
    return m == month && d == day;
}

const char *archive_time_fault(struct str on)
{
    int year, this_year, ignored;

    if (!is_time(on, &year))
        return "created_on is not a time";
    clock_civil_from_days(clock_wall_us(&clock_system) / 86400000000LL, &this_year, &ignored, &ignored);
    return year < YEAR_MIN || year > this_year ? "created_on lies before the year 2000, or in years to come" : NULL;
}

void archive_time_or_none(struct val item, const char *member)
{
    if (!val_is_none(val_get(item, member)) && archive_time_fault(val_get_text(item, member, STR(""))) != NULL)
        val_dict_set_c(item, member, val_null());
}

/* ---- partitions ------------------------------------------------------------------------------ */

int archive_months(struct archiving *w, struct val list, struct err *e)
{
    for (size_t i = 0; i < val_count(list); i++) {
        struct str on = val_get_text(val_at(list, i), OUR_ON, STR("")), month = str_slice(on, 0, MONTH), ignored;

        if (val_is(val_get_str(w->months, month), VAL_BOOL))
            continue;
        if (db_text(w->t->c, &archive_stmt_month, DB_ARGS(DB_STR(on)), &ignored, w->a, e) != 0)
            return -1;
        val_dict_set_str(w->months, str_dup(w->months_a, month), val_bool(true));
    }
    return 0;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static int mark(struct archiving *w, const struct past_ids *ids, int64_t id, bool end, struct err *e)
{
    return db_exec(w->t->c, &archive_stmt_mark,
                   DB_ARGS(DB_INT(id), DB_C(ids->on), DB_C(end ? "true" : "false"), DB_C(ids->kind)), NULL, e);
}

static int next_block(struct archiving *w, struct past_ids *ids, struct err *e)
{
    struct str text;

    if (db_text(w->t->c, &archive_stmt_block, DB_ARGS(DB_INT(IDS_BLOCK - 1), DB_C(ids->kind)), &text, w->a, e) != 0)
        return -1;
    if (!str_to_int(text, &ids->next))
        return -1;
    ids->tail = ids->next + IDS_BLOCK - 2;
    ids->next++;
    ids->on[0] = '\0';
    return 0;
}

static int open_month(struct archiving *w, struct past_ids *ids, struct str on, struct err *e)
{
    (void)snprintf(ids->on, sizeof ids->on, "%.*s", STR_ARG(on));
    return mark(w, ids, ids->next++, false, e) != 0 || mark(w, ids, ids->tail, true, e) != 0 ? -1 : 0;
}

int past_id(struct archiving *w, struct past_ids *ids, struct str on, int64_t *id, struct err *e)
{
    if (ids->next + 3 > ids->tail && next_block(w, ids, e) != 0)
        return -1;
    if (ids->on[0] != '\0' && !str_starts(on, str_make(ids->on, MONTH))) {
        if (mark(w, ids, ids->next++, true, e) != 0)
            return -1;
        ids->on[0] = '\0';
    }
    if (ids->on[0] == '\0' && open_month(w, ids, on, e) != 0)
        return -1;
    *id = ids->next++;
    return 0;
}

int archive_row_id(struct archiving *w, enum archive_part part, int64_t *id, struct err *e)
{
    static const char *const kinds[] = {[ARCHIVE_TASKS] = "task", [ARCHIVE_ERRORS] = "error", [ARCHIVE_TRACES] = "trace"};
    struct str text;

    if (w->row_ids[part].next == w->row_ids[part].end) {
        if (db_text(w->t->c, &archive_stmt_rows, DB_ARGS(DB_C(kinds[part])), &text, w->a, e) != 0)
            return -1;
        if (!str_to_int(text, &w->row_ids[part].next))
            return -1;
        w->row_ids[part].end = w->row_ids[part].next + IDS_BLOCK;
    }
    *id = w->row_ids[part].next++;
    return 0;
}
