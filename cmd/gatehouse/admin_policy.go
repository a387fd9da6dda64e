package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

func policyCommand(a *admin) *cobra.Command {
	return parent("policy", "Look at, check, change and explain the rules of a tenant",
		"Rules are Cedar policies over roles. Some come with the program; a tenant adds its\nown, and can replace those of a dialect by giving the same @id.",
		`  gatehouse policy show
  gatehouse policy get > rules.cedar
  gatehouse policy check rules.cedar
  gatehouse policy put rules.cedar
  gatehouse policy role set crew --includes ayyeka/operator
  gatehouse policy explain ada site:read 'Site::4' --parent 'Organization::12'`,
		policyShow(a), policyGet(a), policyCheck(a), policyPut(a), policyRole(a), policyExplain(a))
}

func policyShow(a *admin) *cobra.Command {
	var text bool
	c := &cobra.Command{
		Use: "show", Short: "Show the policies and roles in force", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var p adminapi.PolicySet
			if printed, err := a.get(c, "/v1/policy", nil, &p); printed || err != nil {
				return err
			}
			if text {
				return showPolicyTexts(a, p)
			}
			return showPolicies(a, p)
		},
	}
	c.Flags().BoolVar(&text, "text", false, "show the text of every policy")
	return c
}

func showPolicies(a *admin, p adminapi.PolicySet) error {
	fmt.Fprintf(a.stdout, "Version %d of the tenant's own rules.\n\n", p.Version)
	t := table{head: []string{"POLICY", "FROM", "EFFECT", "ASKED FOR"}, empty: "No policies: everything is denied."}
	for _, x := range p.InForce.Policies {
		from, about := x.Part, "owner"
		if from == "" {
			from = "this tenant"
		}
		if x.Scope {
			about = "scope"
		}
		t.rows = append(t.rows, []string{x.ID, from, x.Effect, about})
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	t = table{head: []string{"ROLE", "INCLUDES"}, empty: "No roles."}
	for _, r := range p.InForce.Roles {
		includes := orDash(strings.Join(r.Includes, ", "))
		if from := slices.Concat(r.Countries, r.Networks); len(from) > 0 {
			includes += "; only from " + strings.Join(from, ", ")
		}
		t.rows = append(t.rows, []string{r.Name, includes})
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	return a.warn(p.InForce.Warnings)
}

func showPolicyTexts(a *admin, p adminapi.PolicySet) error {
	for _, x := range p.InForce.Policies {
		fmt.Fprintf(a.stdout, "// %s\n%s\n\n", printable(x.ID), x.Cedar)
	}
	return a.warn(p.InForce.Warnings)
}

func (a *admin) warn(warnings []string) error {
	for _, w := range warnings {
		fmt.Fprintln(a.stderr, "warning:", printable(w))
	}
	return nil
}

func policyGet(a *admin) *cobra.Command {
	var roles bool
	c := &cobra.Command{
		Use: "get", Short: "Print the tenant's own policies, to edit them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var p adminapi.PolicySet
			if printed, err := a.get(c, "/v1/policy", nil, &p); printed || err != nil {
				return err
			}
			if roles {
				raw, err := json.Marshal(p.Roles)
				if err != nil {
					return err
				}
				return a.printJSON(raw)
			}
			_, err := io.WriteString(a.stdout, p.Cedar)
			return err
		},
	}
	c.Flags().BoolVar(&roles, "roles", false, "print the tenant's own roles as JSON instead")
	return c
}

// rulesFiles are the files that rules are read from.
type rulesFiles struct {
	roles string
}

func (f *rulesFiles) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.roles, "roles", "", "`FILE` with the tenant's own roles as JSON (default: as they are)")
}

// maxRules is a little more than the server takes, so that it is the one to say so.
const maxRules = 1 << 20

func (a *admin) readFile(name string) ([]byte, error) {
	in := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxRules+1))
	if err == nil && len(b) > maxRules {
		err = fmt.Errorf("%s is too large", name)
	}
	return b, err
}

// read makes the rules that are to be stored out of the files and, for what no
// file says, out of those in force.
func (f *rulesFiles) read(a *admin, text string, now adminapi.PolicySet) (map[string]any, error) {
	cedar, err := a.readFile(text)
	if err != nil {
		return nil, err
	}
	roles := now.Roles
	if f.roles != "" {
		b, err := a.readFile(f.roles)
		if err != nil {
			return nil, err
		}
		roles = nil
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&roles); err != nil {
			return nil, fmt.Errorf("%s: %w", f.roles, err)
		}
	}
	return map[string]any{"cedar": string(cedar), "roles": roles}, nil
}

// now reads the rules in force without printing them.
func (a *admin) rules(c *cobra.Command) (p adminapi.PolicySet, err error) {
	api, err := a.api()
	if err != nil {
		return p, err
	}
	return p, api.Get(c.Context(), "/v1/policy", nil, &p)
}

func policyCheck(a *admin) *cobra.Command {
	var files rulesFiles
	c := &cobra.Command{
		Use: "check FILE", Short: "Say what is wrong with rules, storing nothing", Args: cobra.ExactArgs(1),
		Long: "FILE is - for the standard input.",
		RunE: func(c *cobra.Command, args []string) error {
			now, err := a.rules(c)
			if err != nil {
				return err
			}
			body, err := files.read(a, args[0], now)
			if err != nil {
				return err
			}
			var out adminapi.Checked
			printed, err := a.post(c, "/v1/policy/check", body, &out)
			if err != nil {
				return err
			}
			if printed {
				return failUnless(out.OK)
			}
			return a.checked(args[0], out)
		},
	}
	files.flags(c)
	return c
}

func (a *admin) checked(file string, out adminapi.Checked) error {
	for _, m := range out.Errors {
		where := file
		if m.Line > 0 {
			where = fmt.Sprintf("%s:%d:%d", file, m.Line, m.Column)
		}
		fmt.Fprintf(a.stderr, "%s: %s\n", where, printable(m.Message))
	}
	if !out.OK {
		return errSilent
	}
	fmt.Fprintf(a.stdout, "%s is right: %s in force with it.\n", file, countPolicies(len(out.InForce.Policies)))
	return a.warn(out.InForce.Warnings)
}

func countPolicies(n int) string {
	if n == 1 {
		return "1 policy"
	}
	return fmt.Sprintf("%d policies", n)
}

func policyPut(a *admin) *cobra.Command {
	var files rulesFiles
	var version int64
	c := &cobra.Command{
		Use: "put FILE", Short: "Replace the tenant's own policies", Args: cobra.ExactArgs(1),
		Long: "FILE is - for the standard input. Connections that are no longer allowed end.",
		RunE: func(c *cobra.Command, args []string) error {
			now, err := a.rules(c)
			if err != nil {
				return err
			}
			body, err := files.read(a, args[0], now)
			if err != nil {
				return err
			}
			body["version"] = now.Version
			if c.Flags().Changed("version") {
				body["version"] = version
			}
			return a.putRules(c, body)
		},
	}
	files.flags(c)
	c.Flags().Int64Var(&version, "version", 0, "the version that FILE was made from (default: the one in force)")
	return c
}

func (a *admin) putRules(c *cobra.Command, body map[string]any) error {
	var out adminapi.PolicyPut
	if printed, err := a.send(c, "PUT", "/v1/policy", nil, body, &out); printed || err != nil {
		return err
	}
	if err := a.receipt(fmt.Sprintf("Version %d is in force.", out.Version), out.Receipt); err != nil {
		return err
	}
	return a.warn(out.Warnings)
}

func policyRole(a *admin) *cobra.Command {
	var includes, countries, networks []string
	set := &cobra.Command{
		Use: "set NAME", Short: "Make a role of the tenant's own, or change what it includes", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeRoles(c, args[0], func(roles []adminapi.Role) ([]adminapi.Role, error) {
				return append(roles, adminapi.Role{Name: args[0], Includes: includes, Countries: countries, Networks: networks}), nil
			})
		},
	}
	set.Flags().StringSliceVar(&includes, "includes", nil, "`ROLES` that it includes")
	set.Flags().StringSliceVar(&countries, "country", nil, "counts for requests from `COUNTRY` only, as NZ; may be given several times")
	set.Flags().StringSliceVar(&networks, "network", nil, "counts for requests from `NETWORK` only, as 10.0.0.0/8; may be given several times")
	remove := &cobra.Command{
		Use: "delete NAME", Short: "Delete a role of the tenant's own", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeRoles(c, args[0], nil)
		},
	}
	return parent("role", "Make and delete the tenant's own roles", "", `  gatehouse policy role set crew --includes ayyeka/operator
  gatehouse policy role delete crew`, set, remove)
}

// changeRoles takes the role of that name out, and lets add put one in.
func (a *admin) changeRoles(c *cobra.Command, name string, add func([]adminapi.Role) ([]adminapi.Role, error)) error {
	now, err := a.rules(c)
	if err != nil {
		return err
	}
	roles := []adminapi.Role{}
	for _, r := range now.Roles {
		if r.Name != name {
			roles = append(roles, r)
		}
	}
	switch {
	case add != nil:
		if roles, err = add(roles); err != nil {
			return err
		}
	case len(roles) == len(now.Roles):
		return errors.New("the tenant has no role of its own called " + name)
	}
	return a.putRules(c, map[string]any{"version": now.Version, "cedar": now.Cedar, "roles": roles})
}
