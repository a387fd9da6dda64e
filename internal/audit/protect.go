package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Protect replaces Personal by its ciphertext, bound to the event's id, which
// it gives when there is none. Call it before an event with personal fields
// goes to a store.
func Protect(ctx context.Context, p Protector, e Event) (Event, error) {
	if len(e.Personal) == 0 {
		e.Personal = nil
		return e, nil
	}
	if e.ID == "" {
		e.ID = newID(cmp.Or(e.At, time.Now()))
	}
	plain, err := json.Marshal(cleanMap(e.Personal))
	if err != nil {
		return Event{}, fmt.Errorf("encode personal fields: %w", err)
	}
	if e.Sealed, err = p.ProtectPersonal(ctx, e.Tenant, e.Person, associated(e), plain); err != nil {
		return Event{}, fmt.Errorf("protect personal fields: %w", err)
	}
	e.Personal = nil
	return e, nil
}

// Reveal is the reverse, for showing an event to who may see it. It returns
// ErrErased (wrapped) when the person's key is gone.
func Reveal(ctx context.Context, p Protector, e Event) (map[string]string, error) {
	if len(e.Sealed) == 0 {
		return nil, nil
	}
	plain, err := p.RevealPersonal(ctx, e.Tenant, e.Person, associated(e), e.Sealed)
	if err != nil {
		return nil, fmt.Errorf("reveal personal fields: %w", err)
	}
	var out map[string]string
	if err := json.Unmarshal(plain, &out); err != nil {
		return nil, fmt.Errorf("decode personal fields: %w", err)
	}
	return out, nil
}

// associated ties a ciphertext to its event: moved to another row, it does not
// open.
func associated(e Event) []byte { return []byte("audit\x00" + e.ID) }
