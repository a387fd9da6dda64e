package fieldpine

import "gatehouse.dev/client/fieldpine/enc"

// sealer is the server's end of an encrypted session.
type sealer struct{ session *enc.Session }

// envelope is the packet as it travels: encrypted, and nothing else in it.
func (s *sealer) envelope(packet []byte) []byte {
	text := s.session.Seal(packet) // base64, which JSON takes as it is
	out := make([]byte, 0, len(text)+10)
	return append(append(append(out, `{"enc":"`...), text...), `"}`...)
}
