-- +goose Up

-- One-shot tickets for sockets. A row does its work within seconds.
CREATE TABLE ticket (
    digest  BLOB NOT NULL PRIMARY KEY,
    tenant  TEXT NOT NULL,
    opens   TEXT NOT NULL,
    origin  TEXT NOT NULL,
    maker   TEXT NOT NULL, -- JSON
    expires INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT;
CREATE INDEX ticket_by_expiry ON ticket (expires);
