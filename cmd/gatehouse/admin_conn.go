package main

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
)

func connCommand(a *admin) *cobra.Command {
	return parent("conn", "List and close open sockets and long requests",
		"Those of the node that answers.",
		`  gatehouse conn list
  gatehouse conn list --owner ada
  gatehouse conn close con_…
  gatehouse conn push --all fn1.link.link_status '{"message":"Restart in 10 minutes"}'`,
		connList(a), connShow(a), connClose(a), connPush(a), connEvent(a))
}

func connPath(id string) string { return "/v1/conns/" + url.PathEscape(id) }

func connList(a *admin) *cobra.Command {
	q := adminclient.Query{}
	var owner, credential, dialect, route, kind string
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List what is open", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q["credential"], q["dialect"], q["route"], q["kind"] = credential, dialect, route, kind
			if owner != "" {
				p, err := a.owner(c, owner)
				if err != nil {
					return err
				}
				q["principal"] = p.ID
			}
			items, err := list[adminapi.Conn](a, c, "/v1/conns", q, limit)
			if err != nil {
				return err
			}
			t := table{head: []string{"CONN", "KIND", "WHO", "DIALECT", "ROUTE", "FROM", "OPEN FOR", "IN", "OUT"}, empty: "Nothing is open."}
			return show(a, items, t, func(i adminapi.Conn) []string {
				return []string{i.ID, i.Kind, i.Name, i.Dialect, orDash(i.Route), orDash(i.Remote), span(time.Since(i.Opened)), size(i.Received.Bytes), size(i.Sent.Bytes)}
			})
		},
	}
	f := c.Flags()
	f.StringVar(&owner, "owner", "", "only those of `OWNER`")
	f.StringVar(&credential, "credential", "", "only those that rest on `CREDENTIAL`")
	f.StringVar(&dialect, "dialect", "", "only those of `DIALECT`")
	f.StringVar(&route, "route", "", "only those of `ROUTE`")
	f.StringVar(&kind, "kind", "", "only `KIND`: websocket or request")
	f.IntVar(&limit, "limit", 1000, "show this many at most")
	offer(c, "kind", "websocket", "request")
	return c
}

// size is a number of bytes, roughly.
func size(n int64) string {
	const k = 1024
	switch {
	case n < k:
		return fmt.Sprintf("%d B", n)
	case n < k*k:
		return fmt.Sprintf("%.1f KiB", float64(n)/k)
	case n < k*k*k:
		return fmt.Sprintf("%.1f MiB", float64(n)/k/k)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/k/k/k)
}

func connShow(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "show CONN", Short: "Show one of them", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var i adminapi.Conn
			if printed, err := a.get(c, connPath(args[0]), nil, &i); printed || err != nil {
				return err
			}
			return fields(a.stdout, "Conn", i.ID, "Kind", i.Kind, "Who", i.Name, "Principal", i.Principal, "Credential", i.Credential,
				"Shown by", i.Method, "Dialect", i.Dialect, "Route", i.Route, "From", i.Remote,
				"Opened", day(i.Opened), "Expires", dayOf(i.Expires), "Ending", i.Ending,
				"Received", fmt.Sprintf("%d messages, %s", i.Received.Messages, size(i.Received.Bytes)),
				"Sent", fmt.Sprintf("%d messages, %s", i.Sent.Messages, size(i.Sent.Bytes)))
		},
	}
}

func connClose(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "close CONN", Short: "Close one; its caller may come back", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var r adminapi.Receipt
			if printed, err := a.post(c, connPath(args[0])+"/close", nil, &r); printed || err != nil {
				return err
			}
			return a.receipt("Closed "+args[0]+".", r)
		},
	}
}

func changeCommand(a *admin) *cobra.Command {
	show := &cobra.Command{
		Use: "show NUMBER", Short: "Show what a change has ended so far", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || n < 1 {
				return fmt.Errorf("%q is not the number of a change", args[0])
			}
			var r adminapi.Receipt
			if printed, err := a.get(c, fmt.Sprintf("/v1/changes/%d", n), nil, &r); printed || err != nil {
				return err
			}
			return a.receipt(fmt.Sprintf("Change %d:", n), r)
		},
	}
	return parent("change", "Ask for the rest of a receipt", "", "  gatehouse change show 17", show)
}
