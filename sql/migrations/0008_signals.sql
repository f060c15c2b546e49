-- additive: no
--
-- Signals: what the outside tells an instance, whoever runs it at the moment.

ALTER TABLE instances DROP CONSTRAINT instances_kind_check;
ALTER TABLE instances ADD CONSTRAINT instances_kind_check
    CHECK (kind IN ('request', 'run', 'schedule', 'bulk', 'sub', 'child', 'error_handler', 'event'));
COMMENT ON COLUMN instances.kind IS
    'What started it. sub and error_handler live under the lease of their parent; child has a parent and a lease of its own.';

CREATE TABLE instance_signals (
    id          bigserial PRIMARY KEY,
    instance_id bigint NOT NULL,
    target_id   bigint NOT NULL,
    task_id     bigint NOT NULL DEFAULT 0,
    kind        text NOT NULL,
    payload     json NOT NULL DEFAULT 'null',
    created_on  timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX instance_signals_instance ON instance_signals (instance_id, id);
COMMENT ON TABLE instance_signals IS
    'Left for an instance by the outside; deleted in the transaction that stores what they brought about.';
COMMENT ON COLUMN instance_signals.instance_id IS 'The instance that holds the lease: the top of the tree of target_id.';
COMMENT ON COLUMN instance_signals.task_id IS 'The parked task of target_id; 0: the instance itself.';

ALTER TABLE jobs ADD COLUMN signals bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.signals IS
    'Counts signals. Whoever holds the lease notes it with the signals it read; where it differs at the end, there are more.';

-- From an instance to the one whose lease it runs under.
CREATE FUNCTION instance_holder(of_id bigint, OUT id bigint, OUT created_on timestamptz)
    LANGUAGE sql STABLE SET search_path FROM CURRENT
AS $$
    WITH RECURSIVE up AS (
        SELECT i.id, i.created_on, i.kind, i.parent_instance_id, i.parent_on FROM instances i
        WHERE i.id = of_id AND i.created_on >= id_from('instance', of_id) AND i.created_on < id_to('instance', of_id)
        UNION ALL
        SELECT i.id, i.created_on, i.kind, i.parent_instance_id, i.parent_on FROM up
        JOIN instances i ON i.id = up.parent_instance_id AND i.created_on = up.parent_on
        WHERE up.kind <> 'child')
    SELECT up.id, up.created_on FROM up WHERE up.parent_instance_id IS NULL OR up.kind = 'child'
$$;
COMMENT ON FUNCTION instance_holder(bigint) IS 'The instance under whose lease this one runs; nothing when it is gone.';

-- False: there is no such instance.
CREATE FUNCTION signal_instance(of_id bigint, to_task bigint, of_kind text, content json) RETURNS boolean
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    holder record;
BEGIN
    SELECT h.id, h.created_on INTO holder FROM instance_holder(of_id) h;
    IF holder.id IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO instance_logs (instance_id, instance_on, source, message)
    SELECT i.id, i.created_on, 'engine', format('signal "%s" came after the closing', of_kind) FROM instances i
    WHERE i.id = holder.id AND i.created_on = holder.created_on AND i.status <> 'ACTIVE';
    IF FOUND THEN
        RETURN true;
    END IF;
    INSERT INTO instance_signals (instance_id, target_id, task_id, kind, payload)
    VALUES (holder.id, of_id, to_task, of_kind, coalesce(content, 'null'::json));
    -- The row of the job is what both sides lock: a holder that is giving it back sees the new count.
    INSERT INTO jobs (id, kind, ref_id, ref_on, signals)
    VALUES (nextval('ids_job'), 'instance', holder.id, holder.created_on, 1)
    ON CONFLICT (kind, ref_id) WHERE ref_id IS NOT NULL
    DO UPDATE SET signals = jobs.signals + 1, due_on = CASE WHEN jobs.state = 'ready' THEN least(jobs.due_on, now()) ELSE jobs.due_on END;
    RETURN true;
END
$$;
COMMENT ON FUNCTION signal_instance(bigint, bigint, text, json) IS
    'Leave a signal for a task (0: the instance itself) and have the instance run soon.';
