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

func TestKeyIsNotShown(t *testing.T) {
	t.Parallel()
	const bytesOfKey = "kkkkkkkkkkkkkkkk"
	k := secret.NewKey([]byte(bytesOfKey))
	in := struct {
		k   secret.Key
		Out secret.Key
	}{k, k}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "in", in)
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{fmt.Sprintf("%v %s %x %#v %+v", k, k, k, in, in), log.String(), string(text)} {
		if strings.Contains(said, "kkkk") || strings.Contains(said, "6b6b6b6b") || strings.Contains(said, "0x6b, 0x6b") || strings.Contains(said, "107 107") {
			t.Errorf("shows the key: %s", said)
		}
	}
	k.Wipe()
	if !bytes.Equal(k.Bytes(), make([]byte, len(bytesOfKey))) {
		t.Error("not wiped")
	}
	secret.Key{}.Wipe()
}
