package adminapi

import (
	"context"
	"time"
)

type replaceIn struct {
	CredentialIn
	Body struct {
		Overlap *string `json:"overlap,omitempty" maxLength:"20" doc:"How long the old one lives on; 0s revokes it at once. Default: 24h" example:"24h"`
	}
}

// Replaced is a fresh key or pair, and the receipt of the end of the old one.
type Replaced struct {
	Issued
	Old    string    `json:"replaces" doc:"Id of the old one"`
	OldEnd time.Time `json:"old_ends" doc:"When the old one ends at the latest"`
	Receipt
}

type replacedOut struct{ Body Replaced }

func (a *api) replaceCredential(ctx context.Context, c *call, in replaceIn) (*replacedOut, error) {
	cr, err := c.touchCredential(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	overlap := 24 * time.Hour
	if in.Body.Overlap != nil {
		if overlap, err = duration("overlap", *in.Body.Overlap); err != nil {
			return nil, err
		}
	}
	end := a.Now().Add(overlap).UTC()
	out, err := a.Credentials.Replace(ctx, c.by, cr, overlap)
	if err != nil {
		return nil, err
	}
	return &replacedOut{Body: Replaced{Issued: a.issued(out), Old: cr.ID, OldEnd: end, Receipt: c.receipt(ctx, out.Change)}}, nil
}
