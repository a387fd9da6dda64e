package main

import (
	"time"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
)

func keyCommand(a *admin) *cobra.Command {
	revoke := endCredential(a, "revoke", "Revoke keys for good, and end what rests on them", "Revoked")
	return parent("key", "Make, replace and revoke API keys and key pairs",
		"A key is one string; a pair is a public key with a secret, in the shape that a\nprotocol fixes. Secrets are shown once, when they are made.",
		`  gatehouse key create nightly --comment "exports at night"
  gatehouse key create nightly --pair ayyeka --network 10.0.0.0/8
  gatehouse key list nightly
  gatehouse key create wallboard --pair gatehouse --as-user wallboard
  gatehouse key show cre_…
  gatehouse key rotate cre_… --overlap 2h
  gatehouse key replace cre_… --overlap 2h
  gatehouse key revoke cre_…`,
		keyList(a), keyCreate(a), credentialShow(a), credentialUpdate(a), rotateCommand(a), replaceCommand(a), revoke)
}

func everyKind(adminapi.Credential) bool { return true }

func keyList(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "list [OWNER]", Short: "List keys and pairs", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q, err := a.ownerQuery(c, args)
			if err != nil {
				return err
			}
			return listCredentials(a, c, q, "No keys.", func(cr adminapi.Credential) bool { return cr.Kind != "password" })
		},
	}
}

// ownerQuery narrows a list to an owner, if one is named.
func (a *admin) ownerQuery(c *cobra.Command, args []string) (adminclient.Query, error) {
	q := adminclient.Query{}
	if len(args) == 0 {
		return q, nil
	}
	p, err := a.owner(c, args[0])
	q["principal"] = p.ID
	return q, err
}

// createFlags are what a new credential can be given.
type createFlags struct {
	pair, comment string
	limits        constraintFlags
}

func keyCreate(a *admin) *cobra.Command {
	var in createFlags
	c := &cobra.Command{
		Use: "create OWNER", Short: "Make an API key or a pair, and show its secret once", Args: cobra.ExactArgs(1),
		Long: "OWNER is a name that only one principal has, kind/name such as client/nightly, or an id.",
		Example: `  gatehouse key create nightly
  gatehouse key create client/nightly --pair ayyeka --expires 90d
  gatehouse key create nightly --json | jq -r .secret`,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.owner(c, args[0])
			if err != nil {
				return err
			}
			body, err := in.body(p.ID)
			if err != nil {
				return err
			}
			var out adminapi.Issued
			if printed, err := a.post(c, "/v1/credentials", body, &out); printed || err != nil {
				return err
			}
			return a.showIssued(out)
		},
	}
	f := c.Flags()
	f.StringVar(&in.pair, "pair", "", "make a pair of public key and secret in the shape of `DIALECT`: ayyeka or gatehouse")
	f.StringVar(&in.comment, "comment", "", "what it is for")
	in.limits.flags(c)
	return c
}

func (in createFlags) body(owner string) (map[string]any, error) {
	body := map[string]any{"principal": owner, "kind": "api_key"}
	if in.pair != "" {
		body["kind"], body["dialect"] = "key_pair", in.pair
	}
	if in.comment != "" {
		body["comment"] = in.comment
	}
	return body, in.limits.into(body, time.Now())
}

// showIssued prints a fresh secret, once.
func (a *admin) showIssued(out adminapi.Issued) error {
	id := out.Credential.ID
	switch out.Credential.Kind {
	case "key_pair":
		return a.secretOnce("Credential", id, "Key", out.Credential.Key, "Secret", out.Secret)
	case "password", "encryption":
		return a.secretOnce("Credential", id, "User", out.Credential.Key, "Secret", out.Secret)
	case "scoped_token":
		return a.secretOnce("Credential", id, "Token", out.Secret, "Link", out.Link)
	}
	return a.secretOnce("Credential", id, "Key", out.Secret)
}
