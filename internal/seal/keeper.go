package seal

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse.dev/internal/id"
)

// ErrErased means that the scope's keys have been erased: nothing sealed under
// them opens any more, and nothing can be sealed under it again.
var ErrErased = errors.New("the key has been erased")

const (
	// remembered is how long unwrapped keys are used without looking at the
	// store again. It bounds how long another node still opens what belongs
	// to an erased person.
	remembered = time.Minute
	// maxScopes bounds the keys in memory; persons are many.
	maxScopes   = 20_000
	loadTimeout = 10 * time.Second
)

// Keeper seals and opens. It is safe for concurrent use.
type Keeper struct {
	store   Store
	masters *Masters
	now     func() time.Time

	loads  singleflight.Group
	mu     sync.Mutex
	scopes map[Scope]*keys
	heads  map[string]ed25519.PrivateKey // by id of the data key
	loadNo int64                         // counts loads as they begin
}

// keys are the unwrapped keys of one scope.
type keys struct {
	newest string // id; empty when there is none yet
	last   int64  // the highest version
	erased bool
	boxes  map[string]*box // by id
	loaded time.Time
	loadNo int64
}

// NewKeeper makes a Keeper. A nil clock is the system's.
func NewKeeper(store Store, masters *Masters, now func() time.Time) *Keeper {
	if now == nil {
		now = time.Now
	}
	return &Keeper{store: store, masters: masters, now: now, scopes: make(map[Scope]*keys), heads: make(map[string]ed25519.PrivateKey)}
}

// Seal encrypts a value of one row under the newest key of the scope, which is
// made when there is none.
func (k *Keeper) Seal(ctx context.Context, s Scope, r Row, plain []byte) ([]byte, error) {
	ks, err := k.withKey(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	ad := s.associate("row", ks.newest, r.Table, r.Key, r.Column)
	return ks.boxes[ks.newest].seal(header(ks.newest), plain, ad), nil
}

// Open decrypts what Seal made for that scope and row. It returns [ErrErased]
// when the key is gone and [ErrOpen] when the bytes do not belong there.
func (k *Keeper) Open(ctx context.Context, s Scope, r Row, sealed []byte) ([]byte, error) {
	id, rest, err := split(sealed)
	if err != nil {
		return nil, err
	}
	ks, err := k.keys(ctx, s, false)
	if err == nil && !ks.erased && ks.boxes[id] == nil {
		ks, err = k.keys(ctx, s, true) // another node may have made it just now
	}
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if ks.erased {
		return nil, ErrErased
	}
	b := ks.boxes[id]
	if b == nil {
		return nil, ErrOpen
	}
	return b.open(rest, s.associate("row", id, r.Table, r.Key, r.Column))
}

// RotateKey adds a version to the scope; the older ones still open.
func (k *Keeper) RotateKey(ctx context.Context, s Scope) error {
	ks, err := k.keys(ctx, s, true)
	if err == nil && ks.erased {
		err = ErrErased
	}
	if err == nil {
		_, err = k.add(ctx, s, ks.last+1)
	}
	if err != nil {
		return fmt.Errorf("rotate data key: %w", err)
	}
	return nil
}

// EraseKeys erases every key of the scope, and with them all that was sealed
// under it. Other nodes forget within a minute.
func (k *Keeper) EraseKeys(ctx context.Context, s Scope) error {
	now := k.now()
	tomb := WrappedKey{ID: id.New("dek"), Scope: s, Version: 1, Created: now, Erased: now}
	if err := k.store.EraseSealKeys(ctx, tomb); err != nil {
		return fmt.Errorf("erase keys: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loadNo++ // a load that began before must not win
	k.scopes[s] = &keys{erased: true, loaded: now, loadNo: k.loadNo}
	return nil
}

// withKey returns the scope's keys, of which there is at least one.
func (k *Keeper) withKey(ctx context.Context, s Scope) (*keys, error) {
	ks, err := k.keys(ctx, s, false)
	if err != nil {
		return nil, err
	}
	if ks.newest == "" && !ks.erased {
		if ks, err = k.add(ctx, s, 1); err != nil {
			return nil, err
		}
	}
	if ks.erased {
		return nil, ErrErased
	}
	return ks, nil
}

// add makes the given version, unless another node has, and loads the scope.
func (k *Keeper) add(ctx context.Context, s Scope, version int64) (*keys, error) {
	raw := make([]byte, keyLen)
	rand.Read(raw)
	w := WrappedKey{ID: id.New("dek"), Scope: s, Version: version, Created: k.now()}
	k.wrap(&w, raw)
	if _, err := k.store.AddSealKey(ctx, w); err != nil {
		return nil, err
	}
	return k.keys(ctx, s, true)
}

// keys returns what is known of the scope, from memory unless that is old or
// fresh is asked for. Several callers share one look at the store, which does
// not end with the first caller's context.
func (k *Keeper) keys(ctx context.Context, s Scope, fresh bool) (*keys, error) {
	k.mu.Lock()
	have := k.scopes[s]
	k.mu.Unlock()
	if have != nil && !fresh && k.now().Sub(have.loaded) < remembered {
		return have, nil
	}
	name := string(s.associate("load"))
	if fresh {
		k.loads.Forget(name) // a load under way may have read too early
	}
	done := k.loads.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return k.load(ctx, s)
	})
	select {
	case r := <-done:
		if r.Err == nil {
			return r.Val.(*keys), nil
		}
		// Without the store, go on with what is known, but not about
		// persons: one may have been erased.
		if have != nil && !fresh && s.Person == "" {
			return have, nil
		}
		return nil, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load reads and unwraps the keys of a scope and remembers them.
func (k *Keeper) load(ctx context.Context, s Scope) (*keys, error) {
	ks := &keys{boxes: map[string]*box{}, loaded: k.now()}
	k.mu.Lock()
	k.loadNo++
	ks.loadNo = k.loadNo
	k.mu.Unlock()
	rows, err := k.store.SealKeys(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, w := range rows {
		if !w.Erased.IsZero() {
			ks.erased = true
			continue
		}
		raw, err := k.unwrap(w)
		if err != nil {
			return nil, err
		}
		ks.boxes[w.ID] = newBox(raw)
		if w.Version > ks.last {
			ks.last, ks.newest = w.Version, w.ID
		}
	}
	if ks.erased {
		ks.boxes, ks.newest = nil, ""
	}
	k.remember(s, ks)
	return ks, nil
}

func (k *Keeper) remember(s Scope, ks *keys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if have := k.scopes[s]; have != nil && have.loadNo > ks.loadNo {
		return // it read later than we did
	}
	if len(k.scopes) >= maxScopes {
		for old := range k.scopes { // any one: it can be loaded again
			delete(k.scopes, old)
			break
		}
	}
	k.scopes[s] = ks
}

// wrap fills in Box and Master.
func (k *Keeper) wrap(w *WrappedKey, raw []byte) {
	w.Master = k.masters.Current()
	w.Box = k.masters.find(w.Master).seal(nil, raw, w.associated())
}

func (k *Keeper) unwrap(w WrappedKey) ([]byte, error) {
	m := k.masters.find(w.Master)
	if m == nil {
		return nil, fmt.Errorf("data key %s is wrapped by master key %s, which the master key file does not have", w.ID, w.Master)
	}
	raw, err := m.open(w.Box, w.associated())
	if err != nil || len(raw) != keyLen {
		return nil, fmt.Errorf("data key %s cannot be unwrapped: %w", w.ID, ErrOpen)
	}
	return raw, nil
}

func (w WrappedKey) associated() []byte {
	return w.Scope.associate("key", w.ID, strconv.FormatInt(w.Version, 10))
}
