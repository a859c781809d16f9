package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/admin"
	"tokenwright/tms/instance"
)

const adminCommandHelp = `Say who may administer what runs, and make certificates for it.

Over the Unix socket in a subsystem's directory (admin.socket, admin.socketMode, admin.socketGroup) the
account of the peer counts: root and whoever runs the server may do everything, others what is listed.
Over HTTPS, at a port of its own where admin.listen of CS.cfg says one, a client certificate counts; those
that admin.clientCA, or else certs/ca.crt, vouches for are looked up in the list.

  administrator  adds and deletes tokens
  agent          changes states and policies of tokens; issues and revokes certificates
  operator       looks`

func adminCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "admin", Short: "Say who may administer what runs",
		Long: adminCommandHelp, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(adminAdd())
	return cmd
}

func adminAdd() *cobra.Command {
	var f caFlags
	var roles, subsystem string
	cmd := &cobra.Command{Use: "add NAME", Args: usage(cobra.ExactArgs(1)),
		Short:   "Make a certificate for somebody who administers, and list them in CS.cfg",
		Example: `  tms admin add olga --roles agent,operator --dir /srv/tms`,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := admin.ParseRoles(roles)
			if err == nil && len(list) == 0 {
				err = errors.New("want administrator, agent or operator")
			}
			if err != nil {
				return usageError{fmt.Errorf("--roles: %w", err)}
			}
			base, err := instance.AddAdmin(f.dir, subsystem, args[0], list, time.Now())
			if errors.Is(err, instance.ErrExists) {
				return exitError{err, exitExists}
			}
			if err != nil {
				return exitError{err, exitInstance}
			}
			return f.say(cmd.OutOrStdout(), map[string]string{"certificate": base}, func(w io.Writer) {
				fmt.Fprintf(w, "certificate\t%s.crt\nkey\t%s.key\n\nNext\n\n  hand both to %s, with ca.crt beside "+
					"them\n  set admin.listen in %s/CS.cfg, and start the server anew\n", base, base, args[0],
					subsystem)
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&f.dir, "dir", ".", "the instance's directory")
	fl.BoolVar(&f.asJSON, "json", false, "answer in JSON")
	fl.StringVar(&roles, "roles", "", "what they may: administrator, agent, operator, with commas between")
	fl.StringVar(&subsystem, "subsystem", instance.TPS, "what they administer: tps, ca1")
	return cmd
}
