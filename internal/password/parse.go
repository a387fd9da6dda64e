package password

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ErrFormat means that an encoded hash is not in a form known here, or costs
// more than the limits allow. The error's text says what is wrong and never
// repeats the hash.
var ErrFormat = errors.New("password hash not understood")

// Kind is a family of hashes.
type Kind string

// The families that [Parse] knows.
const (
	Argon2id     Kind = "argon2id"
	Bcrypt       Kind = "bcrypt"
	PBKDF2SHA256 Kind = "pbkdf2-sha256"
	PBKDF2SHA512 Kind = "pbkdf2-sha512"
	SHA256       Kind = "sha256"
)

// Hash is a parsed password hash.
type Hash struct {
	kind    Kind
	argon   Params // for Argon2id
	rounds  int    // for PBKDF2; for bcrypt its cost
	salt    []byte
	sum     []byte
	encoded string // for bcrypt, whose library reads the encoded form
}

// Kind is the family.
func (h Hash) Kind() Kind { return h.kind }

// String names the family and nothing else, so that a logged Hash gives
// nothing away.
func (h Hash) String() string { return string(h.kind) + " hash" }

// GoString is String, for %#v.
func (h Hash) GoString() string { return h.String() }

// Parse reads an encoded hash in any of the forms that the package comment
// lists. Errors wrap [ErrFormat].
func Parse(encoded string) (Hash, error) {
	h, err := parse(encoded)
	if err != nil {
		return Hash{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return h, nil
}

func parse(s string) (Hash, error) {
	switch {
	case len(s) > maxEncoded:
		return Hash{}, fmt.Errorf("longer than %d characters", maxEncoded)
	case strings.ContainsAny(s, "\r\n"): // base64 would skip them
		return Hash{}, errors.New("a hash is one line")
	case strings.HasPrefix(s, "$argon2id$"):
		return parseArgon2id(s)
	case strings.HasPrefix(s, "$2"):
		return parseBcrypt(s)
	case strings.HasPrefix(s, "$pbkdf2-sha256$"):
		return parsePBKDF2(PBKDF2SHA256, s)
	case strings.HasPrefix(s, "$pbkdf2-sha512$"):
		return parsePBKDF2(PBKDF2SHA512, s)
	case strings.HasPrefix(s, "pbkdf2_sha256$"):
		return parseDjango(PBKDF2SHA256, s)
	case strings.HasPrefix(s, "pbkdf2_sha512$"):
		return parseDjango(PBKDF2SHA512, s)
	case strings.HasPrefix(s, "$sha256$"):
		return parseSHA256(s)
	case len(s) == 64:
		sum, err := hex.DecodeString(s)
		if err != nil {
			return Hash{}, errors.New("64 characters, but not all are hexadecimal digits")
		}
		return Hash{kind: SHA256, sum: sum}, nil
	}
	return Hash{}, errors.New("unknown form")
}

func parseArgon2id(s string) (Hash, error) {
	f := strings.Split(s, "$")
	if len(f) != 6 {
		return Hash{}, errors.New("argon2id wants $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	}
	if f[2] != "v=19" {
		return Hash{}, errors.New("argon2id version is not 19")
	}
	v, err := parameters(f[3], "m", "t", "p")
	if err != nil {
		return Hash{}, fmt.Errorf("argon2id: %w", err)
	}
	m, t, p := v[0], v[1], v[2]
	switch {
	case p < 1 || p > maxArgonLanes:
		return Hash{}, fmt.Errorf("argon2id p is outside 1 to %d", maxArgonLanes)
	case t < 1 || t > maxArgonTime:
		return Hash{}, fmt.Errorf("argon2id t is outside 1 to %d", maxArgonTime)
	case m < minArgonMemory*p || m > maxArgonMemory:
		return Hash{}, fmt.Errorf("argon2id m is outside %d×p to %d", minArgonMemory, maxArgonMemory)
	case m*t > maxArgonWork:
		return Hash{}, fmt.Errorf("argon2id m×t is above %d", maxArgonWork)
	}
	h := Hash{kind: Argon2id, argon: Params{Memory: uint32(m), Time: uint32(t), Lanes: uint8(p)}}
	return h.withBase64(base64.RawStdEncoding, f[4], f[5])
}

var bcryptShape = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)

func parseBcrypt(s string) (Hash, error) {
	m := bcryptShape.FindStringSubmatch(s)
	if m == nil {
		return Hash{}, errors.New("bcrypt wants $2a$, $2b$ or $2y$, two digits of cost and 53 characters")
	}
	cost, _ := strconv.Atoi(m[1])
	if cost < minBcryptCost || cost > maxBcryptCost {
		return Hash{}, fmt.Errorf("bcrypt cost is outside %d to %d", minBcryptCost, maxBcryptCost)
	}
	return Hash{kind: Bcrypt, rounds: cost, encoded: s}, nil
}

// parsePBKDF2 reads the PHC form and passlib's, whose second field is a bare
// number and whose alphabet writes '.' for '+'.
func parsePBKDF2(kind Kind, s string) (Hash, error) {
	f := strings.Split(s, "$")
	if len(f) != 5 {
		return Hash{}, fmt.Errorf("%s wants $%s$rounds$salt$hash", kind, kind)
	}
	h := Hash{kind: kind}
	length := -1
	if strings.HasPrefix(f[2], "i=") {
		names := []string{"i"}
		if strings.Contains(f[2], ",") {
			names = append(names, "l")
		}
		v, err := parameters(f[2], names...)
		if err != nil {
			return Hash{}, fmt.Errorf("%s: %w", kind, err)
		}
		h.rounds = v[0]
		if len(v) > 1 {
			length = v[1]
		}
	} else {
		n, err := number(f[2])
		if err != nil {
			return Hash{}, fmt.Errorf("%s rounds: %w", kind, err)
		}
		h.rounds = n
	}
	if err := checkRounds(h.rounds); err != nil {
		return Hash{}, err
	}
	dots := strings.NewReplacer(".", "+")
	h, err := h.withBase64(base64.RawStdEncoding, dots.Replace(f[3]), dots.Replace(f[4]))
	if err == nil && length >= 0 && length != len(h.sum) {
		return Hash{}, fmt.Errorf("%s l differs from the length of the hash", kind)
	}
	return h, err
}

// parseDjango reads algorithm$rounds$salt$hash. The salt is plain text.
func parseDjango(kind Kind, s string) (Hash, error) {
	f := strings.Split(s, "$")
	if len(f) != 4 {
		return Hash{}, errors.New("django's form wants algorithm$rounds$salt$hash")
	}
	rounds, err := number(f[1])
	if err != nil {
		return Hash{}, fmt.Errorf("rounds: %w", err)
	}
	if err := checkRounds(rounds); err != nil {
		return Hash{}, err
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(f[3])
	if err != nil {
		return Hash{}, errors.New("hash is not padded base64")
	}
	return Hash{kind: kind, rounds: rounds, salt: []byte(f[2]), sum: sum}.checked()
}

// parseSHA256 reads $sha256$salt$hex. The salt is plain text.
func parseSHA256(s string) (Hash, error) {
	f := strings.Split(s, "$")
	if len(f) != 4 || len(f[3]) != 64 {
		return Hash{}, errors.New("sha256 wants $sha256$salt$ and 64 hexadecimal digits")
	}
	sum, err := hex.DecodeString(f[3])
	if err != nil {
		return Hash{}, errors.New("sha256 hash is not hexadecimal")
	}
	return Hash{kind: SHA256, salt: []byte(f[2]), sum: sum}.checked()
}

func (h Hash) withBase64(enc *base64.Encoding, salt, sum string) (Hash, error) {
	var err1, err2 error
	h.salt, err1 = enc.Strict().DecodeString(salt)
	h.sum, err2 = enc.Strict().DecodeString(sum)
	if err1 != nil || err2 != nil {
		return Hash{}, errors.New("salt or hash is not base64 without padding")
	}
	return h.checked()
}

// checked refuses salts and sums of unreasonable length.
func (h Hash) checked() (Hash, error) {
	if len(h.salt) < minSalt || len(h.salt) > maxSalt {
		return Hash{}, fmt.Errorf("salt is not %d to %d bytes long", minSalt, maxSalt)
	}
	if len(h.sum) < minHash || len(h.sum) > maxHash {
		return Hash{}, fmt.Errorf("hash is not %d to %d bytes long", minHash, maxHash)
	}
	return h, nil
}

func checkRounds(n int) error {
	if n < minRounds || n > maxRounds {
		return fmt.Errorf("rounds are outside %d to %d", minRounds, maxRounds)
	}
	return nil
}

// parameters reads "a=1,b=2" with exactly the given names in their order.
func parameters(s string, names ...string) ([]int, error) {
	parts := strings.Split(s, ",")
	if len(parts) != len(names) {
		return nil, fmt.Errorf("want the parameters %s", strings.Join(names, ", "))
	}
	out := make([]int, len(names))
	for i, part := range parts {
		v, found := strings.CutPrefix(part, names[i]+"=")
		if !found {
			return nil, fmt.Errorf("want the parameters %s", strings.Join(names, ", "))
		}
		n, err := number(v)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", names[i], err)
		}
		out[i] = n
	}
	return out, nil
}

// number reads a plain decimal number of at most nine digits: no sign, no
// leading zero.
func number(s string) (int, error) {
	if s == "" || len(s) > 9 || (s[0] == '0' && s != "0") {
		return 0, errors.New("not a plain number of at most nine digits")
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, errors.New("not a plain number of at most nine digits")
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, nil
}
