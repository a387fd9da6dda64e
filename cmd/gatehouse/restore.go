package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/backup"
	"gatehouse.dev/internal/config"
)

// restorePlan is what the command line says.
type restorePlan struct {
	config     string
	journals   []string
	acceptLost bool
	keepTokens bool
	json       bool
}

func restoreCommand(p *program) *cobra.Command {
	var plan restorePlan
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the database, without what was revoked since",
		Long: `Replaces the database by a backup. Stop the server first.

What was taken away after the backup is taken away again: it is found in the database
that is replaced, or else in the journal that every node keeps (by default the one in
the data folder). Where neither knows, restore refuses and lists what may be alive
again; --accept-lost-revocations goes on all the same.

Grants and tokens from before end, unless told otherwise. What was there is kept beside
the database under another name (SQLite). Nothing is changed unless all of it works.`,
		Example: `  gatehouse restore /backup/gatehouse-2027-01-31.tar
  gatehouse restore copy.tar --journal /mnt/node-a/journal --journal /mnt/node-b/journal
  gatehouse restore copy.tar --accept-lost-revocations --json > report.json`,
		GroupID: groupServer,
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return p.restore(c, args[0], plan) },
	}
	configFlag(p, c, &plan.config)
	f := c.Flags()
	f.StringArrayVar(&plan.journals, "journal", nil, "journal `FOLDER` of a node; may be given several times (default: the one in the data folder)")
	f.BoolVar(&plan.acceptLost, "accept-lost-revocations", false, "go on although revocations made after the backup may be lost")
	f.BoolVar(&plan.keepTokens, "keep-tokens", false, "let grants and tokens from before live on")
	f.BoolVar(&plan.json, "json", false, "print the whole report as JSON")
	return c
}

func (p *program) restore(c *cobra.Command, file string, plan restorePlan) error {
	conf, err := config.Load(plan.config, p.getenv)
	if err != nil {
		return err
	}
	if len(plan.journals) == 0 {
		plan.journals = []string{app.JournalDir(conf.DataDir)}
	}
	r := backup.Restore{
		Backup: file, Target: databaseOf(conf), Journals: plan.journals,
		AcceptLost: plan.acceptLost, KeepTokens: plan.keepTokens, Node: conf.Node,
	}
	report, err := r.Run(c.Context())
	var lost *backup.LostError
	if errors.As(err, &lost) {
		return p.tellLost(lost, plan.json)
	}
	if err != nil {
		return err
	}
	if plan.json {
		return p.printValue(report)
	}
	tellRestored(p.stdout, report)
	return nil
}

// shownAlive is how many lines of each sort are shown to people.
const shownAlive = 20

func (p *program) tellLost(lost *backup.LostError, asJSON bool) error {
	if asJSON {
		if err := p.printValue(map[string]any{"refused": lost.Why, "may_be_alive": lost.Alive}); err != nil {
			return err
		}
		return errSilent
	}
	fmt.Fprintln(p.stderr, "Nothing was changed: what was revoked after the backup cannot all be found.")
	for _, why := range lost.Why {
		fmt.Fprintln(p.stderr, " -", why)
	}
	fmt.Fprintln(p.stderr, "\nThese work in the backup and may have been revoked since:")
	lost.Alive.Write(p.stderr, shownAlive)
	fmt.Fprintln(p.stderr, "\nGive the journal of a node with --journal FOLDER, or accept this with --accept-lost-revocations\n"+
		"and look through the list (all of it with --json).")
	return errSilent
}

func tellRestored(w io.Writer, r backup.Report) {
	fmt.Fprintf(w, "Restored the backup of %s; this is incarnation %d.\n", r.Backup.Created.Local().Format("2006-01-02 15:04:05"), r.Incarnation)
	switch r.From {
	case "database":
		fmt.Fprintln(w, "What was taken away since was found in the database that was replaced.")
	case "journal":
		fmt.Fprintf(w, "What was taken away since was found in the journal, which is complete until %s.\n", r.Until.Local().Format("2006-01-02 15:04:05"))
	}
	tellChanges(w, "Done again:", r.Carried)
	tellChanges(w, "Ended, because issued before the restore:", r.Ended)
	if r.Replaced != "" {
		fmt.Fprintf(w, "The former database is kept as %s.\n", r.Replaced)
	}
	if r.Alive == nil {
		return
	}
	fmt.Fprintf(w, "\nRevocations may be lost: %s.\nThese work now and may have been revoked since:\n", strings.Join(r.Lost, "; "))
	r.Alive.Write(w, shownAlive)
}

func tellChanges(w io.Writer, head string, changes []backup.Change) {
	if len(changes) == 0 {
		return
	}
	fmt.Fprintln(w, head)
	for _, c := range changes {
		fmt.Fprintf(w, "  %6d  %s\n", len(c.IDs), c.What)
	}
}
