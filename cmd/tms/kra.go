package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/instance"
	"tokenwright/tms/keystore"
)

const kraHelp = `Make a key recovery authority, and act as one of its recovery agents.

create, connect and add-agents work on the instance's files. The other commands ask the running
authority over HTTPS, as the agent whose certificate --as names: a path without .crt and .key,
with ca.crt beside them.

An archived key goes to its owner's cards without any agent. Agents may have a key exported, or
let another user's cards have it too: one makes a request, so many as are configured approve it,
and the one who made it fulfils it, once. The one who made it counts, but is never enough.`

const kraExample = `  tms kra create --dir /srv/tms --agents ann,bob,cy --approvals 2
  tms kra list --as ./ann --user alice
  tms kra request 17 --as ./ann --reason "left the company, case 4711"
  tms kra approve 3 --as ./bob
  tms kra recover 3 --as ./ann --out alice.pem
  tms kra audit --as ./cy --verify`

func kraCommand() *cobra.Command {
	var f caFlags
	var a agentFlags
	cmd := &cobra.Command{Use: "kra", Short: "Make a key recovery authority, and recover keys",
		Long: kraHelp, Example: kraExample, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.PersistentFlags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
	cmd.AddCommand(kraCreate(&f), kraConnect(&f), kraAddAgents(&f))
	for _, c := range []*cobra.Command{
		kraList(&f, &a), kraShow(&f, &a), kraRequests(&f, &a), kraRequest(&f, &a),
		kraVote(&f, &a, true), kraVote(&f, &a, false), kraCancel(&f, &a), kraRecover(&f, &a),
		kraAudit(&f, &a),
	} {
		a.add(c)
		cmd.AddCommand(c)
	}
	return cmd
}

func kraCreate(f *caFlags) *cobra.Command {
	var o instance.KRAOptions
	var key string
	cmd := &cobra.Command{Use: "create", Short: "Make the key recovery authority of an instance",
		Long: `Make the key recovery authority in DIR/kra: storage key, transport key and certificate,
configuration, and certificates of recovery agents in DIR/kra-agents, to be handed out. The TPS
beside it is told where it is, the TKS is given the transport certificate.

Keep DIR/kra/keystore and its passphrase safe and backed up: without the storage key no archived
key comes back.`,
		Example: "  tms kra create --dir /srv/tms --agents ann,bob,cy --approvals 2",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Transport = keystore.Spec(key)
			var made instance.KRAMade
			err := slowly(cmd.ErrOrStderr(), "Making keys and certificates", func() (err error) {
				made, err = instance.CreateKRA(cmd.Context(), f.dir, o)
				return err
			})
			if errors.Is(err, instance.ErrExists) {
				return exitError{err, exitExists}
			}
			if err != nil {
				return err
			}
			return f.say(cmd.OutOrStdout(), made, func(w io.Writer) {
				fmt.Fprintf(w, "Made %s\n\nlistens on\t%s\ntransport certificate\t%s\n", made.Dir,
					made.Listen, made.Transport)
				for _, a := range made.Agents {
					fmt.Fprintf(w, "agent\t%s.crt\n", a)
				}
				fmt.Fprint(w, "\nNext\n\n")
				for _, n := range made.Next {
					fmt.Fprintf(w, "  %s\n", n)
				}
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&f.dir, "dir", ".", "the instance's directory")
	fl.StringVar(&o.Host, "host", "localhost", "name or address by which others reach it")
	fl.StringVar(&o.Listen, "listen", "127.0.0.1:8445", "host:port on which it listens")
	fl.StringVar(&key, "transport-key", "rsa2048", "kind of its transport key: rsa2048, rsa3072, rsa4096")
	fl.StringSliceVar(&o.Agents, "agents", nil, "names of recovery agents; none or two and more")
	fl.IntVar(&o.Approvals, "approvals", 2, "how many agents must approve a request")
	return cmd
}

func kraConnect(f *caFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "connect", Args: usage(cobra.NoArgs),
		Short: "Tell TPS and TKS of the key recovery authority, if creating it did not",
		Long: `Tell the TPS and the TKS of the same instance of the key recovery authority: the TPS
where it is (tps.connector.kra1), the TKS its transport certificate
(tks.drm_transport_cert_nickname). What they were told already stays as it is.

create does this by itself; connect is for when that was cut off, or undone.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := instance.ConnectKRA(f.dir); err != nil {
				return exitError{err, exitInstance}
			}
			return sayConnected(f, cmd, instance.KRA)
		}}
	cmd.Flags().StringVar(&f.dir, "dir", ".", "the instance's directory")
	return cmd
}

// sayConnected says that an authority is known to those beside it.
func sayConnected(f *caFlags, cmd *cobra.Command, name string) error {
	return f.say(cmd.OutOrStdout(), map[string]string{"connected": name}, func(w io.Writer) {
		fmt.Fprintf(w, "%s is known in %s; what runs must be started anew\n", name, f.dir)
	})
}

func kraAddAgents(f *caFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "add-agents NAME...", Short: "Make certificates for recovery agents, and " +
		"enter them", Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			paths, err := instance.AddKRAAgents(f.dir, names, time.Now())
			if err != nil {
				return err
			}
			return f.say(cmd.OutOrStdout(), map[string][]string{"agents": paths}, func(w io.Writer) {
				for _, p := range paths {
					fmt.Fprintf(w, "agent\t%s.crt\n", p)
				}
				fmt.Fprintf(w, "\nNext\n\n  hand each agent these files: %s\n"+
					"  start the key recovery authority anew\n", strings.Join([]string{"<name>.crt",
					"<name>.key", "ca.crt"}, ", "))
			})
		}}
	cmd.Flags().StringVar(&f.dir, "dir", ".", "the instance's directory")
	return cmd
}
