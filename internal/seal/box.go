package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
)

// ErrOpen means that sealed bytes are damaged, or were made for another row,
// another scope or under another key.
var ErrOpen = errors.New("sealed bytes do not open here")

// box is AES-256-GCM under one key, with a random nonce in front of what it
// seals. A key is good for 2^32 messages; see Keeper.RotateKey.
type box struct{ aead cipher.AEAD }

// newBox takes 32 bytes.
func newBox(key []byte) *box {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length is the caller's promise
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &box{aead}
}

// seal appends to dst.
func (b *box) seal(dst, plain, associated []byte) []byte {
	return b.aead.Seal(dst, nil, plain, associated)
}

func (b *box) open(sealed, associated []byte) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, associated)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Row says which value is sealed, so that it opens nowhere else.
type Row struct {
	Table  string
	Key    string // the row's primary key
	Column string
}

// associate writes texts with their lengths, so that no two lists of texts
// come out alike.
func associate(texts ...string) []byte {
	var out []byte
	for _, s := range texts {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	return out
}

func (s Scope) associate(what string, more ...string) []byte {
	return associate(append([]string{"gatehouse/1", what, s.Tenant, s.Purpose, s.Person}, more...)...)
}

// Sealed bytes are: format, length of the key's id, the id, nonce and
// ciphertext.
const format = 1

func header(id string) []byte {
	return append([]byte{format, byte(len(id))}, id...)
}

// split takes the id of the key off sealed bytes.
func split(sealed []byte) (id string, rest []byte, err error) {
	if len(sealed) < 2 || sealed[0] != format || len(sealed) < 2+int(sealed[1]) {
		return "", nil, ErrOpen
	}
	n := 2 + int(sealed[1])
	return string(sealed[2:n]), sealed[n:], nil
}
