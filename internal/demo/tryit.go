package demo

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// receipt shows what the revocation ended, and where.
func (s *screen) receipt(r *receipt) {
	s.printf("\n  %s  change %d", s.in(bold, "receipt"), r.Change)
	for _, n := range r.Nodes {
		s.printf("   node %s closed %d in %.1f ms", n.Node, n.SocketsClosed, n.MS)
	}
	unreached := "none"
	if len(r.Unreached) > 0 {
		unreached = strings.Join(r.Unreached, ", ")
	}
	s.printf("   unreached: %s\n", unreached)
}

// tryIt is what to paste into a shell.
func (d *demo) tryIt(f File, dir string) {
	s, board := d.screen, "PerformanceMetrics_"+f.Acqueon.User
	s.section("Do it yourself")
	s.paste("a token, and the sites",
		"GATE="+local(f.BaseURL),
		fmt.Sprintf("TOKEN=$(curl -s -u '%s:%s' -d grant_type=client_credentials $GATE/auth/token | %s)", f.Ayyeka.Key, f.Ayyeka.Secret, member("access_token")),
		`curl -H "Authorization: Bearer $TOKEN" $GATE/v2.0/site`,
		`curl -H "Authorization: Bearer $TOKEN" $GATE/v2.0/user/uiPreferences`)
	s.paste("a download that takes its time; leave it running",
		fmt.Sprintf("curl -N -H 'X-API-Key: %s' '%s%s?lines=1000&every=1s'", f.Gateway.APIKey, local(f.BaseURL), downloadPath))
	s.paste("and in another shell: revoke its key, and see it end",
		fmt.Sprintf("ADMIN=%s", local(f.Admin.URL)),
		fmt.Sprintf("curl -X POST -H 'Authorization: Bearer %s' $ADMIN/v1/credentials/%s/revoke", f.Admin.Token, f.Gateway.CredentialID))
	// Chromium sends the password of a socket's address only from a page of its site.
	s.paste("the call centre: open "+local(f.BaseURL)+" in a browser (404 is right), and paste into its console",
		fmt.Sprintf("s = new WebSocket('%s%s?name=%s')", strings.Replace(webSocket(local(f.BaseURL)), "ws://", "ws://"+board+":"+f.Acqueon.AccessToken+"@", 1), consolePath, board),
		`s.onmessage = e => { let m = JSON.parse(e.data), me = m.Receiver; console.log(m.MessageType, m.Data)`,
		`  if (m.MessageType == 'OpenID') s.send(JSON.stringify({Sender: me, Receiver: 'ATIRealTimeService',`,
		`    MessageType: 'AEPerformanceMetricInitialization', Data: JSON.stringify({TimeZoneOffset: 0, Sender: me})})) }`)
	s.paste("FD1 in the same console: log in, ask, and read what is answered",
		fmt.Sprintf("f = new WebSocket('%s%s')", webSocket(local(f.BaseURL)), fd1Path),
		fmt.Sprintf("f.onopen = () => f.send(JSON.stringify({a: 'fd1.session.login', rq: 1, v: {apikey: '%s'}}))", f.Fieldpine.APIKey),
		`f.onmessage = e => { console.log(e.data)`,
		`  if (JSON.parse(e.data).rp == 1) f.send(JSON.stringify({a: 'fd1.products.get_products', rq: 2})) }`)
	s.paste("FD1 in one request, by key",
		fmt.Sprintf("curl -H 'X-Apikey: %s' %s/fd1/products/get_products", f.Fieldpine.APIKey, local(f.BaseURL)))
	s.printf("\n  Everything a script needs is in %s\n", s.in(cyan, filepath.Join(dir, FileName)))
	s.printf("  Up until you press Ctrl-C.\n")
}

// member is a command that reads one member of a JSON object, with what this
// machine has.
func member(name string) string {
	if _, err := exec.LookPath("jq"); err == nil {
		return "jq -r ." + name
	}
	return fmt.Sprintf(`sed 's/.*"%s":"\([^"]*\)".*/\1/'`, name)
}
