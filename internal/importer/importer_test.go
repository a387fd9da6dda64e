package importer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/importer"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
)

type fixture struct {
	*importer.Importer
	store    *store.Store
	digester *secret.Digester
	home     tenant.Tenant
}

type roles []string

func (r roles) KnownRole(_ context.Context, _, role string) (bool, error) {
	return slices.Contains(r, role), nil
}

// setup makes an importer into an empty SQLite database.
func setup(t *testing.T) *fixture {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "gatehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	if err := engine.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &fixture{store: store.New(engine)}
	if f.home, err = f.store.EnsureTenant(t.Context(), "default", audit.Event{Action: "tenant.create"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.EnsureTenant(t.Context(), "other", audit.Event{Action: "tenant.create"}); err != nil {
		t.Fatal(err)
	}
	f.digester, err = secret.NewDigester(
		secret.LookupKey{Version: 2, Key: bytes.Repeat([]byte{2}, 32)}, secret.LookupKey{Version: 1, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	f.Importer = &importer.Importer{
		Store: f.store, Tenants: f.store, Roles: roles{"ayyeka/operator"}, Digester: f.digester,
		Hasher: password.NewHasher(password.Options{Params: password.Params{Memory: 64, Time: 1, Lanes: 1}}),
		Tenant: "default",
	}
	return f
}

// again is an importer for another run.
func (f *fixture) again() *importer.Importer {
	im := *f.Importer
	return &im
}

func (f *fixture) run(t *testing.T, format importer.Format, input string) importer.Report {
	t.Helper()
	r, err := importer.NewReader(strings.NewReader(input), format)
	if err != nil {
		t.Fatal(err)
	}
	report, err := f.Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

const (
	bcryptHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	pbkdf2Hash = "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHQ$C8E9bKXs42q6xRyKSoQB8kp8OkDPABp18rpdvhd2uGA"
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

func TestAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const input = `{"kind":"key_pair","name":"n","key":"k","secret":"good-secret-123"}
{"kind":"api_key","name":"n","secret":"good-key-1234567"}
{"kind":"password","name":"ann","secret":"pw"}
{"kind":"password","name":"ANN","secret":"other"}
`
	first := f.run(t, importer.JSONLines, input)
	if first.Imported != 3 || !slices.Equal(first.Existed, []int{4}) {
		t.Errorf("first run = %+v", first)
	}
	f.Importer = f.again()
	if second := f.run(t, importer.JSONLines, input); second.Imported != 0 || !slices.Equal(second.Existed, []int{1, 2, 3, 4}) {
		t.Errorf("second run = %+v", second)
	}

	// The same key, known here under an older look-up key or by its SHA-256.
	old, err := secret.NewDigester(secret.LookupKey{Version: 1, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	f.Importer = f.again()
	f.Digester = old
	f.run(t, importer.JSONLines, `{"kind":"api_key","name":"n","secret":"older-key-1234567"}`)
	f.Importer = f.again()
	f.Digester = f.digester
	f.run(t, importer.JSONLines, `{"kind":"api_key","name":"n","hash":"`+sha("plain-key-1234567")+`"}`)
	f.Importer = f.again()
	third := f.run(t, importer.JSONLines, `{"kind":"api_key","name":"n","secret":"older-key-1234567"}
{"kind":"api_key","name":"n","secret":"plain-key-1234567"}`)
	if third.Imported != 0 || !slices.Equal(third.Existed, []int{1, 2}) {
		t.Errorf("keys in another form were imported again: %+v", third)
	}
}

// A key is the same as its hash, in one batch and across batches.
func TestTwiceInTwoForms(t *testing.T) {
	t.Parallel()
	plain := `{"kind":"api_key","name":"%s","secret":"good-key-1234567"}`
	hashed := `{"kind":"api_key","name":"%s","hash":"` + sha("good-key-1234567") + `"}`
	for name, c := range map[string]struct {
		first, second, owner string
		between              int
	}{
		"SecretFirst":      {plain, hashed, "n", 0},
		"HashFirst":        {hashed, plain, "n", 0},
		"SomebodyElse":     {plain, hashed, "m", 0},
		"TwoBatches":       {plain, hashed, "n", 600},
		"TwoBatches, hash": {hashed, plain, "n", 600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			input := fmt.Sprintf(c.first, "n") + strings.Repeat("\n{}", c.between) + "\n" + fmt.Sprintf(c.second, c.owner)
			got := f.run(t, importer.JSONLines, input)
			got.Bad = []importer.BadLine{}
			last := 2 + c.between
			want := importer.Report{Lines: last, Imported: 1, Existed: []int{last}, Conflicts: []int{}, Bad: []importer.BadLine{}}
			if c.owner != "n" {
				want.Existed, want.Conflicts = want.Conflicts, want.Existed
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// What is somebody else's is not reported as if its owner had it already.
func TestConflict(t *testing.T) {
	t.Parallel()
	const mine = `{"kind":"key_pair","name":"n","key":"k","secret":"good-secret-123"}
{"kind":"api_key","name":"n","secret":"good-key-1234567"}
{"kind":"api_key","name":"n","hash":"%s"}
`
	const others = `{"kind":"key_pair","name":"m","key":"k","secret":"good-secret-123"}
{"kind":"api_key","name":"m","secret":"good-key-1234567"}
{"kind":"api_key","name":"n","principal_kind":"device","secret":"good-key-1234567"}
{"kind":"api_key","name":"n","secret":"good-key-1234567"}
`
	input := fmt.Sprintf(mine, sha("plain-key-1234567"))
	for _, dry := range []bool{true, false} {
		t.Run(fmt.Sprintf("DryRun=%v", dry), func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.DryRun = dry
			// In one batch, as nothing is there yet.
			want := importer.Report{
				DryRun: dry, Lines: 7, Imported: 3, Existed: []int{7}, Conflicts: []int{4, 5, 6}, Bad: []importer.BadLine{},
			}
			if d := cmp.Diff(want, f.run(t, importer.JSONLines, input+others)); d != "" {
				t.Errorf("one batch (-want +got):\n%s", d)
			}
			f.Importer = f.again()
			f.DryRun = false
			f.run(t, importer.JSONLines, input)
			// And against what the store has.
			f.Importer = f.again()
			f.DryRun = dry
			want = importer.Report{DryRun: dry, Lines: 5, Existed: []int{4}, Conflicts: []int{1, 2, 3, 5}, Bad: []importer.BadLine{}}
			const inAnotherForm = `{"kind":"api_key","name":"m","secret":"plain-key-1234567"}`
			if d := cmp.Diff(want, f.run(t, importer.JSONLines, others+inAnotherForm)); d != "" {
				t.Errorf("later (-want +got):\n%s", d)
			}
		})
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.run(t, importer.JSONLines, `{"kind":"key_pair","name":"n","key":"k","secret":"good-secret-123"}`)
	f.Importer = f.again()
	f.DryRun = true
	const input = `{"kind":"key_pair","name":"n","key":"k","secret":"good-secret-123"}
{"kind":"key_pair","name":"new","key":"k2","secret":"good-secret-123"}
{"kind":"key_pair","name":"new","key":"k2","secret":"good-secret-123"}
{"kind":"password","name":"ann","secret":"pw"}
{"kind":"king"}
`
	dry := f.run(t, importer.JSONLines, input)
	if !dry.DryRun || dry.Imported != 2 || !slices.Equal(dry.Existed, []int{1, 3}) || len(dry.Bad) != 1 {
		t.Errorf("dry run = %+v", dry)
	}
	all, err := f.store.Credentials(t.Context(), credential.Filter{})
	if err != nil || len(all) != 1 {
		t.Errorf("%d credentials after a dry run, %v; want the one of before", len(all), err)
	}
	f.Importer = f.again()
	f.DryRun = false
	wet := f.run(t, importer.JSONLines, input)
	dry.DryRun = false
	if d := cmp.Diff(dry, wet); d != "" {
		t.Errorf("the dry run foretold something else (-dry +wet):\n%s", d)
	}
}

// failing is a store that cannot serve after some batches.
type failing struct {
	importer.Store
	left int
}

func (f *failing) ImportCredentials(ctx context.Context, b []credential.Import, e audit.Event) ([]credential.ImportResult, error) {
	if f.left--; f.left < 0 {
		return nil, store.ErrUnavailable
	}
	return f.Store.ImportCredentials(ctx, b, e)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var input strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&input, `{"kind":"key_pair","name":"n","key":"k%d","secret":"good-secret-123"}`+"\n", i)
	}
	f.Store = &failing{f.store, 1}
	r, err := importer.NewReader(strings.NewReader(input.String()), importer.JSONLines)
	if err != nil {
		t.Fatal(err)
	}
	report, err := f.Run(t.Context(), r)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "before line 501") || report.Imported != 500 {
		t.Fatalf("report %+v, error %v", report, err)
	}
	f.Importer = f.again()
	f.Store = f.store
	var progress []int
	f.Progress = func(r importer.Report) { progress = append(progress, r.Lines) }
	if r := f.run(t, importer.JSONLines, input.String()); r.Imported != 700 || len(r.Existed) != 500 {
		t.Errorf("second run imported %d, found %d", r.Imported, len(r.Existed))
	}
	if !slices.Equal(progress, []int{500, 1000, 1200}) {
		t.Errorf("progress = %v", progress)
	}
	rows, err := f.store.Events(t.Context(), audit.Filter{Action: "credential.import"})
	if err != nil || len(rows) != 4 {
		t.Errorf("%d audit rows, %v; want one for each batch that stored something or tried", len(rows), err)
	}
}

// TestMany mixes what people bring along.
func TestMany(t *testing.T) {
	t.Parallel()
	const many = 1500
	f := setup(t)
	var input strings.Builder
	for i := range many {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&input, `{"kind":"key_pair","dialect":"ayyeka","name":"client %d","key":"K%d","secret":"secret-number-%d"}`+"\n", i, i, i)
		case 1:
			fmt.Fprintf(&input, `{"kind":"api_key","name":"client %d","hash":"%s"}`+"\n", i, sha(fmt.Sprint("key-number-", i)))
		default:
			fmt.Fprintf(&input, `{"kind":"password","name":"user %d","hash":"%s"}`+"\n", i, bcryptHash)
		}
	}
	if r := f.run(t, importer.JSONLines, input.String()); r.Imported != many {
		t.Fatalf("imported %d, bad %d, existed %d", r.Imported, len(r.Bad), len(r.Existed))
	}
	for i := 0; i < many; i += 97 {
		var err error
		var rec credential.Record
		switch i % 3 {
		case 0:
			rec, err = f.store.RecordByLookup(t.Context(), f.home.ID, credential.KeyPair, fmt.Sprint("K", i))
			if err == nil && !f.digester.Match(rec.Secrets[0].Hash, secret.New(fmt.Sprint("secret-number-", i))) {
				err = errors.New("secret does not match")
			}
		case 1:
			_, err = f.store.RecordByDigest(t.Context(), f.home.ID, credential.APIKey, [][]byte{credential.PlainDigest(secret.New(fmt.Sprint("key-number-", i)))})
		default:
			_, err = f.store.RecordByLookup(t.Context(), f.home.ID, credential.Password, fmt.Sprint("user ", i))
		}
		if err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
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
