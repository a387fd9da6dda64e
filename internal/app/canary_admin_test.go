package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
)

// adminDoors put canaries into what the admin API takes and never shows again.
// They are named by operation and member, as the API's own description does.
var adminDoors = map[string]func(c *cage){
	"create-credential.password": func(c *cage) {
		person := c.h.Admin.User(c.t, "sylvester")
		c.h.Admin.Post(c.t, "/v1/credentials", map[string]any{"principal": person, "kind": "password", "password": c.mark("of a cat")}, nil)
		c.refused("/v1/credentials", map[string]any{"principal": person, "kind": "password", "password": c.mark("with\x00nul")})
		c.refused("/v1/credentials", map[string]any{"principal": person, "kind": "nonsense", "password": c.mark("beside nonsense")})
	},
	"rotate-credential.password": func(c *cage) {
		c.h.Admin.Post(c.t, "/v1/credentials/"+c.user.ID+"/rotate", map[string]any{"password": c.mark("a new one")}, nil)
		c.refused("/v1/credentials/"+c.user.ID+"/rotate", map[string]any{"password": c.mark("again"), "overlap": "nonsense"})
	},
	"revoke-token.token": func(c *cage) {
		c.h.Admin.Post(c.t, "/v1/tokens/revoke", map[string]any{"token": c.token}, nil)
		c.refused("/v1/tokens/revoke", map[string]any{"token": c.mark("no token")})
	},
}

// refused sends what must not work, and looks at the answer.
func (c *cage) refused(path string, in any) {
	c.t.Helper()
	status, err := c.h.Admin.Call(c.t.Context(), http.MethodPost, path, in, nil)
	if err == nil || status >= 500 {
		c.t.Errorf("POST %s: %d, %v; want it refused", path, status, err)
		return
	}
	c.look("the answer of "+path, err.Error())
}

// throughAdminAPI reads from the API's own description which members are taken
// and never shown, and uses each.
func (c *cage) throughAdminAPI() {
	c.t.Helper()
	_, text := get(c.t, http.DefaultClient, c.h.Desk+"/api/openapi.json")
	for _, name := range writeOnly(c, []byte(text)) {
		put, known := adminDoors[name]
		if !known {
			c.t.Errorf("no canary for %s of the admin API", name)
			continue
		}
		put(c)
	}
	// The key of an administrator itself, wrong.
	wrong := c.mark("administrator")
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.h.Admin.URL+"/v1/users", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ghk_"+wrong)
	status, body := do(c.t, http.DefaultClient, req)
	if status != http.StatusUnauthorized {
		c.t.Errorf("a wrong administrator's key: %d", status)
	}
	c.look("the answer to a wrong administrator's key", body)
}

// writeOnly names every member of a request that is marked so.
func writeOnly(c *cage, description []byte) []string {
	type schema struct {
		Ref        string `json:"$ref"`
		WriteOnly  bool
		Properties map[string]json.RawMessage
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			RequestBody struct {
				Content map[string]struct{ Schema schema }
			}
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(description, &doc); err != nil {
		c.t.Fatal(err)
	}
	var names []string
	for _, methods := range doc.Paths {
		for _, op := range methods {
			for _, content := range op.RequestBody.Content {
				body := content.Schema
				if body.Ref != "" {
					body = doc.Components.Schemas[body.Ref[strings.LastIndexByte(body.Ref, '/')+1:]]
				}
				for name, raw := range body.Properties {
					var member schema
					if err := json.Unmarshal(raw, &member); err != nil {
						c.t.Fatal(err)
					}
					if member.WriteOnly {
						names = append(names, op.OperationID+"."+name)
					}
				}
			}
		}
	}
	if len(names) == 0 {
		c.t.Fatal("the description marks no member as write-only")
	}
	return names
}
