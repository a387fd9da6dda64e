package storetest

import (
	"testing"

	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/seal"
)

var person = seal.Scope{Tenant: "ten", Purpose: seal.People, Person: "usr"}

func wrapped(s seal.Scope, version int64, box string) seal.WrappedKey {
	return seal.WrappedKey{ID: id.New("dek"), Scope: s, Version: version, Master: "m1", Box: []byte(box), Created: whole}
}

func sealKeys(t *testing.T, w *world) {
	ctx := t.Context()
	one := wrapped(person, 1, "one")
	got, err := w.AddSealKey(ctx, one)
	ok(t, err)
	same(t, "added", got, one)
	got, err = w.AddSealKey(ctx, wrapped(person, 1, "late"))
	ok(t, err)
	same(t, "the version that stands", got, one)
	two := wrapped(person, 2, "two")
	_, err = w.AddSealKey(ctx, two)
	ok(t, err)
	other := wrapped(seal.Scope{Tenant: "ten", Purpose: seal.Data}, 1, "data")
	_, err = w.AddSealKey(ctx, other)
	ok(t, err)
	list, err := w.SealKeys(ctx, person)
	ok(t, err)
	same(t, "of the scope, newest first", list, []seal.WrappedKey{two, one})

	// Wrapping again, page by page, misses none and undoes nobody's.
	ok(t, w.RewrapSealKey(ctx, one.ID, "m1", []byte("one again"), "m2"))
	ok(t, w.RewrapSealKey(ctx, one.ID, "m1", []byte("late"), "m3"))
	var after string
	var left []string
	for {
		page, err := w.SealKeysNotUnder(ctx, "m2", after, 1)
		ok(t, err)
		if len(page) == 0 {
			break
		}
		after = page[0].ID
		left = append(left, after)
	}
	want := []string{two.ID, other.ID}
	if want[0] > want[1] {
		want[0], want[1] = want[1], want[0]
	}
	same(t, "not under m2", left, want)
	list, err = w.SealKeys(ctx, person)
	ok(t, err)
	one.Box, one.Master = []byte("one again"), "m2"
	same(t, "wrapped again", list[1], one)
}

func sealKeysErased(t *testing.T, w *world) {
	ctx := t.Context()
	_, err := w.AddSealKey(ctx, wrapped(person, 1, "one"))
	ok(t, err)
	_, err = w.AddSealKey(ctx, wrapped(person, 2, "two"))
	ok(t, err)
	never := seal.Scope{Tenant: "ten", Purpose: seal.People, Person: "nobody yet"}
	for _, s := range []seal.Scope{person, never} {
		for range 2 { // again is the same
			ok(t, w.EraseSealKeys(ctx, wrapped(s, 1, "")))
		}
		list, err := w.SealKeys(ctx, s)
		ok(t, err)
		if len(list) == 0 {
			t.Error("nothing says that the scope was erased")
		}
		for _, k := range list {
			if len(k.Box) != 0 || k.Erased.IsZero() {
				t.Errorf("not erased: %+v", k)
			}
		}
		got, err := w.AddSealKey(ctx, wrapped(s, 3, "back"))
		ok(t, err)
		if len(got.Box) != 0 {
			t.Error("a key came back after the erasure")
		}
	}
	if list, _ := w.SealKeysNotUnder(ctx, "m9", "", 10); len(list) != 0 {
		t.Errorf("erased keys are to be wrapped again: %+v", list)
	}
}

func sealKeysRace(t *testing.T, w *world) {
	ctx := t.Context()
	keys := together(20, func(int) string {
		k, err := w.AddSealKey(ctx, wrapped(person, 1, "box"))
		if err != nil {
			t.Error(err)
		}
		return k.ID
	})
	for _, k := range keys {
		if k != keys[0] {
			t.Fatal("two keys for one version")
		}
	}
	// Erasing while others add leaves nothing behind.
	together(10, func(i int) error {
		if i == 5 {
			ok(t, w.EraseSealKeys(ctx, wrapped(person, 1, "")))
			return nil
		}
		_, err := w.AddSealKey(ctx, wrapped(person, int64(i+2), "box"))
		return err
	})
	list, err := w.SealKeys(ctx, person)
	ok(t, err)
	for _, k := range list {
		if len(k.Box) != 0 {
			t.Errorf("version %d survived the erasure", k.Version)
		}
	}
}
