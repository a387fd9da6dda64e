package adminapi

import (
	"context"
	"slices"

	"gatehouse.dev/internal/credential"
)

type updateCredentialIn struct {
	CredentialIn
	Body struct {
		Comment     *string        `json:"comment,omitempty" maxLength:"500"`
		Constraints *ConstraintsIn `json:"constraints,omitempty" doc:"Replaces all of the old ones"`
	}
}

// Updated is a credential after a change, with the receipt where the change
// narrowed it.
type Updated struct {
	Credential Credential `json:"credential"`
	Receipt
}

type updatedOut struct{ Body Updated }

func (a *api) updateCredential(ctx context.Context, c *call, in updateCredentialIn) (*updatedOut, error) {
	cr, err := c.touchCredential(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Comment != nil {
		if err := a.Credentials.SetComment(ctx, c.by, cr, *in.Body.Comment); err != nil {
			return nil, err
		}
	}
	var change int64
	if in.Body.Constraints != nil {
		to, err := in.Body.Constraints.read()
		if err != nil {
			return nil, err
		}
		if change, err = a.Credentials.SetConstraints(ctx, c.by, cr, to); err != nil {
			return nil, err
		}
	}
	if cr, err = a.Credentials.Store.Credential(ctx, cr.ID); err != nil {
		return nil, err
	}
	return &updatedOut{Body: Updated{Credential: a.viewCredential(cr), Receipt: c.receipt(ctx, change)}}, nil
}

func (a *api) revokeCredential(ctx context.Context, c *call, in CredentialIn) (*receiptOut, error) {
	return a.endCredential(ctx, c, in, (*credential.Service).Revoke)
}

func (a *api) disableCredential(ctx context.Context, c *call, in CredentialIn) (*receiptOut, error) {
	return a.endCredential(ctx, c, in, (*credential.Service).Disable)
}

func (a *api) endCredential(
	ctx context.Context, c *call, in CredentialIn,
	do func(*credential.Service, context.Context, actor, credential.Credential) (int64, error),
) (*receiptOut, error) {
	cr, err := c.touchCredential(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	change, err := do(a.Credentials, ctx, c.by, cr)
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}

func (a *api) enableCredential(ctx context.Context, c *call, in CredentialIn) (*credentialOut, error) {
	cr, err := c.touchCredential(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.Credentials.Enable(ctx, c.by, cr); err != nil {
		return nil, err
	}
	return a.getCredential(ctx, c, in)
}

type secretIn struct {
	CredentialIn
	Secret string `path:"secret" maxLength:"64"`
}

func (a *api) revokeSecret(ctx context.Context, c *call, in secretIn) (*receiptOut, error) {
	cr, err := c.touchCredential(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	secrets, err := a.Credentials.Store.Secrets(ctx, cr.ID)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(secrets, func(s credential.Secret) bool { return s.ID == in.Secret }) {
		return nil, errNotFound
	}
	change, err := a.Credentials.RevokeSecret(ctx, c.by, cr, in.Secret)
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}
