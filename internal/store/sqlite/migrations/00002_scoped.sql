-- +goose Up
--
-- Credentials bound to countries, and tokens that open one thing.

ALTER TABLE credential ADD COLUMN countries TEXT NOT NULL DEFAULT ''; -- codes, separated by blanks
ALTER TABLE credential ADD COLUMN scope_type TEXT NOT NULL DEFAULT '';
ALTER TABLE credential ADD COLUMN scope_key TEXT NOT NULL DEFAULT '';
ALTER TABLE credential ADD COLUMN scope_actions TEXT NOT NULL DEFAULT ''; -- JSON; empty where there is no scope
ALTER TABLE credential ADD COLUMN max_uses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN uses INTEGER NOT NULL DEFAULT 0;
CREATE INDEX credential_by_scope ON credential (tenant, scope_type, scope_key) WHERE scope_type <> '';

DROP INDEX credential_by_lookup;
CREATE UNIQUE INDEX credential_by_lookup ON credential (tenant, kind, lookup)
    WHERE kind <> 'api_key' AND kind <> 'scoped_token' AND revoked = 0;

-- As for keys: the text of a revoked token must not come back.
CREATE UNIQUE INDEX secret_by_token_digest ON secret (tenant, hash) WHERE kind = 'scoped_token';
