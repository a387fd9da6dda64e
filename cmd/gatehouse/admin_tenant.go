package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

func tenantCommand(a *admin) *cobra.Command {
	return parent("tenant", "Make, list and switch tenants",
		"A tenant is one organisation; everything else belongs to exactly one of them.",
		`  gatehouse tenant list
  gatehouse tenant create acme
  gatehouse tenant disable acme`,
		tenantList(a), tenantCreate(a), tenantDisable(a), tenantEnable(a))
}

var tenantHead = []string{"NAME", "NUMBER", "STATE", "CREATED", "ID"}

func tenantRow(t adminapi.Tenant) []string {
	return []string{t.Name, fmt.Sprint(t.Number), state(t.Enabled), day(t.Created), t.ID}
}

func state(enabled bool) string {
	if enabled {
		return "enabled"
	}
	return "disabled"
}

func tenantList(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all tenants", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			items, err := list[adminapi.Tenant](a, c, "/v1/tenants", nil, 0)
			if err != nil {
				return err
			}
			slices.SortFunc(items, func(a, b adminapi.Tenant) int { return strings.Compare(a.Name, b.Name) })
			return show(a, items, table{head: tenantHead, empty: "No tenants."}, tenantRow)
		},
	}
}

func tenantCreate(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "create NAME", Short: "Make a tenant", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var t adminapi.Tenant
			if printed, err := a.post(c, "/v1/tenants", map[string]any{"name": args[0]}, &t); printed || err != nil {
				return err
			}
			return fields(a.stdout, "Tenant", t.Name, "Number", fmt.Sprint(t.Number), "Id", t.ID)
		},
	}
}

func tenantDisable(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "disable TENANT", Short: "Disable a tenant and end everything of it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var r adminapi.Receipt
			if printed, err := a.post(c, "/v1/tenants/"+url.PathEscape(args[0])+"/disable", nil, &r); printed || err != nil {
				return err
			}
			return a.receipt("Disabled tenant "+args[0]+".", r)
		},
	}
}

func tenantEnable(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "enable TENANT", Short: "Enable a tenant again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if printed, err := a.post(c, "/v1/tenants/"+url.PathEscape(args[0])+"/enable", nil, nil); printed || err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.stdout, "Enabled tenant "+args[0]+".")
			return err
		},
	}
}
