package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is the running cluster. It is never stopped by hand: see keeper.
type server struct {
	dir   string
	admin *pgx.ConnConfig
	life  io.WriteCloser // closes when this process ends, and with it the server
	told  *bufio.Reader  // what the keeper answers

	strategy string // how databases are cloned; copying files is twice as fast
}

// keeper runs the server until its standard input ends, then stops it (SIGQUIT:
// at once, nothing here is worth a checkpoint) and cleans up. Meanwhile it stops
// and starts it as it is told, and answers when that is done.
const keeper = `
dir=$1; shift
"$@" >"$dir/log" 2>&1 </dev/null &
pid=$!
while read -r word; do
	case $word in
	down) kill -QUIT $pid; wait $pid ;;
	up) "$@" >>"$dir/log" 2>&1 </dev/null & pid=$! ;;
	esac
	echo done
done
kill -QUIT $pid
wait $pid
rm -rf "$dir"
`

// settings trade durability, which no test of ours asks of this server, for
// speed.
var settings = []string{
	"-c", "listen_addresses=", "-c", "unix_socket_permissions=0777",
	"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
	"-c", "dynamic_shared_memory_type=mmap", // in the folder, and gone with it
	"-c", "shared_buffers=32MB", "-c", "max_connections=300", "-c", "wal_level=minimal", "-c", "max_wal_senders=0",
	"-c", "log_min_messages=warning", "-c", "timezone=UTC",
}

func start(more ...string) (_ *server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	who, err := runAs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(place(), "gatehouse-pg-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, err
		}
	}
	if err := initdb(bin, dir, who); err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if err := s.run(bin, who, more...); err != nil {
		return nil, err
	}
	return s, s.await()
}

// place is where the cluster goes: into memory where there is plenty, since a
// clone is a thousand small files. It is not t.TempDir, for the path of a Unix
// socket has room for 107 bytes only.
func place() string {
	const plenty = 2 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err == nil && fs.Bavail*uint64(fs.Bsize) > plenty {
		return "/dev/shm"
	}
	return "/tmp"
}

// runAs returns who runs the server: PostgreSQL refuses to be root.
func runAs() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: install %s", packageName)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// initdb makes the cluster with a collation that differs from bytewise where
// the build has ICU, so that a column without COLLATE "C" is noticed.
func initdb(bin, dir string, who *syscall.Credential) error {
	common := []string{"-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"}
	var out []byte
	var err error
	for _, locale := range [][]string{{"--locale-provider=icu", "--icu-locale=en"}, nil} {
		cmd := exec.Command(filepath.Join(bin, "initdb"), append(locale, common...)...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
		if out, err = cmd.CombinedOutput(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("initdb: %w: %s", err, out)
}

func (s *server) run(bin string, who *syscall.Credential, more ...string) (err error) {
	args := []string{"-c", keeper, "keeper", s.dir, filepath.Join(bin, "postgres"), "-D", filepath.Join(s.dir, "data"), "-k", s.dir}
	cmd := exec.Command("/bin/sh", slices.Concat(args, settings, more)...)
	cmd.Dir = "/"
	// A session of its own, so that Ctrl-C reaches only the tests.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setsid: true}
	if s.life, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.told = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.admin, err = pgx.ParseConfig(s.url("postgres"))
	return err
}

// await returns once the server answers.
func (s *server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := s.exec(ctx, `SELECT 1`)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.life.Close()
			return fmt.Errorf("PostgreSQL did not come up: %w\n%s", err, log)
		}
	}
}

func (s *server) url(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s sslmode=disable", s.dir, database)
}

// exec runs one statement in the database postgres.
func (s *server) exec(ctx context.Context, statement string) error {
	c, err := pgx.ConnectConfig(ctx, s.admin)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, statement)
	return err
}
