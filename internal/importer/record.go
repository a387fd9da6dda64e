package importer

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse.dev/internal/secret"
)

// Record is one line, read but not judged.
type Record struct {
	Kind, Name, PrincipalKind, DisplayName string
	Tenant, Dialect, Key, Comment          string
	Roles                                  []string
	Secret                                 secret.Text
	Hash                                   secret.Text // weak ones can be guessed from it, so it is not shown either
	Networks                               []netip.Prefix
	Users                                  []string
	NotBefore, Expires                     time.Time
	Disabled                               bool
}

// problem is why a line is bad. Its text never repeats a value: who mixes up
// two columns would find his secrets in the report.
type problem string

func (p problem) Error() string { return string(p) }

func problemf(format string, args ...any) error { return problem(fmt.Sprintf(format, args...)) }

// setters say what each member does. Lists come in one piece for CSV.
var setters = map[string]func(r *Record, v string) error{
	"kind":           func(r *Record, v string) error { r.Kind = v; return nil },
	"name":           func(r *Record, v string) error { r.Name = v; return nil },
	"principal_kind": func(r *Record, v string) error { r.PrincipalKind = v; return nil },
	"display_name":   func(r *Record, v string) error { r.DisplayName = v; return nil },
	"tenant":         func(r *Record, v string) error { r.Tenant = v; return nil },
	"dialect":        func(r *Record, v string) error { r.Dialect = v; return nil },
	"key":            func(r *Record, v string) error { r.Key = v; return nil },
	"secret":         func(r *Record, v string) error { r.Secret = secret.New(v); return nil },
	"hash":           func(r *Record, v string) error { r.Hash = secret.New(v); return nil },
	"comment":        func(r *Record, v string) error { r.Comment = v; return nil },
	"roles":          func(r *Record, v string) error { r.Roles = append(r.Roles, strings.Fields(v)...); return nil },
	"networks":       setNetworks,
	"users":          func(r *Record, v string) error { r.Users = append(r.Users, strings.Fields(v)...); return nil },
	"not_before":     func(r *Record, v string) error { return setTime(&r.NotBefore, "not_before", v) },
	"expires":        func(r *Record, v string) error { return setTime(&r.Expires, "expires", v) },
	"enabled":        setEnabled,
}

// Members are the names of all members, sorted.
func Members() []string {
	var out []string
	for name := range setters {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// set fills in one member by its name.
func (r *Record) set(name, value string) error {
	f := setters[name]
	if f == nil {
		return problemf("member %s is not known", shown(name))
	}
	if strings.ContainsRune(value, 0) {
		return problemf("%s contains NUL", name)
	}
	return f(r, value)
}

// shown is an unknown name if it looks like one, and not like a secret.
func shown(name string) string {
	plain := func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }
	if len(name) == 0 || len(name) > 20 || strings.ContainsFunc(name, plain) {
		return "(not a name)"
	}
	return strconv.Quote(name)
}

func setNetworks(r *Record, v string) error {
	for f := range strings.FieldsSeq(v) {
		p, err := netip.ParsePrefix(f)
		if err != nil {
			a, errAddr := netip.ParseAddr(f)
			if errAddr != nil {
				return problem("networks has an entry that is not a network such as 10.0.0.0/8")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		r.Networks = append(r.Networks, p)
	}
	return nil
}

func setTime(t *time.Time, name, v string) error {
	if v == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return problemf("%s is not a time such as 2027-01-31T12:00:00Z", name)
	}
	*t = at
	return nil
}

func setEnabled(r *Record, v string) error {
	switch strings.ToLower(v) {
	case "", "true", "yes", "1":
		return nil
	case "false", "no", "0":
		r.Disabled = true
		return nil
	}
	return problem("enabled is neither true nor false")
}
