-- additive: yes
--
-- Jobs take turns between workflows, and are found at the moment they are due; operations on many instances.

ALTER TABLE jobs ADD COLUMN lane bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.lane IS
    'Who shares a turn: activity_id of an instance. When more is due than can be run, claims go round the lanes, so that no workflow waits for all instances of another one.';
UPDATE jobs j SET lane = i.activity_id
    FROM instances i
    WHERE j.kind = 'instance' AND i.id = j.ref_id AND i.created_on = j.ref_on AND i.activity_id IS NOT NULL;

-- By moment alone: behind a column of more than one value a look for what is due reads all that is not.
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (kind, due_on, id) WHERE state = 'ready';
CREATE INDEX jobs_lane ON jobs (kind, lane, due_on, id) WHERE state = 'ready';

-- Statements that do not say whose turn it is (signals) leave that to the row of the instance.
CREATE FUNCTION job_lane() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    NEW.lane := coalesce((SELECT i.activity_id FROM instances i WHERE i.id = NEW.ref_id AND i.created_on = NEW.ref_on), 0);
    RETURN NEW;
END
$$;
CREATE TRIGGER jobs_lane BEFORE INSERT ON jobs
    FOR EACH ROW WHEN (NEW.lane = 0 AND NEW.kind = 'instance' AND NEW.ref_id IS NOT NULL) EXECUTE FUNCTION job_lane();

CREATE TABLE mass_operations (
    id         bigserial PRIMARY KEY,
    act        text NOT NULL
        CHECK (act IN ('replay', 'skip', 'rollback', 'close', 'reopen', 'context')),
    params     json NOT NULL DEFAULT '{}',
    per_second integer NOT NULL CHECK (per_second > 0),
    status     text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DONE', 'CANCELLED')),
    total      integer NOT NULL DEFAULT 0,
    user_id    integer,
    username   text NOT NULL DEFAULT '',
    created_on timestamptz NOT NULL DEFAULT now(),
    closed_on  timestamptz
);
CREATE INDEX mass_operations_created ON mass_operations (created_on, id);
COMMENT ON TABLE mass_operations IS
    'What a person does with many instances at once. Its job (kind mass) is claimed like any other, so it goes on in another process.';
COMMENT ON COLUMN mass_operations.per_second IS 'Instances handled a second at most.';

CREATE TABLE mass_items (
    operation_id bigint NOT NULL REFERENCES mass_operations (id) ON DELETE CASCADE,
    instance_id  bigint NOT NULL,
    status       text NOT NULL DEFAULT 'WAIT' CHECK (status IN ('WAIT', 'OK', 'ERROR')),
    message      text,
    updated_on   timestamptz,
    PRIMARY KEY (operation_id, instance_id)
);
CREATE INDEX mass_items_waiting ON mass_items (operation_id, instance_id) WHERE status = 'WAIT';
COMMENT ON TABLE mass_items IS 'An instance of a mass operation, and what came of it.';
