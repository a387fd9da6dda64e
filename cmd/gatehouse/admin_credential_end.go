package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

// endCredential is a change that takes credentials away, one after the other.
func endCredential(a *admin, verb, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " CREDENTIAL…", Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, id := range args {
				var r adminapi.Receipt
				printed, err := a.post(c, credentialPath(id)+"/"+verb, nil, &r)
				if err != nil {
					return fmt.Errorf("%s: %w", id, err)
				}
				if printed {
					continue
				}
				if err := a.receipt(done+" "+id+".", r); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func credentialEnable(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "enable CREDENTIAL", Short: "Enable again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if printed, err := a.post(c, credentialPath(args[0])+"/enable", nil, nil); printed || err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.stdout, "Enabled "+args[0]+".")
			return err
		},
	}
}

func revokeSecret(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "revoke-secret CREDENTIAL SECRET", Short: "End one secret of a credential, and what rests on it", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var r adminapi.Receipt
			path := credentialPath(args[0]) + "/secrets/" + url.PathEscape(args[1]) + "/revoke"
			if printed, err := a.post(c, path, nil, &r); printed || err != nil {
				return err
			}
			return a.receipt("Revoked secret "+args[1]+".", r)
		},
	}
}

func rotateCommand(a *admin) *cobra.Command {
	var overlap string
	c := &cobra.Command{
		Use: "rotate CREDENTIAL", Short: "Add a fresh secret and let the older ones end", Args: cobra.ExactArgs(1),
		Long: "The older secrets live on for the overlap, so that whoever uses them has time to\nchange over. The fresh one is shown once.",
		Example: `  gatehouse key rotate cre_… --overlap 2h
  gatehouse key rotate cre_… --overlap 0s     # the old one ends now`,
		RunE: func(c *cobra.Command, args []string) error {
			body, err := overlapBody(overlap)
			if err != nil {
				return err
			}
			var out adminapi.Rotated
			if printed, err := a.post(c, credentialPath(args[0])+"/rotate", body, &out); printed || err != nil {
				return err
			}
			if err := a.receipt("Rotated "+args[0]+"; older secrets end "+day(out.OldEnd)+".", out.Receipt); err != nil {
				return err
			}
			return a.showIssued(out.Issued)
		},
	}
	c.Flags().StringVar(&overlap, "overlap", "", "how `LONG` older secrets live on: 30m, 2h, 7d, 0s (default 24h; for passwords 0s)")
	return c
}

// overlapBody is a request with the overlap that was given, if any.
func overlapBody(overlap string) (map[string]any, error) {
	body := map[string]any{}
	if overlap == "" {
		return body, nil
	}
	d, err := readSpan(overlap)
	if err != nil {
		return nil, fmt.Errorf("--overlap: %q is not a length of time such as 30m, 2h or 7d", overlap)
	}
	body["overlap"] = d.String()
	return body, nil
}

func replaceCommand(a *admin) *cobra.Command {
	var overlap string
	c := &cobra.Command{
		Use: "replace CREDENTIAL", Short: "Make a fresh key or pair in the place of one", Args: cobra.ExactArgs(1),
		Long: "The fresh one has the owner, the comment and the constraints of the old one, and\na public half and a secret of its own, shown once. The old one works for the\noverlap still, or is revoked at once.",
		Example: `  gatehouse key replace cre_… --overlap 2h
  gatehouse key replace cre_… --overlap 0s    # the old one is revoked now`,
		RunE: func(c *cobra.Command, args []string) error {
			body, err := overlapBody(overlap)
			if err != nil {
				return err
			}
			var out adminapi.Replaced
			if printed, err := a.post(c, credentialPath(args[0])+"/replace", body, &out); printed || err != nil {
				return err
			}
			if err := a.receipt("Replaced "+args[0]+", which ends "+day(out.OldEnd)+".", out.Receipt); err != nil {
				return err
			}
			return a.showIssued(out.Issued)
		},
	}
	c.Flags().StringVar(&overlap, "overlap", "", "how `LONG` the old one lives on: 30m, 2h, 7d, 0s (default 24h)")
	return c
}
