package token

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
)

// Request asks an [Issuer] for a JWT on behalf of somebody who has logged in.
type Request struct {
	Ask
	Profile *Profile
	// Claims writes the claims once the times are known. It may be called
	// again for the same request.
	Claims func(issued, expires time.Time) []Claim
	// NotBefore is the client's: tokens issued earlier are dead, so this one
	// is dated later.
	NotBefore time.Time
	// Window is the client's re-use window; zero, the default, means that
	// every request gets its own token.
	Window time.Duration
	// Grounds and AsOf are those of the login. A token is given again only
	// while all of them stand.
	Grounds []revocation.Ground
	AsOf    revocation.Position
}

// Issued is a JWT ready to be handed over.
type Issued struct {
	Token      secret.Text
	Hash       string // what it is revoked by
	SigningKey string
	IssuedAt   time.Time
	Expires    time.Time
	Remains    time.Duration // whole seconds until Expires: expires_in
	Again      bool          // whether it was given before
}

// Issuer gives out JWTs. Fill in the fields before use; it is then safe for
// concurrent use.
type Issuer struct {
	Keys    *Keys
	Revoked Revoked
	Log     Log              // nil: nothing is given again
	Now     func() time.Time // nil: the system's clock

	reuse   reuse
	flights singleflight.Group
}

// Issue gives a new token, or, inside the client's re-use window, the one that
// the same request got before. A request differs when client, secret, scope,
// audience or proof key do. What rests on anything revoked since is never
// given again.
func (i *Issuer) Issue(ctx context.Context, r Request) (Issued, error) {
	r.Ask.Profile = r.Profile.Name
	if r.Window <= 0 || i.Log == nil {
		return i.mint(ctx, r)
	}
	if g, ok := i.again(r); ok {
		return g, nil
	}
	// Those who ask the same at the same moment get the same.
	made := i.flights.DoChan(fmt.Sprintf("%q", r.Ask), func() (any, error) {
		if g, ok := i.again(r); ok {
			return g, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTimeout)
		defer cancel()
		return i.mintAndKeep(ctx, r)
	})
	select {
	case res := <-made:
		if res.Err != nil {
			return Issued{}, res.Err
		}
		if !res.Shared {
			return res.Val.(Issued), nil
		}
		if g, ok := i.again(r); ok {
			return g, nil
		}
		return i.mint(ctx, r)
	case <-ctx.Done():
		return Issued{}, ctx.Err()
	}
}

// again returns the remembered token for the request, if it may be given.
func (i *Issuer) again(r Request) (Issued, bool) {
	now := i.now()
	g, ok := i.reuse.get(r.Ask, now)
	if !ok {
		return Issued{}, false
	}
	out := g.Issued
	// As the first time, from the beginning of this second.
	out.Remains = min(out.Remains, out.Expires.Sub(now.Truncate(time.Second)))
	if g.IssuedAt.Before(r.NotBefore) || !i.Log.Intact(g.grounds, g.asOf) {
		i.reuse.drop(r.Ask)
		return Issued{}, false
	}
	out.Again = true
	return out, true
}

func (i *Issuer) mintAndKeep(ctx context.Context, r Request) (Issued, error) {
	out, err := i.mint(ctx, r)
	if err != nil {
		return Issued{}, err
	}
	now := i.now()
	until := out.IssuedAt.Add(r.Window)
	if out.Expires.Before(until) {
		until = out.Expires
	}
	i.reuse.put(r.Ask, given{
		Issued: out, until: until, asOf: r.AsOf,
		grounds: append(slices.Clone(r.Grounds),
			revocation.Ground{Kind: revocation.Token, ID: out.Hash},
			revocation.Ground{Kind: revocation.SigningKey, ID: out.SigningKey}),
	}, now)
	return out, nil
}

// mint makes a new token.
//
// Times are whole seconds, as most readers expect. That makes two tokens of one
// second alike where the claims have no jti, so a token that was revoked could
// be made again; then the next second is waited for.
func (i *Issuer) mint(ctx context.Context, r Request) (Issued, error) {
	for {
		now := i.now()
		out := Issued{IssuedAt: dated(now, r.NotBefore), Remains: r.Profile.Lifetime}
		out.Expires = out.IssuedAt.Add(r.Profile.Lifetime)
		claims := r.Claims(out.IssuedAt, out.Expires)
		body, err := Encode(claims...)
		if err != nil {
			return Issued{}, err
		}
		out.Token, out.SigningKey, err = i.Keys.Sign(ctx, r.Tenant, Signing{
			Use: r.Profile.Use, Alg: r.Profile.Alg, Type: r.Profile.Type, KeyID: r.Profile.KeyID,
			Claims: body, Expires: out.Expires,
		})
		if err != nil {
			return Issued{}, err
		}
		out.Hash = Hash(out.Token)
		if unique(claims) {
			return out, nil
		}
		revoked, err := i.Revoked.TokenRevoked(ctx, out.Hash)
		if err != nil {
			return Issued{}, fmt.Errorf("look for revocation of token: %w", err)
		}
		if !revoked {
			return out, nil
		}
		select {
		case <-time.After(out.IssuedAt.Add(time.Second).Sub(now)):
		case <-ctx.Done():
			return Issued{}, ctx.Err()
		}
	}
}

// dated is the time of issue: now in whole seconds, but not before notBefore,
// which ends all tokens issued earlier.
func dated(now, notBefore time.Time) time.Time {
	at := now.Truncate(time.Second)
	if at.Before(notBefore) {
		at = notBefore.Truncate(time.Second).Add(time.Second)
	}
	return at
}

func unique(claims []Claim) bool {
	return slices.ContainsFunc(claims, func(c Claim) bool { return c.Name == "jti" })
}

func (i *Issuer) now() time.Time {
	if i.Now == nil {
		return time.Now()
	}
	return i.Now()
}
