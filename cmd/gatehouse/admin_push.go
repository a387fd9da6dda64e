package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

func connPush(a *admin) *cobra.Command {
	var conn, owner string
	var all bool
	c := &cobra.Command{
		Use: "push ACTION [VALUES]", Short: "Send a packet to open FD1 sockets", Args: cobra.RangeArgs(1, 2),
		Long: "ACTION begins with fn1. VALUES is a JSON object. The sockets of every node get it.",
		Example: `  gatehouse conn push --all fn1.link.link_status '{"message":"Restart in 10 minutes"}'
  gatehouse conn push --owner till-7 fn1.shop.open`,
		RunE: func(c *cobra.Command, args []string) error {
			b := adminapi.Push{To: adminapi.PushTo{Conn: conn, All: all}, Action: args[0]}
			if given := countTrue(conn != "", owner != "", all); given != 1 {
				return errors.New("say whose sockets: --conn, --owner or --all")
			}
			if owner != "" {
				p, err := a.owner(c, owner)
				if err != nil {
					return err
				}
				b.To.Principal = p.ID
			}
			if len(args) > 1 {
				b.Values = json.RawMessage(args[1])
			}
			return a.deliver(c, "/v1/pushes", b.Values, b)
		},
	}
	f := c.Flags()
	f.StringVar(&conn, "conn", "", "to the session `CONN`, as conns are listed")
	f.StringVar(&owner, "owner", "", "to all sessions of `OWNER`")
	f.BoolVar(&all, "all", false, "to all sessions of the tenant")
	return c
}

func connEvent(a *admin) *cobra.Command {
	var schema string
	c := &cobra.Command{
		Use: "event EVENT VALUES", Short: "Publish an event to the firehoses of FD1 sockets", Args: cobra.ExactArgs(2),
		Long:    "VALUES is a JSON object. Who listens at this moment gets it; it is kept for nobody.",
		Example: `  gatehouse conn event device.event --schema device.scale.reading '{"kg":2.5}'`,
		RunE: func(c *cobra.Command, args []string) error {
			b := adminapi.Happening{Event: args[0], Schema: schema, Values: json.RawMessage(args[1])}
			return a.deliver(c, "/v1/events", b.Values, b)
		},
	}
	c.Flags().StringVar(&schema, "schema", "", "what the values look like: `SCHEMA`")
	return c
}

// deliver sends a message and shows who took it.
func (a *admin) deliver(c *cobra.Command, path string, values json.RawMessage, body any) error {
	if len(values) > 0 && !json.Valid(values) {
		return errors.New("VALUES is not JSON")
	}
	var d adminapi.Delivery
	if printed, err := a.post(c, path, body, &d); printed || err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Sockets that took it: %d\n", d.Sockets)
	if len(d.Nodes) > 1 {
		for _, n := range d.Nodes {
			fmt.Fprintf(a.stdout, "  %s: %d\n", n.Node, n.Sockets)
		}
	}
	if len(d.Unreached) > 0 {
		fmt.Fprintf(a.stdout, "No answer from %s.\n", strings.Join(d.Unreached, ", "))
	}
	return nil
}

func countTrue(all ...bool) (n int) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}
