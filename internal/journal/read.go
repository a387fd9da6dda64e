package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatehouse.dev/internal/audit"
)

// Damage is a place at which a file could not be read on.
type Damage struct {
	File   string
	Offset int64
}

func (d Damage) String() string { return fmt.Sprintf("%s from byte %d", d.File, d.Offset) }

// Read calls fn with every record of the journal in dir, in order, and returns
// the places where something is unreadable. A folder that does not exist is an
// empty journal. The end of the last file may be cut off: that is no damage,
// since nobody was told that it was written.
func Read(dir string, fn func(Record) error) ([]Damage, error) {
	names, err := list(dir)
	if err != nil {
		return nil, err
	}
	var damages []Damage
	for i, name := range names {
		good, clean, err := readFile(filepath.Join(dir, name), fn)
		if err != nil {
			return nil, err
		}
		if !clean && i < len(names)-1 {
			damages = append(damages, Damage{name, good})
		}
	}
	return damages, nil
}

// Heads returns the audit heads of the journal in dir.
func Heads(dir string) ([]audit.Head, error) {
	var out []audit.Head
	_, err := Read(dir, func(r Record) error {
		if r.Head != nil {
			out = append(out, *r.Head)
		}
		return nil
	})
	return out, err
}

// readFile returns how far the file is good, and whether that is all of it.
func readFile(path string, fn func(Record) error) (good int64, clean bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, fmt.Errorf("open journal: %w", err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(r, head); err != nil || string(head) != magic {
		return 0, false, nil
	}
	good = int64(len(magic))
	for {
		rec, n, err := readFrame(r)
		switch {
		case err == io.EOF:
			return good, true, nil
		case errors.Is(err, errDamaged):
			return good, false, nil
		case err != nil:
			return good, false, err
		}
		if rec != nil {
			if err := fn(*rec); err != nil {
				return good, false, err
			}
		}
		good += int64(n)
	}
}

// list returns the journal's files in order.
func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list journal: %w", err)
	}
	var names []string
	for _, e := range entries {
		if number(e.Name()) > 0 {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func fileName(n int) string { return fmt.Sprintf("%08d.journal", n) }

// number is the reverse of fileName; 0 for other files.
func number(name string) int {
	digits, ok := strings.CutSuffix(name, ".journal")
	if !ok || len(digits) != 8 {
		return 0
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
