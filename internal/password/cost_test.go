package password

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/secret"
)

// What does not exist, and what is cheap to check, must cost a wrong guesser
// as much as the real thing: one Argon2id with the costs of new hashes.
func TestRefusalsCostTheSame(t *testing.T) {
	t.Parallel()
	params := Params{Memory: 64, Time: 1, Lanes: 1}
	h := NewHasher(Options{Params: params})
	real, err := h.Hash(t.Context(), "src", secret.New("right"))
	if err != nil {
		t.Fatal(err)
	}
	spent := 0
	h.match = func(hash Hash, pw secret.Text) bool {
		if hash.kind == Argon2id && hash.argon == params {
			spent++
		}
		return hash.matches(pw)
	}
	check := func(encoded string) func() error {
		return func() error {
			_, err := h.Verify(t.Context(), "src", encoded, secret.New("wrong"))
			return err
		}
	}
	for name, tt := range map[string]struct {
		refuse func() error
		want   error
	}{
		"wrong password": {check(real), nil},
		"nobody":         {func() error { return h.Nobody(t.Context(), "src", secret.New("wrong")) }, nil},
		"sha256":         {check("4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631"), nil},
		"pbkdf2":         {check("pbkdf2_sha256$1000$saltsalt$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0="), nil},
		"bcrypt":         {check("$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"), nil},
		"unreadable":     {check("nonsense"), ErrFormat},
		"long password": {func() error {
			_, err := h.Verify(t.Context(), "src", real, secret.New(string(make([]byte, 5000))))
			return err
		}, nil},
	} {
		spent = 0
		if err := tt.refuse(); !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", name, err, tt.want)
		}
		if spent != 1 {
			t.Errorf("%s: %d hashes of full cost, want 1", name, spent)
		}
	}
}

// One source can neither take every turn nor fill the queue for others.
func TestBusyIsPerSource(t *testing.T) {
	t.Parallel()
	h := NewHasher(Options{Params: Params{Memory: 64, Time: 1, Lanes: 1}, Running: 1, Places: 2})
	leave, err := h.queue.Enter(t.Context(), "holder")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context, source string) <-chan error {
		done := make(chan error, 1)
		before := h.Waiting()
		go func() { done <- h.Nobody(ctx, source, secret.New("x")) }()
		for h.Waiting() == before && len(done) == 0 && before < 2 {
			time.Sleep(time.Millisecond)
		}
		return done
	}
	first, second := ask(t.Context(), "greedy"), ask(t.Context(), "greedy")
	if err := <-ask(t.Context(), "greedy"); !errors.Is(err, ErrBusy) {
		t.Errorf("a third of one source got %v, want ErrBusy", err)
	}
	modest := ask(t.Context(), "modest")
	if err := <-second; !errors.Is(err, ErrBusy) {
		t.Errorf("the greedy source's second got %v, want ErrBusy", err)
	}
	leave()
	if err := <-first; err != nil {
		t.Errorf("first: %v", err)
	}
	if err := <-modest; err != nil {
		t.Errorf("modest: %v", err)
	}
}

func BenchmarkVerifyRecommended(b *testing.B) {
	h := NewHasher(Options{})
	encoded, err := h.Hash(b.Context(), "src", secret.New("right"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := h.Verify(b.Context(), "src", encoded, secret.New("right")); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc\n")
	f.Add("$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")
	f.Add("$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHQ$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0")
	f.Add("$pbkdf2-sha512$1000$c2FsdHNhbHQ$.sUSD8jw4f8ns7m9b7kj8PeJLe8lJXO8")
	f.Add("pbkdf2_sha256$1000$saltsalt$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0=")
	f.Add("$sha256$pepper$869a1fa0609a1d15a5c3eb891428b7a6c8395b2ee10c4762e97ffca0ebe8c0b5")
	f.Add("4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631")
	f.Fuzz(func(t *testing.T, encoded string) {
		h, err := Parse(encoded)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("error %v is not ErrFormat", err)
			}
			return
		}
		if strings.ContainsAny(encoded, "\r\n") {
			t.Error("accepted a hash of two lines")
		}
		// Whatever is accepted stays within the costs that are bounded.
		a := h.argon
		if a.Memory > maxArgonMemory || uint64(a.Memory)*uint64(a.Time) > maxArgonWork || h.rounds > maxRounds {
			t.Errorf("accepted costs %+v, rounds %d", a, h.rounds)
		}
		if h.kind != Bcrypt && (len(h.sum) < minHash || len(h.sum) > maxHash) {
			t.Errorf("accepted a hash of %d bytes", len(h.sum))
		}
		// And can be checked without a crash, when that is cheap.
		if a.Memory <= 1024 && a.Time <= 2 && h.rounds <= 1000 && (h.kind != Bcrypt || h.rounds == minBcryptCost) {
			h.matches(secret.New("x"))
		}
	})
}
