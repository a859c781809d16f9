package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/esc"
	"tokenwright/tms/wire"
)

// operation is a command that a TPS carries out on a card.
type operation struct {
	name  string // the command's, and the outcome's
	code  wire.Operation
	short string
	long  string
	// example holds the command's examples, as cobra shows them.
	example string
	doing   string // "Formatting", before the card's CUID
	done    string // what to say at the end, with the CUID put in
	again   string // what to do when it broke off and nobody knows where
	setsPIN bool   // the server may ask for a new PIN
	mustPIN bool   // it always does
	// profiled says that the server chooses a token type by what the client asks for.
	profiled bool
	// ready refuses a card that the operation makes no sense for, or says what to expect.
	ready func(esc.CardStatus) (note string, err error)
}

// operationFlags are the flags of every operation.
type operationFlags struct {
	where     deviceFlags
	login     loginFlags
	traces    traceFlags
	url, ca   string
	tokenType string
	keySet    string
	asJSON    bool
}

func newOperation(d desk, op operation) *cobra.Command {
	var f operationFlags
	cmd := &cobra.Command{
		Use: op.name, Short: op.short, Long: op.long, Example: op.example,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return done(op.run(cmd.Context(), d, f))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "",
		"the TPS, https://HOST[:PORT][/tps/tps]; default: asked of the card")
	flags.StringVar(&f.ca, "ca", "", "trust the authorities in this PEM `file`; default: the system's")
	if op.profiled {
		flags.StringVar(&f.tokenType, "token-type", "", "ask the server for this token `type`")
	}
	flags.StringVar(&f.keySet, "key-set", "", "tell the server's key set resolver this `name`")
	f.login.add(flags)
	if op.setsPIN {
		f.login.addPIN(flags)
	}
	f.where.add(flags)
	flags.BoolVar(&f.asJSON, "json", false, "write the outcome as JSON")
	f.traces.add(flags)
	flags.SortFlags = false
	return cmd
}

func (f *operationFlags) check() error {
	if f.url != "" {
		if _, err := esc.ParseURL(f.url); err != nil {
			return usagef("--url: %w", err)
		}
	}
	return errors.Join(f.where.check(), f.login.check())
}

func (op operation) run(ctx context.Context, d desk, f operationFlags) (err error) {
	conf, err := trust(f.ca)
	if err != nil {
		return err
	}
	who, err := newPerson(d, f.login)
	if err != nil {
		return err
	}
	if op.mustPIN && who.pin == nil && !who.canType() {
		return usagef("there is no terminal to ask for the new PIN at: give --pin-file or --pin-stdin")
	}
	card, err := f.where.open(ctx, d.err)
	if err != nil {
		return err
	}
	defer func() { _ = card.Close() }()
	tr, err := f.traces.open(card)
	if err != nil {
		return err
	}
	defer func() { err = tr.close(err) }()
	out := outcome{Operation: op.name}
	begun := time.Now()
	err = op.perform(ctx, f, who, conf, card, tr, &out)
	out.Seconds = time.Since(begun).Seconds()
	out.judge(err)
	if err != nil && out.Session != "" {
		err = fmt.Errorf("%w [session %s]", err, out.Session)
	}
	if f.asJSON {
		return errors.Join(err, writeJSON(d.out, out))
	}
	if err == nil {
		err = out.print(d.out, op.done)
	}
	return err
}

// perform reads the card, finds the server, and has it carry the operation out.
func (op operation) perform(ctx context.Context, f operationFlags, who *person, conf *tls.Config,
	card device, tr *tracing, out *outcome,
) error {
	tr.note("the card's facts, before")
	// Cards that tell little of themselves can be worked on all the same.
	before, err := esc.ReadStatus(ctx, tr, card.ATR())
	if errors.Is(err, esc.ErrCard) {
		return err
	}
	out.CUID = before.CUID
	note := ""
	if op.ready != nil {
		if note, err = op.ready(before); err != nil {
			return err
		}
	}
	tokenType, err := f.find(ctx, op, before, conf, out)
	if err != nil {
		return err
	}
	show := &progress{w: who.desk.err, bar: who.desk.bar}
	who.tell, who.pause = show.line, show.end
	show.line(op.doing + " card " + before.CUID + " with " + printable(out.Server))
	if note != "" {
		show.line(note)
	}
	client := &esc.Client{
		URL: out.Server, TLS: conf, Prompter: who,
		Progress: show.update, Session: tr.session,
	}
	result, err := client.Run(ctx, esc.Request{
		Operation: op.code, Called: op.name, TokenType: tokenType, KeySet: f.keySet,
		ATR: card.ATR(), Locale: who.desk.language, Version: version,
	}, tr)
	show.end()
	out.Session, out.Commands = result.Session, result.PDUs
	if err != nil {
		return op.brokenOff(err, result)
	}
	tr.note("the card's facts, after")
	if after, err := esc.ReadStatus(ctx, tr, card.ATR()); err == nil {
		out.Applet, out.State = after.AppletVersion, after.State
	}
	return nil
}

// find answers the token type to ask for, and puts the server's address into out: from the flags,
// or from the page that the card names.
func (f operationFlags) find(ctx context.Context, op operation, s esc.CardStatus, conf *tls.Config,
	out *outcome,
) (tokenType string, err error) {
	if f.url != "" {
		out.Server = f.url
		return f.tokenType, nil
	}
	if s.IssuerURL == "" {
		return "", usagef("the card does not say where its TPS is: give --url")
	}
	info, err := esc.PhoneHome(ctx, s.IssuerURL, conf, s.CUIDBytes())
	if err != nil {
		return "", fmt.Errorf("asking %s, which the card names: %w", s.IssuerURL, err)
	}
	out.Server = info.Operation
	if !op.profiled || f.tokenType != "" {
		return f.tokenType, nil
	}
	return info.TokenType, nil
}

// brokenOffError is an operation that ended without the server's verdict.
type brokenOffError struct {
	error
	hint string // what to do about it
}

func (e brokenOffError) Unwrap() error { return e.error }

// brokenOff adds what to do to an error that leaves the card's state open: the server had begun,
// and gave no verdict.
func (op operation) brokenOff(err error, r esc.Result) error {
	var verdict *esc.OperationError
	if r.PDUs == 0 || errors.As(err, &verdict) {
		return err
	}
	return brokenOffError{err, op.again}
}
