package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

func (k *checker) acqueon(field string, a *Acqueon) {
	if a == nil {
		return
	}
	k.clear(field+".plain_text", a.PlainText)
	if !goodName.MatchString(a.Feed) {
		k.wrong(field+".feed", nameMend, "%q is not a good name", a.Feed)
	}
	if len(a.Paths) == 0 {
		k.wrong(field+".paths", "leave it out for both, or take the dialect away", "is empty")
	}
	for i, p := range a.Paths {
		if p != "/AEDataTransmitter" && p != "/AEConsole" {
			k.wrong(fmt.Sprintf("%s.paths[%d]", field, i), "write /AEDataTransmitter or /AEConsole", "%q is no endpoint of this protocol", p)
		}
	}
	if len(a.Prefixes) == 0 {
		k.wrong(field+".prefixes", "leave it out for PerformanceMetrics_", "is empty")
	}
	for i, p := range a.Prefixes {
		if p == "" || strings.ContainsAny(p, ": ") {
			k.wrong(fmt.Sprintf("%s.prefixes[%d]", field, i), "write the beginning of a name, like AEConsole_", "%q would not tell names apart", p)
		}
	}
	k.span(field+".grace", a.Grace, "0s", "1h")
}

// OwnActions begin the FD1 actions that the gate answers by itself, never a backend.
var OwnActions = []string{"fd1.session.", "fd1.firehose.", "fd1.diag."}

var goodAction = regexp.MustCompile(`^fd1(\.[A-Za-z0-9_]+)*\.(\*|[A-Za-z0-9_]+)$`)

func (k *checker) fieldpine(field string, f *Fieldpine) {
	if f == nil {
		return
	}
	k.clear(field+".plain_text", f.PlainText)
	places := map[string]int{}
	for i, e := range f.Endpoints {
		at := fmt.Sprintf("%s.endpoints[%d]", field, i)
		if e == nil {
			k.wrong(at, "write its settings, or take the dash away", "is empty")
			continue
		}
		k.endpoint(at, e)
		if first, taken := places[e.Action]; taken {
			k.wrong(at+".action", "take one of the two away", "%s is already endpoints[%d]", e.Action, first)
		}
		places[e.Action] = i
	}
	if f.Link != "" && (strings.Count(f.Link, "{token}") != 1 || !strings.HasPrefix(f.Link, "https://") && !strings.HasPrefix(f.Link, "http://")) {
		k.wrong(field+".link", "write an address like https://shop.example/r/{token}", "%q is not an address with {token} in it once", f.Link)
	}
	k.span(field+".patience", f.Patience, "1s", "10m")
	k.size(field+".packet", f.Packet, KiB, MiB)
	k.size(field+".answer", f.Answer, KiB, 64*MiB)
	if f.Logins < 1 || f.Logins > 64 {
		k.wrong(field+".logins", "write a number from 1 to 64", "%d is out of bounds", f.Logins)
	}
	if a := f.Authorization; a != "" && a != Basic && a != Bearer {
		k.wrong(field+".authorization", "write basic or bearer, or leave it out", "%s cannot be asked for", a)
	}
	if f.Firehoses < 1 || f.Firehoses > 256 {
		k.wrong(field+".firehoses", "write a number from 1 to 256", "%d is out of bounds", f.Firehoses)
	}
	if len(f.StopMessage) > 500 || !utf8.ValidString(f.StopMessage) {
		k.wrong(field+".stop_message", "write one sentence", "is longer than 500 bytes")
	}
	if f.Requests < 1 || f.Requests > 1024 {
		k.wrong(field+".requests", "write a number from 1 to 1024", "%d is out of bounds", f.Requests)
	}
}

var goodMember = regexp.MustCompile(`^(k|[qv]\.[A-Za-z0-9_]+)$`)

func (k *checker) endpoint(field string, e *Endpoint) {
	if e.Key != "" && !goodMember.MatchString(e.Key) {
		k.wrong(field+".key", "write k, or a member of v or q like v.sid", "%q is not where a packet has an id", e.Key)
	}
	switch whole := strings.Count(e.Action, ".") >= 2 || strings.HasSuffix(e.Action, "*"); {
	case e.Action == "":
		k.wrong(field+".action", "write an action like fd1.sales.get_sale, or fd1.sales.* for all that begin so", "is missing")
	case !goodAction.MatchString(e.Action) || !whole:
		k.wrong(field+".action", "write an action like fd1.sales.get_sale, or fd1.sales.* for all that begin so", "%q is neither an action nor the beginning of some", e.Action)
	case slices.ContainsFunc(OwnActions, func(own string) bool { return strings.HasPrefix(e.Action, own) }):
		k.wrong(field+".action", "choose other actions", "%s is not for backends", e.Action)
	}
	k.upstreamNamed(field+".upstream", e.Upstream)
	if e.Entity != "" && !cedarType.MatchString(e.Entity) {
		k.wrong(field+".entity", "write a Cedar type like Sale", "%q is not a type", e.Entity)
	}
}

// clear looks for a dialect that would refuse everybody: it takes no secret over
// a connection in clear, and there is no other.
func (k *checker) clear(field string, allowed bool) {
	c := k.config
	if !allowed && c.Gate.TLS == (TLS{}) && len(c.Gate.TrustedProxies) == 0 {
		k.wrong(field, "set gate.tls, or name the proxy that ends TLS in gate.trusted_proxies, or write plain_text: true for development",
			"is off, and callers can reach the gate in clear only")
	}
}

func (k *checker) span(field string, d Duration, least, most string) {
	var lo, hi Duration
	_, _ = lo.UnmarshalText([]byte(least)), hi.UnmarshalText([]byte(most))
	if d < lo || d > hi {
		k.wrong(field, fmt.Sprintf("write a time from %v to %v", lo, hi), "%v is out of bounds", d)
	}
}

func (k *checker) size(field string, z, least, most Size) {
	if z < least || z > most {
		k.wrong(field, fmt.Sprintf("write a size from %v to %v", least, most), "%v is out of bounds", z)
	}
}
