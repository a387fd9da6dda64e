package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

var credentialKinds = []string{"password", "api_key", "key_pair", "encryption", "scoped_token"}

// credentialFlags are what a credential of any kind can be given.
type credentialFlags struct {
	kind, dialect, comment string
	scope                  string
	actions                []string
	uses                   int64
	qr                     bool
	qrFile                 string
	limits                 constraintFlags
}

func credentialCreate(a *admin) *cobra.Command {
	var in credentialFlags
	c := &cobra.Command{
		Use: "create OWNER", Short: "Make a credential of any kind, and show its secret once", Args: cobra.ExactArgs(1),
		Long: `Kind encryption is for users: a secret that is never sent, under which an FD1 session
is encrypted. Kind scoped_token opens one thing, for whoever has it, as far as OWNER
may: its --scope, --action and --expires are needed. Where the tenant has links, the
token comes as one, and --qr shows it for a telephone to read.`,
		Example: `  gatehouse credential create ada --kind encryption
  gatehouse credential create till --kind scoped_token --scope Sale:7741 --action fd1.sales.get_sale --expires 30d --qr
  gatehouse credential create till --kind scoped_token --scope Sale:7741 --action fd1.sales.get_sale --expires 1d --uses 3 --qr-file sale.svg`,
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
			if err := a.showIssued(out); err != nil {
				return err
			}
			return a.showCode(in, out)
		},
	}
	f := c.Flags()
	f.StringVar(&in.kind, "kind", "api_key", "what to make: "+strings.Join(credentialKinds, ", ")+" (`KIND`)")
	f.StringVar(&in.dialect, "dialect", "", "in the shape of `DIALECT`")
	f.StringVar(&in.comment, "comment", "", "what it is for")
	f.StringVar(&in.scope, "scope", "", "the one `TYPE:KEY` that a scoped token opens, as Sale:7741")
	f.StringSliceVar(&in.actions, "action", nil, "what a scoped token may do with it, as fd1.sales.get_sale (`ACTION`); may be given several times")
	f.Int64Var(&in.uses, "uses", 0, "how many logins a scoped token is good for; 0: any number")
	f.BoolVar(&in.qr, "qr", false, "show a scoped token as a QR code on the terminal")
	f.StringVar(&in.qrFile, "qr-file", "", "write it as a QR code to `FILE`, .svg or .png; it must not exist")
	in.limits.flags(c)
	offer(c, "kind", credentialKinds...)
	return c
}

func (in credentialFlags) body(owner string) (map[string]any, error) {
	if (in.qr || in.qrFile != "") && in.kind != "scoped_token" {
		return nil, errors.New("a QR code is made of a scoped_token only")
	}
	if err := checkCodeFile(in.qrFile); err != nil {
		return nil, err
	}
	body := map[string]any{"principal": owner, "kind": in.kind}
	if in.dialect != "" {
		body["dialect"] = in.dialect
	}
	if in.comment != "" {
		body["comment"] = in.comment
	}
	if in.kind == "scoped_token" && in.scope == "" {
		return nil, errors.New("say what the token opens: --scope TYPE:KEY, as --scope Sale:7741")
	}
	if in.scope != "" || len(in.actions) > 0 || in.uses != 0 {
		resourceType, key, err := splitScope(in.scope)
		if err != nil {
			return nil, err
		}
		body["scope"] = adminapi.Scope{Type: resourceType, Key: key, Actions: in.actions, MaxUses: in.uses}
	}
	return body, in.limits.into(body, time.Now())
}

// splitScope takes TYPE:KEY apart.
func splitScope(s string) (resourceType, key string, err error) {
	resourceType, key, ok := strings.Cut(s, ":")
	if !ok || resourceType == "" || key == "" {
		return "", "", fmt.Errorf("%q is not a thing such as Sale:7741", s)
	}
	return resourceType, key, nil
}

// shownScope is what a token opens, and how often it has been used.
func shownScope(cr adminapi.Credential) (opens, uses string) {
	if cr.Scope == nil {
		return "", ""
	}
	uses = fmt.Sprint(cr.Uses)
	if cr.Scope.MaxUses > 0 {
		uses += fmt.Sprintf(" of %d", cr.Scope.MaxUses)
	}
	return cr.Scope.Type + ":" + cr.Scope.Key + " (" + strings.Join(cr.Scope.Actions, ", ") + ")", uses
}

func revokeScoped(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "revoke-scoped TYPE:KEY", Short: "Revoke every token for one thing, and end what rests on them", Args: cobra.ExactArgs(1),
		Example: "  gatehouse credential revoke-scoped Sale:7741",
		RunE: func(c *cobra.Command, args []string) error {
			resourceType, key, err := splitScope(args[0])
			if err != nil {
				return err
			}
			var out adminapi.ScopedRevoked
			body := map[string]string{"type": resourceType, "key": key}
			if printed, err := a.post(c, "/v1/credentials/revoke-scoped", body, &out); printed || err != nil {
				return err
			}
			return a.receipt("Revoked "+count(out.Tokens, "token")+" for "+args[0]+".", out.Receipt)
		},
	}
}
