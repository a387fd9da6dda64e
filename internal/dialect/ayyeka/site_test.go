package ayyeka_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/upstream"
	"gatehouse.dev/internal/sample"
	"gatehouse.dev/internal/tenant"
)

// site is one address at which the dialect answers, with a gate before it and a
// backend behind it.
type site struct {
	addr string
	base string // http://host:port
}

// hosts are the names that tests call the tenants by.
var hosts = map[string][]string{
	tenant.Default: {"restapi.example", "127.0.0.1"},
	"other":        {"other.example"},
}

const statementsIssuer = "https://gate.example"

// open makes a site. Whoever calls it seems to come from source.
func (h *house) open(t testing.TB, source string, c ayyeka.Config) site {
	t.Helper()
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	s := site{addr: listener.Addr().String(), base: "http://" + listener.Addr().String()}

	verifier := must[*gateidentity.Verifier](t)(gateidentity.New(gateidentity.Config{
		JWKSURL: s.base + "/.well-known/gatehouse-identity.json", Issuer: statementsIssuer, Audience: "sites",
	}))
	backend := httptest.NewServer(sample.Handler(verifier))
	t.Cleanup(backend.Close)

	root := h.gate(t, c, backend.URL)
	from := netip.AddrPortFrom(netip.MustParseAddr(source), 50_000).String()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = from
		root.ServeHTTP(w, r)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return s
}

// gate puts the dialect between the listener and the backend.
func (h *house) gate(t testing.TB, c ayyeka.Config, backend string) http.Handler {
	t.Helper()
	pool := must[*upstream.Pool](t)(upstream.New(upstream.Config{Name: "sites", Addresses: []string{backend}, Logger: h.logger}))
	t.Cleanup(pool.CloseIdle)
	house := h.tenants[tenant.Default].ID
	gw := must[*gateway.Gateway](t)(gateway.New(gateway.Options{
		Door: h.door, Signer: h.keys, Log: h.tail, Issuer: statementsIssuer, House: house, Wheel: h.wheel, Logger: h.logger,
	}))
	d := must[dialect.Dialect](t)(ayyeka.New(ayyeka.Server{
		Config: c, Door: h.door, Issuer: h.issuer, Upstream: gw.For(ayyeka.Name, &gateway.Upstream{Pool: pool}, 0), Logger: h.logger,
	}))
	var tenants []gate.Tenant
	for name, names := range hosts {
		tenants = append(tenants, gate.Tenant{Tenant: h.tenants[name], Hosts: names, Dialects: []dialect.Dialect{d}})
	}
	return must[*gate.Gate](t)(gate.New(gate.Options{
		Tenants: tenants, Gateway: gw, Keys: h.keys, House: house, Store: h.store, Log: h.tail, Logger: h.logger,
	}))
}
