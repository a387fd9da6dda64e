package gateway

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dpop"
)

// proofHeader carries a proof of possession (RFC 9449, section 4.1).
const proofHeader = "Dpop"

// unproved is the ProofKey of an attempt of scheme DPoP before its proof was
// checked. It is no thumbprint, so no token is bound to it.
const unproved = "?"

// prove checks the proof that goes with a token of scheme DPoP, and says in the
// attempt which key it is of. That the token is bound to that key is for authn
// to find out; that the proof is new, for once.
func (g *Gateway) prove(r *http.Request, method string, c *call, a *authn.Attempt) (*dpop.Proof, *authn.Refusal) {
	if a.ProofKey != unproved {
		return nil, nil
	}
	lines := r.Header[proofHeader]
	if len(lines) != 1 {
		return nil, malformed("a bound token without one proof")
	}
	p, err := dpop.Check(lines[0], dpop.Request{
		Method: method, Scheme: c.facts.Scheme, Host: c.facts.Authority, Path: c.path.Escaped, Token: a.Secret,
	}, g.now())
	if err != nil {
		return nil, &authn.Refusal{Kind: authn.Invalid, Reason: err.Error()}
	}
	a.ProofKey = p.Key
	return &p, nil
}

// once refuses a proof that came before. It is asked when the token has been
// believed: strangers must not fill the memory.
func (g *Gateway) once(p *dpop.Proof) error {
	if p == nil {
		return nil
	}
	err := g.proofs.Once(*p, g.now())
	switch {
	case errors.Is(err, dpop.ErrReplay):
		return &authn.Refusal{Kind: authn.Invalid, Reason: err.Error()}
	case err != nil:
		return &authn.Refusal{Kind: authn.Unavailable, RetryAfter: 5 * time.Second, Reason: "proofs cannot be remembered", Err: err}
	}
	return nil
}

// showsProof reports whether a caller speaks DPoP, who is then challenged in
// its words (RFC 9449, section 7.1).
func showsProof(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "DPoP")
}

const proofChallenge = `DPoP realm="gatehouse", error="invalid_token", algs="` + dpop.Algorithms + `"`
