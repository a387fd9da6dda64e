// Package country tells in which country an address is, by a table that the
// operator brings along. Nobody else is believed: what a caller says about
// itself decides nothing.
//
// The table is CSV with one network or range to a line, the most specific one
// counting:
//
//	203.0.113.0/24,NZ
//	2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,AU
package country

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// maxLines bounds a table; the largest public ones have some 700,000 lines.
const maxLines = 4_000_000

// Table never changes. The zero value knows no country.
type Table struct{ edges []edge }

// edge is where something begins: from its address on, up to the next edge, the
// country is that.
type edge struct {
	from netip.Addr
	code [2]byte // zero: unknown
}

// block is one line of the file.
type block struct {
	first, last netip.Addr
	code        [2]byte
	line        int
}

// Country is the code of an address, such as "NZ"; "" when nobody knows.
func (t *Table) Country(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	i, found := slices.BinarySearchFunc(t.edges, a, func(e edge, a netip.Addr) int { return e.from.Compare(a) })
	if !found {
		i--
	}
	if i < 0 || t.edges[i].code == ([2]byte{}) || t.edges[i].from.Is4() != a.Is4() {
		return ""
	}
	return string(t.edges[i].code[:])
}

// Read reads a table.
func Read(r io.Reader) (*Table, error) {
	var blocks []block
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		b, err := readLine(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if b.line = n; len(blocks) == maxLines {
			return nil, fmt.Errorf("more than %d lines", maxLines)
		}
		blocks = append(blocks, b)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	return flatten(blocks)
}

var errLine = errors.New("neither network,code nor first,last,code")

func readLine(text string) (b block, err error) {
	cells := strings.Split(text, ",")
	for i, c := range cells {
		cells[i] = strings.Trim(strings.TrimSpace(c), `"`)
	}
	code := cells[len(cells)-1]
	switch {
	case code == "-" || code == "":
	case len(code) == 2 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "":
		b.code = [2]byte{code[0], code[1]}
	default:
		return b, errors.New("the code is not two capital letters")
	}
	switch len(cells) {
	case 2:
		p, err := netip.ParsePrefix(cells[0])
		if err != nil || p.Addr().Is4In6() {
			return b, errLine
		}
		b.first, b.last = p.Masked().Addr(), lastOf(p)
	case 3:
		first, err1 := netip.ParseAddr(cells[0])
		last, err2 := netip.ParseAddr(cells[1])
		if err1 != nil || err2 != nil || first.Is4() != last.Is4() || first.Is4In6() || last.Less(first) || first.Zone() != "" || last.Zone() != "" {
			return b, errLine
		}
		b.first, b.last = first, last
	default:
		return b, errLine
	}
	return b, nil
}

func lastOf(p netip.Prefix) netip.Addr {
	raw := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(raw); i++ {
		raw[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}

// flatten lets each block hide what it lies in. Blocks that overlap otherwise
// contradict each other.
func flatten(blocks []block) (*Table, error) {
	slices.SortStableFunc(blocks, func(a, b block) int {
		if c := a.first.Compare(b.first); c != 0 {
			return c
		}
		return b.last.Compare(a.last)
	})
	t := &Table{}
	var open []block
	shut := func() {
		last := open[len(open)-1].last
		if open = open[:len(open)-1]; last.Next().IsValid() {
			under := [2]byte{}
			if len(open) > 0 {
				under = open[len(open)-1].code
			}
			t.begin(last.Next(), under)
		}
	}
	for _, b := range blocks {
		for len(open) > 0 && open[len(open)-1].last.Less(b.first) {
			shut()
		}
		if len(open) > 0 && open[len(open)-1].last.Less(b.last) {
			return nil, fmt.Errorf("line %d overlaps line %d", b.line, open[len(open)-1].line)
		}
		t.begin(b.first, b.code)
		open = append(open, b)
	}
	for len(open) > 0 {
		shut()
	}
	t.edges = slices.Clip(t.edges)
	return t, nil
}

func (t *Table) begin(from netip.Addr, code [2]byte) {
	if n := len(t.edges); n > 0 && t.edges[n-1].from == from {
		t.edges[n-1].code = code
		return
	}
	t.edges = append(t.edges, edge{from, code})
}
