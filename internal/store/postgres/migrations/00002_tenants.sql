-- +goose Up
CREATE TABLE tenant (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number  BIGINT NOT NULL UNIQUE,
    name    TEXT COLLATE "C" NOT NULL UNIQUE,
    enabled BOOLEAN NOT NULL,
    created BIGINT NOT NULL
);
