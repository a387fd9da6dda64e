-- +goose Up

-- One-shot tickets for sockets. A row does its work within seconds.
CREATE TABLE ticket (
    digest  BYTEA NOT NULL PRIMARY KEY,
    tenant  TEXT COLLATE "C" NOT NULL,
    opens   TEXT COLLATE "C" NOT NULL,
    origin  TEXT COLLATE "C" NOT NULL,
    maker   TEXT COLLATE "C" NOT NULL, -- JSON
    expires BIGINT NOT NULL,
    used    BIGINT NOT NULL
);
CREATE INDEX ticket_by_expiry ON ticket (expires);
