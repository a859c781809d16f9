package esc

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"strings"

	"tokenwright/tms/wire"
)

// Transmitter carries one command to a card and brings its response back, status word at the
// end. The slices belong to the caller; a Transmitter keeps neither.
type Transmitter interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// Prompter asks the person for what a server requires. An error ends the operation.
type Prompter interface {
	// Ask answers each of p.Params, in order and under its ID.
	Ask(ctx context.Context, p Prompt) (wire.Credentials, error)
	// NewPIN answers a PIN whose length in bytes is from shortest to longest.
	NewPIN(ctx context.Context, shortest, longest int) (wire.Secret, error)
}

// Prompt is what a server requires, with its texts. They come from the server: strip control
// characters before showing them on a terminal.
type Prompt struct {
	Title       string
	Description string
	Params      []wire.Param
	// Retry says that an earlier answer was not accepted; Blocked that no other will be.
	Retry   bool
	Blocked bool
}

// Client runs operations against one TPS. The zero value of an optional field does nothing.
// Each Run is a conversation of its own; a Client keeps no state between them.
type Client struct {
	URL      string      // as ParseURL accepts it
	TLS      *tls.Config // whom to trust; nil means the system's roots
	Limits   wire.Limits
	Prompter Prompter // required if the server may ask for a login

	// Progress is told how far the operation is, 0 to 100, and the server's word for the task.
	// Setting it asks the server for status updates.
	Progress func(percent int, task string)
	// Session is told the server's name of the conversation, once, before the first PDU; it is
	// empty if the server gave none.
	Session func(id string)
}

// Request says what to do and what the server may want to know of the card and this client.
type Request struct {
	Operation wire.Operation
	Called    string // what the person calls it, for errors; empty is the operation's name
	TokenType string // a profile to ask for; empty leaves it to the server
	KeySet    string // an input of the server's key set resolver; usually empty
	ATR       []byte // of the card
	Locale    string // language of prompts, e.g. "en"; empty is the server's default
	Version   string // names this client in the server's log
}

// Result is what became of an operation that the server called good.
type Result struct {
	Session string // the server's name of the conversation, or empty
	PDUs    int    // commands that the card answered
}

// Run performs one operation on the card behind t. The Result is filled in as far as the
// operation came, also with an error: *OperationError when the server ended it, ErrCard when
// the card gave no answer, ErrPrompt or ErrNewPIN when the person did not,
// wire.ErrConnectionLost when the server vanished, ErrConnect when it was never reached,
// ErrProtocol when it made no sense.
func (c *Client) Run(ctx context.Context, r Request, t Transmitter) (Result, error) {
	u, err := ParseURL(c.URL)
	if err != nil {
		return Result{}, err
	}
	conn, err := wire.Dial(ctx, u.String(), c.TLS, c.Limits)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrConnect, err)
	}
	run := &run{client: c, request: r, conn: conn, card: t}
	err = run.converse(ctx)
	// The server's verdict stands whatever happens while hanging up.
	_ = conn.Close()
	run.result.Session = conn.Session()
	return run.result, err
}

// run is one conversation.
type run struct {
	client  *Client
	request Request
	conn    *wire.Conn
	card    Transmitter
	result  Result
	named   bool // Session was told
}

func (r *run) converse(ctx context.Context) error {
	begin := wire.BeginOp{Operation: r.request.Operation, Extensions: r.extensions()}
	if err := r.conn.Write(ctx, begin); err != nil {
		return r.failed("beginning operation", err)
	}
	for {
		m, err := r.conn.Read(ctx)
		if err != nil {
			return r.failed("waiting for the server", err)
		}
		if !r.named && r.client.Session != nil {
			r.client.Session(r.conn.Session())
		}
		r.named = true
		if end, ok := m.(wire.EndOp); ok {
			return r.verdict(end)
		}
		answer, err := r.answer(ctx, m)
		if err != nil {
			return err
		}
		if err := r.conn.Write(ctx, answer); err != nil {
			return r.failed("answering the server", err)
		}
	}
}

// extensions are what BEGIN_OP carries, in the order that old servers are used to.
func (r *run) extensions() wire.Fields {
	var f wire.Fields
	add := func(name, value string) {
		if value != "" {
			f = append(f, wire.Field{Name: name, Value: value})
		}
	}
	add(wire.ExtTokenType, r.request.TokenType)
	add(wire.ExtClientVersion, r.request.Version)
	add(wire.ExtTokenATR, strings.ToUpper(hex.EncodeToString(r.request.ATR)))
	if r.client.Progress != nil {
		add(wire.ExtStatusUpdate, "true")
	}
	add(wire.ExtExtendedLogin, "true")
	add(wire.ExtKeySet, r.request.KeySet)
	add(wire.ExtLocale, r.request.Locale)
	return f
}

// answer makes the client's answer to one of the server's requests.
func (r *run) answer(ctx context.Context, m wire.Message) (wire.Message, error) {
	switch m := m.(type) {
	case wire.TokenPDURequest:
		return r.transmit(ctx, m)
	case wire.StatusUpdateRequest:
		if r.client.Progress != nil {
			r.client.Progress(m.Percent, m.Task)
		}
		return wire.StatusUpdateResponse{Percent: m.Percent}, nil
	case wire.NewPINRequest:
		return r.newPIN(ctx, m)
	case wire.LoginRequest, wire.ExtendedLoginRequest, wire.SecureIDRequest, wire.ASQRequest:
		return r.prompt(ctx, m)
	}
	return nil, fmt.Errorf("%w: message of type %d", ErrProtocol, m.Type())
}

func (r *run) transmit(ctx context.Context, m wire.TokenPDURequest) (wire.Message, error) {
	resp, err := r.card.Transmit(ctx, m.PDU)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCard, err)
	}
	if len(resp) < 2 || len(resp) > wire.MaxPDU {
		return nil, fmt.Errorf("%w: answer of %d bytes", ErrCard, len(resp))
	}
	r.result.PDUs++
	return wire.TokenPDUResponse{PDU: resp}, nil
}

// verdict reads END_OP. A server that ends another operation than the one asked for has lost
// its way, unless it never learnt which one it was.
func (r *run) verdict(end wire.EndOp) error {
	if end.Result != wire.ResultGood || end.Status != wire.StatusNoError {
		return &OperationError{Operation: r.request.Operation, Called: r.request.Called,
			Result: end.Result, Status: end.Status}
	}
	if end.Operation != r.request.Operation {
		return fmt.Errorf("%w: ended %s instead of %s", ErrProtocol, end.Operation,
			r.request.Operation)
	}
	return nil
}
