package ayyeka

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse.dev/internal/token"
)

// claimNames are the claims of a token, in the order in which the vendor's
// tokens have them. There are no others.
var claimNames = []string{"aud", "exp", "iat", "iss", "sub"}

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
		return subject{}, errors.New("no colon")
	}
	p, err := parseNumber(first)
	if err != nil {
		return subject{}, fmt.Errorf("first half: %w", err)
	}
	n, err := parseNumber(second)
	if err != nil {
		return subject{}, fmt.Errorf("second half: %w", err)
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

// claimsOf are the claims of a token, in the vendor's order. The number of the
// tenant stands for the account.
func claimsOf(issuer string, tenant int64, sub subject, issued, expires time.Time) []token.Claim {
	return []token.Claim{
		{Name: "aud", Value: strconv.FormatInt(tenant, 10)},
		{Name: "exp", Value: expires},
		{Name: "iat", Value: issued},
		{Name: "iss", Value: issuer},
		{Name: "sub", Value: sub.String()},
	}
}

// readClaims says whose token it claims to be. It stands before any signature
// check, so it is cheap, strict, and believes nothing: exactly the five claims,
// each of its documented type.
func readClaims(c token.Claims, issuer string) (token.Subject, error) {
	if names := slices.Sorted(slices.Values(c.Names())); !slices.Equal(names, claimNames) {
		return token.Subject{}, fmt.Errorf("%w: they are %q", token.ErrClaims, names)
	}
	audience, err1 := c.Text("aud")
	expires, err2 := c.Int("exp")
	issued, err3 := c.Int("iat")
	iss, err4 := c.Text("iss")
	text, err5 := c.Text("sub")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return token.Subject{}, err
	}
	if iss != issuer {
		return token.Subject{}, fmt.Errorf("%w: another issuer", token.ErrClaims)
	}
	tenant, err := parseNumber(audience)
	if err != nil {
		return token.Subject{}, fmt.Errorf("%w: aud: %w", token.ErrClaims, err)
	}
	sub, err := parseSubject(text)
	if err != nil {
		return token.Subject{}, fmt.Errorf("%w: sub: %w", token.ErrClaims, err)
	}
	if issued < 0 || expires <= issued || expires > latest {
		return token.Subject{}, fmt.Errorf("%w: it ends before it begins, or never", token.ErrClaims)
	}
	return token.Subject{
		TenantNumber:    tenant,
		PrincipalNumber: sub.principal,
		SecretNumber:    sub.secret,
		Issued:          time.Unix(issued, 0),
		Expires:         time.Unix(expires, 0),
	}, nil
}

// latest is the end of the year 9999: arithmetic with times up to it is safe.
const latest = 253402300799
