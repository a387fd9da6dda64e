package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
)

func auditCommand(a *admin) *cobra.Command {
	return parent("audit", "Read the audit record, and check that nobody has rewritten it", "",
		`  gatehouse audit list --since 1h
  gatehouse audit list --action 'credential.*' --actor usr_…
  gatehouse audit list --outcome refused --reveal
  gatehouse audit verify`,
		auditList(a), auditVerify(a))
}

func auditList(a *admin) *cobra.Command {
	var actor, action, target, outcome, since, until string
	var reveal, oldest bool
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List what has been done, the latest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q := adminclient.Query{"actor": actor, "action": action, "target": target, "outcome": outcome}
			if err := pastTimes(q, map[string]string{"since": since, "until": until}); err != nil {
				return err
			}
			if oldest {
				q["order"] = "oldest"
			}
			if reveal {
				q["reveal"] = "true"
			}
			items, err := list[adminapi.Event](a, c, "/v1/audit", q, limit)
			if err != nil {
				return err
			}
			t := table{head: []string{"WHEN", "WHO", "WHAT", "TO", "OUTCOME", "MORE"}, empty: "Nothing."}
			return show(a, items, t, eventRow)
		},
	}
	f := c.Flags()
	f.StringVar(&actor, "actor", "", "only what `WHO` did: an id, local or system")
	f.StringVar(&action, "action", "", "only `WHAT`, as credential.revoke or credential.*")
	f.StringVar(&target, "target", "", "only what was done to this `ID`")
	f.StringVar(&outcome, "outcome", "", "only ok, refused or failed")
	f.StringVar(&since, "since", "", "not before `TIME`: 2027-01-31, 2027-01-31T12:00:00Z, or 2h, 7d ago")
	f.StringVar(&until, "until", "", "before `TIME`, written likewise")
	f.BoolVar(&reveal, "reveal", false, "show addresses and typed names")
	f.BoolVar(&oldest, "oldest", false, "the oldest first")
	f.IntVar(&limit, "limit", 100, "show this many at most")
	offer(c, "outcome", "ok", "refused", "failed")
	return c
}

// pastTimes reads times that lie back: a length of time is one ago.
func pastTimes(q adminclient.Query, texts map[string]string) error {
	for name, text := range texts {
		if text == "" {
			continue
		}
		t, err := readTime(text, time.Now())
		if d, errSpan := readSpan(text); errSpan == nil {
			t = time.Now().Add(-d)
		}
		if err != nil {
			return fmt.Errorf("--%s: %w", name, err)
		}
		q[name] = t.UTC().Format(time.RFC3339)
	}
	return nil
}

func eventRow(e adminapi.Event) []string {
	var more []string
	if e.Count > 1 {
		more = append(more, fmt.Sprintf("%d times", e.Count))
	}
	if e.Reason != "" {
		more = append(more, e.Reason)
	}
	for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
		more = append(more, k+"="+e.Detail[k])
	}
	for _, k := range slices.Sorted(maps.Keys(e.Personal)) {
		more = append(more, k+"="+e.Personal[k])
	}
	if e.Erased {
		more = append(more, "erased")
	}
	return []string{e.At.Local().Format("2006-01-02 15:04:05"), orDash(e.Actor), e.Action, orDash(e.Target), e.Outcome, orDash(strings.Join(more, ", "))}
}

func auditVerify(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Walk the chain, and name every row that was altered, removed or moved", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var v adminapi.Verification
			printed, err := a.get(c, "/v1/audit/verify", nil, &v)
			if err != nil {
				return err
			}
			if printed {
				return failUnless(v.OK)
			}
			for _, r := range v.Restores {
				fmt.Fprintf(a.stdout, "A restore at %s lost the rows after place %d (%s).\n", r.At.Local().Format(time.DateTime), r.Cut, r.Event)
			}
			for _, f := range v.Findings {
				fmt.Fprintf(a.stderr, "%s at %d: %s\n", printable(f.Kind), f.Seq, printable(f.Text))
			}
			if !v.OK {
				fmt.Fprintf(a.stderr, "The record has been tampered with: %s in %s.\n", count(len(v.Findings), "finding"), count(int(v.Rows), "row"))
				return errSilent
			}
			_, err = fmt.Fprintf(a.stdout, "The record is whole: %s, compared with %s; %s not chained yet.\n",
				count(int(v.Rows), "row"), count(v.Heads, "signed head"), count(v.Unsealed, "row"))
			return err
		},
	}
}

// failUnless lets the exit status say what was printed already.
func failUnless(ok bool) error {
	if !ok {
		return errSilent
	}
	return nil
}
