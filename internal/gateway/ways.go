package gateway

import "gatehouse.dev/internal/dialect"

// WaysIn are the places where a caller of the route can put a secret.
func (r *Route) WaysIn() []dialect.WayIn {
	var ways []dialect.WayIn
	for _, c := range r.Credentials {
		switch c {
		case Bearer:
			ways = append(ways, dialect.BearerHeader)
		case Basic:
			ways = append(ways, dialect.BasicHeader, dialect.BasicName)
		case Ticket:
			ways = append(ways, dialect.Ticket)
		case Message:
			ways = append(ways, dialect.FirstMessage)
		case Key:
			ways = append(ways, dialect.HeaderKey)
			if r.KeyQuery != "" {
				ways = append(ways, dialect.QueryKey)
			}
		}
	}
	return ways
}
