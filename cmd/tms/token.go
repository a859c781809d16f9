package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/admin"
	"tokenwright/tms/admin/tpsadmin"
	"tokenwright/tms/instance"
	"tokenwright/tms/token"
)

const tokenHelp = `Look at tokens, and change their records, while the server runs.

States are shown by their names; --labels shows what people call them, as token-states.properties
beside CS.cfg has it, or else the shipped labels:

  FORMATTED 0, DAMAGED 1, PERM_LOST 2, SUSPENDED 3, ACTIVE 4, TERMINATED 6, UNFORMATTED 7

Which states a token can be moved to by hand, tokendb.allowedTransitions says; a SUSPENDED token that is
found goes back to where it came from. With the state its certificates are revoked, put on hold or
released. Where a certificate authority does not answer, the token stays as it is, what was asked for is
recorded, and the server goes on trying.

` + adminHelp

const tokenExample = `  tms token list --dir /srv/tms --user alice
  tms token list --state ACTIVE,SUSPENDED --from 2026-11-01 --json
  tms token show 40906145C76224192D2B --labels
  tms token set-state 40906145C76224192D2B PERM_LOST --reason "left in a train"
  tms token set-policy 40906145C76224192D2B PIN_RESET=YES RESET_PIN_RESET_TO_NO=YES --reason "forgot PIN"
  tms token list --url https://tps.example.com:8448 --as ~/admins/tps-olga`

// tokenFlags are what all commands about tokens have.
type tokenFlags struct {
	adminFlags
	caFlags
	labels bool
	reason string
}

func tokenCommand() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{Use: "token", Short: "Look at tokens and change their records", Long: tokenHelp,
		Example: tokenExample, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	f.adminFlags.add(cmd)
	cmd.PersistentFlags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
	cmd.PersistentFlags().BoolVar(&f.labels, "labels", false, "show labels of states, not their names")
	cmd.AddCommand(tokenList(&f), tokenShow(&f), tokenSetState(&f), tokenSetPolicy(&f), tokenAdd(&f),
		tokenDelete(&f), tokenLabels())
	return cmd
}

// ask opens the way to the server for one command.
func (f *tokenFlags) ask(cmd *cobra.Command,
	do func(context.Context, tpsadmin.Client) error,
) error {
	return f.with(cmd, instance.TPS, func(ctx context.Context, c *admin.Client) error {
		return do(ctx, tpsadmin.Client{Client: c})
	})
}

// state shows a state as it is asked for.
func (f *tokenFlags) state(s tpsadmin.State) string {
	if f.labels {
		return s.Label
	}
	return s.Name
}

// tokenOut is a token as --json shows it.
type tokenOut struct {
	Token      string           `json:"token"`
	State      string           `json:"state"`
	Label      string           `json:"label"`
	User       string           `json:"user,omitempty"`
	Type       string           `json:"type,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	Applet     string           `json:"applet,omitempty"`
	KeyInfo    string           `json:"keyInfo,omitempty"`
	Policy     string           `json:"policy,omitempty"`
	Effective  string           `json:"effectivePolicy,omitempty"`
	Next       []tpsadmin.State `json:"nextStates"`
	Created    time.Time        `json:"created"`
	Modified   time.Time        `json:"modified"`
	ModifiedBy string           `json:"modifiedBy,omitempty"`
	Why        string           `json:"why,omitempty"`
}

func outOf(t tpsadmin.Token) tokenOut {
	o := tokenOut{Token: t.TokenID, User: t.UserID, Type: t.Type, Reason: t.Reason, Applet: t.AppletID,
		KeyInfo: t.KeyInfo, Policy: t.Policy, Effective: t.Effective, Next: t.NextStates,
		ModifiedBy: t.ModifiedBy, Why: t.Why}
	if t.Status != nil {
		o.State, o.Label = t.Status.Name, t.Status.Label
	}
	if t.Created != nil && t.Modified != nil {
		o.Created, o.Modified = t.Created.Time, t.Modified.Time
	}
	if o.Next == nil {
		o.Next = []tpsadmin.State{}
	}
	return o
}

// listFlags narrow a list and page through it.
type listFlags struct{ tpsadmin.List }

func (l *listFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&l.User, "user", "", "of this user only")
	fl.StringVar(&l.From, "from", "", "not before this day (2006-01-02) or instant (2006-01-02T15:04:05Z)")
	fl.StringVar(&l.Until, "until", "", "before this day or instant")
	fl.IntVar(&l.Size, "limit", 100, "at most so many, up to 1000")
	fl.StringVar(&l.After, "after", "", "go on where a list ended, as it said")
}

// more tells how to go on, where it does not disturb programs.
func more(cmd *cobra.Command, next *string) {
	if next != nil && *next != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "There are more: --after %s\n", *next)
	}
}

func tokenList(f *tokenFlags) *cobra.Command {
	var l listFlags
	cmd := &cobra.Command{Use: "list", Short: "List tokens, the latest modified first",
		Args: usage(cobra.NoArgs),
		Long: `List tokens, the latest modified first. What the flags state must all hold; --from and --until are
about the last change of the record. With --json: {"tokens": [...], "next": "for --after"}.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkStates(l.States); err != nil {
				return err
			}
			return f.ask(cmd, func(ctx context.Context, c tpsadmin.Client) error {
				p, err := c.Tokens(ctx, l.List)
				if err != nil {
					return err
				}
				return f.sayTokens(cmd, p)
			})
		}}
	l.add(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&l.States, "state", nil, "in one of these states only, by name or number")
	fl.StringVar(&l.Type, "type", "", "of this token type only")
	return cmd
}

func checkStates(names []string) error {
	for _, name := range names {
		if _, err := token.ParseState(name); err != nil {
			return usageError{fmt.Errorf("--state: %w", err)}
		}
	}
	return nil
}

func (f *tokenFlags) sayTokens(cmd *cobra.Command, p tpsadmin.Page[tpsadmin.Token]) error {
	list := make([]tokenOut, 0, len(p.Entries))
	for _, t := range p.Entries {
		list = append(list, outOf(t))
	}
	err := f.say(cmd.OutOrStdout(), map[string]any{"tokens": list, "next": p.Next}, func(w io.Writer) {
		fmt.Fprintln(w, "TOKEN\tSTATE\tUSER\tTYPE\tMODIFIED\tBY")
		for _, t := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Token, f.state(tpsadmin.State{Name: t.State,
				Label: t.Label}), t.User, t.Type, day(t.Modified), t.ModifiedBy)
		}
	})
	more(cmd, p.Next)
	return err
}

func tokenShow(f *tokenFlags) *cobra.Command {
	return &cobra.Command{Use: "show CUID", Short: "Show a token, where it can go, and its certificates",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd, func(ctx context.Context, c tpsadmin.Client) error {
				t, err := c.Token(ctx, args[0])
				if err != nil {
					return err
				}
				certs, err := c.Certificates(ctx, tpsadmin.List{Token: args[0], Size: 1000})
				if err != nil {
					return err
				}
				return f.sayToken(cmd, t, certs.Entries)
			})
		}}
}

// sayToken shows one token; certs may be nil, where they are not asked for.
func (f *tokenFlags) sayToken(cmd *cobra.Command, t tpsadmin.Token, certs []tpsadmin.Certificate) error {
	o := outOf(t)
	all := struct {
		tokenOut
		Certificates []certOut `json:"certificates,omitempty"`
	}{tokenOut: o}
	for _, c := range certs {
		all.Certificates = append(all.Certificates, certOf(c))
	}
	return f.say(cmd.OutOrStdout(), all, func(w io.Writer) {
		next := make([]string, 0, len(o.Next))
		for _, s := range o.Next {
			next = append(next, f.state(s))
		}
		state := f.state(tpsadmin.State{Name: o.State, Label: o.Label})
		fmt.Fprintf(w, "token\t%s\nstate\t%s\nreason\t%s\nuser\t%s\ntype\t%s\napplet\t%s\nkeys\t%s\n"+
			"policy\t%s\nin force\t%s\ncan become\t%s\nadded\t%s\nmodified\t%s by %s: %s\n", o.Token, state,
			o.Reason, o.User, o.Type, o.Applet, o.KeyInfo, o.Policy, o.Effective, strings.Join(next, ", "),
			day(o.Created), day(o.Modified), o.ModifiedBy, o.Why)
		for _, c := range all.Certificates {
			fmt.Fprintf(w, "certificate\t%s %s, %s, %s, until %s\n", c.Serial, c.KeyType, c.Status,
				c.Presence, day(c.NotAfter))
		}
	})
}

// certOut is a certificate record as --json shows it.
type certOut struct {
	Serial   string    `json:"serial"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	KeyType  string    `json:"keyType"`
	Status   string    `json:"status"`
	Presence string    `json:"presence"`
	Origin   string    `json:"origin"`
	CA       string    `json:"ca"`
	NotAfter time.Time `json:"notAfter"`
}

func certOf(c tpsadmin.Certificate) certOut {
	o := certOut{Serial: strings.TrimPrefix(c.SerialNumber, "0x"), Issuer: c.Issuer, Subject: c.Subject,
		KeyType: c.KeyType, Status: c.Status, Presence: c.Presence, Origin: c.Origin, CA: c.CA}
	if c.NotAfter != nil {
		o.NotAfter = c.NotAfter.Time
	}
	return o
}

// changing is a command that changes something and says why.
func (f *tokenFlags) changing(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.reason, "reason", "", "why; it is kept in the record and the activity log")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(f.reason) == "" {
			return usageError{errors.New("--reason: want why")}
		}
		return run(cmd, args)
	}
	return cmd
}
