-- +goose Up
-- One row: the oldest schema a program may know and still run on this database.
CREATE TABLE schema_floor (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    floor BIGINT NOT NULL
);
INSERT INTO schema_floor (one, floor) VALUES (1, 1);
