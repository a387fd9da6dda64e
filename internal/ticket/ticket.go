package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// Prefix begins every ticket.
const Prefix = "ghw_"

// ErrUnknown is the answer to every ticket that opens nothing: there is none,
// it is used up, or its time is over.
var ErrUnknown = errors.New("no such ticket")

// AnyOrigin is the origin of tickets that pages of all origins may use.
const AnyOrigin = "*"

// Ticket is what a ticket says.
type Ticket struct {
	Digest []byte
	Tenant string // id
	// Opens is what it opens: a dialect and, for a route, its name.
	Opens string
	// Origin is that of the pages that may use it; empty: only who sends none.
	Origin  string
	Maker   Maker
	Expires time.Time
}

// Maker is who made it, as far as that cannot be read again from the store.
type Maker struct {
	Principal  string              `json:"principal"`
	Credential string              `json:"credential"`
	Secret     string              `json:"secret"`
	Dialect    string              `json:"dialect"`
	Method     identity.Method     `json:"method"`
	Scopes     []string            `json:"scopes"` // nil: not narrowed
	Issued     time.Time           `json:"issued"`
	Expires    time.Time           `json:"expires"`
	Grounds    []revocation.Ground `json:"grounds"`
	AsOf       revocation.Position `json:"as_of"`
}

// Store is what tickets need from persistence. The database's clock counts.
type Store interface {
	// AddTicket keeps t for that long, and returns until when.
	AddTicket(ctx context.Context, t Ticket, life time.Duration) (expires time.Time, err error)
	// UseTicket returns a tenant's ticket of one of the digests, to one caller
	// only, or ErrUnknown.
	UseTicket(ctx context.Context, tenant string, digests [][]byte) (Ticket, error)
	// SweepTickets removes those that were over before then.
	SweepTickets(ctx context.Context, before time.Time) (int64, error)
}

// Office makes tickets and takes them.
type Office struct {
	store    Store
	digester *secret.Digester
}

// NewOffice makes an Office.
func NewOffice(s Store, d *secret.Digester) (*Office, error) {
	d, err := d.For("ticket")
	if err != nil {
		return nil, err
	}
	return &Office{store: s, digester: d}, nil
}

// Make makes a ticket for id.
func (o *Office) Make(ctx context.Context, id *identity.Identity, opens, origin string, life time.Duration) (secret.Text, time.Time, error) {
	text := secret.Generate(Prefix)
	expires, err := o.store.AddTicket(ctx, Ticket{
		Digest: o.digester.Digest(text), Tenant: id.Tenant, Opens: opens, Origin: origin, Maker: makerOf(id),
	}, life)
	if err != nil {
		return secret.Text{}, time.Time{}, fmt.Errorf("make ticket: %w", err)
	}
	return text, expires, nil
}

func makerOf(id *identity.Identity) Maker {
	return Maker{
		Principal: id.Principal, Credential: id.Credential, Secret: id.Secret, Dialect: id.Dialect, Method: id.Method,
		Scopes: id.Scopes, Issued: id.Issued, Expires: id.Expires, Grounds: id.Grounds, AsOf: id.AsOf,
	}
}

// Use takes a ticket, and with it is over whether or not it fits: it returns who
// made it if it opens this, for pages of this origin. What comes back is to be
// believed anew before it means anything.
func (o *Office) Use(ctx context.Context, t tenant.Tenant, text secret.Text, opens, origin string) (*identity.Identity, error) {
	if !secret.WellFormed(Prefix, text) {
		return nil, ErrUnknown
	}
	k, err := o.store.UseTicket(ctx, t.ID, o.digester.Candidates(text))
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, ErrUnknown
	case err != nil:
		return nil, fmt.Errorf("use ticket: %w", err)
	case k.Tenant != t.ID, k.Opens != opens, k.Origin != origin && k.Origin != AnyOrigin, !o.digester.Match(k.Digest, text):
		return nil, ErrUnknown
	}
	m := k.Maker
	return &identity.Identity{
		Tenant: t.ID, TenantNumber: t.Number, TenantName: t.Name,
		Principal: m.Principal, Credential: m.Credential, Secret: m.Secret, Dialect: m.Dialect, Method: m.Method,
		Scopes: m.Scopes, Issued: m.Issued, Expires: m.Expires, Grounds: m.Grounds, AsOf: m.AsOf,
	}, nil
}
