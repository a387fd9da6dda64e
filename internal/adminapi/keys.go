package adminapi

import (
	"context"
	"net/http"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/token"
)

func (a *api) signingKeys() {
	const tag, what, list, one = "Signing keys", "signing-keys", "/v1/signing-keys", "/v1/signing-keys/{id}"
	add(a, op{
		id: "list-signing-keys", method: http.MethodGet, path: list, tag: tag, what: what,
		summary: "List the keys that sign tokens, without their private halves",
	}, a.listKeys)
	add(a, op{
		id: "rotate-signing-key", method: http.MethodPost, path: list + "/rotate", tag: tag, what: what,
		summary: "Let the next key sign", detail: "The present one verifies until its last token has expired.",
	}, a.rotateKey)
	add(a, op{
		id: "distrust-signing-key", method: http.MethodPost, path: one + "/distrust", tag: tag, what: what,
		summary: "End all trust in a key, and whatever rests on its tokens",
	}, a.distrustKey)
	add(a, op{
		id: "seal-signing-key", method: http.MethodPost, path: one + "/seal", tag: tag, what: what,
		summary: "Erase the private half of a key that signs no more", detail: "It then verifies nothing either.",
	}, a.sealKey)
}

// SigningKey is a key that signs or signed tokens.
type SigningKey struct {
	ID        string     `json:"id" doc:"The kid, where tokens have one"`
	Use       string     `json:"use" doc:"What it signs: ayyeka, access, …"`
	Alg       string     `json:"alg"`
	State     string     `json:"state" enum:"next,active,retiring,distrusted,sealed"`
	Created   time.Time  `json:"created"`
	Activated *time.Time `json:"activated,omitempty"`
	Retired   *time.Time `json:"retired,omitempty"`
	Ended     *time.Time `json:"ended,omitempty"`
}

func viewKey(k token.SigningKey) SigningKey {
	return SigningKey{
		ID: k.ID, Use: k.Use, Alg: string(k.Alg), State: string(k.State), Created: k.Created.UTC(),
		Activated: when(k.Activated), Retired: when(k.Retired), Ended: when(k.Ended),
	}
}

func (a *api) listKeys(ctx context.Context, c *call, _ InTenant) (*pageOut[SigningKey], error) {
	list, err := a.Keys.List(ctx, c.tenant.ID)
	if err != nil {
		return nil, err
	}
	return pageOf(list, len(list), viewKey, nil), nil
}

type rotateKeyIn struct {
	InTenant
	Body struct {
		Use    string `json:"use" maxLength:"32" example:"ayyeka"`
		Alg    string `json:"alg,omitempty" enum:"RS256,RS384,ES256,EdDSA" doc:"Default: that of the key in use"`
		AtOnce bool   `json:"at_once,omitempty" doc:"Even if the next key has not been published for long enough that everybody who verifies offline knows it"`
	}
}

type signingKeyOut struct{ Body SigningKey }

func (a *api) rotateKey(ctx context.Context, c *call, in rotateKeyIn) (*signingKeyOut, error) {
	alg := token.Alg(in.Body.Alg)
	if alg == "" {
		var err error
		if alg, err = c.algOf(ctx, in.Body.Use); err != nil {
			return nil, err
		}
	}
	e, err := c.keyEvent(ctx, "signing_key.rotate", "")
	if err != nil {
		return nil, err
	}
	e.Detail = map[string]string{"use": in.Body.Use, "alg": string(alg)}
	k, err := a.Keys.Rotate(ctx, c.tenant.ID, in.Body.Use, alg, in.Body.AtOnce, e)
	if err != nil {
		return nil, err
	}
	return &signingKeyOut{Body: viewKey(k)}, nil
}

// algOf is the algorithm of the key that signs for a use. A use that nobody
// has heard of gets no key: it would be a typing error.
func (c *call) algOf(ctx context.Context, use string) (token.Alg, error) {
	list, err := c.api.Keys.List(ctx, c.tenant.ID)
	if err != nil {
		return "", err
	}
	for _, k := range list {
		if k.Use == use && k.State == token.Active {
			return k.Alg, nil
		}
	}
	return "", field.Errorf("use", "has no active key; name the algorithm to begin with one")
}

type signingKeyIn struct {
	InTenant
	ID string `path:"id" maxLength:"64"`
}

func (a *api) distrustKey(ctx context.Context, c *call, in signingKeyIn) (*receiptOut, error) {
	return c.endKey(ctx, in.ID, "signing_key.distrust", a.Keys.Distrust)
}

func (a *api) sealKey(ctx context.Context, c *call, in signingKeyIn) (*receiptOut, error) {
	return c.endKey(ctx, in.ID, "signing_key.seal", a.Keys.Seal)
}

// endKey ends a key of the tenant that the call is about; one of another tenant
// is not found.
func (c *call) endKey(
	ctx context.Context, id, action string, do func(context.Context, string, string, audit.Event) (int64, error),
) (*receiptOut, error) {
	e, err := c.keyEvent(ctx, action, id)
	if err != nil {
		return nil, err
	}
	change, err := do(ctx, c.tenant.ID, id, e)
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}

func (c *call) keyEvent(ctx context.Context, action, key string) (audit.Event, error) {
	return c.api.Scribe.Event(ctx, c.by, audit.Event{Action: action, Tenant: c.tenant.ID, Target: key})
}
