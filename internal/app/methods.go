package app

import (
	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/dialect/acqueon"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/dialect/fieldpine"
	"gatehouse.dev/internal/feedapi"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/identity"
)

// methods are the ways of proving oneself that each dialect has: those that an
// administrator can switch off.
var methods = map[string][]identity.Method{
	gateway.Name:     {identity.Password, identity.KeyPair, identity.APIKey, identity.JWT, identity.Opaque},
	feedapi.Name:     {identity.Password, identity.KeyPair, identity.APIKey, identity.JWT, identity.Opaque},
	adminapi.Dialect: {identity.APIKey},
	ayyeka.Name:      {identity.KeyPair, identity.JWT},
	acqueon.Name:     {identity.KeyPair, identity.JWT, identity.Opaque},
	fieldpine.Name:   {identity.APIKey, identity.ScopedToken, identity.Encryption},
}

func knownMethods() map[string][]string {
	known := make(map[string][]string, len(methods))
	for dialect, all := range methods {
		for _, m := range all {
			known[dialect] = append(known[dialect], string(m))
		}
	}
	return known
}
