package fieldpine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{}).dial(t)
	c.say(t, `{"a":"fd1.session.login","rq":"login-1","rt":"tab","v":{"apikey":"shop","tz":-780,"localtime":"2026-1-5 9:3:7.8","geo":{"latitude":-36.85,"longitude":174.76,"accuracy":25,"altitude":null,"altitudeAccuracy":null}}}`)
	c.want(t, `{"r":"fd1.session.login","rp":"login-1","rt":"tab","data":{}}`)
}

// Before a login nothing is said, in words or in time.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, packet := range map[string]string{
		"WrongKey":     `{"a":"fd1.session.login","v":{"apikey":"wrong"}}`,
		"NoCredential": `{"a":"fd1.session.login","v":{"purpose":"debugscope"}}`,
		"Two":          `{"a":"fd1.session.login","v":{"apikey":"staff","token":"sale-7741"}}`,
		"Request":      ask,
		"NoPrefix":     `{"a":"session.login","v":{"apikey":"staff"}}`,
		"NotJSON":      `hello`,
		"TooLong":      `{"a":"` + strings.Repeat("x", loginReadLimit) + `"}`,
		"Ignore":       `{"a":"fd1.session.ignore","rq":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRig(t, Config{}).dial(t)
			c.say(t, packet)
			c.silent(t)
			c.say(t, asStaff) // and it still may log in
			c.want(t, loginOK)
		})
	}
	t.Run("ThreeFailures", func(t *testing.T) {
		t.Parallel()
		c := newRig(t, Config{}).dial(t)
		start := time.Now()
		for range 3 {
			c.say(t, `{"a":"fd1.session.login","v":{"apikey":"wrong"}}`)
		}
		c.say(t, asStaff) // too late
		c.want(t, "close 1008")
		if took := time.Since(start); took < loginTimeout-time.Second {
			t.Errorf("closed after %v, which tells that the third was wrong", took)
		}
	})
	for name, n := range map[string]int{"Strays": maxStrays - 1, "TooManyStrays": maxStrays} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRig(t, Config{}).dial(t)
			for range n {
				c.say(t, ask)
			}
			c.say(t, asStaff)
			if n < maxStrays {
				c.want(t, loginOK)
			} else {
				c.want(t, "close 1008")
			}
		})
	}
	t.Run("Nothing", func(t *testing.T) {
		t.Parallel()
		c := newRig(t, Config{}).dial(t)
		c.want(t, "close 1008")
	})
}

func TestHello(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{Hello: true}).dial(t)
	c.want(t, "{}")
}

func TestRequests(t *testing.T) {
	t.Parallel()
	failed := func(action, rq string, code int, message string) string {
		if rq != "" {
			rq = `,"rp":` + rq
		}
		return fmt.Sprintf(`{"r":"%s"%s,"error":{"Code":%d,"Message":"%s","Severity":"Error"}}`, action, rq, code, message)
	}
	tests := map[string]struct{ login, say, want string }{
		"List":            {asStaff, `{"a":"fd1.products.list","rq":7,"rt":"t"}`, `{"r":"fd1.products.list","rp":7,"rt":"t","data":{"rows":[{"pid":1},{"pid":2}]}}`},
		"Object":          {asStaff, `{"a":"products.get","rq":"x"}`, `{"r":"fd1.products.get","rp":"x","data":{"ok":true}}`},
		"BackendError":    {asStaff, `{"a":"fd1.products.missing","rq":1}`, failed("fd1.products.missing", "1", 404, "no such product")},
		"BackendNotJSON":  {asStaff, `{"a":"fd1.products.html"}`, failed("fd1.products.html", "", 502, "the backend's answer is not JSON")},
		"BackendDown":     {asStaff, `{"a":"fd1.products.down"}`, failed("fd1.products.down", "", 502, "the backend could not be reached")},
		"Unknown":         {asStaff, `{"a":"fd1.nothing.here","rq":1}`, failed("fd1.nothing.here", "1", 404, "unknown endpoint")},
		"Diag":            {asStaff, `{"a":"fd1.diag.dump","rq":1}`, failed("fd1.diag.dump", "1", 404, "unknown endpoint")},
		"NotPermitted":    {asShop, `{"a":"fd1.sales.get_sale","k":"7741","rq":1}`, failed("fd1.sales.get_sale", "1", 403, "endpoint not permitted")},
		"TokenItsSale":    {asSale, `{"a":"fd1.sales.get_sale","k":"7741","rq":1}`, `{"r":"fd1.sales.get_sale","rp":1,"data":{"ok":true}}`},
		"TokenOther":      {asSale, `{"a":"fd1.sales.get_sale","k":"7742","rq":1}`, failed("fd1.sales.get_sale", "1", 403, "endpoint not permitted")},
		"TokenAnything":   {asSale, `{"a":"fd1.products.list","rq":1}`, failed("fd1.products.list", "1", 403, "endpoint not permitted")},
		"LongRequestID":   {asStaff, `{"a":"fd1.products.list","rq":"` + strings.Repeat("x", 200) + `"}`, failed("fd1.products.list", "", 400, "rq must be shorter than 200 characters")},
		"NotAPacket":      {asStaff, `[]`, `{"error":{"Code":400,"Message":"not an FD1 packet","Severity":"Error"}}`},
		"SetOption":       {asStaff, `{"a":"fd1.session.set_option","rq":1,"v":{"geo":{"latitude":1,"longitude":2,"accuracy":3}}}`, `{"r":"fd1.session.set_option","rp":1,"data":{}}`},
		"CancelOfNothing": {asStaff, `{"a":"fd1.session.cancel_request","rq":1,"k":"r"}`, `{"r":"fd1.session.cancel_request","rp":1,"data":{}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRig(t, Config{}).dial(t)
			c.say(t, tt.login)
			c.want(t, loginOK)
			// What needs no answer gets none; the next one does.
			c.say(t, `{"a":"fd1.session.ignore","v":{"pad":"x"},"rq":0}`, `{"a":"fd1.x.y","pt":"other","rq":0}`,
				`{"a":"fd1.session.set_option","v":{}}`, `{"a":"fd1.session.login","rq":9,"v":{"apikey":"wrong"}}`, tt.say)
			c.want(t, tt.want)
		})
	}
}

// What a backend gets is what was decided on.
func TestForwardedPacket(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	r.ends.asked = make(chan string, 1)
	c := r.dial(t)
	c.say(t, asStaff, `{"a":"sales.get_sale","K":"7742","k":"7741","q":{"temp(>=)":-90},"rq":5,"rt":"t","mo":"chunk","zz":1}`)
	want := `POST /fd1/sales/get_sale {"a":"fd1.sales.get_sale","q":{"temp(>=)":-90},"k":"7741"} as cli_staff`
	if diff := cmp.Diff(want, <-r.ends.asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChunks(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{}).dial(t)
	c.say(t, asStaff, `{"a":"fd1.products.many","rq":1,"mo":"chunk"}`)
	c.want(t, loginOK)
	rows := 0
	for n := 1; ; n++ {
		p := c.next()
		if !strings.HasPrefix(p, fmt.Sprintf(`{"r":"fd1.products.many","rp":1,"ch":%d,"data":{"rows":[`, n)) {
			t.Fatalf("chunk %d: %.100s", n, p)
		}
		rows += strings.Count(p, "pid")
		if strings.HasSuffix(p, `"last":true}}`) {
			break
		}
	}
	if rows != 1100 {
		t.Errorf("%d rows in all chunks, want 1100", rows)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{}).dial(t)
	c.say(t, asStaff, `{"a":"fd1.slow.wait","rq":"r"}`, ask)
	c.want(t, loginOK, `{"r":"fd1.products.list","rp":1,"data":{"rows":[{"pid":1},{"pid":2}]}}`) // overtakes
	c.say(t, `{"a":"fd1.session.cancel_request","k":"r"}`)
	c.want(t, `{"r":"fd1.slow.wait","rp":"r","error":{"Code":502,"Message":"given up","Severity":"Error"}}`)
}

func TestLoginsAddScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.dial(t)
	const sale = `{"a":"fd1.sales.get_sale","k":"7741","rq":2}`
	list := `{"r":"fd1.products.list","rp":1,"data":{"rows":[{"pid":1},{"pid":2}]}}`
	c.say(t, asShop, asSale, ask)
	c.want(t, loginOK, loginOK, list)
	c.say(t, sale)
	c.want(t, `{"r":"fd1.sales.get_sale","rp":2,"data":{"ok":true}}`)

	// One login is revoked: its scope goes, the socket stays.
	if n := <-r.door.revoke(1, "cre_sale-7741"); n != 1 {
		t.Errorf("the receipt counts %d, want 1", n)
	}
	c.say(t, sale)
	c.want(t, `{"r":"fd1.sales.get_sale","rp":2,"error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`)
	c.say(t, ask)
	c.want(t, list)

	// The last one is revoked: the socket goes.
	closed := r.door.revoke(2, "cre_shop")
	c.want(t, "close 1008 credential no longer valid")
	c.Close()
	if n := <-closed; n != 1 {
		t.Errorf("the receipt counts %d, want 1", n)
	}
}

func TestThreadSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.dial(t)
	c.say(t, asShop, `{"a":"fd1.session.login","rt":"tab","v":{"apikey":"staff"}}`)
	c.want(t, loginOK, `{"r":"fd1.session.login","rt":"tab","data":{}}`)
	const denied = `"error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`
	c.say(t, `{"a":"fd1.sales.get_sale","k":"1"}`)
	c.want(t, `{"r":"fd1.sales.get_sale",`+denied)
	c.say(t, `{"a":"fd1.sales.get_sale","k":"1","rt":"tab"}`)
	c.want(t, `{"r":"fd1.sales.get_sale","rt":"tab","data":{"ok":true}}`)
	<-r.door.revoke(1, "cre_staff")
	c.say(t, `{"a":"fd1.sales.get_sale","k":"1","rt":"tab"}`)
	c.want(t, `{"r":"fd1.sales.get_sale","rt":"tab",`+denied)
}

func TestAtMostEightLogins(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.dial(t)
	for range maxLogins {
		c.say(t, asShop)
		c.want(t, loginOK)
	}
	c.say(t, asStaff)
	c.silent(t)
	if n := r.door.index.Len(); n != maxLogins {
		t.Errorf("%d logins are open, want %d", n, maxLogins)
	}
}
