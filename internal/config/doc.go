// Package config has the settings of Gatehouse: one struct, read from one YAML
// file, overlaid by environment variables, checked as a whole.
//
// The comments in types.go are the documentation: `gatehouse config docs`
// prints them, and docs/configuration.md is made from them. A new setting must
// work when it is absent, so that yesterday's file starts today's program.
//
// Reading collects every problem before it refuses, and each problem says where
// it is (file, line, field), what is wrong and how to mend it. Unknown names are
// problems: a misspelt setting that is silently ignored is a hole.
package config
