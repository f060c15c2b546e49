-- additive: no
--
-- Work that outlives a process: jobs under leases, and what instances wait for.
-- These tables stay small; rows go when they are done or when their instance goes.

CREATE TABLE jobs (
    id          bigint PRIMARY KEY,
    kind        text NOT NULL,
    ref_id      bigint,
    ref_on      timestamptz,
    state       text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'leased', 'failed')),
    priority    smallint NOT NULL DEFAULT 0,
    due_on      timestamptz NOT NULL DEFAULT now(),
    lease_owner text,
    lease_until timestamptz,
    fence       bigint NOT NULL DEFAULT 0,
    attempts    integer NOT NULL DEFAULT 0,
    last_error  text,
    payload     json,
    created_on  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX jobs_ref ON jobs (kind, ref_id) WHERE ref_id IS NOT NULL;
CREATE INDEX jobs_due ON jobs (priority DESC, due_on, id) WHERE state = 'ready';
CREATE INDEX jobs_leases ON jobs (lease_until) WHERE state = 'leased';
COMMENT ON TABLE jobs IS
    'Everything to be done later or elsewhere: instances to run, timers, bulk rows, deliveries, call-backs, clean-up. Claimed with FOR UPDATE SKIP LOCKED under a lease; done means deleted.';
COMMENT ON COLUMN jobs.kind IS 'What ref_id is: instance, timer, bulk_row, delivery, callback, or the name of a task of the house (cleanup).';
COMMENT ON COLUMN jobs.ref_on IS 'Creation time of the instance behind ref_id, naming its partition.';
COMMENT ON COLUMN jobs.fence IS
    'Counts claims. Every write for the job names the fence it was claimed under; an owner that lost its lease writes nothing.';

CREATE TABLE timers (
    id          bigint PRIMARY KEY,
    instance_id bigint NOT NULL,
    instance_on timestamptz NOT NULL,
    task_id     bigint,
    name        text NOT NULL DEFAULT '',
    key         text,
    type        text NOT NULL DEFAULT 'timer',
    status      text NOT NULL DEFAULT 'WAIT' CHECK (status IN ('WAIT', 'STOP', 'CANCEL')),
    at          timestamptz NOT NULL,
    output      text,
    details     json,
    created_on  timestamptz NOT NULL DEFAULT now(),
    updated_on  timestamptz
) WITH (fillfactor = 80);
CREATE INDEX timers_due ON timers (at, id) WHERE status = 'WAIT';
CREATE INDEX timers_instance ON timers (instance_id);
CREATE INDEX timers_created ON timers (created_on, id);
CREATE INDEX timers_key ON timers (key) WHERE key IS NOT NULL;
COMMENT ON TABLE timers IS 'Wake-up times of tasks: WAIT pending, STOP fired, CANCEL cancelled.';

CREATE TABLE manual_actions (
    id                  bigserial PRIMARY KEY,
    guid                uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    instance_id         bigint NOT NULL,
    instance_on         timestamptz NOT NULL,
    instance_guid       uuid NOT NULL,
    created_by_task_id  bigint NOT NULL,
    cell_id             text NOT NULL,
    kind                text NOT NULL DEFAULT 'action' CHECK (kind IN ('action', 'approval')),
    role_id             integer REFERENCES roles (id) ON DELETE SET NULL,
    user_id             integer REFERENCES users (id) ON DELETE SET NULL,
    description         text NOT NULL DEFAULT '',
    possible_outputs    text NOT NULL DEFAULT '',
    input_form          text,
    form_values         json,
    priority            integer NOT NULL DEFAULT 0,
    handled_by_user_id  integer,
    handled_by_username text,
    output              text,
    created_on          timestamptz NOT NULL DEFAULT now(),
    updated_on          timestamptz
);
CREATE INDEX manual_actions_instance ON manual_actions (instance_id);
CREATE INDEX manual_actions_role ON manual_actions (role_id) WHERE output IS NULL;
CREATE INDEX manual_actions_user ON manual_actions (user_id) WHERE output IS NULL;
COMMENT ON TABLE manual_actions IS 'Questions to people; answered when output is not null.';

CREATE TABLE external_callbacks (
    id             bigserial PRIMARY KEY,
    instance_id    bigint,
    instance_on    timestamptz,
    origin_task_id bigint,
    entity         text,
    external_id    text NOT NULL,
    status         text NOT NULL DEFAULT 'WAIT' CHECK (status IN ('WAIT', 'READY', 'LOCKED', 'CONSUMED')),
    body           text,
    user_id        integer,
    expires_on     timestamptz,
    created_on     timestamptz NOT NULL DEFAULT now(),
    updated_on     timestamptz
);
CREATE INDEX external_callbacks_open ON external_callbacks (external_id, id) WHERE status <> 'CONSUMED';
CREATE INDEX external_callbacks_external ON external_callbacks (external_id);
CREATE INDEX external_callbacks_instance ON external_callbacks (instance_id);
COMMENT ON TABLE external_callbacks IS
    'Asynchronous answers: WAIT awaited, READY came before its task, LOCKED being handled, CONSUMED done.';

CREATE TABLE entity_events (
    id                bigserial PRIMARY KEY,
    instance_id       bigint NOT NULL,
    instance_on       timestamptz NOT NULL,
    source_entity     text NOT NULL DEFAULT '',
    user_id           integer,
    username          text,
    key               text NOT NULL,
    content           text NOT NULL DEFAULT '',
    extra             text,
    status            text NOT NULL DEFAULT 'received'
        CHECK (status IN ('received', 'processed', 'rejected')),
    processing_result text,
    created_on        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX entity_events_instance ON entity_events (instance_id, id);
COMMENT ON TABLE entity_events IS 'Events other systems sent to an instance.';

CREATE TABLE instance_comments (
    id          bigserial PRIMARY KEY,
    instance_id bigint NOT NULL,
    instance_on timestamptz NOT NULL,
    user_id     integer,
    username    text NOT NULL,
    content     text NOT NULL,
    created_on  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX instance_comments_instance ON instance_comments (instance_id, id);
COMMENT ON TABLE instance_comments IS 'Remarks of people on an instance.';

CREATE TABLE documents (
    id            bigserial PRIMARY KEY,
    instance_id   bigint NOT NULL,
    instance_on   timestamptz NOT NULL,
    name          text NOT NULL,
    description   text NOT NULL DEFAULT '',
    mime_type     text NOT NULL DEFAULT 'application/octet-stream',
    size_in_bytes bigint NOT NULL DEFAULT 0,
    created_by    text,
    key_id        integer,
    head          bytea,
    content       bytea NOT NULL,
    created_on    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (instance_id, name)
);
ALTER TABLE documents ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX documents_key ON documents (key_id);
COMMENT ON TABLE documents IS
    'Files of instances, sealed: head holds the content key under keys.id = key_id, content the chunks. Two columns, so that changing the key rewrites the head only. head null: content is a token of the former product.';

CREATE TABLE one_time_tokens (
    id          bigserial PRIMARY KEY,
    digest      bytea NOT NULL UNIQUE,
    scope       text NOT NULL CHECK (scope IN ('ResetPassword', 'ManualAction', 'TwoFactor', 'WebAuthn')),
    user_id     integer REFERENCES users (id) ON DELETE CASCADE,
    instance_id bigint,
    instance_on timestamptz,
    action_id   bigint REFERENCES manual_actions (id) ON DELETE CASCADE,
    details     json NOT NULL DEFAULT '{}',
    attempts    integer NOT NULL DEFAULT 0,
    created_on  timestamptz NOT NULL DEFAULT now(),
    expires_on  timestamptz NOT NULL,
    used_on     timestamptz
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id, scope, created_on DESC) WHERE user_id IS NOT NULL;
CREATE INDEX one_time_tokens_expires ON one_time_tokens (expires_on);
COMMENT ON TABLE one_time_tokens IS 'Tokens that work once, by their SHA-256: password links, manual actions by mail, second factors.';
