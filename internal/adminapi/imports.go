package adminapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/importer"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/tenant"
)

// ImportBatch is the most lines that one call takes; whoever has more sends
// them one batch after the other.
const ImportBatch = 100

func (a *api) imports() {
	add(a, op{
		id: "import-credentials", method: http.MethodPost, path: "/v1/import", tag: "Import", what: "credentials", body: maxPolicyBody,
		summary: "Take over credentials that exist elsewhere",
		detail:  "Lines are as `gatehouse import` reads them. Each is answered for: as imported, as existing already, as in conflict with somebody else's, or as bad with a reason.",
	}, a.importCredentials)
}

type importIn struct {
	InTenant
	Body struct {
		Format  string   `json:"format" enum:"jsonl,csv" default:"jsonl"`
		Columns string   `json:"columns,omitempty" doc:"The line of column names, for csv"`
		Lines   []string `json:"lines" nullable:"false" maxItems:"100"`
		DryRun  bool     `json:"dry_run,omitempty" doc:"Judge the lines and compare them with what there is, but store nothing"`
	}
}

// Imported says what became of the lines of a batch, which are counted from 1.
type Imported struct {
	Imported  int       `json:"imported"`
	Existed   []int     `json:"existed" nullable:"false"`
	Conflicts []int     `json:"conflicts" nullable:"false" doc:"Lines whose credential exists, and is somebody else's"`
	Bad       []BadLine `json:"bad" nullable:"false"`
}

// BadLine is a line that was not taken, and why.
type BadLine struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

type importOut struct{ Body Imported }

func (a *api) importCredentials(ctx context.Context, c *call, in importIn) (*importOut, error) {
	r, err := importLines(in)
	if err != nil {
		return nil, err
	}
	im := &importer.Importer{
		Store: a.Credentials.Store, Tenants: importTenants{c}, Roles: importRoles{c}, MayAdd: c.mayAdd,
		Digester: a.Credentials.Digester, Hasher: a.Credentials.Hasher, Scribe: a.Scribe, By: c.by,
		Tenant: c.tenant.Name, DryRun: in.Body.DryRun,
	}
	report, err := im.Run(ctx, r)
	if err != nil {
		return nil, err
	}
	out := &importOut{Body: Imported{Imported: report.Imported, Existed: report.Existed, Conflicts: report.Conflicts, Bad: []BadLine{}}}
	for _, b := range report.Bad {
		out.Body.Bad = append(out.Body.Bad, BadLine{b.Line, b.Reason})
	}
	return out, nil
}

// importLines makes a reader whose line numbers count in.Lines from 1.
func importLines(in importIn) (*importer.Reader, error) {
	for _, l := range in.Body.Lines {
		if strings.ContainsAny(l, "\r\n") {
			return nil, field.Errorf("lines", "contain a line break")
		}
	}
	text := strings.NewReader(strings.Join(in.Body.Lines, "\n"))
	if in.Body.Format != string(importer.CSV) {
		return importer.NewReader(text, importer.JSONLines)
	}
	r, err := importer.NewReaderWith(text, in.Body.Columns)
	if err != nil {
		return nil, field.Errorf("columns", "%s", err.Error())
	}
	return r, nil
}

// importTenants finds tenants that the call may be about.
type importTenants struct{ c *call }

func (t importTenants) TenantByName(ctx context.Context, name string) (tenant.Tenant, error) {
	if name == t.c.tenant.Name {
		return t.c.tenant, nil
	}
	if !t.c.installation() {
		return tenant.Tenant{}, tenant.ErrNotFound
	}
	found, err := t.c.api.Tenants.Store.TenantByName(ctx, name)
	if err == nil {
		err = t.c.may(ctx, found.ID)
	}
	return found, err
}

// importRoles knows the roles that the caller may give.
type importRoles struct{ c *call }

func (r importRoles) KnownRole(ctx context.Context, tenantID, role string) (bool, error) {
	if role == principal.InstallationRole && !r.c.installation() {
		return false, nil
	}
	if err := r.c.mayRaise(ctx, tenantID, []string{role}, "this role"); err != nil {
		var status huma.StatusError
		if errors.As(err, &status) {
			return false, nil
		}
		return false, err
	}
	return r.c.api.Principals.Roles.KnownRole(ctx, tenantID, role)
}

// mayAdd is touch for principals that a line names: a new key for whoever
// administers would be a way to become him.
func (c *call) mayAdd(ctx context.Context, p principal.Principal) error {
	if c.installation() {
		return nil
	}
	have, err := c.api.Principals.Store.PrincipalByName(ctx, p.Tenant, p.Kind, p.Name)
	if errors.Is(err, principal.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if slices.Contains(have.Roles, principal.InstallationRole) {
		return importer.Refuse("the principal administers the installation; only its like may touch it")
	}
	err = c.mayRaise(ctx, have.Tenant, have.Roles, "a key of this principal")
	var status huma.StatusError
	if errors.As(err, &status) {
		err = importer.Refuse(status.Error())
	}
	return err
}
