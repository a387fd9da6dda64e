package identity

import "sync/atomic"

// Notes is room for what packages policy and gateway work out about an Identity.
// It is found where the Identity is, without another look into another table of
// callers, and goes when the Identity goes.
//
// Identities are copied and then changed, and share their notes with the copy.
// So what is noted says which Identity it is about, and whoever reads it looks.
type Notes struct{ Subject, Statement Note }

// Note is one of them. A nil Notes has none and keeps nothing.
type Note struct{ v atomic.Value }

// Load returns what was kept last, or nil.
func (n *Note) Load() any {
	if n == nil {
		return nil
	}
	return n.v.Load()
}

// Keep replaces it. All that is kept in one Note has the same type.
func (n *Note) Keep(v any) {
	if n != nil {
		n.v.Store(v)
	}
}

// SubjectNote is where package policy keeps what it has worked out.
func (i *Identity) SubjectNote() *Note {
	if i.Notes == nil {
		return nil
	}
	return &i.Notes.Subject
}

// StatementNote is where package gateway does.
func (i *Identity) StatementNote() *Note {
	if i.Notes == nil {
		return nil
	}
	return &i.Notes.Statement
}

// Equal implements the method that package cmp asks: what has been noted says
// nothing about who it is.
func (*Notes) Equal(*Notes) bool { return true }
