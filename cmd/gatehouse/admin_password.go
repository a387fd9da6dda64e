package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
	"gatehouse.dev/internal/secret"
)

func passwordCommand(a *admin) *cobra.Command {
	var generate bool
	n := nounOf("user")
	c := &cobra.Command{
		Use: "password NAME", Short: "Set the password of a user", Args: cobra.ExactArgs(1), ValidArgsFunction: n.complete(a),
		Long: `Sets the password of a user: typed at a terminal, else the first line of the input.
The old one, if there is one, ends at once, and with it what rests on it.`,
		Example: `  gatehouse user password ada
  gatehouse user password ada --generate
  gatehouse user password ada < file`,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := n.find(a, c, args[0])
			if err != nil {
				return err
			}
			var pw secret.Text
			if !generate {
				if pw, err = a.readPassword(); err != nil {
					return err
				}
			}
			return a.setPassword(c, p, pw)
		},
	}
	c.Flags().BoolVar(&generate, "generate", false, "make one and show it")
	return c
}

// setPassword makes the credential, or rotates the one there is.
func (a *admin) setPassword(c *cobra.Command, p adminapi.Principal, pw secret.Text) error {
	have, err := list[adminapi.Credential](a, c, "/v1/credentials", adminclient.Query{"principal": p.ID, "kind": "password"}, 0)
	if err != nil {
		return err
	}
	body := map[string]any{}
	if !pw.Empty() {
		body["password"] = pw.Reveal()
	}
	path := "/v1/credentials"
	for _, cr := range have {
		if cr.State != "revoked" {
			path = "/v1/credentials/" + cr.ID + "/rotate"
		}
	}
	if path == "/v1/credentials" {
		body["principal"], body["kind"] = p.ID, "password"
	}
	var out adminapi.Rotated
	if printed, err := a.post(c, path, body, &out); printed || err != nil {
		return err
	}
	if err := a.receipt("Set the password of user "+p.Name+".", out.Receipt); err != nil || !pw.Empty() {
		return err
	}
	return a.secretOnce("Password", out.Secret)
}

// readPassword asks twice at a terminal, and else reads one line.
func (a *admin) readPassword() (secret.Text, error) {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(a.stdin, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return secret.Text{}, fmt.Errorf("read password: %w", err)
		}
		pw := secret.New(strings.TrimRight(line, "\r\n"))
		if pw.Empty() {
			return pw, errors.New("no password on the input; type one, or use --generate")
		}
		return pw, nil
	}
	ask := func(prompt string) (secret.Text, error) {
		fmt.Fprint(a.stderr, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.stderr)
		return secret.New(string(b)), err
	}
	first, err := ask("New password: ")
	if err != nil {
		return secret.Text{}, fmt.Errorf("read password: %w", err)
	}
	second, err := ask("Once more: ")
	if err != nil {
		return secret.Text{}, fmt.Errorf("read password: %w", err)
	}
	if first.Empty() || !first.Equal(second) {
		return secret.Text{}, errors.New("that was not the same twice")
	}
	return first, nil
}
