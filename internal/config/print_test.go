package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	const text = `
database: postgres://gatehouse:hunter2@db/gatehouse?sslpassword=hunter2&sslmode=require
master_key_file: /etc/gatehouse/master.key
node: a
tenants: {default: {dialects: {ayyeka: {upstream: sites}}}}
upstreams: {sites: {urls: [http://127.0.0.1:9000]}}
routes: [{name: r, path: /r, upstream: sites, credentials: [none], cors: {origins: ['*']}}]
gate: {trusted_proxies: [10.0.0.0/8]}
`
	c, ps := parse(t, text, nil)
	if ps != nil {
		t.Fatal(ps)
	}
	var out bytes.Buffer
	if err := Print(&out, c); err != nil {
		t.Fatal(err)
	}
	again, ps := parse(t, out.String(), nil)
	if ps != nil {
		t.Fatalf("what is printed cannot be read: %v\n%s", ps, &out)
	}
	same := cmp.Comparer(func(a, b Prefix) bool { return a == b })
	if diff := cmp.Diff(c, again, same, cmp.Comparer(func(a, b Database) bool { return a.String() == b.String() })); diff != "" {
		t.Errorf("printed and read again (-first +second):\n%s", diff)
	}
	fmt.Fprintf(&out, "%v %+v %#v %s %q", c.Database, c, c.Database, c.Database, c.Database)
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the password is printed:\n%s", &out)
	}
	if !strings.Contains(out.String(), "database: postgres://gatehouse@db/gatehouse?") {
		t.Errorf("the database is not recognisable:\n%s", &out)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		into interface{ UnmarshalText([]byte) error }
		text string
		want string // empty: refused
	}{
		{new(Duration), "250ms", "250ms"},
		{new(Duration), "120s", "2m"},
		{new(Duration), "7d", "168h"},
		{new(Duration), "10h0m", "10h"},
		{new(Duration), "100m", "1h40m"},
		{new(Duration), "30", ""},
		{new(Duration), "-1s", ""},
		{new(Size), "64KiB", "64KiB"},
		{new(Size), "2 MiB", "2MiB"},
		{new(Size), "1500", "1500B"},
		{new(Size), "3GB", "3000000000B"},
		{new(Size), "1.5MiB", ""},
		{new(Size), "-1", ""},
		{new(Size), "9999999999GiB", ""},
		{new(Address), ":8080", ":8080"},
		{new(Address), "[::1]:80", "[::1]:80"},
		{new(Address), "unix:/run/x.sock", "unix:/run/x.sock"},
		{new(Address), "unix:x.sock", ""},
		{new(Address), "127.0.0.1", ""},
		{new(Address), "127.0.0.1:70000", ""},
		{new(Address), "a b:80", ""},
		{new(Host), "API.example.COM", "api.example.com"},
		{new(Host), "[::1]", "::1"},
		{new(Host), "*.example.com", ""},
		{new(Host), "example.com:80", ""},
		{new(Host), "https://example.com", ""},
		{new(Host), "", ""},
		{new(Prefix), "10.1.2.3", "10.1.2.3/32"},
		{new(Prefix), "::ffff:10.1.2.3", "10.1.2.3/32"},
		{new(Prefix), "10.1.2.3/8", ""},
		{new(URL), "https://a.example/x/", "https://a.example/x"},
		{new(URL), "ftp://a.example", ""},
		{new(URL), "http://:80", ""},
		{new(URL), "http://a.example?x", ""},
		{new(BusURL), "nats://10.0.0.7:4222/", "nats://10.0.0.7:4222"},
		{new(BusURL), "tls://nats.internal", "tls://nats.internal"},
		{new(BusURL), "http://nats.internal", ""},
		{new(BusURL), "nats://user:hunter2@nats.internal", ""},
		{new(BusURL), "nats://nats.internal/x", ""},
		{new(Database), "sqlite", "sqlite"},
		{new(Database), "postgres://host", ""},
		{new(Database), "host=/run/pg dbname=g", "host=/run/pg dbname=g"},
		{new(Database), "host=db password=hunter2 dbname=g", "host=db password=hidden dbname=g"},
		{new(Database), `host=db password = 'hun\'t er2' sslpassword=x`, "host=db password = hidden sslpassword=hidden"},
		{new(CredentialKind), "cookie", ""},
		{new(Rate), "100/s", "100/s"},
		{new(Rate), "600/m burst 50", "600/m burst 50"},
		{new(Rate), "0/s", ""},
		{new(Rate), "10", ""},
		{new(Rate), "10/d", ""},
		{new(Rate), "10/s burst x", ""},
	} {
		err := tt.into.UnmarshalText([]byte(tt.text))
		if tt.want == "" {
			if err == nil {
				t.Errorf("%T takes %q, want it refused", tt.into, tt.text)
			}
			continue
		}
		if got := fmt.Sprint(reflect.ValueOf(tt.into).Elem().Interface()); err != nil || got != tt.want {
			t.Errorf("%T of %q = %q, %v, want %q", tt.into, tt.text, got, err, tt.want)
		}
	}
}

func TestDocsAreCurrent(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := Docs(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/configuration.md is not current; run make generate (-code +file):\n%s", diff)
	}
}

// TestEverySettingIsDocumented keeps a setting from being added without the
// sentence that says what it is for.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	comments, err := readComments()
	if err != nil {
		t.Fatal(err)
	}
	var walk func(reflect.Type)
	walk = func(ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice || ty.Kind() == reflect.Map {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct || isValue(ty) {
			if kindOf(ty) == "" {
				t.Errorf("docs.go has no word for the type %v", ty)
			}
			return
		}
		for f := range ty.Fields() {
			if comments[ty.Name()+"."+f.Name] == "" || f.Tag.Get("yaml") == "" {
				t.Errorf("%s.%s has no comment or no yaml tag", ty.Name(), f.Name)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Config]())
}
