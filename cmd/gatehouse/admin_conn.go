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
  gatehouse conn list --watch
  gatehouse conn close con_…
  gatehouse conn push --all fn1.link.link_status '{"message":"Restart in 10 minutes"}'`,
		connList(a), connShow(a), connClose(a), connPush(a), connEvent(a))
}

func connPath(id string) string { return "/v1/conns/" + url.PathEscape(id) }

func connList(a *admin) *cobra.Command {
	q := adminclient.Query{}
	var owner, credential, dialect, route, kind string
	var limit int
	var watch time.Duration
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
			once := func() error {
				delete(q, "after") // of the round before
				items, err := list[adminapi.Conn](a, c, "/v1/conns", q, limit)
				if err != nil {
					return err
				}
				return show(a, items, table{head: connHead, empty: "Nothing is open."}, connRow)
			}
			if watch == 0 {
				return once()
			}
			return a.watch(c.Context(), watch, once)
		},
	}
	f := c.Flags()
	f.StringVar(&owner, "owner", "", "only those of `OWNER`")
	f.StringVar(&credential, "credential", "", "only those that rest on `CREDENTIAL`")
	f.StringVar(&dialect, "dialect", "", "only those of `DIALECT`")
	f.StringVar(&route, "route", "", "only those of `ROUTE`")
	f.StringVar(&kind, "kind", "", "only `KIND`: websocket or request")
	f.IntVar(&limit, "limit", 1000, "show this many at most")
	f.DurationVar(&watch, "watch", 0, "show it again every `TIME` (--watch alone: 1s) until Ctrl-C")
	f.Lookup("watch").NoOptDefVal = "1s"
	offer(c, "kind", "websocket", "request")
	return c
}

var connHead = []string{"CONN", "KIND", "WHO", "DIALECT", "ROUTE", "CREDENTIAL", "FROM", "OPEN FOR", "IN", "OUT", "QUEUED"}

func connRow(i adminapi.Conn) []string {
	return []string{
		i.ID, i.Kind, i.Name, i.Dialect, orDash(i.Route), orDash(i.Credential), orDash(i.Remote), span(time.Since(i.Opened)),
		traffic(i.Received), traffic(i.Sent), size(int64(i.Queued)),
	}
}

func traffic(t adminapi.Traffic) string { return fmt.Sprintf("%d, %s", t.Messages, size(t.Bytes)) }

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
			if printed, err := a.get(c, connPath(args[0]), nil, &i); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			} else if printed {
				return nil
			}
			pairs := []string{"Conn", i.ID, "Kind", i.Kind, "Who", i.Name, "Principal", i.Principal, "Credential", i.Credential,
				"Shown by", i.Method, "Dialect", i.Dialect, "Route", i.Route, "From", i.Remote,
				"Opened", day(i.Opened), "Expires", dayOf(i.Expires), "Ending", i.Ending,
				"Received", count(int(i.Received.Messages), "message") + ", " + size(i.Received.Bytes),
				"Sent", count(int(i.Sent.Messages), "message") + ", " + size(i.Sent.Bytes),
				"Queued", size(int64(i.Queued))}
			for _, g := range i.Grounds {
				pairs = append(pairs, "Rests on", g.Kind+" "+g.ID)
			}
			return fields(a.stdout, pairs...)
		},
	}
}

func connClose(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "close CONN", Short: "Close one; its caller may come back", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var r adminapi.Receipt
			if printed, err := a.post(c, connPath(args[0])+"/close", nil, &r); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			} else if printed {
				return nil
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
