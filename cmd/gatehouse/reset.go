package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/store/sqlite"
)

// adminParent has what administrators do on the machine itself.
func adminParent(p *program) *cobra.Command {
	c := parent("admin", "What only the owner of the machine can do", "", "  gatehouse admin reset", resetCommand(p))
	c.GroupID = groupServer
	return c
}

func resetCommand(p *program) *cobra.Command {
	var file string
	var others bool
	c := &cobra.Command{
		Use:   "reset [NAME]",
		Short: "Give the administrator a new key, when nobody has one any more",
		Long: `Gives the administrator NAME (admin, if none is named; made when absent) a new API key
and clears what keeps that administrator out: disabled, without the role, or API keys
switched off for the admin API. It needs no key: whoever can read the data folder and
the master key may do this. It works with the server running or not, and stands in the
audit record.`,
		Example: `  gatehouse admin reset
  gatehouse admin reset ada --revoke-others     # the old keys may be in wrong hands`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := "admin"
			if len(args) > 0 {
				name = args[0]
			}
			conf, err := config.Load(file, p.getenv)
			if err != nil {
				return err
			}
			key, err := resetOffline(c.Context(), conf, name, others)
			if errors.Is(err, sqlite.ErrLocked) {
				key, err = resetOnline(c.Context(), conf, name, others)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "%s administers the installation. This key is shown once:\n\n  %s\n", name, key)
			return err
		},
	}
	configFlag(p, c, &file)
	c.Flags().BoolVar(&others, "revoke-others", false, "revoke all other keys and passwords of that administrator")
	return c
}

// resetOffline works on the database itself.
func resetOffline(ctx context.Context, conf *config.Config, name string, others bool) (key string, err error) {
	state, err := app.OpenState(ctx, conf, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	a, err := app.ResetAdministrator(ctx, state, name, others)
	return a.Token.Reveal(), err
}

// resetOnline asks the server that has the database, over its socket.
func resetOnline(ctx context.Context, conf *config.Config, name string, others bool) (string, error) {
	api, err := adminclient.New(adminclient.Options{Socket: app.AdminSocket(conf.DataDir)})
	if err != nil {
		return "", err
	}
	who, err := ensureAdministrator(ctx, api, name)
	if err != nil {
		return "", err
	}
	err = api.Post(ctx, "/v1/methods/on", map[string]any{"dialect": adminapi.Dialect, "method": "api_key"}, nil)
	if err != nil {
		return "", fmt.Errorf("switch API keys on for the admin API: %w", err)
	}
	if others {
		if err := revokeCredentials(ctx, api, who.ID); err != nil {
			return "", err
		}
	}
	var made adminapi.Issued
	err = api.Post(ctx, "/v1/credentials", map[string]any{
		"principal": who.ID, "kind": "api_key", "comment": "made by gatehouse admin reset",
	}, &made)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return made.Secret, nil
}

func ensureAdministrator(ctx context.Context, api *adminclient.Client, name string) (adminapi.Principal, error) {
	var who adminapi.Principal
	var found page[adminapi.Principal]
	if err := api.Get(ctx, "/v1/users", adminclient.Query{"name": name}, &found); err != nil {
		return who, fmt.Errorf("find the administrator: %w", err)
	}
	if len(found.Items) == 0 {
		err := api.Post(ctx, "/v1/users", map[string]any{"name": name, "roles": []string{principal.InstallationRole}}, &who)
		if err != nil {
			return who, fmt.Errorf("make the administrator: %w", err)
		}
		return who, nil
	}
	who = found.Items[0]
	path := "/v1/users/" + url.PathEscape(who.ID)
	if !who.Enabled {
		if err := api.Post(ctx, path+"/enable", nil, nil); err != nil {
			return who, fmt.Errorf("enable the administrator: %w", err)
		}
	}
	if !slices.Contains(who.Roles, principal.InstallationRole) {
		if err := api.Post(ctx, path+"/roles/grant", map[string]any{"role": principal.InstallationRole}, nil); err != nil {
			return who, fmt.Errorf("give the administrator the role: %w", err)
		}
	}
	return who, nil
}

func revokeCredentials(ctx context.Context, api *adminclient.Client, owner string) error {
	for after := ""; ; {
		var list page[adminapi.Credential]
		if err := api.Get(ctx, "/v1/credentials", adminclient.Query{"principal": owner, "after": after}, &list); err != nil {
			return fmt.Errorf("list credentials: %w", err)
		}
		for _, c := range list.Items {
			if c.State == "revoked" {
				continue
			}
			if err := api.Post(ctx, credentialPath(c.ID)+"/revoke", nil, nil); err != nil {
				return fmt.Errorf("revoke %s: %w", c.ID, err)
			}
		}
		if len(list.Next) == 0 {
			return nil
		}
		after = list.Items[len(list.Items)-1].ID
	}
}
