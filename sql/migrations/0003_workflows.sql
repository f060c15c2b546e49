-- additive: no
--
-- What people draw and where it answers: definitions, activities with versions, routes, templates, schedules.

CREATE TABLE definitions (
    id         bigserial PRIMARY KEY,
    sha256     bytea NOT NULL UNIQUE,
    definition text NOT NULL,
    created_on timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE definitions IS
    'Texts of workflow definitions, each once and never changed: versions and instances refer to them, so freezing a copy for an instance costs eight bytes.';
COMMENT ON COLUMN definitions.definition IS 'The JSON text exactly as it was saved.';

CREATE FUNCTION definition_put(new_text text) RETURNS bigint
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    digest bytea := sha256(convert_to(new_text, 'UTF8'));
    found_id bigint;
BEGIN
    SELECT id INTO found_id FROM definitions WHERE sha256 = digest;
    IF found_id IS NULL THEN
        INSERT INTO definitions (sha256, definition) VALUES (digest, new_text)
            ON CONFLICT (sha256) DO UPDATE SET sha256 = EXCLUDED.sha256 RETURNING id INTO found_id;
    END IF;
    RETURN found_id;
END
$$;
COMMENT ON FUNCTION definition_put(text) IS 'Id of the row with this text, made when there is none.';

CREATE TABLE activities (
    id          serial PRIMARY KEY,
    name        text NOT NULL,
    description text,
    created_on  timestamptz NOT NULL DEFAULT now(),
    updated_on  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX activities_name ON activities (name);
COMMENT ON TABLE activities IS 'Workflows by name.';

CREATE TABLE activity_versions (
    id            serial PRIMARY KEY,
    activity_id   integer NOT NULL REFERENCES activities (id) ON DELETE CASCADE,
    label         text CHECK (label <> ''),
    message       text,
    definition_id bigint NOT NULL REFERENCES definitions (id),
    active        boolean NOT NULL DEFAULT false,
    user_id       integer REFERENCES users (id) ON DELETE SET NULL,
    created_on    timestamptz NOT NULL DEFAULT now(),
    updated_on    timestamptz NOT NULL DEFAULT now(),
    commit_at     timestamptz
);
CREATE UNIQUE INDEX activity_versions_active ON activity_versions (activity_id) WHERE active;
CREATE UNIQUE INDEX activity_versions_working ON activity_versions (activity_id) WHERE label IS NULL;
CREATE UNIQUE INDEX activity_versions_label ON activity_versions (activity_id, label);
CREATE INDEX activity_versions_definition ON activity_versions (definition_id);
COMMENT ON TABLE activity_versions IS
    'Versions of an activity: exactly one active, which new instances use, and exactly one working (label null), which alone may be edited. They may be the same row.';

CREATE TABLE custom_routes (
    id              serial PRIMARY KEY,
    method          text NOT NULL CHECK (method IN ('get', 'post', 'put', 'delete')),
    route           text NOT NULL,
    activity_id     integer REFERENCES activities (id) ON DELETE SET NULL,
    err_activity_id integer REFERENCES activities (id) ON DELETE SET NULL,
    schema          json,
    output_schema   json,
    sync            boolean NOT NULL DEFAULT false,
    enabled         boolean NOT NULL DEFAULT true,
    public          boolean NOT NULL DEFAULT false,
    support_bulk    boolean NOT NULL DEFAULT false,
    bulk_options    json,
    group_name      text CHECK (group_name <> ''),
    created_on      timestamptz NOT NULL DEFAULT now(),
    updated_on      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX custom_routes_route ON custom_routes (method, route);
CREATE INDEX custom_routes_activity ON custom_routes (activity_id);
COMMENT ON TABLE custom_routes IS
    'Method and path pattern -> workflow. group_name is "group" of the API (null: unassigned).';

CREATE TABLE templates (
    id         serial PRIMARY KEY,
    key        text NOT NULL,
    type       text NOT NULL DEFAULT 'jinja',
    template   text,
    content    bytea,
    created_on timestamptz NOT NULL DEFAULT now(),
    updated_on timestamptz NOT NULL DEFAULT now(),
    CHECK ((template IS NULL) <> (content IS NULL))
);
CREATE UNIQUE INDEX templates_key ON templates (key);
COMMENT ON TABLE templates IS
    'Stored templates by dotted key, where a part may be "*": text in template, binary ones (a spreadsheet) in content.';

CREATE TABLE timers_cron (
    id           serial PRIMARY KEY,
    job_id       text NOT NULL,
    activity_id  integer REFERENCES activities (id) ON DELETE SET NULL,
    enabled      boolean NOT NULL DEFAULT true,
    year         text,
    month        text,
    day          text,
    week         text,
    day_of_week  text,
    hour         text,
    minute       text,
    second       text,
    request_body text,
    next_on      timestamptz,
    last_on      timestamptz,
    created_on   timestamptz NOT NULL DEFAULT now(),
    updated_on   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX timers_cron_next ON timers_cron (next_on) WHERE enabled;
COMMENT ON TABLE timers_cron IS
    'Scheduled jobs in the fields of cron. A run is taken by moving next_on under the row lock, so it happens once.';

CREATE TABLE startup_events (
    name        text PRIMARY KEY,
    activity_id integer REFERENCES activities (id) ON DELETE SET NULL,
    updated_on  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE startup_events IS 'Named triggers and the workflow behind each.';

CREATE TRIGGER activities_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON activities
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER activity_versions_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON activity_versions
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER custom_routes_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON custom_routes
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER templates_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON templates
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER timers_cron_added AFTER INSERT OR DELETE OR TRUNCATE ON timers_cron
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER timers_cron_changed AFTER UPDATE OF job_id, activity_id, enabled, year, month, day, week, day_of_week,
        hour, minute, second, request_body
    ON timers_cron FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
CREATE TRIGGER startup_events_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON startup_events
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
