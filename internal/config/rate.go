package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is a number of requests in a time, written like 100/s or 600/m burst 50.
// The zero value is no limit.
type Rate struct {
	N     int
	Per   time.Duration
	Burst int // at once; 0: N
}

var rateUnits = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*r = Rate{}
		return nil
	}
	rate, burst, hasBurst := strings.Cut(string(text), " burst ")
	number, unit, _ := strings.Cut(rate, "/")
	for _, u := range rateUnits {
		n, err := strconv.ParseUint(number, 10, 31)
		if u.name != unit || err != nil || n == 0 {
			continue
		}
		read := Rate{N: int(n), Per: u.per}
		if hasBurst {
			b, err := strconv.ParseUint(strings.TrimSpace(burst), 10, 31)
			if err != nil || b == 0 {
				break
			}
			read.Burst = int(b)
		}
		*r = read
		return nil
	}
	return bad("write it like 100/s, 600/m or 600/m burst 50, or off", "%q is not a rate", text)
}

func (r Rate) String() string {
	for _, u := range rateUnits {
		switch {
		case u.per != r.Per:
		case r.Burst > 0:
			return fmt.Sprintf("%d/%s burst %d", r.N, u.name, r.Burst)
		default:
			return fmt.Sprintf("%d/%s", r.N, u.name)
		}
	}
	return "off"
}

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
