package app_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/fieldpine"
	"gatehouse.dev/internal/app"
)

// cageSockets put canaries into the ways in that a plain request does not have,
// by owner and way.
var cageSockets = map[string]func(c *cage, w app.Way){
	"dialect acqueon basic":           (*cage).throughAcqueon,
	"dialect acqueon basic-name":      (*cage).asAcqueonName,
	"dialect fieldpine first-message": (*cage).throughLogin,
	"dialect fieldpine header-key":    (*cage).throughFD1,
	"dialect fieldpine ticket":        (*cage).withFD1Ticket,
	"route perch ticket":              (*cage).withTicket,
	"route perch first-message":       (*cage).asFirstMessage,
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// throughAcqueon shows keys and tokens in every form, right and wrong. Refused
// sockets are held back for a while, so all go at once.
func (c *cage) throughAcqueon(w app.Way) {
	type shown struct {
		password string
		good     bool
	}
	all := []shown{{c.mark("bare"), false}, {b64("nobody:" + c.mark("of nobody")), false}, {b64(c.mark("as token")), false}}
	switch strings.HasPrefix(w.Path, "/AEConsole") {
	case true:
		all = append(all, shown{c.token[:len(c.token)-8] + "AAAAAAAA", false}, shown{c.token, true})
	default:
		all = append(all, shown{b64(c.pair.Key + ":" + c.mark("wrong secret")), false},
			shown{b64(c.pair.Key + ":" + c.pair.Secret), true}, shown{b64(c.token), true})
	}
	for i, s := range all {
		name := fmt.Sprintf("PerformanceMetrics_canary_%d", 1_767_225_600_000+c.n*100+i)
		c.sockets.Go(func() { c.openMetrics(w, name, name, s.password, s.good) })
	}
}

// asAcqueonName shows a secret where the name belongs.
func (c *cage) asAcqueonName(w app.Way) {
	for _, name := range []string{c.mark("as name"), "PerformanceMetrics_" + c.mark("as user")} {
		c.sockets.Go(func() { c.openMetrics(w, "PerformanceMetrics_canary", name, b64("x:y"), false) })
	}
}

// openMetrics opens one socket and reads what is said first. It runs beside the
// test, so it only reports.
func (c *cage) openMetrics(w app.Way, asked, name, password string, good bool) {
	header := http.Header{}
	(&http.Request{Header: header}).SetBasicAuth(name, password)
	path := strings.TrimSuffix(w.Path, "{$}") + "?name=" + url.QueryEscape(asked)
	sock, err := c.dial(path, header)
	if err != nil {
		c.t.Errorf("%s at %s: %v", w.In, w.Path, err)
		return
	}
	defer sock.CloseNow()
	said, err := c.hear(sock)
	if accepted := strings.Contains(said, "OpenID"); accepted != good {
		c.t.Errorf("%s at %s: good %v, said %q, %v", w.In, w.Path, good, said, err)
	} else if accepted {
		c.accepted()
	}
	c.look("the answer of "+w.Path, said+fmt.Sprint(err))
}

// throughLogin shows a wrong credential of each kind as the first packet, and a
// right one after it: the first answer must be that to the second.
func (c *cage) throughLogin(w app.Way) {
	c.encrypted(w)
	rights := map[string]string{
		"apikey": c.key.Secret,
		"token":  saleToken(c.t, c.h, c.h.Admin.Client(c.t, "canary"+strings.ReplaceAll(w.Path, "/", "-"), "fieldpine/shop"), "7741", nil).Secret,
	}
	c.keep(rights["token"])
	for _, wrong := range []string{
		`"apikey":"` + c.mark("wrong key") + `"`,
		`"apikey":"ghk_` + c.mark("key-shaped") + `"`,
		`"token":"` + c.mark("wrong token") + `"`,
		`"token":"https://shop.example/t/` + c.mark("in-a-link") + `?token=` + c.mark("argument") + `"`,
		`"apikey":"` + c.mark("one") + `","token":"` + c.mark("and another") + `"`,
		`"apikey":"` + c.mark("never ends"),
	} {
		for member, right := range rights {
			c.sockets.Go(func() { c.logIn(w, wrong, member, right) })
		}
	}
}

// logIn sends a wrong login and then a right one.
func (c *cage) logIn(w app.Way, wrong, member, right string) {
	sock, err := c.dial(w.Path, nil)
	if err != nil {
		c.t.Errorf("%s at %s: %v", w.In, w.Path, err)
		return
	}
	defer sock.CloseNow()
	for _, login := range []string{
		`{"a":"fd1.session.login","rq":"wrong","v":{` + wrong + `}}`,
		`{"a":"fd1.session.login","rq":"right","v":{"` + member + `":"` + right + `"}}`,
	} {
		if err := sock.Write(c.t.Context(), websocket.MessageText, []byte(login)); err != nil {
			c.t.Errorf("send a login: %v", err)
		}
	}
	said, err := c.hear(sock)
	if !strings.Contains(said, `"rp":"right"`) {
		c.t.Errorf("after a login with %s: %q, %v", wrong, said, err)
		return
	}
	c.accepted()
	c.look("the answer to a login", said)
}

// encrypted shows a name and proves a secret without showing it; and a secret
// where the name belongs, which is answered like any name.
func (c *cage) encrypted(w app.Way) {
	user := "canary" + strings.ReplaceAll(w.Path, "/", "-")
	secret := encryptionSecret(c.t, c.h, user, "fieldpine/shop")
	c.keep(secret.Secret)
	session := func(name, secret string, good bool) {
		sock, err := fieldpine.Dial(c.t.Context(), socketURL(c.h)+w.Path, fieldpine.EncryptedUser(name, secret),
			&fieldpine.Options{LoginTimeout: time.Minute})
		if err == nil {
			err = sock.Call(c.t.Context(), fieldpine.Request{Action: "fd1.products.get_products"}, nil)
			sock.Close()
		}
		if (err == nil) != good {
			c.t.Errorf("an encrypted session: good %v, got %v", good, err)
		} else if good {
			c.accepted()
		}
	}
	// One after the other: each costs a derivation of keys on both sides.
	session(user, secret.Secret, true)
	session(user, c.mark("never-sent"), false)
	session(c.mark("as-encryption-user"), c.mark("never-sent-either"), false)
}

// throughFD1 shows keys in either header of the HTTP form.
func (c *cage) throughFD1(w app.Way) {
	ask := func(header, key string) int {
		method, path := http.MethodGet, w.Path+"products/get_products"
		if w.Method != "" {
			method, path = w.Method, w.Path
		}
		req, err := http.NewRequestWithContext(c.t.Context(), method, c.h.Gate+path, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set(header, key)
		status, body := do(c.t, http.DefaultClient, req)
		c.look("the answer of "+w.Path, body)
		var made struct{ Data struct{ Ticket string } }
		if json.Unmarshal([]byte(body), &made) == nil && made.Data.Ticket != "" {
			c.fd1Ticket = made.Data.Ticket
		}
		return status
	}
	for _, header := range []string{"X-Apikey", "X-Api-Key"} {
		if status := ask(header, c.mark("wrong key")); status != http.StatusUnauthorized {
			c.t.Errorf("a wrong key in %s: %d", header, status)
		}
		if status := ask(header, c.key.Secret); status != http.StatusOK {
			c.t.Errorf("a good key in %s: %d", header, status)
		} else {
			c.accepted()
		}
	}
}

func (c *cage) dial(path string, header http.Header) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second*slack)
	defer cancel()
	sock, _, err := websocket.Dial(ctx, socketURL(c.h)+path, &websocket.DialOptions{HTTPHeader: header})
	return sock, err
}

func (c *cage) hear(sock *websocket.Conn) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second*slack)
	defer cancel()
	_, data, err := sock.Read(ctx)
	return string(data), err
}

func (c *cage) accepted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.good++
}

// withTicket shows tickets in the query: wrong ones, a good one, and that one
// again.
func (c *cage) withTicket(w app.Way) {
	made, _ := askTicket(c.t, c.h, w.Path, c.key.Secret, "")
	c.all = append(c.all, made)
	for _, s := range []struct {
		ticket string
		good   bool
	}{{c.mark("wrong ticket"), false}, {"ghw_" + c.mark("ticket-shaped"), false}, {made, true}, {made, false}} {
		sock, err := c.dial(w.Path+"?ticket="+url.QueryEscape(s.ticket), nil)
		if (err == nil) != s.good {
			c.t.Errorf("%s at %s: good %v, %v", w.In, w.Path, s.good, err)
		}
		if err == nil {
			c.accepted()
			sock.CloseNow()
		}
	}
}

// withFD1Ticket does the same with those of FD1.
func (c *cage) withFD1Ticket(w app.Way) {
	c.throughFD1(app.Way{Owner: w.Owner, Method: http.MethodPost, Path: "/fd1/session/create_ticket"})
	c.all = append(c.all, c.fd1Ticket)
	for _, s := range []struct {
		ticket string
		good   bool
	}{{c.mark("wrong ticket"), false}, {c.fd1Ticket, true}, {c.fd1Ticket, false}} {
		sock, err := c.dial(w.Path+"?ticket="+url.QueryEscape(s.ticket), nil)
		if (err == nil) != s.good {
			c.t.Errorf("%s at %s: good %v, %v", w.In, w.Path, s.good, err)
		}
		if err == nil {
			c.accepted()
			sock.CloseNow()
		}
	}
}

// asFirstMessage shows keys in the message that the gate swallows: the backend
// echoes the second one only.
func (c *cage) asFirstMessage(w app.Way) {
	for _, s := range []struct {
		text string
		good bool
	}{
		{`{"key":"` + c.mark("wrong key") + `"}`, false},
		{`{"other":"` + c.mark("another member") + `"}`, false},
		{c.mark("not JSON"), false},
		{`{"key":"` + c.key.Secret + `"}`, true},
	} {
		sock, err := c.dial(w.Path, nil)
		if err != nil {
			c.t.Errorf("%s at %s: %v", w.In, w.Path, err)
			continue
		}
		for _, text := range []string{s.text, "hello"} {
			_ = sock.Write(c.t.Context(), websocket.MessageText, []byte(text)) // it may be closed by now
		}
		said, err := c.hear(sock)
		if (said == "hello") != s.good {
			c.t.Errorf("%s at %s: good %v, said %q, %v", w.In, w.Path, s.good, said, err)
		} else if s.good {
			c.accepted()
		}
		c.look("the answer of "+w.Path, said+fmt.Sprint(err))
		sock.CloseNow()
	}
}
