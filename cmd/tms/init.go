package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tokenwright/tms/instance"
)

const initHelp = `Make an instance in DIR, which must not exist or be empty.

DIR/tks is the token key service: it holds the master keys and should stand where few can
reach it. DIR/tps is the token processing system that clients connect to. Each stands on its
own and may move to another machine. DIR/ca issues the certificates they know each other by;
keep its key apart.

A master key of version 02 is generated for every key set that is shipped. Cards take it up
when they are formatted with op.format.<type>.update.symmetricKeys.enable=true and
.requiredVersion=2 in DIR/tps/CS.cfg. Keep DIR/tks/keystore and its passphrase safe and backed
up: a card can only be opened with the master key it was given.`

const initExample = `  tms init /srv/tms --host tps.example.com \
      --ldap ldaps://ldap.example.com/dc=example,dc=com
  tms init ./try --tps-listen 127.0.0.1:8443`

func initCommand() *cobra.Command {
	var o instance.InitOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use: "init DIR", Short: "Make an instance", Long: initHelp, Example: initExample,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var made instance.Made
			err := slowly(cmd.ErrOrStderr(), "Making keys and certificates", func() (err error) {
				made, err = instance.Init(cmd.Context(), args[0], o)
				return err
			})
			if errors.Is(err, instance.ErrExists) {
				return exitError{err, exitExists}
			}
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(made)
			}
			return printMade(cmd.OutOrStdout(), made)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Host, "host", "localhost", "name or address by which clients reach the TPS")
	f.StringVar(&o.TPSListen, "tps-listen", ":8443", "host:port on which the TPS listens")
	f.StringVar(&o.TKSListen, "tks-listen", "127.0.0.1:8444", "host:port on which the TKS listens")
	f.StringVar(&o.LDAP, "ldap", "", "users' directory, ldaps://host:port/base-dn")
	f.StringVar(&o.Issuer, "issuer", "tokenwright", "name shown to users by the phone home page")
	f.BoolVar(&asJSON, "json", false, "say what was made as JSON")
	return cmd
}

// printMade says what was made in words.
func printMade(out io.Writer, m instance.Made) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Made an instance in %s\n\n", m.Dir)
	for _, f := range m.Files {
		fmt.Fprintf(w, "  %s\t%s\n", f.Path, f.What)
	}
	fmt.Fprintf(w, "\nMaster keys (key check values are not secret)\n\n")
	for _, k := range m.MasterKeys {
		fmt.Fprintf(w, "  %s\tversion %s, %s, KCV %s, key sets %v\n", k.Name, k.Version,
			k.Algorithm, k.KCV, k.KeySets)
	}
	fmt.Fprintf(w, "\nTPS for clients\t%s\nTKS listens on\t%s\n\nNext\n\n", m.TPS, m.TKS)
	for _, n := range m.Next {
		fmt.Fprintf(w, "  %s\n", n)
	}
	return w.Flush()
}
