package config

// Acqueon are the settings of the Performance Metrics dialect.
type Acqueon struct {
	// Which of the tenant's feeds has the reports. Publishers name it, too.
	Feed string `yaml:"feed"`

	// The endpoints that are there: `/AEDataTransmitter` (API key and secret, or an
	// access token, in base64) and `/AEConsole` (a raw access token).
	Paths []string `yaml:"paths"`

	// What connection names may begin with. Add `AEConsole_` for the vendor's own
	// console.
	Prefixes []string `yaml:"prefixes"`

	// On `/AEDataTransmitter`, take a password that is not base64 for an access token,
	// for clients that leave the encoding out.
	RawToken bool `yaml:"raw_token"`

	// When a refused client hears of it: `after_upgrade`, when it gets its socket and
	// then a close frame, as the vendor documents, or `before_upgrade`, with an HTTP
	// status.
	Refuse Refuse `yaml:"refuse"`

	// Let a new connection replace the one that bears its name. By default a name with
	// a timestamp is its bearer's until that one is gone.
	NewestWins bool `yaml:"newest_wins"`

	// Scope that an access token must have; empty for none.
	Scope string `yaml:"scope"`

	// The user in the connection's name must be the token's own. By default the name
	// is a label, and rights come from the token alone.
	MatchUser bool `yaml:"match_user"`

	// How long a socket outlives the token it was opened with. No message of the
	// protocol can bring a new one.
	Grace Duration `yaml:"grace"`

	// Accept `ws://`: for development.
	PlainText bool `yaml:"plain_text"`

	// Web origins whose pages may connect, in place of the tenant's. Clients that are
	// no browsers send none and are not asked.
	Origins []Origin `yaml:"origins"`
}

// Fieldpine are the settings of the FD1 dialect.
type Fieldpine struct {
	// Where actions go. The most specific one wins: a whole action before a beginning,
	// a longer beginning before a shorter one.
	Endpoints []*Endpoint `yaml:"endpoints"`

	// Serve the socket at `/ws/open_websocket`, too.
	Alias bool `yaml:"alias"`

	// Send an empty packet after the upgrade, for very old clients. It tells whoever
	// asks that there is an FD1 server.
	Hello bool `yaml:"hello"`

	// Accept `ws://` and `http://`: for development.
	PlainText bool `yaml:"plain_text"`

	// Web origins whose pages may connect, in place of the tenant's. Clients that are
	// no browsers send none and are not asked.
	Origins []Origin `yaml:"origins"`

	// Where the link of a scoped token leads, as for a QR code: a page of yours that
	// logs in with its own address, like `https://shop.example/r/{token}`. Unset:
	// tokens come without a link.
	Link string `yaml:"link"`

	// Logins that one socket may have at a time.
	Logins int `yaml:"logins"`

	// Credential that every handshake must bring in its `Authorization` header, before
	// and beside the login: `basic` (user and password, or a key pair) or `bearer` (an
	// API key or an access token). Unset: none. Browsers cannot send it.
	Authorization CredentialKind `yaml:"authorization"`

	// Firehoses that one socket may have open at a time.
	Firehoses int `yaml:"firehoses"`

	// Other servers, like `wss://fd1-b.example.com/fd1/open_websocket`, that clients are
	// told of before this one stops.
	Servers []SocketURL `yaml:"servers"`

	// What clients are told then; they show it to their users.
	StopMessage string `yaml:"stop_message"`

	// Requests of one socket that may be under way at a time; what comes beyond them
	// waits.
	Requests int `yaml:"requests"`

	// How long a backend may take for one answer.
	Patience Duration `yaml:"patience"`

	// Largest packet of somebody who has logged in.
	Packet Size `yaml:"packet"`

	// Largest answer of a backend.
	Answer Size `yaml:"answer"`
}

// Endpoint is one action, or all that begin alike, and its backend.
type Endpoint struct {
	// The action, like `fd1.sales.get_sale`, or its beginning, like `fd1.products.*`.
	Action string `yaml:"action"`

	// Backend, by name. It gets `POST /fd1/sales/get_sale` with the packet.
	Upstream string `yaml:"upstream"`

	// What policy calls the thing acted on, a Cedar type like `Sale`; its id is the
	// packet's `k`. Unset: the endpoint itself, `Fd1::"fd1.sales.get_sale"`.
	Entity string `yaml:"entity"`

	// The member of the packet that has the id of the thing: `k`, or one of `v` or
	// `q`, like `v.sid`. It must be the one that the backend goes by.
	Key string `yaml:"key"`
}
