package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/adminapi"
)

func signingKeyCommand(a *admin) *cobra.Command {
	return parent("signing-key", "List, rotate and distrust the keys that sign tokens",
		"Keys rotate by themselves. Distrust one that may be known to others: everything it\nhas signed ends at once.",
		`  gatehouse signing-key list
  gatehouse signing-key rotate ayyeka
  gatehouse signing-key distrust key_…`,
		signingKeyList(a), signingKeyRotate(a),
		signingKeyEnd(a, "distrust", "End all trust in a key, and whatever rests on its tokens", "Distrusted"),
		signingKeyEnd(a, "seal", "Erase the private half of a key that signs no more", "Sealed"))
}

func signingKeyList(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List signing keys", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			items, err := list[adminapi.SigningKey](a, c, "/v1/signing-keys", nil, 0)
			if err != nil {
				return err
			}
			t := table{head: []string{"KEY", "USE", "ALG", "STATE", "CREATED", "SIGNS SINCE", "ENDED"}, empty: "No signing keys yet; the first is made when it is needed."}
			return show(a, items, t, func(k adminapi.SigningKey) []string {
				return []string{k.ID, k.Use, k.Alg, k.State, day(k.Created), orDash(dayOf(k.Activated)), orDash(dayOf(k.Ended))}
			})
		},
	}
}

func signingKeyRotate(a *admin) *cobra.Command {
	var alg string
	var atOnce bool
	c := &cobra.Command{
		Use: "rotate USE", Short: "Let the next key sign", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			body := map[string]any{"use": args[0]}
			if alg != "" {
				body["alg"] = alg
			}
			if atOnce {
				body["at_once"] = true
			}
			var k adminapi.SigningKey
			if printed, err := a.post(c, "/v1/signing-keys/rotate", body, &k); printed || err != nil {
				return err
			}
			return fields(a.stdout, "Signs now", k.ID, "Use", k.Use, "Alg", k.Alg)
		},
	}
	c.Flags().StringVar(&alg, "alg", "", "`ALG`: RS256, RS384, ES256 or EdDSA (default: that of the key in use)")
	c.Flags().BoolVar(&atOnce, "at-once", false, "even if others cannot know the next key yet")
	offer(c, "alg", "RS256", "RS384", "ES256", "EdDSA")
	return c
}

func signingKeyEnd(a *admin, verb, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " KEY", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var r adminapi.Receipt
			if printed, err := a.post(c, "/v1/signing-keys/"+url.PathEscape(args[0])+"/"+verb, nil, &r); printed || err != nil {
				return err
			}
			return a.receipt(fmt.Sprintf("%s %s.", done, args[0]), r)
		},
	}
}
