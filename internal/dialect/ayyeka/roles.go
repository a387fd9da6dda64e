package ayyeka

import (
	"net/http"
	"strings"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
)

// The vendor's roles, lowest to highest. The account has this set and each
// organization has it again: "ayyeka/operator" is held on the account,
// "ayyeka/operator@Organization:12" on one organization.
const (
	NoAccess      = "ayyeka/no-access" // "No Access – Alerts Only"
	Operator      = "ayyeka/operator"
	Analyst       = "ayyeka/analyst"
	Engineer      = "ayyeka/engineer"
	Administrator = "ayyeka/administrator"
	Owner         = "ayyeka/owner"
)

// What may be asked for.
const (
	actionRead  = "ayyeka:read"
	actionWrite = "ayyeka:write"
)

// Rules are this dialect's part of every tenant's policy: constant, over roles
// that are data. Which role may call which path is our decision, the vendor
// says only that permissions are checked: Operator and up may read what belongs
// to their account or organization, and the published paths are all for
// reading. Anything else, should a backend have it, is for administrators.
var Rules = policy.Part{
	Name: "ayyeka",
	Roles: []policy.Role{
		{Name: NoAccess},
		{Name: Operator, Includes: []string{NoAccess}},
		{Name: Analyst, Includes: []string{Operator}},
		{Name: Engineer, Includes: []string{Analyst}},
		{Name: Administrator, Includes: []string{Engineer}},
		{Name: Owner, Includes: []string{Administrator}},
	},
	Cedar: `
@id("ayyeka/read")
permit (
  principal in Role::"ayyeka/operator",
  action == Action::"ayyeka:read",
  resource is AyyekaPath
);

@id("ayyeka/write")
permit (
  principal in Role::"ayyeka/administrator",
  action == Action::"ayyeka:write",
  resource is AyyekaPath
);
`,
}

// action tells reading from writing. Acknowledging a batch is how a batch is
// read to its end, so it needs what reading needs.
func action(method, path string) string {
	switch {
	case method == http.MethodGet, method == http.MethodHead:
		return actionRead
	case method == http.MethodPost && path == apiPrefix+"sample/batch/ack":
		return actionRead
	}
	return actionWrite
}

// resource is a path of the API as policy sees it.
func resource(path string, id *identity.Identity) policy.Resource {
	return policy.Resource{Type: "AyyekaPath", ID: path, Parents: organizations(path, id)}
}

const organization = "Organization"

// organizations are those that a path belongs to. One path names its own. The
// others say nothing, and answer with what the caller may see: for somebody who
// holds roles on organizations, with what belongs to these, by the roles that
// the backend finds in the identity.
func organizations(path string, id *identity.Identity) []policy.Parent {
	if one, ok := strings.CutPrefix(path, apiPrefix+"account/organization/"); ok && one != "" {
		one, _, _ = strings.Cut(one, "/")
		return []policy.Parent{{Type: organization, ID: one}}
	}
	var parents []policy.Parent
	for _, held := range id.Roles {
		if !strings.Contains(held, "@"+organization+":") {
			continue
		}
		if _, at, err := policy.SplitRole(held); err == nil && at.Type == organization {
			parents = append(parents, at)
		}
	}
	return parents
}
