package password_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/secret"
)

// small keeps tests quick; the real costs are measured by the benchmark.
var small = password.Params{Memory: 64, Time: 1, Lanes: 1}

func newHasher() *password.Hasher { return password.NewHasher(password.Options{Params: small}) }

// Hashes of "correct horse", made with Python's hashlib and libxcrypt; the
// Argon2id one, of "password", is from the reference implementation's tests.
var foreign = map[string]struct {
	kind              password.Kind
	password, encoded string
}{
	"argon2id":       {password.Argon2id, "password", "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$Bo1ismRVk2qm6+YAYLCmWHDb+j3fjUH3"},
	"bcrypt 2a":      {password.Bcrypt, "correct horse", "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"},
	"bcrypt 2b":      {password.Bcrypt, "correct horse", "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"},
	"bcrypt 2y":      {password.Bcrypt, "correct horse", "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"},
	"pbkdf2 phc 256": {password.PBKDF2SHA256, "correct horse", "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHQ$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0"},
	"pbkdf2 no l":    {password.PBKDF2SHA256, "correct horse", "$pbkdf2-sha256$i=1000$c2FsdHNhbHQ$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0"},
	"pbkdf2 phc 512": {password.PBKDF2SHA512, "correct horse", "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQ$+sUSD8jw4f8ns7m9b7kj8PeJLe8lJXO8Am09BLgO79kST9D/Ija5aKINGF5Xg7hkKXw1+fNhBzzJP3eIXcWXww"},
	"passlib":        {password.PBKDF2SHA512, "correct horse", "$pbkdf2-sha512$1000$c2FsdHNhbHQ$.sUSD8jw4f8ns7m9b7kj8PeJLe8lJXO8Am09BLgO79kST9D/Ija5aKINGF5Xg7hkKXw1.fNhBzzJP3eIXcWXww"},
	"django 256":     {password.PBKDF2SHA256, "correct horse", "pbkdf2_sha256$1000$saltsalt$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0="},
	"django 512":     {password.PBKDF2SHA512, "correct horse", "pbkdf2_sha512$1000$saltsalt$+sUSD8jw4f8ns7m9b7kj8PeJLe8lJXO8Am09BLgO79kST9D/Ija5aKINGF5Xg7hkKXw1+fNhBzzJP3eIXcWXww=="},
	"sha256 salted":  {password.SHA256, "correct horse", "$sha256$pepper$869a1fa0609a1d15a5c3eb891428b7a6c8395b2ee10c4762e97ffca0ebe8c0b5"},
	"sha256 bare":    {password.SHA256, "correct horse", "4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631"},
	"sha256 upper":   {password.SHA256, "correct horse", "4104D36F8DA2C254349F85836793EBE029E0C957063A34C91C2E9203187B5631"},
}

func TestVerifyForeign(t *testing.T) {
	t.Parallel()
	for name, tt := range foreign {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHasher()
			parsed, err := password.Parse(tt.encoded)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Kind() != tt.kind {
				t.Errorf("kind = %s, want %s", parsed.Kind(), tt.kind)
			}
			ok, err := h.Verify(t.Context(), "src", tt.encoded, secret.New(tt.password))
			if err != nil || !ok {
				t.Errorf("right password: %v, %v", ok, err)
			}
			for _, wrong := range []string{"", tt.password + "x", strings.ToUpper(tt.password)} {
				ok, err := h.Verify(t.Context(), "src", tt.encoded, secret.New(wrong))
				if err != nil || ok {
					t.Errorf("wrong password %q: %v, %v", wrong, ok, err)
				}
			}
			if !h.NeedsRehash(tt.encoded) {
				t.Error("a foreign hash need not be replaced?")
			}
		})
	}
}

func TestBcryptLooksAt72Bytes(t *testing.T) {
	t.Parallel()
	const encoded = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"
	ok, err := newHasher().Verify(t.Context(), "src", encoded, secret.New(strings.Repeat("x", 80)))
	if err != nil || !ok {
		t.Errorf("long password: %v, %v", ok, err)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	h := newHasher()
	pw := secret.New("correct horse")
	a, err := h.Hash(t.Context(), "src", pw)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := h.Hash(t.Context(), "src", pw)
	if a == b {
		t.Error("two hashes share a salt")
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("hash = %q", a)
	}
	if ok, err := h.Verify(t.Context(), "src", a, pw); err != nil || !ok {
		t.Errorf("verify own hash: %v, %v", ok, err)
	}
	if h.NeedsRehash(a) {
		t.Error("a fresh hash needs replacing")
	}
	if !password.NewHasher(password.Options{}).NeedsRehash(a) {
		t.Error("a hash of other costs needs no replacing")
	}
	for _, bad := range []string{"", strings.Repeat("x", 1025)} {
		if _, err := h.Hash(t.Context(), "src", secret.New(bad)); !errors.Is(err, password.ErrLength) {
			t.Errorf("password of %d bytes: %v, want ErrLength", len(bad), err)
		}
	}
	if ok, err := h.Verify(t.Context(), "src", a, secret.New(strings.Repeat("x", 1<<20))); ok || err != nil {
		t.Errorf("endless password: %v, %v", ok, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const salt, sum = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	argon := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + sum }
	bcrypt := foreign["bcrypt 2b"].encoded
	for name, encoded := range map[string]string{
		"empty":                     "",
		"plain text":                "hunter2",
		"four gibibytes":            argon("m=4194304,t=1,p=1"),
		"half a gibibyte":           argon("m=524288,t=1,p=1"),
		"many passes":               argon("m=64,t=17,p=1"),
		"much work":                 argon("m=262144,t=5,p=1"),
		"no lane":                   argon("m=64,t=1,p=0"),
		"many lanes":                argon("m=1024,t=1,p=17"),
		"memory below lanes":        argon("m=15,t=1,p=2"),
		"no pass":                   argon("m=64,t=0,p=1"),
		"other order":               argon("t=2,m=64,p=1"),
		"parameter twice":           argon("m=64,m=64,p=1"),
		"sign":                      argon("m=+64,t=1,p=1"),
		"leading zero":              argon("m=064,t=1,p=1"),
		"overflow":                  argon("m=18446744073709551680,t=1,p=1"),
		"argon2i":                   strings.Replace(argon("m=64,t=1,p=1"), "argon2id", "argon2i", 1),
		"old version":               strings.Replace(argon("m=64,t=1,p=1"), "v=19", "v=16", 1),
		"no hash":                   "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"no salt":                   "$argon2id$v=19$m=64,t=1,p=1$$" + sum,
		"padded":                    argon("m=64,t=1,p=1") + "=",
		"stray bits":                "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAAAAAAAAAAAAAAAAAAAB",
		"one field more":            argon("m=64,t=1,p=1") + "$",
		"bcrypt cost":               strings.Replace(bcrypt, "$04$", "$31$", 1),
		"bcrypt cost below":         strings.Replace(bcrypt, "$04$", "$03$", 1),
		"bcrypt 2x":                 strings.Replace(bcrypt, "$2b$", "$2x$", 1),
		"bcrypt short":              bcrypt[:59],
		"bcrypt long":               bcrypt + "e",
		"bcrypt new line":           bcrypt + "\n",
		"pbkdf2 rounds":             "pbkdf2_sha256$900000000$s$" + sum + "=",
		"pbkdf2 no rounds":          "pbkdf2_sha256$0$s$" + sum + "=",
		"pbkdf2 sha1":               "pbkdf2_sha1$1000$s$AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"pbkdf2 wrong length":       "$pbkdf2-sha256$i=1000,l=31$c2FsdHNhbHQ$" + sum,
		"pbkdf2 unknown parameter":  "$pbkdf2-sha256$i=1000,x=31$c2FsdHNhbHQ$" + sum,
		"sha256 without salt":       "$sha256$$" + foreign["sha256 bare"].encoded,
		"sha256 not hexadecimal":    strings.Repeat("g", 64),
		"longer than any hash":      "$argon2id$" + strings.Repeat("x", 600),
		"salt longer than any salt": "$sha256$" + strings.Repeat("x", 65) + "$" + foreign["sha256 bare"].encoded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := password.Parse(encoded)
			if !errors.Is(err, password.ErrFormat) {
				t.Fatalf("error = %v, want ErrFormat", err)
			}
			if len(encoded) > 20 && strings.Contains(err.Error(), encoded[len(encoded)-20:]) {
				t.Errorf("the error repeats the hash: %v", err)
			}
			ok, err := newHasher().Verify(t.Context(), "src", encoded, secret.New("x"))
			if ok || !errors.Is(err, password.ErrFormat) {
				t.Errorf("verify = %v, %v", ok, err)
			}
		})
	}
}

func TestHashPrintsNothing(t *testing.T) {
	t.Parallel()
	h, _ := password.Parse(foreign["sha256 salted"].encoded)
	out := fmt.Sprintf("%v %+v %#v %s", h, h, h, h)
	if strings.Contains(out, "pepper") || strings.Contains(out, "134") {
		t.Errorf("prints %s", out)
	}
}

func TestVerifyHeedsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := newHasher()
	if _, err := h.Verify(ctx, "src", foreign["bcrypt 2b"].encoded, secret.New("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("verify: %v", err)
	}
	if err := h.Nobody(ctx, "src", secret.New("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := h.Hash(ctx, "src", secret.New("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("hash: %v", err)
	}
}
