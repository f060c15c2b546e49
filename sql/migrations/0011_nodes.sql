-- additive: yes
--
-- What nodes keep beside the rows of their instance.

CREATE TABLE subworkflow_items (
    instance_id bigint NOT NULL,
    task_id     bigint NOT NULL,
    n           integer NOT NULL,
    label       text NOT NULL,
    request     json NOT NULL,
    PRIMARY KEY (instance_id, task_id, n),
    -- at the commit, for a task and the state of its instance are stored together
    FOREIGN KEY (instance_id) REFERENCES instance_states (instance_id) ON DELETE CASCADE
        DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON TABLE subworkflow_items IS
    'Requests of sub-workflows that trigger_subworkflows has still to start, by their place in the list. They go with the task, or with its instance.';
