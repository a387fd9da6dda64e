package sample

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Call is one row of LineReport, its members in the order of the protocol
// description.
type Call struct {
	Campaign             string
	CampaignGroup        string
	Type                 string
	CallID               string
	RemoteStatus         string
	RecordDialedTime     string
	RecordConnectedTime  string
	RecordEndTime        string
	ConversationDuration string
	ConnectedAgent       string
	CallState            string
	LCMKey               string
	ContactNumber        string
	IsCallDropped        bool
}

// States of calls.
const (
	ringing = "Ringing"
	inCall  = "In Call"
	wrapUp  = "ACW"
)

// callTimes is how the rows write times: "Tue, May 21, 2024 00:49".
const callTimes = "Mon, Jan 2, 2006 15:04"

// line is a call under way.
type line struct {
	Call
	agent     *agent
	connected time.Time
	next      time.Time // when its state changes
}

func newLine(r *rand.Rand, c campaign, a *agent, now time.Time) *line {
	key := make([]string, 7)
	for i := range key {
		key[i] = strconv.Itoa(1 + r.IntN(9000))
	}
	number := fmt.Sprintf("XXXXXX%04d", r.IntN(10_000))
	if r.IntN(4) == 0 {
		number = "HIDDEN"
	}
	kind := "Voice"
	if r.IntN(8) == 0 {
		kind = "Voice Drop"
	}
	return &line{
		Call: Call{
			Campaign: c.name, CampaignGroup: c.group, Type: kind, CallID: newCallID(r), RemoteStatus: ringing,
			RecordDialedTime: now.UTC().Format(callTimes), ConversationDuration: "0", ConnectedAgent: a.mail,
			CallState: ringing, LCMKey: strings.Join(key, "|"), ContactNumber: number,
		},
		agent: a, next: now.Add(between(r, 3, 9)),
	}
}

// advance moves a call on, and reports whether it has ended by that.
func (l *line) advance(r *rand.Rand, now time.Time) (ended bool) {
	if l.CallState == ringing && r.IntN(5) > 0 {
		l.CallState, l.RemoteStatus = inCall, inCall
		l.connected = now
		l.RecordConnectedTime = now.UTC().Format(callTimes)
		l.next = now.Add(between(r, 8, 60))
		return false
	}
	l.IsCallDropped = l.CallState == ringing
	l.CallState, l.RemoteStatus = wrapUp, "Disconnected"
	l.RecordEndTime = now.UTC().Format(callTimes)
	if !l.connected.IsZero() {
		l.ConversationDuration = strconv.Itoa(int(now.Sub(l.connected) / time.Second))
	}
	return true
}

// between is a time of so many seconds, by chance.
func between(r *rand.Rand, least, most int) time.Duration {
	return time.Duration(least)*time.Second + time.Duration(r.Int64N(int64(most-least)*int64(time.Second)))
}

// newCallID is a UUID (RFC 9562 section 5.4), of the simulation's own chance.
func newCallID(r *rand.Rand) string {
	high, low := r.Uint64(), r.Uint64()
	high = high&^0xf000 | 0x4000
	low = low&^(3<<62) | 2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1))
}
