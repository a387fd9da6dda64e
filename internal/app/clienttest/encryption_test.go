package clienttest_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/app/clienttest"
)

// vectors reads the table of the published document.
func vectors(t *testing.T) func(row string) []string {
	t.Helper()
	text, err := os.ReadFile(clienttest.Root(t, "docs", "fd1-encryption.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Test vectors")
	lines := strings.Split(table, "\n")
	value := regexp.MustCompile("`([^`]*)`")
	return func(row string) (values []string) {
		for i, line := range lines {
			name, rest, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
			if name != row {
				continue
			}
			for _, m := range value.FindAllStringSubmatch(rest, -1) {
				values = append(values, m[1])
			}
			if strings.HasSuffix(row, "packet") { // its enc stands below
				values = append(values, value.FindAllStringSubmatch(lines[i+1], -1)[1][1])
			}
			return values
		}
		t.Fatalf("the document has no row %q", row)
		return nil
	}
}

// testBrowserVectors computes the published vectors with WebCrypto.
func testBrowserVectors(t *testing.T, b *clienttest.Browser, site string) {
	row := vectors(t)
	who, first, second, reply := row("tenant, user, secret"), row("client's first packet"), row("client's second packet"), row("server's first packet")
	p := b.Open(t, site)
	var got struct {
		K0     string
		Encs   []string
		Opened string
	}
	p.Call(&got, "page.vectors", who[2], row("hash")[0], row("server nonce, client nonce (text)")[1], who[1],
		[]string{first[0], second[0]}, reply[1])
	if want := row("K0 (hex)")[0]; got.K0 != want {
		t.Errorf("K0 = %s, want %s", got.K0, want)
	}
	if diff := cmp.Diff([]string{first[1], second[1]}, got.Encs); diff != "" {
		t.Errorf("encs (-want +got):\n%s", diff)
	}
	if got.Opened != reply[0] {
		t.Errorf("opened %s, want %s", got.Opened, reply[0])
	}
}

// testBrowserAttacks: what is not the next packet of an encrypted session ends
// it, and who cannot encrypt hears nothing.
func testBrowserAttacks(t *testing.T, b *clienttest.Browser, site string, s *shop) {
	secret := s.encryptionUser(t, "bob@shop.example")
	p := b.Open(t, site)
	type came struct {
		Packet map[string]any
		Code   int
		Reason string
	}
	answer := func(id float64) came {
		return came{Packet: map[string]any{"r": "fd1.products.get_products", "rp": id, "data": map[string]any{"rows": products}}}
	}
	const notNext = "not the next encrypted packet"
	for _, attack := range []struct {
		kind, user, secret string
		want               []came
	}{
		{"replayed", "bob@shop.example", secret.Secret, []came{answer(1), answer(2), {Code: 1008, Reason: notNext}}},
		{"first_replayed", "bob@shop.example", secret.Secret, []came{answer(1), {Code: 1008, Reason: notNext}}},
		{"reordered", "bob@shop.example", secret.Secret, []came{answer(1), {Code: 1008, Reason: notNext}}},
		{"altered", "bob@shop.example", secret.Secret, []came{answer(1), {Code: 1008, Reason: notNext}}},
		{"clear", "bob@shop.example", secret.Secret, []came{answer(1), {Code: 1008, Reason: notNext}}},
		{"clear_login", "bob@shop.example", secret.Secret, []came{answer(1), {Code: 1008, Reason: notNext}}},
		{"clear_beside", "bob@shop.example", secret.Secret, []came{answer(1), {Code: 1008, Reason: notNext}}},
		{"none", "bob@shop.example", "not the secret", []came{{Code: 1008}}},
		{"none", "nobody@shop.example", secret.Secret, []came{{Code: 1008}}},
	} {
		var raw json.RawMessage
		p.Call(&raw, "page.attack", s.socket(), attack.user, attack.secret, attack.kind)
		var got []came
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%s: %s: %v", attack.kind, raw, err)
		}
		if diff := cmp.Diff(attack.want, got); diff != "" {
			t.Errorf("%s as %s (-want +got):\n%s", attack.kind, attack.user, diff)
		}
	}
}
