package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLine is the longest line; a credential has no need for more.
const maxLine = 64 << 10

// Format says how the input is written.
type Format string

// The formats.
const (
	JSONLines Format = "jsonl"
	CSV       Format = "csv"
)

// Line is one line of the input that is not empty, with its number from 1.
// Exactly one of Record and Err is of interest.
type Line struct {
	Number int
	Text   []byte // as it came, for the file of rejected lines; contains secrets
	Record Record
	Err    error
}

// Reader reads lines one after the other.
type Reader struct {
	r       *bufio.Reader
	number  int
	columns columns
	header  []byte
}

// NewReader begins reading. For CSV it reads the line of column names; an error
// there is an error of the whole.
func NewReader(in io.Reader, f Format) (*Reader, error) {
	r := &Reader{r: bufio.NewReaderSize(in, maxLine)}
	if bom, err := r.r.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		r.r.Discard(3)
	}
	switch f {
	case JSONLines:
		return r, nil
	case CSV:
	default:
		return nil, fmt.Errorf("format %q is not known; there are %q and %q", f, JSONLines, CSV)
	}
	text, err := r.line()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the input is empty; CSV begins with a line of column names")
	}
	if err != nil {
		return nil, fmt.Errorf("read column names: %w", err)
	}
	r.header = text
	if r.columns, err = parseColumns(text); err != nil {
		return nil, fmt.Errorf("read column names: %w", err)
	}
	return r, nil
}

// NewReaderWith reads CSV whose line of column names is given apart; the first
// line of in has the number 1.
func NewReaderWith(in io.Reader, names string) (*Reader, error) {
	c, err := parseColumns([]byte(names))
	if err != nil {
		return nil, fmt.Errorf("read column names: %w", err)
	}
	return &Reader{r: bufio.NewReaderSize(in, maxLine), columns: c, header: []byte(names)}, nil
}

// Header is the line of column names; nil for JSON lines.
func (r *Reader) Header() []byte { return r.header }

// Next returns the next line, or io.EOF. A line that cannot be understood has
// its Err set and is followed by others; an error returned ends the input.
func (r *Reader) Next() (Line, error) {
	for {
		text, err := r.line()
		switch {
		case errors.Is(err, errLong):
			return Line{Number: r.number, Err: problemf("the line is longer than %d bytes", maxLine)}, nil
		case err != nil:
			return Line{}, err
		case len(bytes.TrimSpace(text)) == 0:
			continue
		}
		l := Line{Number: r.number, Text: text}
		if r.columns != nil {
			l.Record, l.Err = r.columns.parse(text)
		} else {
			l.Record, l.Err = parseJSON(text)
		}
		return l, nil
	}
}

var errLong = errors.New("line too long")

// line reads up to the next line feed, without it and a carriage return before.
func (r *Reader) line() ([]byte, error) {
	r.number++
	text, err := r.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) { // nothing of the rest is a line
			_, err = r.r.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read input: %w", err)
		}
		return nil, errLong
	}
	if err == io.EOF && len(text) == 0 {
		return nil, io.EOF
	}
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read input: %w", err)
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	return bytes.Clone(bytes.TrimSuffix(text, []byte("\r"))), nil
}
