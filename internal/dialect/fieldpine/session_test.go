package fieldpine

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/fair"
)

// A request waits for policy, and the login that it acts for is taken away
// meanwhile: nothing of it reaches a backend after the receipt.
func TestLoginTakenAwayWhilePolicyIsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	r.ends.asked = make(chan string, 4)
	r.door.allowing = func(credential string) {
		if credential == "cre_shop" {
			if n := <-r.door.revoke(1, credential); n != 1 {
				t.Errorf("the receipt names %d logins, want 1", n)
			}
		}
	}
	c := r.dial(t)
	c.say(t, `{"a":"fd1.session.login","rq":1,"v":{"apikey":"shop"}}`, `{"a":"fd1.session.login","rq":2,"v":{"apikey":"staff"}}`)
	c.want(t, `{"r":"fd1.session.login","rp":1,"data":{}}`, `{"r":"fd1.session.login","rp":2,"data":{}}`)
	c.say(t, `{"a":"fd1.products.list","rq":3}`)
	c.want(t, `{"r":"fd1.products.list","rp":3,"data":{"rows":[{"pid":1},{"pid":2}]}}`)
	if asked := <-r.ends.asked; !strings.HasSuffix(asked, "as cli_staff") {
		t.Errorf("the backend was asked %q, after the receipt", asked)
	}
}

// The last login of a socket ends while another one is being let in: the socket
// is closing, so it is not let in, and nothing stays in the index.
func TestLoginWhileTheLastOneEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	r.door.holding = func(credential string) {
		if credential == "cre_staff" {
			r.door.revoke(1, "cre_shop")
		}
	}
	logins := 0
	r.joined = func() {
		if logins++; logins == 2 {
			r.door.revoke(2, "cre_staff")
		}
	}
	c := r.dial(t)
	c.say(t, `{"a":"fd1.session.login","v":{"apikey":"shop"}}`)
	c.want(t, `{"r":"fd1.session.login","data":{}}`)
	c.say(t, `{"a":"fd1.session.login","v":{"apikey":"staff"}}`)
	c.want(t, "close 1008 credential no longer valid")
	for end := time.Now().Add(5 * time.Second); r.door.index.Len() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d logins of a socket that is gone stay open", r.door.index.Len())
		}
	}
}

// One source that opens sockets and says nothing keeps nobody else out, however
// many addresses it has; and a login gives the place back.
func TestSilentSourceKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	r.served.silent = fair.NewPlaces(8)
	status := func(addr string) (*client, int) {
		r.from(addr)
		return r.knock(t)
	}
	last, code := (*client)(nil), 0
	for i := range 7 {
		c, got := status(fmt.Sprintf("2001:db8::%d", i+1))
		if code = got; c != nil {
			last = c
		}
	}
	if code != http.StatusTooManyRequests {
		t.Errorf("the seventh silent socket of one network got %d, want 429", code)
	}
	made, _ := r.ticket(t, "shop", "", "")
	if _, code := r.open(t, "?ticket="+made, nil); code != http.StatusTooManyRequests {
		t.Errorf("a ticket of that network got %d, want 429", code)
	}
	if _, code := status("192.0.2.7"); code != http.StatusSwitchingProtocols {
		t.Errorf("another source got %d, want 101", code)
	}
	last.say(t, asShop)
	last.want(t, loginOK)
	if _, code := status("2001:db8::99"); code != http.StatusSwitchingProtocols {
		t.Errorf("after a login its network got %d, want 101", code)
	}
	r.from("192.0.2.7")
	if _, code := r.open(t, "?ticket="+made, nil); code != http.StatusSwitchingProtocols {
		t.Errorf("the ticket of a socket that was turned away got %d, want 101: it was not used", code)
	}
}
