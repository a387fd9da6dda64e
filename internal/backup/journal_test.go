package backup_test

import (
	"testing"

	"gatehouse.dev/internal/journal"
	"gatehouse.dev/internal/revocation"
)

// copyJournal copies the marks and those revocations that keep says.
func copyJournal(t *testing.T, from, to string, keep func(revocation.Entry) bool) {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: to})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	_, err = journal.Read(from, func(r journal.Record) error {
		switch {
		case r.Mark != nil:
			return j.AppendMark(*r.Mark)
		case r.Revocation != nil && keep(r.Revocation.Entry):
			return j.AppendRevocations(r.Revocation.Incarnation, []revocation.Entry{r.Revocation.Entry})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
