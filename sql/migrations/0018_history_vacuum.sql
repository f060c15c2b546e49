-- additive: yes
--
-- Months of the history are written once, read by index and dropped as a whole.  PostgreSQL passes over a table again for each fifth that
-- is inserted, from 1,000 rows on: at a thousand calls a second that was a quarter of what it spent on them, for a map of pages that no
-- list here reads.  Now a pass comes with the first million rows, and then whenever they have doubled.  Rows that are changed or deleted
-- count as before.

CREATE OR REPLACE FUNCTION history_make(day timestamptz) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET lock_timeout = '100ms'
AS $$
DECLARE
    since timestamptz := date_trunc('month', day);
    until timestamptz := date_trunc('month', day) + interval '1 month';
    passes text := 'autovacuum_vacuum_insert_threshold = 1000000, autovacuum_vacuum_insert_scale_factor = 1';
    t record;
    part text;
    rows_waiting boolean;
    made integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1399616867, 2) THEN
        RETURN 0; -- somebody else is at it
    END IF;
    FOR t IN SELECT name, part_key, fill FROM history_tables ORDER BY name LOOP
        part := t.name || '_p' || to_char(since, 'YYYYMM');
        IF to_regclass(quote_ident(part)) IS NOT NULL THEN
            CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(quote_ident(part))
                AND array_to_string(reloptions, ',') LIKE '%vacuum_insert%');
            BEGIN -- made before this was known; while a pass is under way it would wait, so the next call does it
                EXECUTE format('ALTER TABLE %I SET (%s)', part, passes);
            EXCEPTION WHEN lock_not_available THEN
                NULL;
            END;
            CONTINUE;
        END IF;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, %s)',
                       part, t.name, t.fill, passes);
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (%I >= %L AND %I < %L)',
                       part, part || '_month', t.part_key, since, t.part_key, until);
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I >= %L AND %I < %L)',
                       t.name || '_default', t.part_key, since, t.part_key, until) INTO rows_waiting;
        IF rows_waiting THEN
            EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', t.name || '_default');
            EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                           t.name || '_default', t.part_key, since, t.part_key, until, part);
        END IF;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', t.name, part, since, until);
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', part, part || '_month');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- As in 0004_history.sql: temporary tables of the caller must not come first.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION history_make(timestamptz) SET search_path = %I, pg_temp', current_schema());
END
$$;
