package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/kra/agentapi"
)

// agentFlags say where the authority is, and as whom it is asked.
type agentFlags struct{ url, as, ca string }

func (a *agentFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.url, "kra", "https://localhost:8445", "address of the key recovery authority")
	f.StringVar(&a.as, "as", "", "the agent's certificate and key: a path without .crt and .key")
	f.StringVar(&a.ca, "ca", "", "certificate that the authority is trusted by; ca.crt beside --as")
}

// client makes the agent's way to the authority.
func (a *agentFlags) client() (*agentapi.Client, error) {
	show, err := showing(a.as, a.ca)
	if err != nil {
		return nil, err
	}
	c, err := agentapi.NewClient(a.url, show)
	if err != nil {
		return nil, usageError{fmt.Errorf("--kra: %w", err)}
	}
	return c, nil
}

// with opens the way to the authority for one command.
func (a *agentFlags) with(cmd *cobra.Command, do func(context.Context, *agentapi.Client) error) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), c), c.Close())
}

// numbered is a command about one number.
func (a *agentFlags) numbered(use, short string,
	do func(context.Context, *cobra.Command, *agentapi.Client, int64) error,
) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || n < 1 {
				return usageError{fmt.Errorf("%q is no number", args[0])}
			}
			return a.with(cmd, func(ctx context.Context, c *agentapi.Client) error {
				return do(ctx, cmd, c, n)
			})
		}}
}

func day(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func kraList(f *caFlags, a *agentFlags) *cobra.Command {
	var q agentapi.KeyQuery
	cmd := &cobra.Command{Use: "list", Short: "List archived keys", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, c *agentapi.Client) error {
				keys, err := c.Keys(ctx, q)
				if err != nil {
					return err
				}
				return f.say(cmd.OutOrStdout(), keys, func(w io.Writer) {
					fmt.Fprintln(w, "KEY\tKIND\tUSER\tCARD\tARCHIVED")
					for _, k := range keys {
						fmt.Fprintf(w, "%d\t%s-%d\t%s\t%s\t%s\n", k.ID, k.Type, k.Bits, k.UserID, k.CUID,
							day(k.Created))
					}
				})
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&q.User, "user", "", "of this user only")
	fl.StringVar(&q.CUID, "cuid", "", "made for this card only, 20 hex digits")
	fl.Int64Var(&q.After, "after", 0, "begin after this number")
	fl.IntVar(&q.Limit, "limit", 100, "at most so many, up to 500")
	return cmd
}

func kraShow(f *caFlags, a *agentFlags) *cobra.Command {
	return a.numbered("show KEY", "Show an archived key, without the private key",
		func(ctx context.Context, cmd *cobra.Command, c *agentapi.Client, id int64) error {
			k, err := c.Key(ctx, id)
			if err != nil {
				return err
			}
			return f.say(cmd.OutOrStdout(), k, func(w io.Writer) {
				fmt.Fprintf(w, "key\t%d\nkind\t%s-%d\nuser\t%s\ncard\t%s\narchived\t%s\nfor\t%s\n"+
					"request\t%s\nusages\t%s\npublic key\t%x\n", k.ID, k.Type, k.Bits, k.UserID, k.CUID,
					day(k.Created), k.Caller, k.RequestID, k.Usages, k.PublicKey)
			})
		})
}

func kraAudit(f *caFlags, a *agentFlags) *cobra.Command {
	var key, after int64
	var limit int
	var verify bool
	cmd := &cobra.Command{Use: "audit", Short: "List the audit trail, or verify that nobody changed it",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, c *agentapi.Client) error {
				if verify {
					return verifyAudit(ctx, f, cmd, c)
				}
				events, err := c.Events(ctx, key, after, limit)
				if err != nil {
					return err
				}
				return f.say(cmd.OutOrStdout(), events, func(w io.Writer) {
					fmt.Fprintln(w, "EVENT\tAT\tWHAT\tBY\tKEY\tREQUEST\tUSER\tCARD\tDETAIL")
					for _, e := range events {
						what := string(e.Kind)
						if e.Refused {
							what += " (refused)"
						}
						fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", e.Seq, day(e.At), what, e.Actor,
							e.KeyID, e.Request, e.UserID, e.CUID, e.Detail)
					}
				})
			})
		}}
	fl := cmd.Flags()
	fl.Int64Var(&key, "key", 0, "on this key only")
	fl.Int64Var(&after, "after", 0, "begin after this number")
	fl.IntVar(&limit, "limit", 100, "at most so many, up to 500")
	fl.BoolVar(&verify, "verify", false, "have the authority go through the whole trail")
	return cmd
}

func verifyAudit(ctx context.Context, f *caFlags, cmd *cobra.Command, c *agentapi.Client) error {
	v, err := c.Verify(ctx)
	if err != nil {
		return err
	}
	err = f.say(cmd.OutOrStdout(), v, func(w io.Writer) {
		fmt.Fprintf(w, "last good event\t%d\t%s\t%x\n", v.Last.Seq, day(v.Last.At), v.Last.MAC)
	})
	if err == nil && !v.OK {
		err = errors.New(v.Error)
	}
	return err
}
