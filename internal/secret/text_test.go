package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gatehouse.dev/internal/secret"
)

func TestTextNeverPrints(t *testing.T) {
	t.Parallel()
	const value = "correct-horse"
	s := secret.New(value)
	holder := struct {
		S secret.Text
		P *secret.Text
		u secret.Text
	}{s, &s, s}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		fmt.Fprintf(&out, verb+"\n"+verb+"\n"+verb+"\n", s, &s, holder)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s, "h", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s, "h", holder)
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	for _, shape := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value)} {
		if strings.Contains(out.String(), shape) {
			t.Errorf("output shows the secret as %q:\n%s", shape, &out)
		}
	}
}

func TestTextEqual(t *testing.T) {
	t.Parallel()
	if !secret.New("a").Equal(secret.New("a")) {
		t.Error("equal secrets differ")
	}
	if secret.New("a").Equal(secret.New("b")) || secret.New("").Equal(secret.New("a")) {
		t.Error("different secrets are equal")
	}
}
