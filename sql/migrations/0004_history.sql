-- additive: no
--
-- History, partitioned by month.
--
-- One rule for all: the partition key of a row is the creation time of the thing it belongs to.
--   * requests and instances: their own created_on.
--   * What belongs to an instance (tasks, traces, errors, contexts, instance_logs): instance_on, which equals
--     instances.created_on of that instance to the microsecond; so an instance and all its rows stand in the
--     partitions of one month, a look-up by instance touches one partition, and a month is dropped as a whole.
--   * What belongs to a request without instance (traces of a proxied call): instance_on is requests.created_on.
--   * Whoever refers to such a row keeps both: (instance_id, instance_on), (request_id, request_on),
--     (parent_instance_id, parent_on). Statements always name both; an id alone: see id_from() in 0001.
-- A default partition takes what no month fits, so that an insert never fails; history_prepare() moves it out.
--
-- Ids are given out by the program (sequences ids_...), so rows of several tables go out in one round trip.

CREATE TABLE requests (
    id                 bigint NOT NULL,
    created_on         timestamptz NOT NULL,
    updated_on         timestamptz,
    status             text NOT NULL,
    label              text,
    method             text NOT NULL DEFAULT '',
    url                text NOT NULL DEFAULT '',
    details            json NOT NULL DEFAULT '{}',
    response           json,
    response_status    integer,
    runtime_ms         double precision,
    user_id            integer,
    owner              text,
    client_ip          inet,
    activity_id        integer,
    route_id           integer,
    instance_id        bigint,
    instance_on        timestamptz,
    instance_status    text,
    proxy_gateway_host text,
    gateway            text,
    entity_type        text,
    event_id           text,
    tenant_id          text,
    site_id            text,
    numbers            text,
    subscription_id    text,
    distributor_id     text,
    reseller_id        text,
    group_id           text,
    extra              json,
    PRIMARY KEY (id, created_on)
) PARTITION BY RANGE (created_on);
CREATE INDEX requests_created ON requests (created_on, id);
CREATE INDEX requests_activity ON requests (activity_id, created_on) WHERE activity_id IS NOT NULL;
CREATE INDEX requests_owner ON requests (owner, created_on) WHERE owner IS NOT NULL;
CREATE INDEX requests_status ON requests (status, created_on) WHERE status <> 'SUCCESS';
CREATE INDEX requests_response_status ON requests (response_status, created_on) WHERE response_status >= 400;
CREATE INDEX requests_tenant ON requests (tenant_id, created_on) WHERE tenant_id IS NOT NULL;
CREATE INDEX requests_site ON requests (site_id, created_on) WHERE site_id IS NOT NULL;
CREATE INDEX requests_subscription ON requests (subscription_id, created_on) WHERE subscription_id IS NOT NULL;
COMMENT ON TABLE requests IS
    'Calls that came in over HTTP: to custom routes and through the proxy. Has one instance, or none when it was forwarded or refused.';
COMMENT ON COLUMN requests.status IS 'ACTIVE, SUCCESS, ERROR or a text of the workflow.';
COMMENT ON COLUMN requests.method IS 'Lower case; request_method of the API.';
COMMENT ON COLUMN requests.url IS 'Path and query as received, without auth_token; request_url of the API.';
COMMENT ON COLUMN requests.details IS
    'The request object workflows see (method, url, tail, params, match_info, content_type, body, headers), secrets masked for forwarded calls. The API adds response and user.';
COMMENT ON COLUMN requests.response IS '{"status", "headers", "body"}, the body cut.';
COMMENT ON COLUMN requests.owner IS 'User name, as it was.';
COMMENT ON COLUMN requests.instance_status IS 'Copy of instances.status, written with it: lists need no join.';
COMMENT ON COLUMN requests.proxy_gateway_host IS 'Prefix of the proxy that served it, e.g. /api/v01/p1; null: the core.';
COMMENT ON COLUMN requests.extra IS 'What else the deployment records about a request, by name.';

CREATE TABLE instances (
    id                  bigint NOT NULL,
    created_on          timestamptz NOT NULL,
    updated_on          timestamptz,
    closed_on           timestamptz,
    guid                uuid NOT NULL,
    status              text NOT NULL
        CHECK (status IN ('ACTIVE', 'CLOSED_IN_SUCCESS', 'CLOSED_IN_ERROR')),
    kind                text NOT NULL DEFAULT 'request'
        CHECK (kind IN ('request', 'run', 'schedule', 'bulk', 'sub', 'error_handler', 'event')),
    activity_id         integer,
    version_id          integer,
    definition_id       bigint NOT NULL,
    label               text,
    user_id             integer,
    owner               text,
    original_request_id bigint,
    request_on          timestamptz,
    request             json,
    request_status      text,
    parent_instance_id  bigint,
    parent_on           timestamptz,
    callback_task_id    bigint,
    depth               smallint NOT NULL DEFAULT 0,
    bulk_id             bigint,
    proxy               text,
    durability          text NOT NULL DEFAULT 'step' CHECK (durability IN ('step', 'park')),
    sync                boolean NOT NULL DEFAULT false,
    cnt_tasks_in_error  integer NOT NULL DEFAULT 0,
    end_task_in_error   boolean NOT NULL DEFAULT false,
    roles               text NOT NULL DEFAULT '',
    PRIMARY KEY (id, created_on)
) PARTITION BY RANGE (created_on);
CREATE INDEX instances_guid ON instances (guid);
CREATE INDEX instances_activity ON instances (activity_id, created_on);
CREATE INDEX instances_active ON instances (created_on, id) WHERE status = 'ACTIVE';
CREATE INDEX instances_blocked ON instances (created_on, id) WHERE cnt_tasks_in_error > 0;
CREATE INDEX instances_roles ON instances (created_on, id) WHERE roles <> '';
CREATE INDEX instances_custom ON instances (created_on, id)
    WHERE original_request_id IS NULL AND parent_instance_id IS NULL;
CREATE INDEX instances_parent ON instances (parent_instance_id) WHERE parent_instance_id IS NOT NULL;
CREATE INDEX instances_bulk ON instances (bulk_id) WHERE bulk_id IS NOT NULL;
COMMENT ON TABLE instances IS
    'Runs of workflows (transactions of the API). Lease and fence of a run stand in jobs, its parked state in instance_states.';
COMMENT ON COLUMN instances.guid IS 'UUIDv7 whose time is created_on (to the millisecond).';
COMMENT ON COLUMN instances.definition_id IS
    'The frozen copy: definitions.id of its version, or of the text an operator gave this instance instead.';
COMMENT ON COLUMN instances.request IS
    'The request object when there is no request row (schedule, bulk, sub-instance); else null and requests.details holds it.';
COMMENT ON COLUMN instances.request_status IS 'What set_request_status put; null: not set. Sub-instances have no request row for it.';
COMMENT ON COLUMN instances.callback_task_id IS 'Task of the parent instance that waits for this one; not null: a sub-instance.';
COMMENT ON COLUMN instances.cnt_tasks_in_error IS 'Number of cells whose latest task is in ERROR.';
COMMENT ON COLUMN instances.end_task_in_error IS 'An "end" task is in ERROR.';
COMMENT ON COLUMN instances.roles IS 'Roles with a pending manual action, dot-wrapped: ".3.7."; empty: none.';

CREATE TABLE instance_states (
    instance_id bigint PRIMARY KEY,
    instance_on timestamptz NOT NULL,
    step        bigint NOT NULL DEFAULT 0,
    state       json NOT NULL,
    updated_on  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON TABLE instance_states IS
    'What an open instance needs to go on besides its rows: queued activations, counters of joins, passages of or-gates. Deleted at closing; runs that never park never have one.';

CREATE TABLE tasks (
    id          bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamptz NOT NULL,
    cell_id     text NOT NULL,
    status      text NOT NULL CHECK (status IN ('QUEUED', 'RUN', 'WAIT', 'OK', 'ERROR')),
    output      text,
    runtime     double precision,
    created_on  timestamptz NOT NULL,
    updated_on  timestamptz,
    PRIMARY KEY (instance_id, id, instance_on)
) PARTITION BY RANGE (instance_on);
COMMENT ON TABLE tasks IS 'Activations of cells, in the order of their ids. cell_id is the name of the cell; runtime in seconds.';

CREATE TABLE traces (
    id             bigint NOT NULL,
    instance_id    bigint,
    instance_on    timestamptz NOT NULL,
    task_id        bigint,
    request_id     bigint,
    label          text,
    session_holder text,
    host           text,
    http_method    text,
    http_url       text,
    status         integer NOT NULL DEFAULT 0,
    input          text,
    output         text,
    external_id    text,
    cache_hit      boolean,
    hidden         boolean NOT NULL DEFAULT false,
    runtime_ms     double precision,
    created_on     timestamptz NOT NULL,
    updated_on     timestamptz,
    PRIMARY KEY (id, instance_on)
) PARTITION BY RANGE (instance_on);
CREATE INDEX traces_instance ON traces (instance_id, task_id) WHERE instance_id IS NOT NULL;
CREATE INDEX traces_request ON traces (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX traces_created ON traces (created_on, id);
CREATE INDEX traces_failed ON traces (created_on, id) WHERE status = 0 OR status >= 400;
COMMENT ON TABLE traces IS
    'Calls to other systems, one row per attempt: of tasks (instance_id, task_id) or of forwarded requests (request_id). Secrets are masked before they are stored. status 0: no answer.';

CREATE TABLE errors (
    id          bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamptz NOT NULL,
    task_id     bigint,
    cell_id     text NOT NULL,
    output      text,
    description text NOT NULL DEFAULT '',
    advanced    boolean NOT NULL DEFAULT false,
    replayed    boolean NOT NULL DEFAULT false,
    created_on  timestamptz NOT NULL,
    PRIMARY KEY (instance_id, id, instance_on)
) PARTITION BY RANGE (instance_on);
COMMENT ON TABLE errors IS 'Failures of tasks: a short text (output) and a long one. replayed: the task was run again since.';

CREATE TABLE contexts (
    id          bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamptz NOT NULL,
    key         text NOT NULL,
    value       json NOT NULL,
    cleanup     boolean NOT NULL DEFAULT false,
    sensitive   boolean NOT NULL DEFAULT false,
    updated_on  timestamptz NOT NULL,
    PRIMARY KEY (instance_id, key, instance_on)
) PARTITION BY RANGE (instance_on);
COMMENT ON TABLE contexts IS
    'The context of an instance, a row per key; a new write keeps the id. cleanup: deleted at the end; sensitive: shown as ********.';

CREATE SEQUENCE instance_logs_id;
CREATE TABLE instance_logs (
    id          bigint NOT NULL DEFAULT nextval('instance_logs_id'),
    instance_id bigint NOT NULL,
    instance_on timestamptz NOT NULL,
    source      text NOT NULL,
    message     text NOT NULL,
    created_on  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, id, instance_on)
) PARTITION BY RANGE (instance_on);
ALTER SEQUENCE instance_logs_id OWNED BY instance_logs.id;
COMMENT ON TABLE instance_logs IS 'Lines about an instance: what a person did with it, what nodes found worth saying.';

-- ---- partitions ------------------------------------------------------------------------------

CREATE TABLE requests_default PARTITION OF requests DEFAULT;
CREATE TABLE instances_default PARTITION OF instances DEFAULT;
CREATE TABLE tasks_default PARTITION OF tasks DEFAULT;
CREATE TABLE traces_default PARTITION OF traces DEFAULT;
CREATE TABLE errors_default PARTITION OF errors DEFAULT;
CREATE TABLE contexts_default PARTITION OF contexts DEFAULT;
CREATE TABLE instance_logs_default PARTITION OF instance_logs DEFAULT;

CREATE TABLE history_tables (
    name       text PRIMARY KEY,
    part_key   text NOT NULL,
    fill       integer NOT NULL
);
COMMENT ON TABLE history_tables IS 'The partitioned tables, their partition key, and the fill factor of their partitions.';
INSERT INTO history_tables (name, part_key, fill) VALUES
    ('requests', 'created_on', 90), ('instances', 'created_on', 85), ('tasks', 'instance_on', 95),
    ('traces', 'instance_on', 100), ('errors', 'instance_on', 100), ('contexts', 'instance_on', 90),
    ('instance_logs', 'instance_on', 100);

-- Makes the partitions of the month around `day`, moving in what waited in the default partition. The partition is
-- built beside the table and then attached, which lets readers and writers of the table go on.
-- Runs with the rights of the owner, so that a role that may only read and write rows can call it.
CREATE FUNCTION history_make(day timestamptz) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC'
AS $$
DECLARE
    since timestamptz := date_trunc('month', day);
    until timestamptz := date_trunc('month', day) + interval '1 month';
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
        CONTINUE WHEN to_regclass(quote_ident(part)) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)',
                       part, t.name, t.fill);
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
COMMENT ON FUNCTION history_make(timestamptz) IS 'Makes the partitions of the month around that time; returns how many.';

-- This month and two ahead: called by every start and every night.
CREATE FUNCTION history_prepare() RETURNS integer
    LANGUAGE sql SECURITY DEFINER
AS $$
    SELECT history_make(now()) + history_make(now() + interval '1 month') + history_make(now() + interval '2 months')
$$;
COMMENT ON FUNCTION history_prepare() IS 'Makes the partitions of this month and the next two; returns how many.';

-- With the rights of the owner nothing may be looked up where the caller can put something: temporary tables come
-- before all others unless the path names them last.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION history_make(timestamptz) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION history_prepare() SET search_path = %I, pg_temp', current_schema());
END
$$;

SELECT history_prepare();
