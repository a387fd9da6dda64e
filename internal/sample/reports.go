package sample

import "time"

// Names of the reports.
const (
	campaignReport = "CampaignOverviewReport"
	summaryReport  = "AgentStatusSummaryReport"
	callReport     = "CallStatusSummaryReport"
	agentReport    = "AgentStatusDetailReport"
	lineReport     = "LineReport"
)

// agentSummary is one row of AgentStatusSummaryReport, as documented.
type agentSummary struct {
	AgentState        string
	Inbound, Outbound int
}

// agentDetail, callSummary and campaignOverview are rows of reports of which
// only the names are documented; the members are our own.
type agentDetail struct {
	Agent, AgentState, Campaign, CampaignGroup string
	Since                                      string
}

type callSummary struct {
	CallState string
	Calls     int
}

type campaignOverview struct {
	Campaign, CampaignGroup, Status     string
	Dialed, Connected, Dropped, Running int
}

// summary counts agents by state, in the documented order. Everybody who is
// logged in counts as LoggedIn, too.
func (c *Centre) summary() []agentSummary {
	rows := make([]agentSummary, len(agentStates))
	for i, state := range agentStates {
		rows[i].AgentState = state
		for _, a := range c.agents {
			loggedIn := state == "LoggedIn" && a.state != "Offline" && a.state != "LoggedOff"
			switch {
			case a.state != state && !loggedIn:
			case a.inbound:
				rows[i].Inbound++
			default:
				rows[i].Outbound++
			}
		}
	}
	return rows
}

func (c *Centre) details() []agentDetail {
	rows := make([]agentDetail, 0, len(c.agents))
	for _, a := range c.agents {
		rows = append(rows, agentDetail{a.mail, a.state, a.campaign.name, a.campaign.group, a.since.UTC().Format(time.RFC3339)})
	}
	return rows
}

func (c *Centre) callStates() []callSummary {
	rows := []callSummary{{CallState: ringing}, {CallState: inCall}, {CallState: wrapUp}}
	for _, l := range c.lines {
		for i := range rows {
			if rows[i].CallState == l.CallState {
				rows[i].Calls++
			}
		}
	}
	for _, a := range c.agents {
		if a.state == wrapUp {
			rows[2].Calls++
		}
	}
	return rows
}

func (c *Centre) overview() []campaignOverview {
	rows := make([]campaignOverview, 0, len(campaigns))
	for _, one := range campaigns {
		n := c.counts[one.name]
		row := campaignOverview{one.name, one.group, "Running", n.dialled, n.connected, n.dropped, 0}
		for _, l := range c.lines {
			if l.Campaign == one.name {
				row.Running++
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// calls are those that are live, the newest first.
func (c *Centre) calls() []Call {
	rows := make([]Call, 0, len(c.lines))
	for _, l := range c.lines {
		rows = append(rows, l.Call)
	}
	return rows
}
