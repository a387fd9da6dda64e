package store

import "context"

// The sequences of numbers. A transaction that takes from several takes them in
// this order, so that two of them never wait for each other.
const (
	tenantNumber     = "tenant"
	principalNumber  = "principal"
	credentialNumber = "credential"
	secretNumber     = "secret"
	revocationNumber = "revocation"
)

// take gives the next number of a sequence. It keeps the row until the
// transaction ends, so numbers are given in the order of commits, and one that
// is rolled back is given to the next.
func take(ctx context.Context, q Querier, sequence string) (int64, error) {
	last, err := takeMany(ctx, q, sequence, 1)
	return last, err
}

// takeMany gives count numbers and returns the last of them.
func takeMany(ctx context.Context, q Querier, sequence string, count int) (last int64, err error) {
	err = q.QueryRowContext(ctx, `UPDATE counter SET n = n + $2 WHERE name = $1 RETURNING n`, sequence, count).Scan(&last)
	return last, err
}
