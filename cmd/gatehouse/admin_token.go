package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

func tokenCommand(a *admin) *cobra.Command {
	return parent("token", "Make access tokens, end tokens, and list opaque ones",
		"JWTs are not kept, so nobody can list them; each can be ended all the same.",
		`  gatehouse token issue wallboard --scope performance-metrics --lifetime 8h
  gatehouse token revoke < token.txt
  gatehouse token list nightly
  gatehouse client end-tokens nightly      # all of them at once`,
		tokenIssue(a), tokenList(a), tokenRevoke(a))
}

func tokenList(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "list OWNER", Short: "List the opaque tokens of a principal", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.owner(c, args[0])
			if err != nil {
				return err
			}
			items, err := list[adminapi.Token](a, c, "/v1/tokens", adminclient.Query{"principal": p.ID}, 500)
			if err != nil {
				return err
			}
			t := table{head: []string{"TOKEN", "SCOPES", "ISSUED", "EXPIRES", "REVOKED"}, empty: "No opaque tokens."}
			return show(a, items, t, func(k adminapi.Token) []string {
				scopes := "all"
				if k.Scopes != nil {
					scopes = orDash(strings.Join(k.Scopes, " "))
				}
				return []string{k.ID, scopes, day(k.Issued), day(k.Expires), orDash(dayOf(k.Revoked))}
			})
		},
	}
}

func tokenRevoke(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "revoke [FILE]", Short: "End one token, read from FILE or the input", Args: cobra.MaximumNArgs(1),
		Long: "The token is not taken from the command line, where others could see it. To end\nall tokens of somebody there is end-tokens, as in: gatehouse client end-tokens",
		Example: `  gatehouse token revoke token.txt
  gatehouse token revoke < token.txt`,
		RunE: func(c *cobra.Command, args []string) error {
			name := "-"
			if len(args) > 0 {
				name = args[0]
			}
			if secret.WellFormed(token.OpaquePrefix, secret.New(name)) || strings.HasPrefix(name, "eyJ") {
				return errors.New("a token on the command line can be seen by others on this machine: write it to the input, or name a file that holds it")
			}
			b, err := a.readFile(name)
			if err != nil {
				return fmt.Errorf("read the token: %w", err)
			}
			tok := secret.New(strings.TrimSpace(string(b)))
			if tok.Empty() {
				return errors.New("there is no token on the input")
			}
			var r adminapi.Receipt
			if printed, err := a.post(c, "/v1/tokens/revoke", map[string]string{"token": tok.Reveal()}, &r); printed || err != nil {
				return err
			}
			return a.receipt("Revoked the token.", r)
		},
	}
}

func methodCommand(a *admin) *cobra.Command {
	change := func(verb, short string) *cobra.Command {
		return &cobra.Command{
			Use: verb + " DIALECT METHOD", Short: short, Args: cobra.ExactArgs(2),
			RunE: func(c *cobra.Command, args []string) error {
				var r adminapi.Receipt
				body := map[string]string{"dialect": args[0], "method": args[1]}
				if printed, err := a.post(c, "/v1/methods/"+verb, body, &r); printed || err != nil {
					return err
				}
				return a.receipt(fmt.Sprintf("Method %s of %s is %s.", args[1], args[0], verb), r)
			},
		}
	}
	list := &cobra.Command{
		Use: "list", Short: "List methods that are switched off", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			items, err := list[adminapi.Method](a, c, "/v1/methods", nil, 0)
			if err != nil {
				return err
			}
			t := table{head: []string{"DIALECT", "METHOD", "OFF SINCE"}, empty: "All methods are on."}
			return show(a, items, t, func(m adminapi.Method) []string { return []string{m.Dialect, m.Method, day(m.Since)} })
		},
	}
	return parent("method", "Switch ways of proving oneself off and on",
		"A method is one way of showing a credential to one dialect, such as password to\ngateway.",
		`  gatehouse method off gateway password
  gatehouse method list`,
		list, change("off", "Switch a method off, and end what came in by it"), change("on", "Switch a method on again"))
}
