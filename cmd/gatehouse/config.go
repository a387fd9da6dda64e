package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/config"
)

// configFile is where the configuration is when nobody says otherwise.
const configFile = "gatehouse.yaml"

// configFlag adds --config; its default can be set by GATEHOUSE_CONFIG.
func configFlag(p *program, c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", cmp.Or(p.getenv("GATEHOUSE_CONFIG"), configFile), "configuration `FILE` (GATEHOUSE_CONFIG)")
	if err := c.MarkFlagFilename("config", "yaml", "yml"); err != nil {
		panic(err) // the flag was defined one line above
	}
}

func configCommand(p *program) *cobra.Command {
	c := parent("config", "Check, print and explain the configuration", "", "  gatehouse config check",
		configCheck(p), configPrint(p), configDocs(p))
	c.GroupID = groupServer
	return c
}

func configCheck(p *program) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check",
		Short: "Read the configuration as the server would, and name every problem",
		Example: `  gatehouse config check
  gatehouse config check --config /etc/gatehouse/gatehouse.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			conf, err := config.Load(file, p.getenv)
			if err != nil {
				return err
			}
			for _, doubt := range config.Doubts(conf) {
				doubt.Where = file
				fmt.Fprintf(p.stderr, "warning: %s\n", doubt)
			}
			_, err = fmt.Fprintf(p.stdout, "%s is right: %s, %s, %s.\n", file,
				count(max(1, len(conf.Tenants)), "tenant"), count(len(conf.Upstreams), "upstream"), count(len(conf.Routes), "route"))
			return err
		},
	}
	configFlag(p, c, &file)
	return c
}

func configPrint(p *program) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "print",
		Short: "Print what is in force: file, environment and defaults, without secrets",
		Example: `  gatehouse config print
  GATEHOUSE_GATE_LISTEN=:8443 gatehouse config print`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			conf, err := config.Load(file, p.getenv)
			if err != nil {
				return err
			}
			return config.Print(p.stdout, conf)
		},
	}
	configFlag(p, c, &file)
	return c
}

func configDocs(p *program) *cobra.Command {
	return &cobra.Command{
		Use:     "docs",
		Short:   "Print the reference of all settings, in Markdown",
		Example: `  gatehouse config docs | less`,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return config.Docs(p.stdout) },
	}
}
