-- additive: yes
--
-- Requests that clients may repeat: the first answer by the key they sent.

CREATE TABLE request_keys (
    route_id     bigint NOT NULL,
    caller       text NOT NULL,
    key          text NOT NULL,
    digest       bytea NOT NULL,
    instance_id  bigint NOT NULL,
    guid         text NOT NULL,
    status       bigint,
    content_type text,
    headers      json,
    body         bytea,
    created_on   timestamptz NOT NULL DEFAULT now(),
    expires_on   timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    PRIMARY KEY (route_id, caller, key)
) WITH (fillfactor = 80);
CREATE INDEX request_keys_expires ON request_keys (expires_on);
CREATE INDEX request_keys_instance ON request_keys (instance_id);
COMMENT ON TABLE request_keys IS 'The Idempotency-Key of requests on custom routes, stored with the request; a day long.';
COMMENT ON COLUMN request_keys.caller IS 'Id of the user; empty: a public route.';
COMMENT ON COLUMN request_keys.digest IS 'SHA-256 of what was asked: the same key for something else is refused.';
COMMENT ON COLUMN request_keys.status IS 'Of the answer; null: the run has none yet.';
