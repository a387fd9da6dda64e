-- +goose Up
--
-- Times are Unix microseconds, 0 where there is none. Identifiers and names are
-- compared byte by byte.

-- The clock that leases and windows are measured by, in Unix microseconds. On
-- SQLite the engine brings a function of that name.
-- +goose StatementBegin
CREATE FUNCTION db_now() RETURNS BIGINT LANGUAGE sql VOLATILE PARALLEL SAFE
    AS 'SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint';
-- +goose StatementEnd

-- One row: the oldest schema a program may know and still run on this database.
CREATE TABLE schema_floor (
    one   SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
    floor BIGINT NOT NULL
);
INSERT INTO schema_floor (one, floor) VALUES (1, 1);

-- One row: what this database is. A restore or failover raises the incarnation.
CREATE TABLE installation (
    one         SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
    incarnation BIGINT NOT NULL,
    raised      BIGINT NOT NULL
);
INSERT INTO installation (one, incarnation, raised) VALUES (1, 1, 0);

-- Numbers that are given once: the last one given.
CREATE TABLE counter (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    n    BIGINT NOT NULL
);
INSERT INTO counter (name, n) VALUES
    ('tenant', 1000), ('principal', 1000), ('credential', 1000), ('secret', 1000), ('seal', 0), ('revocation', 0);

CREATE TABLE tenant (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number  BIGINT NOT NULL UNIQUE,
    name    TEXT COLLATE "C" NOT NULL UNIQUE,
    enabled BOOLEAN NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE principal (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number       BIGINT NOT NULL UNIQUE,
    tenant       TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
    kind         TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    display_name TEXT COLLATE "C" NOT NULL,
    comment      TEXT COLLATE "C" NOT NULL,
    enabled      BOOLEAN NOT NULL,
    not_before   BIGINT NOT NULL, -- tokens issued earlier are dead
    reuse_window BIGINT NOT NULL, -- microseconds
    created      BIGINT NOT NULL,
    UNIQUE (tenant, kind, name)
);

CREATE TABLE principal_role (
    principal TEXT COLLATE "C" NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    role      TEXT COLLATE "C" NOT NULL,
    granted   BIGINT NOT NULL,
    PRIMARY KEY (principal, role)
);

CREATE TABLE credential (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number     BIGINT NOT NULL UNIQUE,
    tenant     TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
    principal  TEXT COLLATE "C" NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    kind       TEXT COLLATE "C" NOT NULL,
    dialect    TEXT COLLATE "C" NOT NULL,
    lookup     TEXT COLLATE "C" NOT NULL,
    comment    TEXT COLLATE "C" NOT NULL,
    enabled    BOOLEAN NOT NULL,
    revoked    BIGINT NOT NULL,
    networks   TEXT COLLATE "C" NOT NULL, -- prefixes, separated by blanks
    not_before BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    created    BIGINT NOT NULL
);
-- A revoked credential lets go of its name, so that a user may get a new password.
CREATE UNIQUE INDEX credential_by_lookup ON credential (tenant, kind, lookup) WHERE kind <> 'api_key' AND revoked = 0;
CREATE INDEX credential_by_lookup_ever ON credential (tenant, kind, lookup);
CREATE INDEX credential_by_principal ON credential (principal);

CREATE TABLE secret (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number     BIGINT NOT NULL UNIQUE,
    credential TEXT COLLATE "C" NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    tenant     TEXT COLLATE "C" NOT NULL, -- of the credential, for the index
    kind       TEXT COLLATE "C" NOT NULL, -- of the credential, for the index
    scheme     TEXT COLLATE "C" NOT NULL,
    hash       BYTEA NOT NULL,
    not_before BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    revoked    BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    last_used  BIGINT NOT NULL
);
CREATE INDEX secret_by_credential ON secret (credential);
-- A revoked key keeps its place: the same text must not come back.
CREATE UNIQUE INDEX secret_by_digest ON secret (tenant, hash) WHERE kind = 'api_key';

CREATE TABLE policy_set (
    tenant  TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES tenant (id),
    version BIGINT NOT NULL,
    cedar   TEXT COLLATE "C" NOT NULL,
    roles   TEXT COLLATE "C" NOT NULL -- JSON
);

-- The log of rights taken away.
CREATE TABLE revocation (
    n      BIGINT NOT NULL PRIMARY KEY,
    effect SMALLINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    at     BIGINT NOT NULL
);
CREATE INDEX revocation_by_time ON revocation (at);

CREATE TABLE revocation_ground (
    n    BIGINT NOT NULL REFERENCES revocation (n) ON DELETE CASCADE,
    kind SMALLINT NOT NULL,
    id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (n, kind, id)
);

-- Nodes and how far they have applied the log.
CREATE TABLE node (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    incarnation BIGINT NOT NULL,
    applied     BIGINT NOT NULL,
    seen        BIGINT NOT NULL
);

CREATE TABLE receipt (
    change         BIGINT NOT NULL,
    node           TEXT COLLATE "C" NOT NULL,
    sockets_closed BIGINT NOT NULL,
    took           BIGINT NOT NULL, -- microseconds
    at             BIGINT NOT NULL,
    PRIMARY KEY (change, node)
);
CREATE INDEX receipt_by_time ON receipt (at);

CREATE TABLE lease (
    name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder  TEXT COLLATE "C" NOT NULL,
    expires BIGINT NOT NULL
);

CREATE TABLE audit_event (
    number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order of arrival
    id      TEXT COLLATE "C" NOT NULL UNIQUE,
    at      BIGINT NOT NULL,
    node    TEXT COLLATE "C" NOT NULL,
    tenant  TEXT COLLATE "C" NOT NULL,
    actor   TEXT COLLATE "C" NOT NULL,
    action  TEXT COLLATE "C" NOT NULL,
    target  TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    reason  TEXT COLLATE "C" NOT NULL,
    dialect TEXT COLLATE "C" NOT NULL,
    method  TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    count   BIGINT NOT NULL,
    detail  TEXT COLLATE "C" NOT NULL, -- JSON, empty without
    person  TEXT COLLATE "C" NOT NULL,
    sealed  BYTEA,
    seq     BIGINT UNIQUE, -- place in the chain
    hash    BYTEA
);
CREATE INDEX audit_event_unsealed ON audit_event (number) WHERE seq IS NULL;
CREATE INDEX audit_event_by_tenant ON audit_event (tenant, number);
CREATE INDEX audit_event_by_actor ON audit_event (actor, number);
CREATE INDEX audit_event_by_target ON audit_event (target, number);
CREATE INDEX audit_event_by_time ON audit_event (at);

-- One row: where the chain ends.
CREATE TABLE audit_tip (
    one  SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
    seq  BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
INSERT INTO audit_tip (one, seq, hash) VALUES (1, 0, '');

CREATE TABLE audit_head (
    seq       BIGINT NOT NULL PRIMARY KEY,
    hash      BYTEA NOT NULL,
    at        BIGINT NOT NULL,
    node      TEXT COLLATE "C" NOT NULL,
    key_name  TEXT COLLATE "C" NOT NULL,
    signature BYTEA NOT NULL
);

-- Signing keys; tenant is empty for the installation's own.
CREATE TABLE signing_key (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    use         TEXT COLLATE "C" NOT NULL,
    alg         TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    public_key  BYTEA NOT NULL,
    private_key BYTEA NOT NULL, -- sealed; empty once erased
    life        BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    activated   BIGINT NOT NULL,
    retired     BIGINT NOT NULL,
    ended       BIGINT NOT NULL
);
CREATE UNIQUE INDEX signing_key_next ON signing_key (tenant, use, alg) WHERE state = 'next';
CREATE UNIQUE INDEX signing_key_active ON signing_key (tenant, use, alg) WHERE state = 'active';
CREATE INDEX signing_key_by_tenant ON signing_key (tenant, created);

-- JWTs taken away before they expired.
CREATE TABLE revoked_token (
    hash      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant    TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    expires   BIGINT NOT NULL,
    change    BIGINT NOT NULL
);
CREATE INDEX revoked_token_by_expiry ON revoked_token (expires);

CREATE TABLE opaque_token (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest     BYTEA NOT NULL UNIQUE,
    tenant     TEXT COLLATE "C" NOT NULL,
    principal  TEXT COLLATE "C" NOT NULL,
    credential TEXT COLLATE "C" NOT NULL,
    secret     TEXT COLLATE "C" NOT NULL,
    family     TEXT COLLATE "C" NOT NULL,
    scopes     TEXT COLLATE "C" NOT NULL, -- JSON; empty where there is no narrowing
    audience   TEXT COLLATE "C" NOT NULL, -- JSON
    proof_key  TEXT COLLATE "C" NOT NULL,
    issued     BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    revoked    BIGINT NOT NULL,
    change     BIGINT NOT NULL
);
CREATE INDEX opaque_token_by_principal ON opaque_token (tenant, principal, issued);
CREATE INDEX opaque_token_by_expiry ON opaque_token (expires);

-- Refresh families.
CREATE TABLE grant_family (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    principal  TEXT COLLATE "C" NOT NULL,
    client     TEXT COLLATE "C" NOT NULL,
    credential TEXT COLLATE "C" NOT NULL,
    secret     TEXT COLLATE "C" NOT NULL,
    scopes     TEXT COLLATE "C" NOT NULL, -- JSON; empty where there is no narrowing
    audience   TEXT COLLATE "C" NOT NULL, -- JSON
    proof_key  TEXT COLLATE "C" NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    idle       BIGINT NOT NULL, -- microseconds
    ended      BIGINT NOT NULL,
    end_reason TEXT COLLATE "C" NOT NULL,
    change     BIGINT NOT NULL
);
CREATE INDEX grant_family_by_principal ON grant_family (tenant, principal, created);
CREATE INDEX grant_family_by_end ON grant_family (ended);
CREATE INDEX grant_family_by_expiry ON grant_family (expires);

CREATE TABLE refresh_token (
    digest     BYTEA NOT NULL PRIMARY KEY,
    family     TEXT COLLATE "C" NOT NULL REFERENCES grant_family (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    salt       BYTEA NOT NULL, -- empty once erased
    issued     BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    rotated    BIGINT NOT NULL,
    rotated_by BYTEA NOT NULL,
    UNIQUE (family, generation)
);
CREATE INDEX refresh_token_salted ON refresh_token (rotated) WHERE rotated > 0 AND LENGTH(salt) > 0;

-- Data keys, wrapped by the master key.
CREATE TABLE seal_key (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    purpose    TEXT COLLATE "C" NOT NULL,
    person     TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    master_key TEXT COLLATE "C" NOT NULL,
    box        BYTEA NOT NULL, -- empty once erased
    created    BIGINT NOT NULL,
    erased     BIGINT NOT NULL,
    UNIQUE (tenant, purpose, person, version)
);
CREATE INDEX seal_key_by_master ON seal_key (master_key, id);

-- Methods that are switched off.
CREATE TABLE method_off (
    tenant  TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
    dialect TEXT COLLATE "C" NOT NULL,
    method  TEXT COLLATE "C" NOT NULL,
    since   BIGINT NOT NULL,
    PRIMARY KEY (tenant, dialect, method)
);
