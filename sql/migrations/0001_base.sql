-- additive: no
--
-- The ground: how processes hear about changes, keys, configuration, and where ids come from.
--
-- Rules of the whole schema
--   * Names are not qualified: everything lives in the first schema of the search path.
--   * Times are timestamptz; every connection runs in UTC.
--   * json, not jsonb: texts come back exactly as they were written (member order, long integers).
--   * Statuses are text with a check, since a new enum value cannot be used where it was added.
--   * History has no foreign keys: it is written in bulk and dropped by partition.

-- ---- change notification ---------------------------------------------------------------------

CREATE TABLE generations (
    topic      text PRIMARY KEY,
    n          bigint NOT NULL DEFAULT 1,
    changed_on timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE generations IS
    'A counter per topic. A process that sees another number than the last one, lower ones too, reads that topic again.';

INSERT INTO generations (topic) VALUES ('config'), ('users'), ('schema');

-- Statement-level trigger of tables that processes keep in memory: counts up, and tells on channel "sluice".
-- Never on hot tables: NOTIFY takes a lock of the whole cluster at commit.
CREATE FUNCTION generation_bump() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE generations SET n = n + 1, changed_on = now() WHERE topic = TG_ARGV[0];
    PERFORM pg_notify('sluice', TG_ARGV[0]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION generation_bump() IS 'Trigger: topic TG_ARGV[0] changed.';

-- ---- keys ------------------------------------------------------------------------------------

CREATE TABLE keys (
    id         serial PRIMARY KEY,
    label      text NOT NULL,
    algorithm  text NOT NULL DEFAULT 'aes-256-gcm',
    material   bytea NOT NULL,
    wrapped_by text,
    state      text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'decrypt', 'retired')),
    created_on timestamptz NOT NULL DEFAULT now(),
    changed_on timestamptz NOT NULL DEFAULT now(),
    note       text
);
CREATE INDEX keys_label ON keys (label, id DESC);
COMMENT ON TABLE keys IS
    'Encryption keys. The newest active row of a label writes; every sealed item names its key by id. Labels are not unique and no trigger watches the table, so that an operator may rename a label with a plain UPDATE; processes poll it.';
COMMENT ON COLUMN keys.wrapped_by IS 'Fingerprint of the key outside the database that seals material; null: raw.';

-- ---- configuration ---------------------------------------------------------------------------

CREATE TABLE configuration (
    id         serial PRIMARY KEY,
    content    json NOT NULL,
    created_on timestamptz NOT NULL DEFAULT now(),
    created_by text,
    comment    text
);
COMMENT ON TABLE configuration IS
    'Versions of the configuration document; the highest id is in force, the others are its history. Secrets inside are sealed.';

CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON configuration
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');

-- ---- ids -------------------------------------------------------------------------------------

-- A process takes blocks of 1000 and counts inside them: nextval() is the first id of its block.
CREATE SEQUENCE ids_request INCREMENT BY 1000;
CREATE SEQUENCE ids_instance INCREMENT BY 1000;
CREATE SEQUENCE ids_task INCREMENT BY 1000;
CREATE SEQUENCE ids_trace INCREMENT BY 1000;
CREATE SEQUENCE ids_error INCREMENT BY 1000;
CREATE SEQUENCE ids_context INCREMENT BY 1000;
CREATE SEQUENCE ids_job INCREMENT BY 1000;
CREATE SEQUENCE ids_timer INCREMENT BY 1000;

CREATE TABLE id_marks (
    kind     text NOT NULL,
    first_id bigint NOT NULL,
    noted_on timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, first_id)
);
COMMENT ON TABLE id_marks IS
    'Now and then: the id a sequence had reached at a time. Blocks are used within a day, so an id alone tells the month of its row (id_from, id_to) and a look-up touches one partition.';

-- Earliest and latest created_on a row with this id can have. Look-ups by id say
--   WHERE id = $1 AND created_on >= id_from('request', $1) AND created_on < id_to('request', $1)
-- which PostgreSQL prunes before it opens a partition. Kinds: those of the sequences, without "ids_".
CREATE FUNCTION id_from(of_kind text, of_id bigint) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT
AS $$
    SELECT coalesce((SELECT noted_on - interval '1 hour' FROM id_marks
                     WHERE kind = of_kind AND first_id <= of_id
                     ORDER BY first_id DESC LIMIT 1), '-infinity'::timestamptz)
$$;
CREATE FUNCTION id_to(of_kind text, of_id bigint) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT
AS $$
    SELECT coalesce((SELECT noted_on + interval '25 hours' FROM id_marks
                     WHERE kind = of_kind AND first_id > of_id
                     ORDER BY first_id LIMIT 1), 'infinity'::timestamptz)
$$;
COMMENT ON FUNCTION id_from(text, bigint) IS 'Earliest creation time of the row with this id.';
COMMENT ON FUNCTION id_to(text, bigint) IS 'Creation time of the row with this id is before that.';

-- The time inside a UUIDv7 (RFC 9562): its first 48 bits are milliseconds since 1970. Instances take guid and
-- created_on from one reading of the clock, so a look-up by guid says
--   WHERE guid = $1 AND created_on >= guid_time($1) - interval '1 s' AND created_on < guid_time($1) + interval '1 s'
CREATE FUNCTION guid_time(guid uuid) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
AS $$
    SELECT to_timestamp(('x' || lpad(left(replace(guid::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0)
$$;
COMMENT ON FUNCTION guid_time(uuid) IS 'The time inside a UUIDv7.';
