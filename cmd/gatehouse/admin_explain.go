package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

// question is what `policy explain` asks.
type question struct {
	parents, attrs, scopes, roles []string
	source, country               string
	method, dialect               string
	texts                         bool
}

func policyExplain(a *admin) *cobra.Command {
	var q question
	c := &cobra.Command{
		Use: "explain WHO ACTION RESOURCE", Short: "Show how a decision comes about, rule by rule", Args: cobra.ExactArgs(3),
		Long: "WHO is a name, kind/name or id; RESOURCE is written Type::id.",
		Example: `  gatehouse policy explain ada site:read Site::4 --parent Organization::12
  gatehouse policy explain client/nightly orders:read Route::orders --scope orders:read`,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.owner(c, args[0])
			if err != nil {
				return err
			}
			body, err := q.body(p.ID, args[1], args[2])
			if err != nil {
				return err
			}
			var x adminapi.Explanation
			if printed, err := a.post(c, "/v1/policy/explain", body, &x); printed || err != nil {
				return err
			}
			return showExplanation(a, x, q.texts)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&q.parents, "parent", nil, "`TYPE::ID` that the resource belongs to")
	f.StringSliceVar(&q.attrs, "attr", nil, "`NAME=VALUE` of the resource")
	f.StringSliceVar(&q.roles, "route-role", nil, "`ROLE` that the configuration names for the resource")
	f.StringSliceVar(&q.scopes, "scope", nil, "as with a token of this `SCOPE`")
	f.StringVar(&q.source, "source", "", "`ADDRESS` it would come from")
	f.StringVar(&q.country, "country", "", "country it would come from, as DE")
	f.StringVar(&q.method, "method", "", "how the caller would have proved itself")
	f.StringVar(&q.dialect, "dialect", "", "`DIALECT` it would speak")
	f.BoolVar(&q.texts, "text", false, "show the text of each rule")
	return c
}

func (q question) body(who, action, resource string) (map[string]any, error) {
	typ, id, ok := splitEntity(resource)
	if !ok {
		return nil, fmt.Errorf("%q is not a resource; write Type::id", resource)
	}
	r := map[string]any{"type": typ, "id": id}
	var parents []map[string]string
	for _, p := range q.parents {
		typ, id, ok := splitEntity(p)
		if !ok {
			return nil, fmt.Errorf("--parent: %q is not written Type::id", p)
		}
		parents = append(parents, map[string]string{"type": typ, "id": id})
	}
	attrs := map[string]string{}
	for _, kv := range q.attrs {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, fmt.Errorf("--attr: %q is not written name=value", kv)
		}
		attrs[k] = v
	}
	if parents != nil {
		r["parents"] = parents
	}
	if len(attrs) > 0 {
		r["attrs"] = attrs
	}
	if q.roles != nil {
		r["roles"] = q.roles
	}
	body := map[string]any{"principal": who, "action": action, "resource": r}
	for name, v := range map[string]string{"source": q.source, "country": q.country, "method": q.method, "dialect": q.dialect} {
		if v != "" {
			body[name] = v
		}
	}
	if q.scopes != nil {
		body["scopes"] = q.scopes
	}
	return body, nil
}

// splitEntity reads Type::id; quotes around the id, as Cedar has them, may stay.
func splitEntity(s string) (typ, id string, ok bool) {
	i := strings.LastIndex(s, "::")
	if i <= 0 {
		return "", "", false
	}
	return s[:i], strings.Trim(s[i+2:], `"`), true
}

func showExplanation(a *admin, x adminapi.Explanation, texts bool) error {
	verdict := "denied"
	if x.Allowed {
		verdict = "allowed"
	}
	err := fields(a.stdout, "Decision", verdict, "Because of", strings.Join(x.Reasons, ", "), "Errors", strings.Join(x.Errors, "; "),
		"Who", x.Principal, "Roles here", strings.Join(x.Roles, ", "), "Scopes", strings.Join(x.Scopes, ", "),
		"Action", x.Action, "Which is in", strings.Join(x.Groups, ", "), "Resource", x.Resource)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	t := table{head: []string{"RULE", "EFFECT", "ASKED FOR", "RESULT"}, empty: "No rule concerns this action."}
	for _, r := range x.Rules {
		about, result := "owner", r.Result
		if r.Scope {
			about = "scope"
		}
		if r.Error != "" {
			result += ": " + r.Error
		}
		t.rows = append(t.rows, []string{r.ID, r.Effect, about, result})
	}
	if err := t.write(a.stdout); err != nil || !texts {
		return err
	}
	for _, r := range x.Rules {
		fmt.Fprintf(a.stdout, "\n// %s\n%s\n", printable(r.ID), r.Cedar)
	}
	return nil
}
