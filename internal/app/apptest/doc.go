// Package apptest starts the whole server in the process of a test: real
// database, real listeners on free ports, a real backend behind it. What a test
// then does goes over the network, as it would for anybody.
package apptest
