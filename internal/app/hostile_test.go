package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"gatehouse.dev/internal/app/apptest"
)

// foe is a client that keeps to no rules: it sends bytes, and may not even read.
type foe struct {
	net.Conn
	in io.Reader
}

// meet opens a socket as a herd does, by its rules so far.
func meet(t *testing.T, h *apptest.House, k kind, i int) *foe {
	t.Helper()
	conn, in, err := new(herd).dial(h.Gate, k, i)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &foe{conn, in}
}

// throw sends data n times, or until the server has had enough.
func (f *foe) throw(data []byte, n int) {
	chunk := bytes.Repeat(data, max(1, min(n, 64<<10/max(1, len(data)))))
	f.SetWriteDeadline(time.Now().Add(20 * time.Second))
	for left := n * len(data); left > 0; left -= len(chunk) {
		if _, err := f.Write(chunk[:min(left, len(chunk))]); err != nil {
			return
		}
	}
}

// fate reads on until the socket ends and says how: a close code, or "cut".
// "open" means that nothing happened for the given time after the last frame.
func (f *foe) fate(quiet time.Duration) (end string, texts []string) {
	for {
		f.SetReadDeadline(time.Now().Add(quiet))
		frame, err := readFrame(f.in)
		var timeout net.Error
		switch {
		case err == nil && frame.Header.OpCode == ws.OpClose:
			code, _ := ws.ParseCloseFrameData(frame.Payload)
			return fmt.Sprint(code), texts
		case err == nil && frame.Header.OpCode == ws.OpText:
			if len(texts) < 1000 {
				texts = append(texts, string(frame.Payload))
			}
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			return "open", texts
		default:
			return "cut", texts
		}
	}
}

func masked(fin bool, rsv byte, op ws.OpCode, payload string) []byte {
	f := ws.MaskFrame(ws.Frame{Header: ws.Header{Fin: fin, Rsv: rsv, OpCode: op, Length: int64(len(payload))}, Payload: []byte(payload)})
	var b bytes.Buffer
	if err := ws.WriteFrame(&b, f); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func said(s string) []byte { return masked(true, 0, ws.OpText, s) }

// huge is the head of a message of a tebibyte.
var huge = []byte{0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4}

// ends is what may become of a socket of each kind, "" standing for the others.
type ends map[string][]string

// TestHostileSockets: what nobody should send ends the one socket that sends it,
// with the code that RFC 6455 has for it, or changes nothing; other sockets go on,
// memory stays bounded, and nothing stays behind.
func TestHostileSockets(t *testing.T) {
	if testing.Short() {
		t.Skip("sends hundreds of megabytes")
	}
	h := startShop(t, apptest.Options{Dialects: plainAcqueon})
	client := h.Admin.Client(t, "foe", "acqueon/viewer", "fieldpine/shop", "ayyeka/operator")
	pair, key := h.Admin.Credential(t, client, "key_pair", ""), h.Admin.Credential(t, client, "api_key", "")
	stranger := tills(key.Secret)
	stranger.hello, stranger.greets = "", false
	kinds := map[string]kind{"Route": echoes(key.Secret), "Stranger": stranger, "Till": tills(key.Secret), "Board": boards(pair, "foe")}

	call := said(`{"a":"fd1.products.get_products","rq":"1","v":{"x":"` + strings.Repeat("x", 1000) + `"}}`)
	deep := said(`{"a":"fd1.products.get_products","v":` + strings.Repeat("[", 15_000))
	fragments := append(masked(false, 0, ws.OpText, "x"), bytes.Repeat(masked(false, 0, ws.OpContinuation, strings.Repeat("x", 16)), 120_000)...)
	open, slow := []string{"open"}, []string{"cut", "1008"}
	attacks := map[string]struct {
		data []byte
		n    int
		want ends
	}{
		// Section 5 of RFC 6455. Nobody negotiated the bit that says compressed.
		"Compressed": {masked(true, 4, ws.OpText, "x"), 1, ends{"": {"1002"}}},
		"Unmasked":   {[]byte{0x81, 0x01, 'x'}, 1, ends{"": {"1002"}}},
		"Reserved":   {masked(true, 0, 3, ""), 1, ends{"": {"1002"}}},
		"LongPing":   {masked(true, 0, ws.OpPing, strings.Repeat("x", 126)), 1, ends{"": {"1002"}}},
		"Huge":       {huge, 1, ends{"": {"1009"}}},
		// Each below every limit, all together not.
		"Fragments": {fragments, 1, ends{"": {"1009"}, "Route": {"1009", "1014", "cut"}}},
		// A route leaves what is said to its backend, which hangs up.
		"NotUTF8": {said("\xff\xfe"), 1, ends{"": {"1007"}, "Route": {"1014"}}},
		"Binary":  {masked(true, 0, ws.OpBinary, "x"), 1, ends{"": open, "Board": {"1003"}}},
		"Deep":    {deep, 1, ends{"": open, "Board": {"1007"}}},
		// Floods of somebody who does not read the answers.
		"Pings": {masked(true, 0, ws.OpPing, strings.Repeat("x", 125)), 100_000, ends{"": slow, "Route": {"open", "cut"}}},
		"Calls": {call, 20_000, ends{"": slow, "Stranger": open, "Route": {"open", "cut", "1008"}}},
		"Junk":  {said("junk"), 50_000, ends{"": open, "Till": slow, "Board": {"1007", "1008"}}},
	}
	before := count()
	bystander := dialEcho(t, h, key.Secret)
	peak, stop := watchHeap()
	t.Run("All", func(t *testing.T) {
		i := 0
		for name, attack := range attacks {
			for kindName, k := range kinds {
				i++
				at := i
				t.Run(name+kindName, func(t *testing.T) {
					t.Parallel()
					f := meet(t, h, k, at)
					f.throw(attack.data, attack.n)
					want := attack.want[kindName]
					if want == nil {
						want = attack.want[""]
					}
					patience := 20 * time.Second
					if slices.Contains(want, "open") { // nothing to wait for: no end must come
						patience = 500 * time.Millisecond
					}
					end, texts := f.fate(patience)
					if !slices.Contains(want, end) {
						t.Errorf("ended with %s, want %v; %d texts before", end, want, len(texts))
					}
					if kindName == "Stranger" && len(texts) > 0 {
						t.Errorf("a stranger hears %.100q", texts[0])
					}
				})
			}
		}
	})
	stop()
	if !passes(t, bystander, 10*time.Second) {
		t.Error("a bystander's socket passes nothing any more")
	}
	bystander.CloseNow()
	awaitHeld(t, h, 0)
	before.compare(t)
	if most := before.heap + 256<<20; peak.Load() > most {
		t.Errorf("the heap grew from %d to %d MiB meanwhile", before.heap>>20, peak.Load()>>20)
	}
	t.Logf("the heap had at most %d MiB", peak.Load()>>20)
}

// watchHeap notes how large the heap gets, clients included, until stopped.
func watchHeap() (peak *atomic.Uint64, stop func()) {
	peak = new(atomic.Uint64)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return peak, func() { close(done); <-ended }
}
