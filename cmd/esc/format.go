package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/esc"
	"tokenwright/tms/wire"
)

const formatLong = `format has the TPS at --url format the card: the applet is loaded anew, whatever
was on the card is gone, and the card's keys are changed if the server's profile
says so.

Without --url the card is asked where its TPS is (the issuer URL on it). https
is verified against --ca, or against the system's roots; plain http goes to this
machine only. The server decides whether it wants a login. A password is typed,
unseen, or comes from --password-file or --password-stdin; it cannot stand in
the command line, where others could read it.

Interrupting a format leaves the card half done, but not lost: format it again
and the TPS repairs it.`

const formatExample = `  # a card in the only reader that holds one; the password is asked for
  esc format --url https://tps.example.com:8443/tps/tps --user jane

  # a TPS with its own authority, a profile, progress as plain lines in a log
  esc format --url https://127.0.0.1:8443 --ca ca.pem --token-type userKey \
      --user jane --password-file pw.txt 2>format.log

  # no pcscd: this is the reader, "simcard run --vpcd 127.0.0.1:35963" is the card
  esc format --url https://127.0.0.1:8443 --ca ca.pem --user jane --vpcd 35963

  # what went to the card and came back, readable, and the outcome for a script
  esc format --url https://127.0.0.1:8443 --ca ca.pem --trace trace.txt --json`

type formatFlags struct {
	where     deviceFlags
	login     loginFlags
	traces    traceFlags
	url, ca   string
	tokenType string
	keySet    string
	asJSON    bool
}

func newFormat(d desk) *cobra.Command {
	var f formatFlags
	cmd := &cobra.Command{
		Use: "format", Short: "Have a TPS format a card", Long: formatLong, Example: formatExample,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return done(format(cmd.Context(), d, f))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "",
		"the TPS, https://HOST[:PORT][/tps/tps]; default: asked of the card")
	flags.StringVar(&f.ca, "ca", "", "trust the authorities in this PEM `file`; default: the system's")
	flags.StringVar(&f.tokenType, "token-type", "", "ask the server for this token `type`")
	flags.StringVar(&f.keySet, "key-set", "", "tell the server's key set resolver this `name`")
	flags.BoolVar(&f.asJSON, "json", false, "write the outcome as JSON")
	f.where.add(flags)
	f.login.add(flags)
	f.traces.add(flags)
	flags.SortFlags = false
	return cmd
}

func (f *formatFlags) check() error {
	if f.url != "" {
		if _, err := esc.ParseURL(f.url); err != nil {
			return usagef("--url: %w", err)
		}
	}
	return errors.Join(f.where.check(), f.login.check())
}

// outcome is what became of an operation.
type outcome struct {
	Operation string  `json:"operation"`
	Done      bool    `json:"done"`
	Code      int     `json:"code"`
	Name      string  `json:"name"`
	Message   string  `json:"message"`
	Error     string  `json:"error,omitempty"`
	Server    string  `json:"server,omitempty"`
	Session   string  `json:"session,omitempty"`
	CUID      string  `json:"cuid,omitempty"`
	Applet    string  `json:"appletVersion,omitempty"`
	Commands  int     `json:"commands"`
	Seconds   float64 `json:"seconds"`
}

func format(ctx context.Context, d desk, f formatFlags) (err error) {
	conf, err := trust(f.ca)
	if err != nil {
		return err
	}
	who, err := newPerson(d, f.login)
	if err != nil {
		return err
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
	out := outcome{Operation: wire.OpFormat.String()}
	begun := time.Now()
	err = f.operate(ctx, who, conf, card, tr, &out)
	out.Seconds = time.Since(begun).Seconds()
	out.judge(err)
	if err != nil && out.Session != "" {
		err = fmt.Errorf("%w [session %s]", err, out.Session)
	}
	if f.asJSON {
		return errors.Join(err, writeJSON(d.out, out))
	}
	if err == nil {
		err = out.print(d.out)
	}
	return err
}

// operate reads the card, finds the server, and runs the operation.
func (f *formatFlags) operate(ctx context.Context, who *person, conf *tls.Config, card device,
	tr *tracing, out *outcome,
) error {
	tr.note("the card's facts, before")
	// Cards that tell little of themselves can be formatted all the same.
	before, err := esc.ReadStatus(ctx, tr, card.ATR())
	if errors.Is(err, esc.ErrCard) {
		return err
	}
	out.CUID = before.CUID
	tokenType := f.tokenType
	if out.Server = f.url; out.Server == "" {
		info, err := findServer(ctx, before, conf)
		if err != nil {
			return err
		}
		out.Server = info.Operation
		if tokenType == "" {
			tokenType = info.TokenType
		}
	}
	show := &progress{w: who.desk.err, bar: who.desk.bar}
	who.tell = show.line
	show.line("Formatting card " + before.CUID + " with " + printable(out.Server))
	client := &esc.Client{
		URL: out.Server, TLS: conf, Prompter: who,
		Progress: show.update, Session: tr.session,
	}
	result, err := client.Run(ctx, esc.Request{
		Operation: wire.OpFormat, TokenType: tokenType, KeySet: f.keySet, ATR: card.ATR(),
		Locale: who.desk.language, Version: version,
	}, tr)
	show.end()
	out.Session, out.Commands = result.Session, result.PDUs
	if err != nil {
		return err
	}
	tr.note("the card's facts, after")
	if after, err := esc.ReadStatus(ctx, tr, card.ATR()); err == nil {
		out.Applet = after.AppletVersion
	}
	return nil
}

// findServer asks the page that the card names.
func findServer(ctx context.Context, s esc.CardStatus, conf *tls.Config) (esc.ServiceInfo, error) {
	if s.IssuerURL == "" {
		return esc.ServiceInfo{}, usagef("the card does not say where its TPS is: give --url")
	}
	info, err := esc.PhoneHome(ctx, s.IssuerURL, conf, s.CUIDBytes())
	if err != nil {
		return esc.ServiceInfo{}, fmt.Errorf("asking %s, which the card names: %w", s.IssuerURL, err)
	}
	return info, nil
}

func (o *outcome) judge(err error) {
	status := esc.StatusOf(err)
	o.Done, o.Code, o.Name, o.Message = err == nil, int(status), status.Name(), status.Sentence()
	if err != nil {
		o.Error = err.Error()
	}
}

func (o *outcome) print(w io.Writer) error {
	applet := ""
	if o.Applet != "" {
		applet = " with applet " + o.Applet
	}
	session := ""
	if o.Session != "" {
		session = ", session " + o.Session
	}
	_, err := fmt.Fprintf(w, "Card %s is formatted%s (%d commands, %.2f s%s).\n", o.CUID, applet,
		o.Commands, o.Seconds, session)
	return err
}
