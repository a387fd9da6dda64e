package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// batchLines is how many lines share a transaction.
const batchLines = 500

// Store is what an import needs from persistence.
type Store interface {
	ImportCredentials(ctx context.Context, batch []credential.Import, e audit.Event) ([]credential.ImportResult, error)
	RecordByLookup(ctx context.Context, tenant string, k credential.Kind, lookup string) (credential.Record, error)
	RecordByDigest(ctx context.Context, tenant string, k credential.Kind, digests [][]byte) (credential.Record, error)
}

// Tenants finds tenants.
type Tenants interface {
	TenantByName(ctx context.Context, name string) (tenant.Tenant, error)
}

// Roles tells which roles a tenant's rules know.
type Roles interface {
	KnownRole(ctx context.Context, tenant, role string) (bool, error)
}

// Importer takes over credentials. It is for one run, by one goroutine.
type Importer struct {
	Store    Store
	Tenants  Tenants
	Roles    Roles
	Digester *secret.Digester // the one that verification uses
	Hasher   credential.Hasher
	Scribe   audit.Scribe
	By       audit.By

	Tenant string // name of the tenant of lines that name none
	DryRun bool   // judge and compare, but store nothing

	// MayAdd, if set, says whether a credential may be given to the principal
	// of that tenant, kind and name, who may not exist yet.
	MayAdd func(ctx context.Context, p principal.Principal) error

	// Outcome, if set, is told what became of each line, in order within a
	// batch.
	Outcome func(Line, Outcome)
	// Progress, if set, is called after each batch.
	Progress func(Report)

	tenants map[string]tenant.Tenant
	seen    Seen
}

// Outcome says what became of a line.
type Outcome string

// The outcomes.
const (
	Imported Outcome = "imported" // in a dry run: would be
	Existed  Outcome = "existed"
	Conflict Outcome = "conflict" // it exists, and is somebody else's
	Bad      Outcome = "bad"
)

// BadLine is a line that was not imported, and why.
type BadLine struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Report is what became of the lines so far.
type Report struct {
	DryRun    bool      `json:"dry_run"`
	Lines     int       `json:"lines"` // that are not empty
	Imported  int       `json:"imported"`
	Existed   []int     `json:"existed"`   // their numbers
	Conflicts []int     `json:"conflicts"` // likewise
	Bad       []BadLine `json:"bad"`
}

// Run imports everything that in has. With an error, the report says how far it
// came; what is in is in, and shows as existing in the next run.
func (im *Importer) Run(ctx context.Context, in *Reader) (Report, error) {
	report := Report{DryRun: im.DryRun, Existed: []int{}, Conflicts: []int{}, Bad: []BadLine{}}
	im.seen = Seen{}
	for {
		lines, err := readBatch(in)
		if err == nil || errors.Is(err, io.EOF) {
			errBatch := im.batch(ctx, lines, &report)
			if errBatch != nil {
				return report, fmt.Errorf("stopped before line %d: %w", lines[0].Number, errBatch)
			}
			if im.Progress != nil {
				im.Progress(report)
			}
		}
		if errors.Is(err, io.EOF) {
			return report, nil
		}
		if err != nil {
			return report, err
		}
	}
}

func readBatch(in *Reader) ([]Line, error) {
	var lines []Line
	for len(lines) < batchLines {
		l, err := in.Next()
		if err != nil {
			return lines, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// Refuse makes a reason for a bad line, for MayAdd. It must not repeat a value.
func Refuse(reason string) error { return problem(reason) }

// candidate is a line that is good so far.
type candidate struct {
	line   int // its index in the batch
	record Record
	judged
}

// batch judges lines and stores the good ones. An error means that nothing is
// wrong with the lines, but with the store.
func (im *Importer) batch(ctx context.Context, lines []Line, report *Report) error {
	outcomes := make([]Outcome, len(lines))
	var good []candidate
	now := time.Now()
	for i := range lines {
		entry, err := im.consider(ctx, lines[i], now)
		var p problem
		switch {
		case errors.As(err, &p):
			outcomes[i], lines[i].Err = Bad, p
		case err != nil:
			return err
		default:
			good = append(good, candidate{i, lines[i].Record, entry})
		}
	}
	good, twice, err := im.absent(ctx, good, outcomes)
	if err != nil {
		return err
	}
	if !im.DryRun {
		if err := im.store(ctx, lines, good, outcomes); err != nil {
			return err
		}
		if err := im.storeTwice(ctx, lines, twice, outcomes); err != nil {
			return err
		}
	}
	im.tell(lines, outcomes, report)
	return nil
}

func (im *Importer) consider(ctx context.Context, l Line, now time.Time) (judged, error) {
	if l.Err != nil {
		return judged{}, l.Err
	}
	return im.judge(ctx, l.Record, now)
}

// store sends what is good as one transaction, or, when that is refused, line
// by line.
func (im *Importer) store(ctx context.Context, lines []Line, good []candidate, outcomes []Outcome) error {
	if len(good) == 0 {
		return nil
	}
	err := im.send(ctx, good, outcomes)
	if err == nil || len(good) == 1 || !refused(err) {
		return err
	}
	for _, c := range good {
		err := im.send(ctx, []candidate{c}, outcomes)
		if err != nil && !refused(err) {
			return err
		}
		if err != nil {
			outcomes[c.line], lines[c.line].Err = Bad, errInTheWay
		}
	}
	return nil
}

// storeTwice is for keys that an earlier line of the batch has, too. They are
// there by now, unless the store has refused that line.
func (im *Importer) storeTwice(ctx context.Context, lines []Line, twice []candidate, outcomes []Outcome) error {
	for _, c := range twice {
		there := im.seen.look(c.record, im.Tenant)
		if outcomes[c.line] = there; there != Imported {
			continue
		}
		if err := im.store(ctx, lines, []candidate{c}, outcomes); refused(err) {
			outcomes[c.line], lines[c.line].Err = Bad, errInTheWay
		} else if err != nil {
			return err
		}
	}
	return nil
}

const errInTheWay = problem("the store refuses it: another credential or a tenant is in the way")

// refused tells a batch that cannot be stored from a store that cannot serve.
func refused(err error) bool {
	return errors.Is(err, credential.ErrExists) || errors.Is(err, credential.ErrNotFound)
}

func (im *Importer) send(ctx context.Context, good []candidate, outcomes []Outcome) error {
	batch := make([]credential.Import, len(good))
	for i, c := range good {
		batch[i] = c.Import
		batch[i].Credential.CreatedBy = im.By.Actor
	}
	e, err := im.Scribe.Event(ctx, im.By, audit.Event{
		Action: "credential.import", Tenant: commonTenant(batch), Count: int64(len(batch)),
		Detail: map[string]string{"credentials": strconv.Itoa(len(batch))},
	})
	if err != nil {
		return fmt.Errorf("prepare audit event: %w", err)
	}
	results, err := im.Store.ImportCredentials(ctx, batch, e)
	if err != nil {
		return fmt.Errorf("store credentials: %w", err)
	}
	for i, c := range good {
		outcomes[c.line] = Imported
		if !results[i].Existed {
			im.note(c)
			continue
		}
		if outcomes[c.line], err = im.exists(ctx, c.judged); err != nil {
			return err
		}
		if outcomes[c.line] == Imported { // it has been revoked, or has gone meanwhile
			outcomes[c.line] = Existed
		}
	}
	return nil
}

// note remembers a key that is there now, under every form it may come in.
func (im *Importer) note(c candidate) {
	if c.Credential.Kind == credential.APIKey {
		im.seen.Note(c.record, im.Tenant)
	}
}

// commonTenant is whose event it is; the installation's when it is several's.
func commonTenant(batch []credential.Import) string {
	for _, b := range batch[1:] {
		if b.Credential.Tenant != batch[0].Credential.Tenant {
			return ""
		}
	}
	return batch[0].Credential.Tenant
}

// tell adds the outcomes to the report.
func (im *Importer) tell(lines []Line, outcomes []Outcome, report *Report) {
	for i, l := range lines {
		report.Lines++
		switch outcomes[i] {
		case Imported:
			report.Imported++
		case Existed:
			report.Existed = append(report.Existed, l.Number)
		case Conflict:
			report.Conflicts = append(report.Conflicts, l.Number)
		case Bad:
			report.Bad = append(report.Bad, BadLine{l.Number, l.Err.Error()})
		}
		if im.Outcome != nil {
			im.Outcome(l, outcomes[i])
		}
	}
}
