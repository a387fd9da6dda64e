package fieldpine

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/push"

	"github.com/google/go-cmp/cmp"
)

// What backends push and publish is encrypted like everything, in order.
func TestEncryptedPush(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.hello(t, false)
	c.say(t, c.seal(ask))
	c.wantSealed(t, listed)
	for range 5 {
		if n := r.send(t, status(push.Target{Principal: "cli_ana"})); n != 1 {
			t.Fatalf("%d sockets took it, want 1", n)
		}
		c.say(t, c.seal(ask))
		c.wantSealed(t, statusPacket, listed)
	}
	c.say(t, c.seal(`{"a":"fd1.firehose.open_firehose","rq":7,"v":{"event":"device.event"}}`))
	c.wantSealed(t, `{"r":"fd1.firehose.open_firehose","rp":7,"data":{}}`)
	r.send(t, event("device.scale.reading", `{"kg":1.5}`))
	c.wantSealed(t, `{"rp":"7","sc":"device.scale.reading","v":{"kg":1.5}}`)
}

// The thing acted on is found where the endpoint says it is, and nowhere else.
func TestResourceKey(t *testing.T) {
	t.Parallel()
	endpoint := policy.Parent{Type: "Fd1", ID: "fd1.sales.get_sale"}
	nothing := policy.Resource{Type: endpoint.Type, ID: endpoint.ID}
	of := func(id string) policy.Resource {
		return policy.Resource{Type: "Sale", ID: id, Parents: []policy.Parent{endpoint}}
	}
	p := packet{Action: endpoint.ID, Key: jsontext.Value(`"1"`), Values: jsontext.Value(`{"sid":2,"list":[2]}`), Query: jsontext.Value(`{"sid":"3"}`)}
	for key, want := range map[string]policy.Resource{
		"": of("1"), "k": of("1"), "v.sid": of("2"), "q.sid": of("3"), "v.none": nothing, "v.list": nothing, "q.none": nothing,
	} {
		if diff := cmp.Diff(want, p.resourceOf(Endpoint{Type: "Sale", Key: key})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", key, diff)
		}
	}
	p.Values = jsontext.Value(`"sid"`)
	if diff := cmp.Diff(nothing, p.resourceOf(Endpoint{Type: "Sale", Key: "v.sid"})); diff != "" {
		t.Errorf("no object (-want +got):\n%s", diff)
	}
}
