package sample

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/id"
)

// Paths that the backend answers besides the Ayyeka ones.
const (
	DownloadPath = "/files/" // GET /files/NAME?lines=N&every=DURATION
	EchoPath     = "/echo"   // WebSocket
)

// Handler returns the backend. Everything but health asks the verifier first.
func Handler(verifier *gateidentity.Verifier) http.Handler {
	known := http.NewServeMux()
	known.HandleFunc("GET /v2.0/site", listSites)
	known.HandleFunc("GET /v2.0/site/{id}", oneSite)
	known.HandleFunc("GET /v2.0/user/uiPreferences", preferences)
	known.HandleFunc("GET "+DownloadPath+"{name}", download)
	known.HandleFunc("GET "+EchoPath, echo)
	shop(known)
	known.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound(w, "not found") })

	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2.0/health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("/", verifier.Middleware(known))
	return mux
}

// site has the members of the documented answer. Longitude and latitude are
// texts there, and so they are here.
type site struct {
	Organization int64  `json:"account_organization_id,omitempty"`
	ID           int64  `json:"id"`
	Created      string `json:"creation_date"`
	Name         string `json:"display_name"`
	Status       string `json:"status"`
	Longitude    string `json:"longitude"`
	Latitude     string `json:"latitude"`
}

var sites = []site{
	{Organization: 12, ID: 3401, Created: "2025-11-02T09:14:05Z", Name: "Pump house 4", Status: "Active", Longitude: "34.7818", Latitude: "32.0853"},
	{Organization: 12, ID: 3402, Created: "2025-11-02T09:31:47Z", Name: "Reservoir, north basin", Status: "Active", Longitude: "34.7921", Latitude: "32.1102"},
	{Organization: 14, ID: 3417, Created: "2026-01-19T13:02:10Z", Name: "Overflow at Mill Lane", Status: "Active", Longitude: "35.2137", Latitude: "31.7683"},
	{ID: 3433, Created: "2026-03-08T06:45:00Z", Name: "Spare logger", Status: "Inactive", Longitude: "34.9896", Latitude: "32.7940"},
}

func listSites(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, sites) }

func oneSite(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	for _, s := range sites {
		if err == nil && s.ID == n {
			answer(w, http.StatusOK, s)
			return
		}
	}
	notFound(w, "Site not found")
}

// preferences answers with what the backend knows about its caller: the identity
// it verified, and every header that reached it.
func preferences(w http.ResponseWriter, r *http.Request) {
	who, _ := gateidentity.FromContext(r.Context())
	answer(w, http.StatusOK, struct {
		Identity Claims      `json:"identity"`
		Headers  http.Header `json:"headers"`
	}{claims(who), r.Header})
}

// Claims is how the backend shows an identity.
type Claims struct {
	Principal  string    `json:"principal"`
	Tenant     string    `json:"tenant"`
	TenantName string    `json:"tenant_name"`
	Name       string    `json:"name"`
	Kind       string    `json:"kind"`
	Roles      []string  `json:"roles"`
	Scopes     []string  `json:"scopes,omitempty"`
	Credential string    `json:"credential"`
	Secret     string    `json:"secret"`
	Dialect    string    `json:"dialect"`
	Method     string    `json:"method"`
	Issuer     string    `json:"issuer"`
	IssuedAt   time.Time `json:"issued_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func claims(i gateidentity.Identity) Claims {
	return Claims{
		Principal: i.Principal, Tenant: i.Tenant, TenantName: i.TenantName, Name: i.Name, Kind: i.Kind,
		Roles: i.Roles, Scopes: i.Scopes, Credential: i.Credential, Secret: i.Secret,
		Dialect: i.Dialect, Method: i.Method, Issuer: i.Issuer, IssuedAt: i.IssuedAt, ExpiresAt: i.ExpiresAt,
	}
}

// download sends numbered lines, one at a time, for as long as it is asked to.
func download(w http.ResponseWriter, r *http.Request) {
	lines, err := strconv.Atoi(valueOr(r, "lines", "10"))
	if err != nil || lines < 0 {
		answer(w, http.StatusBadRequest, problem{"lines must be a number", requestID()})
		return
	}
	every, err := time.ParseDuration(valueOr(r, "every", "0s"))
	if err != nil || every < 0 {
		answer(w, http.StatusBadRequest, problem{"every must be a time span like 100ms", requestID()})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out := http.NewResponseController(w)
	for n := range lines {
		if _, err := fmt.Fprintf(w, "%s line %d of %d\n", r.PathValue("name"), n+1, lines); err != nil {
			return // the caller is gone
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(every):
		}
	}
}

func valueOr(r *http.Request, name, fallback string) string {
	if v := r.URL.Query().Get(name); v != "" {
		return v
	}
	return fallback
}

type problem struct {
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

func requestID() string { return id.Request()[4:12] }

func notFound(w http.ResponseWriter, message string) {
	answer(w, http.StatusNotFound, problem{message, requestID()})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
