package password

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"

	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/secret"
)

// ErrBusy means that too many passwords are being checked already.
var ErrBusy = fair.ErrBusy

// ErrLength means that a new password is empty or longer than 1024 bytes.
var ErrLength = errors.New("password is empty or longer than 1024 bytes")

// Params are the costs of Argon2id.
type Params struct {
	Memory uint32 // KiB
	Time   uint32 // passes
	Lanes  uint8
}

// Recommended is what new hashes cost: OWASP's first choice for Argon2id.
var Recommended = Params{Memory: 19 * 1024, Time: 2, Lanes: 1}

const (
	saltLen = 16
	hashLen = 32
)

// Options shape a [Hasher]. The zero value is good.
type Options struct {
	// Params are the costs of new hashes; zero means Recommended. Cheaper
	// ones are for tests only.
	Params Params
	// Running is how many checks may run at once; zero means one per
	// processor. Each holds Params.Memory while it runs.
	Running int
	// Places is how many callers may wait; zero means 64 per running check,
	// some three seconds.
	Places int
}

// Hasher hashes and checks passwords, a bounded number at a time. It is safe
// for concurrent use. Its source arguments say on whose behalf: usually the
// caller's network address as the throttle knows it.
type Hasher struct {
	params Params
	queue  *fair.Queue
	nobody Hash
	match  func(Hash, secret.Text) bool // Hash.matches; tests watch what is spent
}

// NewHasher makes a Hasher.
func NewHasher(o Options) *Hasher {
	if o.Params == (Params{}) {
		o.Params = Recommended
	}
	if o.Running <= 0 {
		o.Running = runtime.GOMAXPROCS(0)
	}
	if o.Places <= 0 {
		o.Places = 64 * o.Running
	}
	return &Hasher{
		params: o.Params,
		queue:  fair.NewQueue(o.Running, o.Places),
		nobody: Hash{kind: Argon2id, argon: o.Params, salt: random(saltLen), sum: random(hashLen)},
		match:  Hash.matches,
	}
}

// Hash makes an encoded Argon2id hash of pw with a fresh salt.
func (h *Hasher) Hash(ctx context.Context, source string, pw secret.Text) (string, error) {
	if pw.Empty() || pw.Len() > maxPassword {
		return "", ErrLength
	}
	leave, err := h.queue.Enter(ctx, source)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	defer leave()
	salt, p := random(saltLen), h.params
	sum := argon2.IDKey([]byte(pw.Reveal()), salt, p.Time, p.Memory, p.Lanes, hashLen)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.Memory, p.Time, p.Lanes, b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

// Verify reports whether pw is the password behind encoded. A hash that cannot
// be read costs what a wrong password costs and comes back with an error that
// wraps [ErrFormat]; [ErrBusy] and the context's errors mean that nothing was
// decided.
func (h *Hasher) Verify(ctx context.Context, source, encoded string, pw secret.Text) (bool, error) {
	parsed, parseErr := Parse(encoded)
	if parseErr != nil || pw.Len() > maxPassword {
		return false, errors.Join(parseErr, h.Nobody(ctx, source, pw))
	}
	leave, err := h.queue.Enter(ctx, source)
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	defer leave()
	if h.match(parsed, pw) {
		return true, nil
	}
	if parsed.cheap() {
		h.match(h.nobody, pw)
	}
	return false, nil
}

// Nobody spends what checking pw would cost and matches nothing. Call it where
// there is no hash to check: unknown name, locked account, no password set.
func (h *Hasher) Nobody(ctx context.Context, source string, pw secret.Text) error {
	leave, err := h.queue.Enter(ctx, source)
	if err != nil {
		return fmt.Errorf("verify password: %w", err)
	}
	defer leave()
	if pw.Len() > maxPassword {
		pw = secret.New(pw.Reveal()[:maxPassword])
	}
	h.match(h.nobody, pw)
	return nil
}

// NeedsRehash reports whether encoded should be replaced now that the password
// is known: it is of another family, or of other costs than new hashes have.
func (h *Hasher) NeedsRehash(encoded string) bool {
	parsed, err := Parse(encoded)
	return err != nil || parsed.kind != Argon2id || parsed.argon != h.params ||
		len(parsed.salt) < saltLen || len(parsed.sum) < hashLen
}

// Waiting is how many callers wait for a turn, for metrics.
func (h *Hasher) Waiting() int { return h.queue.Waiting() }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
