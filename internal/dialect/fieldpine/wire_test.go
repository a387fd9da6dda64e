package fieldpine

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func TestParsePacket(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		raw    string
		action string
		err    error
	}{
		"Documented":         {raw: `{"a":"fd1.products.get_products","q":{"temp(>=)":-90},"rq":"293848"}`, action: "fd1.products.get_products"},
		"PrefixLeftOut":      {raw: `{"a":"products.get_products"}`, action: "fd1.products.get_products"},
		"NumberAsRequestID":  {raw: `{"a":"fd1.products.get_products","rq":7}`, action: "fd1.products.get_products"},
		"ProtocolNamed":      {raw: `{"a":"fd1.a.b","pt":"fd1"}`, action: "fd1.a.b"},
		"LoginNeedsItsName":  {raw: `{"a":"session.login","v":{"apikey":"x"}}`, err: errAction},
		"RequestID199":       {raw: `{"a":"fd1.a.b","rq":"` + strings.Repeat("ü", 199) + `"}`, action: "fd1.a.b"},
		"RequestID200":       {raw: `{"a":"fd1.a.b","rq":"` + strings.Repeat("x", 200) + `"}`, err: errRequestID},
		"RequestIDObject":    {raw: `{"a":"fd1.a.b","rq":{}}`, err: errRequestID},
		"OtherProtocol":      {raw: `{"a":"fd1.a.b","pt":"zz"}`, err: errForeign},
		"NoAction":           {raw: `{"rq":1}`, err: errAction},
		"PathInAction":       {raw: `{"a":"fd1.a/../b.c"}`, err: errAction},
		"EmptyWord":          {raw: `{"a":"fd1..b"}`, err: errAction},
		"TrailingComma":      {raw: `{"a":"fd1.a.b",}`, err: errNotPacket},
		"MemberTwice":        {raw: `{"a":"fd1.a.b","a":"fd1.c.d"}`, err: errNotPacket},
		"NestedMemberTwice":  {raw: `{"a":"fd1.a.b","v":{"k":1,"k":2}}`, err: errNotPacket},
		"BadUTF8":            {raw: "{\"a\":\"fd1.a.b\",\"v\":\"\xff\"}", err: errNotPacket},
		"NUL":                {raw: `{"a":"fd1.a.b","k":"\u0000"}`, err: errNotPacket},
		"Array":              {raw: `[]`, err: errNotPacket},
		"Deep":               {raw: `{"a":"fd1.a.b","v":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, err: errNotPacket},
		"EncryptedAlone":     {raw: `{"enc":"AAAA"}`},
		"EncryptedWithClear": {raw: `{"enc":"AAAA","a":"fd1.a.b"}`, err: errNotPacket},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := parsePacket([]byte(tt.raw))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if err == nil && p.Action != tt.action {
				t.Errorf("action = %q, want %q", p.Action, tt.action)
			}
		})
	}
}

// A member in another case is another member: it must not stand in for the one
// that is decided on.
func TestCaseMatters(t *testing.T) {
	t.Parallel()
	p, err := parsePacket([]byte(`{"a":"fd1.sales.get_sale","k":"7741","K":"7742"}`))
	if err != nil {
		t.Fatal(err)
	}
	if key, _ := scalar(p.Key); key != "7741" {
		t.Errorf("k = %q, want 7741", key)
	}
}

func TestReplyKeepsTheTypeOfTheRequestID(t *testing.T) {
	t.Parallel()
	for _, rq := range []string{`7`, `"7"`, `true`} {
		p, err := parsePacket([]byte(`{"a":"fd1.a.b","rq":` + rq + `,"rt":"tab-1"}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.failed(403, "endpoint not permitted").encode()
		if err != nil {
			t.Fatal(err)
		}
		want := `{"r":"fd1.a.b","rp":` + rq + `,"rt":"tab-1","error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestParseLogin(t *testing.T) {
	t.Parallel()
	type shown struct{ APIKey, Token, User string }
	tests := map[string]struct {
		v    string
		want shown
		err  error
	}{
		"APIKey":       {v: `{"apikey":"Kp7-example-0001","tz":-780,"localtime":"2026-1-5 9:3:7.8"}`, want: shown{APIKey: "Kp7-example-0001"}},
		"Token":        {v: `{"token":"T1.sale-7741.9f2c61"}`, want: shown{Token: "T1.sale-7741.9f2c61"}},
		"TokenInPath":  {v: `{"token":"https://shop.example/r/T1.x/"}`, want: shown{Token: "T1.x"}},
		"TokenInQuery": {v: `{"token":"https://shop.example/r?token=T1.y"}`, want: shown{Token: "T1.y"}},
		"User":         {v: `{"encryption_user":"ana@shop.example"}`, want: shown{User: "ana@shop.example"}},
		"ClumsyExtras": {v: `{"apikey":"x","tz":"later","geo":[1],"localtime":9}`, want: shown{APIKey: "x"}},
		"None":         {v: `{"purpose":"debugscope"}`, err: errLogin},
		"Two":          {v: `{"apikey":"x","token":"y"}`, err: errLogin},
		"TwoOneNull":   {v: `{"apikey":"x","token":null}`, err: errLogin},
		"Empty":        {v: `{"apikey":""}`, err: errLogin},
		"Number":       {v: `{"apikey":7}`, err: errLogin},
		"TooLong":      {v: `{"apikey":"` + strings.Repeat("x", maxCredential+1) + `"}`, err: errLogin},
		"NotAnObject":  {v: `"x"`, err: errLogin},
		"Absent":       {v: ``, err: errLogin},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := parseLogin(jsontext.Value(tt.v))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			got := shown{l.APIKey.Reveal(), l.Token.Reveal(), l.User}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParsePacket(f *testing.F) {
	f.Add([]byte(`{"a":"fd1.session.login","rq":"login-1","v":{"apikey":"k","tz":-780,"geo":{"latitude":-36.85}}}`))
	f.Add([]byte(`{"enc":"AAAA"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parsePacket(raw)
		if err != nil {
			return
		}
		if len(p.Enc) == 0 && !strings.HasPrefix(p.Action, actionPrefix) {
			t.Errorf("accepted action %q", p.Action)
		}
		if _, err := p.failed(400, "x").encode(); err != nil {
			t.Errorf("cannot answer %q: %v", raw, err)
		}
		parseLogin(p.Values)
	})
}
