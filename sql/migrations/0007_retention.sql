-- additive: yes
--
-- Removing old history, a month at a time: whole partitions where nothing in them must stay.

CREATE FUNCTION history_months(before timestamptz) RETURNS SETOF date
    LANGUAGE sql STABLE SET search_path FROM CURRENT
AS $$
    SELECT DISTINCT to_date(right(c.relname, 6), 'YYYYMM')
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('requests'::regclass, 'instances'::regclass)
      AND c.relname ~ '_p[0-9]{6}$'
      AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= before
    ORDER BY 1
$$;
COMMENT ON FUNCTION history_months(timestamptz) IS 'First days of the months whose partitions end before that time.';

-- Runs with the rights of the owner: who cleans up need not own the tables.
CREATE FUNCTION history_remove(month date, keep_active boolean) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC'
AS $$
DECLARE
    suffix text := '_p' || to_char(month, 'YYYYMM');
    since timestamptz := month;
    until timestamptz := month + interval '1 month';
    t record;
    beside text;
    active boolean := false;
    gone bigint := 0;
    n bigint;
BEGIN
    IF keep_active AND to_regclass(quote_ident('instances' || suffix)) IS NOT NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE status = ''ACTIVE'')', 'instances' || suffix) INTO active;
    END IF;
    FOR t IN SELECT name FROM history_tables WHERE to_regclass(quote_ident(name || suffix)) IS NOT NULL ORDER BY name LOOP
        IF NOT active THEN
            EXECUTE format('SELECT count(*) FROM %I', t.name || suffix) INTO n;
            EXECUTE format('DROP TABLE %I', t.name || suffix);
        ELSE
            EXECUTE format(CASE t.name
                WHEN 'instances' THEN 'DELETE FROM %1$I WHERE status <> ''ACTIVE'''
                WHEN 'requests' THEN 'DELETE FROM %1$I r WHERE instance_id IS NULL OR NOT EXISTS '
                    '(SELECT FROM %2$I i WHERE i.id = r.instance_id AND i.status = ''ACTIVE'')'
                ELSE 'DELETE FROM %1$I r WHERE NOT EXISTS '
                    '(SELECT FROM %2$I i WHERE i.id = r.instance_id AND i.status = ''ACTIVE'')'
                END, t.name || suffix, 'instances' || suffix);
            GET DIAGNOSTICS n = ROW_COUNT;
        END IF;
        gone := gone + n;
    END LOOP;
    -- what instances left in tables that are not partitioned
    FOREACH beside IN ARRAY ARRAY['timers', 'manual_actions', 'external_callbacks', 'entity_events', 'instance_comments',
                                  'documents', 'one_time_tokens', 'instance_states'] LOOP
        EXECUTE format('DELETE FROM %I r WHERE instance_on >= $1 AND instance_on < $2 AND NOT EXISTS (SELECT FROM instances i '
                       'WHERE i.id = r.instance_id AND i.created_on = r.instance_on)', beside) USING since, until;
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;
    END LOOP;
    DELETE FROM jobs j WHERE j.kind = 'instance' AND j.ref_on >= since AND j.ref_on < until
        AND NOT EXISTS (SELECT FROM instances i WHERE i.id = j.ref_id AND i.created_on = j.ref_on);
    RETURN gone;
END
$$;
COMMENT ON FUNCTION history_remove(date, boolean) IS
    'Removes the history of a month; keep_active: what belongs to instances that still run stays. Returns the number of rows.';

-- As in 0004_history.sql: temporary tables of the caller must not come first.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION history_remove(date, boolean) SET search_path = %I, pg_temp', current_schema());
END
$$;
