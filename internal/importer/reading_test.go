package importer_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/importer"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	report := f.run(t, importer.JSONLines, strings.Join([]string{
		`{"kind":"key_pair","name":"Pump","dialect":"ayyeka","key":"0123456789ABCDEF","secret":"abc+/def=ghi jkl","roles":["ayyeka/operator"]}`,
		`{"kind":"key_pair","name":"Pump","key":"second","hash":"` + sha("hashed secret") + `"}`,
		`{"kind":"api_key","name":"Pump","secret":"old-key-1234567890","key":"old-"}`,
		`{"kind":"api_key","name":"Pump","hash":"` + strings.ToUpper(sha("hidden-key-123456")) + `"}`,
		`{"kind":"password","name":" Ann ","hash":"` + bcryptHash + `","networks":["10.0.0.0/8","192.0.2.1"],"users":["wallboard","Lobby"],"expires":"2090-01-01T00:00:00Z"}`,
		`{"kind":"password","name":"Bob","secret":"x y","enabled":false,"comment":"by phone"}`,
		`{"kind":"password","name":"ann","tenant":"other","hash":"` + pbkdf2Hash + `"}`,
	}, "\n"))
	if len(report.Bad) != 0 || report.Imported != 7 || report.Lines != 7 {
		t.Fatalf("report = %+v", report)
	}
	find := func(k credential.Kind, lookup string) credential.Record {
		t.Helper()
		r, err := f.store.RecordByLookup(t.Context(), f.home.ID, k, lookup)
		if err != nil {
			t.Fatalf("%s: %v", lookup, err)
		}
		return r
	}

	pair := find(credential.KeyPair, "0123456789ABCDEF")
	if !f.digester.Match(pair.Secrets[0].Hash, secret.New("abc+/def=ghi jkl")) || pair.Secrets[0].Scheme != credential.Digest {
		t.Error("the secret of the pair was not kept as its digest")
	}
	if p := pair.Principal; p.Kind != principal.Client || p.Name != "Pump" || !slices.Equal(p.Roles, []string{"ayyeka/operator"}) {
		t.Errorf("principal = %+v", p)
	}
	if pair.Credential.Dialect != "ayyeka" || !pair.Credential.Enabled {
		t.Errorf("credential = %+v", pair.Credential)
	}
	if s := find(credential.KeyPair, "second").Secrets[0]; string(s.Hash) != sha("hashed secret") || s.Scheme != credential.Hashed {
		t.Errorf("secret = %+v", s)
	}
	for _, key := range []string{"old-key-1234567890", "hidden-key-123456"} {
		digests := append(f.digester.Candidates(secret.New(key)), credential.PlainDigest(secret.New(key)))
		if _, err := f.store.RecordByDigest(t.Context(), f.home.ID, credential.APIKey, digests); err != nil {
			t.Errorf("key %s: %v", key, err)
		}
	}
	ann := find(credential.Password, "ann")
	if string(ann.Secrets[0].Hash) != bcryptHash || len(ann.Credential.Networks) != 2 || !slices.Equal(ann.Credential.Users, []string{"Lobby", "wallboard"}) || ann.Credential.Expires.Year() != 2090 {
		t.Errorf("ann = %+v", ann)
	}
	bob := find(credential.Password, "bob")
	if ok, err := f.Hasher.(*password.Hasher).Verify(t.Context(), "x", string(bob.Secrets[0].Hash), secret.New("x y")); !ok || err != nil {
		t.Errorf("bob's password: %v, %v", ok, err)
	}
	if bob.Credential.Enabled || bob.Credential.Comment != "by phone" {
		t.Errorf("bob = %+v", bob.Credential)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	f := setup(t)
	report := f.run(t, importer.CSV, "\xef\xbb\xbfkind,name,key,secret,hash,roles\r\n"+
		"key_pair,Pump,k1,\"quoted, \"\"secret\"\" 1\",,ayyeka/operator\r\n"+
		"\r\n"+
		"key_pair,Pump,k2,\"never closed 123,,\r\n"+
		"key_pair,Pump,k3,good secret 123,,\r\n"+
		"key_pair,Pump,k4,too few\r\n"+
		"password,ann,,,"+bcryptHash+",")
	want := importer.Report{Lines: 5, Imported: 3, Existed: []int{}, Conflicts: []int{}, Bad: []importer.BadLine{
		{Line: 4, Reason: "the line is not CSV: check its quotes"},
		{Line: 6, Reason: "the line has 4 fields, the first line has 6"},
	}}
	if d := cmp.Diff(want, report); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
	r, err := f.store.RecordByLookup(t.Context(), f.home.ID, credential.KeyPair, "k1")
	if err != nil || !f.digester.Match(r.Secrets[0].Hash, secret.New(`quoted, "secret" 1`)) {
		t.Errorf("quoted secret: %v", err)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"":                 "the input is empty",
		"kind,colour\n":    `column "colour" is not known`,
		"kind,name,kind\n": `column "kind" is there twice`,
		"S3cret!,a":        "column (not a name) is not known",
	} {
		_, err := importer.NewReader(strings.NewReader(input), importer.CSV)
		if err == nil && want != "" || err != nil && !strings.Contains(err.Error(), want) || err != nil && strings.Contains(err.Error(), "S3cret") {
			t.Errorf("%q: %v, want %q", input, err, want)
		}
	}
}

func TestBadLines(t *testing.T) {
	t.Parallel()
	const marked = "CANARY-4711-secret"
	pair := func(more string) string {
		return `{"kind":"key_pair","name":"n","key":"k","secret":"` + marked + `"` + more + `}`
	}
	cases := map[string]string{
		`{`:                       "not a JSON object",
		`[]`:                      "not a JSON object",
		marked:                    "not a JSON object",
		`{"` + marked + `":"x"}`:  "member (not a name) is not known",
		pair(`} {`):               "something follows",
		pair(`,"name":"m"`):       `member "name" is there twice`,
		pair(`,"secrets":"x"`):    `member "secrets" is not known`,
		pair(`,"comment":7`):      "wrong type",
		pair(`,"comment":{}`):     "wrong type",
		pair(`,"comment":["a"]`):  "wrong type",
		pair(`,"comment":true`):   "wrong type",
		pair(`,"roles":["a b"]`):  "contains a blank",
		pair(`,"roles":[7]`):      "something else than texts",
		pair(`,"roles":["king"]`): "does not know",
		pair(`,"networks":["x"]`): "not a network",
		pair(`,"expires":"soon"`): "not a time",
		pair(`,"expires":"2001-01-01T00:00:00Z"`):                                                                      "in the past",
		pair(`,"enabled":"maybe"`):                                                                                     "neither true nor false",
		pair(`,"tenant":"nobody"`):                                                                                     "no such tenant",
		pair(`,"principal_kind":"king"`):                                                                               "not a kind of principal",
		pair(`,"hash":"` + sha("x") + `"`):                                                                             "not both",
		pair(`,"comment":"a\u0000b"`):                                                                                  "contains NUL",
		pair(",\"comment\":\"a\xffb\""):                                                                                "not UTF-8",
		`{"kind":"key_pair","name":"n","key":"k"}`:                                                                     "one of secret and hash",
		`{"kind":"key_pair","name":"n","secret":"` + marked + `"}`:                                                     "key is empty",
		`{"kind":"key_pair","name":"n","key":"a:b","secret":"` + marked + `"}`:                                         "colon",
		`{"kind":"key_pair","name":"n","key":" a","secret":"` + marked + `"}`:                                          "blank",
		`{"kind":"key_pair","name":"n","key":"k","secret":"short"}`:                                                    "fewer than 12",
		`{"kind":"key_pair","name":"n","key":"k","hash":"` + marked + `"}`:                                             "unknown form",
		`{"kind":"key_pair","key":"k","secret":"` + marked + `"}`:                                                      "name is empty",
		`{"name":"n","secret":"` + marked + `"}`:                                                                       "kind is missing",
		`{"kind":"` + marked + `","name":"n","secret":"x"}`:                                                            "kind is none of",
		`{"kind":"api_key","name":"n","hash":"` + bcryptHash + `"}`:                                                    "not 64 hexadecimal digits",
		`{"kind":"api_key","name":"n","hash":"$sha256$salt$` + sha("x") + `"}`:                                         "not 64 hexadecimal digits",
		`{"kind":"api_key","name":"n","secret":"` + marked + `","key":"CANARY-4711-"}`:                                 "more than half",
		`{"kind":"password","name":"n","key":"k","secret":"x"}`:                                                        "key is not for passwords",
		`{"kind":"password","name":"n","hash":"$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"}`: "argon2id m is outside",
		`{"kind":"password","name":"n","secret":"` + strings.Repeat("x", 70_000) + `"}`:                                "longer than",
	}
	f := setup(t)
	var input strings.Builder
	want := map[int]string{}
	n := 0
	for line, reason := range cases { // each between two good ones
		n += 2
		want[n] = reason
		fmt.Fprintf(&input, `{"kind":"api_key","name":"n","secret":"good-key-number-%d"}`+"\n%s\n", n, line)
	}
	report := f.run(t, importer.JSONLines, input.String())
	if report.Imported != len(cases) {
		t.Errorf("imported %d of %d good lines", report.Imported, len(cases))
	}
	for _, b := range report.Bad {
		if w := want[b.Line]; w == "" || !strings.Contains(b.Reason, w) || strings.Contains(b.Reason, "CANARY") {
			t.Errorf("line %d: reason %q, want %q", b.Line, b.Reason, w)
		}
		delete(want, b.Line)
	}
	for line, reason := range want {
		t.Errorf("line %d was taken, want %q", line, reason)
	}
}

// FuzzReader feeds any bytes: every line that is not empty comes out exactly
// once, with a number that rises, and no reason repeats what the line says.
func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"kind":"api_key","name":"n","secret":"CANARY"}`), false)
	f.Add([]byte("kind,name,secret\napi_key,n,CANARY\n\"x\n"), true)
	f.Add([]byte("{\"a\":\n\xff\r\n\r\n{}"), false)
	f.Fuzz(func(t *testing.T, b []byte, csv bool) {
		format := importer.JSONLines
		if csv {
			format = importer.CSV
		}
		r, err := importer.NewReader(bytes.NewReader(b), format)
		if err != nil {
			return
		}
		last := 0
		for {
			l, err := r.Next()
			if err != nil {
				break
			}
			if l.Number <= last {
				t.Fatalf("line %d after line %d", l.Number, last)
			}
			last = l.Number
			if l.Err != nil && strings.Contains(l.Err.Error(), "CANARY") {
				t.Errorf("reason %q repeats the line", l.Err)
			}
		}
	})
}
