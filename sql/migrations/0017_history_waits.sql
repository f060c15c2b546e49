-- additive: yes
--
-- Upkeep of the history gives way to requests: who waits for a table keeps those who come later waiting.

-- Attaching a partition waits for whoever reads the default one, which a dump does for hours.
ALTER FUNCTION history_make(timestamptz) SET lock_timeout = '100ms';

-- What takes long comes before the tables are taken to drop their partitions.
CREATE OR REPLACE FUNCTION history_remove(month date, keep_active boolean) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET lock_timeout = '100ms'
AS $$
DECLARE
    suffix text := '_p' || to_char(month, 'YYYYMM');
    since timestamptz := month;
    until timestamptz := month + interval '1 month';
    t record;
    beside text;
    whole text;
    active boolean := false;
    dropped oid := 0; -- the partition of instances that goes as a whole
    gone bigint := 0;
    n bigint;
BEGIN
    IF keep_active AND to_regclass(quote_ident('instances' || suffix)) IS NOT NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE status = ''ACTIVE'')', 'instances' || suffix) INTO active;
    END IF;
    IF NOT active THEN
        dropped := coalesce(to_regclass(quote_ident('instances' || suffix))::oid, 0);
    END IF;
    FOR t IN SELECT name FROM history_tables WHERE to_regclass(quote_ident(name || suffix)) IS NOT NULL ORDER BY name LOOP
        IF NOT active THEN
            EXECUTE format('SELECT count(*) FROM %I', t.name || suffix) INTO n;
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
                       'WHERE i.id = r.instance_id AND i.created_on = r.instance_on AND i.tableoid <> $3)', beside)
            USING since, until, dropped;
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;
    END LOOP;
    DELETE FROM jobs j WHERE j.kind = 'instance' AND j.ref_on >= since AND j.ref_on < until
        AND NOT EXISTS (SELECT FROM instances i WHERE i.id = j.ref_id AND i.created_on = j.ref_on AND i.tableoid <> dropped);
    SELECT string_agg(quote_ident(name || suffix), ', ' ORDER BY name) INTO whole FROM history_tables
        WHERE NOT active AND to_regclass(quote_ident(name || suffix)) IS NOT NULL;
    IF whole IS NOT NULL THEN
        EXECUTE 'DROP TABLE ' || whole;
    END IF;
    RETURN gone;
END
$$;

-- As in 0004_history.sql: temporary tables of the caller must not come first.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION history_remove(date, boolean) SET search_path = %I, pg_temp', current_schema());
END
$$;
