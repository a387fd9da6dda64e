package ayyeka

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// claims is what a token says, in the order in which the vendor's tokens say it.
type claims struct {
	Audience string `json:"aud"` // the tenant's number
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
}

// subject is what sub holds: whose token it is, and which of the client's
// secrets bought it.
type subject struct {
	principal int64
	secret    int64
}

// String writes "<principal number>:<secret number>".
func (s subject) String() string {
	return strconv.FormatInt(s.principal, 10) + ":" + strconv.FormatInt(s.secret, 10)
}

func parseSubject(s string) (subject, error) {
	first, second, found := strings.Cut(s, ":")
	if !found {
		return subject{}, errors.New("sub has no colon")
	}
	p, err := parseNumber(first)
	if err != nil {
		return subject{}, fmt.Errorf("first half of sub: %w", err)
	}
	n, err := parseNumber(second)
	if err != nil {
		return subject{}, fmt.Errorf("second half of sub: %w", err)
	}
	return subject{p, n}, nil
}

// parseNumber takes a positive decimal number written in the one way that we
// write it: no sign, no leading zero.
func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != s {
		return 0, errors.New("not a number of ours")
	}
	return n, nil
}

// issueClaims makes the claims of a new token.
func issueClaims(tenant int64, issuer string, sub subject, now time.Time, lifetime time.Duration) claims {
	issued := now.Unix()
	return claims{
		Audience: strconv.FormatInt(tenant, 10),
		Expires:  issued + int64(lifetime/time.Second),
		Issued:   issued,
		Issuer:   issuer,
		Subject:  sub.String(),
	}
}

// encode writes the claims as JSON without blanks, as the vendor does.
func (c claims) encode() []byte {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers
	}
	return data
}

// parseClaims reads a token's payload strictly: exactly the five members, each
// once and of its documented type. It stands before any signature check, so it
// must be cheap and believe nothing.
func parseClaims(payload []byte) (claims, error) {
	var c claims
	seen, err := memberNames(payload)
	if err != nil {
		return c, err
	}
	for _, name := range []string{"aud", "exp", "iat", "iss", "sub"} {
		if seen[name] != 1 {
			return c, fmt.Errorf("claim %s is there %d times", name, seen[name])
		}
	}
	if len(seen) != 5 {
		return c, errors.New("there are other claims than the five")
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, errors.New("a claim has the wrong type")
	}
	return c, nil
}

// memberNames counts the members of a JSON object. encoding/json alone would
// take the last of two alike, and match names whatever their case.
func memberNames(data []byte) (map[string]int, error) {
	bad := errors.New("claims are not one JSON object")
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, bad
	}
	seen := map[string]int{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, bad
		}
		seen[name.(string)]++
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, bad
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, bad
	}
	if d.More() {
		return nil, bad
	}
	return seen, nil
}
