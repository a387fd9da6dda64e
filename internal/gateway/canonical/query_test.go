package canonical

import (
	"errors"
	"net/url"
	"testing"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":          "",
		"a=1&b=%zz": "a=1&b=%zz",
		"a=é":       "a=%C3%A9",
		"a=\xff":    "a=%FF",
		"a;b":       "a;b",
	} {
		if got, err := ParseQuery(raw); err != nil || got != want {
			t.Errorf("ParseQuery(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"a=b c", "a HTTP/1.0", "a\r\nX: y", "a\x00", "a#b", "a\x7f"} {
		if got, err := ParseQuery(raw); !errors.Is(err, ErrQuery) {
			t.Errorf("ParseQuery(%q) = %q, %v", raw, got, err)
		}
	}
}

func TestOne(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct {
		value string
		found bool
		err   error
	}{
		"":                {"", false, nil},
		"key=x":           {"x", true, nil},
		"a=1&key=x%20y+z": {"x y z", true, nil},
		"k%65y=x":         {"x", true, nil},
		"key":             {"", true, nil},
		"Key=x":           {"", false, nil},
		"key=x&key=y":     {"", false, ErrQueryAmbiguous},
		"key=x&k%65y=y":   {"", false, ErrQueryAmbiguous},
		"a=1;key=x":       {"", false, ErrQueryAmbiguous},
		"a=%zz&key=x":     {"", false, ErrQueryAmbiguous},
		"key=%":           {"", false, ErrQueryAmbiguous},
	} {
		value, found, err := One(query, "key")
		if value != want.value || found != want.found || !errors.Is(err, want.err) {
			t.Errorf("One(%q) = %q, %v, %v; want %+v", query, value, found, err, want)
		}
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"key=x":           "",
		"a=1&key=x&b=%zz": "a=1&b=%zz",
		"k%65y=x&a":       "a",
		"a=key":           "a=key",
		"key=x&key=y&a=1": "a=1",
	} {
		if got := Without(query, "key"); got != want {
			t.Errorf("Without(%q) = %q, want %q", query, got, want)
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a=1&key=x", "k%65y=1", "key&key", "a;key=1", "é=%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := ParseQuery(raw)
		if err != nil {
			return
		}
		value, found, err := One(q, "key")
		if err != nil {
			return
		}
		values, err := url.ParseQuery(q)
		if err != nil || values.Has("key") != found || found && (len(values["key"]) != 1 || values.Get("key") != value) {
			t.Errorf("One(%q) = %q, %v; the standard library reads %v, %v", q, value, found, values, err)
		}
		if _, still, _ := One(Without(q, "key"), "key"); still {
			t.Errorf("Without(%q) = %q", q, Without(q, "key"))
		}
	})
}
