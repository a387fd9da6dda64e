package enc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// pair makes both ends of a session under a fixed long-term key.
func pair(t *testing.T) (server, client *Session) {
	t.Helper()
	k0 := bytes.Repeat([]byte{7}, KeySize)
	sn, cn := NewNonce(), NewNonce()
	server, err := NewServer(k0, sn, cn, "ana@shop.example")
	if err != nil {
		t.Fatal(err)
	}
	client, err = NewClient(k0, sn, cn, "ana@shop.example")
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBothDirections(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	for i, packet := range []string{`{"a":"one"}`, ``, `{"a":"three"}`} {
		frame := decode(t, client.Seal([]byte(packet)))
		if i == 0 {
			_, frame, _ = SplitFirst(frame)
		}
		got, err := server.Open(frame)
		if err != nil || string(got) != packet {
			t.Fatalf("server read %q, %v; want %q", got, err, packet)
		}
		got, err = client.Open(decode(t, server.Seal(got)))
		if err != nil || string(got) != packet {
			t.Fatalf("client read %q, %v; want %q", got, err, packet)
		}
	}
}

func TestRefusedFrames(t *testing.T) {
	t.Parallel()
	frames := func(t *testing.T) (server *Session, first, second []byte) {
		server, client := pair(t)
		_, first, err := SplitFirst(decode(t, client.Seal([]byte("first"))))
		if err != nil {
			t.Fatal(err)
		}
		return server, first, decode(t, client.Seal([]byte("second")))
	}
	refused := func(t *testing.T, s *Session, frame []byte) {
		t.Helper()
		if got, err := s.Open(frame); !errors.Is(err, ErrFrame) {
			t.Errorf("Open = %q, %v; want ErrFrame", got, err)
		}
	}
	t.Run("Replayed", func(t *testing.T) {
		s, first, _ := frames(t)
		if _, err := s.Open(first); err != nil {
			t.Fatal(err)
		}
		refused(t, s, first)
	})
	t.Run("Reordered", func(t *testing.T) {
		s, _, second := frames(t)
		refused(t, s, second)
	})
	t.Run("Altered", func(t *testing.T) {
		s, first, _ := frames(t)
		first[len(first)-1] ^= 1
		refused(t, s, first)
	})
	t.Run("CounterAltered", func(t *testing.T) {
		s, _, second := frames(t)
		second[7] = 1
		refused(t, s, second)
	})
	t.Run("OwnFrameReflected", func(t *testing.T) {
		s, _, _ := frames(t)
		refused(t, s, decode(t, s.Seal([]byte("mine"))))
	})
	t.Run("Short", func(t *testing.T) {
		s, first, _ := frames(t)
		refused(t, s, first[:counterSize+tagSize-1])
	})
	t.Run("OtherUser", func(t *testing.T) {
		k0 := bytes.Repeat([]byte{7}, KeySize)
		sn, cn := NewNonce(), NewNonce()
		client, _ := NewClient(k0, sn, cn, "ana")
		server, _ := NewServer(k0, sn, cn, "eve")
		_, frame, _ := SplitFirst(decode(t, client.Seal([]byte("x"))))
		refused(t, server, frame)
	})
}

func TestHash(t *testing.T) {
	t.Parallel()
	salt, nonce := Salt([]byte("key"), "ten", "ana"), NewNonce()
	gotSalt, gotNonce, err := ParseHash(FormatHash(salt, nonce))
	if err != nil || gotSalt != salt || gotNonce != nonce {
		t.Errorf("ParseHash(FormatHash) = %x, %x, %v", gotSalt, gotNonce, err)
	}
	if Salt([]byte("key"), "te", "nana") == Salt([]byte("key"), "ten", "ana") {
		t.Error("tenant and user run into each other")
	}
	for _, bad := range []string{"", "1$$", "2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "1$AAAAAAAAAAAAAAAAAAAAAA$AAAA", "1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA$"} {
		if _, _, err := ParseHash(bad); !errors.Is(err, ErrHash) {
			t.Errorf("ParseHash(%q) = %v, want ErrHash", bad, err)
		}
	}
}

// TestVectors fixes the profile for other implementations; the same values
// stand in docs/fd1-encryption.md.
func TestVectors(t *testing.T) {
	t.Parallel()
	saltKey := []byte("gatehouse fd1 test vector saltky")
	server := [NonceSize]byte([]byte("server nonce 16b"))
	client := [NonceSize]byte([]byte("client nonce 16b"))
	const user = "ana@shop.example"

	salt := Salt(saltKey, "shop", user)
	k0, err := K0("correct-horse-battery-staple", salt)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := NewServer(k0, server, client, user)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := NewClient(k0, server, client, user)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct{ what, got, want string }{
		{"hash", FormatHash(salt, server), vectorHash},
		{"K0", hex.EncodeToString(k0), vectorK0},
		{"first enc of the client", theirs.Seal([]byte(`{"a":"fd1.session.ignore"}`)), vectorFirst},
		{"second enc of the client", theirs.Seal([]byte(`{"a":"fd1.products.get_products","rq":1}`)), vectorSecond},
		{"first enc of the server", ours.Seal([]byte(`{"r":"fd1.products.get_products","rp":1,"data":{"rows":[]}}`)), vectorReply},
	} {
		if v.got != v.want {
			t.Errorf("%s\n got %s\nwant %s", v.what, v.got, v.want)
		}
	}
}

const (
	vectorHash   = "1$qhGL1NURXIh-nSt5kkkyUA$c2VydmVyIG5vbmNlIDE2Yg"
	vectorK0     = "b4e2de490d247f1f7c7f3d64dd73eb7ed6a9ae2945c41638d5924f3f2ba6e681"
	vectorFirst  = "Y2xpZW50IG5vbmNlIDE2YgAAAAAAAAABlvZu8PrQ44v5/iRPAzaWBtLjR+EMaFLIV6RhtYtaM+FiIGZJdMamgjxu"
	vectorSecond = "AAAAAAAAAAIviRic9ln2z2g8OFmmr19hAvuRty0ftJqHYULOpe4oDgT0Onw/9FYQTtjp3wJmkDogiq5SoXch9A=="
	vectorReply  = "AAAAAAAAAAGsJmHDV8VzkcPqSI5T3c+pXhIngc5ZxceZvOf7myQZlZ8xMGqKAOEm9XXLhC/7cx01swbQbS5QrAph3oMk4B/2Rzkw86DtpYgY0GQ="
)

func FuzzParseHash(f *testing.F) {
	f.Add("1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("1$AAAAAAAAAAA\rAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA\n")
	f.Fuzz(func(t *testing.T, hash string) {
		salt, nonce, err := ParseHash(hash)
		if err == nil && FormatHash(salt, nonce) != hash {
			t.Errorf("%q has two spellings", hash)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("12345678aaaaaaaaaaaaaaaabbbb"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		s, err := NewServer(make([]byte, KeySize), [NonceSize]byte{}, [NonceSize]byte{}, "u")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(frame); err == nil {
			t.Error("opened a forged frame")
		}
	})
}
