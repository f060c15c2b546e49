-- additive: no
--
-- Everything around workflows: bulk jobs, webhooks, state of gateways, alarms, reports, cache, imports.

CREATE TABLE bulk_actions (
    id                serial PRIMARY KEY,
    name              text NOT NULL,
    activity_id       integer REFERENCES activities (id) ON DELETE SET NULL,
    method            text,
    url               text,
    header_1          text,
    header_2          text,
    header_3          text,
    options           json,
    validation_schema json,
    sample_input      text,
    sequence_timeout  double precision,
    created_on        timestamptz NOT NULL DEFAULT now(),
    updated_on        timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX bulk_actions_name ON bulk_actions (name);
COMMENT ON TABLE bulk_actions IS 'What a bulk job does with each row: start a workflow, or call a URL.';

CREATE TABLE bulks (
    id         bigserial PRIMARY KEY,
    label      text NOT NULL,
    action_id  integer REFERENCES bulk_actions (id) ON DELETE SET NULL,
    route_id   integer REFERENCES custom_routes (id) ON DELETE SET NULL,
    action     text,
    user_id    integer,
    owner      text,
    status     text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'done', 'done with errors')),
    settings   json NOT NULL DEFAULT '{}',
    rows_total integer NOT NULL DEFAULT 0,
    created_on timestamptz NOT NULL DEFAULT now(),
    updated_on timestamptz
);
CREATE INDEX bulks_created ON bulks (created_on, id);
COMMENT ON TABLE bulks IS 'Bulk jobs. settings: the options, schema and target as they were at the start.';

CREATE TABLE bulk_results (
    id          bigserial PRIMARY KEY,
    bulk_id     bigint NOT NULL REFERENCES bulks (id) ON DELETE CASCADE,
    line        integer NOT NULL,
    input_ref   text NOT NULL,
    body        json,
    status      text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'ok', 'fail')),
    instance_id bigint,
    instance_on timestamptz,
    response    text,
    trace       text,
    back_link   text,
    created_on  timestamptz NOT NULL DEFAULT now(),
    updated_on  timestamptz
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX bulk_results_line ON bulk_results (bulk_id, line);
CREATE INDEX bulk_results_active ON bulk_results (bulk_id) WHERE status = 'active';
CREATE INDEX bulk_results_instance ON bulk_results (instance_id) WHERE instance_id IS NOT NULL;
COMMENT ON TABLE bulk_results IS 'Rows of a bulk job. input_ref is the row as it came, body what it was converted to.';

CREATE TABLE webhooks (
    id                  serial PRIMARY KEY,
    name                text NOT NULL,
    target              text NOT NULL,
    format              text NOT NULL DEFAULT 'json',
    active              boolean NOT NULL DEFAULT true,
    secret              text,
    custom_header       text,
    custom_header_value text,
    username            text,
    password            text,
    created_on          timestamptz NOT NULL DEFAULT now(),
    updated_on          timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE webhooks IS 'Addresses told about successful calls. secret, custom_header_value and password are sealed.';

CREATE TABLE webhook_events (
    id         serial PRIMARY KEY,
    label      text NOT NULL,
    tag        text NOT NULL DEFAULT '',
    method     text NOT NULL CHECK (method IN ('get', 'put', 'post', 'delete')),
    url        text NOT NULL,
    created_on timestamptz NOT NULL DEFAULT now(),
    updated_on timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE webhook_events IS 'Which calls are meant: method and a regular expression on the path.';

CREATE TABLE webhook_subscriptions (
    webhook_id integer NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id   integer NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
    PRIMARY KEY (webhook_id, event_id)
);
CREATE INDEX webhook_subscriptions_event ON webhook_subscriptions (event_id);
COMMENT ON TABLE webhook_subscriptions IS 'Which webhooks want which events.';

CREATE TABLE webhook_deliveries (
    id         bigserial PRIMARY KEY,
    unique_id  uuid NOT NULL DEFAULT gen_random_uuid(),
    webhook_id integer NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id   integer,
    status     text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts   integer NOT NULL DEFAULT 0,
    request    json NOT NULL,
    response   json NOT NULL DEFAULT '{}',
    created_on timestamptz NOT NULL DEFAULT now(),
    updated_on timestamptz
);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id DESC);
COMMENT ON TABLE webhook_deliveries IS 'Deliveries of webhooks and how they ended; the last hundred of each are kept.';

CREATE TABLE gateway_status (
    gateway        text PRIMARY KEY,
    url            text NOT NULL DEFAULT '',
    checked        boolean NOT NULL DEFAULT false,
    is_connected   boolean NOT NULL DEFAULT false,
    is_healthy     boolean NOT NULL DEFAULT false,
    gateway_status text NOT NULL DEFAULT '',
    summary        text NOT NULL DEFAULT '',
    ts             timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gateway_status IS 'Result of the last health check of each gateway, written by the one process that checks.';

CREATE TABLE alarms (
    id               bigserial PRIMARY KEY,
    key              text NOT NULL,
    subject          text NOT NULL DEFAULT '',
    message          text NOT NULL DEFAULT '',
    level            text NOT NULL CHECK (level IN ('info', 'major', 'critical')),
    active           boolean NOT NULL DEFAULT true,
    value            text,
    notified_on      timestamptz,
    cleared_by       text,
    first_occurrence timestamptz NOT NULL DEFAULT now(),
    last_occurrence  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX alarms_active ON alarms (key, subject) WHERE active;
CREATE INDEX alarms_last ON alarms (last_occurrence, id);
COMMENT ON TABLE alarms IS 'What went wrong on the platform; at most one active alarm per key and subject.';

CREATE TABLE reports (
    id           serial PRIMARY KEY,
    name         text NOT NULL,
    type         text NOT NULL CHECK (type IN ('usage', 'errors', 't7', 'almost_overdue')),
    active       boolean NOT NULL DEFAULT true,
    period_range integer NOT NULL CHECK (period_range >= 60),
    destination  text NOT NULL DEFAULT '',
    last_run     timestamptz,
    created_on   timestamptz NOT NULL DEFAULT now(),
    updated_on   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE reports IS 'Reports sent by mail every period_range seconds.';

CREATE UNLOGGED TABLE cache_entries (
    key        text PRIMARY KEY,
    value      bytea NOT NULL,
    expires_on timestamptz,
    created_on timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX cache_entries_expires ON cache_entries (expires_on) WHERE expires_on IS NOT NULL;
COMMENT ON TABLE cache_entries IS 'Answers kept by call nodes, shared by all processes; may be lost at any time.';

CREATE TABLE imports (
    id          serial PRIMARY KEY,
    started_on  timestamptz NOT NULL DEFAULT now(),
    finished_on timestamptz,
    who         text NOT NULL,
    sources     json NOT NULL,
    counts      json NOT NULL DEFAULT '{}',
    skipped     json NOT NULL DEFAULT '[]'
);
COMMENT ON TABLE imports IS 'What was imported from a former platform, when, by whom, from which files.';

CREATE TRIGGER bulk_actions_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON bulk_actions
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER webhooks_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON webhooks
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER webhook_events_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON webhook_events
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER webhook_subscriptions_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON webhook_subscriptions
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
