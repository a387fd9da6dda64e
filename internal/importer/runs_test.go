package importer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/importer"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
)

func TestDryRun(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.run(t, importer.JSONLines, `{"kind":"key_pair","name":"n","key":"k","secret":"good-secret-123"}`)
	f.Importer = f.again()
	f.DryRun = true
	const input = `{"kind":"key_pair","name":"n","key":"k","secret":"good-secret-123"}
{"kind":"key_pair","name":"new","key":"k2","secret":"good-secret-123"}
{"kind":"key_pair","name":"new","key":"k2","secret":"good-secret-123"}
{"kind":"password","name":"ann","secret":"pw"}
{"kind":"king"}
`
	dry := f.run(t, importer.JSONLines, input)
	if !dry.DryRun || dry.Imported != 2 || !slices.Equal(dry.Existed, []int{1, 3}) || len(dry.Bad) != 1 {
		t.Errorf("dry run = %+v", dry)
	}
	all, err := f.store.Credentials(t.Context(), credential.Filter{})
	if err != nil || len(all) != 1 {
		t.Errorf("%d credentials after a dry run, %v; want the one of before", len(all), err)
	}
	f.Importer = f.again()
	f.DryRun = false
	wet := f.run(t, importer.JSONLines, input)
	dry.DryRun = false
	if d := cmp.Diff(dry, wet); d != "" {
		t.Errorf("the dry run foretold something else (-dry +wet):\n%s", d)
	}
}

// failing is a store that cannot serve after some batches.
type failing struct {
	importer.Store
	left int
}

func (f *failing) ImportCredentials(ctx context.Context, b []credential.Import, e audit.Event) ([]credential.ImportResult, error) {
	if f.left--; f.left < 0 {
		return nil, store.ErrUnavailable
	}
	return f.Store.ImportCredentials(ctx, b, e)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var input strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&input, `{"kind":"key_pair","name":"n","key":"k%d","secret":"good-secret-123"}`+"\n", i)
	}
	f.Store = &failing{f.store, 1}
	r, err := importer.NewReader(strings.NewReader(input.String()), importer.JSONLines)
	if err != nil {
		t.Fatal(err)
	}
	report, err := f.Run(t.Context(), r)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "before line 501") || report.Imported != 500 {
		t.Fatalf("report %+v, error %v", report, err)
	}
	f.Importer = f.again()
	f.Store = f.store
	var progress []int
	f.Progress = func(r importer.Report) { progress = append(progress, r.Lines) }
	if r := f.run(t, importer.JSONLines, input.String()); r.Imported != 700 || len(r.Existed) != 500 {
		t.Errorf("second run imported %d, found %d", r.Imported, len(r.Existed))
	}
	if !slices.Equal(progress, []int{500, 1000, 1200}) {
		t.Errorf("progress = %v", progress)
	}
	rows, err := f.store.Events(t.Context(), audit.Filter{Action: "credential.import"})
	if err != nil || len(rows) != 4 {
		t.Errorf("%d audit rows, %v; want one for each batch that stored something or tried", len(rows), err)
	}
}

// TestMany mixes what people bring along.
func TestMany(t *testing.T) {
	t.Parallel()
	const many = 1500
	f := setup(t)
	var input strings.Builder
	for i := range many {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&input, `{"kind":"key_pair","dialect":"ayyeka","name":"client %d","key":"K%d","secret":"secret-number-%d"}`+"\n", i, i, i)
		case 1:
			fmt.Fprintf(&input, `{"kind":"api_key","name":"client %d","hash":"%s"}`+"\n", i, sha(fmt.Sprint("key-number-", i)))
		default:
			fmt.Fprintf(&input, `{"kind":"password","name":"user %d","hash":"%s"}`+"\n", i, bcryptHash)
		}
	}
	if r := f.run(t, importer.JSONLines, input.String()); r.Imported != many {
		t.Fatalf("imported %d, bad %d, existed %d", r.Imported, len(r.Bad), len(r.Existed))
	}
	for i := 0; i < many; i += 97 {
		var err error
		var rec credential.Record
		switch i % 3 {
		case 0:
			rec, err = f.store.RecordByLookup(t.Context(), f.home.ID, credential.KeyPair, fmt.Sprint("K", i))
			if err == nil && !f.digester.Match(rec.Secrets[0].Hash, secret.New(fmt.Sprint("secret-number-", i))) {
				err = errors.New("secret does not match")
			}
		case 1:
			_, err = f.store.RecordByDigest(t.Context(), f.home.ID, credential.APIKey, [][]byte{credential.PlainDigest(secret.New(fmt.Sprint("key-number-", i)))})
		default:
			_, err = f.store.RecordByLookup(t.Context(), f.home.ID, credential.Password, fmt.Sprint("user ", i))
		}
		if err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
	}
}
