package fieldpine

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/push"
	"gatehouse.dev/internal/revocation"
)

// send says something to the sockets of the rig, and returns how many took it.
func (r *rig) send(t *testing.T, m push.Message) int {
	t.Helper()
	d, err := r.hub.Send(t.Context(), "ten_1", m)
	if err != nil || len(d.Nodes) != 1 {
		t.Fatalf("send: %v, %+v", err, d)
	}
	return d.Nodes[0].Sockets
}

func status(to push.Target) push.Message {
	return push.Message{Packet: &push.Packet{To: to, Action: "fn1.link.link_status", Values: jsontext.Value(`{"message":"Restart in 10 minutes"}`)}}
}

const statusPacket = `{"a":"fn1.link.link_status","v":{"message":"Restart in 10 minutes"}}`

func event(schema, values string) push.Message {
	return push.Message{Event: &push.Event{Name: "device.event", Schema: schema, Values: jsontext.Value(values)}}
}

// loggedIn dials and logs in, and returns the id of the session.
func (r *rig) loggedIn(t *testing.T, login string) (*client, string) {
	t.Helper()
	before := map[string]bool{}
	for _, i := range r.door.index.List(live.Filter{}) {
		before[i.ID] = true
	}
	c := r.dial(t)
	c.say(t, login, `{"a":"fd1.session.set_option","rq":"ready","v":{}}`)
	c.want(t, loginOK, `{"r":"fd1.session.set_option","rp":"ready","data":{}}`)
	for _, i := range r.door.index.List(live.Filter{}) {
		if !before[i.ID] {
			return c, i.ID
		}
	}
	t.Fatal("the session is not listed")
	return nil, ""
}

func TestPush(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	silent := r.dial(t)
	shop, _ := r.loggedIn(t, asShop)
	staff, session := r.loggedIn(t, asStaff)

	for _, s := range []struct {
		to    push.Target
		taken int
		heard []*client
	}{
		{push.Target{Conn: session}, 1, []*client{staff}},
		{push.Target{Principal: "cli_shop"}, 1, []*client{shop}},
		{push.Target{All: true}, 2, []*client{shop, staff}},
		{push.Target{Principal: "cli_nobody"}, 0, nil},
	} {
		if n := r.send(t, status(s.to)); n != s.taken {
			t.Errorf("%+v: %d sockets took it, want %d", s.to, n, s.taken)
		}
		for _, c := range s.heard {
			c.want(t, statusPacket)
		}
	}
	silent.silent(t)
	<-r.door.revoke(1, "cre_shop")
	shop.want(t, "close 1008 credential no longer valid")
	if n := r.send(t, status(push.Target{All: true})); n != 1 {
		t.Errorf("%d sockets took it after one login was revoked, want 1", n)
	}
}

func TestFirehose(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c, _ := r.loggedIn(t, asStaff)
	c.say(t,
		`{"a":"fd1.firehose.open_firehose","rq":7,"v":{"event":"device.event"},"q":{"_sc":"device.bluetooth.*","dbm(>=)":-70}}`,
		`{"a":"firehose.open_firehose","rq":"all","rt":"tab","v":{"event":"device.event"}}`)
	c.want(t, `{"r":"fd1.firehose.open_firehose","rp":7,"data":{}}`, `{"r":"fd1.firehose.open_firehose","rp":"all","rt":"tab","data":{}}`)

	// Its own filter each; the id of the request is text, whatever it was.
	near := `"sc":"device.bluetooth.announcement","v":{"addr":"A0B1C2D3E4F5","dbm":-61}}`
	r.send(t, event("device.bluetooth.announcement", `{"addr": "A0B1C2D3E4F5", "dbm": -61}`))
	c.want(t, `{"rp":"7",`+near, `{"rp":"all","rt":"tab",`+near)
	r.send(t, event("device.bluetooth.announcement", `{"dbm":-71}`))
	c.want(t, `{"rp":"all","rt":"tab","sc":"device.bluetooth.announcement","v":{"dbm":-71}}`)
	r.send(t, event("", `{}`))
	c.want(t, `{"rp":"all","rt":"tab","v":{}}`)

	if n := r.send(t, push.Message{Event: &push.Event{Name: "sale.create", Values: jsontext.Value(`{}`)}}); n != 0 {
		t.Errorf("%d sockets took an event that nobody listens to", n)
	}
	c.say(t, `{"a":"fd1.session.cancel_request","rq":"c","k":"all"}`)
	c.want(t, `{"r":"fd1.session.cancel_request","rp":"c","data":{}}`)
	if n := r.send(t, event("device.scale.reading", `{}`)); n != 0 {
		t.Errorf("%d sockets took an event after the firehose was cancelled", n)
	}
}

func TestFirehoseRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, login, say, want string }{
		{"NotPermitted", asShop, `"v":{"event":"device.event"}`, `"error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}`},
		{"NoEvent", asStaff, `"v":{}`, `"error":{"Code":400,"Message":"v.event must name the kind of event","Severity":"Error"}`},
		{"WildEvent", asStaff, `"v":{"event":"device.*"}`, `"error":{"Code":400,"Message":"v.event must name the kind of event","Severity":"Error"}`},
		{"Filter", asStaff, `"v":{"event":"device.event"},"q":{"dbm(~)":1}`, `"error":{"Code":400,"Message":"q has a condition that cannot be read","Severity":"Error"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Config{})
			c, _ := r.loggedIn(t, tt.login)
			c.say(t, `{"a":"fd1.firehose.open_firehose","rq":"f",`+tt.say+`}`)
			c.want(t, `{"r":"fd1.firehose.open_firehose","rp":"f",`+tt.want+`}`)
			if n := r.send(t, event("x", `{}`)); n != 0 {
				t.Errorf("a refused firehose took an event")
			}
		})
	}
	t.Run("TooManyAndTwice", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{})
		c, _ := r.loggedIn(t, asStaff)
		open := `{"a":"fd1.firehose.open_firehose","rq":"f","v":{"event":"device.event"}}`
		c.say(t, open, open)
		c.want(t, `{"r":"fd1.firehose.open_firehose","rp":"f","data":{}}`,
			`{"r":"fd1.firehose.open_firehose","rp":"f","error":{"Code":409,"Message":"another request with this rq is under way","Severity":"Error"}}`)
		for range maxFirehoses {
			c.say(t, `{"a":"fd1.firehose.open_firehose","v":{"event":"device.event"}}`)
		}
		c.want(t, `{"r":"fd1.firehose.open_firehose","error":{"Code":409,"Message":"too many firehoses on this socket","Severity":"Error"}}`)
	})
}

// A firehose ends when the right to it does, though the socket stays.
func TestFirehoseEndsWithItsRight(t *testing.T) {
	t.Parallel()
	const open = `{"a":"fd1.firehose.open_firehose","rq":"f","v":{"event":"device.event"}}`
	const opened = `{"r":"fd1.firehose.open_firehose","rp":"f","data":{}}`
	t.Run("Rule", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{})
		c, _ := r.loggedIn(t, asStaff)
		c.say(t, open)
		c.want(t, opened)
		denied := actionOf(actionFirehose)
		r.door.denied.Store(&denied)
		r.door.index.Apply(revocation.Entry{N: 1, Effect: revocation.Recheck, Grounds: []revocation.Ground{{Kind: revocation.Credential, ID: "cre_staff"}}}, func(int) {})
		c.want(t, `{"r":"fd1.firehose.open_firehose","rp":"f","error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`)
		if n := r.send(t, event("x", `{}`)); n != 0 {
			t.Error("it took an event afterwards")
		}
		c.say(t, ask)
		c.want(t, `{"r":"fd1.products.list","rp":1,"data":{"rows":[{"pid":1},{"pid":2}]}}`)
	})
	t.Run("OneOfTwoLogins", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{})
		c, _ := r.loggedIn(t, asShop)
		c.say(t, asStaff, open)
		c.want(t, loginOK, opened)
		<-r.door.revoke(1, "cre_staff")
		c.want(t, `{"r":"fd1.firehose.open_firehose","rp":"f","error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`)
	})
	t.Run("ItsThread", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{})
		c, _ := r.loggedIn(t, asStaff)
		c.say(t, `{"a":"fd1.session.login","rt":"tab","v":{"apikey":"staff-2"}}`, `{"a":"fd1.firehose.open_firehose","rq":"f","rt":"tab","v":{"event":"device.event"}}`)
		c.want(t, `{"r":"fd1.session.login","rt":"tab","data":{}}`, `{"r":"fd1.firehose.open_firehose","rp":"f","rt":"tab","data":{}}`)
		<-r.door.revoke(1, "cre_staff-2")
		c.want(t, `{"r":"fd1.firehose.open_firehose","rp":"f","rt":"tab","error":{"Code":401,"Message":"a valid key is needed","Severity":"Error"}}`)
	})
}

// A client that does not read is cut, and delays nobody.
func TestFirehoseSlowReader(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	slow, session := r.loggedIn(t, asStaff)
	slow.say(t, `{"a":"fd1.firehose.open_firehose","rq":"f","v":{"event":"device.event"}}`)
	slow.want(t, `{"r":"fd1.firehose.open_firehose","rp":"f","data":{}}`)
	large := event("x", `{"pad":"`+string(make60k())+`"}`)
	for range 2000 {
		r.send(t, large)
		if len(r.door.index.List(live.Filter{ID: session})) == 0 {
			return
		}
	}
	t.Error("a client that does not read is still there")
}

func make60k() []byte {
	b := make([]byte, 60_000)
	for i := range b {
		b[i] = 'x'
	}
	return b
}
