package foreign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

// Bounds of asking about tokens.
const (
	keepAnswer  = 10 * time.Second // also a bad one
	keepAnswers = 4096
	askAtOnce   = 16
	askWaiting  = 512
	turnTimeout = askTimeout + time.Second // one answer that does not come
)

var errBusy = errors.New("too many tokens are being asked about")

// answers are what introspection has said lately.
type answers struct {
	Introspection
	client *http.Client
	now    func() time.Time
	turns  *fair.Queue // by where the caller is

	mu   sync.Mutex
	kept map[string]answer // by token hash
}

type answer struct {
	text  []byte
	until time.Time
}

func newAnswers(i Introspection, client *http.Client, now func() time.Time) *answers {
	return &answers{Introspection: i, client: client, now: now, turns: fair.NewQueue(askAtOnce, askWaiting), kept: make(map[string]answer)}
}

// about is what the issuer says of a token.
func (a *answers) about(ctx context.Context, hash string, tok secret.Text, source string) ([]byte, error) {
	if text, ok := a.get(hash); ok {
		return text, nil
	}
	return a.ask(ctx, hash, tok, source)
}

// ask asks although there may be an answer. The time for an answer begins with
// the turn: a slow issuer would leave nothing of it to those who waited.
func (a *answers) ask(ctx context.Context, hash string, tok secret.Text, source string) ([]byte, error) {
	leave, err := a.turn(ctx, source)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	own, err := a.Secret()
	if err != nil {
		return nil, fmt.Errorf("read our secret for introspection: %w", err)
	}
	text, err := askAbout(ctx, a.client, a.URL, a.ClientID, own, tok)
	if err != nil {
		return nil, fmt.Errorf("ask about a token: %w", err)
	}
	a.put(hash, text)
	return text, nil
}

// turn waits until it is this source's turn.
func (a *answers) turn(ctx context.Context, source string) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	if leave, err = a.turns.Enter(ctx, source); err != nil {
		return nil, fmt.Errorf("%w: %w", errBusy, err)
	}
	return leave, nil
}

func (a *answers) get(hash string) ([]byte, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept, ok := a.kept[hash]
	return kept.text, ok && a.now().Before(kept.until)
}

func (a *answers) put(hash string, text []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if len(a.kept) >= keepAnswers {
		for h, kept := range a.kept {
			if !now.Before(kept.until) {
				delete(a.kept, h)
			}
		}
	}
	if len(a.kept) >= keepAnswers { // all fresh: somebody tries tokens in a flood
		clear(a.kept)
	}
	a.kept[hash] = answer{text, now.Add(keepAnswer)}
}

// byAnswer reads RFC 7662 section 2.2. What it does not say is not checked, but
// for whom and how long it must say, or nobody could tell this token from one
// for somebody else.
func (i *issuer) byAnswer(text []byte) (said, error) {
	var active struct {
		Active bool `json:"active"`
	}
	if err := json.Unmarshal(text, &active); err != nil {
		return said{}, fmt.Errorf("read introspection: %w", err)
	}
	if !active.Active {
		return said{}, token.ErrUnknown
	}
	claims, err := token.ParseClaims(text)
	if err != nil {
		return said{}, err
	}
	s := said{claims: claims}
	if claims.Has("iss") {
		if iss, err := claims.Text("iss"); err != nil || iss != i.Issuer {
			return s, fmt.Errorf("%w: another issuer", token.ErrClaims)
		}
	}
	if aud, err := claims.Audience(); err != nil || !slices.Contains(aud, i.Audience) {
		return s, fmt.Errorf("%w: another audience", token.ErrClaims)
	}
	return s, i.readRest(&s)
}
