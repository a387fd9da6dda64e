package acqueon

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	stamped   = "PerformanceMetrics_wallboard_1767225600"
	unstamped = "PerformanceMetrics_wallboard"
)

type shown struct {
	Name, User, Timestamp, Key, Secret, Token string
}

func reveal(h Handshake) shown {
	return shown{h.Name, h.User, h.Timestamp, h.Key, h.Secret.Reveal(), h.Token.Reveal()}
}

func basic(plain string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(plain))
}

func parse(t *testing.T, path, query, authorization string, reading Reading) (Handshake, error) {
	t.Helper()
	r := httptest.NewRequest("GET", path+"?"+query, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return ParseHandshake(r, path, reading)
}

func TestParseHandshake(t *testing.T) {
	t.Parallel()
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	tests := map[string]struct {
		path, query, authorization string
		reading                    Reading
		want                       shown
		err                        error
	}{
		"U1": { // documented
			path: PathConsole, query: "name=" + unstamped, authorization: basic(unstamped + ":eyExample.access.token"),
			want: shown{Name: unstamped, User: "wallboard", Token: "eyExample.access.token"},
		},
		"U2": { // documented
			path: PathTransmitter, query: "name=" + stamped,
			authorization: "Basic UGVyZm9ybWFuY2VNZXRyaWNzX3dhbGxib2FyZF8xNzY3MjI1NjAwOlpYbEZlR0Z0Y0d4bExtRmpZMlZ6Y3k1MGIydGxiZz09",
			want:          shown{Name: stamped, User: "wallboard", Timestamp: "1767225600", Token: "eyExample.access.token"},
		},
		"U3": { // documented
			path: PathTransmitter, query: "name=" + stamped,
			authorization: "Basic UGVyZm9ybWFuY2VNZXRyaWNzX3dhbGxib2FyZF8xNzY3MjI1NjAwOllXc3ROMUV5UmpreE9uTnJMVnB3TkRCMlZHNDQ=",
			want:          shown{Name: stamped, User: "wallboard", Timestamp: "1767225600", Key: "ak-7Q2F91", Secret: "sk-Zp40vTn8"},
		},
		"UndecodedUserinfo": {
			path: PathTransmitter, query: "name=" + stamped, authorization: basic(stamped + ":" + url.QueryEscape(b64("k:s+/="))),
			want: shown{Name: stamped, User: "wallboard", Timestamp: "1767225600", Key: "k", Secret: "s+/="},
		},
		"ColonInSecret": {
			path: PathTransmitter, query: "name=" + stamped, authorization: basic(stamped + ":" + b64("k:a:b")),
			want: shown{Name: stamped, User: "wallboard", Timestamp: "1767225600", Key: "k", Secret: "a:b"},
		},
		"MillisecondsAndSpaces": {
			path: PathTransmitter, query: "name=%20PerformanceMetrics_a_b_1767225600123%20", authorization: basic(" PerformanceMetrics_a_b_1767225600123:" + b64("k:s")),
			want: shown{Name: "PerformanceMetrics_a_b_1767225600123", User: "a_b", Timestamp: "1767225600123", Key: "k", Secret: "s"},
		},
		"ConsolePrefixBySwitch": {
			path: PathConsole, query: "name=AEConsole_admin_1767225600", authorization: basic("AEConsole_admin_1767225600:tok"),
			reading: Reading{Prefixes: []string{DefaultPrefix, "AEConsole_"}},
			want:    shown{Name: "AEConsole_admin_1767225600", User: "admin", Timestamp: "1767225600", Token: "tok"},
		},
		"RawTokenBySwitch": {
			path: PathTransmitter, query: "name=" + stamped, authorization: basic(stamped + ":a.b.c"), reading: Reading{RawToken: true},
			want: shown{Name: stamped, User: "wallboard", Timestamp: "1767225600", Token: "a.b.c"},
		},
		"NoHeader":          {path: PathConsole, query: "name=" + unstamped, err: ErrNoCredential},
		"Bearer":            {path: PathConsole, query: "name=" + unstamped, authorization: "Bearer x", err: errScheme},
		"NotBase64":         {path: PathConsole, query: "name=" + unstamped, authorization: "Basic !!", err: errBasic},
		"NoColon":           {path: PathConsole, query: "name=" + unstamped, authorization: basic(unstamped), err: errBasic},
		"NameDiffers":       {path: PathConsole, query: "name=" + stamped, authorization: basic(unstamped + ":t"), err: errNameDiffers},
		"NameAbsent":        {path: PathConsole, query: "", authorization: basic(unstamped + ":t"), err: errNameDiffers},
		"NameTwice":         {path: PathConsole, query: "name=" + unstamped + "&name=" + unstamped, authorization: basic(unstamped + ":t"), err: errNameDiffers},
		"OtherPrefix":       {path: PathConsole, query: "name=AEConsole_admin", authorization: basic("AEConsole_admin:t"), err: errName},
		"OnlyPrefix":        {path: PathConsole, query: "name=PerformanceMetrics_", authorization: basic("PerformanceMetrics_:t"), err: errName},
		"RawTokenRefused":   {path: PathTransmitter, query: "name=" + stamped, authorization: basic(stamped + ":a.b.c"), err: errCredential},
		"EmptySecret":       {path: PathTransmitter, query: "name=" + stamped, authorization: basic(stamped + ":" + b64("k:")), err: errCredential},
		"NULInName":         {path: PathConsole, query: "name=PerformanceMetrics_%00", authorization: basic("PerformanceMetrics_\x00:t"), err: errName},
		"InvalidUTF8":       {path: PathConsole, query: "name=" + unstamped, authorization: basic("\xff:t"), err: errBasic},
		"EmptyConsoleToken": {path: PathConsole, query: "name=" + unstamped, authorization: basic(unstamped + ":"), err: errCredential},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := parse(t, tt.path, tt.query, tt.authorization, tt.reading)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if err == nil {
				if diff := cmp.Diff(tt.want, reveal(h)); diff != "" {
					t.Errorf("handshake (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestParseInitialization(t *testing.T) {
	t.Parallel()
	message := func(sender, data string) string {
		b, _ := json.Marshal(Message{Sender: sender, Receiver: "ATIRealTimeService", MessageType: typeInit, Data: data})
		return string(b)
	}
	tests := map[string]struct {
		raw  string
		want Initialization
		err  error
	}{
		"Documented":     {raw: message(stamped, `{"TimeZoneOffset":-330,"Sender":"`+stamped+`"}`), want: Initialization{Zone: -330}},
		"MalformedInner": {raw: message(" "+stamped, `{"TimeZoneOffset":-330,"Sender":"`+stamped+`}`), want: Initialization{Zone: -330, Repaired: true}},
		"OtherOuter":     {raw: message("PerformanceMetrics_other", `{"TimeZoneOffset":0,"Sender":"`+stamped+`"}`), err: ErrImpostor},
		"OtherInner":     {raw: message(stamped, `{"TimeZoneOffset":0,"Sender":"PerformanceMetrics_other"}`), err: ErrImpostor},
		"OtherRepaired":  {raw: message(stamped, `{"TimeZoneOffset":0,"Sender":"PerformanceMetrics_other}`), err: ErrImpostor},
		"NotJSON":        {raw: `hello`, err: ErrUnreadable},
		"BeyondRepair":   {raw: message(stamped, `{"TimeZoneOffset":}`), err: ErrUnreadable},
		"NoSuchZone":     {raw: message(stamped, `{"TimeZoneOffset":99999,"Sender":"`+stamped+`"}`), err: ErrUnreadable},
		"OtherType":      {raw: `{"Sender":"` + stamped + `","MessageType":"Hello","Data":""}`, err: ErrOther},
		"BadUTF8":        {raw: "\"\xff\"", err: ErrUnreadable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseInitialization([]byte(tt.raw), stamped)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// The two documented messages of the server, member by member in their order.
func TestMessagesOfTheServer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 4, 0, 0, 125e6, time.UTC)
	tests := []struct {
		message Message
		want    string
	}{
		{
			OpenID(stamped, "5b0c7f3e9d2a4c61b8e4f07a1d93c25e"),
			`{"Sender":"Server","Receiver":"PerformanceMetrics_wallboard_1767225600","MessageType":"OpenID","Data":"5b0c7f3e9d2a4c61b8e4f07a1d93c25e"}`,
		},
		{
			ReportList(stamped, -330, at),
			`{"Sender":"ATIRealTimeService","Receiver":"PerformanceMetrics_wallboard_1767225600","MessageType":"AEPerformanceMetricResponse","Data":"[{\"ReportName\":\"CampaignOverviewReport\",\"Interval\":10},{\"ReportName\":\"AgentStatusSummaryReport\",\"Interval\":10},{\"ReportName\":\"CallStatusSummaryReport\",\"Interval\":10},{\"ReportName\":\"AgentStatusDetailReport\",\"Interval\":10},{\"ReportName\":\"LineReport\",\"Interval\":10}]","Time":"01/01/2026 09:30:00.125"}`,
		},
	}
	for _, tt := range tests {
		got, err := json.Marshal(tt.message)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func FuzzParseHandshake(f *testing.F) {
	f.Add(PathConsole, "name="+unstamped, basic(unstamped+":tok"))
	f.Add(PathTransmitter, "name="+stamped, basic(stamped+":azpz"))
	f.Fuzz(func(t *testing.T, path, query, authorization string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = query
		r.Header["Authorization"] = []string{authorization}
		h, err := ParseHandshake(r, path, Reading{})
		if err != nil {
			return
		}
		if !strings.HasPrefix(h.Name, DefaultPrefix) || h.User == "" {
			t.Errorf("accepted the name %q of user %q", h.Name, h.User)
		}
		if pair, token := !h.Secret.Empty() && h.Key != "", !h.Token.Empty(); pair == token {
			t.Errorf("pair %v and token %v", pair, token)
		}
	})
}

func FuzzParseInitialization(f *testing.F) {
	f.Add([]byte(`{"Sender":"n","MessageType":"AEPerformanceMetricInitialization","Data":"{\"TimeZoneOffset\":-330,\"Sender\":\"n}"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := ParseInitialization(raw, "n")
		if err == nil && (in.Zone < -maxZone || in.Zone > maxZone) {
			t.Errorf("accepted zone %d", in.Zone)
		}
	})
}
