-- additive: no
--
-- Who may do what: profiles, roles, users, their ways to log in, tokens, and the trail they leave.

CREATE TABLE user_profiles (
    id         serial PRIMARY KEY,
    name       text NOT NULL,
    available  boolean NOT NULL DEFAULT true,
    home       text,
    accesses   text[] NOT NULL DEFAULT '{}',
    api_rules  json NOT NULL DEFAULT '[]',
    created_on timestamptz NOT NULL DEFAULT now(),
    updated_on timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX user_profiles_name ON user_profiles (name);
COMMENT ON TABLE user_profiles IS
    'Rights shared by users: accesses (names of features) and api_rules, an ordered array of {method, url, allowed, name}.';

CREATE TABLE roles (
    id          serial PRIMARY KEY,
    name        text NOT NULL,
    description text,
    created_on  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX roles_name ON roles (name);
COMMENT ON TABLE roles IS 'Groups of people that manual actions are addressed to; no rights by themselves.';

CREATE TABLE users (
    id                   serial PRIMARY KEY,
    username             text NOT NULL,
    email                text,
    first_name           text,
    last_name            text,
    mobile_number        text,
    status               text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'INACTIVE', 'REVOKED')),
    is_system            boolean NOT NULL DEFAULT false,
    local_user           boolean NOT NULL DEFAULT true,
    identity_provider    text,
    password_hash        text,
    password_changed_on  timestamptz,
    password_disabled    boolean NOT NULL DEFAULT false,
    need_password_change boolean NOT NULL DEFAULT false,
    two_fa_option        text CHECK (two_fa_option IN ('email', 'totp', 'none')),
    totp                 text,
    token_hash           bytea,
    token_sealed         text,
    token_expiry_date    timestamptz,
    profile_id           integer REFERENCES user_profiles (id),
    ui_profile           text,
    ui_data              json NOT NULL DEFAULT '{}',
    language             text NOT NULL DEFAULT 'en',
    timezone             text,
    groups               text[] NOT NULL DEFAULT '{}',
    properties           json NOT NULL DEFAULT '{}',
    admin_of             json NOT NULL DEFAULT '[]',
    entity               text,
    with_ip_limits       boolean NOT NULL DEFAULT false,
    failed_logins        integer NOT NULL DEFAULT 0,
    locked_until         timestamptz,
    tokens_valid_from    timestamptz,
    last_use             timestamptz,
    registered_on        timestamptz NOT NULL DEFAULT now(),
    created_on           timestamptz NOT NULL DEFAULT now(),
    updated_on           timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE INDEX users_email ON users (lower(email)) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX users_token ON users (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX users_profile ON users (profile_id) WHERE profile_id IS NOT NULL;
COMMENT ON TABLE users IS 'Accounts: people, machines (entity set) and users of an identity provider (local_user false).';
COMMENT ON COLUMN users.password_hash IS 'argon2id in PHC form; null: cannot log in by password.';
COMMENT ON COLUMN users.totp IS 'Secret of the one-time codes, sealed.';
COMMENT ON COLUMN users.token_hash IS 'SHA-256 of the M2M token; token_sealed is the token for showing it again.';
COMMENT ON COLUMN users.tokens_valid_from IS 'Tokens issued before are void: password changed or access revoked.';

CREATE TABLE user_roles (
    user_id    integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id    integer NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    created_on timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_role ON user_roles (role_id);
COMMENT ON TABLE user_roles IS 'Which users hold which roles.';

CREATE TABLE user_ip_limits (
    id         serial PRIMARY KEY,
    user_id    integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    ip         cidr NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, ip)
);
COMMENT ON TABLE user_ip_limits IS 'Addresses and networks an account with with_ip_limits may be used from.';

CREATE TABLE password_history (
    id            bigserial PRIMARY KEY,
    user_id       integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    password_hash text NOT NULL,
    created_on    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX password_history_user ON password_history (user_id, id DESC);
COMMENT ON TABLE password_history IS 'Former passwords, for the rule that forbids using them again.';

CREATE TABLE weak_passwords (
    password text PRIMARY KEY
);
COMMENT ON TABLE weak_passwords IS 'Passwords nobody may choose; loaded by an administrator.';

CREATE TABLE login_attempts (
    id             bigserial PRIMARY KEY,
    user_id        integer REFERENCES users (id) ON DELETE CASCADE,
    username       text NOT NULL,
    ip             inet,
    user_agent     text,
    success        boolean NOT NULL,
    failure_reason text,
    delegated_to   text,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX login_attempts_user ON login_attempts (user_id, id DESC);
CREATE INDEX login_attempts_created ON login_attempts (created_at);
COMMENT ON TABLE login_attempts IS 'Who tried to log in, from where, and how it ended.';

CREATE TABLE trusted_locations (
    id          bigserial PRIMARY KEY,
    user_id     integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    ip          inet NOT NULL,
    user_agent  text NOT NULL DEFAULT '',
    trusted     boolean NOT NULL DEFAULT true,
    expiry_date timestamptz,
    last_use    timestamptz,
    created_on  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, ip, user_agent)
);
COMMENT ON TABLE trusted_locations IS 'Client address and browser that skip the second factor until the expiry date.';

CREATE TABLE passkeys (
    id                bigserial PRIMARY KEY,
    user_id           integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id     text NOT NULL UNIQUE,
    name              text,
    public_key        bytea NOT NULL,
    sign_count        bigint NOT NULL DEFAULT 0,
    credential_object json NOT NULL,
    created_on        timestamptz NOT NULL DEFAULT now(),
    last_use          timestamptz
);
CREATE INDEX passkeys_user ON passkeys (user_id);
COMMENT ON TABLE passkeys IS 'WebAuthn credentials.';

CREATE TABLE refresh_tokens (
    id          bigserial PRIMARY KEY,
    family      uuid NOT NULL,
    user_id     integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sha1        bytea NOT NULL,
    sha256      bytea NOT NULL UNIQUE,
    ip          inet,
    user_agent  text,
    issued_on   timestamptz NOT NULL DEFAULT now(),
    expires_on  timestamptz NOT NULL,
    last_use    timestamptz,
    replaced_on timestamptz,
    revoked_on  timestamptz
);
CREATE INDEX refresh_tokens_sha1 ON refresh_tokens (sha1);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_on);
COMMENT ON TABLE refresh_tokens IS
    'Digests of refresh tokens, never the tokens. A family is one log-in; logging out names the SHA-1 of the token text.';

CREATE TABLE revoked_tokens (
    jti        text PRIMARY KEY,
    family     uuid,
    user_id    integer,
    expires_on timestamptz NOT NULL,
    revoked_on timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revoked_tokens_expires ON revoked_tokens (expires_on);
COMMENT ON TABLE revoked_tokens IS
    'Access tokens (by jti) and whole families (jti = family:<uuid>) that are void before they expire.';

CREATE TABLE gateway_logins (
    id           bigserial PRIMARY KEY,
    user_id      integer REFERENCES users (id) ON DELETE CASCADE,
    identity     text NOT NULL,
    gateway      text NOT NULL,
    url          text NOT NULL,
    cookies      text NOT NULL,
    ids          json NOT NULL DEFAULT '{}',
    profile      json,
    token_family uuid,
    created_on   timestamptz NOT NULL DEFAULT now(),
    last_used_on timestamptz NOT NULL DEFAULT now(),
    expires_on   timestamptz,
    UNIQUE (identity, gateway)
);
CREATE INDEX gateway_logins_user ON gateway_logins (user_id);
CREATE INDEX gateway_logins_family ON gateway_logins (token_family) WHERE token_family IS NOT NULL;
COMMENT ON TABLE gateway_logins IS
    'Sessions of users on gateways: made by the core at log-in, used by the proxies. Cookies are sealed; passwords are never kept.';
COMMENT ON COLUMN gateway_logins.identity IS 'Who is logged in there: the token family for a user, "system" for the account of the configuration.';

CREATE TABLE user_callbacks (
    id             serial PRIMARY KEY,
    user_id        integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    endpoint       text NOT NULL,
    endpoint_extra text,
    event_category text NOT NULL
        CHECK (event_category IN ('on_request_success', 'on_request_failure', 'on_blocking_error')),
    scope          text NOT NULL CHECK (scope IN ('user', 'group', 'platform')),
    created_on     timestamptz NOT NULL DEFAULT now(),
    updated_on     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX user_callbacks_user ON user_callbacks (user_id);
COMMENT ON TABLE user_callbacks IS 'Addresses told when an instance ends or blocks.';
COMMENT ON COLUMN user_callbacks.endpoint_extra IS 'JSON object, sealed when it holds credentials.';

CREATE TABLE audit (
    id          bigserial PRIMARY KEY,
    user_id     integer,
    username    text,
    operation   text NOT NULL CHECK (operation IN ('create', 'update', 'delete')),
    target      text,
    target_type text NOT NULL,
    channel     text NOT NULL DEFAULT 'api',
    summary     text,
    extra_info  text,
    created_on  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_created ON audit (created_on, id);
CREATE INDEX audit_username ON audit (username, id DESC);
CREATE INDEX audit_target ON audit (target_type, target, id DESC);
COMMENT ON TABLE audit IS 'What administrators changed. Never updated; names are kept as they were.';

CREATE TABLE user_activity (
    username text NOT NULL,
    hour     timestamptz NOT NULL,
    service  text NOT NULL,
    method   text NOT NULL,
    calls    bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (hour, username, service, method)
);
CREATE INDEX user_activity_username ON user_activity (username, hour DESC);
COMMENT ON TABLE user_activity IS 'Use of a service by a user within an hour.';

CREATE TABLE saved_filters (
    id         serial PRIMARY KEY,
    user_id    integer REFERENCES users (id) ON DELETE CASCADE,
    name       text NOT NULL,
    visibility text NOT NULL DEFAULT 'user' CHECK (visibility IN ('user', 'system')),
    entity     text NOT NULL DEFAULT 'request',
    filter     json NOT NULL,
    columns    json,
    created_by text,
    created_on timestamptz NOT NULL DEFAULT now(),
    updated_on timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX saved_filters_user ON saved_filters (user_id);
COMMENT ON TABLE saved_filters IS 'Searches people keep; the filter is the form of the user interface and is not read here.';

-- What a process keeps of users ends when these change. last_use, failed_logins and locked_until change at each
-- log-in and are left out on purpose.
CREATE TRIGGER users_added AFTER INSERT OR DELETE OR TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('users');
CREATE TRIGGER users_changed AFTER UPDATE OF username, email, first_name, last_name, mobile_number, status, is_system,
        local_user, password_hash, password_disabled, need_password_change, two_fa_option, token_hash, token_expiry_date,
        profile_id, ui_profile, language, timezone, groups, properties, admin_of, entity, with_ip_limits, tokens_valid_from
    ON users FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('users');
CREATE TRIGGER user_profiles_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON user_profiles
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('users');
CREATE TRIGGER roles_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON roles
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('users');
CREATE TRIGGER user_roles_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON user_roles
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('users');
CREATE TRIGGER user_ip_limits_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON user_ip_limits
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('users');
CREATE TRIGGER revoked_tokens_added AFTER INSERT ON revoked_tokens
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('users');
CREATE TRIGGER user_callbacks_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON user_callbacks
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
