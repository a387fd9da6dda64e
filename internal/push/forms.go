package push

import "sync"

// forms is how a message looks on wires: made once for each, whoever asks.
type forms struct {
	mu   sync.Mutex
	made map[any][]byte
}

func (f *forms) get(form any, encode func() []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.made[form]; ok {
		return b
	}
	b := encode()
	if f.made == nil {
		f.made = make(map[any][]byte, 1)
	}
	f.made[form] = b
	return b
}

// Encoded returns what encode makes of p, which is called once for each form.
// The result is shared: it must not be changed.
func (p *Packet) Encoded(form any, encode func(*Packet) []byte) []byte {
	return p.shared.get(form, func() []byte { return encode(p) })
}

// Encoded is as that of a Packet.
func (e *Event) Encoded(form any, encode func(*Event) []byte) []byte {
	return e.shared.get(form, func() []byte { return encode(e) })
}
