package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// row is one line of the table: ours against something bare.
type row struct {
	name, what, against string
	aim                 float64       // of ours / bare
	atMost              bool          // the aim is an upper bound (times); else a lower one (rates)
	unit                unit          // of what is measured; zero: a time where atMost, else a rate
	absolute            bool          // the aim is of ours alone
	rounds              int           // instead of the option's, for turns that are long
	time                time.Duration // of a turn at least, where short ones would mislead
	prepare             func(ctx context.Context, l *lab) (ours, bare side, err error)
}

// side measures once, for about that long: a rate per second, or a time in
// seconds where the row says atMost.
type side func(ctx context.Context, d time.Duration) (measure, error)

// measure is what came out of one turn.
type measure struct {
	value float64
	// cpu is the processor time of the server for one answer, in seconds; 0
	// where it is not known. It says where to look when a ratio is bad, and on
	// a machine with other work it says more than the rate.
	cpu float64
}

// errAbsent (wrapped) is returned by prepare when something is not installed
// that the row compares with.
var errAbsent = errors.New("not installed")

// result is what a row came to.
type result struct {
	row        row
	ours, bare measure // medians
	ratio      float64 // median over the rounds
	low, high  float64 // the lowest and highest round
	absent     string
	err        error
}

// measure lets both sides take turns. The first turn of each warms up and is
// thrown away.
func (l *lab) measure(ctx context.Context, r row) result {
	res := result{row: r}
	defer l.cleanRow()
	ours, bare, err := r.prepare(ctx, l)
	if errors.Is(err, errAbsent) {
		res.absent = err.Error()
		return res
	}
	if err != nil {
		res.err = fmt.Errorf("prepare: %w", err)
		return res
	}
	if l.gate != nil {
		if res.err = l.gate.settle(ctx); res.err != nil {
			return res
		}
	}
	var o, b []measure
	var ratios []float64
	rounds, d := cmp.Or(r.rounds, l.options.rounds), max(r.time, l.options.time)
	for round := range rounds + 1 {
		var x, y measure
		var errOurs, errBare error
		turns := []func(){
			func() {
				if round == rounds {
					l.startProfile(r.name, d)
				}
				x, errOurs = ours(ctx, d)
			},
			func() { y, errBare = bare(ctx, d) },
		}
		turns[round%2]() // who begins changes too
		turns[1-round%2]()
		if res.err = errors.Join(wrap("ours", errOurs), wrap("bare", errBare)); res.err != nil {
			return res
		}
		if l.options.verbose {
			fmt.Fprintf(l.out, "%-16s round %d: %s (%.0f µs) and %s (%.0f µs)\n", r.name, round,
				result{row: r}.amount(x), x.cpu*1e6, result{row: r}.amount(y), y.cpu*1e6)
		}
		if round > 0 {
			o, b, ratios = append(o, x), append(b, y), append(ratios, x.value/y.value)
		}
	}
	res.ours, res.bare, res.ratio = medians(o), medians(b), median(ratios)
	res.low, res.high = slices.Min(ratios), slices.Max(ratios)
	return res
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func medians(m []measure) measure {
	var values, cpus []float64
	for _, v := range m {
		values, cpus = append(values, v.value), append(cpus, v.cpu)
	}
	return measure{median(values), median(cpus)}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	switch n := len(s); {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

func (r result) met() bool {
	value := r.ratio
	if r.row.absolute {
		value = r.ours.value / r.row.unit.size()
	}
	if r.row.atMost {
		return value <= r.row.aim
	}
	return value >= r.row.aim
}

func (r result) line() string {
	switch {
	case r.err != nil:
		return fmt.Sprintf("%-16s FAILED: %v", r.row.name, r.err)
	case r.absent != "":
		return fmt.Sprintf("%-16s left out: %s", r.row.name, r.absent)
	}
	text := fmt.Sprintf("%-16s %s ours, %s bare: %.2f (%.2f to %.2f), aim %s", r.row.name, r.amount(r.ours), r.amount(r.bare),
		r.ratio, r.low, r.high, r.row.aimText())
	if r.ours.cpu > 0 && r.bare.cpu > 0 {
		text += fmt.Sprintf("; processor time %.0f and %.0f µs, %.2f", r.ours.cpu*1e6, r.bare.cpu*1e6, r.bare.cpu/r.ours.cpu)
	}
	return text
}

// unit is what a row counts in.
type unit string

const (
	kibibytes    unit = "KiB" // measured in bytes
	milliseconds unit = "ms"  // measured in seconds
)

func (u unit) size() float64 {
	switch u {
	case kibibytes:
		return 1 << 10
	case milliseconds:
		return 1e-3
	}
	return 1
}

func (r row) aimText() string {
	if r.absolute {
		return fmt.Sprintf("ours ≤ %.0f %s", r.aim, r.unit)
	}
	if r.atMost {
		return fmt.Sprintf("≤ %.2f", r.aim)
	}
	return fmt.Sprintf("≥ %.2f", r.aim)
}

func (r result) amount(m measure) string {
	if r.row.unit != "" {
		return fmt.Sprintf("%.1f %s", m.value/r.row.unit.size(), r.row.unit)
	}
	if r.row.atMost {
		return time.Duration(m.value * float64(time.Second)).Round(100 * time.Microsecond).String()
	}
	return fmt.Sprintf("%.0f/s", m.value)
}
