package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
	"gatehouse.dev/internal/importer"
)

// importPlan is what the command line says.
type importPlan struct {
	file, format, rejected string
	dryRun                 bool
}

func importCommand(p *program) *cobra.Command {
	a := &admin{program: p}
	var plan importPlan
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Take over keys, secrets and password hashes from elsewhere",
		Long: `Reads one credential per line, as JSON objects or as CSV with a line of column names:

  kind            api_key, key_pair or password
  name            whose it is; made when absent (principal_kind: client, user, …)
  key             the public half of a key_pair
  secret          the secret or password itself: kept as a digest or hash only
  hash            or its hash: Argon2id, bcrypt, PBKDF2 or SHA-256
  and if need be  tenant dialect display_name roles comment networks not_before expires enabled

Every line is accounted for: imported, there already, in conflict with what somebody
else has, or bad, with its number and why. Running it again imports only what is missing. With - the lines come from the standard
input. The server must run (on this machine, or --server); hashes are replaced by ours
when their owner first comes.`,
		Example: `  gatehouse import clients.jsonl --dry-run
  gatehouse import clients.csv --rejected bad.csv
  zcat users.jsonl.gz | gatehouse import - --tenant acme --json`,
		GroupID: groupAdmin,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			plan.file = args[0]
			return a.importFile(c.Context(), plan)
		},
	}
	a.flags(c)
	f := c.Flags()
	f.StringVar(&plan.format, "format", "", "jsonl or csv (default: by the file's name)")
	f.StringVar(&plan.rejected, "rejected", "", "write bad lines and conflicts, as they are, to a new `FILE`: to mend and import again")
	f.BoolVar(&plan.dryRun, "dry-run", false, "judge all lines and compare them with what there is, but store nothing")
	offer(c, "format", "jsonl", "csv")
	return c
}

func (a *admin) importFile(ctx context.Context, plan importPlan) (err error) {
	in, format, err := plan.open(a.stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := importer.NewReader(in, format)
	if err != nil {
		return err
	}
	run := &importRun{admin: a, plan: plan, format: format, header: r.Header(), began: time.Now(), seen: importer.Seen{}}
	run.report = importer.Report{DryRun: plan.dryRun, Existed: []int{}, Conflicts: []int{}, Bad: []importer.BadLine{}}
	if err := run.openRejected(); err != nil {
		return err
	}
	err = run.all(ctx, r)
	if errClose := run.closeRejected(); err == nil {
		err = errClose
	}
	if errTell := run.tell(); err == nil {
		err = errTell
	}
	if err == nil && len(run.report.Bad)+len(run.report.Conflicts) > 0 {
		err = errSilent
	}
	return err
}

func (plan importPlan) open(stdin io.Reader) (io.ReadCloser, importer.Format, error) {
	format := importer.Format(plan.format)
	if format == "" {
		format = importer.JSONLines
		if strings.EqualFold(filepath.Ext(plan.file), ".csv") {
			format = importer.CSV
		}
	}
	if plan.file == "-" {
		return io.NopCloser(stdin), format, nil
	}
	f, err := os.Open(plan.file)
	if err != nil {
		return nil, "", fmt.Errorf("open lines to import: %w", err)
	}
	return f, format, nil
}

// importRun sends lines in batches and puts the answers together.
type importRun struct {
	*admin
	plan     importPlan
	format   importer.Format
	header   []byte
	rejected *os.File
	report   importer.Report
	seen     importer.Seen // for a dry run: a batch does not know the others
	began    time.Time
	told     time.Time
}

func (r *importRun) all(ctx context.Context, in *importer.Reader) error {
	for {
		batch, err := nextBatch(in)
		if errBatch := r.send(ctx, batch); errBatch != nil {
			return fmt.Errorf("stopped before line %d; run it again to go on: %w", batch[0].Number, errBatch)
		}
		r.progress()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxBatchBytes keeps a batch well below what the admin API takes.
const maxBatchBytes = 128 << 10

func nextBatch(in *importer.Reader) ([]importer.Line, error) {
	var out []importer.Line
	for size := 0; len(out) < adminapi.ImportBatch && size < maxBatchBytes; {
		l, err := in.Next()
		if err != nil {
			return out, err
		}
		out = append(out, l)
		size += len(l.Text)
	}
	return out, nil
}

// send sends the lines that could be read; what could not is bad already.
func (r *importRun) send(ctx context.Context, batch []importer.Line) error {
	var good []importer.Line
	var texts []string
	for _, l := range batch {
		r.report.Lines++
		if l.Err != nil {
			if err := r.bad(l, l.Err.Error()); err != nil {
				return err
			}
			continue
		}
		good, texts = append(good, l), append(texts, string(l.Text))
	}
	if len(good) == 0 {
		return nil
	}
	api, err := r.api()
	if err != nil {
		return err
	}
	var out adminapi.Imported
	body := map[string]any{"format": string(r.format), "lines": texts, "dry_run": r.plan.dryRun}
	if r.header != nil {
		body["columns"] = string(r.header)
	}
	if err := r.patiently(ctx, func() error { return api.Post(ctx, "/v1/import", body, &out) }); err != nil {
		return err
	}
	return r.count(good, out)
}

// patiently repeats while the server says that it cannot now.
func (r *importRun) patiently(ctx context.Context, do func() error) error {
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		err := do()
		var p *adminclient.Problem
		if !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || wait > 5*time.Second {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// count adds the answers for a batch, whose lines count from 1, to the report.
func (r *importRun) count(good []importer.Line, out adminapi.Imported) error {
	outcome, bad := map[int]importer.Outcome{}, map[int]string{}
	for _, n := range out.Existed {
		outcome[n] = importer.Existed
	}
	for _, n := range out.Conflicts {
		outcome[n] = importer.Conflict
	}
	for _, b := range out.Bad {
		bad[b.Line] = b.Reason
	}
	for i, l := range good {
		if reason, isBad := bad[i+1]; isBad {
			if err := r.bad(l, reason); err != nil {
				return err
			}
			continue
		}
		if outcome[i+1] == "" && r.plan.dryRun {
			outcome[i+1] = r.seen.Note(l.Record, r.tenant)
		}
		switch outcome[i+1] {
		case importer.Existed:
			r.report.Existed = append(r.report.Existed, l.Number)
		case importer.Conflict:
			r.report.Conflicts = append(r.report.Conflicts, l.Number)
			if err := r.reject(l); err != nil {
				return err
			}
		default:
			r.report.Imported++
		}
	}
	return nil
}

func (r *importRun) bad(l importer.Line, reason string) error {
	r.report.Bad = append(r.report.Bad, importer.BadLine{Line: l.Number, Reason: reason})
	return r.reject(l)
}

func (r *importRun) reject(l importer.Line) error {
	if r.rejected == nil {
		return nil
	}
	if _, err := r.rejected.Write(append(l.Text, '\n')); err != nil {
		return fmt.Errorf("write rejected lines: %w", err)
	}
	return nil
}

// openRejected makes the file, which holds secrets.
func (r *importRun) openRejected() (err error) {
	if r.plan.rejected == "" {
		return nil
	}
	r.rejected, err = os.OpenFile(r.plan.rejected, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil && r.header != nil {
		_, err = r.rejected.Write(append(r.header, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write rejected lines: %w", err)
	}
	return nil
}

func (r *importRun) closeRejected() error {
	if r.rejected == nil {
		return nil
	}
	if err := errors.Join(r.rejected.Sync(), r.rejected.Close()); err != nil {
		return fmt.Errorf("write rejected lines: %w", err)
	}
	return nil
}

// progress tells people every other second how far it is.
func (r *importRun) progress() {
	if r.json || time.Since(r.began) < 2*time.Second || time.Since(r.told) < 2*time.Second {
		return
	}
	r.told = time.Now()
	fmt.Fprintf(r.stderr, "%s: %d imported, %d existed, %d bad\n", count(r.report.Lines, "line"), r.report.Imported, len(r.report.Existed), len(r.report.Bad))
}

func (r *importRun) tell() error {
	if r.json {
		return r.printValue(r.report)
	}
	verb := "imported"
	if r.plan.dryRun {
		verb = "would be imported"
	}
	for _, b := range r.report.Bad {
		fmt.Fprintf(r.stderr, "line %d: %s\n", b.Line, printable(b.Reason))
	}
	conflicts := ""
	if n := len(r.report.Conflicts); n > 0 {
		fmt.Fprintf(r.stderr, "lines %s: the credential exists already, and is somebody else's\n", ranges(r.report.Conflicts))
		conflicts = ", " + count(n, "conflict")
	}
	fmt.Fprintf(r.stdout, "%s: %d %s, %d existed already, %d bad%s.\n",
		count(r.report.Lines, "line"), r.report.Imported, verb, len(r.report.Existed), len(r.report.Bad), conflicts)
	if len(r.report.Existed) > 0 {
		fmt.Fprintf(r.stdout, "Existed already: lines %s.\n", ranges(r.report.Existed))
	}
	return nil
}

// ranges writes rising numbers shortly: 1-3, 7.
func ranges(ns []int) string {
	var out []string
	for i := 0; i < len(ns); {
		j := i
		for j+1 < len(ns) && ns[j+1] == ns[j]+1 {
			j++
		}
		if j > i {
			out = append(out, fmt.Sprintf("%d-%d", ns[i], ns[j]))
		} else {
			out = append(out, fmt.Sprint(ns[i]))
		}
		i = j + 1
	}
	return strings.Join(out, ", ")
}
