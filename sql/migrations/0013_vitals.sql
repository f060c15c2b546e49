-- additive: yes
--
-- What each process saw of late, for alarms that judge all of them together.

CREATE UNLOGGED TABLE vitals (
    process text NOT NULL,
    kind    text NOT NULL,
    subject text NOT NULL,
    calls   bigint NOT NULL,
    bad     bigint NOT NULL,
    seen_on timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (process, kind, subject)
) WITH (fillfactor = 50);
COMMENT ON TABLE vitals IS 'Windows of the running processes: answers and failures of the last minutes; nothing that must survive.';
COMMENT ON COLUMN vitals.kind IS 'north, south, network (subject: a gateway), circuit (bad: it is open).';
