package gate

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/token"
)

// Keys publishes public keys; token.Keys does.
type Keys interface {
	Document(ctx context.Context, tenant string, uses ...string) (token.Document, error)
}

// serveJWKS answers with the keys that verify the tenant's tokens.
func (g *Gate) serveJWKS(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	if !facts.Tenant.Enabled {
		problem.Write(w, http.StatusNotFound, "there is nothing here", facts.RequestID)
		return
	}
	g.serveKeys(w, r, facts, facts.Tenant.ID)
}

// serveIdentityKeys answers with the keys that verify what backends get.
func (g *Gate) serveIdentityKeys(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	g.serveKeys(w, r, facts, g.o.House, token.UseIdentity)
}

func (g *Gate) serveKeys(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, tenant string, uses ...string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem.Write(w, http.StatusMethodNotAllowed, "the method is not allowed here", facts.RequestID)
		return
	}
	d, err := g.o.Keys.Document(r.Context(), tenant, uses...)
	if err != nil {
		g.o.Logger.WarnContext(r.Context(), "keys cannot be published", "error", err)
		problem.RetryAfter(w.Header(), 2*time.Second)
		problem.Write(w, http.StatusServiceUnavailable, "the keys cannot be read now", facts.RequestID)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(d.MaxAge/time.Second)))
	h.Set("Access-Control-Allow-Origin", "*") // public keys; pages may verify, too
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Etag", d.ETag)
	if r.Header.Get("If-None-Match") == d.ETag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(d.Body)))
	// Anybody may ask, and may ask for an answer that he does not take.
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
	w.WriteHeader(http.StatusOK)
	w.Write(d.Body)
}
