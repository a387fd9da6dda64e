package app

import (
	"strings"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/dialect/fieldpine"
)

// endpoints is where the actions of one tenant go.
type endpoints struct {
	whole      map[string]fieldpine.Endpoint // by action
	beginnings map[string]fieldpine.Endpoint // by beginning, with its last dot: "fd1.products."
}

func newEndpoints(list []*config.Endpoint, upstream func(name string) dialect.Upstream) *endpoints {
	e := &endpoints{map[string]fieldpine.Endpoint{}, map[string]fieldpine.Endpoint{}}
	for _, l := range list {
		to := fieldpine.Endpoint{Upstream: upstream(l.Upstream), Type: l.Entity, Key: l.Key}
		if beginning, ok := strings.CutSuffix(l.Action, "*"); ok {
			e.beginnings[beginning] = to
		} else {
			e.whole[l.Action] = to
		}
	}
	return e
}

// Endpoint implements fieldpine.Endpoints: the most specific one. What the gate
// answers by itself never goes to a backend, not even to one that takes all.
func (e *endpoints) Endpoint(_, action string) (fieldpine.Endpoint, bool) {
	if to, ok := e.whole[action]; ok {
		return to, true
	}
	for _, own := range config.OwnActions {
		if strings.HasPrefix(action, own) {
			return fieldpine.Endpoint{}, false
		}
	}
	for rest := action; ; {
		dot := strings.LastIndexByte(rest, '.')
		if dot < 0 {
			return fieldpine.Endpoint{}, false
		}
		if to, ok := e.beginnings[rest[:dot+1]]; ok {
			return to, true
		}
		rest = rest[:dot]
	}
}
