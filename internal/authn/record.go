package authn

import (
	"cmp"
	"context"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
)

// about says, for the audit record, whose credential a refusal was about.
func about(r *Refusal, credential, principal string) *Refusal {
	r.target, r.person = credential, principal
	return r
}

// refused records why somebody did not come in. That nothing was presented is
// how many exchanges begin, and not worth a row.
func (s *Service) refused(ctx context.Context, action string, a *Attempt, r *Refusal) {
	if r.Kind == Missing {
		return
	}
	e := a.event(action)
	e.Outcome, e.Reason = audit.Refused, r.Reason
	if r.person == "" {
		// A name that is nobody's may be a password in the wrong field.
		delete(e.Personal, audit.FieldName)
	}
	e.Actor, e.Target, e.Person = r.person, r.target, r.person
	if r.Kind == Unavailable {
		e.Outcome = audit.Failed
		s.Logger.WarnContext(ctx, "an attempt could not be decided",
			"dialect", a.Dialect, "method", a.Method, "request", a.RequestID, "error", r)
	}
	s.Audit.Record(ctx, e)
}

// loggedIn records who came in.
func (s *Service) loggedIn(ctx context.Context, a *Attempt, id *identity.Identity) {
	e := a.event("login")
	e.Outcome = audit.OK
	e.Actor, e.Target, e.Person = id.Principal, cmp.Or(id.Credential, id.Principal), id.Principal
	s.Audit.Record(ctx, e)
}

// event is what all events about an attempt have in common.
func (a *Attempt) event(action string) audit.Event {
	e := audit.Event{
		Tenant:  a.Tenant.ID,
		Action:  action,
		Dialect: a.Dialect,
		Method:  string(a.Method),
		Request: a.RequestID,
	}
	personal := make(map[string]string, 2)
	if a.Remote.IsValid() {
		personal[audit.FieldSource] = a.Remote.Unmap().String()
	}
	if a.Name != "" {
		personal[audit.FieldName] = a.Name
	}
	if len(personal) > 0 {
		e.Personal = personal
	}
	if a.Country != "" {
		e.Detail = map[string]string{"country": a.Country}
	}
	return e
}

// denied records what policy did not allow.
func (s *Service) denied(ctx context.Context, r *policy.Request, action string, why *Refusal) {
	e := audit.Event{
		Action:  action,
		Outcome: audit.Refused,
		Reason:  why.Reason,
		Target:  r.Resource.Type + "/" + r.Resource.ID,
		Detail:  map[string]string{"action": r.Action},
	}
	if id := r.Identity; id != nil {
		e.Tenant, e.Actor, e.Person = id.Tenant, id.Principal, id.Principal
		e.Dialect, e.Method = id.Dialect, string(id.Method)
	}
	if r.Source.IsValid() {
		e.Personal = map[string]string{audit.FieldSource: r.Source.Unmap().String()}
	}
	s.Audit.Record(ctx, e)
}
