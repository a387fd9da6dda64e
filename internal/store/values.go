package store

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// us is how a time stands in a column: Unix microseconds, 0 for the zero time.
func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment reads a time from a column: it is what Scan is given for *T.
type moment struct{ t *time.Time }

func (m moment) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time column holds %T", v)
	}
	*m.t = time.Time{}
	if n != 0 {
		*m.t = time.UnixMicro(n).UTC()
	}
	return nil
}

// span reads a duration in microseconds.
type span struct{ d *time.Duration }

func (s span) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("duration column holds %T", v)
	}
	*s.d = time.Duration(n) * time.Microsecond
	return nil
}

// blob is how bytes stand in a column that may be empty but not NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// jsonText writes v as JSON, and nil as the empty text.
func jsonText[T any, S ~[]T](v S) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and structs of texts always encode
	}
	return string(b)
}

// jsonInto reads what jsonText wrote.
type jsonInto struct{ v any }

func (j jsonInto) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("JSON column holds %T", v)
	}
	if s == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s), j.v); err != nil {
		return fmt.Errorf("read JSON column: %w", err)
	}
	return nil
}

// words reads a text of words separated by blanks.
type words struct{ list *[]string }

func (w words) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("column of words holds %T", v)
	}
	*w.list = nil
	if s != "" {
		*w.list = strings.Fields(s)
	}
	return nil
}

func networksText(p []netip.Prefix) string {
	s := make([]string, len(p))
	for i := range p {
		s[i] = p[i].String()
	}
	return strings.Join(s, " ")
}

// networks reads what networksText wrote. A prefix it cannot read is an error:
// leaving it out would widen who may come in.
type networks struct{ p *[]netip.Prefix }

func (n networks) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("network column holds %T", v)
	}
	*n.p = nil
	for f := range strings.FieldsSeq(s) {
		p, err := netip.ParsePrefix(f)
		if err != nil {
			return fmt.Errorf("read network column: %w", err)
		}
		*n.p = append(*n.p, p)
	}
	return nil
}

// addressText and address keep an address; without one, the empty text.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

type address struct{ a *netip.Addr }

func (a address) Scan(v any) (err error) {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("address column holds %T", v)
	}
	*a.a = netip.Addr{}
	if s != "" {
		if *a.a, err = netip.ParseAddr(s); err != nil {
			return fmt.Errorf("read address column: %w", err)
		}
	}
	return nil
}

// limit is how many rows a listing returns: 100 unless asked, 1000 at most.
func limit(asked int) int {
	if asked <= 0 {
		return 100
	}
	return min(asked, 1000)
}

// where collects the conditions of a listing.
type where struct {
	text []string
	args []any
}

// and adds a condition that ends where its parameter belongs: "tenant = ".
func (w *where) and(condition string, arg any) {
	w.text = append(w.text, fmt.Sprint(condition, w.arg(arg)))
}

// arg adds a parameter and returns its place, "$3".
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) String() string {
	if len(w.text) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.text, " AND ")
}

// objectText and jsonObject keep a map of texts; without one, the empty text.
func objectText(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // texts always encode
	}
	return string(b)
}

type jsonObject struct{ m *map[string]string }

func (j jsonObject) Scan(v any) error {
	*j.m = nil
	return jsonInto{j.m}.Scan(v)
}
