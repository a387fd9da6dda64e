package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/internal/secret"
)

// testKeys are made once: RSA keys are dear.
var testKeys = sync.OnceValue(func() map[Alg]*PrivateKey {
	out := map[Alg]*PrivateKey{}
	for _, alg := range []Alg{RS256, RS384, ES256, EdDSA} {
		k, err := GenerateKey("key_"+string(alg), alg)
		if err != nil {
			panic(err)
		}
		out[alg] = k
	}
	return out
})

var claims = []byte(`{"aud":"4410","exp":1767229200,"iat":1767225600,"iss":"Cloud","sub":"5120:33"}`)

func sign(t testing.TB, k *PrivateKey, typ string, withID bool) string {
	t.Helper()
	tok, err := k.SignJWT(typ, withID, claims)
	if err != nil {
		t.Fatal(err)
	}
	return tok.Reveal()
}

func mustParse(t testing.TB, s string) *Parsed {
	t.Helper()
	p, err := Parse(secret.New(s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Another implementation verifies what is signed here.
func TestSignedForOthers(t *testing.T) {
	t.Parallel()
	for alg, k := range testKeys() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			s := sign(t, k, "JWT", true)
			jws, err := jose.ParseSignedCompact(s, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := jws.Verify(k.Key())
			if err != nil || string(got) != string(claims) {
				t.Errorf("go-jose reads %q, %v", got, err)
			}
			if kid := jws.Signatures[0].Header.KeyID; kid != k.ID() {
				t.Errorf("kid = %q, want %q", kid, k.ID())
			}
		})
	}
}

// What another implementation signs is verified here.
func TestSignedByOthers(t *testing.T) {
	t.Parallel()
	for alg, k := range testKeys() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: k.signer},
				(&jose.SignerOptions{}).WithType("JWT"))
			if err != nil {
				t.Fatal(err)
			}
			jws, err := signer.Sign(claims)
			if err != nil {
				t.Fatal(err)
			}
			s, _ := jws.CompactSerialize()
			if err := mustParse(t, s).Verify(k.PublicKey); err != nil {
				t.Error(err)
			}
		})
	}
}

// The documented token: 656 characters, exactly this header, no kid.
func TestRS384AsDocumented(t *testing.T) {
	t.Parallel()
	s := sign(t, testKeys()[RS384], "JWT", false)
	header, rest, _ := strings.Cut(s, ".")
	body, sig, _ := strings.Cut(rest, ".")
	if header != "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9" {
		t.Errorf("header = %s", header)
	}
	if got, _ := base64.RawURLEncoding.DecodeString(body); string(got) != string(claims) {
		t.Errorf("claims = %s", got)
	}
	if raw, _ := base64.RawURLEncoding.DecodeString(sig); len(raw) != 384 {
		t.Errorf("signature has %d bytes, want 384", len(raw))
	}
}

// Forgeries in the manner of the Wycheproof collection.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	rs := keys[RS384]
	good := sign(t, rs, "JWT", false)
	signed, sig := good[:strings.LastIndexByte(good, '.')], good[strings.LastIndexByte(good, '.')+1:]
	raw, _ := base64.RawURLEncoding.DecodeString(sig)
	enc := base64.RawURLEncoding.EncodeToString
	body := "." + enc(claims)

	der := rs.Key().(*rsa.PublicKey).N.Bytes()
	mac := hmac.New(sha512.New384, der)
	hs := b64(`{"alg":"HS384","typ":"JWT"}`) + body
	mac.Write([]byte(hs))
	underMAC := mac.Sum(nil)

	weakHash := func() string { // right key, signed with SHA-256 while the header says RS384
		sum := sha256.Sum256([]byte(signed))
		s, err := rsa.SignPKCS1v15(nil, rs.signer.(*rsa.PrivateKey), crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return signed + "." + enc(s)
	}
	pss := func() string {
		sum := sha512.Sum384([]byte(signed))
		s, err := rsa.SignPSS(rand.Reader, rs.signer.(*rsa.PrivateKey), crypto.SHA384, sum[:], nil)
		if err != nil {
			t.Fatal(err)
		}
		return signed + "." + enc(s)
	}
	plusN := func() string { // the same number modulo n
		n := rs.Key().(*rsa.PublicKey).N
		s := new(big.Int).Add(new(big.Int).SetBytes(raw), n)
		return signed + "." + enc(s.Bytes())
	}
	es := keys[ES256]
	esGood := sign(t, es, "JWT", false)
	esSigned, esSig := esGood[:strings.LastIndexByte(esGood, '.')], esGood[strings.LastIndexByte(esGood, '.')+1:]
	esRaw, _ := base64.RawURLEncoding.DecodeString(esSig)
	esWith := func(sig []byte) string { return esSigned + "." + enc(sig) }
	esDER := func() []byte {
		_, d := digest(ES256, esSigned)
		s, err := ecdsa.SignASN1(rand.Reader, es.signer.(*ecdsa.PrivateKey), d)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	order := elliptic.P256().Params().N.FillBytes(make([]byte, 32))

	for name, tt := range map[string]struct {
		token string
		key   *PrivateKey
		want  error
	}{
		"alg none":                  {b64(`{"alg":"none"}`) + body + ".AA", rs, ErrProfile},
		"alg None":                  {b64(`{"alg":"None"}`) + body + "." + sig, rs, ErrProfile},
		"HMAC under the public key": {hs + "." + enc(underMAC), rs, ErrProfile},
		"header altered to RS256":   {b64(`{"alg":"RS256","typ":"JWT"}`) + body + "." + sig, rs, ErrProfile},
		"claims altered":            {b64(goodHeader) + "." + b64(`{"sub":"1:1"}`) + "." + sig, rs, ErrSignature},
		"header altered":            {b64(`{"alg":"RS384","typ":"jwt"}`) + body + "." + sig, rs, ErrSignature},
		"another key":               {good, keys[RS256], ErrProfile},
		"key of another family":     {good, es, ErrProfile},
		"signature cut":             {signed + "." + enc(raw[:383]), rs, ErrSignature},
		"signature longer":          {signed + "." + enc(append([]byte{0}, raw...)), rs, ErrSignature},
		"signature with tail":       {signed + "." + enc(append(append([]byte{}, raw...), 0)), rs, ErrSignature},
		"signature plus n":          {plusN(), rs, ErrSignature},
		"signature 0":               {signed + "." + enc(make([]byte, 384)), rs, ErrSignature},
		"signature 1":               {signed + "." + enc(append(make([]byte, 383), 1)), rs, ErrSignature},
		"another hash":              {weakHash(), rs, ErrSignature},
		"PSS":                       {pss(), rs, ErrSignature},
		"ECDSA zeros":               {esWith(make([]byte, 64)), es, ErrSignature},
		"ECDSA r=0":                 {esWith(append(make([]byte, 32), esRaw[32:]...)), es, ErrSignature},
		"ECDSA s=0":                 {esWith(append(append([]byte{}, esRaw[:32]...), make([]byte, 32)...)), es, ErrSignature},
		"ECDSA s=n":                 {esWith(append(append([]byte{}, esRaw[:32]...), order...)), es, ErrSignature},
		"ECDSA r=n":                 {esWith(append(append([]byte{}, order...), esRaw[32:]...)), es, ErrSignature},
		"ECDSA in DER":              {esWith(esDER()), es, ErrSignature},
		"ECDSA longer":              {esWith(append(append([]byte{}, esRaw...), 0)), es, ErrSignature},
		"ECDSA cut":                 {esWith(esRaw[:63]), es, ErrSignature},
		"ECDSA r and s swapped":     {esWith(append(append([]byte{}, esRaw[32:]...), esRaw[:32]...)), es, ErrSignature},
		"EdDSA of another message":  {b64(`{"alg":"EdDSA","typ":"JWT"}`) + body + "." + enc(make([]byte, 64)), keys[EdDSA], ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := mustParse(t, tt.token).Verify(tt.key.PublicKey); !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
		})
	}
	if err := mustParse(t, good).Verify(PublicKey{}); err == nil {
		t.Error("the zero key verifies")
	}
}

func TestNewPublicKeyRefuses(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs := testKeys()[RS384].Key().(*rsa.PublicKey)
	es := testKeys()[ES256].Key().(*ecdsa.PublicKey)
	for name, tt := range map[string]struct {
		alg Alg
		key crypto.PublicKey
	}{
		"short RSA":       {RS384, short.Public()},
		"even exponent":   {RS384, &rsa.PublicKey{N: rs.N, E: 2}},
		"exponent 1":      {RS384, &rsa.PublicKey{N: rs.N, E: 1}},
		"RSA as ECDSA":    {ES256, rs},
		"RSA as none":     {"none", rs},
		"RSA as HMAC":     {"HS256", rs},
		"another curve":   {ES256, p384.Public()},
		"ECDSA as RSA":    {RS256, es},
		"bytes as secret": {"HS256", []byte("secret")},
		"nothing":         {EdDSA, nil},
	} {
		if _, err := NewPublicKey("k", tt.alg, tt.key); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range []Alg{RS384, ES256, EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			k := testKeys()[alg]
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.SignJWT("JWT", false, claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("raw crypto/rsa", func(b *testing.B) {
		k := testKeys()[RS384].signer.(*rsa.PrivateKey)
		sum := sha512.Sum384(claims)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rsa.SignPKCS1v15(nil, k, crypto.SHA384, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParseVerify(b *testing.B) {
	for _, alg := range []Alg{RS384, ES256, EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			k := testKeys()[alg]
			tok := secret.New(sign(b, k, "JWT", false))
			b.ReportAllocs()
			for b.Loop() {
				p, err := Parse(tok)
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Verify(k.PublicKey); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("go-jose RS384", func(b *testing.B) {
		k := testKeys()[RS384]
		tok := sign(b, k, "JWT", false)
		b.ReportAllocs()
		for b.Loop() {
			jws, err := jose.ParseSignedCompact(tok, []jose.SignatureAlgorithm{jose.RS384})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := jws.Verify(k.Key()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("raw crypto/rsa", func(b *testing.B) {
		k := testKeys()[RS384]
		p := mustParse(b, sign(b, k, "JWT", false))
		sum := sha512.Sum384([]byte(p.signed))
		b.ReportAllocs()
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(k.Key().(*rsa.PublicKey), crypto.SHA384, sum[:], p.signature); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse only", func(b *testing.B) {
		tok := secret.New(sign(b, testKeys()[RS384], "JWT", false))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(tok); err != nil {
				b.Fatal(err)
			}
		}
	})
}
