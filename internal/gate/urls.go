package gate

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/feedapi"
	"gatehouse.dev/internal/token"
)

// ownRoutes are the gate's own paths, for people.
var ownRoutes = []dialect.Route{
	{Method: "", Path: PathForwardAuth, Summary: "asked by nginx, Caddy and Traefik; for configured proxies only",
		WaysIn: []dialect.WayIn{dialect.BasicHeader, dialect.BasicName, dialect.BearerHeader, dialect.HeaderKey, dialect.QueryKey}},
	{Method: "POST", Path: PathTickets, Summary: "makes a one-shot ticket for the socket at `?path=`",
		WaysIn: []dialect.WayIn{dialect.BasicHeader, dialect.BasicName, dialect.BearerHeader, dialect.HeaderKey}},
	{Method: "GET", Path: PathJWKS, Summary: "public keys that verify the tenant's tokens"},
	{Method: "GET", Path: PathIdentityKeys, Summary: "public keys that verify `Gatehouse-Identity` (use `" + token.UseIdentity + "`), for backends"},
}

// Own lists the gate's own paths.
func Own() []dialect.Route { return slices.Concat(ownRoutes, feedapi.Routes()) }

// Section is the paths of one owner, for WriteURLs.
type Section struct {
	Title  string
	Intro  string
	Routes []dialect.Route
}

// WriteURLs writes the table of all URLs as Markdown.
func WriteURLs(w io.Writer, sections ...Section) error {
	var b strings.Builder
	b.WriteString("# Every URL\n\nGenerated from the tables that requests are matched against; `make generate` brings it up to date.\n")
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Title)
		if s.Intro != "" {
			b.WriteString(s.Intro + "\n")
		}
		if len(s.Routes) == 0 {
			continue
		}
		b.WriteString("\n| Method | Path | What | A caller's secret can be in |\n|---|---|---|---|\n")
		routes := slices.Clone(s.Routes)
		slices.SortStableFunc(routes, func(a, b dialect.Route) int { return cmp.Compare(a.Path, b.Path) })
		for _, r := range routes {
			fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", cmp.Or(r.Method, "any"), r.Path, r.Summary, places(r.WaysIn))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var placeNames = map[dialect.WayIn]string{
	dialect.BasicHeader: "`Authorization: Basic`, the password", dialect.BasicName: "`Authorization: Basic`, the name",
	dialect.BearerHeader: "`Authorization: Bearer`", dialect.FormSecret: "a form field", dialect.HeaderKey: "a key header",
	dialect.QueryKey: "a query parameter", dialect.JSONSecret: "a JSON member", dialect.FirstMessage: "the socket's first message",
	dialect.Ticket: "`?ticket=`, used up at first sight",
}

func places(ways []dialect.WayIn) string {
	if len(ways) == 0 {
		return "–"
	}
	names := make([]string, len(ways))
	for i, w := range ways {
		names[i] = cmp.Or(placeNames[w], string(w))
	}
	return strings.Join(names, "; ")
}
