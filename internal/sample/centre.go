package sample

import (
	"math/rand/v2"
	"time"
)

// States of call-centre agents, in the order of the reports.
var agentStates = []string{"LoggedIn", "Idle", "PreviewState", "InCall", "ACW", "NotReady", "Offline", "LoggedOff"}

type campaign struct{ name, group string }

var campaigns = []campaign{
	{"Spring renewals", "Retention"}, {"Win back", "Retention"}, {"Meter appointments", "Service"}, {"Survey 2026", "Service"},
}

// agent is one call-centre agent.
type agent struct {
	mail     string
	state    string
	inbound  bool
	campaign campaign
	since    time.Time
	next     time.Time // when an agent who is not on a call does something else
}

func (a *agent) become(state string, now, next time.Time) {
	a.state, a.since, a.next = state, now, next
}

// counts of one campaign since the simulation began.
type counts struct{ dialled, connected, dropped int }

// Centre is a simulated call centre. It goes by the clock that it is told and by
// its own chance, so the same seed makes the same day. It is not safe for
// concurrent use.
type Centre struct {
	chance *rand.Rand
	agents []*agent
	lines  []*line // the newest first
	counts map[string]*counts
}

var agentNames = []string{
	"amara", "bjorn", "chidi", "dolores", "emre", "fatima", "goran", "hana", "ines", "jonas", "keiko", "lamar", "mila", "nadia", "omar", "priya",
}

// NewCentre makes a call centre in the middle of its day.
func NewCentre(seed uint64, now time.Time) *Centre {
	c := &Centre{chance: rand.New(rand.NewPCG(seed, seed)), counts: map[string]*counts{}}
	for _, one := range campaigns {
		c.counts[one.name] = &counts{}
	}
	for i, name := range agentNames {
		a := &agent{mail: name + "@callcentre.example", inbound: i%4 == 3, campaign: campaigns[i%len(campaigns)]}
		a.become("Idle", now, now.Add(between(c.chance, 1, 10)))
		switch i {
		case 12:
			a.become("NotReady", now, now.Add(between(c.chance, 20, 60)))
		case 13:
			a.become("PreviewState", now, now.Add(between(c.chance, 5, 15)))
		case 14:
			a.become("Offline", now, now.Add(between(c.chance, 60, 120)))
		case 15:
			a.become("LoggedOff", now, now.Add(between(c.chance, 60, 120)))
		}
		c.agents = append(c.agents, a)
	}
	for _, a := range c.agents[:6] {
		c.dial(a, now)
	}
	return c
}

// Change is a call that is new, or changed. One that has ended is to disappear.
type Change struct {
	Call
	Ended bool
}

// Step lets the time pass until now, and returns what became of calls.
func (c *Centre) Step(now time.Time) []Change {
	var changes []Change
	live := c.lines[:0:0]
	for _, l := range c.lines {
		if now.Before(l.next) {
			live = append(live, l)
			continue
		}
		if l.advance(c.chance, now) {
			c.hangUp(l, now)
			changes = append(changes, Change{l.Call, true})
			continue
		}
		c.counts[l.Campaign].connected++
		l.agent.become("InCall", now, time.Time{})
		live = append(live, l)
		changes = append(changes, Change{l.Call, false})
	}
	c.lines = live
	for _, a := range c.agents {
		if !a.next.IsZero() && !now.Before(a.next) {
			if l := c.decide(a, now); l != nil {
				changes = append(changes, Change{l.Call, false})
			}
		}
	}
	return changes
}

func (c *Centre) hangUp(l *line, now time.Time) {
	if l.IsCallDropped {
		c.counts[l.Campaign].dropped++
	}
	l.agent.become("ACW", now, now.Add(between(c.chance, 4, 12)))
}

// decide is what an agent does who has finished something.
func (c *Centre) decide(a *agent, now time.Time) *line {
	switch n := c.chance.IntN(20); {
	case a.state == "Idle" && n < 12, a.state == "PreviewState":
		return c.dial(a, now)
	case a.state == "Idle" && n < 15:
		a.become("PreviewState", now, now.Add(between(c.chance, 5, 15)))
	case a.state == "Idle" && n < 17:
		a.become("NotReady", now, now.Add(between(c.chance, 20, 60)))
	case a.state == "Idle" && n == 17:
		a.become("Offline", now, now.Add(between(c.chance, 30, 90)))
	case a.state == "Offline" && n < 5:
		a.become("LoggedOff", now, now.Add(between(c.chance, 60, 120)))
	default:
		a.become("Idle", now, now.Add(between(c.chance, 1, 8)))
	}
	return nil
}

// dial begins a call. Its agent waits for it.
func (c *Centre) dial(a *agent, now time.Time) *line {
	l := newLine(c.chance, a.campaign, a, now)
	c.lines = append([]*line{l}, c.lines...)
	c.counts[l.Campaign].dialled++
	a.become("Idle", now, time.Time{})
	return l
}
