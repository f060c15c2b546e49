-- Made by pg_dump from a freshly migrated database; the migrations are the truth.
-- tests/integration/it_migrate.c compares; SLUICE_WRITE_SCHEMA=1 writes it anew.
CREATE FUNCTION public.definition_put(new_text text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO '$user', 'public'
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

COMMENT ON FUNCTION public.definition_put(new_text text) IS 'Id of the row with this text, made when there is none.';

CREATE FUNCTION public.generation_bump() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO '$user', 'public'
    AS $$
BEGIN
    UPDATE generations SET n = n + 1, changed_on = now() WHERE topic = TG_ARGV[0];
    PERFORM pg_notify('sluice', TG_ARGV[0]);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION public.generation_bump() IS 'Trigger: topic TG_ARGV[0] changed.';

CREATE FUNCTION public.guid_time(guid uuid) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT to_timestamp(('x' || lpad(left(replace(guid::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0)
$$;

COMMENT ON FUNCTION public.guid_time(guid uuid) IS 'The time inside a UUIDv7.';

CREATE FUNCTION public.history_make(day timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET "TimeZone" TO 'UTC'
    SET lock_timeout TO '100ms'
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    since timestamptz := date_trunc('month', day);
    until timestamptz := date_trunc('month', day) + interval '1 month';
    passes text := 'autovacuum_vacuum_insert_threshold = 1000000, autovacuum_vacuum_insert_scale_factor = 1';
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
        IF to_regclass(quote_ident(part)) IS NOT NULL THEN
            CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(quote_ident(part))
                AND array_to_string(reloptions, ',') LIKE '%vacuum_insert%');
            BEGIN -- made before this was known; while a pass is under way it would wait, so the next call does it
                EXECUTE format('ALTER TABLE %I SET (%s)', part, passes);
            EXCEPTION WHEN lock_not_available THEN
                NULL;
            END;
            CONTINUE;
        END IF;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, %s)',
                       part, t.name, t.fill, passes);
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

COMMENT ON FUNCTION public.history_make(day timestamp with time zone) IS 'Makes the partitions of the month around that time; returns how many.';

CREATE FUNCTION public.history_months(before timestamp with time zone) RETURNS SETOF date
    LANGUAGE sql STABLE
    SET search_path TO '$user', 'public'
    AS $_$
    SELECT DISTINCT to_date(right(c.relname, 6), 'YYYYMM')
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('requests'::regclass, 'instances'::regclass)
      AND c.relname ~ '_p[0-9]{6}$'
      AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= before
    ORDER BY 1
$_$;

COMMENT ON FUNCTION public.history_months(before timestamp with time zone) IS 'First days of the months whose partitions end before that time.';

CREATE FUNCTION public.history_prepare() RETURNS integer
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT history_make(now()) + history_make(now() + interval '1 month') + history_make(now() + interval '2 months')
$$;

COMMENT ON FUNCTION public.history_prepare() IS 'Makes the partitions of this month and the next two; returns how many.';

CREATE FUNCTION public.history_remove(month date, keep_active boolean) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET "TimeZone" TO 'UTC'
    SET lock_timeout TO '100ms'
    SET search_path TO 'public', 'pg_temp'
    AS $_$
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
$_$;

COMMENT ON FUNCTION public.history_remove(month date, keep_active boolean) IS 'Removes the history of a month; keep_active: what belongs to instances that still run stays. Returns the number of rows.';

CREATE FUNCTION public.id_from(of_kind text, of_id bigint) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO '$user', 'public'
    AS $$
    SELECT coalesce((SELECT noted_on - interval '1 hour' FROM id_marks
                     WHERE kind = of_kind AND first_id <= of_id
                     ORDER BY first_id DESC LIMIT 1), '-infinity'::timestamptz)
$$;

COMMENT ON FUNCTION public.id_from(of_kind text, of_id bigint) IS 'Earliest creation time of the row with this id.';

CREATE FUNCTION public.id_to(of_kind text, of_id bigint) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO '$user', 'public'
    AS $$
    SELECT coalesce((SELECT noted_on + interval '25 hours' FROM id_marks
                     WHERE kind = of_kind AND first_id > of_id
                     ORDER BY first_id LIMIT 1), 'infinity'::timestamptz)
$$;

COMMENT ON FUNCTION public.id_to(of_kind text, of_id bigint) IS 'Creation time of the row with this id is before that.';

CREATE FUNCTION public.instance_holder(of_id bigint, OUT id bigint, OUT created_on timestamp with time zone) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO '$user', 'public'
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

COMMENT ON FUNCTION public.instance_holder(of_id bigint, OUT id bigint, OUT created_on timestamp with time zone) IS 'The instance under whose lease this one runs; nothing when it is gone.';

CREATE FUNCTION public.instance_released() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO '$user', 'public'
    AS $$
BEGIN
    UPDATE manual_actions SET output = '*cancelled*', updated_on = now()
    WHERE instance_id = NEW.id AND output IS NULL;
    UPDATE external_callbacks SET status = 'CONSUMED', updated_on = now()
    WHERE instance_id = NEW.id AND status IN ('WAIT', 'LOCKED');
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION public.instance_released() IS 'Trigger: an instance was closed.';

CREATE FUNCTION public.job_lane() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO '$user', 'public'
    AS $$
BEGIN
    NEW.lane := coalesce((SELECT i.activity_id FROM instances i WHERE i.id = NEW.ref_id AND i.created_on = NEW.ref_on), 0);
    RETURN NEW;
END
$$;

CREATE FUNCTION public.manual_actions_roles() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO '$user', 'public'
    AS $$
BEGIN
    UPDATE instances SET roles = coalesce((
        SELECT '.' || string_agg(DISTINCT m.role_id::text, '.') || '.' FROM manual_actions m
        WHERE m.instance_id = NEW.instance_id AND m.output IS NULL AND m.role_id IS NOT NULL), '')
    WHERE id = NEW.instance_id AND created_on = NEW.instance_on;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION public.manual_actions_roles() IS 'Trigger: who is asked has changed.';

CREATE FUNCTION public.signal_instance(of_id bigint, to_task bigint, of_kind text, content json) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO '$user', 'public'
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

COMMENT ON FUNCTION public.signal_instance(of_id bigint, to_task bigint, of_kind text, content json) IS 'Leave a signal for a task (0: the instance itself) and have the instance run soon.';

CREATE FUNCTION public.task_released() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO '$user', 'public'
    AS $$
BEGIN
    UPDATE manual_actions SET output = '*cancelled*', updated_on = now()
    WHERE created_by_task_id = NEW.id AND output IS NULL;
    UPDATE external_callbacks SET status = 'CONSUMED', updated_on = now()
    WHERE origin_task_id = NEW.id AND status IN ('WAIT', 'LOCKED');
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION public.task_released() IS 'Trigger: a task has stopped waiting.';

CREATE TABLE public.activities (
    id integer NOT NULL,
    name text NOT NULL,
    description text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.activities IS 'Workflows by name.';

CREATE SEQUENCE public.activities_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.activities_id_seq OWNED BY public.activities.id;

CREATE TABLE public.activity_versions (
    id integer NOT NULL,
    activity_id integer NOT NULL,
    label text,
    message text,
    definition_id bigint NOT NULL,
    active boolean DEFAULT false NOT NULL,
    user_id integer,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL,
    commit_at timestamp with time zone,
    CONSTRAINT activity_versions_label_check CHECK ((label <> ''::text))
);

COMMENT ON TABLE public.activity_versions IS 'Versions of an activity: exactly one active, which new instances use, and exactly one working (label null), which alone may be edited. They may be the same row.';

CREATE SEQUENCE public.activity_versions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.activity_versions_id_seq OWNED BY public.activity_versions.id;

CREATE TABLE public.alarms (
    id bigint NOT NULL,
    key text NOT NULL,
    subject text DEFAULT ''::text NOT NULL,
    message text DEFAULT ''::text NOT NULL,
    level text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    value text,
    notified_on timestamp with time zone,
    cleared_by text,
    first_occurrence timestamp with time zone DEFAULT now() NOT NULL,
    last_occurrence timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT alarms_level_check CHECK ((level = ANY (ARRAY['info'::text, 'major'::text, 'critical'::text])))
);

COMMENT ON TABLE public.alarms IS 'What went wrong on the platform; at most one active alarm per key and subject.';

CREATE SEQUENCE public.alarms_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.alarms_id_seq OWNED BY public.alarms.id;

CREATE TABLE public.audit (
    id bigint NOT NULL,
    user_id integer,
    username text,
    operation text NOT NULL,
    target text,
    target_type text NOT NULL,
    channel text DEFAULT 'api'::text NOT NULL,
    summary text,
    extra_info text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_operation_check CHECK ((operation = ANY (ARRAY['create'::text, 'update'::text, 'delete'::text])))
);

COMMENT ON TABLE public.audit IS 'What administrators changed. Never updated; names are kept as they were.';

CREATE SEQUENCE public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;

CREATE TABLE public.bulk_actions (
    id integer NOT NULL,
    name text NOT NULL,
    activity_id integer,
    method text,
    url text,
    header_1 text,
    header_2 text,
    header_3 text,
    options json,
    validation_schema json,
    sample_input text,
    sequence_timeout double precision,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.bulk_actions IS 'What a bulk job does with each row: start a workflow, or call a URL.';

CREATE SEQUENCE public.bulk_actions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.bulk_actions_id_seq OWNED BY public.bulk_actions.id;

CREATE TABLE public.bulk_results (
    id bigint NOT NULL,
    bulk_id bigint NOT NULL,
    line integer NOT NULL,
    input_ref text NOT NULL,
    body json,
    status text DEFAULT 'active'::text NOT NULL,
    instance_id bigint,
    instance_on timestamp with time zone,
    response text,
    trace text,
    back_link text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone,
    CONSTRAINT bulk_results_status_check CHECK ((status = ANY (ARRAY['active'::text, 'ok'::text, 'fail'::text])))
)
WITH (fillfactor='85');

COMMENT ON TABLE public.bulk_results IS 'Rows of a bulk job. input_ref is the row as it came, body what it was converted to.';

CREATE SEQUENCE public.bulk_results_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.bulk_results_id_seq OWNED BY public.bulk_results.id;

CREATE TABLE public.bulks (
    id bigint NOT NULL,
    label text NOT NULL,
    action_id integer,
    route_id integer,
    action text,
    user_id integer,
    owner text,
    status text DEFAULT 'active'::text NOT NULL,
    settings json DEFAULT '{}'::json NOT NULL,
    rows_total integer DEFAULT 0 NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone,
    CONSTRAINT bulks_status_check CHECK ((status = ANY (ARRAY['active'::text, 'done'::text, 'done with errors'::text])))
);

COMMENT ON TABLE public.bulks IS 'Bulk jobs. settings: the options, schema and target as they were at the start.';

CREATE SEQUENCE public.bulks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.bulks_id_seq OWNED BY public.bulks.id;

CREATE TABLE public.configuration (
    id integer NOT NULL,
    content json NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    created_by text,
    comment text
);

COMMENT ON TABLE public.configuration IS 'Versions of the configuration document; the highest id is in force, the others are its history. Secrets inside are sealed.';

CREATE SEQUENCE public.configuration_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.configuration_id_seq OWNED BY public.configuration.id;

CREATE TABLE public.contexts (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    key text NOT NULL,
    value json NOT NULL,
    cleanup boolean DEFAULT false NOT NULL,
    sensitive boolean DEFAULT false NOT NULL,
    updated_on timestamp with time zone NOT NULL
)
PARTITION BY RANGE (instance_on);

COMMENT ON TABLE public.contexts IS 'The context of an instance, a row per key; a new write keeps the id. cleanup: deleted at the end; sensitive: shown as ********.';

CREATE TABLE public.contexts_default (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    key text NOT NULL,
    value json NOT NULL,
    cleanup boolean DEFAULT false NOT NULL,
    sensitive boolean DEFAULT false NOT NULL,
    updated_on timestamp with time zone NOT NULL
);

CREATE TABLE public.custom_routes (
    id integer NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    activity_id integer,
    err_activity_id integer,
    schema json,
    output_schema json,
    sync boolean DEFAULT false NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    public boolean DEFAULT false NOT NULL,
    support_bulk boolean DEFAULT false NOT NULL,
    bulk_options json,
    group_name text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT custom_routes_group_name_check CHECK ((group_name <> ''::text)),
    CONSTRAINT custom_routes_method_check CHECK ((method = ANY (ARRAY['get'::text, 'post'::text, 'put'::text, 'delete'::text])))
);

COMMENT ON TABLE public.custom_routes IS 'Method and path pattern -> workflow. group_name is "group" of the API (null: unassigned).';

CREATE SEQUENCE public.custom_routes_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.custom_routes_id_seq OWNED BY public.custom_routes.id;

CREATE TABLE public.definitions (
    id bigint NOT NULL,
    sha256 bytea NOT NULL,
    definition text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.definitions IS 'Texts of workflow definitions, each once and never changed: versions and instances refer to them, so freezing a copy for an instance costs eight bytes.';

COMMENT ON COLUMN public.definitions.definition IS 'The JSON text exactly as it was saved.';

CREATE SEQUENCE public.definitions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.definitions_id_seq OWNED BY public.definitions.id;

CREATE TABLE public.documents (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    mime_type text DEFAULT 'application/octet-stream'::text NOT NULL,
    size_in_bytes bigint DEFAULT 0 NOT NULL,
    created_by text,
    key_id integer,
    head bytea,
    content bytea NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.documents ALTER COLUMN content SET STORAGE EXTERNAL;

COMMENT ON TABLE public.documents IS 'Files of instances, sealed: head holds the content key under keys.id = key_id, content the chunks. Two columns, so that changing the key rewrites the head only. head null: content is a token of the former product.';

CREATE SEQUENCE public.documents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.documents_id_seq OWNED BY public.documents.id;

CREATE TABLE public.entity_events (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    source_entity text DEFAULT ''::text NOT NULL,
    user_id integer,
    username text,
    key text NOT NULL,
    content text DEFAULT ''::text NOT NULL,
    extra text,
    status text DEFAULT 'received'::text NOT NULL,
    processing_result text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT entity_events_status_check CHECK ((status = ANY (ARRAY['received'::text, 'processed'::text, 'rejected'::text])))
);

COMMENT ON TABLE public.entity_events IS 'Events other systems sent to an instance.';

CREATE SEQUENCE public.entity_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.entity_events_id_seq OWNED BY public.entity_events.id;

CREATE TABLE public.errors (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    task_id bigint,
    cell_id text NOT NULL,
    output text,
    description text DEFAULT ''::text NOT NULL,
    advanced boolean DEFAULT false NOT NULL,
    replayed boolean DEFAULT false NOT NULL,
    created_on timestamp with time zone NOT NULL
)
PARTITION BY RANGE (instance_on);

COMMENT ON TABLE public.errors IS 'Failures of tasks: a short text (output) and a long one. replayed: the task was run again since.';

CREATE TABLE public.errors_default (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    task_id bigint,
    cell_id text NOT NULL,
    output text,
    description text DEFAULT ''::text NOT NULL,
    advanced boolean DEFAULT false NOT NULL,
    replayed boolean DEFAULT false NOT NULL,
    created_on timestamp with time zone NOT NULL
);

CREATE TABLE public.external_callbacks (
    id bigint NOT NULL,
    instance_id bigint,
    instance_on timestamp with time zone,
    origin_task_id bigint,
    entity text,
    external_id text NOT NULL,
    status text DEFAULT 'WAIT'::text NOT NULL,
    body text,
    user_id integer,
    expires_on timestamp with time zone,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone,
    current boolean DEFAULT true NOT NULL,
    CONSTRAINT external_callbacks_status_check CHECK ((status = ANY (ARRAY['WAIT'::text, 'READY'::text, 'LOCKED'::text, 'CONSUMED'::text])))
);

COMMENT ON TABLE public.external_callbacks IS 'Asynchronous answers: WAIT awaited, READY came before its task, LOCKED being handled, CONSUMED done.';

COMMENT ON COLUMN public.external_callbacks.current IS 'Holds its external id; false once the id was awaited again, or nobody fetched the answer in time.';

CREATE SEQUENCE public.external_callbacks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.external_callbacks_id_seq OWNED BY public.external_callbacks.id;

CREATE TABLE public.gateway_logins (
    id bigint NOT NULL,
    user_id integer,
    identity text NOT NULL,
    gateway text NOT NULL,
    url text NOT NULL,
    cookies text NOT NULL,
    ids json DEFAULT '{}'::json NOT NULL,
    profile json,
    token_family uuid,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    last_used_on timestamp with time zone DEFAULT now() NOT NULL,
    expires_on timestamp with time zone
);

COMMENT ON TABLE public.gateway_logins IS 'Sessions of users on gateways: made by the core at log-in, used by the proxies. Cookies are sealed; passwords are never kept.';

COMMENT ON COLUMN public.gateway_logins.identity IS 'Who is logged in there: the token family for a user, "system" for the account of the configuration.';

CREATE SEQUENCE public.gateway_logins_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_logins_id_seq OWNED BY public.gateway_logins.id;

CREATE TABLE public.gateway_status (
    gateway text NOT NULL,
    url text DEFAULT ''::text NOT NULL,
    checked boolean DEFAULT false NOT NULL,
    is_connected boolean DEFAULT false NOT NULL,
    is_healthy boolean DEFAULT false NOT NULL,
    gateway_status text DEFAULT ''::text NOT NULL,
    summary text DEFAULT ''::text NOT NULL,
    ts timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.gateway_status IS 'Result of the last health check of each gateway, written by the one process that checks.';

CREATE TABLE public.generations (
    topic text NOT NULL,
    n bigint DEFAULT 1 NOT NULL,
    changed_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.generations IS 'A counter per topic. A process that sees another number than the last one, lower ones too, reads that topic again.';

CREATE TABLE public.history_tables (
    name text NOT NULL,
    part_key text NOT NULL,
    fill integer NOT NULL
);

COMMENT ON TABLE public.history_tables IS 'The partitioned tables, their partition key, and the fill factor of their partitions.';

CREATE TABLE public.id_marks (
    kind text NOT NULL,
    first_id bigint NOT NULL,
    noted_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.id_marks IS 'Now and then: the id a sequence had reached at a time. Blocks are used within a day, so an id alone tells the month of its row (id_from, id_to) and a look-up touches one partition.';

CREATE SEQUENCE public.ids_context
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE public.ids_error
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE public.ids_instance
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE public.ids_job
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE public.ids_request
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE public.ids_task
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE public.ids_timer
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE public.ids_trace
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.imports (
    id integer NOT NULL,
    started_on timestamp with time zone DEFAULT now() NOT NULL,
    finished_on timestamp with time zone,
    who text NOT NULL,
    sources json NOT NULL,
    counts json DEFAULT '{}'::json NOT NULL,
    skipped json DEFAULT '[]'::json NOT NULL
);

COMMENT ON TABLE public.imports IS 'What was imported from a former platform, when, by whom, from which files.';

CREATE SEQUENCE public.imports_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.imports_id_seq OWNED BY public.imports.id;

CREATE TABLE public.instance_comments (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    user_id integer,
    username text NOT NULL,
    content text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.instance_comments IS 'Remarks of people on an instance.';

CREATE SEQUENCE public.instance_comments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.instance_comments_id_seq OWNED BY public.instance_comments.id;

CREATE TABLE public.instance_logs (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    source text NOT NULL,
    message text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (instance_on);

COMMENT ON TABLE public.instance_logs IS 'Lines about an instance: what a person did with it, what nodes found worth saying.';

CREATE SEQUENCE public.instance_logs_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.instance_logs_id OWNED BY public.instance_logs.id;

CREATE TABLE public.instance_logs_default (
    id bigint DEFAULT nextval('public.instance_logs_id'::regclass) NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    source text NOT NULL,
    message text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.instance_signals (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    target_id bigint NOT NULL,
    task_id bigint DEFAULT 0 NOT NULL,
    kind text NOT NULL,
    payload json DEFAULT 'null'::json NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE public.instance_signals IS 'Left for an instance by the outside; deleted in the transaction that stores what they brought about.';

COMMENT ON COLUMN public.instance_signals.instance_id IS 'The instance that holds the lease: the top of the tree of target_id.';

COMMENT ON COLUMN public.instance_signals.task_id IS 'The parked task of target_id; 0: the instance itself.';

CREATE SEQUENCE public.instance_signals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.instance_signals_id_seq OWNED BY public.instance_signals.id;

CREATE TABLE public.instance_states (
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    step bigint DEFAULT 0 NOT NULL,
    state json NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='70');

COMMENT ON TABLE public.instance_states IS 'What an open instance needs to go on besides its rows: queued activations, counters of joins, passages of or-gates. Deleted at closing; runs that never park never have one.';

CREATE TABLE public.instances (
    id bigint NOT NULL,
    created_on timestamp with time zone NOT NULL,
    updated_on timestamp with time zone,
    closed_on timestamp with time zone,
    guid uuid NOT NULL,
    status text NOT NULL,
    kind text DEFAULT 'request'::text NOT NULL,
    activity_id integer,
    version_id integer,
    definition_id bigint NOT NULL,
    label text,
    user_id integer,
    owner text,
    original_request_id bigint,
    request_on timestamp with time zone,
    request json,
    request_status text,
    parent_instance_id bigint,
    parent_on timestamp with time zone,
    callback_task_id bigint,
    depth smallint DEFAULT 0 NOT NULL,
    bulk_id bigint,
    proxy text,
    durability text DEFAULT 'step'::text NOT NULL,
    sync boolean DEFAULT false NOT NULL,
    cnt_tasks_in_error integer DEFAULT 0 NOT NULL,
    end_task_in_error boolean DEFAULT false NOT NULL,
    roles text DEFAULT ''::text NOT NULL,
    CONSTRAINT instances_durability_check CHECK ((durability = ANY (ARRAY['step'::text, 'park'::text]))),
    CONSTRAINT instances_kind_check CHECK ((kind = ANY (ARRAY['request'::text, 'run'::text, 'schedule'::text, 'bulk'::text, 'sub'::text, 'child'::text, 'error_handler'::text, 'event'::text]))),
    CONSTRAINT instances_status_check CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'CLOSED_IN_SUCCESS'::text, 'CLOSED_IN_ERROR'::text])))
)
PARTITION BY RANGE (created_on);

COMMENT ON TABLE public.instances IS 'Runs of workflows (transactions of the API). Lease and fence of a run stand in jobs, its parked state in instance_states.';

COMMENT ON COLUMN public.instances.guid IS 'UUIDv7 whose time is created_on (to the millisecond).';

COMMENT ON COLUMN public.instances.kind IS 'What started it. sub and error_handler live under the lease of their parent; child has a parent and a lease of its own.';

COMMENT ON COLUMN public.instances.definition_id IS 'The frozen copy: definitions.id of its version, or of the text an operator gave this instance instead.';

COMMENT ON COLUMN public.instances.request IS 'The request object when there is no request row (schedule, bulk, sub-instance); else null and requests.details holds it.';

COMMENT ON COLUMN public.instances.request_status IS 'What set_request_status put; null: not set. Sub-instances have no request row for it.';

COMMENT ON COLUMN public.instances.callback_task_id IS 'Task of the parent instance that waits for this one; not null: a sub-instance.';

COMMENT ON COLUMN public.instances.cnt_tasks_in_error IS 'Number of cells whose latest task is in ERROR.';

COMMENT ON COLUMN public.instances.end_task_in_error IS 'An "end" task is in ERROR.';

COMMENT ON COLUMN public.instances.roles IS 'Roles with a pending manual action, dot-wrapped: ".3.7."; empty: none.';

CREATE TABLE public.instances_default (
    id bigint NOT NULL,
    created_on timestamp with time zone NOT NULL,
    updated_on timestamp with time zone,
    closed_on timestamp with time zone,
    guid uuid NOT NULL,
    status text NOT NULL,
    kind text DEFAULT 'request'::text NOT NULL,
    activity_id integer,
    version_id integer,
    definition_id bigint NOT NULL,
    label text,
    user_id integer,
    owner text,
    original_request_id bigint,
    request_on timestamp with time zone,
    request json,
    request_status text,
    parent_instance_id bigint,
    parent_on timestamp with time zone,
    callback_task_id bigint,
    depth smallint DEFAULT 0 NOT NULL,
    bulk_id bigint,
    proxy text,
    durability text DEFAULT 'step'::text NOT NULL,
    sync boolean DEFAULT false NOT NULL,
    cnt_tasks_in_error integer DEFAULT 0 NOT NULL,
    end_task_in_error boolean DEFAULT false NOT NULL,
    roles text DEFAULT ''::text NOT NULL,
    CONSTRAINT instances_durability_check CHECK ((durability = ANY (ARRAY['step'::text, 'park'::text]))),
    CONSTRAINT instances_kind_check CHECK ((kind = ANY (ARRAY['request'::text, 'run'::text, 'schedule'::text, 'bulk'::text, 'sub'::text, 'child'::text, 'error_handler'::text, 'event'::text]))),
    CONSTRAINT instances_status_check CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'CLOSED_IN_SUCCESS'::text, 'CLOSED_IN_ERROR'::text])))
);

CREATE TABLE public.jobs (
    id bigint NOT NULL,
    kind text NOT NULL,
    ref_id bigint,
    ref_on timestamp with time zone,
    state text DEFAULT 'ready'::text NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
    due_on timestamp with time zone DEFAULT now() NOT NULL,
    lease_owner text,
    lease_until timestamp with time zone,
    fence bigint DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_error text,
    payload json,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    signals bigint DEFAULT 0 NOT NULL,
    lane bigint DEFAULT 0 NOT NULL,
    CONSTRAINT jobs_state_check CHECK ((state = ANY (ARRAY['ready'::text, 'leased'::text, 'failed'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE public.jobs IS 'Everything to be done later or elsewhere: instances to run, timers, bulk rows, deliveries, call-backs, clean-up. Claimed with FOR UPDATE SKIP LOCKED under a lease; done means deleted.';

COMMENT ON COLUMN public.jobs.kind IS 'What ref_id is: instance, timer, bulk_row, delivery, callback, or the name of a task of the house (cleanup).';

COMMENT ON COLUMN public.jobs.ref_on IS 'Creation time of the instance behind ref_id, naming its partition.';

COMMENT ON COLUMN public.jobs.fence IS 'Counts claims. Every write for the job names the fence it was claimed under; an owner that lost its lease writes nothing.';

COMMENT ON COLUMN public.jobs.signals IS 'Counts signals. Whoever holds the lease notes it with the signals it read; where it differs at the end, there are more.';

COMMENT ON COLUMN public.jobs.lane IS 'Who shares a turn: activity_id of an instance. When more is due than can be run, claims go round the lanes, so that no workflow waits for all instances of another one.';

CREATE TABLE public.keys (
    id integer NOT NULL,
    label text NOT NULL,
    algorithm text DEFAULT 'aes-256-gcm'::text NOT NULL,
    material bytea NOT NULL,
    wrapped_by text,
    state text DEFAULT 'active'::text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    changed_on timestamp with time zone DEFAULT now() NOT NULL,
    note text,
    seals bigint DEFAULT 0 NOT NULL,
    CONSTRAINT keys_state_check CHECK ((state = ANY (ARRAY['active'::text, 'decrypt'::text, 'retired'::text])))
);

COMMENT ON TABLE public.keys IS 'Encryption keys. The newest active row of a label writes; every sealed item names its key by id. Labels are not unique and no trigger watches the table, so that an operator may rename a label with a plain UPDATE; processes poll it.';

COMMENT ON COLUMN public.keys.wrapped_by IS 'Fingerprint of the key outside the database that seals material; null: raw.';

COMMENT ON COLUMN public.keys.seals IS 'Items sealed with this key, written by every process each minute; at 2^30 the label gets a new key.';

CREATE SEQUENCE public.keys_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.keys_id_seq OWNED BY public.keys.id;

CREATE TABLE public.login_attempts (
    id bigint NOT NULL,
    user_id integer,
    username text NOT NULL,
    ip inet,
    user_agent text,
    success boolean NOT NULL,
    failure_reason text,
    delegated_to text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.login_attempts IS 'Who tried to log in, from where, and how it ended.';

CREATE SEQUENCE public.login_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.login_attempts_id_seq OWNED BY public.login_attempts.id;

CREATE TABLE public.manual_actions (
    id bigint NOT NULL,
    guid uuid DEFAULT gen_random_uuid() NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    instance_guid uuid NOT NULL,
    created_by_task_id bigint NOT NULL,
    cell_id text NOT NULL,
    kind text DEFAULT 'action'::text NOT NULL,
    role_id integer,
    user_id integer,
    description text DEFAULT ''::text NOT NULL,
    possible_outputs text DEFAULT ''::text NOT NULL,
    input_form text,
    form_values json,
    priority integer DEFAULT 0 NOT NULL,
    handled_by_user_id integer,
    handled_by_username text,
    output text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone,
    anyone boolean DEFAULT false NOT NULL,
    CONSTRAINT manual_actions_kind_check CHECK ((kind = ANY (ARRAY['action'::text, 'approval'::text])))
);

COMMENT ON TABLE public.manual_actions IS 'Questions to people; answered when output is not null.';

COMMENT ON COLUMN public.manual_actions.anyone IS 'Asked without role and user: whoever may work on requests answers. A role or user that is deleted leaves both empty and this false.';

CREATE SEQUENCE public.manual_actions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.manual_actions_id_seq OWNED BY public.manual_actions.id;

CREATE TABLE public.mass_items (
    operation_id bigint NOT NULL,
    instance_id bigint NOT NULL,
    status text DEFAULT 'WAIT'::text NOT NULL,
    message text,
    updated_on timestamp with time zone,
    CONSTRAINT mass_items_status_check CHECK ((status = ANY (ARRAY['WAIT'::text, 'OK'::text, 'ERROR'::text])))
);

COMMENT ON TABLE public.mass_items IS 'An instance of a mass operation, and what came of it.';

CREATE TABLE public.mass_operations (
    id bigint NOT NULL,
    act text NOT NULL,
    params json DEFAULT '{}'::json NOT NULL,
    per_second integer NOT NULL,
    status text DEFAULT 'ACTIVE'::text NOT NULL,
    total integer DEFAULT 0 NOT NULL,
    user_id integer,
    username text DEFAULT ''::text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    closed_on timestamp with time zone,
    CONSTRAINT mass_operations_act_check CHECK ((act = ANY (ARRAY['replay'::text, 'skip'::text, 'rollback'::text, 'close'::text, 'reopen'::text, 'context'::text]))),
    CONSTRAINT mass_operations_per_second_check CHECK ((per_second > 0)),
    CONSTRAINT mass_operations_status_check CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'DONE'::text, 'CANCELLED'::text])))
);

COMMENT ON TABLE public.mass_operations IS 'What a person does with many instances at once. Its job (kind mass) is claimed like any other, so it goes on in another process.';

COMMENT ON COLUMN public.mass_operations.per_second IS 'Instances handled a second at most.';

CREATE SEQUENCE public.mass_operations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.mass_operations_id_seq OWNED BY public.mass_operations.id;

CREATE TABLE public.one_time_tokens (
    id bigint NOT NULL,
    digest bytea NOT NULL,
    scope text NOT NULL,
    user_id integer,
    instance_id bigint,
    instance_on timestamp with time zone,
    action_id bigint,
    details json DEFAULT '{}'::json NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    expires_on timestamp with time zone NOT NULL,
    used_on timestamp with time zone,
    CONSTRAINT one_time_tokens_scope_check CHECK ((scope = ANY (ARRAY['ResetPassword'::text, 'ManualAction'::text, 'TwoFactor'::text, 'WebAuthn'::text])))
);

COMMENT ON TABLE public.one_time_tokens IS 'Tokens that work once, by their SHA-256: password links, manual actions by mail, second factors.';

CREATE SEQUENCE public.one_time_tokens_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.one_time_tokens_id_seq OWNED BY public.one_time_tokens.id;

CREATE TABLE public.passkeys (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    credential_id text NOT NULL,
    name text,
    public_key bytea NOT NULL,
    sign_count bigint DEFAULT 0 NOT NULL,
    credential_object json NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    last_use timestamp with time zone
);

COMMENT ON TABLE public.passkeys IS 'WebAuthn credentials.';

CREATE SEQUENCE public.passkeys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.passkeys_id_seq OWNED BY public.passkeys.id;

CREATE TABLE public.password_history (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    password_hash text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.password_history IS 'Former passwords, for the rule that forbids using them again.';

CREATE SEQUENCE public.password_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.password_history_id_seq OWNED BY public.password_history.id;

CREATE TABLE public.refresh_tokens (
    id bigint NOT NULL,
    family uuid NOT NULL,
    user_id integer NOT NULL,
    sha1 bytea NOT NULL,
    sha256 bytea NOT NULL,
    ip inet,
    user_agent text,
    issued_on timestamp with time zone DEFAULT now() NOT NULL,
    expires_on timestamp with time zone NOT NULL,
    last_use timestamp with time zone,
    replaced_on timestamp with time zone,
    revoked_on timestamp with time zone
);

COMMENT ON TABLE public.refresh_tokens IS 'Digests of refresh tokens, never the tokens. A family is one log-in; logging out names the SHA-1 of the token text.';

CREATE SEQUENCE public.refresh_tokens_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.refresh_tokens_id_seq OWNED BY public.refresh_tokens.id;

CREATE TABLE public.reports (
    id integer NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    period_range integer NOT NULL,
    destination text DEFAULT ''::text NOT NULL,
    last_run timestamp with time zone,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT reports_period_range_check CHECK ((period_range >= 60)),
    CONSTRAINT reports_type_check CHECK ((type = ANY (ARRAY['usage'::text, 'errors'::text, 't7'::text, 'almost_overdue'::text])))
);

COMMENT ON TABLE public.reports IS 'Reports sent by mail every period_range seconds.';

CREATE SEQUENCE public.reports_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.reports_id_seq OWNED BY public.reports.id;

CREATE TABLE public.request_keys (
    route_id bigint NOT NULL,
    caller text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    instance_id bigint NOT NULL,
    guid text NOT NULL,
    status bigint,
    content_type text,
    headers json,
    body bytea,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    expires_on timestamp with time zone DEFAULT (now() + '24:00:00'::interval) NOT NULL
)
WITH (fillfactor='80');

COMMENT ON TABLE public.request_keys IS 'The Idempotency-Key of requests on custom routes, stored with the request; a day long.';

COMMENT ON COLUMN public.request_keys.caller IS 'Id of the user; empty: a public route.';

COMMENT ON COLUMN public.request_keys.digest IS 'SHA-256 of what was asked: the same key for something else is refused.';

COMMENT ON COLUMN public.request_keys.status IS 'Of the answer; null: the run has none yet.';

CREATE TABLE public.requests (
    id bigint NOT NULL,
    created_on timestamp with time zone NOT NULL,
    updated_on timestamp with time zone,
    status text NOT NULL,
    label text,
    method text DEFAULT ''::text NOT NULL,
    url text DEFAULT ''::text NOT NULL,
    details json DEFAULT '{}'::json NOT NULL,
    response json,
    response_status integer,
    runtime_ms double precision,
    user_id integer,
    owner text,
    client_ip inet,
    activity_id integer,
    route_id integer,
    instance_id bigint,
    instance_on timestamp with time zone,
    instance_status text,
    proxy_gateway_host text,
    gateway text,
    entity_type text,
    event_id text,
    tenant_id text,
    site_id text,
    numbers text,
    subscription_id text,
    distributor_id text,
    reseller_id text,
    group_id text,
    extra json
)
PARTITION BY RANGE (created_on);

COMMENT ON TABLE public.requests IS 'Calls that came in over HTTP: to custom routes and through the proxy. Has one instance, or none when it was forwarded or refused.';

COMMENT ON COLUMN public.requests.status IS 'ACTIVE, SUCCESS, ERROR or a text of the workflow.';

COMMENT ON COLUMN public.requests.method IS 'Lower case; request_method of the API.';

COMMENT ON COLUMN public.requests.url IS 'Path and query as received, without auth_token; request_url of the API.';

COMMENT ON COLUMN public.requests.details IS 'The request object workflows see (method, url, tail, params, match_info, content_type, body, headers), secrets masked for forwarded calls. The API adds response and user.';

COMMENT ON COLUMN public.requests.response IS '{"status", "headers", "body"}, the body cut.';

COMMENT ON COLUMN public.requests.owner IS 'User name, as it was.';

COMMENT ON COLUMN public.requests.instance_status IS 'Copy of instances.status, written with it: lists need no join.';

COMMENT ON COLUMN public.requests.proxy_gateway_host IS 'Prefix of the proxy that served it, e.g. /api/v01/p1; null: the core.';

COMMENT ON COLUMN public.requests.extra IS 'What else the deployment records about a request, by name.';

CREATE TABLE public.requests_default (
    id bigint NOT NULL,
    created_on timestamp with time zone NOT NULL,
    updated_on timestamp with time zone,
    status text NOT NULL,
    label text,
    method text DEFAULT ''::text NOT NULL,
    url text DEFAULT ''::text NOT NULL,
    details json DEFAULT '{}'::json NOT NULL,
    response json,
    response_status integer,
    runtime_ms double precision,
    user_id integer,
    owner text,
    client_ip inet,
    activity_id integer,
    route_id integer,
    instance_id bigint,
    instance_on timestamp with time zone,
    instance_status text,
    proxy_gateway_host text,
    gateway text,
    entity_type text,
    event_id text,
    tenant_id text,
    site_id text,
    numbers text,
    subscription_id text,
    distributor_id text,
    reseller_id text,
    group_id text,
    extra json
);

CREATE TABLE public.revoked_tokens (
    jti text NOT NULL,
    family uuid,
    user_id integer,
    expires_on timestamp with time zone NOT NULL,
    revoked_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.revoked_tokens IS 'Access tokens (by jti) and whole families (jti = family:<uuid>) that are void before they expire.';

CREATE TABLE public.roles (
    id integer NOT NULL,
    name text NOT NULL,
    description text,
    created_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.roles IS 'Groups of people that manual actions are addressed to; no rights by themselves.';

CREATE SEQUENCE public.roles_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.roles_id_seq OWNED BY public.roles.id;

CREATE TABLE public.saved_filters (
    id integer NOT NULL,
    user_id integer,
    name text NOT NULL,
    visibility text DEFAULT 'user'::text NOT NULL,
    entity text DEFAULT 'request'::text NOT NULL,
    filter json NOT NULL,
    columns json,
    created_by text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT saved_filters_visibility_check CHECK ((visibility = ANY (ARRAY['user'::text, 'system'::text])))
);

COMMENT ON TABLE public.saved_filters IS 'Searches people keep; the filter is the form of the user interface and is not read here.';

CREATE SEQUENCE public.saved_filters_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.saved_filters_id_seq OWNED BY public.saved_filters.id;

CREATE TABLE public.schema_versions (
    version integer NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    state text NOT NULL,
    additive boolean DEFAULT false NOT NULL,
    started_on timestamp with time zone NOT NULL,
    finished_on timestamp with time zone,
    program_version text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    CONSTRAINT schema_versions_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text])))
);

CREATE TABLE public.startup_events (
    name text NOT NULL,
    activity_id integer,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.startup_events IS 'Named triggers and the workflow behind each.';

CREATE TABLE public.subworkflow_items (
    instance_id bigint NOT NULL,
    task_id bigint NOT NULL,
    n integer NOT NULL,
    label text NOT NULL,
    request json NOT NULL
);

COMMENT ON TABLE public.subworkflow_items IS 'Requests of sub-workflows that trigger_subworkflows has still to start, by their place in the list. They go with the task, or with its instance.';

CREATE TABLE public.tasks (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    cell_id text NOT NULL,
    status text NOT NULL,
    output text,
    runtime double precision,
    created_on timestamp with time zone NOT NULL,
    updated_on timestamp with time zone,
    CONSTRAINT tasks_status_check CHECK ((status = ANY (ARRAY['QUEUED'::text, 'RUN'::text, 'WAIT'::text, 'OK'::text, 'ERROR'::text])))
)
PARTITION BY RANGE (instance_on);

COMMENT ON TABLE public.tasks IS 'Activations of cells, in the order of their ids. cell_id is the name of the cell; runtime in seconds.';

CREATE TABLE public.tasks_default (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    cell_id text NOT NULL,
    status text NOT NULL,
    output text,
    runtime double precision,
    created_on timestamp with time zone NOT NULL,
    updated_on timestamp with time zone,
    CONSTRAINT tasks_status_check CHECK ((status = ANY (ARRAY['QUEUED'::text, 'RUN'::text, 'WAIT'::text, 'OK'::text, 'ERROR'::text])))
);

CREATE TABLE public.templates (
    id integer NOT NULL,
    key text NOT NULL,
    type text DEFAULT 'jinja'::text NOT NULL,
    template text,
    content bytea,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT templates_check CHECK (((template IS NULL) <> (content IS NULL)))
);

COMMENT ON TABLE public.templates IS 'Stored templates by dotted key, where a part may be "*": text in template, binary ones (a spreadsheet) in content.';

CREATE SEQUENCE public.templates_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.templates_id_seq OWNED BY public.templates.id;

CREATE TABLE public.timers (
    id bigint NOT NULL,
    instance_id bigint NOT NULL,
    instance_on timestamp with time zone NOT NULL,
    task_id bigint,
    name text DEFAULT ''::text NOT NULL,
    key text,
    type text DEFAULT 'timer'::text NOT NULL,
    status text DEFAULT 'WAIT'::text NOT NULL,
    at timestamp with time zone NOT NULL,
    output text,
    details json,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone,
    CONSTRAINT timers_status_check CHECK ((status = ANY (ARRAY['WAIT'::text, 'STOP'::text, 'CANCEL'::text])))
)
WITH (fillfactor='80');

COMMENT ON TABLE public.timers IS 'Wake-up times of tasks: WAIT pending, STOP fired, CANCEL cancelled.';

CREATE TABLE public.timers_cron (
    id integer NOT NULL,
    job_id text NOT NULL,
    activity_id integer,
    enabled boolean DEFAULT true NOT NULL,
    year text,
    month text,
    day text,
    week text,
    day_of_week text,
    hour text,
    minute text,
    second text,
    request_body text,
    next_on timestamp with time zone,
    last_on timestamp with time zone,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.timers_cron IS 'Scheduled jobs in the fields of cron. A run is taken by moving next_on under the row lock, so it happens once.';

CREATE SEQUENCE public.timers_cron_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.timers_cron_id_seq OWNED BY public.timers_cron.id;

CREATE TABLE public.traces (
    id bigint NOT NULL,
    instance_id bigint,
    instance_on timestamp with time zone NOT NULL,
    task_id bigint,
    request_id bigint,
    label text,
    session_holder text,
    host text,
    http_method text,
    http_url text,
    status integer DEFAULT 0 NOT NULL,
    input text,
    output text,
    external_id text,
    cache_hit boolean,
    hidden boolean DEFAULT false NOT NULL,
    runtime_ms double precision,
    created_on timestamp with time zone NOT NULL,
    updated_on timestamp with time zone
)
PARTITION BY RANGE (instance_on);

COMMENT ON TABLE public.traces IS 'Calls to other systems, one row per attempt: of tasks (instance_id, task_id) or of forwarded requests (request_id). Secrets are masked before they are stored. status 0: no answer.';

CREATE TABLE public.traces_default (
    id bigint NOT NULL,
    instance_id bigint,
    instance_on timestamp with time zone NOT NULL,
    task_id bigint,
    request_id bigint,
    label text,
    session_holder text,
    host text,
    http_method text,
    http_url text,
    status integer DEFAULT 0 NOT NULL,
    input text,
    output text,
    external_id text,
    cache_hit boolean,
    hidden boolean DEFAULT false NOT NULL,
    runtime_ms double precision,
    created_on timestamp with time zone NOT NULL,
    updated_on timestamp with time zone
);

CREATE TABLE public.trusted_locations (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    ip inet NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    trusted boolean DEFAULT true NOT NULL,
    expiry_date timestamp with time zone,
    last_use timestamp with time zone,
    created_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.trusted_locations IS 'Client address and browser that skip the second factor until the expiry date.';

CREATE SEQUENCE public.trusted_locations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trusted_locations_id_seq OWNED BY public.trusted_locations.id;

CREATE TABLE public.user_activity (
    username text NOT NULL,
    hour timestamp with time zone NOT NULL,
    service text NOT NULL,
    method text NOT NULL,
    calls bigint DEFAULT 1 NOT NULL
);

COMMENT ON TABLE public.user_activity IS 'Use of a service by a user within an hour.';

CREATE TABLE public.user_callbacks (
    id integer NOT NULL,
    user_id integer NOT NULL,
    endpoint text NOT NULL,
    endpoint_extra text,
    event_category text NOT NULL,
    scope text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_callbacks_event_category_check CHECK ((event_category = ANY (ARRAY['on_request_success'::text, 'on_request_failure'::text, 'on_blocking_error'::text]))),
    CONSTRAINT user_callbacks_scope_check CHECK ((scope = ANY (ARRAY['user'::text, 'group'::text, 'platform'::text])))
);

COMMENT ON TABLE public.user_callbacks IS 'Addresses told when an instance ends or blocks.';

COMMENT ON COLUMN public.user_callbacks.endpoint_extra IS 'JSON object, sealed when it holds credentials.';

CREATE SEQUENCE public.user_callbacks_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_callbacks_id_seq OWNED BY public.user_callbacks.id;

CREATE TABLE public.user_ip_limits (
    id integer NOT NULL,
    user_id integer NOT NULL,
    ip cidr NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.user_ip_limits IS 'Addresses and networks an account with with_ip_limits may be used from.';

CREATE SEQUENCE public.user_ip_limits_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_ip_limits_id_seq OWNED BY public.user_ip_limits.id;

CREATE TABLE public.user_profiles (
    id integer NOT NULL,
    name text NOT NULL,
    available boolean DEFAULT true NOT NULL,
    home text,
    accesses text[] DEFAULT '{}'::text[] NOT NULL,
    api_rules json DEFAULT '[]'::json NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.user_profiles IS 'Rights shared by users: accesses (names of features) and api_rules, an ordered array of {method, url, allowed, name}.';

CREATE SEQUENCE public.user_profiles_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_profiles_id_seq OWNED BY public.user_profiles.id;

CREATE TABLE public.user_roles (
    user_id integer NOT NULL,
    role_id integer NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.user_roles IS 'Which users hold which roles.';

CREATE TABLE public.users (
    id integer NOT NULL,
    username text NOT NULL,
    email text,
    first_name text,
    last_name text,
    mobile_number text,
    status text DEFAULT 'ACTIVE'::text NOT NULL,
    is_system boolean DEFAULT false NOT NULL,
    local_user boolean DEFAULT true NOT NULL,
    identity_provider text,
    password_hash text,
    password_changed_on timestamp with time zone,
    password_disabled boolean DEFAULT false NOT NULL,
    need_password_change boolean DEFAULT false NOT NULL,
    two_fa_option text,
    totp text,
    token_hash bytea,
    token_sealed text,
    token_expiry_date timestamp with time zone,
    profile_id integer,
    ui_profile text,
    ui_data json DEFAULT '{}'::json NOT NULL,
    language text DEFAULT 'en'::text NOT NULL,
    timezone text,
    groups text[] DEFAULT '{}'::text[] NOT NULL,
    properties json DEFAULT '{}'::json NOT NULL,
    admin_of json DEFAULT '[]'::json NOT NULL,
    entity text,
    with_ip_limits boolean DEFAULT false NOT NULL,
    failed_logins integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    tokens_valid_from timestamp with time zone,
    last_use timestamp with time zone,
    registered_on timestamp with time zone DEFAULT now() NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_status_check CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'INACTIVE'::text, 'REVOKED'::text]))),
    CONSTRAINT users_two_fa_option_check CHECK ((two_fa_option = ANY (ARRAY['email'::text, 'totp'::text, 'none'::text])))
);

COMMENT ON TABLE public.users IS 'Accounts: people, machines (entity set) and users of an identity provider (local_user false).';

COMMENT ON COLUMN public.users.password_hash IS 'argon2id in PHC form; null: cannot log in by password.';

COMMENT ON COLUMN public.users.totp IS 'Secret of the one-time codes, sealed.';

COMMENT ON COLUMN public.users.token_hash IS 'SHA-256 of the M2M token; token_sealed is the token for showing it again.';

COMMENT ON COLUMN public.users.tokens_valid_from IS 'Tokens issued before are void: password changed or access revoked.';

CREATE SEQUENCE public.users_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;

CREATE UNLOGGED TABLE public.vitals (
    process text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    calls bigint NOT NULL,
    bad bigint NOT NULL,
    seen_on timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.vitals IS 'Windows of the running processes: answers and failures of the last minutes; nothing that must survive.';

COMMENT ON COLUMN public.vitals.kind IS 'north, south, network (subject: a gateway), circuit (bad: it is open).';

CREATE TABLE public.weak_passwords (
    password text NOT NULL
);

COMMENT ON TABLE public.weak_passwords IS 'Passwords nobody may choose; loaded by an administrator.';

CREATE TABLE public.webhook_deliveries (
    id bigint NOT NULL,
    unique_id uuid DEFAULT gen_random_uuid() NOT NULL,
    webhook_id integer NOT NULL,
    event_id integer,
    status text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    request json NOT NULL,
    response json DEFAULT '{}'::json NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone,
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text])))
);

COMMENT ON TABLE public.webhook_deliveries IS 'Deliveries of webhooks and how they ended; the last hundred of each are kept.';

CREATE SEQUENCE public.webhook_deliveries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.webhook_deliveries_id_seq OWNED BY public.webhook_deliveries.id;

CREATE TABLE public.webhook_events (
    id integer NOT NULL,
    label text NOT NULL,
    tag text DEFAULT ''::text NOT NULL,
    method text NOT NULL,
    url text NOT NULL,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_events_method_check CHECK ((method = ANY (ARRAY['get'::text, 'put'::text, 'post'::text, 'delete'::text])))
);

COMMENT ON TABLE public.webhook_events IS 'Which calls are meant: method and a regular expression on the path.';

CREATE SEQUENCE public.webhook_events_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.webhook_events_id_seq OWNED BY public.webhook_events.id;

CREATE TABLE public.webhook_subscriptions (
    webhook_id integer NOT NULL,
    event_id integer NOT NULL
);

COMMENT ON TABLE public.webhook_subscriptions IS 'Which webhooks want which events.';

CREATE TABLE public.webhooks (
    id integer NOT NULL,
    name text NOT NULL,
    target text NOT NULL,
    format text DEFAULT 'json'::text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    secret text,
    custom_header text,
    custom_header_value text,
    username text,
    password text,
    created_on timestamp with time zone DEFAULT now() NOT NULL,
    updated_on timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.webhooks IS 'Addresses told about successful calls. secret, custom_header_value and password are sealed.';

CREATE SEQUENCE public.webhooks_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.webhooks_id_seq OWNED BY public.webhooks.id;

ALTER TABLE ONLY public.contexts ATTACH PARTITION public.contexts_default DEFAULT;

ALTER TABLE ONLY public.errors ATTACH PARTITION public.errors_default DEFAULT;

ALTER TABLE ONLY public.instance_logs ATTACH PARTITION public.instance_logs_default DEFAULT;

ALTER TABLE ONLY public.instances ATTACH PARTITION public.instances_default DEFAULT;

ALTER TABLE ONLY public.requests ATTACH PARTITION public.requests_default DEFAULT;

ALTER TABLE ONLY public.tasks ATTACH PARTITION public.tasks_default DEFAULT;

ALTER TABLE ONLY public.traces ATTACH PARTITION public.traces_default DEFAULT;

ALTER TABLE ONLY public.activities ALTER COLUMN id SET DEFAULT nextval('public.activities_id_seq'::regclass);

ALTER TABLE ONLY public.activity_versions ALTER COLUMN id SET DEFAULT nextval('public.activity_versions_id_seq'::regclass);

ALTER TABLE ONLY public.alarms ALTER COLUMN id SET DEFAULT nextval('public.alarms_id_seq'::regclass);

ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);

ALTER TABLE ONLY public.bulk_actions ALTER COLUMN id SET DEFAULT nextval('public.bulk_actions_id_seq'::regclass);

ALTER TABLE ONLY public.bulk_results ALTER COLUMN id SET DEFAULT nextval('public.bulk_results_id_seq'::regclass);

ALTER TABLE ONLY public.bulks ALTER COLUMN id SET DEFAULT nextval('public.bulks_id_seq'::regclass);

ALTER TABLE ONLY public.configuration ALTER COLUMN id SET DEFAULT nextval('public.configuration_id_seq'::regclass);

ALTER TABLE ONLY public.custom_routes ALTER COLUMN id SET DEFAULT nextval('public.custom_routes_id_seq'::regclass);

ALTER TABLE ONLY public.definitions ALTER COLUMN id SET DEFAULT nextval('public.definitions_id_seq'::regclass);

ALTER TABLE ONLY public.documents ALTER COLUMN id SET DEFAULT nextval('public.documents_id_seq'::regclass);

ALTER TABLE ONLY public.entity_events ALTER COLUMN id SET DEFAULT nextval('public.entity_events_id_seq'::regclass);

ALTER TABLE ONLY public.external_callbacks ALTER COLUMN id SET DEFAULT nextval('public.external_callbacks_id_seq'::regclass);

ALTER TABLE ONLY public.gateway_logins ALTER COLUMN id SET DEFAULT nextval('public.gateway_logins_id_seq'::regclass);

ALTER TABLE ONLY public.imports ALTER COLUMN id SET DEFAULT nextval('public.imports_id_seq'::regclass);

ALTER TABLE ONLY public.instance_comments ALTER COLUMN id SET DEFAULT nextval('public.instance_comments_id_seq'::regclass);

ALTER TABLE ONLY public.instance_logs ALTER COLUMN id SET DEFAULT nextval('public.instance_logs_id'::regclass);

ALTER TABLE ONLY public.instance_signals ALTER COLUMN id SET DEFAULT nextval('public.instance_signals_id_seq'::regclass);

ALTER TABLE ONLY public.keys ALTER COLUMN id SET DEFAULT nextval('public.keys_id_seq'::regclass);

ALTER TABLE ONLY public.login_attempts ALTER COLUMN id SET DEFAULT nextval('public.login_attempts_id_seq'::regclass);

ALTER TABLE ONLY public.manual_actions ALTER COLUMN id SET DEFAULT nextval('public.manual_actions_id_seq'::regclass);

ALTER TABLE ONLY public.mass_operations ALTER COLUMN id SET DEFAULT nextval('public.mass_operations_id_seq'::regclass);

ALTER TABLE ONLY public.one_time_tokens ALTER COLUMN id SET DEFAULT nextval('public.one_time_tokens_id_seq'::regclass);

ALTER TABLE ONLY public.passkeys ALTER COLUMN id SET DEFAULT nextval('public.passkeys_id_seq'::regclass);

ALTER TABLE ONLY public.password_history ALTER COLUMN id SET DEFAULT nextval('public.password_history_id_seq'::regclass);

ALTER TABLE ONLY public.refresh_tokens ALTER COLUMN id SET DEFAULT nextval('public.refresh_tokens_id_seq'::regclass);

ALTER TABLE ONLY public.reports ALTER COLUMN id SET DEFAULT nextval('public.reports_id_seq'::regclass);

ALTER TABLE ONLY public.roles ALTER COLUMN id SET DEFAULT nextval('public.roles_id_seq'::regclass);

ALTER TABLE ONLY public.saved_filters ALTER COLUMN id SET DEFAULT nextval('public.saved_filters_id_seq'::regclass);

ALTER TABLE ONLY public.templates ALTER COLUMN id SET DEFAULT nextval('public.templates_id_seq'::regclass);

ALTER TABLE ONLY public.timers_cron ALTER COLUMN id SET DEFAULT nextval('public.timers_cron_id_seq'::regclass);

ALTER TABLE ONLY public.trusted_locations ALTER COLUMN id SET DEFAULT nextval('public.trusted_locations_id_seq'::regclass);

ALTER TABLE ONLY public.user_callbacks ALTER COLUMN id SET DEFAULT nextval('public.user_callbacks_id_seq'::regclass);

ALTER TABLE ONLY public.user_ip_limits ALTER COLUMN id SET DEFAULT nextval('public.user_ip_limits_id_seq'::regclass);

ALTER TABLE ONLY public.user_profiles ALTER COLUMN id SET DEFAULT nextval('public.user_profiles_id_seq'::regclass);

ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);

ALTER TABLE ONLY public.webhook_deliveries ALTER COLUMN id SET DEFAULT nextval('public.webhook_deliveries_id_seq'::regclass);

ALTER TABLE ONLY public.webhook_events ALTER COLUMN id SET DEFAULT nextval('public.webhook_events_id_seq'::regclass);

ALTER TABLE ONLY public.webhooks ALTER COLUMN id SET DEFAULT nextval('public.webhooks_id_seq'::regclass);

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.activity_versions
    ADD CONSTRAINT activity_versions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT alarms_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bulk_actions
    ADD CONSTRAINT bulk_actions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bulk_results
    ADD CONSTRAINT bulk_results_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bulks
    ADD CONSTRAINT bulks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.configuration
    ADD CONSTRAINT configuration_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_pkey PRIMARY KEY (instance_id, key, instance_on);
ALTER TABLE ONLY public.contexts_default
    ADD CONSTRAINT contexts_default_pkey PRIMARY KEY (instance_id, key, instance_on);
ALTER TABLE ONLY public.custom_routes
    ADD CONSTRAINT custom_routes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.definitions
    ADD CONSTRAINT definitions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.definitions
    ADD CONSTRAINT definitions_sha256_key UNIQUE (sha256);
ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_instance_id_name_key UNIQUE (instance_id, name);
ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.entity_events
    ADD CONSTRAINT entity_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.errors
    ADD CONSTRAINT errors_pkey PRIMARY KEY (instance_id, id, instance_on);
ALTER TABLE ONLY public.errors_default
    ADD CONSTRAINT errors_default_pkey PRIMARY KEY (instance_id, id, instance_on);
ALTER TABLE ONLY public.external_callbacks
    ADD CONSTRAINT external_callbacks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_logins
    ADD CONSTRAINT gateway_logins_identity_gateway_key UNIQUE (identity, gateway);
ALTER TABLE ONLY public.gateway_logins
    ADD CONSTRAINT gateway_logins_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_status
    ADD CONSTRAINT gateway_status_pkey PRIMARY KEY (gateway);
ALTER TABLE ONLY public.generations
    ADD CONSTRAINT generations_pkey PRIMARY KEY (topic);
ALTER TABLE ONLY public.history_tables
    ADD CONSTRAINT history_tables_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.id_marks
    ADD CONSTRAINT id_marks_pkey PRIMARY KEY (kind, first_id);
ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.instance_comments
    ADD CONSTRAINT instance_comments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.instance_logs
    ADD CONSTRAINT instance_logs_pkey PRIMARY KEY (instance_id, id, instance_on);
ALTER TABLE ONLY public.instance_logs_default
    ADD CONSTRAINT instance_logs_default_pkey PRIMARY KEY (instance_id, id, instance_on);
ALTER TABLE ONLY public.instance_signals
    ADD CONSTRAINT instance_signals_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.instance_states
    ADD CONSTRAINT instance_states_pkey PRIMARY KEY (instance_id);
ALTER TABLE ONLY public.instances
    ADD CONSTRAINT instances_pkey PRIMARY KEY (id, created_on);
ALTER TABLE ONLY public.instances_default
    ADD CONSTRAINT instances_default_pkey PRIMARY KEY (id, created_on);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.login_attempts
    ADD CONSTRAINT login_attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.manual_actions
    ADD CONSTRAINT manual_actions_guid_key UNIQUE (guid);
ALTER TABLE ONLY public.manual_actions
    ADD CONSTRAINT manual_actions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mass_items
    ADD CONSTRAINT mass_items_pkey PRIMARY KEY (operation_id, instance_id);
ALTER TABLE ONLY public.mass_operations
    ADD CONSTRAINT mass_operations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.one_time_tokens
    ADD CONSTRAINT one_time_tokens_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.one_time_tokens
    ADD CONSTRAINT one_time_tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_credential_id_key UNIQUE (credential_id);
ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.password_history
    ADD CONSTRAINT password_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_sha256_key UNIQUE (sha256);
ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.request_keys
    ADD CONSTRAINT request_keys_pkey PRIMARY KEY (route_id, caller, key);
ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (id, created_on);
ALTER TABLE ONLY public.requests_default
    ADD CONSTRAINT requests_default_pkey PRIMARY KEY (id, created_on);
ALTER TABLE ONLY public.revoked_tokens
    ADD CONSTRAINT revoked_tokens_pkey PRIMARY KEY (jti);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.saved_filters
    ADD CONSTRAINT saved_filters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_versions
    ADD CONSTRAINT schema_versions_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.startup_events
    ADD CONSTRAINT startup_events_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.subworkflow_items
    ADD CONSTRAINT subworkflow_items_pkey PRIMARY KEY (instance_id, task_id, n);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (instance_id, id, instance_on);
ALTER TABLE ONLY public.tasks_default
    ADD CONSTRAINT tasks_default_pkey PRIMARY KEY (instance_id, id, instance_on);
ALTER TABLE ONLY public.templates
    ADD CONSTRAINT templates_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.timers_cron
    ADD CONSTRAINT timers_cron_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traces
    ADD CONSTRAINT traces_pkey PRIMARY KEY (id, instance_on);
ALTER TABLE ONLY public.traces_default
    ADD CONSTRAINT traces_default_pkey PRIMARY KEY (id, instance_on);
ALTER TABLE ONLY public.trusted_locations
    ADD CONSTRAINT trusted_locations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trusted_locations
    ADD CONSTRAINT trusted_locations_user_id_ip_user_agent_key UNIQUE (user_id, ip, user_agent);
ALTER TABLE ONLY public.user_activity
    ADD CONSTRAINT user_activity_pkey PRIMARY KEY (hour, username, service, method);
ALTER TABLE ONLY public.user_callbacks
    ADD CONSTRAINT user_callbacks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.user_ip_limits
    ADD CONSTRAINT user_ip_limits_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.user_ip_limits
    ADD CONSTRAINT user_ip_limits_user_id_ip_key UNIQUE (user_id, ip);
ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT user_profiles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_pkey PRIMARY KEY (user_id, role_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.vitals
    ADD CONSTRAINT vitals_pkey PRIMARY KEY (process, kind, subject);
ALTER TABLE ONLY public.weak_passwords
    ADD CONSTRAINT weak_passwords_pkey PRIMARY KEY (password);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_events
    ADD CONSTRAINT webhook_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_subscriptions
    ADD CONSTRAINT webhook_subscriptions_pkey PRIMARY KEY (webhook_id, event_id);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX activities_name ON public.activities USING btree (name);

CREATE UNIQUE INDEX activity_versions_active ON public.activity_versions USING btree (activity_id) WHERE active;

CREATE INDEX activity_versions_definition ON public.activity_versions USING btree (definition_id);

CREATE UNIQUE INDEX activity_versions_label ON public.activity_versions USING btree (activity_id, label);

CREATE UNIQUE INDEX activity_versions_working ON public.activity_versions USING btree (activity_id) WHERE (label IS NULL);

CREATE UNIQUE INDEX alarms_active ON public.alarms USING btree (key, subject) WHERE active;

CREATE INDEX alarms_last ON public.alarms USING btree (last_occurrence, id);

CREATE INDEX audit_created ON public.audit USING btree (created_on, id);

CREATE INDEX audit_target ON public.audit USING btree (target_type, target, id DESC);

CREATE INDEX audit_username ON public.audit USING btree (username, id DESC);

CREATE UNIQUE INDEX bulk_actions_name ON public.bulk_actions USING btree (name);

CREATE INDEX bulk_results_active ON public.bulk_results USING btree (bulk_id) WHERE (status = 'active'::text);

CREATE INDEX bulk_results_instance ON public.bulk_results USING btree (instance_id) WHERE (instance_id IS NOT NULL);

CREATE UNIQUE INDEX bulk_results_line ON public.bulk_results USING btree (bulk_id, line);

CREATE INDEX bulks_created ON public.bulks USING btree (created_on, id);

CREATE INDEX custom_routes_activity ON public.custom_routes USING btree (activity_id);

CREATE UNIQUE INDEX custom_routes_route ON public.custom_routes USING btree (method, route);

CREATE INDEX documents_key ON public.documents USING btree (key_id);

CREATE INDEX entity_events_instance ON public.entity_events USING btree (instance_id, id);

CREATE UNIQUE INDEX external_callbacks_current ON public.external_callbacks USING btree (external_id) WHERE current;

CREATE INDEX external_callbacks_expires ON public.external_callbacks USING btree (expires_on) WHERE (status = 'READY'::text);

CREATE INDEX external_callbacks_external ON public.external_callbacks USING btree (external_id);

CREATE INDEX external_callbacks_instance ON public.external_callbacks USING btree (instance_id);

CREATE INDEX external_callbacks_open ON public.external_callbacks USING btree (external_id, id) WHERE (status <> 'CONSUMED'::text);

CREATE INDEX external_callbacks_task ON public.external_callbacks USING btree (origin_task_id) WHERE (status = ANY (ARRAY['WAIT'::text, 'LOCKED'::text]));

CREATE INDEX gateway_logins_family ON public.gateway_logins USING btree (token_family) WHERE (token_family IS NOT NULL);

CREATE INDEX gateway_logins_user ON public.gateway_logins USING btree (user_id);

CREATE INDEX instance_comments_instance ON public.instance_comments USING btree (instance_id, id);

CREATE INDEX instance_signals_instance ON public.instance_signals USING btree (instance_id, id);

CREATE INDEX instances_active ON ONLY public.instances USING btree (created_on, id) WHERE (status = 'ACTIVE'::text);

CREATE INDEX instances_activity ON ONLY public.instances USING btree (activity_id, created_on);

CREATE INDEX instances_blocked ON ONLY public.instances USING btree (created_on, id) WHERE (cnt_tasks_in_error > 0);

CREATE INDEX instances_bulk ON ONLY public.instances USING btree (bulk_id) WHERE (bulk_id IS NOT NULL);

CREATE INDEX instances_custom ON ONLY public.instances USING btree (created_on, id) WHERE ((original_request_id IS NULL) AND (parent_instance_id IS NULL));

CREATE INDEX instances_default_activity_id_created_on_idx ON public.instances_default USING btree (activity_id, created_on);

CREATE INDEX instances_default_bulk_id_idx ON public.instances_default USING btree (bulk_id) WHERE (bulk_id IS NOT NULL);

CREATE INDEX instances_default_created_on_id_idx ON public.instances_default USING btree (created_on, id) WHERE (status = 'ACTIVE'::text);

CREATE INDEX instances_default_created_on_id_idx1 ON public.instances_default USING btree (created_on, id) WHERE (cnt_tasks_in_error > 0);

CREATE INDEX instances_roles ON ONLY public.instances USING btree (created_on, id) WHERE (roles <> ''::text);

CREATE INDEX instances_default_created_on_id_idx2 ON public.instances_default USING btree (created_on, id) WHERE (roles <> ''::text);

CREATE INDEX instances_default_created_on_id_idx3 ON public.instances_default USING btree (created_on, id) WHERE ((original_request_id IS NULL) AND (parent_instance_id IS NULL));

CREATE INDEX instances_guid ON ONLY public.instances USING btree (guid);

CREATE INDEX instances_default_guid_idx ON public.instances_default USING btree (guid);

CREATE INDEX instances_parent ON ONLY public.instances USING btree (parent_instance_id) WHERE (parent_instance_id IS NOT NULL);

CREATE INDEX instances_default_parent_instance_id_idx ON public.instances_default USING btree (parent_instance_id) WHERE (parent_instance_id IS NOT NULL);

CREATE INDEX jobs_due ON public.jobs USING btree (kind, due_on, id) WHERE (state = 'ready'::text);

CREATE INDEX jobs_lane ON public.jobs USING btree (kind, lane, due_on, id) WHERE (state = 'ready'::text);

CREATE INDEX jobs_leases ON public.jobs USING btree (lease_until) WHERE (state = 'leased'::text);

CREATE UNIQUE INDEX jobs_ref ON public.jobs USING btree (kind, ref_id) WHERE (ref_id IS NOT NULL);

CREATE INDEX keys_label ON public.keys USING btree (label, id DESC);

CREATE INDEX login_attempts_created ON public.login_attempts USING btree (created_at);

CREATE INDEX login_attempts_user ON public.login_attempts USING btree (user_id, id DESC);

CREATE INDEX manual_actions_instance ON public.manual_actions USING btree (instance_id);

CREATE INDEX manual_actions_role ON public.manual_actions USING btree (role_id) WHERE (output IS NULL);

CREATE INDEX manual_actions_task ON public.manual_actions USING btree (created_by_task_id) WHERE (output IS NULL);

CREATE INDEX manual_actions_user ON public.manual_actions USING btree (user_id) WHERE (output IS NULL);

CREATE INDEX mass_items_waiting ON public.mass_items USING btree (operation_id, instance_id) WHERE (status = 'WAIT'::text);

CREATE INDEX mass_operations_created ON public.mass_operations USING btree (created_on, id);

CREATE INDEX one_time_tokens_expires ON public.one_time_tokens USING btree (expires_on);

CREATE INDEX one_time_tokens_user ON public.one_time_tokens USING btree (user_id, scope, created_on DESC) WHERE (user_id IS NOT NULL);

CREATE INDEX passkeys_user ON public.passkeys USING btree (user_id);

CREATE INDEX password_history_user ON public.password_history USING btree (user_id, id DESC);

CREATE INDEX refresh_tokens_expires ON public.refresh_tokens USING btree (expires_on);

CREATE INDEX refresh_tokens_family ON public.refresh_tokens USING btree (family);

CREATE INDEX refresh_tokens_sha1 ON public.refresh_tokens USING btree (sha1);

CREATE INDEX refresh_tokens_user ON public.refresh_tokens USING btree (user_id);

CREATE INDEX request_keys_expires ON public.request_keys USING btree (expires_on);

CREATE INDEX request_keys_instance ON public.request_keys USING btree (instance_id);

CREATE INDEX requests_activity ON ONLY public.requests USING btree (activity_id, created_on) WHERE (activity_id IS NOT NULL);

CREATE INDEX requests_created ON ONLY public.requests USING btree (created_on, id);

CREATE INDEX requests_default_activity_id_created_on_idx ON public.requests_default USING btree (activity_id, created_on) WHERE (activity_id IS NOT NULL);

CREATE INDEX requests_default_created_on_id_idx ON public.requests_default USING btree (created_on, id);

CREATE INDEX requests_owner ON ONLY public.requests USING btree (owner, created_on) WHERE (owner IS NOT NULL);

CREATE INDEX requests_default_owner_created_on_idx ON public.requests_default USING btree (owner, created_on) WHERE (owner IS NOT NULL);

CREATE INDEX requests_response_status ON ONLY public.requests USING btree (response_status, created_on) WHERE (response_status >= 400);

CREATE INDEX requests_default_response_status_created_on_idx ON public.requests_default USING btree (response_status, created_on) WHERE (response_status >= 400);

CREATE INDEX requests_site ON ONLY public.requests USING btree (site_id, created_on) WHERE (site_id IS NOT NULL);

CREATE INDEX requests_default_site_id_created_on_idx ON public.requests_default USING btree (site_id, created_on) WHERE (site_id IS NOT NULL);

CREATE INDEX requests_status ON ONLY public.requests USING btree (status, created_on) WHERE (status <> 'SUCCESS'::text);

CREATE INDEX requests_default_status_created_on_idx ON public.requests_default USING btree (status, created_on) WHERE (status <> 'SUCCESS'::text);

CREATE INDEX requests_subscription ON ONLY public.requests USING btree (subscription_id, created_on) WHERE (subscription_id IS NOT NULL);

CREATE INDEX requests_default_subscription_id_created_on_idx ON public.requests_default USING btree (subscription_id, created_on) WHERE (subscription_id IS NOT NULL);

CREATE INDEX requests_tenant ON ONLY public.requests USING btree (tenant_id, created_on) WHERE (tenant_id IS NOT NULL);

CREATE INDEX requests_default_tenant_id_created_on_idx ON public.requests_default USING btree (tenant_id, created_on) WHERE (tenant_id IS NOT NULL);

CREATE INDEX revoked_tokens_expires ON public.revoked_tokens USING btree (expires_on);

CREATE UNIQUE INDEX roles_name ON public.roles USING btree (name);

CREATE INDEX saved_filters_user ON public.saved_filters USING btree (user_id);

CREATE UNIQUE INDEX templates_key ON public.templates USING btree (key);

CREATE INDEX timers_created ON public.timers USING btree (created_on, id);

CREATE INDEX timers_cron_next ON public.timers_cron USING btree (next_on) WHERE enabled;

CREATE INDEX timers_due ON public.timers USING btree (at, id) WHERE (status = 'WAIT'::text);

CREATE INDEX timers_instance ON public.timers USING btree (instance_id);

CREATE INDEX timers_key ON public.timers USING btree (key) WHERE (key IS NOT NULL);

CREATE INDEX traces_created ON ONLY public.traces USING btree (created_on, id);

CREATE INDEX traces_default_created_on_id_idx ON public.traces_default USING btree (created_on, id);

CREATE INDEX traces_failed ON ONLY public.traces USING btree (created_on, id) WHERE ((status = 0) OR (status >= 400));

CREATE INDEX traces_default_created_on_id_idx1 ON public.traces_default USING btree (created_on, id) WHERE ((status = 0) OR (status >= 400));

CREATE INDEX traces_instance ON ONLY public.traces USING btree (instance_id, task_id) WHERE (instance_id IS NOT NULL);

CREATE INDEX traces_default_instance_id_task_id_idx ON public.traces_default USING btree (instance_id, task_id) WHERE (instance_id IS NOT NULL);

CREATE INDEX traces_request ON ONLY public.traces USING btree (request_id) WHERE (request_id IS NOT NULL);

CREATE INDEX traces_default_request_id_idx ON public.traces_default USING btree (request_id) WHERE (request_id IS NOT NULL);

CREATE INDEX user_activity_username ON public.user_activity USING btree (username, hour DESC);

CREATE INDEX user_callbacks_user ON public.user_callbacks USING btree (user_id);

CREATE UNIQUE INDEX user_profiles_name ON public.user_profiles USING btree (name);

CREATE INDEX user_roles_role ON public.user_roles USING btree (role_id);

CREATE INDEX users_email ON public.users USING btree (lower(email)) WHERE (email IS NOT NULL);

CREATE INDEX users_profile ON public.users USING btree (profile_id) WHERE (profile_id IS NOT NULL);

CREATE UNIQUE INDEX users_token ON public.users USING btree (token_hash) WHERE (token_hash IS NOT NULL);

CREATE UNIQUE INDEX users_username ON public.users USING btree (lower(username));

CREATE INDEX webhook_deliveries_webhook ON public.webhook_deliveries USING btree (webhook_id, id DESC);

CREATE INDEX webhook_subscriptions_event ON public.webhook_subscriptions USING btree (event_id);

ALTER INDEX public.contexts_pkey ATTACH PARTITION public.contexts_default_pkey;

ALTER INDEX public.errors_pkey ATTACH PARTITION public.errors_default_pkey;

ALTER INDEX public.instance_logs_pkey ATTACH PARTITION public.instance_logs_default_pkey;

ALTER INDEX public.instances_activity ATTACH PARTITION public.instances_default_activity_id_created_on_idx;

ALTER INDEX public.instances_bulk ATTACH PARTITION public.instances_default_bulk_id_idx;

ALTER INDEX public.instances_active ATTACH PARTITION public.instances_default_created_on_id_idx;

ALTER INDEX public.instances_blocked ATTACH PARTITION public.instances_default_created_on_id_idx1;

ALTER INDEX public.instances_roles ATTACH PARTITION public.instances_default_created_on_id_idx2;

ALTER INDEX public.instances_custom ATTACH PARTITION public.instances_default_created_on_id_idx3;

ALTER INDEX public.instances_guid ATTACH PARTITION public.instances_default_guid_idx;

ALTER INDEX public.instances_parent ATTACH PARTITION public.instances_default_parent_instance_id_idx;

ALTER INDEX public.instances_pkey ATTACH PARTITION public.instances_default_pkey;

ALTER INDEX public.requests_activity ATTACH PARTITION public.requests_default_activity_id_created_on_idx;

ALTER INDEX public.requests_created ATTACH PARTITION public.requests_default_created_on_id_idx;

ALTER INDEX public.requests_owner ATTACH PARTITION public.requests_default_owner_created_on_idx;

ALTER INDEX public.requests_pkey ATTACH PARTITION public.requests_default_pkey;

ALTER INDEX public.requests_response_status ATTACH PARTITION public.requests_default_response_status_created_on_idx;

ALTER INDEX public.requests_site ATTACH PARTITION public.requests_default_site_id_created_on_idx;

ALTER INDEX public.requests_status ATTACH PARTITION public.requests_default_status_created_on_idx;

ALTER INDEX public.requests_subscription ATTACH PARTITION public.requests_default_subscription_id_created_on_idx;

ALTER INDEX public.requests_tenant ATTACH PARTITION public.requests_default_tenant_id_created_on_idx;

ALTER INDEX public.tasks_pkey ATTACH PARTITION public.tasks_default_pkey;

ALTER INDEX public.traces_created ATTACH PARTITION public.traces_default_created_on_id_idx;

ALTER INDEX public.traces_failed ATTACH PARTITION public.traces_default_created_on_id_idx1;

ALTER INDEX public.traces_instance ATTACH PARTITION public.traces_default_instance_id_task_id_idx;

ALTER INDEX public.traces_pkey ATTACH PARTITION public.traces_default_pkey;

ALTER INDEX public.traces_request ATTACH PARTITION public.traces_default_request_id_idx;

CREATE TRIGGER activities_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.activities FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER activity_versions_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.activity_versions FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER bulk_actions_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.bulk_actions FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER configuration_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.configuration FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER custom_routes_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.custom_routes FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER instances_released AFTER UPDATE OF status ON public.instances FOR EACH ROW WHEN (((old.status = 'ACTIVE'::text) AND (new.status <> 'ACTIVE'::text))) EXECUTE FUNCTION public.instance_released();

CREATE TRIGGER jobs_lane BEFORE INSERT ON public.jobs FOR EACH ROW WHEN (((new.lane = 0) AND (new.kind = 'instance'::text) AND (new.ref_id IS NOT NULL))) EXECUTE FUNCTION public.job_lane();

CREATE TRIGGER manual_actions_answered AFTER UPDATE OF output, role_id ON public.manual_actions FOR EACH ROW WHEN (((old.role_id IS NOT NULL) AND ((old.output IS DISTINCT FROM new.output) OR (old.role_id IS DISTINCT FROM new.role_id)))) EXECUTE FUNCTION public.manual_actions_roles();

CREATE TRIGGER manual_actions_asked AFTER INSERT ON public.manual_actions FOR EACH ROW WHEN (((new.role_id IS NOT NULL) AND (new.output IS NULL))) EXECUTE FUNCTION public.manual_actions_roles();

CREATE TRIGGER revoked_tokens_added AFTER INSERT ON public.revoked_tokens FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('users');

CREATE TRIGGER roles_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.roles FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('users');

CREATE TRIGGER startup_events_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.startup_events FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER tasks_released AFTER UPDATE OF status ON public.tasks FOR EACH ROW WHEN (((old.status = ANY (ARRAY['WAIT'::text, 'QUEUED'::text])) AND (new.status = ANY (ARRAY['OK'::text, 'ERROR'::text])))) EXECUTE FUNCTION public.task_released();

CREATE TRIGGER templates_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.templates FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER timers_cron_added AFTER INSERT OR DELETE OR TRUNCATE ON public.timers_cron FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER timers_cron_changed AFTER UPDATE OF job_id, activity_id, enabled, year, month, day, week, day_of_week, hour, minute, second, request_body ON public.timers_cron FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER user_callbacks_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.user_callbacks FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER user_ip_limits_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.user_ip_limits FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('users');

CREATE TRIGGER user_profiles_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.user_profiles FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER user_roles_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.user_roles FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('users');

CREATE TRIGGER users_added AFTER INSERT OR DELETE OR TRUNCATE ON public.users FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('users');

CREATE TRIGGER users_changed AFTER UPDATE OF username, email, first_name, last_name, mobile_number, status, is_system, local_user, password_hash, password_disabled, need_password_change, two_fa_option, token_hash, token_expiry_date, profile_id, ui_profile, language, timezone, groups, properties, admin_of, entity, with_ip_limits, tokens_valid_from ON public.users FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('users');

CREATE TRIGGER webhook_events_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.webhook_events FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER webhook_subscriptions_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.webhook_subscriptions FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

CREATE TRIGGER webhooks_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.webhooks FOR EACH STATEMENT EXECUTE FUNCTION public.generation_bump('config');

ALTER TABLE ONLY public.activity_versions
    ADD CONSTRAINT activity_versions_activity_id_fkey FOREIGN KEY (activity_id) REFERENCES public.activities(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.activity_versions
    ADD CONSTRAINT activity_versions_definition_id_fkey FOREIGN KEY (definition_id) REFERENCES public.definitions(id);
ALTER TABLE ONLY public.activity_versions
    ADD CONSTRAINT activity_versions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.bulk_actions
    ADD CONSTRAINT bulk_actions_activity_id_fkey FOREIGN KEY (activity_id) REFERENCES public.activities(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.bulk_results
    ADD CONSTRAINT bulk_results_bulk_id_fkey FOREIGN KEY (bulk_id) REFERENCES public.bulks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.bulks
    ADD CONSTRAINT bulks_action_id_fkey FOREIGN KEY (action_id) REFERENCES public.bulk_actions(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.bulks
    ADD CONSTRAINT bulks_route_id_fkey FOREIGN KEY (route_id) REFERENCES public.custom_routes(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.custom_routes
    ADD CONSTRAINT custom_routes_activity_id_fkey FOREIGN KEY (activity_id) REFERENCES public.activities(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.custom_routes
    ADD CONSTRAINT custom_routes_err_activity_id_fkey FOREIGN KEY (err_activity_id) REFERENCES public.activities(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.gateway_logins
    ADD CONSTRAINT gateway_logins_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.login_attempts
    ADD CONSTRAINT login_attempts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.manual_actions
    ADD CONSTRAINT manual_actions_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.roles(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.manual_actions
    ADD CONSTRAINT manual_actions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.mass_items
    ADD CONSTRAINT mass_items_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES public.mass_operations(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.one_time_tokens
    ADD CONSTRAINT one_time_tokens_action_id_fkey FOREIGN KEY (action_id) REFERENCES public.manual_actions(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.one_time_tokens
    ADD CONSTRAINT one_time_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.password_history
    ADD CONSTRAINT password_history_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.saved_filters
    ADD CONSTRAINT saved_filters_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.startup_events
    ADD CONSTRAINT startup_events_activity_id_fkey FOREIGN KEY (activity_id) REFERENCES public.activities(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.subworkflow_items
    ADD CONSTRAINT subworkflow_items_instance_id_fkey FOREIGN KEY (instance_id) REFERENCES public.instance_states(instance_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.timers_cron
    ADD CONSTRAINT timers_cron_activity_id_fkey FOREIGN KEY (activity_id) REFERENCES public.activities(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.trusted_locations
    ADD CONSTRAINT trusted_locations_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_callbacks
    ADD CONSTRAINT user_callbacks_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_ip_limits
    ADD CONSTRAINT user_ip_limits_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.roles(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_profile_id_fkey FOREIGN KEY (profile_id) REFERENCES public.user_profiles(id);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhooks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_subscriptions
    ADD CONSTRAINT webhook_subscriptions_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.webhook_events(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_subscriptions
    ADD CONSTRAINT webhook_subscriptions_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhooks(id) ON DELETE CASCADE;
