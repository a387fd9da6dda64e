package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
)

// noun is one kind of principal on the command line.
type noun struct {
	kind, plural, title string
}

var nouns = []noun{
	{"user", "users", "a user"},
	{"client", "clients", "an API client"},
	{"application", "applications", "an application"},
	{"device", "devices", "a device"},
	{"bearer", "bearers", "a bearer"},
}

// prefixes of ids tell their kind.
var idPrefixes = map[string]string{"usr_": "user", "cli_": "client", "app_": "application", "dev_": "device", "bea_": "bearer"}

func nounOf(kind string) noun {
	for _, n := range nouns {
		if n.kind == kind {
			return n
		}
	}
	return noun{}
}

func (n noun) path(id string) string { return "/v1/" + n.plural + "/" + url.PathEscape(id) }

// find finds a principal of this kind by name or id.
func (n noun) find(a *admin, c *cobra.Command, ref string) (adminapi.Principal, error) {
	api, err := a.api()
	if err != nil {
		return adminapi.Principal{}, err
	}
	if len(ref) > 4 && idPrefixes[ref[:4]] == n.kind {
		var p adminapi.Principal
		err := api.Get(c.Context(), n.path(ref), nil, &p)
		return p, err
	}
	var found page[adminapi.Principal]
	if err := api.Get(c.Context(), "/v1/"+n.plural, adminclient.Query{"name": ref}, &found); err != nil {
		return adminapi.Principal{}, err
	}
	if len(found.Items) == 0 {
		return adminapi.Principal{}, fmt.Errorf("there is no %s %s", n.kind, ref)
	}
	return found.Items[0], nil
}

// owner finds a principal of any kind: by id, as kind/name, or by a name that
// only one has.
func (a *admin) owner(c *cobra.Command, ref string) (adminapi.Principal, error) {
	if len(ref) > 4 && idPrefixes[ref[:4]] != "" {
		return nounOf(idPrefixes[ref[:4]]).find(a, c, ref)
	}
	if kind, name, ok := strings.Cut(ref, "/"); ok && nounOf(kind).kind != "" {
		return nounOf(kind).find(a, c, name)
	}
	api, err := a.api()
	if err != nil {
		return adminapi.Principal{}, err
	}
	var found []adminapi.Principal
	for _, n := range nouns {
		var p page[adminapi.Principal]
		if err := api.Get(c.Context(), "/v1/"+n.plural, adminclient.Query{"name": ref}, &p); err != nil {
			return adminapi.Principal{}, err
		}
		found = append(found, p.Items...)
	}
	switch len(found) {
	case 0:
		return adminapi.Principal{}, fmt.Errorf("nobody is called %s", ref)
	case 1:
		return found[0], nil
	}
	var exact []string
	for _, p := range found {
		exact = append(exact, p.Kind+"/"+p.Name)
	}
	return adminapi.Principal{}, fmt.Errorf("several are called %s; say which: %s", ref, strings.Join(exact, ", "))
}

// complete offers names of this kind to the shell.
func (n noun) complete(a *admin) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		items, err := list[adminapi.Principal](a, c, "/v1/"+n.plural, nil, 200)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var out []cobra.Completion
		for _, p := range items {
			if strings.HasPrefix(p.Name, typed) {
				out = append(out, cobra.CompletionWithDesc(p.Name, p.DisplayName))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
