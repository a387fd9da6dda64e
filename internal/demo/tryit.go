package demo

import (
	"fmt"
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
	gate, admin := local(f.BaseURL), local(f.Admin.URL)
	s := d.screen
	s.section("Do it yourself")
	s.paste("a token, and the sites",
		fmt.Sprintf("TOKEN=$(curl -s -u '%s:%s' -d grant_type=client_credentials %s/auth/token | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')", f.Ayyeka.Key, f.Ayyeka.Secret, gate),
		fmt.Sprintf(`curl -H "Authorization: Bearer $TOKEN" %s/v2.0/site`, gate),
		fmt.Sprintf(`curl -H "Authorization: Bearer $TOKEN" %s/v2.0/user/uiPreferences`, gate))
	s.paste("a download that takes its time; leave it running",
		fmt.Sprintf("curl -N -H 'X-API-Key: %s' '%s%s?lines=1000&every=1s'", f.Gateway.APIKey, gate, downloadPath))
	s.paste("and in another shell: revoke its key, and see it end",
		fmt.Sprintf("curl -X POST -H 'Authorization: Bearer %s' %s/v1/credentials/%s/revoke", f.Admin.Token, admin, f.Gateway.CredentialID))
	s.printf("\n  Everything a script needs is in %s\n", s.in(cyan, filepath.Join(dir, FileName)))
	s.printf("  Up until you press Ctrl-C.\n")
}
