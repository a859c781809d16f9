package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/admin/tpsadmin"
	"tokenwright/tms/token"
)

const activityHelp = `Look at the activity log: what was done to tokens, by whom, and how it ended.

  add format enrollment recovery renewal pin_reset token_status_change token_modify delete
  cert_revocation cert_unrevocation key_changeover

` + adminHelp

const activityExample = `  tms activity --dir /srv/tms --token 40906145C76224192D2B
  tms activity list --operation enrollment --result failure --from 2026-11-01
  tms activity --user alice --json`

// activityOut is an activity as --json shows it.
type activityOut struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Token     string    `json:"token"`
	Operation string    `json:"operation"`
	Result    string    `json:"result"`
	User      string    `json:"user,omitempty"`
	Actor     string    `json:"actor,omitempty"`
	Address   string    `json:"address,omitempty"`
	Type      string    `json:"type,omitempty"`
	Session   string    `json:"session,omitempty"`
	Message   string    `json:"message,omitempty"`
}

func activityCommand() *cobra.Command {
	var f tokenFlags
	cmd := activityList(&f)
	cmd.Use, cmd.Long, cmd.Example = "activity", activityHelp, activityExample
	f.adminFlags.add(cmd)
	cmd.PersistentFlags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
	cmd.AddCommand(activityList(&f))
	return cmd
}

func activityList(f *tokenFlags) *cobra.Command {
	var l listFlags
	cmd := &cobra.Command{Use: "list", Short: "List the activity log, the latest first",
		Args: usage(cobra.NoArgs),
		Long: `List the activity log, the latest first. What the flags state must all hold. With --json:
{"activities": [...], "next": "for --after"}.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkActivity(l); err != nil {
				return usageError{err}
			}
			return f.ask(cmd, func(ctx context.Context, c tpsadmin.Client) error {
				p, err := c.Activities(ctx, l.List)
				if err != nil {
					return err
				}
				return f.sayActivities(cmd, p)
			})
		}}
	l.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&l.Token, "token", "", "of this token only, 20 hex digits")
	fl.StringVar(&l.Operation, "operation", "", "of this operation only")
	fl.StringVar(&l.Result, "result", "", "with this result only: success, failure")
	fl.StringVar(&l.Session, "session", "", "of this session only, as the server's log names it")
	return cmd
}

func checkActivity(l listFlags) error {
	if l.Operation != "" {
		if _, err := token.ParseOp(l.Operation); err != nil {
			return fmt.Errorf("--operation: %w", err)
		}
	}
	if l.Result != "" {
		if _, err := token.ParseResult(l.Result); err != nil {
			return fmt.Errorf("--result: %w", err)
		}
	}
	return nil
}

func (f *tokenFlags) sayActivities(cmd *cobra.Command, p tpsadmin.Page[tpsadmin.Activity]) error {
	list := make([]activityOut, 0, len(p.Entries))
	for _, a := range p.Entries {
		list = append(list, activityOut{ID: a.ID, At: a.Date.Time, Token: a.TokenID,
			Operation: a.Operation, Result: a.Result, User: a.UserID, Actor: a.Actor, Address: a.IP,
			Type: a.Type, Session: a.Session, Message: a.Message})
	}
	all := map[string]any{"activities": list, "next": p.Next}
	err := f.say(cmd.OutOrStdout(), all, func(w io.Writer) {
		fmt.Fprintln(w, "AT\tTOKEN\tOPERATION\tRESULT\tUSER\tBY\tMESSAGE")
		for _, a := range list {
			fmt.Fprintln(w, strings.Join([]string{day(a.At), a.Token, a.Operation, a.Result, a.User,
				a.Actor, a.Message}, "\t"))
		}
	})
	more(cmd, p.Next)
	return err
}
