package audit

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"
)

// walk follows the chain. It believes a place when the row there follows from
// the place before; where none does, it finds out why, settles for the stored
// hash and goes on, so that one altered row gives one finding and not a
// thousand.
func (v *verifier) walk(ctx context.Context) error {
	for {
		if err := v.fill(ctx); err != nil {
			return err
		}
		if len(v.window) == 0 && !v.takeStray() {
			return nil
		}
		if len(v.window) > 0 {
			v.step()
		}
	}
}

// step decides what stands at the next place of the chain.
func (v *verifier) step() {
	place, r := v.prev.Seq+1, v.window[0]
	switch {
	case v.blind && r.Seq == place:
		v.take(0) // nothing to compare it with; what follows is compared with it
	case !v.blind && v.follows(r, r.Hash):
		if r.Seq != place {
			v.find(Moved, place, r.ID, "row %s belongs at place %d and stands at %d", r.ID, place, r.Seq)
		}
		v.take(0)
	case r.Seq < place:
		v.strays, v.window = append(v.strays, r), v.window[1:]
	default:
		v.mismatch(r, place)
	}
}

// mismatch is a place without the row that belongs there. That one stands
// elsewhere, is gone, or was altered.
func (v *verifier) mismatch(r Row, place int64) {
	if v.takeStray() {
		return
	}
	if i := v.search(nil); i > 0 {
		m := v.window[i]
		v.find(Moved, place, m.ID, "row %s belongs at place %d and stands at %d", m.ID, place, m.Seq)
		v.take(i)
		return
	}
	if r.Seq > place {
		v.find(Removed, place, "", "rows %d to %d are missing", place, r.Seq-1)
		v.prev, v.blind = Link{Seq: r.Seq - 1}, true
		return
	}
	if i := v.search(r.Hash); i > 0 { // contents changed places, hashes stayed
		m := &v.window[i]
		v.find(Moved, place, m.ID, "row %s belongs at place %d and stands at %d", m.ID, place, m.Seq)
		v.window[0].Event, m.Event = m.Event, v.window[0].Event
		return
	}
	if c := Next(v.prev, r.Event); len(v.window) > 1 && bytes.Equal(Next(c, v.window[1].Event).Hash, v.window[1].Hash) {
		v.find(Altered, place, r.ID, "the hash of row %s was altered", r.ID)
		v.window[0].Hash = c.Hash
	} else {
		v.find(Altered, place, r.ID, "row %s was altered, or the row before it removed and the rest renumbered", r.ID)
	}
	v.take(0)
}

// takeStray believes a row that was met earlier, at a place where it did not
// belong, if it belongs here.
func (v *verifier) takeStray() bool {
	for i, r := range v.strays {
		if !v.blind && v.follows(r, r.Hash) {
			v.find(Moved, v.prev.Seq+1, r.ID, "row %s belongs at place %d and stands at %d", r.ID, v.prev.Seq+1, r.Seq)
			v.strays = slices.Delete(v.strays, i, i+1)
			v.believe(r)
			return true
		}
	}
	return false
}

// follows reports whether r comes right after the last believed place, where
// hash is the one to arrive at.
func (v *verifier) follows(r Row, hash []byte) bool {
	return bytes.Equal(Next(v.prev, r.Event).Hash, hash)
}

// search finds the row that follows, near its place: with that hash, or with
// its own if none is given.
func (v *verifier) search(hash []byte) int {
	if v.searches++; v.blind || v.searches > verifyWindow {
		return -1
	}
	for i, r := range v.window[:min(len(v.window), verifyWindow)] {
		want := hash
		if want == nil {
			want = r.Hash
		}
		if v.follows(r, want) {
			return i
		}
	}
	return -1
}

// take believes the row at i of the window: the next place is its.
func (v *verifier) take(i int) {
	r := v.window[i]
	if i == 0 {
		v.window = v.window[1:]
	} else {
		v.window = slices.Delete(v.window, i, i+1)
	}
	v.believe(r)
}

func (v *verifier) believe(r Row) {
	v.prev, v.blind = Link{Seq: v.prev.Seq + 1, Hash: r.Hash}, false
	if v.report.Rows == 0 {
		v.report.First = v.prev
	}
	v.report.Rows++
	v.report.Last = v.prev
	v.note(r.Event)
	v.compare()
}

// note takes down what a row says about the chain itself.
func (v *verifier) note(e Event) {
	switch e.Action {
	case ActionTrim:
		v.trimmed = v.trimmed || e.Detail["seq"] == strconv.FormatInt(v.start, 10)
	case ActionRestore:
		if cut, err := strconv.ParseInt(e.Detail["chain_cut_at"], 10, 64); err == nil {
			v.report.Restores = append(v.report.Restores, Restored{At: e.At, Event: e.ID, Cut: cut})
		}
	}
}

// lost reports whether a restore from a backup has taken the rows away that a
// head was signed over.
func (v *verifier) lost(h Head) bool {
	for _, r := range v.report.Restores {
		if h.Seq > r.Cut && h.At.Before(r.At) {
			return true
		}
	}
	return false
}

// compare holds the last place against the heads.
func (v *verifier) compare() {
	at := v.prev.Seq
	if seq, ok := v.signed[string(v.prev.Hash)]; ok {
		v.met[string(v.prev.Hash)] = true
		if d := seq - at; d != v.shift {
			v.find(Departed, at, "", "the row that was signed as place %d stands at %d: rows were removed or added after place %d", seq, at, v.agreed)
			v.shift = d
		}
		v.agreed = at
	}
	for _, h := range v.heads[at] {
		if !v.met[string(h.Hash)] {
			v.missed = append(v.missed, missed{h, v.agreed})
		}
	}
}

// end looks for what is missing at either end, and for what has no place.
func (v *verifier) end() {
	for _, r := range v.strays {
		v.find(Added, r.Seq, r.ID, "row %s was added at place %d", r.ID, r.Seq)
	}
	for _, m := range v.missed { // only now all restores are known
		if !v.lost(m.head) {
			v.find(Departed, m.head.Seq, "", "the chain does not pass through the head signed at %s: it was rewritten after place %d",
				m.head.At.UTC().Format(time.DateTime), m.agreed)
		}
	}
	var last int64
	for seq, heads := range v.heads {
		for _, h := range heads {
			if !v.met[string(h.Hash)] && !v.lost(h) {
				last = max(last, seq)
			}
		}
	}
	if v.report.Rows == 0 {
		v.report.Last = v.prev
	}
	if last > v.report.Last.Seq {
		v.find(Removed, v.report.Last.Seq+1, "", "rows %d to %d are missing at the end", v.report.Last.Seq+1, last)
	}
	if v.start > 0 && !v.trimmed {
		v.find(Removed, 1, "", "rows 1 to %d are missing, and no row says that they were removed on purpose", v.start)
	}
}
