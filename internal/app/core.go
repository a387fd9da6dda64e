package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/country"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/feedapi"
	"gatehouse.dev/internal/foreign"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/journal"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/push"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/throttle"
	"gatehouse.dev/internal/ticket"
	"gatehouse.dev/internal/token"
)

// core is what every edge stands on: the one way in, what it asks, and the log
// of rights taken away.
type core struct {
	bus      nodesBus
	feeds    *feed.Hub
	pushes   *push.Hub
	live     *live.Index
	tail     *revocation.Tail
	recorder *audit.Recorder
	sealer   *audit.Sealer
	journal  *journal.Journal
	follower *journal.Follower
	keys     *token.Keys
	issuer   *token.Issuer
	jwts     *token.Verifier
	opaques  *token.OpaqueTokens
	foreign  *foreign.Service
	grants   *grant.Service
	tickets  *ticket.Office
	policies *policy.Engine
	door     *authn.Service
	places   *country.File // nil: no country is known
	logger   *slog.Logger
}

// aliveFor is how long after its last heartbeat, which come every five seconds,
// the answer of a node is waited for.
const aliveFor = 12 * time.Second

// newCore puts the core together. Nothing runs yet.
func newCore(c *config.Config, s *State, profiles func(tenant.Tenant) []*token.Profile, issuers []foreign.Config, parts []policy.Part, open live.Options, logger *slog.Logger) (_ *core, err error) {
	k := &core{logger: logger}

	// What nodes tell each other. Nothing that must not be lost travels by it alone.
	if k.bus, err = newBus(c.Bus.NATS, s.Node, logger); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			k.bus.Close()
		}
	}()
	k.pushes = push.New(push.Options{
		Bus: k.bus, Node: s.Node, Log: logger,
		Nodes: func(ctx context.Context) ([]string, error) { return s.Store.LiveNodes(ctx, aliveFor) },
	})
	k.feeds = feed.NewHub(feed.Options{Bus: k.bus, Log: logger})

	// What is open here, and the log that ends it.
	k.live = live.New(open)
	k.tail = revocation.NewTail(revocation.Options{
		Store: s.Store, Node: s.Node, Conns: k.live, Bus: k.bus,
		Lease: c.Revocation.Lease.Std(), Interval: c.Revocation.Poll.Std(), Log: logger,
	})
	k.live.Attach(k.tail)

	// What is written down about it: in the database, and beside it.
	if k.journal, err = journal.Open(journal.Options{Dir: JournalDir(c.DataDir)}); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.journal.Close())
		}
	}()
	k.follower = &journal.Follower{Journal: k.journal, Source: s.Store, Log: logger}
	k.recorder = audit.NewRecorder(s.Store, s.Keeper, s.Node, logger)
	k.sealer = &audit.Sealer{Store: s.Store, Signer: s.Keeper, Node: s.Node, Log: logger, OnHead: k.journal.AppendHead}

	// Tokens.
	k.keys = token.NewKeys(token.KeysOptions{Store: s.Store, Sealer: s.Keeper, Log: k.tail, Logger: logger})
	k.issuer = &token.Issuer{Keys: k.keys, Revoked: s.Store, Log: k.tail}
	k.jwts = &token.Verifier{
		Keys: k.keys, Revoked: s.Store, Profiles: profiles,
		Turns: fair.NewQueue(runtime.GOMAXPROCS(0), 256*runtime.GOMAXPROCS(0)),
	}
	if k.opaques, err = token.NewOpaqueTokens(s.Store, s.Digester, nil); err != nil {
		return nil, fmt.Errorf("prepare opaque tokens: %w", err)
	}
	if k.foreign, err = foreign.New(foreign.Options{
		Issuers: issuers, Store: s.Store, JWTs: k.jwts, Opaques: k.opaques, Live: k.live, Scribe: s.Scribe, Logger: logger,
	}); err != nil {
		return nil, err
	}
	if k.tickets, err = ticket.NewOffice(s.Store, s.Digester); err != nil {
		return nil, fmt.Errorf("prepare tickets: %w", err)
	}
	if k.grants, err = grant.New(grant.Options{Store: s.Store, Digester: s.Digester, Logger: logger}); err != nil {
		return nil, fmt.Errorf("prepare refresh families: %w", err)
	}

	// What an identity may do, and the one way in.
	if k.policies, err = policy.New(s.Store, k.tail, append(parts, feedapi.Rules)...); err != nil {
		return nil, fmt.Errorf("read the policies of the program: %w", err)
	}
	var places authn.Countries // stays nil itself where there is no file
	if c.Countries.File != "" {
		if k.places, err = country.Open(string(c.Countries.File)); err != nil {
			return nil, fmt.Errorf("read the table of countries: %w", err)
		}
		places = k.places
	}
	k.door, err = authn.New(authn.Options{
		Store: s.Store, Log: k.tail, Passwords: s.Hasher, Digests: s.Digester, JWTs: k.foreign, Opaques: k.foreign, Vault: s.Vault, Countries: places,
		Policy: k.policies, Audit: k.recorder, Live: k.live, Throttle: newThrottle(c.Throttle),
		PerCredential: rate(c.Limits.PerCredential), PerTenant: rate(c.Limits.PerTenant), Logger: logger,
	})
	return k, err
}

func newThrottle(t config.Throttle) *throttle.Throttle {
	return throttle.New(time.Now(), throttle.Options{
		Pair:         throttle.Limit{Failures: t.PerIdentity, Per: time.Minute},
		Source:       throttle.Limit{Failures: t.PerSource, Per: time.Minute, Parallel: 256},
		LongestPause: t.LongestPause.Std(),
	})
}

func rate(r config.Rate) throttle.Rate { return throttle.Rate{N: r.N, Per: r.Per, Burst: r.Burst} }

// close lets go of what the core holds besides the database, after nobody uses it
// any more.
func (k *core) close() error {
	k.bus.Close()
	return k.journal.Close()
}

// start sets the core to work. It returns once this node knows the log, so that
// it can believe anything at all, or with an error when it cannot read it.
func (k *core) start(ctx context.Context, c *crew, s *State) error {
	c.start(
		task{"the revocation log", k.tail.Run},
		task{"the ear for the database", func(ctx context.Context) error { return s.Store.ListenRevocations(ctx, k.tail.Wake) }},
		task{"the journal", k.follower.Run},
	)
	if k.places != nil {
		c.start(task{"the table of countries", func(ctx context.Context) error { return k.places.Run(ctx, k.logger) }})
	}
	c.start(task{"the audit sealer", k.sealer.Run})
	c.start(task{"the audit recorder", k.recorder.Run})
	c.start(
		task{"the one way in", k.door.Run},
		task{"the index of what is open", k.live.Run},
		task{"the tokens of other issuers", k.foreign.Run},
		task{"the feeds", func(ctx context.Context) error { k.feeds.Run(ctx); return nil }},
		task{"the master key", func(ctx context.Context) error { s.Keeper.Run(ctx, k.logger); return nil }},
		task{"the signing keys", func(ctx context.Context) error { k.keys.Run(ctx); return nil }},
		task{"the refresh families", func(ctx context.Context) error { k.grants.Run(ctx); return nil }},
		task{"the sweeper", (&sweeper{store: s.Store, logger: k.logger}).run},
	)
	select {
	case <-k.tail.Ready():
		return nil
	case err := <-c.failed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("read the revocation log: %w", ctx.Err())
	}
}
