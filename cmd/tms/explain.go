package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tokenwright/tms/admin"
	"tokenwright/tms/admin/tpsadmin"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/instance"
	"tokenwright/tms/token"
	"tokenwright/tms/tps"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/wire"
)

const explainHelp = `Tell what would decide about a card, without touching one: which mapping of which resolver, filter
by filter, which token type and key set that gives, whether the token's state lets the operation
happen, what its policy makes of it, and what the user's other tokens do.

The configuration is read from its file, so that a change can be tried before the server is started
anew. What is recorded of the token and of the user's other tokens, the running server is asked; where it
does not run, or with --state, the card is taken for what the flags say: without any, for one that was
never seen.

What a card and its client tell is stated by --cuid, --atr, --applet, --key-bits, --token-type and
--key-set; a filter that wants what is not stated lets nothing through.

Under external registration the user's entry in the directory decides the token type; what it says is
stated by --attribute, as nobody can log in here.

The exit code is 0 also when the operation would be refused: that is an answer.`

const explainExample = `  tms explain --dir /srv/tms --op enroll --cuid 40906145C76224192D2B --user alice
  tms explain --dir /srv/tms --op format --cuid 40906145C76224192D2B --atr 3B759400006202020201 --applet 1.4
  tms explain --dir /srv/tms --op pinReset --cuid 40906145C76224192D2B --state ACTIVE --policy PIN_RESET=YES`

// explainFlags are what is known of card, client and user.
type explainFlags struct {
	tokenFlags
	op, cuid, atr, applet, tokenType, keySet, user string
	keyBits                                        int
	state, policy, owner                           string
	attributes                                     []string
}

func explainCommand() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{Use: "explain", Short: "Tell what would decide about a card, without touching it",
		Long: explainHelp, Example: explainExample, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.explain(cmd) }}
	f.adminFlags.add(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&f.asJSON, "json", false, "answer in JSON")
	fl.StringVar(&f.op, "op", "enroll", "the operation: format, enroll, pinReset")
	fl.StringVar(&f.cuid, "cuid", "", "the card's unique identifier, 20 hex digits")
	fl.StringVar(&f.atr, "atr", "", "its answer to reset, in hex")
	fl.StringVar(&f.applet, "applet", "", "version of its applet, as 1.4; none: a card without")
	fl.IntVar(&f.keyBits, "key-bits", 0, "size of its keys: 128, 256; 0: it does not say")
	fl.StringVar(&f.tokenType, "token-type", "", "what the client sends as extension tokenType")
	fl.StringVar(&f.keySet, "key-set", "", "what the client sends as extension keySet")
	fl.StringVar(&f.user, "user", "", "who logs in")
	fl.StringArrayVar(&f.attributes, "attribute", nil, "name=value of the user's entry in the directory, "+
		"which counts under external registration; may be repeated")
	fl.StringVar(&f.state, "state", "", "state of the token, instead of the recorded one")
	fl.StringVar(&f.policy, "policy", "", "policy of its record, with --state")
	fl.StringVar(&f.owner, "owner", "", "whose it is, with --state; --user if not stated")
	return cmd
}

// question reads the flags.
func (f *explainFlags) question() (q tps.Question, err error) {
	ops := map[string]wire.Operation{"format": wire.OpFormat, "enroll": wire.OpEnroll,
		"pinreset": wire.OpResetPIN, "pin-reset": wire.OpResetPIN}
	var ok bool
	if q.Operation, ok = ops[strings.ToLower(f.op)]; !ok {
		return q, fmt.Errorf("--op %.40q: want format, enroll or pinReset", f.op)
	}
	cuid, err := keys.ParseCUID(f.cuid)
	if err != nil {
		return q, fmt.Errorf("--cuid: %w", err)
	}
	q.UserID = f.user
	q.Input = mapping.Input{CUID: cuid.String(), ATR: f.atr, TokenType: f.tokenType, KeySet: f.keySet,
		SymKeySize: f.keyBits}
	for _, text := range f.attributes {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return q, fmt.Errorf("--attribute %.60q: want name=value", text)
		}
		if q.Attributes == nil {
			q.Attributes = map[string][]string{}
		}
		q.Attributes[name] = append(q.Attributes[name], value)
	}
	if f.applet != "" {
		major, rest, _ := strings.Cut(f.applet, ".")
		minor, _, _ := strings.Cut(rest, ".")
		var errs [2]error
		q.Input.AppletMajor, errs[0] = strconv.Atoi(major)
		q.Input.AppletMinor, errs[1] = strconv.Atoi(minor)
		if err := errors.Join(errs[:]...); err != nil {
			return q, fmt.Errorf("--applet %.40q: want a version as 1.4", f.applet)
		}
	}
	if f.state == "" {
		return q, nil
	}
	r := token.NewRecord(cuid, token.Policy{})
	s, err := token.ParseState(f.state)
	if err != nil {
		return q, fmt.Errorf("--state: %w", err)
	}
	if r.Policy, err = token.ParsePolicy(f.policy); err != nil {
		return q, fmt.Errorf("--policy: %w", err)
	}
	r = r.InState(s)
	if r.UserID = f.owner; r.UserID == "" {
		r.UserID = f.user
	}
	q.Record = &r
	return q, nil
}

func (f *explainFlags) explain(cmd *cobra.Command) error {
	q, err := f.question()
	if err != nil {
		return usageError{err}
	}
	source := "what is stated on the command line"
	if q.Record == nil {
		if source, err = f.look(cmd, &q); err != nil {
			return err
		}
	}
	e, err := instance.Explain(f.adminFlags.dir, q)
	if err != nil {
		return exitError{err, exitInstance}
	}
	all := struct {
		Record string `json:"record"`
		tps.Explained
	}{source, e}
	return f.say(cmd.OutOrStdout(), all, func(w io.Writer) { sayExplained(w, source, e) })
}

// look asks the running server what is recorded. One that does not run is no mistake here.
func (f *explainFlags) look(cmd *cobra.Command, q *tps.Question) (source string, err error) {
	if f.url == "" {
		path := f.socket
		if path == "" {
			if path, err = instance.SocketOf(f.adminFlags.dir, instance.TPS); err != nil {
				return "", exitError{err, exitInstance}
			}
		}
		if _, err := os.Stat(path); err != nil || path == "" {
			return "a card that was never seen: the server does not run", nil
		}
	}
	source = "a card that was never seen: the server does not know it"
	err = f.ask(cmd, func(ctx context.Context, c tpsadmin.Client) error {
		t, err := c.Token(ctx, q.Input.CUID)
		if err != nil && admin.StatusOf(err) != 404 {
			return err
		}
		if err == nil {
			r, err := recordOf(t)
			if err != nil {
				return err
			}
			q.Record, source = &r, "the record that the server has"
		}
		if q.UserID == "" {
			return nil
		}
		p, err := c.Tokens(ctx, tpsadmin.List{User: q.UserID, Size: 1000})
		if err != nil {
			return err
		}
		for _, t := range p.Entries {
			r, err := recordOf(t)
			if err != nil {
				return err
			}
			q.Others = append(q.Others, r)
		}
		return nil
	})
	return source, err
}

// recordOf reads a record back from what the server shows of it.
func recordOf(t tpsadmin.Token) (token.Record, error) {
	var r token.Record
	var err error
	if r.CUID, err = keys.ParseCUID(t.TokenID); err != nil || t.Status == nil {
		return r, errors.Join(errors.New("the server's answer holds no token"), err)
	}
	state, err := token.ParseState(t.Status.Name)
	if err != nil {
		return r, err
	}
	if r.Policy, err = token.ParsePolicy(t.Policy); err != nil {
		return r, err
	}
	r = r.InState(state)
	r.UserID, r.Type = t.UserID, t.Type
	return r, nil
}

func sayExplained(w io.Writer, source string, e tps.Explained) {
	fmt.Fprintf(w, "operation\t%s\nrecord\t%s\n", e.Operation, source)
	for _, s := range e.Steps {
		fmt.Fprintf(w, "%s\t%s\n", s.What, s.Decision)
		for _, m := range s.Mappings {
			sayMapping(w, m)
		}
		for _, d := range s.Details {
			fmt.Fprintf(w, "\t  %s\n", d)
		}
	}
	if e.Code != 0 {
		fmt.Fprintf(w, "outcome\trefused, code %d: %s\n", e.Code, e.Why)
		return
	}
	fmt.Fprintf(w, "outcome\ttoken type %s, key set %s\n", e.TokenType, e.KeySet)
}

func sayMapping(w io.Writer, m mapping.Explanation) {
	word := "does not fit"
	switch {
	case m.First:
		word = "fits, and decides"
	case m.Fits:
		word = "would fit, but comes later"
	}
	fmt.Fprintf(w, "\t  mapping %s %s\n", m.Mapping, word)
	for _, f := range m.Filters {
		mark, got := "passes", "got "+strconv.Quote(f.Got)
		if !f.Passes {
			mark = "fails"
		}
		if f.Got == "" {
			got = "nothing was given"
		}
		fmt.Fprintf(w, "\t    filter %s wants %q, %s: %s\n", f.Filter, f.Want, got, mark)
	}
}
