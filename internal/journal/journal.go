package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
)

// Options bound a journal. Only Dir is required.
type Options struct {
	Dir      string // made when absent, readable by the owner only
	FileSize int64  // a file that has grown to this is followed by a new one; 0: 16 MiB
	Files    int    // how many files are kept; 0: 8
}

// Journal is open for appending. It is safe for concurrent use. After an error
// of an append it refuses further ones, because what the file ends with is no
// longer known; open it again to go on.
type Journal struct {
	opts Options

	mu     sync.Mutex
	file   file
	number int
	size   int64
	last   revocation.Position
	broken error
}

// file is what a Journal needs of an *os.File.
type file interface {
	io.WriteSeeker
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Open opens the journal for appending, after cutting off what a crash left
// half-written.
func Open(o Options) (*Journal, error) {
	if o.FileSize == 0 {
		o.FileSize = 16 << 20
	}
	if o.Files == 0 {
		o.Files = 8
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make journal folder: %w", err)
	}
	names, err := list(o.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{opts: o}
	var good int64
	for _, name := range names {
		if good, _, err = readFile(filepath.Join(o.Dir, name), j.note); err != nil {
			return nil, err
		}
		j.number = number(name)
	}
	if good == 0 { // none yet, or its very beginning was cut off
		return j, j.next()
	}
	return j, j.reopen(good)
}

func (j *Journal) note(r Record) error {
	if r.Revocation != nil {
		j.last = r.Revocation.Position()
	}
	return nil
}

// reopen goes on in the last file, after its good part.
func (j *Journal) reopen(good int64) error {
	f, err := os.OpenFile(filepath.Join(j.opts.Dir, fileName(j.number)), os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if err := errors.Join(f.Truncate(good), f.Sync()); err != nil {
		f.Close()
		return fmt.Errorf("cut journal at its last whole record: %w", err)
	}
	if _, err := f.Seek(good, 0); err != nil {
		f.Close()
		return fmt.Errorf("open journal: %w", err)
	}
	j.file, j.size = f, good
	return nil
}

// next begins a new file and removes the oldest beyond the limit.
func (j *Journal) next() error {
	path := filepath.Join(j.opts.Dir, fileName(j.number+1))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("begin journal file: %w", err)
	}
	if _, err = f.WriteString(magic); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(j.opts.Dir)
	}
	if err != nil {
		f.Close()
		os.Remove(path) // best effort: a file without its magic is read as empty
		return fmt.Errorf("begin journal file: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.size, j.number = f, int64(len(magic)), j.number+1
	return j.removeOld()
}

func (j *Journal) removeOld() error {
	names, err := list(j.opts.Dir)
	if err != nil {
		return err
	}
	for len(names) > j.opts.Files {
		if err := os.Remove(filepath.Join(j.opts.Dir, names[0])); err != nil {
			return fmt.Errorf("remove old journal file: %w", err)
		}
		names = names[1:]
	}
	return nil
}

// AppendRevocations writes entries of the log, in order, and returns when they
// are on the disk.
func (j *Journal) AppendRevocations(incarnation int64, entries []revocation.Entry) error {
	var b []byte
	var last revocation.Position
	for _, e := range entries {
		r := Revocation{incarnation, e}
		f, err := encodeRevocation(r)
		if err != nil {
			return err
		}
		b = append(b, f...)
		last = r.Position()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.append(b); err != nil {
		return err
	}
	if len(entries) > 0 {
		j.last = last
	}
	return nil
}

// AppendHead writes an audit head, and returns when it is on the disk.
func (j *Journal) AppendHead(h audit.Head) error {
	b, err := encodeHead(h)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(b)
}

// AppendMark writes a mark, and returns when it is on the disk.
func (j *Journal) AppendMark(m Mark) error {
	b, err := encodeMark(m)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(b)
}

// Last is the position of the last revocation written, now or in an earlier
// life.
func (j *Journal) Last() revocation.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

func (j *Journal) append(b []byte) error {
	if j.broken != nil {
		return fmt.Errorf("journal failed earlier: %w", j.broken)
	}
	if len(b) == 0 {
		return nil
	}
	if j.size >= j.opts.FileSize {
		if err := j.next(); err != nil {
			return err // the old file is as good as before
		}
	}
	n, err := j.file.Write(b)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return j.undo(fmt.Errorf("write journal (%d of %d bytes): %w", n, len(b), err))
	}
	j.size += int64(n)
	return nil
}

// undo takes back a half-written append. A full disk then leaves a journal that
// can go on; when even that fails, it is given up.
func (j *Journal) undo(cause error) error {
	if err := j.file.Truncate(j.size); err != nil {
		j.broken = errors.Join(cause, err)
		return cause
	}
	if _, err := j.file.Seek(j.size, 0); err != nil {
		j.broken = errors.Join(cause, err)
	}
	return cause
}

// Close closes the file. What was appended is on the disk already.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = os.ErrClosed
	return j.file.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer d.Close()
	return d.Sync()
}
