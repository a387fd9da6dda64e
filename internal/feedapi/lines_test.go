package feedapi

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/feed"
)

// readAll reads the lines of a stream and what it ended with.
func readAll(r io.Reader) (all []string, err error) {
	in := newLines(r)
	for {
		line, err := in.next()
		if err != nil {
			return all, err
		}
		all = append(all, string(line))
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxLine-1)
	for name, c := range map[string]struct {
		text string
		want []string
		err  error
	}{
		"Nothing":      {"", nil, io.EOF},
		"Lines":        {"a\r\n\n b \n", []string{"a", "", "b"}, io.EOF},
		"NoEnd":        {"a\nb", []string{"a", "b"}, io.EOF},
		"Longest":      {long + "\nb\n", []string{long, "b"}, io.EOF},
		"TooLong":      {"a\nx" + long + "\nb\n", []string{"a"}, errLongLine},
		"TooLongNoEnd": {strings.Repeat("x", 2*MaxLine), nil, errLongLine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(strings.NewReader(c.text))
			if !errors.Is(err, c.err) || !cmp.Equal(got, c.want) {
				t.Errorf("%d lines, %v; want %d, %v", len(got), err, len(c.want), c.err)
			}
		})
	}
}

// FuzzLines: a stream is cut into the same lines however its bytes arrive, and a
// line that is taken for an update is one.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"report":"R","kind":"row","key":"a","content":{"a":1},"goneAfter":20000}` + "\n"))
	f.Add([]byte(`{"report":"R","kind":"whole","keyMember":"K","content":[{"K":"a"}]}`))
	f.Add([]byte("\r\n{\"report\":\"R\",\"kind\":\"remove\",\"key\":\"a\"}\n\n{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, err1 := readAll(bytes.NewReader(b))
		slowly, err2 := readAll(iotest.OneByteReader(bytes.NewReader(b)))
		if !cmp.Equal(whole, slowly) || !errors.Is(err1, err2) {
			t.Fatalf("lines %q (%v), byte by byte %q (%v)", whole, err1, slowly, err2)
		}
		for _, line := range whole {
			u, err := parseLine([]byte(line))
			if err != nil {
				continue
			}
			if err := u.Check(); err != nil {
				t.Errorf("%q was taken for an update: %v", line, err)
			}
			if len(u.Content) > feed.MaxDocument {
				t.Errorf("content of %d bytes", len(u.Content))
			}
		}
	})
}
