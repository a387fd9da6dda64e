package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gatehouse.dev/internal/audit"
)

// Target is a database that can be replaced.
type Target interface {
	// hold keeps servers away, or fails because one is at work. What is held is
	// released when the context given to it ends or with release.
	hold(ctx context.Context) (held, error)
	// folder is where the work is done.
	folder() string
}

// held is a Target that nobody else uses.
type held interface {
	// copy writes the database as it is now to an SQLite file; fs.ErrNotExist
	// when there is none.
	copy(ctx context.Context, path string) error
	// install replaces the database by the SQLite file, in one step, and says
	// where the former one is kept, if anywhere.
	install(ctx context.Context, path string) (kept string, err error)
	release()
}

// Restore puts a backup in the place of a database.
type Restore struct {
	Backup   string
	Target   Target
	Journals []string // folders, of one or more nodes

	// AcceptLost goes on although revocations made after the backup may be lost.
	AcceptLost bool
	// KeepTokens lets grants and tokens from before the restore live.
	KeepTokens bool

	Node string // for the audit row
}

// Run restores. It returns a *LostError when it refuses because revocations may
// be lost; the database is then as it was, as it is after every other error.
func (r Restore) Run(ctx context.Context) (Report, error) {
	h, err := r.Target.hold(ctx)
	if err != nil {
		return Report{}, err
	}
	defer h.release()
	dir, err := os.MkdirTemp(r.Target.folder(), ".gatehouse-restore-")
	if err != nil {
		return Report{}, fmt.Errorf("make a folder to work in: %w", err)
	}
	defer os.RemoveAll(dir)
	w := &restoration{Restore: r, held: h, now: time.Now().UTC()}
	if err := w.prepare(ctx, dir); err != nil {
		return Report{}, err
	}
	if err := w.bringUpToDate(ctx, filepath.Join(dir, "old")); err != nil {
		return Report{}, err
	}
	if err := w.finish(ctx); err != nil {
		return Report{}, err
	}
	if w.report.Replaced, err = h.install(ctx, w.file); err != nil {
		return Report{}, fmt.Errorf("put the restored database in place: %w", err)
	}
	return w.report, nil
}

// restoration is a restore at work.
type restoration struct {
	Restore
	held  held
	now   time.Time
	file  string // the restored database, not in place yet
	db    *sql.DB
	facts facts // of the backup
	last  position
	// chained says that the audit chain goes on without a break.
	chained bool
	report  Report
}

// position is the highest that is known to have been reached.
type position struct{ incarnation, n int64 }

// prepare unpacks the backup and brings its schema up to date.
func (w *restoration) prepare(ctx context.Context, dir string) error {
	w.file = filepath.Join(dir, "new", databaseName)
	if err := os.Mkdir(filepath.Dir(w.file), 0o700); err != nil {
		return err
	}
	m, err := unpack(w.Backup, w.file)
	if err != nil {
		return err
	}
	w.report = Report{Backup: m, Carried: []Change{}, Ended: []Change{}}
	if err := upgrade(ctx, w.file); err != nil {
		return fmt.Errorf("bring the backup up to this program's schema: %w", err)
	}
	if w.db, err = openFile(w.file, "foreign_keys(1)"); err != nil {
		return err
	}
	if err := sound(ctx, w.db); err != nil {
		return err
	}
	w.facts, err = readFacts(ctx, w.db)
	w.last = position{w.facts.incarnation, w.facts.logHead}
	return err
}

// bringUpToDate does again what was done after the backup.
func (w *restoration) bringUpToDate(ctx context.Context, dir string) error {
	old, why, err := w.findOld(ctx, dir)
	if err != nil {
		return err
	}
	if old != "" {
		w.report.From, w.report.Until = "database", w.now
		w.report.Carried, w.chained, err = carryOver(ctx, w.db, old)
		return err
	}
	j, err := readJournals(w.Journals, w.facts)
	if err != nil {
		return err
	}
	if len(j.entries) > 0 {
		w.last.incarnation = max(w.last.incarnation, j.entries[len(j.entries)-1].Incarnation)
	}
	w.last.n = max(w.last.n, j.last)
	changes, unknown, err := replay(ctx, w.db, j.entries)
	if err != nil {
		return err
	}
	w.report.From, w.report.Until, w.report.Carried = "journal", j.until, append(w.report.Carried, changes...)
	if j.until.IsZero() {
		w.report.From = "nowhere"
	}
	if lost := append(j.holes, unknown...); len(lost) > 0 {
		return w.lose(ctx, append([]string{why}, lost...))
	}
	return w.skipNumbers(ctx, false)
}

// findOld copies the database that is replaced, if it is a later state of the
// same installation, and returns the file, or why there is none.
func (w *restoration) findOld(ctx context.Context, dir string) (path, why string, err error) {
	path = filepath.Join(dir, databaseName)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", "", err
	}
	if err := w.held.copy(ctx, path); errors.Is(err, os.ErrNotExist) {
		return "", "there is no database to replace", nil
	} else if err != nil {
		return "", fmt.Sprintf("the database that is replaced cannot be read: %v", err), nil
	}
	if err := upgrade(ctx, path); err != nil {
		return "", fmt.Sprintf("the database that is replaced cannot be read: %v", err), nil
	}
	db, err := openFile(path)
	if err != nil {
		return "", "", err
	}
	defer db.Close()
	f, err := readFacts(ctx, db)
	if err == nil {
		err = sound(ctx, db)
	}
	switch {
	case err != nil:
		return "", fmt.Sprintf("the database that is replaced cannot be read: %v", err), nil
	case f.installation == "":
		return "", "the database that is replaced is empty", nil
	case f.installation != w.facts.installation:
		return "", "", fmt.Errorf("the database that would be replaced belongs to another installation (%s, the backup is of %s); move it away first",
			f.installation, w.facts.installation)
	case f.incarnation < w.facts.incarnation || f.logHead < w.facts.logHead:
		w.last.incarnation = max(w.last.incarnation, f.incarnation)
		return "", "the database that is replaced is older than the backup", nil
	}
	w.last = position{f.incarnation, f.logHead}
	return path, "", db.Close()
}

// lose refuses, or accepts that revocations are lost and says what may be alive
// again.
func (w *restoration) lose(ctx context.Context, why []string) error {
	a, err := alive(ctx, w.db, w.now)
	if err != nil {
		return err
	}
	if !w.AcceptLost {
		return &LostError{Why: why, Alive: a}
	}
	w.report.Lost, w.report.Alive = why, &a
	return w.skipNumbers(ctx, true)
}

// skip is more numbers than any installation gives between a backup and its
// restore.
const skip = 1_000_000

// skipNumbers goes on far behind what may have been given after the backup: a
// token that names the number of a lost secret must not fit a new one. The log
// goes on where it ended, unless its end is lost: the next restore would take a
// gap for a hole.
func (w *restoration) skipNumbers(ctx context.Context, log bool) error {
	if _, err := w.db.ExecContext(ctx, `UPDATE counter SET n = (n / $1 + 1) * $1 WHERE name NOT IN ('seal', 'revocation')`, skip); err != nil {
		return fmt.Errorf("skip numbers: %w", err)
	}
	next := w.last.n
	if log {
		next = (next/skip + 1) * skip
	}
	if _, err := w.db.ExecContext(ctx, `UPDATE counter SET n = MAX(n, $1) WHERE name = 'revocation'`, next); err != nil {
		return fmt.Errorf("skip numbers: %w", err)
	}
	return nil
}

// finish raises the incarnation, ends what must not live on, and writes the
// audit row.
func (w *restoration) finish(ctx context.Context) error {
	w.report.Incarnation = w.last.incarnation + 1
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `UPDATE installation SET incarnation = $1, raised = $2`, w.report.Incarnation, w.now.UnixMicro()); err != nil {
		return fmt.Errorf("raise the incarnation: %w", err)
	}
	for _, t := range []string{"node", "lease", "receipt"} { // they are about processes that are gone
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+t); err != nil {
			return fmt.Errorf("empty table %s: %w", t, err)
		}
	}
	if !w.KeepTokens {
		if err := w.endTokens(ctx, tx); err != nil {
			return err
		}
	}
	if err := w.record(ctx, tx); err != nil {
		return fmt.Errorf("write audit row: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if _, err := w.db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return fmt.Errorf("complete the database file: %w", err)
	}
	return w.db.Close()
}

func (w *restoration) endTokens(ctx context.Context, tx *sql.Tx) error {
	now := w.now.UnixMicro()
	for _, s := range []step{
		{"principals whose tokens end", `UPDATE principal SET not_before = $1 WHERE not_before < $1 RETURNING id`},
		{"opaque tokens", `UPDATE opaque_token SET revoked = $1 WHERE revoked = 0 AND expires > $1 RETURNING id`},
		{"tickets", `UPDATE ticket SET used = $1 WHERE used = 0 AND expires > $1 RETURNING opens`},
		{"grants", `UPDATE grant_family SET ended = $1, end_reason = 'restored from a backup' WHERE ended = 0 RETURNING id`},
	} {
		ids, err := texts(ctx, tx, s.sql, now)
		if err != nil {
			return fmt.Errorf("end %s: %w", s.what, err)
		}
		if len(ids) > 0 {
			w.report.Ended = append(w.report.Ended, Change{s.what, ids})
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE refresh_token SET salt = x'' WHERE EXISTS
		(SELECT 1 FROM grant_family f WHERE f.id = refresh_token.family AND f.ended > 0)`)
	return err
}

// record says in the audit record that there was a restore. The sealer chains
// the row like any other.
func (w *restoration) record(ctx context.Context, tx *sql.Tx) error {
	detail := map[string]string{
		"backup":           w.report.Backup.Created.Format(time.RFC3339),
		"incarnation":      fmt.Sprint(w.report.Incarnation),
		"revocations_from": w.report.From,
		"lost":             fmt.Sprint(len(w.report.Lost) > 0),
	}
	if !w.chained {
		detail["chain_cut_at"] = fmt.Sprint(w.report.Backup.AuditSeq)
	}
	for _, c := range w.report.Carried {
		detail["carried: "+c.What] = fmt.Sprint(len(c.IDs))
	}
	e, err := audit.Prepare(audit.Event{
		Node: w.Node, Tenant: w.facts.installation, Actor: "local", Action: audit.ActionRestore, Dialect: "cli", Detail: detail,
	}, w.now)
	if err != nil {
		return err
	}
	text, err := detailText(e.Detail)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO audit_event (id, at, node, tenant, actor, action, target, outcome, reason, dialect, method, request, count, detail, person)
		VALUES ($1, $2, $3, $4, $5, $6, '', $7, '', $8, '', '', 1, $9, '')`,
		e.ID, e.At.UnixMicro(), e.Node, e.Tenant, e.Actor, e.Action, string(e.Outcome), e.Dialect, text)
	return err
}
