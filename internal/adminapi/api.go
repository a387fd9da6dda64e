package adminapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// Config is what the API administers, and by what means.
type Config struct {
	Door        Door
	Tenants     *tenant.Service
	Methods     *tenant.Switches
	Principals  *principal.Service
	Credentials *credential.Service
	Rules       Rules
	Policies    policy.Store
	Keys        Keys
	JWTs        JWTs
	Opaques     Opaques
	Tokens      TokenStore
	Conns       Conns
	Pushes      Pushes
	Changes     Changes
	Revocations Revocations
	Audit       audit.Store
	Recorder    Recorder
	Signer      audit.Signer
	KnownHeads  func() ([]audit.Head, error) // kept outside the database; nil: none
	Scribe      audit.Scribe

	// Links returns a tenant's template for the links of scoped tokens, which has
	// LinkPlace in it; "": it has none. nil: no tenant has.
	Links func(tenant string) string

	// Unavailable reports errors of a store that cannot serve now; they are
	// answered with 503.
	Unavailable func(error) bool
	Log         *slog.Logger
	Now         func() time.Time // nil: time.Now
}

// Rules is what the API needs of the policy engine.
type Rules interface {
	Check(s policy.Set) (policy.Report, error)
	InForce(ctx context.Context, tenant string) (policy.Report, error)
	Explain(ctx context.Context, r policy.Request) (policy.Explanation, error)
}

// Keys is what the API needs of signing keys; *token.Keys is one.
type Keys interface {
	List(ctx context.Context, tenant string) ([]token.SigningKey, error)
	Rotate(ctx context.Context, tenant, use string, alg token.Alg, atOnce bool, e audit.Event) (token.SigningKey, error)
	Distrust(ctx context.Context, tenant, id string, e audit.Event) (change int64, err error)
	Seal(ctx context.Context, tenant, id string, e audit.Event) (change int64, err error)
}

// Conns is what is open on this node.
type Conns interface {
	List(f live.Filter) []live.Info
}

// Changes follows the revocation log.
type Changes interface {
	Await(ctx context.Context, change int64) revocation.Outcome
	Outcome(ctx context.Context, change int64) (revocation.Outcome, error)
	Known(ctx context.Context, change int64) (bool, error)
}

// Recorder takes audit events of what changes nothing; *audit.Recorder is one.
type Recorder interface {
	RecordOften(ctx context.Context, e audit.Event)
}

// Revocations writes entries for what has no row of its own.
type Revocations interface {
	Revoke(ctx context.Context, e revocation.Entry) (change int64, err error)
}

const (
	// Base is where the API stands on the desk.
	Base = "/api"

	// requestTimeout bounds all work for one request; a receipt takes at most
	// two seconds of it, walking the audit chain may take it all.
	requestTimeout = 30 * time.Second
	bodyTimeout    = 10 * time.Second
	maxBody        = 64 << 10
	maxPolicyBody  = 4 * policy.MaxText // as JSON every byte may become more
)

// api is the API under construction, and then at work.
type api struct {
	Config
	huma    huma.API
	changes *recent
	homes   *homes
}

// New makes the handler of the API. It expects request paths that begin with
// Base.
func New(c Config) http.Handler {
	a, mux := build(c)
	spec := sync.OnceValue(a.document) // takes longer than all the rest of a start
	mux.HandleFunc("GET "+Base+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Write(spec())
	})
	return a.around(mux)
}

//go:generate go run ./specgen ../../docs/openapi.json

// OpenAPI is the description of the API, as docs/openapi.json has it.
func OpenAPI() []byte {
	a, _ := build(Config{})
	return a.document()
}

func build(c Config) (*api, *http.ServeMux) {
	if c.Now == nil {
		c.Now = time.Now
	}
	mux := http.NewServeMux()
	a := &api{Config: c, changes: newRecent()}
	if c.Credentials != nil {
		a.homes = &homes{store: c.Credentials.Store, digester: c.Credentials.Digester}
	}
	a.huma = humago.NewWithPrefix(mux, Base, describe())
	a.huma.UseMiddleware(a.authenticate)
	a.tenants()
	a.principals()
	a.credentials()
	a.imports()
	a.policy()
	a.signingKeys()
	a.tokens()
	a.conns()
	a.pushes()
	a.methods()
	a.audit()
	a.self()
	return a, mux
}

func describe() huma.Config {
	c := huma.DefaultConfig("Gatehouse admin API", "1")
	c.Info.Description = "Administration of Gatehouse. Failures are problem details (RFC 9457); " +
		"what takes a right away answers with a receipt."
	c.Servers = []*huma.Server{{URL: Base}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key of an administrator. Not needed over the Unix socket."},
	}
	c.Security = []map[string][]string{{"key": {}}}
	// The description is served by us, pages that load scripts from elsewhere
	// are not served at all, and answers carry no links to schemas.
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.RejectUnknownQueryParameters = true
	c.Transformers = []huma.Transformer{withoutValues}
	return c
}

func (a *api) document() []byte {
	out, err := json.MarshalIndent(a.huma.OpenAPI(), "", " ")
	if err != nil {
		panic(err) // types of this package that JSON cannot show
	}
	return append(out, '\n')
}
