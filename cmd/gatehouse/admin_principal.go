package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

func userCommand(a *admin) *cobra.Command {
	c := principalCommand(a, nounOf("user"), "Users: people", `  gatehouse user create ada --display-name "Ada Lovelace" --role gatehouse/auditor
  gatehouse user password ada
  gatehouse user grant ada ayyeka/operator@Organization:12
  gatehouse user disable ada`)
	c.AddCommand(passwordCommand(a))
	return c
}

func clientCommand(a *admin) *cobra.Command {
	return principalCommand(a, nounOf("client"), "API clients: programs that call", `  gatehouse client create nightly --role ayyeka/operator --comment "exports at night"
  gatehouse key create nightly --pair ayyeka
  gatehouse client end-tokens nightly`)
}

func applicationCommand(a *admin) *cobra.Command {
	return principalCommand(a, nounOf("application"), "Applications", `  gatehouse application create till
  gatehouse application list`)
}

func deviceCommand(a *admin) *cobra.Command {
	return principalCommand(a, nounOf("device"), "Devices", `  gatehouse device create pump-4
  gatehouse device list`)
}

// principalCommand is the same for every kind.
func principalCommand(a *admin, n noun, short, example string) *cobra.Command {
	return parent(n.kind, short, "", example,
		n.list(a), n.create(a), n.show(a), n.update(a),
		n.end(a, "disable", "Disable "+n.title+", and end what rests on it", "Disabled"),
		n.enable(a),
		n.end(a, "end-tokens", "End every token issued to "+n.title+" so far", "Ended all tokens of"),
		n.remove(a),
		n.role(a, "grant", "Give "+n.title+" a role", "Gave"),
		n.role(a, "take", "Take a role from "+n.title+", and end what is no longer allowed", "Took"))
}

func (n noun) list(a *admin) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List all " + n.plural, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			items, err := list[adminapi.Principal](a, c, "/v1/"+n.plural, nil, limit)
			if err != nil {
				return err
			}
			slices.SortFunc(items, func(a, b adminapi.Principal) int { return strings.Compare(a.Name, b.Name) })
			t := table{head: []string{"NAME", "NUMBER", "STATE", "ROLES", "COMMENT", "ID"}, empty: "No " + n.plural + "."}
			return show(a, items, t, func(p adminapi.Principal) []string {
				return []string{p.Name, fmt.Sprint(p.Number), state(p.Enabled), orDash(strings.Join(p.Roles, ",")), orDash(shorten(p.Comment)), p.ID}
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 0, "show this many at most (default: all)")
	return c
}

// shorten keeps long remarks from breaking a table.
func shorten(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func (n noun) create(a *admin) *cobra.Command {
	body := struct {
		Name        string   `json:"name"`
		DisplayName string   `json:"display_name,omitempty"`
		Comment     string   `json:"comment,omitempty"`
		Roles       []string `json:"roles,omitempty"`
		ReuseWindow string   `json:"reuse_window,omitempty"`
	}{}
	c := &cobra.Command{
		Use: "create NAME", Short: "Make " + n.title, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			body.Name = args[0]
			var p adminapi.Principal
			if printed, err := a.post(c, "/v1/"+n.plural, body, &p); printed || err != nil {
				return err
			}
			return showPrincipal(a, p)
		},
	}
	f := c.Flags()
	f.StringVar(&body.DisplayName, "display-name", "", "`NAME` for people")
	f.StringVar(&body.Comment, "comment", "", "a remark")
	f.StringSliceVar(&body.Roles, "role", nil, "`ROLE` to hold; may be given several times")
	if n.kind == "client" {
		f.StringVar(&body.ReuseWindow, "reuse-window", "", "how long the same request may get the same token, as 30s (default: never)")
	}
	return c
}

func showPrincipal(a *admin, p adminapi.Principal) error {
	return fields(a.stdout, nounTitle(p.Kind), p.Name, "Display name", p.DisplayName, "Comment", p.Comment,
		"State", state(p.Enabled), "Roles", strings.Join(p.Roles, ", "), "Same token within", p.ReuseWindow,
		"Tokens since", dayOf(p.NotBefore), "Number", fmt.Sprint(p.Number), "Created", day(p.Created), "Id", p.ID)
}

func nounTitle(kind string) string { return strings.ToUpper(kind[:1]) + kind[1:] }

func (n noun) show(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show " + n.title + " and what it can show", Args: cobra.ExactArgs(1), ValidArgsFunction: n.complete(a),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := n.find(a, c, args[0])
			if err != nil {
				return err
			}
			if a.json {
				_, err := a.get(c, n.path(p.ID), nil, nil)
				return err
			}
			if err := showPrincipal(a, p); err != nil {
				return err
			}
			fmt.Fprintln(a.stdout)
			return listCredentials(a, c, map[string]string{"principal": p.ID}, "No credentials.", everyKind)
		},
	}
}

func (n noun) update(a *admin) *cobra.Command {
	var display, comment, window string
	c := &cobra.Command{
		Use: "update NAME", Short: "Change what people see of " + n.title, Args: cobra.ExactArgs(1), ValidArgsFunction: n.complete(a),
		RunE: func(c *cobra.Command, args []string) error {
			body := map[string]any{}
			for flag, member := range map[string]string{"display-name": "display_name", "comment": "comment", "reuse-window": "reuse_window"} {
				if f := c.Flags().Lookup(flag); f != nil && f.Changed {
					body[member] = f.Value.String()
				}
			}
			if len(body) == 0 {
				return errors.New("nothing to change; see --help")
			}
			p, err := n.find(a, c, args[0])
			if err != nil {
				return err
			}
			if printed, err := a.send(c, "PATCH", n.path(p.ID), nil, body, &p); printed || err != nil {
				return err
			}
			return showPrincipal(a, p)
		},
	}
	f := c.Flags()
	f.StringVar(&display, "display-name", "", "`NAME` for people")
	f.StringVar(&comment, "comment", "", "a remark")
	if n.kind == "client" {
		f.StringVar(&window, "reuse-window", "", "how long the same request may get the same token, as 30s; 0s: never")
	}
	return c
}

// end is a change that takes something away.
func (n noun) end(a *admin, verb, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: n.complete(a),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := n.find(a, c, args[0])
			if err != nil {
				return err
			}
			var r adminapi.Receipt
			if printed, err := a.post(c, n.path(p.ID)+"/"+verb, nil, &r); printed || err != nil {
				return err
			}
			return a.receipt(fmt.Sprintf("%s %s %s.", done, n.kind, p.Name), r)
		},
	}
}

func (n noun) enable(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "enable NAME", Short: "Enable " + n.title + " again", Args: cobra.ExactArgs(1), ValidArgsFunction: n.complete(a),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := n.find(a, c, args[0])
			if err != nil {
				return err
			}
			if printed, err := a.post(c, n.path(p.ID)+"/enable", nil, nil); printed || err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "Enabled %s %s.\n", n.kind, p.Name)
			return err
		},
	}
}

func (n noun) remove(a *admin) *cobra.Command {
	var sure bool
	c := &cobra.Command{
		Use: "delete NAME", Short: "Delete " + n.title + " with all credentials, for good", Args: cobra.ExactArgs(1), ValidArgsFunction: n.complete(a),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := n.find(a, c, args[0])
			if err != nil {
				return err
			}
			if !sure {
				return fmt.Errorf("this deletes %s %s and everything it can show; add --yes if you mean it, or disable it instead", n.kind, p.Name)
			}
			var r adminapi.Receipt
			if printed, err := a.send(c, "DELETE", n.path(p.ID), nil, nil, &r); printed || err != nil {
				return err
			}
			return a.receipt(fmt.Sprintf("Deleted %s %s.", n.kind, p.Name), r)
		},
	}
	c.Flags().BoolVar(&sure, "yes", false, "really delete")
	return c
}

func (n noun) role(a *admin, verb, short, done string) *cobra.Command {
	path := map[string]string{"grant": "/roles/grant", "take": "/roles/remove"}[verb]
	to := map[string]string{"grant": "to", "take": "from"}[verb]
	return &cobra.Command{
		Use: verb + " NAME ROLE", Short: short, Args: cobra.ExactArgs(2), ValidArgsFunction: n.complete(a),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := n.find(a, c, args[0])
			if err != nil {
				return err
			}
			var r adminapi.Receipt
			if printed, err := a.post(c, n.path(p.ID)+path, map[string]string{"role": args[1]}, &r); printed || err != nil {
				return err
			}
			return a.receipt(fmt.Sprintf("%s role %s %s %s %s.", done, args[1], to, n.kind, p.Name), r)
		},
	}
}
