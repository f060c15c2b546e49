-- additive: yes
--
-- People and other systems: what waits for them ends with what asked for it.

ALTER TABLE manual_actions ADD COLUMN anyone boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN manual_actions.anyone IS
    'Asked without role and user: whoever may work on requests answers. A role or user that is deleted leaves both empty and this false.';
CREATE INDEX manual_actions_task ON manual_actions (created_by_task_id) WHERE output IS NULL;

-- One row holds an external id at a time, whatever its status: so a call-back and the task that
-- awaits it meet in this index, and a second call-back finds the first.
ALTER TABLE external_callbacks ADD COLUMN current boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN external_callbacks.current IS
    'Holds its external id; false once the id was awaited again, or nobody fetched the answer in time.';
UPDATE external_callbacks SET current = false WHERE id NOT IN (
    SELECT DISTINCT ON (external_id) id FROM external_callbacks
    ORDER BY external_id, (status = 'CONSUMED'), id DESC);
CREATE UNIQUE INDEX external_callbacks_current ON external_callbacks (external_id) WHERE current;
CREATE INDEX external_callbacks_task ON external_callbacks (origin_task_id) WHERE status IN ('WAIT', 'LOCKED');
CREATE INDEX external_callbacks_expires ON external_callbacks (expires_on) WHERE status = 'READY';

-- A task that no longer waits, and an instance that is closed, ask nobody any more.  Done here, so
-- that it holds whoever ends them and in whichever way.
CREATE FUNCTION task_released() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE manual_actions SET output = '*cancelled*', updated_on = now()
    WHERE created_by_task_id = NEW.id AND output IS NULL;
    UPDATE external_callbacks SET status = 'CONSUMED', updated_on = now()
    WHERE origin_task_id = NEW.id AND status IN ('WAIT', 'LOCKED');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION task_released() IS 'Trigger: a task has stopped waiting.';
CREATE TRIGGER tasks_released AFTER UPDATE OF status ON tasks FOR EACH ROW
    WHEN (OLD.status IN ('WAIT', 'QUEUED') AND NEW.status IN ('OK', 'ERROR')) EXECUTE FUNCTION task_released();

CREATE FUNCTION instance_released() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE manual_actions SET output = '*cancelled*', updated_on = now()
    WHERE instance_id = NEW.id AND output IS NULL;
    UPDATE external_callbacks SET status = 'CONSUMED', updated_on = now()
    WHERE instance_id = NEW.id AND status IN ('WAIT', 'LOCKED');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION instance_released() IS 'Trigger: an instance was closed.';
CREATE TRIGGER instances_released AFTER UPDATE OF status ON instances FOR EACH ROW
    WHEN (OLD.status = 'ACTIVE' AND NEW.status <> 'ACTIVE') EXECUTE FUNCTION instance_released();

-- instances.roles says which roles are asked: lists filter by it.
CREATE FUNCTION manual_actions_roles() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE instances SET roles = coalesce((
        SELECT '.' || string_agg(DISTINCT m.role_id::text, '.') || '.' FROM manual_actions m
        WHERE m.instance_id = NEW.instance_id AND m.output IS NULL AND m.role_id IS NOT NULL), '')
    WHERE id = NEW.instance_id AND created_on = NEW.instance_on;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION manual_actions_roles() IS 'Trigger: who is asked has changed.';
CREATE TRIGGER manual_actions_asked AFTER INSERT ON manual_actions FOR EACH ROW
    WHEN (NEW.role_id IS NOT NULL AND NEW.output IS NULL) EXECUTE FUNCTION manual_actions_roles();
CREATE TRIGGER manual_actions_answered AFTER UPDATE OF output, role_id ON manual_actions FOR EACH ROW
    WHEN (OLD.role_id IS NOT NULL AND (OLD.output IS DISTINCT FROM NEW.output OR OLD.role_id IS DISTINCT FROM NEW.role_id))
    EXECUTE FUNCTION manual_actions_roles();
