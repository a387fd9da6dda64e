package country

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sample = `# a comment

203.0.113.0/24,NZ
203.0.113.128/25,AU
203.0.113.129/32,-
"198.51.100.0","198.51.100.9","FJ"
2001:db8::/32,NZ
2001:db8:1::,2001:db8:1:ffff:ffff:ffff:ffff:ffff,AU
255.255.255.255/32,XX
`

func TestTable(t *testing.T) {
	t.Parallel()
	table, err := Read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[string]string{
		"203.0.112.255": "", "203.0.113.0": "NZ", "203.0.113.127": "NZ", "203.0.113.128": "AU", "203.0.113.129": "",
		"203.0.113.130": "AU", "203.0.113.255": "AU", "203.0.114.0": "",
		"198.51.99.255": "", "198.51.100.0": "FJ", "198.51.100.9": "FJ", "198.51.100.10": "",
		"::ffff:203.0.113.1": "NZ", "2001:db8::1": "NZ", "2001:db8:1::1": "AU", "2001:db8:2::1": "NZ", "2001:db9::": "",
		"255.255.255.255": "XX", "::": "", "::1": "", "0.0.0.0": "", "2001:db8::1%eth0": "NZ",
	} {
		if got := table.Country(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is in %q, want %q", a, got, want)
		}
	}
	if got := new(Table).Country(netip.MustParseAddr("::1")); got != "" {
		t.Errorf("an empty table says %q", got)
	}
}

func TestBadTables(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"x,NZ":                  "line 1: neither",
		"\n1.2.3.0/24":          "line 2: the code",
		"1.2.3.0/24,nz":         "line 1: the code",
		"1.2.3.4,1.2.3.3,NZ":    "line 1: neither",
		"1.2.3.4,::1,NZ":        "line 1: neither",
		"::ffff:1.2.3.0/120,NZ": "line 1: neither",
		"1.2.3.0,1.2.3.9,NZ\n1.2.3.5,1.2.3.10,AU": "line 2 overlaps line 1",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s…", text, err, want)
		}
	}
}

func TestFileIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "countries.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	write("203.0.113.0/24,NZ")
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	a, logger := netip.MustParseAddr("203.0.113.7"), slog.New(slog.DiscardHandler)
	for _, step := range []struct{ text, want string }{{"203.0.113.0/24,AU", "AU"}, {"nonsense", "AU"}, {"203.0.113.0/24,FJ", "FJ"}} {
		write(step.text)
		if f.look(logger); f.Country(a) != step.want {
			t.Errorf("after %q: %q, want %q", step.text, f.Country(a), step.want)
		}
	}
	if _, err := Open(name + ".none"); err == nil {
		t.Error("opened a file that is not there")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, line := range strings.Split(text, "\n") {
			if b, err := readLine(strings.TrimSpace(line)); err == nil {
				table.Country(b.first)
			}
		}
	})
}
