-- +goose Up
--
-- Times are Unix microseconds, 0 where there is none. Identifiers and names are
-- compared byte by byte.

-- One row: the oldest schema a program may know and still run on this database.
CREATE TABLE schema_floor (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    floor INTEGER NOT NULL
) STRICT;
INSERT INTO schema_floor (one, floor) VALUES (1, 1);

-- One row: what this database is. A restore or failover raises the incarnation.
CREATE TABLE installation (
    one         INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    incarnation INTEGER NOT NULL,
    raised      INTEGER NOT NULL
) STRICT;
INSERT INTO installation (one, incarnation, raised) VALUES (1, 1, 0);

-- Numbers that are given once: the last one given.
CREATE TABLE counter (
    name TEXT NOT NULL PRIMARY KEY,
    n    INTEGER NOT NULL
) STRICT;
INSERT INTO counter (name, n) VALUES
    ('tenant', 1000), ('principal', 1000), ('credential', 1000), ('secret', 1000), ('seal', 0), ('revocation', 0);

CREATE TABLE tenant (
    id      TEXT NOT NULL PRIMARY KEY,
    number  INTEGER NOT NULL UNIQUE,
    name    TEXT NOT NULL UNIQUE,
    enabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE principal (
    id           TEXT NOT NULL PRIMARY KEY,
    number       INTEGER NOT NULL UNIQUE,
    tenant       TEXT NOT NULL REFERENCES tenant (id),
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    display_name TEXT NOT NULL,
    comment      TEXT NOT NULL,
    enabled      INTEGER NOT NULL,
    not_before   INTEGER NOT NULL, -- tokens issued earlier are dead
    reuse_window INTEGER NOT NULL, -- microseconds
    created      INTEGER NOT NULL,
    UNIQUE (tenant, kind, name)
) STRICT;

CREATE TABLE principal_role (
    principal TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    role      TEXT NOT NULL,
    granted   INTEGER NOT NULL,
    PRIMARY KEY (principal, role)
) STRICT;

CREATE TABLE credential (
    id         TEXT NOT NULL PRIMARY KEY,
    number     INTEGER NOT NULL UNIQUE,
    tenant     TEXT NOT NULL REFERENCES tenant (id),
    principal  TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    dialect    TEXT NOT NULL,
    lookup     TEXT NOT NULL,
    comment    TEXT NOT NULL,
    enabled    INTEGER NOT NULL,
    revoked    INTEGER NOT NULL,
    networks   TEXT NOT NULL, -- prefixes, separated by blanks
    not_before INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    created    INTEGER NOT NULL
) STRICT;
-- A revoked credential lets go of its name, so that a user may get a new password.
CREATE UNIQUE INDEX credential_by_lookup ON credential (tenant, kind, lookup) WHERE kind <> 'api_key' AND revoked = 0;
CREATE INDEX credential_by_lookup_ever ON credential (tenant, kind, lookup);
CREATE INDEX credential_by_principal ON credential (principal);

CREATE TABLE secret (
    id         TEXT NOT NULL PRIMARY KEY,
    number     INTEGER NOT NULL UNIQUE,
    credential TEXT NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    tenant     TEXT NOT NULL, -- of the credential, for the index
    kind       TEXT NOT NULL, -- of the credential, for the index
    scheme     TEXT NOT NULL,
    hash       BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    revoked    INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    last_used  INTEGER NOT NULL
) STRICT;
CREATE INDEX secret_by_credential ON secret (credential);
-- A revoked key keeps its place: the same text must not come back.
CREATE UNIQUE INDEX secret_by_digest ON secret (tenant, hash) WHERE kind = 'api_key';

CREATE TABLE policy_set (
    tenant  TEXT NOT NULL PRIMARY KEY REFERENCES tenant (id),
    version INTEGER NOT NULL,
    cedar   TEXT NOT NULL,
    roles   TEXT NOT NULL -- JSON
) STRICT;

-- The log of rights taken away.
CREATE TABLE revocation (
    n      INTEGER NOT NULL PRIMARY KEY,
    effect INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
CREATE INDEX revocation_by_time ON revocation (at);

CREATE TABLE revocation_ground (
    n    INTEGER NOT NULL REFERENCES revocation (n) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (n, kind, id)
) STRICT;

-- Nodes and how far they have applied the log.
CREATE TABLE node (
    id          TEXT NOT NULL PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    applied     INTEGER NOT NULL,
    seen        INTEGER NOT NULL
) STRICT;

CREATE TABLE receipt (
    change         INTEGER NOT NULL,
    node           TEXT NOT NULL,
    sockets_closed INTEGER NOT NULL,
    took           INTEGER NOT NULL, -- microseconds
    at             INTEGER NOT NULL,
    PRIMARY KEY (change, node)
) STRICT;
CREATE INDEX receipt_by_time ON receipt (at);

CREATE TABLE lease (
    name    TEXT NOT NULL PRIMARY KEY,
    holder  TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_event (
    number  INTEGER PRIMARY KEY AUTOINCREMENT, -- order of arrival
    id      TEXT NOT NULL UNIQUE,
    at      INTEGER NOT NULL,
    node    TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason  TEXT NOT NULL,
    dialect TEXT NOT NULL,
    method  TEXT NOT NULL,
    request TEXT NOT NULL,
    count   INTEGER NOT NULL,
    detail  TEXT NOT NULL, -- JSON, empty without
    person  TEXT NOT NULL,
    sealed  BLOB,
    seq     INTEGER UNIQUE, -- place in the chain
    hash    BLOB
) STRICT;
CREATE INDEX audit_event_unsealed ON audit_event (number) WHERE seq IS NULL;
CREATE INDEX audit_event_by_tenant ON audit_event (tenant, number);
CREATE INDEX audit_event_by_actor ON audit_event (actor, number);
CREATE INDEX audit_event_by_target ON audit_event (target, number);
CREATE INDEX audit_event_by_time ON audit_event (at);

-- One row: where the chain ends.
CREATE TABLE audit_tip (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
INSERT INTO audit_tip (one, seq, hash) VALUES (1, 0, x'');

CREATE TABLE audit_head (
    seq       INTEGER NOT NULL PRIMARY KEY,
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    node      TEXT NOT NULL,
    key_name  TEXT NOT NULL,
    signature BLOB NOT NULL
) STRICT;

-- Signing keys; tenant is empty for the installation's own.
CREATE TABLE signing_key (
    id          TEXT NOT NULL PRIMARY KEY,
    tenant      TEXT NOT NULL,
    use         TEXT NOT NULL,
    alg         TEXT NOT NULL,
    state       TEXT NOT NULL,
    public_key  BLOB NOT NULL,
    private_key BLOB NOT NULL, -- sealed; empty once erased
    life        INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    activated   INTEGER NOT NULL,
    retired     INTEGER NOT NULL,
    ended       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX signing_key_next ON signing_key (tenant, use, alg) WHERE state = 'next';
CREATE UNIQUE INDEX signing_key_active ON signing_key (tenant, use, alg) WHERE state = 'active';
CREATE INDEX signing_key_by_tenant ON signing_key (tenant, created);

-- JWTs taken away before they expired.
CREATE TABLE revoked_token (
    hash      TEXT NOT NULL PRIMARY KEY,
    tenant    TEXT NOT NULL,
    principal TEXT NOT NULL,
    expires   INTEGER NOT NULL,
    change    INTEGER NOT NULL
) STRICT;
CREATE INDEX revoked_token_by_expiry ON revoked_token (expires);

CREATE TABLE opaque_token (
    id         TEXT NOT NULL PRIMARY KEY,
    digest     BLOB NOT NULL UNIQUE,
    tenant     TEXT NOT NULL,
    principal  TEXT NOT NULL,
    credential TEXT NOT NULL,
    secret     TEXT NOT NULL,
    family     TEXT NOT NULL,
    scopes     TEXT NOT NULL, -- JSON; empty where there is no narrowing
    audience   TEXT NOT NULL, -- JSON
    proof_key  TEXT NOT NULL,
    issued     INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    revoked    INTEGER NOT NULL,
    change     INTEGER NOT NULL
) STRICT;
CREATE INDEX opaque_token_by_principal ON opaque_token (tenant, principal, issued);
CREATE INDEX opaque_token_by_expiry ON opaque_token (expires);

-- Refresh families.
CREATE TABLE grant_family (
    id         TEXT NOT NULL PRIMARY KEY,
    tenant     TEXT NOT NULL,
    principal  TEXT NOT NULL,
    client     TEXT NOT NULL,
    credential TEXT NOT NULL,
    secret     TEXT NOT NULL,
    scopes     TEXT NOT NULL, -- JSON; empty where there is no narrowing
    audience   TEXT NOT NULL, -- JSON
    proof_key  TEXT NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    idle       INTEGER NOT NULL, -- microseconds
    ended      INTEGER NOT NULL,
    end_reason TEXT NOT NULL,
    change     INTEGER NOT NULL
) STRICT;
CREATE INDEX grant_family_by_principal ON grant_family (tenant, principal, created);
CREATE INDEX grant_family_by_end ON grant_family (ended);
CREATE INDEX grant_family_by_expiry ON grant_family (expires);

CREATE TABLE refresh_token (
    digest     BLOB NOT NULL PRIMARY KEY,
    family     TEXT NOT NULL REFERENCES grant_family (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    salt       BLOB NOT NULL, -- empty once erased
    issued     INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    rotated    INTEGER NOT NULL,
    rotated_by BLOB NOT NULL,
    UNIQUE (family, generation)
) STRICT;
CREATE INDEX refresh_token_salted ON refresh_token (rotated) WHERE rotated > 0 AND LENGTH(salt) > 0;

-- Data keys, wrapped by the master key.
CREATE TABLE seal_key (
    id         TEXT NOT NULL PRIMARY KEY,
    tenant     TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    person     TEXT NOT NULL,
    version    INTEGER NOT NULL,
    master_key TEXT NOT NULL,
    box        BLOB NOT NULL, -- empty once erased
    created    INTEGER NOT NULL,
    erased     INTEGER NOT NULL,
    UNIQUE (tenant, purpose, person, version)
) STRICT;
CREATE INDEX seal_key_by_master ON seal_key (master_key, id);

-- Methods that are switched off.
CREATE TABLE method_off (
    tenant  TEXT NOT NULL REFERENCES tenant (id),
    dialect TEXT NOT NULL,
    method  TEXT NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (tenant, dialect, method)
) STRICT;
