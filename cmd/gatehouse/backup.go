package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/backup"
	"gatehouse.dev/internal/config"
)

// database is what backup copies and restore replaces.
type database interface {
	backup.Source
	backup.Target
}

// databaseOf is the one that the configuration names.
func databaseOf(conf *config.Config) database {
	if url, ok := conf.Database.Postgres(); ok {
		return backup.Postgres{URL: url}
	}
	return backup.SQLite{Path: app.DatabaseFile(conf.DataDir)}
}

func backupCommand(p *program) *cobra.Command {
	var file string
	var asJSON bool
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the database to a file, while it is in use",
		Long: `Writes one consistent copy of the database. The server goes on serving; it need not
run either. The file is a tar of a manifest and an SQLite database, also when the
database is PostgreSQL.

Keys in it stay wrapped: it opens nothing without the master key, which is not in it.
Keep that elsewhere, and keep the journals of the nodes (journal, in their data folders),
which know what was revoked after the copy was made.`,
		Example: `  gatehouse backup /backup/gatehouse-$(date +%F).tar
  gatehouse backup --config /etc/gatehouse/gatehouse.yaml copy.tar --json`,
		GroupID: groupServer,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			conf, err := config.Load(file, p.getenv)
			if err != nil {
				return err
			}
			m, err := backup.Create(c.Context(), databaseOf(conf), args[0], versionText())
			if err != nil {
				return err
			}
			if asJSON {
				return p.printValue(m)
			}
			_, err = fmt.Fprintf(p.stdout, "Wrote %s: %d bytes, up to revocation %d and audit row %d.\n", args[0], m.Size, m.LogHead, m.AuditSeq)
			return err
		},
	}
	configFlag(p, c, &file)
	c.Flags().BoolVar(&asJSON, "json", false, "print the manifest as JSON")
	return c
}

// printValue prints v as JSON.
func (p *program) printValue(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
