package policy_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"gatehouse.dev/internal/policy"
)

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, "")
	deep := strings.Repeat("(", 100_000)
	for name, c := range map[string]struct {
		set          policy.Set
		line, column int
		message      string
	}{
		"effect":         {policy.Set{Cedar: "allow (principal, action, resource);"}, 1, 1, `found "allow" where`},
		"second line":    {policy.Set{Cedar: "permit (principal, action, resource);\nforbid (principal, action resource);"}, 2, 27, `found "resource" where "," is wanted`},
		"end":            {policy.Set{Cedar: "permit (principal, action, resource)"}, 1, 37, `the text ends where ";" is wanted`},
		"twice the id":   {policy.Set{Cedar: "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);"}, 2, 1, `a second policy has the id "a"`},
		"odd id":         {policy.Set{Cedar: `@id("a b") permit (principal, action, resource);`}, 1, 1, "no blanks"},
		"our id":         {policy.Set{Cedar: `@id("gatehouse/administrator") permit (principal, action, resource);`}, 1, 1, "not yours to give"},
		"NUL":            {policy.Set{Cedar: "// \x00"}, 1, 4, "NUL"},
		"not UTF-8":      {policy.Set{Cedar: "// \xff"}, 0, 0, "not UTF-8"},
		"long":           {policy.Set{Cedar: strings.Repeat(" ", policy.MaxText+1)}, 0, 0, "at most"},
		"deep":           {policy.Set{Cedar: "permit (principal, action, resource) when { " + deep}, 1, 104, "brackets within brackets"},
		"cycle":          {policy.Set{Roles: []policy.Role{{Name: "a", Includes: []string{"b"}}, {Name: "b", Includes: []string{"a"}}}}, 0, 0, "includes itself"},
		"its own cycle":  {policy.Set{Roles: []policy.Role{{Name: "a", Includes: []string{"a"}}}}, 0, 0, `role "a" includes itself: a → a`},
		"cycle by parts": {policy.Set{Roles: []policy.Role{{Name: "sites/operator", Includes: []string{"sites/owner"}}}}, 0, 0, "includes itself"},
		"unknown role":   {policy.Set{Roles: []policy.Role{{Name: "a", Includes: []string{"z"}}}}, 0, 0, `role "a" includes "z", which does not exist`},
		"our role":       {policy.Set{Roles: []policy.Role{{Name: "gatehouse/administrator"}}}, 0, 0, "cannot be changed"},
		"role's name":    {policy.Set{Roles: []policy.Role{{Name: "a@B:1"}}}, 0, 0, "lower-case"},
	} {
		_, err := e.Check(c.set)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: error = %v, want one with %q", name, err, c.message)
			continue
		}
		var syntax *policy.SyntaxError
		if errors.As(err, &syntax) && (syntax.Line != c.line || syntax.Column != c.column) {
			t.Errorf("%s: at %d:%d, want %d:%d", name, syntax.Line, syntax.Column, c.line, c.column)
		} else if syntax == nil && c.line > 0 {
			t.Errorf("%s: no place in %v", name, err)
		}
	}
}

func TestCheckReports(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, "")
	r, err := e.Check(policy.Set{
		Cedar: `permit (principal in Role::"typo", action, resource) when { context.country == "DE" };
			@id("fine") permit (principal in Role::"crew", action, resource) when { context has country && context.country == "DE" };
			@id("narrow") permit (principal in Scope::"x", action, resource);`,
		Roles: []policy.Role{{Name: "crew", Includes: []string{"sites/owner"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Warnings, "\n"); len(r.Warnings) != 2 ||
		!strings.Contains(got, `policy policy1: role "typo" does not exist`) || !strings.Contains(got, "context has country") {
		t.Errorf("warnings:\n%s", got)
	}
	parts := map[string]string{}
	for _, p := range r.Policies {
		parts[p.ID] = fmt.Sprint(p.Part, " ", p.Effect, " ", p.Scope)
	}
	for id, want := range map[string]string{
		"sites/read": "sites permit false", "policy1": " permit false", "narrow": " permit true",
		"gatehouse/scope-names-action": "gatehouse permit true",
	} {
		if parts[id] != want {
			t.Errorf("%s: %q, want %q", id, parts[id], want)
		}
	}
	for _, role := range r.Roles {
		if role.Name == "crew" && strings.Join(role.Includes, " ") != "sites/analyst sites/operator sites/owner" {
			t.Errorf("crew includes %v", role.Includes)
		}
	}
}

func TestPartsMustAgree(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]policy.Part{
		"foreign id": {Name: "x", Cedar: `@id("y/a") permit (principal, action, resource);`},
		"syntax":     {Name: "x", Cedar: `permit`},
		"cycle":      {Name: "x", Roles: []policy.Role{{Name: "x/a", Includes: []string{"x/a"}}}},
	} {
		if _, err := policy.New(&rules{}, &rules{}, part); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`permit (principal, action, resource);`, "a", "b")
	f.Add(`@id("x") forbid (principal in Role::"r", action in [Action::"a"], resource is T in U::"v") unless { context.source.isLoopback() };`, "r", "r")
	f.Add(`permit (principal, action, resource) when { if {"a": [1, ip("::1")]} has a then -(-1) < 2 else "x" like "*" };`, "", "")
	f.Add("permit(principal,action,resource)when{((((((", "a/b", "c")
	e, err := policy.New(&rules{}, &rules{}, sites)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, role, includes string) {
		set := policy.Set{Cedar: text, Roles: []policy.Role{{Name: role, Includes: []string{includes}}}}
		if _, err := e.Check(set); err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			set.Roles = nil
			if _, err := e.Check(set); err != nil {
				return
			}
		}
		// What is accepted can be asked, and asked again, with one answer.
		r := &rules{set: set}
		asked, err := policy.New(r, r, sites)
		if err != nil {
			t.Fatal(err)
		}
		decide(t, asked, read(who("sites/owner")))
		decide(t, asked, read(scoped(who("sites/owner"), "site:*")))
	})
}

func FuzzSplitRole(f *testing.F) {
	f.Add("ayyeka/operator@Organization:12")
	f.Add("@:")
	f.Fuzz(func(t *testing.T, s string) {
		name, at, err := policy.SplitRole(s)
		if err != nil {
			return
		}
		back := name
		if at != (policy.Place{}) {
			back += "@" + at.Type + ":" + at.ID
		}
		if back != s {
			t.Errorf("%q became %q", s, back)
		}
	})
}

// What the documentation shows is understood.
func TestExamplesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	e, _ := setup(t, "")
	blocks := strings.Split(string(text), "```cedar\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		b, _, _ = strings.Cut(b, "```")
		if _, err := e.Check(policy.Set{Cedar: b}); err != nil {
			t.Errorf("%v in:\n%s", err, b)
		}
	}
}
