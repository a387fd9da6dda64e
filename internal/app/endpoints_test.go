package app

import (
	"net/http"
	"testing"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/dialect"
)

// named is a backend that is only its name.
type named string

func (named) Forward(http.ResponseWriter, *http.Request, dialect.Forward) {}

// TestEndpoints: the most specific one has an action, and nobody has those that
// the gate answers by itself.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	e := newEndpoints([]*config.Endpoint{
		{Action: "fd1.*", Upstream: "all"},
		{Action: "fd1.sales.*", Upstream: "sales", Entity: "Sale"},
		{Action: "fd1.sales.get_sale", Upstream: "one"},
		{Action: "fd1.sales.old.*", Upstream: "archive"},
	}, func(name string) dialect.Upstream { return named(name) })
	for action, want := range map[string]string{
		"fd1.stock.count":            "all",
		"fd1.sales.put_sale":         "sales",
		"fd1.sales.get_sale":         "one",
		"fd1.sales.get_sale_lines":   "sales",
		"fd1.sales.old.get_sale":     "archive",
		"fd1.salesmen.list":          "all",
		"fd1.session.login":          "",
		"fd1.session.new":            "",
		"fd1.diag.dump":              "",
		"fd1.firehose.open_firehose": "",
		"fn1.link.link_status":       "",
	} {
		got, ok := e.Endpoint("ten_1", action)
		if ok != (want != "") || ok && got.Upstream != named(want) {
			t.Errorf("%s goes to %v, want %q", action, got.Upstream, want)
		}
	}
	if got, _ := e.Endpoint("ten_1", "fd1.sales.put_sale"); got.Type != "Sale" {
		t.Errorf("what it is done to is %q", got.Type)
	}
}
