package audit

import (
	"context"
	"fmt"
	"time"
)

// Kind says what is wrong at a place of the chain.
type Kind string

// The kinds of findings.
const (
	Altered  Kind = "altered"  // the row is not what was sealed
	Removed  Kind = "removed"  // rows are missing
	Moved    Kind = "moved"    // the row stands elsewhere than it was sealed
	Added    Kind = "added"    // the row was put in afterwards
	BadHead  Kind = "bad head" // a head that our key did not sign
	Departed Kind = "departed" // the chain does not pass through a signed head
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind  Kind
	Seq   int64  // place in the chain; the first of several
	Event string // id of the row, where there is one
	Text  string // for people
}

// Report is what a verification found.
type Report struct {
	First, Last Link // of what was walked
	Rows        int64
	Heads       int // signed heads that the chain was compared with
	Unsealed    int // rows not chained yet
	Findings    []Finding
	// Restores are those after which the chain went on from an earlier place:
	// heads signed over what they took away prove nothing any more. Whoever
	// reads this should know of each.
	Restores []Restored
}

// Restored is a restore from a backup that cost rows.
type Restored struct {
	At    time.Time
	Event string // id of the row that says so
	Cut   int64  // the last place that was in the backup
}

// OK reports whether nothing is wrong.
func (r Report) OK() bool { return len(r.Findings) == 0 }

const (
	verifyBatch  = 1000
	verifyWindow = 256 // how far a moved row is looked for
	maxFindings  = 1000
)

// Verify walks the chain from its beginning and compares it with every signed
// head: those in the store and, which whoever rewrote the store cannot have
// changed, the known ones from elsewhere. It returns an error only when it
// could not read.
func Verify(ctx context.Context, store Store, signer Signer, known []Head) (Report, error) {
	v := &verifier{
		store: store, signer: signer,
		heads: map[int64][]Head{}, signed: map[string]int64{}, met: map[string]bool{},
	}
	if err := v.loadHeads(ctx, known); err != nil {
		return Report{}, err
	}
	if err := v.begin(ctx); err != nil {
		return Report{}, err
	}
	if err := v.walk(ctx); err != nil {
		return Report{}, err
	}
	unsealed, err := store.UnsealedEvents(ctx, verifyBatch)
	if err != nil {
		return Report{}, fmt.Errorf("read unsealed audit rows: %w", err)
	}
	v.report.Unsealed = len(unsealed)
	for _, r := range unsealed {
		v.note(r.Event)
	}
	v.end()
	return v.report, nil
}

type verifier struct {
	store  Store
	signer Signer
	heads  map[int64][]Head
	signed map[string]int64 // hash of a head → its place
	met    map[string]bool  // hashes of heads that the chain passes through
	report Report

	prev     Link  // the last place believed
	blind    bool  // prev's hash is not known: what stood there is gone
	start    int64 // the place after which the chain was cut on purpose
	trimmed  bool  // a row says that it was
	read     int64 // last place asked from the store
	done     bool
	window   []Row
	strays   []Row // met where they do not belong
	searches int   // for moved rows; bounded, each costs a window of hashes
	shift    int64 // places by which signed rows stand too early
	agreed   int64 // the last place at which a head agreed
	missed   []missed
}

// missed is a head that the chain does not pass through.
type missed struct {
	head   Head
	agreed int64
}

func (v *verifier) find(k Kind, seq int64, event, format string, args ...any) {
	if len(v.report.Findings) < maxFindings {
		v.report.Findings = append(v.report.Findings, Finding{k, seq, event, fmt.Sprintf(format, args...)})
	}
}

// loadHeads reads every head and keeps those that our key signed.
func (v *verifier) loadHeads(ctx context.Context, known []Head) error {
	all := known
	for after := int64(0); ; {
		heads, err := v.store.Heads(ctx, after, verifyBatch)
		if err != nil {
			return fmt.Errorf("read audit heads: %w", err)
		}
		if len(heads) == 0 {
			break
		}
		all = append(all[:len(all):len(all)], heads...)
		after = heads[len(heads)-1].Seq
	}
	for _, h := range all {
		if err := v.signer.VerifyHead(ctx, h.Key, h.message(), h.Signature); err != nil {
			v.find(BadHead, h.Seq, "", "head of %s by %s: %v", h.At.UTC().Format(time.DateTime), h.Node, err)
			continue
		}
		v.heads[h.Seq] = append(v.heads[h.Seq], h)
		v.signed[string(h.Hash)] = h.Seq
		v.report.Heads++
	}
	return nil
}

// begin settles where the chain starts: at 1, or after a signed head up to
// which rows were removed on purpose.
func (v *verifier) begin(ctx context.Context) error {
	if err := v.fill(ctx); err != nil {
		return err
	}
	if len(v.window) == 0 || v.window[0].Seq <= 1 {
		return nil
	}
	first := v.window[0].Seq
	if h := v.heads[first-1]; len(h) > 0 {
		v.prev, v.start = h[0].Link, first-1
		return nil
	}
	v.find(Removed, 1, "", "rows 1 to %d are missing, and no signed head says that the chain began later", first-1)
	v.prev, v.blind = Link{Seq: first - 1}, true
	return nil
}

// fill reads ahead, so that a moved row can be found near its place.
func (v *verifier) fill(ctx context.Context) error {
	for !v.done && len(v.window) < verifyWindow {
		rows, err := v.store.ChainedEvents(ctx, v.read, verifyBatch)
		if err != nil {
			return fmt.Errorf("read the audit chain: %w", err)
		}
		if len(rows) == 0 {
			v.done = true
			break
		}
		v.window = append(v.window, rows...)
		v.read = rows[len(rows)-1].Seq
	}
	return nil
}
