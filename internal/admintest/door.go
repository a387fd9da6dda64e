package admintest

import (
	"context"
	"errors"
	"time"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
)

type door struct{ in *Installation }

func (in *Installation) newDoor() adminapi.Door { return door{in} }

func (d door) Check(ctx context.Context, a authn.Attempt) (*identity.Identity, error) {
	r, err := d.in.Store.RecordByDigest(ctx, a.Tenant.ID, d.in.Credentials.Digester.Candidates(a.Secret))
	if errors.Is(err, credential.ErrNotFound) || err == nil && (!r.Credential.Enabled || !r.Principal.Enabled || !r.TenantEnabled || !r.Credential.Revoked.IsZero()) {
		return nil, &authn.Refusal{Kind: authn.Invalid}
	}
	if err != nil {
		return nil, &authn.Refusal{Kind: authn.Unavailable, Err: err}
	}
	for _, s := range r.Secrets {
		if d.in.Credentials.Digester.Match(s.Hash, a.Secret) && s.Live(time.Now()) {
			return &identity.Identity{
				Tenant: a.Tenant.ID, TenantName: r.TenantName, Principal: r.Principal.ID, Kind: r.Principal.Kind, Name: r.Principal.Name,
				Roles: r.Principal.Roles, Credential: r.Credential.ID, Method: identity.APIKey, Dialect: a.Dialect,
			}, nil
		}
	}
	return nil, &authn.Refusal{Kind: authn.Invalid}
}

func (d door) Allow(ctx context.Context, r policy.Request) error {
	dec, err := d.in.Engine.Decide(ctx, r)
	if err != nil {
		return &authn.Refusal{Kind: authn.Unavailable, Err: err}
	}
	if !dec.Allowed {
		return &authn.Refusal{Kind: authn.Denied}
	}
	return nil
}
