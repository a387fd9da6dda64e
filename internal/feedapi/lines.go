package feedapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json"

	"gatehouse.dev/internal/feed"
)

// MaxLine bounds one line of a stream: a whole report and what goes with it.
const MaxLine = feed.MaxDocument + 4<<10

// lines reads a stream line by line.
type lines struct {
	in     *bufio.Reader
	buffer []byte // of a line that is longer than what in holds
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, 4<<10)} }

// next returns the next line without its end, valid until it is called again.
// The last line may lack its end. At the end of the stream the error is io.EOF.
func (l *lines) next() ([]byte, error) {
	if cap(l.buffer) > 64<<10 { // one large report must not be paid for ever
		l.buffer = nil
	}
	l.buffer = l.buffer[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		if err == nil && len(l.buffer) == 0 {
			return trim(part), nil
		}
		if len(l.buffer)+len(part) > MaxLine {
			return nil, errLongLine
		}
		l.buffer = append(l.buffer, part...)
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(l.buffer) > 0:
			return trim(l.buffer), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// more reports whether another whole line has arrived already.
func (l *lines) more() bool {
	waiting, _ := l.in.Peek(l.in.Buffered())
	return bytes.IndexByte(waiting, '\n') >= 0
}

func trim(line []byte) []byte { return bytes.Trim(line, " \t\r\n") }

// parseLine reads one update. A member that no update has is refused: a
// publisher who misspells one would otherwise believe that it counts.
func parseLine(line []byte) (feed.Update, error) {
	var u feed.Update
	if err := json.Unmarshal(line, &u, json.RejectUnknownMembers(true)); err != nil {
		return u, errLine
	}
	if err := u.Check(); err != nil {
		return u, err
	}
	// The content points into a buffer that the next line takes.
	u.Content = bytes.Clone(u.Content)
	return u, nil
}
