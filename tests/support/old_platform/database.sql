-- A database that looks like one of the platform people come from, for tests and the runbook.  The
-- real structure is not public: names and types are made up, and differ from ours on purpose.
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
INSERT INTO alembic_version VALUES ('9f3c2a71d0e4');

CREATE TABLE keys (id serial PRIMARY KEY, label varchar(64) NOT NULL, secret text);
INSERT INTO keys (label, secret) VALUES ('document-storage', 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=');

CREATE TABLE user_profiles (id integer PRIMARY KEY, label varchar(80), rights text, landing varchar(80), rules text);
INSERT INTO user_profiles VALUES (3, 'clerks', 'requests, bulks', '/requests',
    '[{"method": "get", "url": "/api/v01/p1/*", "allowed": true, "name": "read"}]');

CREATE TABLE users (id integer PRIMARY KEY, login varchar(80), mail varchar(120), firstname varchar(80), surname varchar(80),
    state varchar(20), admin varchar(8), profile integer, teams varchar[], extra text, pw text, made timestamp);
INSERT INTO users VALUES
    (8, 'ann', 'ann@example.com', 'Ann', 'Lee', 'inactive', '0', 3, '{east,west}', '{"desk": "4"}', 'pbkdf2:sha256:600000$x$y', '2024-03-01 10:00:00'),
    (9, 'Bob', 'bob@example.com', NULL, NULL, 'revoked', '1', NULL, '{}', NULL, NULL, '2024-03-02 10:00:00'),
    (10, 'odd', 'odd@example.com', NULL, NULL, 'active', 'maybe', NULL, '{}', NULL, NULL, '2024-03-03 10:00:00');

CREATE TABLE roles (id integer PRIMARY KEY, title varchar(80), info text);
INSERT INTO roles VALUES (1, 'night shift', 'who is awake');
CREATE TABLE role_members (id serial PRIMARY KEY, user_id integer, role_id integer);
INSERT INTO role_members (user_id, role_id) VALUES (8, 1), (77, 1);

CREATE TABLE templates (id integer PRIMARY KEY, name varchar(120), mime varchar(120), body text, raw bytea);
INSERT INTO templates VALUES (2, 'mails.hello', 'jinja', 'Hello {{ x }}', NULL),
    (3, 'reports.month', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', NULL, 'PK-bytes-of-a-sheet');

CREATE TABLE activities (id integer PRIMARY KEY, title varchar(80), info text);
INSERT INTO activities VALUES (5, 'hello', 'says hello'), (6, 'tidy', NULL);
CREATE TABLE activity_bodies (id integer PRIMARY KEY, activity integer, tag varchar(40), note text, body text, live integer, author integer, made timestamp);
INSERT INTO activity_bodies VALUES
    (11, 5, 'v1', 'first', '{"cells":{"start":{"original_name":"start","outputs":["ok"],"params":{},"x":0,"y":0}},"entities":[],"transitions":[]}', 0, 8, '2024-03-01 10:00:00'),
    (12, 5, 'v2', 'with an end', '{"cells":{"start":{"original_name":"start","outputs":["ok"],"params":{},"x":0,"y":0},"end":{"original_name":"end","outputs":[],"params":{},"x":9,"y":0}},"entities":[],"transitions":[["start.ok","end"]]}', 1, 8, '2024-04-01 10:00:00'),
    (13, 6, NULL, NULL, '{"cells":{"start":{"original_name":"start","outputs":["ok"],"params":{},"x":0,"y":0},"end":{"original_name":"end","outputs":[],"params":{},"x":9,"y":0}},"entities":[],"transitions":[["start.ok","end"]]}', 1, NULL, '2024-04-01 10:00:00'),
    (14, 5, NULL, NULL, '{"cells":{"start":{"original_name":"start","outputs":["ok"],"params":{},"x":3,"y":0}},"entities":[],"transitions":[]}', 0, NULL, '2024-05-01 10:00:00');

CREATE TABLE custom_routes (id integer PRIMARY KEY, verb varchar(8), path varchar(200), activity integer, waits integer, usable integer, open integer, folder varchar(40));
INSERT INTO custom_routes VALUES (1, 'GET', '/hello/{name}', 5, 1, 1, 1, 'greetings');
CREATE TABLE schedule (id integer PRIMARY KEY, title varchar(80), activity integer, at_hour varchar(20), at_minute varchar(20), running integer, payload text);
INSERT INTO schedule VALUES (1, 'nightly tidy', 6, '3', '15', 1, '{"body":{"deep":true}}'), (2, 'never right', 6, '33', NULL, 0, NULL);

CREATE TABLE settings (id integer PRIMARY KEY, document text);
INSERT INTO settings VALUES (1, '{}'), (2, '{"gateways": {"bwks": {"url": "https://10.0.1.2/", "username": "provisioner", "password": "@SECRET@"}}, "gui": {"label": "the old one"}}');

CREATE TABLE requests (id bigint PRIMARY KEY, status varchar(40), response_status varchar(8));
INSERT INTO requests SELECT n, 'SUCCESS', '200' FROM generate_series(1, 1200) n;
CREATE TABLE audit_log (id bigint PRIMARY KEY, what text);
