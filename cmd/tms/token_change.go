package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tokenwright/tms/admin/tpsadmin"
	"tokenwright/tms/token"
)

func tokenSetState(f *tokenFlags) *cobra.Command {
	return f.changing(&cobra.Command{Use: "set-state CUID STATE", Args: usage(cobra.ExactArgs(2)),
		Short: "Move a token to a state by hand, with all that follows for its certificates",
		Long: `Move a token to a state by hand. "tms token show" tells which ones it can go to.

  DAMAGED, PERM_LOST, TERMINATED   certificates are revoked, as the token type says for that reason
  SUSPENDED                        certificates are put on hold
  FORMATTED, ACTIVE                a suspended token was found; certificates are released
  UNFORMATTED                      a terminated token is used again; its record forgets its user

Naming the state that it is in changes nothing, and gives up a change that waits.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := token.ParseState(args[1])
			if err != nil {
				return usageError{err}
			}
			return f.ask(cmd, func(ctx context.Context, c tpsadmin.Client) error {
				t, err := c.SetState(ctx, args[0], to.String(), f.reason)
				if err != nil {
					return err
				}
				return f.sayToken(cmd, t, nil)
			})
		}})
}

func tokenSetPolicy(f *tokenFlags) *cobra.Command {
	var replace bool
	cmd := f.changing(&cobra.Command{Use: "set-policy CUID RULE=YES|NO...",
		Args:  usage(cobra.MinimumNArgs(2)),
		Short: "State rules of a token's policy",
		Long: `State rules of a token's policy. Those that are not named stay as they are, or with --replace
go: what a token's policy does not state, tokendb.defaultPolicy does.

  RE_ENROLL                  an active token may be enrolled again
  RENEW                      enrolling an active token renews its certificates, with the same keys
  FORCE_FORMAT               the next enrollment formats the card first
  PIN_RESET                  the PIN may be reset
  RESET_PIN_RESET_TO_NO      but only once: PIN_RESET is NO afterwards
  RENEW_KEEP_OLD_ENC_CERTS   a renewal keeps old encryption certificates on the card

Under external registration policies do not count.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := token.ParsePolicy(strings.Join(args[1:], ";"))
			if err != nil {
				return usageError{err}
			}
			return f.ask(cmd, func(ctx context.Context, c tpsadmin.Client) error {
				t, err := c.Modify(ctx, args[0], tpsadmin.Token{Policy: p.String()}, !replace, f.reason)
				if err != nil {
					return err
				}
				return f.sayToken(cmd, t, nil)
			})
		}})
	cmd.Flags().BoolVar(&replace, "replace", false, "state these rules and no other")
	return cmd
}

func tokenAdd(f *tokenFlags) *cobra.Command {
	var t tpsadmin.Token
	cmd := f.changing(&cobra.Command{Use: "add CUID", Args: usage(cobra.ExactArgs(1)),
		Short: "Record a card that was never seen, UNFORMATTED",
		Long: `Record a card that was never seen: it is UNFORMATTED. Where op.format.allowUnknownToken is
false, only cards that are recorded can be formatted.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			t.TokenID = args[0]
			return f.ask(cmd, func(ctx context.Context, c tpsadmin.Client) error {
				made, err := c.Add(ctx, t, f.reason)
				if err != nil {
					return err
				}
				return f.sayToken(cmd, made, nil)
			})
		}})
	cmd.Flags().StringVar(&t.UserID, "user", "", "whose it will be")
	cmd.Flags().StringVar(&t.Policy, "policy", "", "its policy, as RE_ENROLL=YES;RENEW=NO")
	return cmd
}

func tokenLabels() *cobra.Command {
	return &cobra.Command{Use: "labels", Short: "Write the shipped labels, as a file to begin one's own from",
		Args: usage(cobra.NoArgs),
		Long: `Write the shipped labels of states and moves. Put them beside CS.cfg of the TPS as
token-states.properties, and change them: that shows at once. Deleting the file brings the shipped ones
back, and so does a file that is none; the server's log says what is wrong with it.`,
		Example: `  tms token labels > /srv/tms/tps/token-states.properties`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), token.Labels{}.File())
			return err
		}}
}

func tokenDelete(f *tokenFlags) *cobra.Command {
	return f.changing(&cobra.Command{Use: "delete CUID", Args: usage(cobra.ExactArgs(1)),
		Short: "Forget a token, but for its activities",
		Long: `Forget a token and the records of its certificates; its activities stay. A token with a certificate
that is valid still is not forgotten: TERMINATE it first.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd, func(ctx context.Context, c tpsadmin.Client) error {
				if err := c.Delete(ctx, args[0], f.reason); err != nil {
					return err
				}
				return f.say(cmd.OutOrStdout(), map[string]string{"deleted": args[0]}, func(w io.Writer) {
					fmt.Fprintf(w, "%s is forgotten\n", args[0])
				})
			})
		}})
}
