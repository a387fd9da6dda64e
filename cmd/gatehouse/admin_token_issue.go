package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

// issueFlags are what a new token can be given.
type issueFlags struct {
	credential, lifetime string
	proofKey             string
	scopes, audience     []string
	unscoped             bool
}

func tokenIssue(a *admin) *cobra.Command {
	var in issueFlags
	c := &cobra.Command{
		Use: "issue OWNER", Short: "Make an access token, and show it once", Args: cobra.ExactArgs(1),
		Long: "Its bearer may do what both its scopes and the roles of OWNER allow. With\n" +
			"--credential it also rests on that key or pair, and ends with it.\n" +
			"OWNER is a name that only one principal has, kind/name such as client/nightly, or an id.",
		Example: `  gatehouse token issue wallboard --scope performance-metrics --lifetime 8h
  gatehouse token issue wallboard --scope performance-metrics --audience acqueon --credential cre_…
  gatehouse token issue nightly --unscoped --json | jq -r .token`,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.owner(c, args[0])
			if err != nil {
				return err
			}
			body, err := in.body(p.ID)
			if err != nil {
				return err
			}
			var out adminapi.IssuedToken
			if printed, err := a.post(c, "/v1/tokens", body, &out); printed || err != nil {
				return err
			}
			return a.secretOnce("ID", out.ID, "Expires", day(out.Expires), "Token", out.Text)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&in.scopes, "scope", nil, "what it is good for; may be repeated")
	f.BoolVar(&in.unscoped, "unscoped", false, "good for all that its owner may do, in place of --scope")
	f.StringSliceVar(&in.audience, "audience", nil, "`DIALECT` that it may be shown to, such as acqueon; may be repeated (default all)")
	f.StringVar(&in.credential, "credential", "", "`CREDENTIAL` of the owner that it rests on")
	f.StringVar(&in.proofKey, "dpop-jkt", "", "`THUMBPRINT` of a key that its bearer must prove to hold (RFC 9449)")
	f.StringVar(&in.lifetime, "lifetime", "1h", "how long it lives, such as 8h or 30d")
	return c
}

func (in issueFlags) body(owner string) (map[string]any, error) {
	if in.unscoped == (len(in.scopes) > 0) {
		return nil, errors.New("say what the token is good for: --scope, or --unscoped for all that its owner may do")
	}
	life, err := readSpan(in.lifetime)
	if err != nil || life < time.Second {
		return nil, errors.New("--lifetime is not a length of time such as 8h or 30d")
	}
	body := map[string]any{"principal": owner, "lifetime": life.String()}
	if in.unscoped {
		body["unscoped"] = true
	} else {
		body["scopes"] = in.scopes
	}
	if len(in.audience) > 0 {
		body["audience"] = in.audience
	}
	if in.proofKey != "" {
		body["dpop_jkt"] = in.proofKey
	}
	if in.credential != "" {
		body["credential"] = in.credential
	}
	return body, nil
}
