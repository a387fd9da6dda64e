package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/seal"
)

// initPlan says what `gatehouse init` makes and where.
type initPlan struct {
	config    string
	data      string
	masterKey string
	database  string
	admin     string
}

func initCommand(p *program) *cobra.Command {
	var plan initPlan
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration, a master key, and make the first administrator",
		Long: `Writes a commented configuration and a master key, makes the data folder and the
database in it, and the first administrator, whose key is printed once.

Nothing that exists is replaced. The master key lies outside the data folder: keep a
copy of it, but not where the copies of the data are.`,
		Example: `  gatehouse init
  gatehouse init --config /etc/gatehouse/gatehouse.yaml --data /var/lib/gatehouse
  gatehouse init --database 'postgres://gatehouse@db.internal/gatehouse'`,
		GroupID: groupServer,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return p.init(c.Context(), plan) },
	}
	configFlag(p, c, &plan.config)
	f := c.Flags()
	f.StringVar(&plan.data, "data", "", "data `FOLDER` (default: data, beside the configuration)")
	f.StringVar(&plan.masterKey, "master-key", "", "master key `FILE` (default: master.key, beside the configuration)")
	f.StringVar(&plan.database, "database", "sqlite", "sqlite or a PostgreSQL `URL`")
	f.StringVar(&plan.admin, "admin", "admin", "`NAME` of the first administrator")
	return c
}

// init makes an installation. What it made is taken away again when a later step
// fails, so that it can simply be called once more.
func (p *program) init(ctx context.Context, plan initPlan) (err error) {
	var undo []func()
	defer func() {
		if err != nil {
			for i := len(undo); i > 0; i-- {
				undo[i-1]()
			}
		}
	}()

	plan = plan.withDefaults()
	if err := os.MkdirAll(filepath.Dir(plan.config), 0o755); err != nil {
		return fmt.Errorf("make the folder of the configuration: %w", err)
	}
	if err := plan.writeConfig(); err != nil {
		return err
	}
	undo = append(undo, func() { os.Remove(plan.config) })

	conf, err := config.Load(plan.config, func(string) string { return "" })
	if err != nil {
		return err
	}
	made, err := ensureMasterKey(string(conf.MasterKeyFile))
	if err != nil {
		return err
	}
	if made {
		undo = append(undo, func() { os.Remove(string(conf.MasterKeyFile)) })
	}
	if _, err := os.Stat(string(conf.DataDir)); errors.Is(err, fs.ErrNotExist) {
		undo = append(undo, func() { os.RemoveAll(string(conf.DataDir)) })
	}

	admin, err := makeAdministrator(ctx, conf, plan.admin)
	if err != nil {
		return err
	}
	return p.tellInit(plan, conf, admin, made)
}

func (plan initPlan) withDefaults() initPlan {
	if plan.data == "" {
		plan.data = "data"
	} else if abs, err := filepath.Abs(plan.data); err == nil {
		plan.data = abs // given on the command line: relative to where we are, not to the file
	}
	if plan.masterKey == "" {
		plan.masterKey = "master.key"
	} else if abs, err := filepath.Abs(plan.masterKey); err == nil {
		plan.masterKey = abs
	}
	return plan
}

func (plan initPlan) writeConfig() error {
	// A database URL can hold a password, so nobody else reads the file.
	f, err := os.OpenFile(plan.config, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already and is not replaced; start it with: gatehouse serve --config %[1]s", plan.config)
	}
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	err = config.Template(f, config.Path(plan.data), config.Path(plan.masterKey), plan.database)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write configuration: %w", errors.Join(err, os.Remove(plan.config)))
	}
	return nil
}

// ensureMasterKey makes the file unless there is one, which must then be good: a
// second installation on the same database needs the same key.
func ensureMasterKey(path string) (made bool, err error) {
	if _, err := os.Stat(path); err == nil {
		_, err := seal.LoadMasters(path)
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make the folder of the master key: %w", err)
	}
	_, err = seal.CreateMasters(path)
	return err == nil, err
}

func makeAdministrator(ctx context.Context, conf *config.Config, name string) (_ app.Administrator, err error) {
	state, err := app.OpenState(ctx, conf, slog.New(slog.DiscardHandler))
	if err != nil {
		return app.Administrator{}, err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	return app.FirstAdministrator(ctx, state, name)
}

func (p *program) tellInit(plan initPlan, conf *config.Config, admin app.Administrator, madeKey bool) error {
	key := "kept "
	if madeKey {
		key = "wrote"
	}
	serve := "gatehouse serve"
	if plan.config != configFile {
		serve += " --config " + plan.config
	}
	_, err := fmt.Fprintf(p.stdout, `wrote %s
%s %s   keep a copy of it where the data is not
made  %s

The first administrator is %s. This key is shown once:

  %s

Start the server with

  %s
`, plan.config, key, conf.MasterKeyFile, conf.DataDir, admin.Principal.Name, admin.Token.Reveal(), serve)
	return err
}
