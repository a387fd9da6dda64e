// Package proxy carries one HTTP exchange between a caller and a backend, both
// ways at once, as it arrives.
//
// It is what net/http/httputil.ReverseProxy is, without what a gate does not
// need: the outgoing request is built from headers that were cleaned on the
// way, not cloned and cleaned afterwards; buffers come from a pool; and every
// wait has a limit: a caller that stops sending or reading is cut off, as is
// one whose right to the answer ends while it is being sent.
//
// Who may call what is settled before. This package decides nothing.
package proxy
