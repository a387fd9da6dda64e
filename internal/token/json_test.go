package token

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadObject(t *testing.T) {
	t.Parallel()
	ms, err := readObject([]byte(" {\"a\":1, \"b\" : [true,{\"c\":null}] ,\"\\u0061b\":\"x\\n\\ud83d\\ude00\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range ms {
		got[m.name] = string(m.raw)
	}
	want := map[string]string{"a": "1", "b": `[true,{"c":null}]`, "ab": `"x\n\ud83d\ude00"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if v, err := (Claims{ms}).Text("ab"); err != nil || v != "x\n😀" {
		t.Errorf("text = %q, %v", v, err)
	}
}

func TestReadObjectRefuses(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"empty":                    ``,
		"array":                    `[]`,
		"string":                   `"a"`,
		"null":                     `null`,
		"two values":               `{}{}`,
		"something behind":         `{} x`,
		"twice":                    `{"a":1,"a":1}`,
		"twice, once escaped":      `{"a":1,"\u0061":1}`,
		"twice below":              `{"x":{"a":1,"a":2}}`,
		"twice in an array":        `{"x":[{"a":1,"a":2}]}`,
		"trailing comma":           `{"a":1,}`,
		"array trailing comma":     `{"a":[1,]}`,
		"no colon":                 `{"a" 1}`,
		"name without quotes":      `{a:1}`,
		"single quotes":            `{'a':1}`,
		"comment":                  `{"a":1/**/}`,
		"leading zero":             `{"a":01}`,
		"plus":                     `{"a":+1}`,
		"bare point":               `{"a":1.}`,
		"point first":              `{"a":.1}`,
		"empty exponent":           `{"a":1e}`,
		"NaN":                      `{"a":NaN}`,
		"Infinity":                 `{"a":-Infinity}`,
		"True":                     `{"a":True}`,
		"unfinished":               `{"a":"b`,
		"unfinished escape":        `{"a":"b\`,
		"unknown escape":           `{"a":"\x41"}`,
		"line break in a string":   "{\"a\":\"b\nc\"}",
		"NUL":                      "{\"a\":\"b\x00c\"}",
		"escaped NUL":              `{"a":"\u0000"}`,
		"half surrogate":           `{"a":"\ud800"}`,
		"second half first":        `{"a":"\ude00\ud83d"}`,
		"bad hexadecimal":          `{"a":"\u00g0"}`,
		"bad UTF-8":                "{\"a\":\"\xff\"}",
		"bad UTF-8 after escape":   "{\"a\":\"\\n\xff\"}",
		"overlong UTF-8":           "{\"a\":\"\xc0\xaf\"}",
		"byte order mark":          "\xef\xbb\xbf{}",
		"form feed as white space": "{\f}",
		"deep":                     `{"a":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}`,
		"many":                     `{` + manyMembers(maxMembers+1) + `}`,
	} {
		if ms, err := readObject([]byte(s)); err == nil {
			t.Errorf("%s: %q read as %v", name, s, ms)
		}
	}
	if _, err := readObject([]byte(`{` + manyMembers(maxMembers) + `}`)); err != nil {
		t.Errorf("as many members as allowed: %v", err)
	}
}

func manyMembers(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, `"`+strings.Repeat("x", i+1)+`":0`)
	}
	return strings.Join(parts, ",")
}

func TestClaims(t *testing.T) {
	t.Parallel()
	ms, err := readObject([]byte(`{"s":"x","n":42,"neg":-1,"f":1.5,"big":1e30,"l":["a","b"],"mixed":["a",1],
		"t":1767225600,"tf":1767225600.25,"huge":9007199254740993000,"null":null,"Aud":"no","aud":"one"}`))
	if err != nil {
		t.Fatal(err)
	}
	c := Claims{ms}
	if n, err := c.Int("n"); n != 42 || err != nil {
		t.Errorf("n = %d, %v", n, err)
	}
	if at, err := c.Time("t"); !at.Equal(time.Unix(1767225600, 0)) || err != nil {
		t.Errorf("t = %v, %v", at, err)
	}
	if at, err := c.Time("tf"); !at.Equal(time.UnixMicro(1767225600250000)) || err != nil {
		t.Errorf("tf = %v, %v", at, err)
	}
	if a, err := c.Audience(); err != nil || !cmp.Equal(a, []string{"one"}) {
		t.Errorf("aud = %v, %v", a, err)
	}
	if l, err := c.Texts("l"); err != nil || !cmp.Equal(l, []string{"a", "b"}) {
		t.Errorf("l = %v, %v", l, err)
	}
	bad := map[string]error{}
	_, bad["text of a number"] = c.Text("n")
	_, bad["text of null"] = c.Text("null")
	_, bad["text of nothing"] = c.Text("absent")
	_, bad["int of text"] = c.Int("s")
	_, bad["int of a fraction"] = c.Int("f")
	_, bad["int of nothing"] = c.Int("absent")
	_, bad["time of text"] = c.Time("s")
	_, bad["time before 1970"] = c.Time("neg")
	_, bad["time far off"] = c.Time("big")
	_, bad["time farther off"] = c.Time("huge")
	_, bad["time of null"] = c.Time("null")
	_, bad["time of nothing"] = c.Time("absent")
	_, bad["texts of a mixture"] = c.Texts("mixed")
	_, bad["texts of text"] = c.Texts("s")
	for name, err := range bad {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEncodeKeepsOrder(t *testing.T) {
	t.Parallel()
	got, err := Encode(Claim{"aud", "4410"}, Claim{"exp", time.Unix(1767229200, 5)}, Claim{"iat", int64(1767225600)},
		Claim{"iss", "Cl<o>ud & \"co\""}, Claim{"sub", "5120:33"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"aud":"4410","exp":1767229200,"iat":1767225600,"iss":"Cl<o>ud & \"co\"","sub":"5120:33"}`
	if string(got) != want {
		t.Errorf("claims = %s, want %s", got, want)
	}
}

// What is read here, the standard decoder takes too, and both read the
// same.
func FuzzReadObject(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1.5e3,"x\u00e9",{"c":null}],"d":false}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`{"\ud83d\ude00":"\\\"\/"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ms, err := readObject(b)
		if err != nil {
			return
		}
		var std map[string]json.RawMessage
		if err := json.Unmarshal(b, &std); err != nil {
			t.Fatalf("encoding/json refuses what was read: %v", err)
		}
		if len(std) != len(ms) {
			t.Fatalf("%d members, encoding/json has %d", len(ms), len(std))
		}
		for _, m := range ms {
			if !bytes.Equal(bytes.TrimSpace(std[m.name]), m.raw) {
				t.Errorf("%q = %q, encoding/json has %q", m.name, m.raw, std[m.name])
			}
			var text string
			if got, err := (Claims{ms}).Text(m.name); err == nil {
				if err := json.Unmarshal(m.raw, &text); err != nil || text != got {
					t.Errorf("%q says %q, encoding/json %q, %v", m.raw, got, text, err)
				}
			}
		}
	})
}
