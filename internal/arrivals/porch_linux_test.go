package arrivals

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A client that says nothing is no work for the server, and is not waited for
// longer than it may take.
func TestArrivalsThatSpeak(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, l, Options{Patience: patience})
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := a.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	silent := dial()
	speaks := dial()
	time.Sleep(patience / 3)
	select {
	case c := <-accepted:
		t.Errorf("%v is handed over and has said nothing", c.RemoteAddr())
	default:
	}
	if _, err := speaks.Write([]byte("word")); err != nil {
		t.Fatal(err)
	}
	c := <-accepted
	if got, want := c.RemoteAddr().String(), speaks.LocalAddr().String(); got != want {
		t.Errorf("%s is handed over, want %s", got, want)
	}
	time.Sleep(patience) // of waiting for its first word nothing is left
	word := make([]byte, 4)
	if _, err := io.ReadFull(c, word); err != nil || string(word) != "word" {
		t.Errorf("it said %q, %v", word, err)
	}
	ended := func(what string, c net.Conn) {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(word); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s is told %v", what, err)
		}
	}
	ended("who says nothing", silent)

	late := dial()
	time.Sleep(patience / 10)
	began := time.Now()
	a.Close()
	ended("who says nothing at the end", late)
	if took := time.Since(began); took > patience/2 {
		t.Errorf("that took %v", took)
	}
	if c, more := <-accepted; more {
		t.Errorf("%v is handed over after the end", c.RemoteAddr())
	}
	if n := a.held.Load(); n != 0 {
		t.Errorf("%d are held after the end", n)
	}
}

// When there is no more room, those who have said nothing leave it to others
// after a moment, and those who have spoken do not.
func TestArrivalsWithoutRoom(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, l, Options{Room: 3, Patience: time.Hour, PerSource: 100})
	dial := func(word string) net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, word)
		return c
	}
	go a.begin.Do(func() { go a.receive() }) // nobody is handed over yet
	first := dial("first")
	for a.line.Waiting() < 1 {
		time.Sleep(time.Millisecond)
	}
	silent := []net.Conn{dial(""), dial("")}
	for a.held.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	last := []net.Conn{dial("second"), dial("third")}
	for _, c := range silent {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("who says nothing is told %v", err)
		}
	}
	if took := time.Since(began); took < crowdedPatience/2 {
		t.Errorf("who says nothing is sent away after %v", took)
	}
	for _, who := range []net.Conn{first, last[0], last[1]} {
		c, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := c.RemoteAddr().String(), who.LocalAddr().String(); got != want {
			t.Errorf("%s is handed over, want %s", got, want)
		}
		c.Close()
	}
	a.sources.mu.Lock()
	defer a.sources.mu.Unlock()
	if n := len(a.sources.open); n != 0 {
		t.Errorf("%d sources are counted in the end", n)
	}
}

// Those who hang up before they say anything are not handed over when their
// connection was reset, and leave nothing behind.
func TestArrivalsThatLeave(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, l, Options{Patience: time.Hour, PerSource: 1000})
	for range 100 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	stays, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()
	io.WriteString(stays, "x")
	for {
		c, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		from := c.RemoteAddr().String()
		c.Close()
		if from == stays.LocalAddr().String() {
			break
		}
		t.Errorf("%s is handed over", from)
	}
	for deadline := time.Now().Add(10 * time.Second); a.held.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d are held in the end", a.held.Load())
		}
	}
}

// Who writes and hangs up at once has said something, also where the kernel calls
// that a hang-up.
func TestArrivalsThatSayAllAtOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "door"))
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, l, Options{Patience: time.Hour})
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "all of it")
	c.Close()
	if c, err = a.Accept(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if said, err := io.ReadAll(c); string(said) != "all of it" || err != nil {
		t.Errorf("said %q, %v", said, err)
	}
}

const fewFiles = "GATEHOUSE_TEST_FEW_FILES" // the child that TestArrivalsWithoutFiles starts

// Those who wait do not keep each other from being handed over when they have all
// descriptors that there are.
func TestArrivalsWithoutFiles(t *testing.T) {
	t.Parallel()
	if os.Getenv(fewFiles) != "" {
		serveWithFewFiles(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestArrivalsWithoutFiles$")
	cmd.Env = append(os.Environ(), fewFiles+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	at, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	guests := make([]net.Conn, 60)
	for i := range guests {
		if guests[i], err = net.Dial("tcp", strings.TrimSpace(at)); err != nil {
			t.Fatal(err)
		}
		defer guests[i].Close()
		io.WriteString(guests[i], "x")
	}
	time.Sleep(100 * time.Millisecond) // they have all descriptors now
	io.WriteString(in, "begin\n")
	for i, c := range guests {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if said, err := io.ReadAll(c); string(said) != "x" || err != nil {
			t.Fatalf("guest %d is told %q, %v", i, said, err)
		}
	}
}

// serveWithFewFiles has descriptors for half of its guests, and begins to hand
// them over when it is told so.
func serveWithFewFiles(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, l, Options{Patience: time.Hour})
	next, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	few := uint64(next + 30)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: few, Max: few}); err != nil {
		t.Fatal(err)
	}
	a.begin.Do(func() { go a.receive() })
	fmt.Println(l.Addr())
	bufio.NewReader(os.Stdin).ReadString('\n')
	go func() {
		for {
			c, err := a.Accept()
			if err != nil {
				return
			}
			io.CopyN(c, c, 1)
			c.Close()
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}
