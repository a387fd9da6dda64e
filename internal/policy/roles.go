package policy

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse.dev/internal/field"
)

// Limits of one tenant's hierarchy. They keep a mistaken script from making
// every decision slow.
const (
	maxRoles    = 2000
	maxIncludes = 200
	maxRoleName = 128
)

// hierarchy maps each role to everything it includes, itself among it, sorted.
type hierarchy map[string][]string

// CheckRoleName says what is wrong with the name of a role, if anything is.
// A place ("@Organization:12") is not part of the name; see [SplitRole].
func CheckRoleName(name string) error {
	switch {
	case name == "":
		return field.Errorf("role", "has no name")
	case len(name) > maxRoleName:
		return field.Errorf("role", "has a name longer than %d characters", maxRoleName)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-_./", rune(c)) {
			return field.Errorf("role", "%q: a name has lower-case letters, digits, and - _ . / only", name)
		}
	}
	return nil
}

// Place is the entity that a role is held for; the zero value is everywhere.
type Place = Parent

// SplitRole takes a held role apart: "ayyeka/operator@Organization:12" is the
// role "ayyeka/operator" for Organization::"12".
func SplitRole(held string) (name string, at Place, err error) {
	name, place, placed := strings.Cut(held, "@")
	if err := CheckRoleName(name); err != nil {
		return "", Place{}, err
	}
	if !placed {
		return name, Place{}, nil
	}
	typ, id, ok := strings.Cut(place, ":")
	if !ok || !isTypeName(typ) || id == "" || len(id) > 128 || strings.ContainsFunc(id, notPrintable) {
		return "", Place{}, field.Errorf("role", "%q: a place is written @Type:id", held)
	}
	return name, Place{Type: typ, ID: id}, nil
}

// resolve works out the closure of roles, later ones taking the place of
// earlier ones of the same name. It refuses cycles and unknown roles.
func resolve(roles []Role) (hierarchy, error) {
	byName := make(map[string]Role, len(roles))
	for _, r := range roles {
		if err := checkRole(r); err != nil {
			return nil, err
		}
		byName[r.Name] = r
	}
	if len(byName) > maxRoles {
		return nil, fmt.Errorf("%d roles; at most %d", len(byName), maxRoles)
	}
	h := make(hierarchy, len(byName))
	for name := range byName {
		if err := h.add(byName, name, nil); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func checkRole(r Role) error {
	if err := CheckRoleName(r.Name); err != nil {
		return err
	}
	if len(r.Includes) > maxIncludes {
		return fmt.Errorf("role %q includes %d roles; at most %d", r.Name, len(r.Includes), maxIncludes)
	}
	return checkBounds(r)
}

// add computes the closure of one role, path being the roles that led to it.
func (h hierarchy) add(byName map[string]Role, name string, path []string) error {
	if _, done := h[name]; done {
		return nil
	}
	if i := slices.Index(path, name); i >= 0 {
		return fmt.Errorf("role %q includes itself: %s", name, strings.Join(append(path[i:], name), " → "))
	}
	r, ok := byName[name]
	if !ok {
		return fmt.Errorf("role %q includes %q, which does not exist", path[len(path)-1], name)
	}
	all := []string{name}
	path = append(path, name)
	for _, included := range r.Includes {
		if err := h.add(byName, included, path); err != nil {
			return err
		}
		all = append(all, h[included]...)
	}
	slices.Sort(all)
	h[name] = slices.Compact(all)
	return nil
}

// effective returns what the held roles amount to where only places at apply.
func (h hierarchy) effective(held []heldRole, here func(Place) bool) []string {
	var out []string
	for _, r := range held {
		if r.at == (Place{}) || here(r.at) {
			// A role that the hierarchy does not know stands for itself: it
			// was removed from the rules, and gives what policies still say.
			if closure, ok := h[r.name]; ok {
				out = append(out, closure...)
			} else {
				out = append(out, r.name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

type heldRole struct {
	name string
	at   Place
}
