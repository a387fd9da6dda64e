-- +goose Up
--
-- Users that a credential may be used as, who made it, and from where a secret
-- was used last.

ALTER TABLE credential ADD COLUMN users TEXT COLLATE "C" NOT NULL DEFAULT ''; -- JSON; empty: any
ALTER TABLE credential ADD COLUMN created_by TEXT COLLATE "C" NOT NULL DEFAULT ''; -- empty: made before this was kept
ALTER TABLE secret ADD COLUMN last_from TEXT COLLATE "C" NOT NULL DEFAULT '';
