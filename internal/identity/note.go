package identity

import "sync/atomic"

// Note is room for something that has been worked out about an Identity. It is
// found where the Identity is, without another look into another table of
// callers, and goes when the Identity goes.
//
// Identities are copied and then changed, and their notes with them. So what is
// noted says which Identity it is about, and whoever reads it looks.
type Note struct{ v atomic.Value }

// Load returns what was kept last, or nil.
func (n *Note) Load() any { return n.v.Load() }

// Keep replaces it. All that is kept in one Note has the same type.
func (n *Note) Keep(v any) { n.v.Store(v) }

// Equal implements the method that package cmp asks: what has been noted says
// nothing about who it is.
func (Note) Equal(Note) bool { return true }
