package config

import (
	"fmt"
	"strings"
)

// Doubts names what a configuration may say, but hardly means.
func Doubts(c *Config) []Problem {
	var out []Problem
	places := map[string]int{}
	for i, r := range c.Routes {
		place := strings.Join([]string{r.Tenant, string(r.Host), strings.TrimSuffix(r.Path, "/")}, " ")
		first, taken := places[place]
		if !taken {
			places[place] = i
			continue
		}
		if other := c.Routes[first]; other.Path != r.Path {
			out = append(out, Problem{
				Field: fmt.Sprintf("routes[%d].path", i),
				What:  fmt.Sprintf("%s differs from the %s of routes[%d] by the slash at the end alone", r.Path, other.Path, first),
				Mend:  "they are two places, each with its own credentials and roles: see that both are guarded as you mean",
			})
		}
	}
	return out
}
