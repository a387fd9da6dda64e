package socket_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/socket"
)

// TestRFC6455 has a row for each rule of sections 5 to 7 that a server can keep
// or break: what a client sends, what the application gets, what comes back.
func TestRFC6455(t *testing.T) {
	t.Parallel()
	const limit = 70_000
	masked := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true}
	rsv := func(bits byte) string {
		h := masked
		h.Rsv = bits
		return raw(h, "")
	}
	long := strings.Repeat("x", 125)

	tests := []struct {
		section, name string
		send          string
		heard         []string // by the application
		back          string   // by the client, the last of it being the end
	}{
		{"5.1", "UnmaskedFrameFails", raw(ws.Header{Fin: true, OpCode: ws.OpText, Length: 2}, "hi"), nil, "close:1002"},
		{"5.1", "MaskOfZeros", raw(ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: 2}, "hi") + closing(1000, ""), []string{"text:hi"}, "close:1000"},
		{"5.2", "Rsv1Fails", rsv(ws.Rsv(true, false, false)), nil, "close:1002"},
		{"5.2", "Rsv2Fails", rsv(ws.Rsv(false, true, false)), nil, "close:1002"},
		{"5.2", "Rsv3Fails", rsv(ws.Rsv(false, false, true)), nil, "close:1002"},
		{"5.2", "EmptyText", text("") + closing(1000, ""), []string{"text:"}, "close:1000"},
		{"5.2", "Length125", text(long) + closing(1000, ""), []string{"text:" + long}, "close:1000"},
		{"5.2", "Length126", text(long+"y") + closing(1000, ""), []string{"text:" + long + "y"}, "close:1000"},
		{"5.2", "Length65535", text(strings.Repeat("z", 65535)) + closing(1000, ""), []string{"text:" + strings.Repeat("z", 65535)}, "close:1000"},
		{"5.2", "Length65536", text(strings.Repeat("z", 65536)) + closing(1000, ""), []string{"text:" + strings.Repeat("z", 65536)}, "close:1000"},
		{"5.2", "LengthInTwoBytesTooMany", "\x81\xfe\x00\x05\x00\x00\x00\x00hello", nil, "close:1002"},
		{"5.2", "LengthInEightBytesTooMany", "\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00hello", nil, "close:1002"},
		{"5.2", "LengthWithTopBit", "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00", nil, "close:1002"},
		{"5.2", "Opcode3Fails", frame(true, 3, ""), nil, "close:1002"},
		{"5.2", "Opcode7Fails", frame(true, 7, ""), nil, "close:1002"},
		{"5.2", "Opcode11Fails", frame(true, 11, ""), nil, "close:1002"},
		{"5.2", "Opcode15Fails", frame(true, 15, ""), nil, "close:1002"},
		{"5.4", "FragmentsJoin", frame(false, ws.OpText, "a") + frame(false, ws.OpContinuation, "") + frame(true, ws.OpContinuation, "b") + closing(1000, ""), []string{"text:ab"}, "close:1000"},
		{"5.4", "ControlBetweenFragments", frame(false, ws.OpText, "a") + frame(true, ws.OpPing, "p") + frame(true, ws.OpContinuation, "b") + closing(1000, ""), []string{"text:ab"}, "pong:p close:1000"},
		{"5.4", "ContinuationOfNothing", frame(true, ws.OpContinuation, "a"), nil, "close:1002"},
		{"5.4", "ContinuationAfterTheLast", text("a") + frame(true, ws.OpContinuation, "b"), []string{"text:a"}, "close:1002"},
		{"5.4", "NewMessageBetweenFragments", frame(false, ws.OpText, "a") + text("b"), nil, "close:1002"},
		{"5.5", "ControlFragmented", frame(false, ws.OpPing, "p"), nil, "close:1002"},
		{"5.5", "ControlTooLong", frame(true, ws.OpPing, long+"y"), nil, "close:1002"},
		{"5.5", "ControlOf125", frame(true, ws.OpPing, long) + closing(1000, ""), nil, "pong:" + long + " close:1000"},
		{"5.5.1", "CloseWithoutBody", frame(true, ws.OpClose, ""), nil, "close"},
		{"5.5.1", "CloseOfOneByte", frame(true, ws.OpClose, "x"), nil, "close:1002"},
		{"5.5.1", "CloseWithReason", closing(1001, "bye"), nil, "close:1001"},
		{"5.5.1", "CloseReasonNotUTF8", closing(1000, "\xff"), nil, "close:1007"},
		{"5.5.1", "NothingAfterClose", closing(1000, "") + text("late"), nil, "close:1000"},
		{"5.5.2", "PingAnswered", frame(true, ws.OpPing, "") + closing(1000, ""), nil, "pong: close:1000"},
		{"5.5.3", "PongUnasked", frame(true, ws.OpPong, "x") + closing(1000, ""), nil, "close:1000"},
		{"5.6", "Binary", frame(true, ws.OpBinary, "\xff\x00") + closing(1000, ""), []string{"binary:\xff\x00"}, "close:1000"},
		{"5.6", "TextNotUTF8", text("\xc3\x28"), nil, "close:1007"},
		{"5.6", "TextEndsInACharacter", text("\xe2\x82"), nil, "close:1007"},
		{"5.6", "CharacterAcrossFragments", frame(false, ws.OpText, "\xe2\x82") + frame(true, ws.OpContinuation, "\xac") + closing(1000, ""), []string{"text:€"}, "close:1000"},
		{"6.2", "TooLong", text(strings.Repeat("x", limit+1)), nil, "close:1009"},
		{"6.2", "TooLongInFragments", frame(false, ws.OpText, strings.Repeat("x", limit)) + frame(true, ws.OpContinuation, "y"), nil, "close:1009"},
		{"6.2", "ClaimedTooLong", "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", nil, "close:1009"},
		{"7.4", "Code999", closing(999, ""), nil, "close:1002"},
		{"7.4", "Code1004", closing(1004, ""), nil, "close:1002"},
		{"7.4", "Code1005", closing(1005, ""), nil, "close:1002"},
		{"7.4", "Code1006", closing(1006, ""), nil, "close:1002"},
		{"7.4", "Code1012", closing(1012, ""), nil, "close:1012"},
		{"7.4", "Code1015", closing(1015, ""), nil, "close:1002"},
		{"7.4", "Code1016", closing(1016, ""), nil, "close:1002"},
		{"7.4", "Code2999", closing(2999, ""), nil, "close:1002"},
		{"7.4", "Code3000", closing(3000, ""), nil, "close:3000"},
		{"7.4", "Code4999", closing(4999, ""), nil, "close:4999"},
		{"7.4", "Code5000", closing(5000, ""), nil, "close:1002"},
	}
	for _, tt := range tests {
		t.Run(tt.section+tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, socket.Options{ReadLimit: limit})
			p := s.dial(t, "")
			p.send(t, tt.send)

			var back []string
			for {
				f := p.next()
				if f == "gone" {
					break
				}
				if strings.HasPrefix(f, "close:1002") || strings.HasPrefix(f, "close:1007") || strings.HasPrefix(f, "close:1009") {
					f, _, _ = strings.Cut(f, " ") // the wording is ours
				}
				back = append(back, f)
				if strings.HasPrefix(f, "close") {
					p.Close() // else the server waits for it
				}
			}
			if diff := cmp.Diff(tt.back, strings.Join(back, " ")); diff != "" {
				t.Errorf("sent back (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.heard, heard(t, s)); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
		})
	}
}

// heard returns what the application got until the socket ended.
func heard(t *testing.T, s *server) []string {
	t.Helper()
	var out []string
	for {
		select {
		case m := <-s.messages:
			if strings.HasPrefix(m, "ended: ") {
				return out
			}
			out = append(out, m)
		case <-time.After(10 * time.Second):
			t.Fatal("the socket did not end")
		}
	}
}
