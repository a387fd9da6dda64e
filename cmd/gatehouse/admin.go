package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/secret"
)

// admin is what the commands of administration share: where the server is, and
// how to show what it says.
type admin struct {
	*program
	data, config  string
	server, token string
	tenant        string
	json, plain   bool

	client *adminclient.Client // made at the first call
}

// adminCommands are the commands that talk to a running server.
func adminCommands(p *program) []*cobra.Command {
	var out []*cobra.Command
	for _, build := range []func(*admin) *cobra.Command{
		tenantCommand, userCommand, clientCommand, applicationCommand, deviceCommand,
		keyCommand, credentialCommand, policyCommand, methodCommand, signingKeyCommand, tokenCommand,
		connCommand, changeCommand, auditCommand, whoamiCommand,
	} {
		a := &admin{program: p}
		c := build(a)
		c.GroupID = groupAdmin
		a.flags(c)
		out = append(out, c)
	}
	return out
}

// flags adds what every command of administration takes.
func (a *admin) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&a.data, "data", "", "data `FOLDER` of the server on this machine (default: what the configuration says)")
	f.StringVarP(&a.config, "config", "c", "", "configuration `FILE` that says where the data folder is (default gatehouse.yaml, GATEHOUSE_CONFIG)")
	f.StringVar(&a.server, "server", a.getenv("GATEHOUSE_SERVER"), "`URL` of the desk of a server elsewhere (GATEHOUSE_SERVER)")
	f.StringVar(&a.token, "token-file", "", "`FILE` with the API key for --server (else GATEHOUSE_TOKEN)")
	f.StringVarP(&a.tenant, "tenant", "t", a.getenv("GATEHOUSE_TENANT"), "`NAME` or id of the tenant (GATEHOUSE_TENANT; default: your own)")
	f.BoolVar(&a.json, "json", false, "print JSON, as the server sends it")
	f.BoolVar(&a.plain, "plain", false, "allow --server http://… to other machines")
	for name, exts := range map[string][]string{"config": {"yaml", "yml"}, "token-file": nil} {
		if err := c.MarkPersistentFlagFilename(name, exts...); err != nil {
			panic(err) // the flag was defined above
		}
	}
	if err := c.MarkPersistentFlagDirname("data"); err != nil {
		panic(err)
	}
}

// api returns the client, over the socket unless a server is named.
func (a *admin) api() (*adminclient.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	o := adminclient.Options{Tenant: a.tenant, Server: a.server, Plain: a.plain}
	if a.server != "" && a.data != "" {
		return nil, errors.New("give either --data or --server")
	}
	var err error
	if a.server == "" {
		dir, errDir := a.dataDir()
		o.Socket, err = filepath.Join(dir, adminapi.SocketName), errDir
	} else {
		o.Token, err = a.key()
	}
	if err != nil {
		return nil, err
	}
	a.client, err = adminclient.New(o)
	return a.client, err
}

// dataDir is the data folder: as told, else as the configuration says.
func (a *admin) dataDir() (string, error) {
	if a.data != "" {
		return a.data, nil
	}
	file := a.config
	if file == "" {
		file = a.getenv("GATEHOUSE_CONFIG")
	}
	if file == "" {
		file = configFile
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return string(config.Default().DataDir), nil
		}
	}
	conf, err := config.Load(file, a.getenv)
	if err != nil {
		return "", fmt.Errorf("find the data folder (or name it with --data): %w", err)
	}
	return string(conf.DataDir), nil
}

// maxToken bounds a file that is taken for a key.
const maxToken = 4 << 10

func (a *admin) key() (secret.Text, error) {
	if a.token == "" {
		return secret.New(strings.TrimSpace(a.getenv("GATEHOUSE_TOKEN"))), nil
	}
	f, err := os.Open(a.token)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return secret.Text{}, fmt.Errorf("read key: %w", err)
	}
	if len(b) > maxToken || len(bytes.TrimSpace(b)) == 0 {
		return secret.Text{}, fmt.Errorf("%s does not look like a file with one API key", a.token)
	}
	return secret.New(strings.TrimSpace(string(b))), nil
}

// get reads into out. With --json it prints the answer too, and reports that
// there is nothing left to show.
func (a *admin) get(c *cobra.Command, path string, q adminclient.Query, out any) (printed bool, err error) {
	return a.send(c, "GET", path, q, nil, out)
}

// post changes something; else it is like get.
func (a *admin) post(c *cobra.Command, path string, body, out any) (printed bool, err error) {
	return a.send(c, "POST", path, nil, body, out)
}

func (a *admin) send(c *cobra.Command, method, path string, q adminclient.Query, body, out any) (printed bool, err error) {
	api, err := a.api()
	if err != nil {
		return false, err
	}
	var raw json.RawMessage
	if err := api.Send(c.Context(), method, path, q, body, &raw); err != nil {
		return false, err
	}
	if len(raw) == 0 {
		return a.json, nil
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			return false, fmt.Errorf("understand answer: %w", err)
		}
	}
	if a.json {
		return true, a.printJSON(raw)
	}
	return false, nil
}

func (a *admin) printJSON(raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("understand answer: %w", err)
	}
	fmt.Fprintln(a.stdout, strings.TrimSpace(b.String()))
	return nil
}

// page is one page of any list.
type page[T any] struct {
	Items []T             `json:"items"`
	Next  json.RawMessage `json:"next,omitempty"`
}

// list reads pages until there is no more, or limit is reached.
func list[T any](a *admin, c *cobra.Command, path string, q adminclient.Query, limit int) ([]T, error) {
	api, err := a.api()
	if err != nil {
		return nil, err
	}
	if q == nil {
		q = adminclient.Query{}
	}
	var all []T
	for {
		if limit > 0 {
			q["limit"] = fmt.Sprint(min(limit-len(all), 500))
		}
		var p page[T]
		if err := api.Get(c.Context(), path, q, &p); err != nil {
			return nil, err
		}
		all = append(all, p.Items...)
		next := strings.Trim(string(p.Next), `"`)
		if next == "" || next == "0" || next == "null" || limit > 0 && len(all) >= limit {
			return all, nil
		}
		q["after"] = next
	}
}

// show prints a list as a table, or as JSON.
func show[T any](a *admin, items []T, t table, row func(T) []string) error {
	if a.json {
		if items == nil {
			items = []T{}
		}
		raw, err := json.Marshal(map[string]any{"items": items})
		if err != nil {
			return err
		}
		return a.printJSON(raw)
	}
	for _, item := range items {
		t.rows = append(t.rows, row(item))
	}
	return t.write(a.stdout)
}

// parent is a command that only has others below it.
func parent(use, short, long, example string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(below...)
	return c
}

func whoamiCommand(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Say who you are to the server", Args: cobra.NoArgs,
		Example: `  gatehouse whoami
  gatehouse whoami --server https://desk.example --token-file key`,
		RunE: func(c *cobra.Command, _ []string) error {
			var s adminapi.Self
			if printed, err := a.get(c, "/v1/self", nil, &s); printed || err != nil {
				return err
			}
			may := "this tenant"
			if s.Installation {
				may = "every tenant"
			}
			return fields(a.stdout, "Name", s.Name, "Principal", s.Principal, "Tenant", s.Tenant.Name,
				"Roles", strings.Join(s.Roles, ", "), "Shown by", s.Method, "Administers", may)
		},
	}
}
