-- +goose Up
CREATE TABLE tenant (
    id      TEXT NOT NULL PRIMARY KEY,
    number  BIGINT NOT NULL UNIQUE,
    name    TEXT NOT NULL UNIQUE,
    enabled BOOLEAN NOT NULL,
    created BIGINT NOT NULL
);
