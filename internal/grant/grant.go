package grant

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/secret"
)

// Prefix begins every refresh token.
const Prefix = "ghr_"

// Window is how long after its rotation a token may be shown again by a client
// that lost the answer.
const Window = 10 * time.Second

// Verdicts, besides the errors that a Store returns. All of them look the same
// to callers of an API: invalid_grant.
var (
	// ErrUnknown: no refresh token of ours, or of another tenant.
	ErrUnknown = errors.New("the refresh token is unknown")
	// ErrBinding: shown by another client, or without the proof key that the
	// family is bound to. Nothing was changed.
	ErrBinding = errors.New("the refresh token belongs to another client or key")
)

// Invalid reports whether err is a verdict on the token (or its family) rather
// than a failure.
func Invalid(err error) bool {
	for _, v := range []error{ErrUnknown, ErrBinding, ErrEnded, ErrReused, ErrNotFound} {
		if errors.Is(err, v) {
			return true
		}
	}
	return false
}

// ReusedError is [ErrReused] with what was done about it.
type ReusedError struct {
	Grant  Grant
	Change int64 // the revocation that ended the family
}

func (e *ReusedError) Error() string { return ErrReused.Error() }

// Unwrap makes it ErrReused.
func (e *ReusedError) Unwrap() error { return ErrReused }

// Options shape a [Service]. Store and Digester are needed.
type Options struct {
	Store    Store
	Digester *secret.Digester // the installation's; purposes are derived from it
	Logger   *slog.Logger
	Now      func() time.Time
	Window   time.Duration // zero: Window
}

// Service opens, rotates and ends families. It is safe for concurrent use.
// [Service.Run] must be running for salts to be erased in time.
type Service struct {
	store    Store
	digester *secret.Digester // what refresh tokens are stored as
	deriver  *secret.Digester // what successors are made with
	logger   *slog.Logger
	now      func() time.Time
	window   time.Duration
	rotated  atomic.Bool // since salts were last erased
}

// New makes a Service.
func New(o Options) (*Service, error) {
	s := &Service{store: o.Store, logger: o.Logger, now: o.Now, window: o.Window}
	var err1, err2 error
	s.digester, err1 = o.Digester.For("refresh token")
	s.deriver, err2 = o.Digester.For("refresh successor")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.window <= 0 {
		s.window = Window
	}
	return s, nil
}

// Open begins a family and returns its first refresh token. Tenant, Principal,
// Client and Expires must be filled in; ID and Created are given here.
func (s *Service) Open(ctx context.Context, g Grant, e audit.Event) (secret.Text, Grant, error) {
	now := s.now()
	if g.Tenant == "" || g.Principal == "" || g.Client == "" || !g.Expires.After(now) {
		return secret.Text{}, Grant{}, errors.New("open grant: tenant, principal, client or expiry is missing")
	}
	g.ID, g.Created, g.Ended, g.EndReason = id.New("grt"), now, time.Time{}, ""
	text := secret.Generate(Prefix)
	e.Target = g.ID
	if err := s.store.CreateGrant(ctx, g, s.link(g, text, now), e); err != nil {
		return secret.Text{}, Grant{}, fmt.Errorf("open grant: %w", err)
	}
	return text, g, nil
}

// link makes the row of a refresh token. Its salt says under which version of
// the key its successor will be derived, so that a repeat after a rotation of
// that key still derives the same.
func (s *Service) link(g Grant, text secret.Text, now time.Time) Refresh {
	salt := binary.BigEndian.AppendUint32(make([]byte, 0, 20), s.deriver.Version())
	salt = salt[:20]
	rand.Read(salt[4:])
	expires := g.Expires
	if g.Idle > 0 && now.Add(g.Idle).Before(expires) {
		expires = now.Add(g.Idle)
	}
	return Refresh{Digest: s.digester.Digest(text), Salt: salt, Issued: now, Expires: expires}
}

// successor derives the token that follows text. Without a salt nobody can;
// then it returns a random one, which the store will not take.
func (s *Service) successor(text secret.Text, salt []byte) (secret.Text, error) {
	if len(salt) < 4 {
		return secret.Generate(Prefix), nil
	}
	bits, known := s.deriver.Derive(binary.BigEndian.Uint32(salt), text, salt)
	if !known {
		return secret.Text{}, errors.New("the key that derives refresh tokens has no such version")
	}
	return secret.Assemble(Prefix, bits), nil
}

// Presenter is who shows a refresh token, after client authentication.
type Presenter struct {
	Client     string // principal id
	Method     string // how it authenticated; empty for a public client
	Credential string
	Secret     string
	ProofKey   string // thumbprint of the key it proved; empty: none
}

// fingerprint tells two presenters apart. Texts are written with their lengths.
func (p Presenter) fingerprint() []byte {
	var b []byte
	for _, s := range []string{p.Client, p.Method, p.Credential, p.Secret, p.ProofKey} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// Refreshed is what showing a refresh token gave.
type Refreshed struct {
	Grant  Grant
	Token  secret.Text // the successor
	Repeat bool        // the same successor was given before
}

// Rotate spends a refresh token and returns its successor. Reuse ends the
// family and comes back as [*ReusedError]; then e, which says who and from
// where, is written with an action and a reason of its own.
func (s *Service) Rotate(ctx context.Context, tenant string, text secret.Text, by Presenter, e audit.Event) (Refreshed, error) {
	if !secret.WellFormed(Prefix, text) {
		return Refreshed{}, ErrUnknown
	}
	row, g, err := s.store.RefreshByDigest(ctx, tenant, s.digester.Candidates(text))
	if errors.Is(err, ErrNotFound) || err == nil && !s.digester.Match(row.Digest, text) {
		return Refreshed{}, ErrUnknown
	}
	if err != nil {
		return Refreshed{}, fmt.Errorf("look up refresh token: %w", err)
	}
	if by.Client != g.Client || g.ProofKey != "" && by.ProofKey != g.ProofKey {
		return Refreshed{}, ErrBinding
	}
	next, err := s.successor(text, row.Salt)
	if err != nil {
		return Refreshed{}, fmt.Errorf("rotate refresh token: %w", err)
	}
	s.rotated.Store(true)
	e.Target, e.Action, e.Outcome, e.Reason = g.ID, "grant.reuse", audit.Refused, "refresh token used again"
	did, err := s.store.RotateRefresh(ctx, Rotation{
		Presented: row.Digest, Next: s.link(g, next, s.now()), By: by.fingerprint(), Window: s.window,
	}, e)
	if errors.Is(err, ErrReused) {
		return Refreshed{}, &ReusedError{Grant: g, Change: did.Change}
	}
	if err != nil {
		return Refreshed{}, fmt.Errorf("rotate refresh token: %w", err)
	}
	return Refreshed{Grant: g, Token: next, Repeat: did.Repeat}, nil
}

// End ends a family and all that rests on it.
func (s *Service) End(ctx context.Context, id, reason string, e audit.Event) (change int64, err error) {
	e.Target = id
	if change, err = s.store.EndGrant(ctx, id, reason, e); err != nil {
		return 0, fmt.Errorf("end grant: %w", err)
	}
	return change, nil
}
