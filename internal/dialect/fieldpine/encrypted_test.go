package fieldpine

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	fd1 "gatehouse.dev/client/fieldpine"
	"gatehouse.dev/client/fieldpine/enc"
)

// encrypting is a client that can be made to do what a good one does not.
type encrypting struct {
	*client
	session *enc.Session
}

const asAna = `{"a":"fd1.session.login","rq":"e","v":{"encryption_user":"Ana@Shop.example"}}`

// hello sends the name and reads the hash.
func (r *rig) hello(t *testing.T, wrong bool) *encrypting {
	t.Helper()
	c := &encrypting{client: r.dial(t)}
	c.say(t, asAna)
	answer := c.next()
	var got struct{ Data struct{ Hash string } }
	if err := json.Unmarshal([]byte(answer), &got); err != nil || !strings.HasPrefix(answer, `{"r":"fd1.session.login","rp":"e","data":{"hash":"1$`) {
		t.Fatalf("answer to a name: %s", answer)
	}
	_, server, err := enc.ParseHash(got.Data.Hash)
	if err != nil {
		t.Fatal(err)
	}
	k0 := anaKey().Bytes()
	if wrong {
		k0 = make([]byte, enc.KeySize)
	}
	if c.session, err = enc.NewClient(k0, server, enc.NewNonce(), "Ana@Shop.example"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *encrypting) seal(packet string) string {
	return fmt.Sprintf(`{"enc":"%s"}`, c.session.Seal([]byte(packet)))
}

// wantSealed decrypts the next packets, and wants each to have nothing but enc.
func (c *encrypting) wantSealed(t *testing.T, packets ...string) {
	t.Helper()
	for _, want := range packets {
		raw := c.next()
		var p struct{ Enc string }
		if err := json.Unmarshal([]byte(raw), &p); err != nil || raw != fmt.Sprintf(`{"enc":"%s"}`, p.Enc) {
			t.Fatalf("not an encrypted packet: %s", raw)
		}
		frame, err := enc.Decode(p.Enc)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := c.session.Open(frame)
		if err != nil {
			t.Fatalf("cannot decrypt: %v", err)
		}
		if string(plain) != want {
			t.Fatalf("got  %s\nwant %s", plain, want)
		}
	}
}

const (
	listed = `{"r":"fd1.products.list","rp":1,"data":{"rows":[{"pid":1},{"pid":2}]}}`
	ignore = `{"a":"fd1.session.ignore","v":{"pad":"xxxx"}}`
)

func TestEncryptedSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.hello(t, false)
	c.say(t, c.seal(ask))
	c.wantSealed(t, listed) // and no acknowledgement before
	c.say(t, c.seal(ignore), c.seal(ask))
	c.wantSealed(t, listed)

	// Chunks come in the order of their numbers.
	c.say(t, c.seal(`{"a":"fd1.products.many","rq":2,"mo":"chunk"}`))
	for n := 1; n <= 3; n++ {
		var p struct{ Enc string }
		if err := json.Unmarshal([]byte(c.next()), &p); err != nil {
			t.Fatal(err)
		}
		frame, _ := enc.Decode(p.Enc)
		plain, err := c.session.Open(frame)
		if err != nil || !strings.HasPrefix(string(plain), fmt.Sprintf(`{"r":"fd1.products.many","rp":2,"ch":%d,`, n)) {
			t.Fatalf("chunk %d: %v %.80s", n, err, plain)
		}
	}

	// Another login adds to it, encrypted like everything; a second encrypted one
	// does not, nor does a packet within a packet.
	c.say(t, c.seal(asShop), c.seal(asAna), c.seal(`{"enc":"AAAA"}`))
	c.wantSealed(t, loginOK, `{"error":{"Code":400,"Message":"not an FD1 packet","Severity":"Error"}}`)

	// Revocation of both ends it.
	r.door.revoke(1, "cre_shop")
	r.door.revoke(2, "cre_ana")
	c.want(t, "close 1008 credential no longer valid")
}

// What is not the next packet of the session ends it.
func TestEncryptedSessionEnds(t *testing.T) {
	t.Parallel()
	alter := func(packet string) string {
		frame, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(packet, `{"enc":"`), `"}`))
		if err != nil {
			panic(err)
		}
		frame[len(frame)-20] ^= 1
		return `{"enc":"` + base64.StdEncoding.EncodeToString(frame) + `"}`
	}
	for name, bad := range map[string]func(c *encrypting) []string{
		"Replayed":      func(c *encrypting) []string { p := c.seal(ignore); return []string{p, p} },
		"Skipped":       func(c *encrypting) []string { c.seal(ignore); return []string{c.seal(ask)} },
		"Reordered":     func(c *encrypting) []string { a, b := c.seal(ignore), c.seal(ask); return []string{b, a} },
		"Altered":       func(c *encrypting) []string { return []string{alter(c.seal(ignore))} },
		"Clear":         func(*encrypting) []string { return []string{ask} },
		"ClearIgnore":   func(*encrypting) []string { return []string{ignore} },
		"ClearLogin":    func(*encrypting) []string { return []string{asStaff} },
		"WithClear":     func(c *encrypting) []string { return []string{strings.Replace(c.seal(ask), "}", `,"a":"fd1.a.b"}`, 1)} },
		"NotJSON":       func(*encrypting) []string { return []string{"x"} },
		"OtherProtocol": func(c *encrypting) []string { return []string{`{"pt":"zz","a":"fd1.a.b"}`} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRig(t, Config{}).hello(t, false)
			c.say(t, c.seal(ask))
			c.wantSealed(t, listed)
			c.say(t, bad(c)...)
			c.want(t, "close 1008 not the next encrypted packet")
		})
	}
}

// Before the first packet that decrypts, whatever else comes ends the conn, with
// no reply and after the same time.
func TestEncryptedLoginRefused(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(t *testing.T, r *rig) (*encrypting, string){
		"WrongSecret": func(t *testing.T, r *rig) (*encrypting, string) {
			c := r.hello(t, true)
			return c, c.seal(ask)
		},
		"Clear":   func(t *testing.T, r *rig) (*encrypting, string) { return r.hello(t, false), asStaff },
		"Ignore":  func(t *testing.T, r *rig) (*encrypting, string) { return r.hello(t, false), ignore },
		"NoNonce": func(t *testing.T, r *rig) (*encrypting, string) { return r.hello(t, false), `{"enc":"AAAA"}` },
		"Second": func(t *testing.T, r *rig) (*encrypting, string) {
			c := r.hello(t, false)
			c.seal(ask)
			return c, c.seal(ask)
		},
		"TooLong": func(t *testing.T, r *rig) (*encrypting, string) {
			c := r.hello(t, false)
			return c, c.seal(`{"a":"fd1.session.ignore","v":"` + strings.Repeat("x", loginReadLimit) + `"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Config{})
			c, packet := first(t, r)
			start := time.Now()
			c.say(t, packet, asStaff) // and nothing more is read
			c.want(t, "close 1008")
			if took := time.Since(start); took < refusalTime {
				t.Errorf("closed after %v, want %v whatever there was to look up", took, refusalTime)
			}
			if n := r.door.index.Len(); n != 0 {
				t.Errorf("%d logins are open", n)
			}
		})
	}
}

// A socket that already speaks in clear stays so.
func TestEncryptionComesFirst(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{}).dial(t)
	c.say(t, asStaff, asAna, ask)
	c.want(t, loginOK, listed)
}

// Names that nobody has get the same hash each time, but for the nonce.
func TestHashOfNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	salt := func(user string) string {
		c := r.dial(t)
		c.say(t, `{"a":"fd1.session.login","v":{"encryption_user":"`+user+`"}}`)
		parts := strings.Split(c.next(), "$")
		if len(parts) != 3 {
			t.Fatalf("%s: %v", user, parts)
		}
		return parts[1]
	}
	if a, b := salt("nobody"), salt(" NoBody "); a != b {
		t.Errorf("salts %s and %s of one name", a, b)
	}
}

// Not beside other tests: deriving a key takes a race-built program seconds, and
// the server waits 15 for a login.
func TestGoClientEncrypted(t *testing.T) {
	r := newRig(t, Config{})
	c, err := fd1.Dial(t.Context(), "ws://"+r.host+pathSocket, fd1.EncryptedUser("ana@shop.example", "ana's secret"), &fd1.Options{LoginTimeout: loginTimeout})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var list struct{ Rows []struct{ PID int } }
	for range 20 {
		if err := c.Call(t.Context(), fd1.Request{Action: "fd1.products.list"}, &list); err != nil || len(list.Rows) != 2 {
			t.Fatalf("Call = %v, %+v", err, list)
		}
	}
	if err := c.Login(t.Context(), fd1.APIKey("shop"), "tab"); err != nil {
		t.Error(err)
	}
}
