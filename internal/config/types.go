package config

// Config is everything that can be set.
type Config struct {
	// Folder for the embedded database, its backups, the audit journal and the
	// socket of the command line. It is locked while a server runs on it.
	DataDir Path `yaml:"data_dir"`

	// `sqlite` keeps everything in one file in the data folder and needs nothing
	// else. For several nodes write a PostgreSQL URL instead, like
	// `postgres://gatehouse@db.internal/gatehouse?sslmode=verify-full`; the password
	// may stand in it, in PGPASSWORD or in a pgpass file. The keywords of libpq
	// (`host=/run/postgresql dbname=gatehouse`) are understood too.
	Database Database `yaml:"database"`

	// File with the master key that opens every other key. Keep it outside the data
	// folder: a copy of that folder is worth nothing without it. `gatehouse init`
	// makes one.
	MasterKeyFile Path `yaml:"master_key_file"`

	// What this node calls itself in receipts and heartbeats. Unset: the host's name.
	Node string `yaml:"node"`

	// The listener for callers: dialects, routes, forward-auth, public keys.
	Gate Gate `yaml:"gate"`

	// The listener for people: administration. No route may stand on its host.
	Desk Desk `yaml:"desk"`

	// Health and metrics, for this machine only.
	Ops Ops `yaml:"ops"`

	// The signed statement that backends get about a caller.
	Identity Identity `yaml:"identity"`

	// Organisations that share this Gatehouse, by name. Without any there is one,
	// `default`, which takes every host.
	Tenants map[string]*Tenant `yaml:"tenants"`

	// Backends, by the name that routes and dialects call them.
	Upstreams map[string]*Upstream `yaml:"upstreams"`

	// What is reached through the gate without a dialect.
	Routes []*Route `yaml:"routes"`

	// Answers nginx's auth_request, Caddy's forward_auth and Traefik's ForwardAuth
	// at `/-/forward-auth`.
	ForwardAuth ForwardAuth `yaml:"forward_auth"`

	// How much and how long a caller may send and wait.
	Limits Limits `yaml:"limits"`

	// How failures with weak secrets (passwords, typed codes) are slowed down.
	Throttle Throttle `yaml:"throttle"`

	// How rights that were taken away reach this node.
	Revocation Revocation `yaml:"revocation"`

	// In which country addresses are, by a table of your own: for credentials and
	// roles that are bound to countries.
	Countries Countries `yaml:"countries"`

	// How several nodes tell each other what is new. Without it each node finds out
	// by itself what was taken away, but feeds and pushes stay on their node.
	Bus Bus `yaml:"bus"`

	// How the server stops.
	Shutdown Shutdown `yaml:"shutdown"`

	// What the server says about itself.
	Log Log `yaml:"log"`
}

// Countries is where the table of countries is.
type Countries struct {
	// CSV file with lines like `203.0.113.0/24,NZ` or `203.0.113.0,203.0.113.255,NZ`.
	// It is taken up again when it changes. Without it no country is known, and what
	// is bound to one works nowhere.
	File Path `yaml:"file"`
}

// Gate is the listener for callers.
type Gate struct {
	// Where to listen: `host:port`. An empty host means every address.
	Listen Address `yaml:"listen"`

	// Certificate and key. Without them the gate speaks plain HTTP, for a loopback
	// address or behind a proxy that ends TLS.
	TLS TLS `yaml:"tls"`

	// Proxies in front of the gate, as networks. Only they may say who the caller is
	// and which host it asked for.
	TrustedProxies []Prefix `yaml:"trusted_proxies"`

	// How they say it: `x-forwarded` (X-Forwarded-For, -Proto, -Host) or `forwarded`
	// (RFC 7239). Only one is read, because a proxy that writes one hands the other
	// on as the caller sent it.
	ProxyHeaders ProxyHeaders `yaml:"proxy_headers"`
}

// Desk is the listener for people.
type Desk struct {
	// Where to listen: `host:port`. An empty host means every address.
	Listen Address `yaml:"listen"`

	// Certificate and key, see `gate.tls`.
	TLS TLS `yaml:"tls"`

	// Host names the desk answers to. Unset: any. Name them as soon as it listens
	// beyond this machine; it keeps other sites' pages from reaching it by a name of
	// their own.
	Hosts []Host `yaml:"hosts"`

	// Proxies in front of the desk, see `gate.trusted_proxies`.
	TrustedProxies []Prefix `yaml:"trusted_proxies"`

	// How they say it, see `gate.proxy_headers`.
	ProxyHeaders ProxyHeaders `yaml:"proxy_headers"`
}

// Ops is the listener for health and metrics.
type Ops struct {
	// A loopback `host:port` or `unix:/path/to/socket`; `off` for none.
	Listen Address `yaml:"listen"`
}

// Identity is the header Gatehouse-Identity.
type Identity struct {
	// Who says so: the `iss` that backends expect, the same on every node.
	Issuer string `yaml:"issuer"`
}

// TLS names a certificate and its key. Both are read again when they change,
// without dropping a connection; a broken pair leaves the old one in use.
type TLS struct {
	// Certificate chain, PEM, the server's own first.
	Cert Path `yaml:"cert"`

	// Private key, PEM.
	Key Path `yaml:"key"`
}

// Tenant is one organisation.
type Tenant struct {
	// Host names at the gate that mean this tenant. When any tenant has some, a
	// request for an unknown host is answered with 421.
	Hosts []Host `yaml:"hosts"`

	// The `iss` of tokens that Gatehouse itself defines, a URL under which the tenant
	// is reached. It never comes from a request. Unset: `https://` and the first host.
	Issuer URL `yaml:"issuer"`

	// Others whose access tokens are believed for this tenant.
	Issuers []*Issuer `yaml:"issuers"`

	// Web origins, like `https://board.example.com`, whose pages may open sockets of
	// this tenant's dialects (unset: any) and, besides those of the same origin and of
	// `cors`, of its routes.
	Origins []Origin `yaml:"origins"`

	// Protocols spoken to this tenant's callers.
	Dialects Dialects `yaml:"dialects"`
}

// Dialects are the protocols a tenant can speak; one that is absent is off.
type Dialects struct {
	// Ayyeka FAI REST-API: OAuth client credentials, then an RS384 bearer JWT.
	Ayyeka *Ayyeka `yaml:"ayyeka"`

	// Acqueon Performance Metrics: reports pushed over a WebSocket, after a Basic
	// header with a token or a key pair.
	Acqueon *Acqueon `yaml:"acqueon"`

	// Fieldpine FD1: JSON packets over a WebSocket or plain HTTP, after a login with a
	// key, a token or an encrypted session.
	Fieldpine *Fieldpine `yaml:"fieldpine"`
}

// Ayyeka are the settings of that dialect.
type Ayyeka struct {
	// Backend that gets `/v2.0/` with a proven identity.
	Upstream string `yaml:"upstream"`

	// The `iss` of its tokens; an installation on one's own premises has another.
	Issuer string `yaml:"issuer"`

	// How long a token lives, in whole seconds.
	Lifetime Duration `yaml:"lifetime"`

	// Name the signing key in the header of tokens (`kid`). The vendor does not, and
	// strict readers of its format may stumble over it.
	KeyID bool `yaml:"key_id"`

	// Accept the scheme word `JWT` in place of `Bearer`, for generic OAuth libraries
	// that build the header from `token_type`.
	AcceptJWTScheme bool `yaml:"accept_jwt_scheme"`

	// Accept a token without any scheme word, for one old sample client.
	AcceptBareToken bool `yaml:"accept_bare_token"`
}

// Upstream is one backend.
type Upstream struct {
	// One or more addresses of the same service, like `http://10.0.0.5:9000`. Requests
	// go to the healthy ones in turn.
	URLs []URL `yaml:"urls"`

	// The audience of the signed identity it gets. Unset: its name here.
	Audience string `yaml:"audience"`

	// Path that answers 2xx while an address is healthy. Unset: only failed
	// connections tell.
	HealthPath string `yaml:"health_path"`

	// How often to ask it.
	HealthInterval Duration `yaml:"health_interval"`

	// How long to wait for its answer.
	HealthTimeout Duration `yaml:"health_timeout"`

	// How long to wait for a connection.
	ConnectTimeout Duration `yaml:"connect_timeout"`

	// How long to wait for the first line of the answer; bodies may stream longer.
	ResponseTimeout Duration `yaml:"response_timeout"`

	// Hand the caller's Host on in place of the address's own.
	KeepHost bool `yaml:"keep_host"`

	// Connections at once to each address; 0 for no bound.
	Connections int `yaml:"connections"`

	// Speak HTTP/2 without TLS. Over https it is negotiated.
	H2C bool `yaml:"h2c"`

	// Certificates to trust for https addresses, PEM. Unset: the system's.
	CAFile Path `yaml:"ca_file"`
}

// Route is one rule: what to match, who may pass, where it goes.
type Route struct {
	// Name for logs, metrics and revocations.
	Name string `yaml:"name"`

	// The tenant whose callers it serves.
	Tenant string `yaml:"tenant"`

	// One of that tenant's hosts; unset: all of them.
	Host Host `yaml:"host"`

	// Path on the gate. With a slash at the end it takes everything below, otherwise
	// exactly itself; a segment like `{site}` takes any one segment. The most specific
	// match wins.
	Path string `yaml:"path"`

	// Methods it takes; unset: all.
	Methods []string `yaml:"methods"`

	// What a caller may show: `bearer`, `key`, `basic`; for sockets also `ticket` (made
	// at `/-/tickets` by who shows one of the others) and `message` (the first one);
	// or, alone, `none`.
	Credentials []CredentialKind `yaml:"credentials"`

	// Header that carries an API key.
	KeyHeader string `yaml:"key_header"`

	// Query parameter that carries an API key. Unset: not accepted, because addresses
	// end up in logs and histories.
	KeyQuery string `yaml:"key_query"`

	// How the first message of a socket carries a credential.
	FirstMessage FirstMessage `yaml:"first_message"`

	// Roles that may use it, without a word of policy. A role of your own is made
	// once with `gatehouse policy role set NAME`. Unset: the tenant's policies
	// decide alone.
	Roles []string `yaml:"roles"`

	// What policy calls it, like `report:read`. Unset: `<name>:<method>` in lower case.
	Action string `yaml:"action"`

	// What policy calls the thing acted on. Unset: `Route` and the route's name.
	Resource Resource `yaml:"resource"`

	// Backend, by name.
	Upstream string `yaml:"upstream"`

	// Path put in place of the matched one. Unset: handed on unchanged.
	Rewrite string `yaml:"rewrite"`

	// Sockets pass: the gate authenticates the handshake and holds the socket.
	WebSocket bool `yaml:"websocket"`

	// Hand the caller's own credential on to the backend. By default it stays here.
	PassCredential bool `yaml:"pass_credential"`

	// Odd parts of paths that servers read differently, and that are refused unless
	// this backend needs them: `%2f`, `%5c`, `//`, `;`, `%25`.
	AllowPath []string `yaml:"allow_path"`

	// Headers that can mislead a backend and are dropped unless this one needs them,
	// like `X-HTTP-Method-Override`.
	PassHeaders []string `yaml:"pass_headers"`

	// Requests a caller may make here, like `100/s` or `600/m burst 50`.
	Limit Rate `yaml:"limit"`

	// Largest request body. Unset: `limits.body`.
	Body Size `yaml:"body"`

	// Which pages of other origins may call it.
	CORS *CORS `yaml:"cors"`
}

// FirstMessage is a socket's message that says who calls. The gate swallows it.
type FirstMessage struct {
	// Member of a JSON object that holds the credential. Unset: it is the whole text.
	Member string `yaml:"member"`

	// What it is: `bearer` or `key`.
	As CredentialKind `yaml:"as"`
}

// Resource is how policy names what a route reaches.
type Resource struct {
	// Cedar type, like `Report`.
	Type string `yaml:"type"`

	// Its id: a text in which `{path}` stands for what follows the matched path,
	// `{query.NAME}` for a parameter of the query, and `{NAME}` for a segment of path.
	ID string `yaml:"id"`
}

// CORS says which origins a browser may call from. Preflights are answered here,
// without a credential.
type CORS struct {
	// Origins, like `https://app.example.com`; `*` for any, without credentials.
	Origins []string `yaml:"origins"`

	// Request headers the page may set.
	Headers []string `yaml:"headers"`

	// Response headers the page may read.
	Expose []string `yaml:"expose"`

	// Whether the browser may send cookies.
	Credentials bool `yaml:"credentials"`

	// How long a browser may remember the answer.
	MaxAge Duration `yaml:"max_age"`
}

// ForwardAuth is the question other proxies ask.
type ForwardAuth struct {
	// Networks of the proxies that may ask; from anywhere else the path does not
	// exist. They are believed about the original method, host and path.
	Proxies []Prefix `yaml:"proxies"`
}

// Limits bound what one caller can make the gate hold.
type Limits struct {
	// All request headers together.
	Header Size `yaml:"header"`

	// Request body, unless a route says otherwise.
	Body Size `yaml:"body"`

	// How long a caller may take to send its headers.
	HeaderTimeout Duration `yaml:"header_timeout"`

	// How long a caller may pause inside a request body.
	BodyTimeout Duration `yaml:"body_timeout"`

	// How long a connection may rest between requests.
	IdleTimeout Duration `yaml:"idle_timeout"`

	// Connections open at once on the gate; 0 for no bound. As many more may wait; when they
	// do, a client has one second to say its first word.
	Connections int `yaml:"connections"`

	// Connections open at once from one IPv4 address or one IPv6 /64, on the gate and
	// on the desk; 0 for no bound. What comes beyond is closed at once.
	// `gate.trusted_proxies` are not counted.
	ConnectionsPerSource int `yaml:"connections_per_source"`

	// Requests that one credential may make on this node, like `100/s`. Unset: any
	// number.
	PerCredential Rate `yaml:"per_credential"`

	// Requests that all callers of one tenant may make on this node together.
	PerTenant Rate `yaml:"per_tenant"`
}

// Throttle slows guessing. It never counts generated keys.
type Throttle struct {
	// Failures a minute for one name from one source.
	PerIdentity int `yaml:"per_identity"`

	// Failures a minute from one source (an IPv4 address, an IPv6 /64).
	PerSource int `yaml:"per_source"`

	// The longest pause; pauses grow up to it.
	LongestPause Duration `yaml:"longest_pause"`
}

// Revocation is how old this node's knowledge may be.
type Revocation struct {
	// How long what is known stays believable without news from the database. After
	// it, requests get 503 and sockets fall silent.
	Lease Duration `yaml:"lease"`

	// How often to look for news without being nudged.
	Poll Duration `yaml:"poll"`
}

// Bus is what nodes talk over.
type Bus struct {
	// A NATS server or cluster; core NATS, without JetStream. While it is away each
	// node goes on alone.
	NATS NATS `yaml:"nats"`
}

// NATS is how to reach it. Of the three ways to log in at most one is set; their
// files are read again for each connection.
type NATS struct {
	// Servers, like `nats://10.0.0.7:4222`, or `tls://nats.internal:4222` to demand
	// TLS. Unset: messages stay in this process, which is right for a single node.
	URLs []BusURL `yaml:"urls"`

	// Word before every subject, so that several installations can share one NATS.
	// It is the same on all nodes of one.
	Prefix string `yaml:"prefix"`

	// Credentials as `nsc` writes them (`.creds`): a user's JWT and its key.
	CredentialsFile Path `yaml:"credentials_file"`

	// User name, for a NATS that asks for a password.
	User string `yaml:"user"`

	// File with that user's password.
	PasswordFile Path `yaml:"password_file"`

	// File with a token, for a NATS that asks for one.
	TokenFile Path `yaml:"token_file"`

	// Certificates. With any of them TLS is demanded, whatever the URLs say.
	TLS ClientTLS `yaml:"tls"`
}

// ClientTLS is TLS as the one who calls.
type ClientTLS struct {
	// Certificates to trust, PEM. Unset: the system's.
	CAFile Path `yaml:"ca_file"`

	// Certificate to show, PEM, where the server asks for one.
	Cert Path `yaml:"cert"`

	// Its private key, PEM.
	Key Path `yaml:"key"`
}

// Shutdown is how the server stops.
type Shutdown struct {
	// How long requests in progress may go on after the signal to stop. Sockets are
	// told to reconnect elsewhere within this time.
	Drain Duration `yaml:"drain"`
}

// Log is what the server says about itself, on standard error.
type Log struct {
	// `debug`, `info`, `warn` or `error`.
	Level Level `yaml:"level"`

	// `text`, `json`, or `auto`: text on a terminal, JSON otherwise.
	Format Format `yaml:"format"`

	// Whether every request gets its line.
	Requests bool `yaml:"requests"`
}
