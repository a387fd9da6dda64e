package config

import "time"

// Default is the configuration of an empty file.
func Default() *Config {
	return &Config{
		DataDir:       "data",
		MasterKeyFile: "master.key",
		Gate:          Gate{Listen: "127.0.0.1:8080", ProxyHeaders: "x-forwarded"},
		Desk:          Desk{Listen: "127.0.0.1:8081", ProxyHeaders: "x-forwarded"},
		Ops:           Ops{Listen: "127.0.0.1:9180"},
		Identity:      Identity{Issuer: "gatehouse"},
		Limits: Limits{
			Header:        64 * KiB,
			Body:          10 * MiB,
			HeaderTimeout: Duration(10 * time.Second),
			BodyTimeout:   Duration(30 * time.Second),
			IdleTimeout:   Duration(2 * time.Minute),

			ConnectionsPerSource: 4096,
		},
		Throttle: Throttle{
			PerIdentity:  10,
			PerSource:    60,
			LongestPause: Duration(15 * time.Minute),
		},
		Revocation: Revocation{
			Lease: Duration(30 * time.Second),
			Poll:  Duration(250 * time.Millisecond),
		},
		Bus:      Bus{NATS: NATS{Prefix: "gatehouse"}},
		Shutdown: Shutdown{Drain: Duration(20 * time.Second)},
		Log:      Log{Level: "info", Format: "auto", Requests: true},
	}
}

// defaulter is a type that stands in a list or map and has defaults of its own.
type defaulter interface{ setDefaults() }

func (a *Ayyeka) setDefaults() {
	a.Issuer = "Cloud"
	a.Lifetime = Duration(time.Hour)
}

func (a *Acqueon) setDefaults() {
	a.Feed = "metrics"
	a.Paths = []string{"/AEDataTransmitter", "/AEConsole"}
	a.Prefixes = []string{"PerformanceMetrics_"}
	a.Refuse = AfterUpgrade
	a.Scope = "performance-metrics"
}

func (f *Fieldpine) setDefaults() {
	f.Logins = 8
	f.Requests = 16
	f.Firehoses = 16
	f.StopMessage = "This server is about to stop"
	f.Patience = Duration(time.Minute)
	f.Packet = 256 * KiB
	f.Answer = 8 * MiB
}

func (u *Upstream) setDefaults() {
	u.HealthInterval = Duration(5 * time.Second)
	u.HealthTimeout = Duration(2 * time.Second)
	u.ConnectTimeout = Duration(5 * time.Second)
	u.ResponseTimeout = Duration(30 * time.Second)
}

func (r *Route) setDefaults() {
	r.Tenant = DefaultTenant
	r.KeyHeader = "X-API-Key"
	r.FirstMessage.As = Bearer
}

func (c *CORS) setDefaults() { c.MaxAge = Duration(10 * time.Minute) }
