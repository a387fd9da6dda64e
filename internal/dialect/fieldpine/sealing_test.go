package fieldpine_test

import (
	"context"
	"encoding/json"
	"fmt"

	"gatehouse.dev/client/fieldpine/enc"
	"gatehouse.dev/internal/dialect/dialecttest"
)

// sealing is the client's end of the encrypted session of an exchange. Its forms
// are the kinds of frames that recordings of such sessions have.
type sealing struct {
	session *enc.Session
	last    string
	keys    map[string][]byte // K0 by secret and salt: it is slow to make
}

// begin derives the keys, from the hash, the user name as sent and the secret.
func (s *sealing) begin(_ context.Context, args ...string) error {
	salt, server, err := enc.ParseHash(args[0])
	if err != nil {
		return err
	}
	which := args[2] + string(salt[:])
	k0 := s.keys[which]
	if k0 == nil {
		if k0, err = enc.K0(args[2], salt); err != nil {
			return err
		}
		s.keys[which] = k0
	}
	s.session, err = enc.NewClient(k0, server, enc.NewNonce(), args[1])
	return err
}

func (s *sealing) forms() map[string]dialecttest.Form {
	return map[string]dialecttest.Form{
		"enc":   {Encode: s.seal, Decode: s.open},
		"again": {Encode: func(string) (string, error) { return s.last, nil }},
		"later": {Encode: func(packet string) (string, error) { // after one that is not sent
			if _, err := s.seal(packet); err != nil {
				return "", err
			}
			return s.seal(packet)
		}},
		"altered": {Encode: s.altered},
	}
}

func (s *sealing) seal(packet string) (string, error) {
	s.last = `{"enc":"` + s.session.Seal([]byte(packet)) + `"}`
	return s.last, nil
}

// altered is the next packet with another character in its middle.
func (s *sealing) altered(packet string) (string, error) {
	text, err := s.seal(packet)
	if err != nil {
		return "", err
	}
	b := []byte(text)
	if at := len(b) / 2; b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b), nil
}

// open wants a packet that has nothing but enc.
func (s *sealing) open(text string) (string, error) {
	var p struct{ Enc string }
	if err := json.Unmarshal([]byte(text), &p); err != nil || text != `{"enc":"`+p.Enc+`"}` {
		return "", fmt.Errorf("not an encrypted packet (%v)", err)
	}
	frame, err := enc.Decode(p.Enc)
	if err != nil {
		return "", err
	}
	plain, err := s.session.Open(frame)
	return string(plain), err
}
