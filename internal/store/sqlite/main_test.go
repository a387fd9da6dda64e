package sqlite_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// childEnv names what a copy of the test binary is to do instead of testing,
// for what cannot be done to this process: killing it, limiting its files.
const childEnv = "GATEHOUSE_STORE_CHILD"

var children = map[string]func(path string) error{
	"write until killed": writeUntilKilled,
	"write without room": writeWithoutRoom,
}

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := children[what](os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child is a command that runs one of the children on a database.
func child(t *testing.T, what, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, path)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	cmd.Stderr = t.Output()
	return cmd
}
