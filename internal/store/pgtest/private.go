package pgtest

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// Private is a PostgreSQL of one test, which can take it away and bring it back.
// What it has acknowledged survives that.
type Private struct{ s *server }

// NewPrivate starts one that ends with the test.
func NewPrivate(tb testing.TB) *Private {
	tb.Helper()
	s, err := start("-c", "synchronous_commit=on")
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.life.Close() })
	if err := s.exec(tb.Context(), "CREATE DATABASE gatehouse TEMPLATE template0"); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	return &Private{s}
}

// URL is the connection string of its database, which has no schema yet.
func (p *Private) URL() string { return p.s.url("gatehouse") }

// Dir is the folder of its Unix socket, .s.PGSQL.5432.
func (p *Private) Dir() string { return p.s.dir }

// Down stops the server at once: connections break, nothing is tidied up.
func (p *Private) Down(tb testing.TB) {
	tb.Helper()
	p.tell(tb, "down")
}

// Up starts it again and returns once it answers.
func (p *Private) Up(tb testing.TB) {
	tb.Helper()
	p.tell(tb, "up")
	if err := p.s.await(); err != nil {
		tb.Fatal(err)
	}
}

func (p *Private) tell(tb testing.TB, word string) {
	tb.Helper()
	if _, err := fmt.Fprintln(p.s.life, word); err != nil {
		tb.Fatalf("tell the keeper of PostgreSQL: %v", err)
	}
	if answer, err := p.s.told.ReadString('\n'); err != nil || answer != "done\n" {
		tb.Fatalf("the keeper of PostgreSQL answers %q, %v", answer, err)
	}
}
