package pgtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const childEnv = "GATEHOUSE_PGTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	s, err := cluster()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.dir)
	select {} // until killed
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	for range 2 {
		c, err := pgx.Connect(t.Context(), URL(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(t.Context())
		if _, err := c.Exec(t.Context(), `CREATE TABLE mine (n BIGINT)`); err != nil {
			t.Error(err)
		}
		var n int
		if err := c.QueryRow(t.Context(), `SELECT COUNT(*) FROM tenant`).Scan(&n); err != nil || n != 0 {
			t.Errorf("not migrated and empty: %d, %v", n, err)
		}
	}
}

// However a test process ends, nothing of its server stays behind.
func TestServerEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	if _, err := cluster(); err != nil {
		URL(t) // skips or fails, and says why
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the process said nothing: %v", cmd.Wait())
	}
	dir := lines.Text()
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return // which the keeper does last, after the server has ended
		}
		if time.Now().After(end) {
			t.Fatalf("%s is still there", dir)
		}
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	p := NewPrivate(t)
	ask := func(statement string) error {
		c, err := pgx.Connect(t.Context(), p.URL())
		if err != nil {
			return err
		}
		defer c.Close(t.Context())
		_, err = c.Exec(t.Context(), statement)
		return err
	}
	if err := ask(`CREATE TABLE mine (n BIGINT)`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.Down(t)
		if err := ask(`SELECT 1`); err == nil {
			t.Error("it answers while it is down")
		}
		p.Up(t)
		if err := ask(`INSERT INTO mine VALUES (1)`); err != nil {
			t.Errorf("after it came back: %v", err)
		}
	}
}
