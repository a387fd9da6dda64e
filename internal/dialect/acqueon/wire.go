package acqueon

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// Names on the wire.
const (
	senderServer  = "Server"
	senderService = "ATIRealTimeService"

	typeOpenID   = "OpenID"
	typeInit     = "AEPerformanceMetricInitialization"
	typeResponse = "AEPerformanceMetricResponse"
)

// Reports are the five documented reports, in the order of the report list.
var Reports = [...]string{
	"CampaignOverviewReport",
	"AgentStatusSummaryReport",
	"CallStatusSummaryReport",
	"AgentStatusDetailReport",
	"LineReport",
}

// Interval is how often a report is pushed.
const Interval = 10 * time.Second

// timeLayout is MM/DD/YYYY HH:mm:ss.SSS.
const timeLayout = "01/02/2006 15:04:05.000"

// Message is the envelope of everything that travels after the handshake.
type Message struct {
	Sender      string
	Receiver    string
	MessageType string
	Data        string
	Time        string `json:",omitempty"`
}

// OpenID is the first message of a conn: its id, 32 lower-case hex digits.
func OpenID(name, connID string) Message {
	return Message{Sender: senderServer, Receiver: name, MessageType: typeOpenID, Data: connID}
}

// ReportList answers an initialisation.
func ReportList(name string, zone Zone, now time.Time) Message {
	type item struct {
		ReportName string
		Interval   int
	}
	items := make([]item, len(Reports))
	for i, report := range Reports {
		items[i] = item{report, int(Interval / time.Second)}
	}
	data, _ := json.Marshal(items) // strings and numbers cannot fail
	return fromService(name, typeResponse, string(data), zone, now)
}

// Report carries the content of a report, a JSON text, unread.
func Report(name, report, data string, zone Zone, now time.Time) Message {
	return fromService(name, report, data, zone, now)
}

func fromService(name, messageType, data string, zone Zone, now time.Time) Message {
	return Message{Sender: senderService, Receiver: name, MessageType: messageType, Data: data, Time: zone.Format(now)}
}

// Zone is minutes of UTC minus local time, as JavaScript's getTimezoneOffset
// counts: India is -330.
type Zone int

// Format writes the local wall time of a client in that zone.
func (z Zone) Format(at time.Time) string {
	return at.UTC().Add(-time.Duration(z) * time.Minute).Format(timeLayout)
}

// Initialization is what a client says about itself, once.
type Initialization struct {
	Zone     Zone
	Repaired bool // the inner JSON lacked a quote, as the documented sample does
}

// Errors of reading a client's message.
var (
	// ErrUnreadable closes with 1007.
	ErrUnreadable = errors.New("not a message of this protocol")
	// ErrOther is a well-formed message that is no initialisation; it is
	// ignored and counted.
	ErrOther = errors.New("not an initialisation")
	// ErrImpostor is a message in the name of another conn.
	ErrImpostor = errors.New("sender is not the name of this conn")
)

// maxZone is the largest offset that exists, with room: UTC+14 and UTC-12.
const maxZone = 16 * 60

// ParseInitialization reads a client's message on the conn of that name.
// Names are trimmed before they are compared, and an inner document that lacks
// its last quote is repaired once: documented samples have both mistakes.
func ParseInitialization(raw []byte, name string) (Initialization, error) {
	if !utf8.Valid(raw) {
		return Initialization{}, ErrUnreadable
	}
	var m Message
	if err := json.Unmarshal(raw, &m); err != nil {
		return Initialization{}, ErrUnreadable
	}
	if m.MessageType != typeInit {
		return Initialization{}, ErrOther
	}
	inner, repaired, err := parseInner(m.Data)
	if err != nil {
		return Initialization{}, err
	}
	if strings.TrimSpace(m.Sender) != name || strings.TrimSpace(inner.Sender) != name {
		return Initialization{}, ErrImpostor
	}
	if inner.TimeZoneOffset < -maxZone || inner.TimeZoneOffset > maxZone {
		return Initialization{}, ErrUnreadable
	}
	return Initialization{Zone: Zone(inner.TimeZoneOffset), Repaired: repaired}, nil
}

type innerInit struct {
	TimeZoneOffset int
	Sender         string
}

func parseInner(data string) (in innerInit, repaired bool, err error) {
	if json.Unmarshal([]byte(data), &in) == nil {
		return in, false, nil
	}
	body, ok := strings.CutSuffix(strings.TrimSpace(data), "}")
	if !ok {
		return innerInit{}, false, ErrUnreadable
	}
	in = innerInit{}
	if json.Unmarshal([]byte(body+`"}`), &in) != nil {
		return innerInit{}, false, ErrUnreadable
	}
	return in, true, nil
}
