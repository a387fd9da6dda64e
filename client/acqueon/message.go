package acqueon

import (
	"encoding/json"
	"fmt"
	"time"
)

// Report is one report as it was pushed.
type Report struct {
	Name string          // "LineReport", …
	Data json.RawMessage // what the report says, an array
	Time time.Time       // as the server wrote it, in the client's zone
}

// message is the envelope of everything on the socket.
type message struct {
	Sender      string
	Receiver    string
	MessageType string
	Data        string
	Time        string `json:",omitempty"`
}

const (
	typeOpenID   = "OpenID"
	typeInit     = "AEPerformanceMetricInitialization"
	typeResponse = "AEPerformanceMetricResponse"

	serviceName = "ATIRealTimeService"
	timeLayout  = "01/02/2006 15:04:05.000"
)

// initialization says in which zone the client lives: minutes of UTC minus
// local time, as JavaScript counts.
func initialization(name string, zone *time.Location, now time.Time) ([]byte, error) {
	_, east := now.In(zone).Zone()
	inner, err := json.Marshal(struct {
		TimeZoneOffset int
		Sender         string
	}{-east / 60, name})
	if err != nil {
		return nil, err
	}
	return json.Marshal(message{Sender: name, Receiver: serviceName, MessageType: typeInit, Data: string(inner)})
}

func readReport(m message, zone *time.Location) (Report, error) {
	if !json.Valid([]byte(m.Data)) {
		return Report{}, fmt.Errorf("acqueon: the data of %s is not JSON", m.MessageType)
	}
	at, err := time.ParseInLocation(timeLayout, m.Time, zone)
	if err != nil {
		return Report{}, fmt.Errorf("acqueon: the time of %s: %w", m.MessageType, err)
	}
	return Report{Name: m.MessageType, Data: json.RawMessage(m.Data), Time: at}, nil
}
