package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
)

func credentialCommand(a *admin) *cobra.Command {
	return parent("credential", "Look at and change credentials of every kind",
		"A credential is what a principal can show: a password, a key, a pair, a secret to\nencrypt with, or a token for one thing. It may have several live secrets at once.",
		`  gatehouse credential list ada
  gatehouse credential create ada --kind encryption
  gatehouse credential create till --kind scoped_token --scope Sale:7741 --action fd1.sales.get_sale --expires 30d --qr
  gatehouse credential revoke-scoped Sale:7741
  gatehouse credential show cre_…
  gatehouse credential update cre_… --network 10.0.0.0/8 --expires 90d
  gatehouse credential disable cre_…
  gatehouse credential revoke cre_… cre_…`,
		credentialList(a), credentialCreate(a), credentialShow(a), credentialUpdate(a), rotateCommand(a),
		endCredential(a, "revoke", "Revoke for good, and end what rests on it", "Revoked"),
		endCredential(a, "disable", "Disable, and end what rests on it", "Disabled"),
		credentialEnable(a), revokeSecret(a), revokeScoped(a))
}

func credentialPath(id string) string { return "/v1/credentials/" + url.PathEscape(id) }

func credentialList(a *admin) *cobra.Command {
	var kind, dialect string
	c := &cobra.Command{
		Use: "list [OWNER]", Short: "List credentials", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q, err := a.ownerQuery(c, args)
			if err != nil {
				return err
			}
			q["kind"], q["dialect"] = kind, dialect
			return listCredentials(a, c, q, "No credentials.", everyKind)
		},
	}
	c.Flags().StringVar(&kind, "kind", "", "only `KIND`: password, api_key, key_pair, encryption or scoped_token")
	c.Flags().StringVar(&dialect, "dialect", "", "only those in the shape of `DIALECT`")
	offer(c, "kind", credentialKinds...)
	return c
}

// offer completes a flag from a list.
func offer(c *cobra.Command, flag string, values ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was defined by the caller
	}
}

// listCredentials shows those to keep; of several owners, each with its name.
func listCredentials(a *admin, c *cobra.Command, q adminclient.Query, empty string, keep func(adminapi.Credential) bool) error {
	items, err := list[adminapi.Credential](a, c, "/v1/credentials", q, 0)
	if err != nil {
		return err
	}
	slices.SortStableFunc(items, func(a, b adminapi.Credential) int { return cmp.Compare(a.Number, b.Number) })
	items = slices.DeleteFunc(items, func(cr adminapi.Credential) bool { return !keep(cr) })
	t := table{head: []string{"CREDENTIAL", "KIND", "KEY", "STATE", "LAST USED", "EXPIRES", "COMMENT"}, empty: empty}
	row := func(cr adminapi.Credential) []string {
		return []string{cr.ID, kindOf(cr), shownKey(cr), cr.State, lastUse(cr.LastUsed, cr.LastFrom), orDash(dayOf(cr.Expires)), orDash(shorten(cr.Comment))}
	}
	if a.json || q["principal"] != "" {
		return show(a, items, t, row)
	}
	t.head = slices.Insert(t.head, 1, "OWNER")
	names := map[string]string{}
	return show(a, items, t, func(cr adminapi.Credential) []string {
		return slices.Insert(row(cr), 1, a.ownerName(c, cr.Principal, names))
	})
}

// maxNames bounds how many owners are looked up for one list.
const maxNames = 200

// ownerName is the name behind an id, or the id where it cannot be had.
func (a *admin) ownerName(c *cobra.Command, id string, known map[string]string) string {
	if name, ok := known[id]; ok {
		return name
	}
	name := id
	if len(known) < maxNames {
		if p, err := a.owner(c, id); err == nil {
			name = p.Name
		}
	}
	known[id] = name
	return name
}

func kindOf(cr adminapi.Credential) string {
	switch cr.Kind {
	case "api_key":
		return "key"
	case "key_pair":
		return cr.Dialect + " pair"
	case "scoped_token":
		return "token"
	}
	return cr.Kind
}

// shownKey marks what is only the beginning of a key.
func shownKey(cr adminapi.Credential) string {
	if (cr.Kind == "api_key" || cr.Kind == "scoped_token") && cr.Key != "" { // an imported one may have no beginning to show
		return cr.Key + "…"
	}
	return cr.Key
}

func credentialShow(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "show CREDENTIAL", Short: "Show a credential and what is known of its secrets", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var cr adminapi.CredentialWithSecrets
			if printed, err := a.get(c, credentialPath(args[0]), nil, &cr); printed || err != nil {
				return err
			}
			if err := showCredential(a, cr.Credential); err != nil {
				return err
			}
			t := table{head: []string{"SECRET", "NUMBER", "LIVE", "CREATED", "ENDS", "LAST USED"}, empty: "No secrets."}
			for _, s := range cr.Secrets {
				ends := dayOf(s.Expires)
				if s.Revoked != nil {
					ends = "revoked " + dayOf(s.Revoked)
				}
				t.rows = append(t.rows, []string{s.ID, fmt.Sprint(s.Number), yes(s.Live), day(s.Created), orDash(ends), lastUse(s.LastUsed, s.LastFrom)})
			}
			fmt.Fprintln(a.stdout)
			return t.write(a.stdout)
		},
	}
}

func showCredential(a *admin, cr adminapi.Credential) error {
	opens, uses := shownScope(cr)
	return fields(a.stdout, "Credential", cr.ID, "Kind", kindOf(cr), "Key", shownKey(cr), "Owner", cr.Principal,
		"State", cr.State, "Revoked", dayOf(cr.Revoked), "Comment", cr.Comment, "Opens", opens, "Uses", uses,
		"Networks", strings.Join(cr.Networks, ", "), "Countries", strings.Join(cr.Countries, ", "), "As users", strings.Join(cr.Users, ", "),
		"Not before", dayOf(cr.NotBefore), "Expires", dayOf(cr.Expires), "Number", fmt.Sprint(cr.Number),
		"Created", day(cr.Created), "Created by", cr.CreatedBy, "Last used", lastUse(cr.LastUsed, cr.LastFrom))
}

// constraintFlags narrow when and from where a credential works.
type constraintFlags struct {
	networks           []string
	countries          []string
	users              []string
	notBefore, expires string
}

func (in *constraintFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&in.networks, "network", nil, "works from `NETWORK` only, as 10.0.0.0/8; may be given several times")
	f.StringSliceVar(&in.countries, "country", nil, "works from `COUNTRY` only, as NZ; may be given several times")
	f.StringSliceVar(&in.users, "as-user", nil, "works as `USER` only, where callers say a user beside the key (acqueon), and nowhere else; may be given several times")
	f.StringVar(&in.notBefore, "not-before", "", "does not work before `TIME`: 2027-01-31, 2027-01-31T12:00:00Z, or 2h, 7d from now")
	f.StringVar(&in.expires, "expires", "", "works until `TIME`, written likewise")
}

// into puts what was given into the body of a request.
func (in *constraintFlags) into(body map[string]any, now time.Time) error {
	if len(in.networks) > 0 {
		body["networks"] = in.networks
	}
	if len(in.countries) > 0 {
		body["countries"] = in.countries
	}
	if len(in.users) > 0 {
		body["users"] = in.users
	}
	for member, text := range map[string]string{"not_before": in.notBefore, "expires": in.expires} {
		if text == "" {
			continue
		}
		t, err := readTime(text, now)
		if err != nil {
			return fmt.Errorf("--%s: %w", strings.ReplaceAll(member, "_", "-"), err)
		}
		body[member] = t.UTC().Format(time.RFC3339)
	}
	return nil
}

// readTime reads a time as people write it: a day, a moment, or how long from
// now.
func readTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation("2006-01-02", s, time.Local); err == nil {
		return t, nil
	}
	if d, err := readSpan(s); err == nil {
		return now.Add(d), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a day (2027-01-31), a moment (2027-01-31T12:00:00Z) nor a length of time (2h, 7d)", s)
}

// readSpan reads a length of time; days are understood too.
func readSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		d, err := time.ParseDuration(days + "h")
		if err != nil || d.Abs() > 1e5*time.Hour {
			return 0, errors.New("not a number of days")
		}
		return 24 * d, nil
	}
	return time.ParseDuration(s)
}

func credentialUpdate(a *admin) *cobra.Command {
	var comment string
	var limits constraintFlags
	var free bool
	c := &cobra.Command{
		Use: "update CREDENTIAL", Short: "Change comment and constraints", Args: cobra.ExactArgs(1),
		Long: "Constraints that are not named stay as they are; --unconstrained takes all of them\naway first. What no longer satisfies them ends.",
		RunE: func(c *cobra.Command, args []string) error {
			body := map[string]any{}
			if c.Flags().Changed("comment") {
				body["comment"] = comment
			}
			constraints, err := mergeConstraints(a, c, args[0], limits, free)
			if err != nil {
				return err
			}
			if constraints != nil {
				body["constraints"] = constraints
			}
			if len(body) == 0 {
				return errors.New("nothing to change; see --help")
			}
			var out adminapi.Updated
			if printed, err := a.send(c, "PATCH", credentialPath(args[0]), nil, body, &out); printed || err != nil {
				return err
			}
			if err := showCredential(a, out.Credential); err != nil || len(out.Nodes) == 0 {
				return err
			}
			return a.receipt("", out.Receipt)
		},
	}
	c.Flags().StringVar(&comment, "comment", "", "what it is for")
	c.Flags().BoolVar(&free, "unconstrained", false, "take away the constraints that there are")
	limits.flags(c)
	return c
}

// mergeConstraints puts the flags over the constraints that there are; nil when
// no flag was given.
func mergeConstraints(a *admin, c *cobra.Command, id string, limits constraintFlags, free bool) (map[string]any, error) {
	given := map[string]any{}
	if err := limits.into(given, time.Now()); err != nil {
		return nil, err
	}
	if free {
		return given, nil
	}
	if len(given) == 0 {
		return nil, nil
	}
	api, err := a.api()
	if err != nil {
		return nil, err
	}
	var cr adminapi.Credential
	if err := api.Get(c.Context(), credentialPath(id), nil, &cr); err != nil {
		return nil, err
	}
	out := map[string]any{}
	if len(cr.Networks) > 0 {
		out["networks"] = cr.Networks
	}
	if len(cr.Countries) > 0 {
		out["countries"] = cr.Countries
	}
	if len(cr.Users) > 0 {
		out["users"] = cr.Users
	}
	if cr.NotBefore != nil {
		out["not_before"] = cr.NotBefore
	}
	if cr.Expires != nil {
		out["expires"] = cr.Expires
	}
	for name, v := range given {
		out[name] = v
	}
	return out, nil
}
