package vpcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"
)

// Card is what a reader holds: contacts for power and a channel for commands.
//
// Calls come one at a time. An error from any method means that the card is gone (pulled, broken):
// whoever serves it ends the connection and calls nothing more, except PowerOff.
type Card interface {
	// PowerOn supplies power: a cold reset. A card that is on already is reset.
	PowerOn() error
	// PowerOff takes power away; volatile memory is lost. Off twice is no error.
	PowerOff() error
	// Reset is the warm reset.
	Reset() error
	// ATR returns the answer to reset, 2 to 33 bytes; the caller doesn't change it.
	ATR() []byte
	// Transmit answers one command of 2 to 65,535 bytes. The command is the caller's and valid
	// during the call; the response, at most 65,535 bytes, is read before the next call.
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// Options say how Dial behaves. The zero value is ready: loopback only, for ever, silent.
type Options struct {
	// AllowRemote lets Dial connect to an address that is not loopback. Nothing on the wire is
	// authenticated or encrypted.
	AllowRemote bool
	// MinBackoff and MaxBackoff bound the pause between attempts to connect, which doubles after
	// each failure: 50 ms and 2 s when zero.
	MinBackoff, MaxBackoff time.Duration
	// MaxFailures ends Dial after that many failed attempts in a row; 0 never gives up.
	MaxFailures int
	// OnConnect is called after each connection is made, before the card is served.
	OnConnect func(reader net.Addr)
	// OnAway is called after each attempt that made no connection, and after each connection's end;
	// made tells which. A reader of pcscd's that holds a card already ends a connection at once.
	OnAway func(made bool, err error)
	// Log gets connections made and lost, never payloads. Nil is silent.
	Log *slog.Logger
}

const (
	defaultMinBackoff = 50 * time.Millisecond
	defaultMaxBackoff = 2 * time.Second
	// settled is how long a connection lasts until its end is no failure: a reader that has a card
	// already turns another away at once.
	settled = time.Second
	// dialTimeout bounds one attempt to connect.
	dialTimeout = 10 * time.Second
)

// cardError marks an error of the card itself, which connecting again can't mend.
type cardError struct{ err error }

func (e *cardError) Error() string { return e.err.Error() }
func (e *cardError) Unwrap() error { return e.err }

// Dial plugs the card into the reader that listens at addr (host:port) and serves it until ctx
// ends, which is the usual end and gives nil. While the reader is away (pcscd restarts, or has not
// started yet) Dial tries again with growing pauses. The card loses power whenever the connection
// ends. Dial returns an error when the card fails, when addr may not be used (ErrNotLoopback), and
// after Options.MaxFailures. A card that heeds its context lets Dial return at once.
func Dial(ctx context.Context, addr string, c Card, o Options) error {
	o = o.withDefaults()
	pause := o.MinBackoff
	for failures := 0; ; {
		began := time.Now()
		connected, err := dialOnce(ctx, addr, c, o)
		var ce *cardError
		switch {
		case errors.As(err, &ce):
			return fmt.Errorf("card in reader %s: %w", addr, ce.err)
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the context's end closed the connection
		case errors.Is(err, ErrNotLoopback):
			return fmt.Errorf("connecting to reader %s: %w", addr, err)
		}
		if connected && time.Since(began) >= settled {
			failures, pause = 0, o.MinBackoff
		} else if failures++; o.MaxFailures > 0 && failures >= o.MaxFailures {
			return fmt.Errorf("reader %s: giving up after %d attempts: %w", addr, failures, err)
		}
		o.Log.Info("reader away", "reader", addr, "again_in", pause, "error", err)
		if o.OnAway != nil {
			o.OnAway(connected, err)
		}
		if !sleep(ctx, pause) {
			return nil
		}
		pause = min(2*pause, o.MaxBackoff)
	}
}

func (o Options) withDefaults() Options {
	if o.MinBackoff <= 0 {
		o.MinBackoff = defaultMinBackoff
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = defaultMaxBackoff
	}
	o.MaxBackoff = max(o.MaxBackoff, o.MinBackoff)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// dialOnce connects and serves until the connection ends; the error is never nil.
func dialOnce(ctx context.Context, addr string, c Card, o Options) (connected bool, err error) {
	d := net.Dialer{Timeout: dialTimeout, Control: loopbackOnly(o.AllowRemote)}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	o.Log.Info("card in reader", "reader", addr)
	if o.OnConnect != nil {
		o.OnConnect(conn.RemoteAddr())
	}
	err = serve(ctx, newQuickConn(conn), c)
	if offErr := c.PowerOff(); offErr != nil {
		return true, &cardError{fmt.Errorf("power off: %w", offErr)}
	}
	return true, err
}

// serve answers the reader's messages until the stream ends or either side fails.
func serve(ctx context.Context, rw io.ReadWriter, c Card) error {
	in := newFrameReader(rw)
	var out []byte
	for {
		message, err := in.next()
		if err != nil {
			return fmt.Errorf("reading from reader: %w", err)
		}
		answer, err := handle(ctx, c, message)
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		if out, err = appendFrame(out[:0], answer); err != nil {
			return &cardError{fmt.Errorf("answer: %w", err)}
		}
		if _, err := rw.Write(out); err != nil {
			return fmt.Errorf("writing to reader: %w", err)
		}
	}
}

// handle gives the card one message of the reader; a nil answer means that none is sent.
func handle(ctx context.Context, c Card, message []byte) (answer []byte, err error) {
	if len(message) > 1 {
		answer, err = c.Transmit(ctx, message)
		switch {
		case err != nil:
			return nil, &cardError{fmt.Errorf("transmit: %w", err)}
		case len(answer) == 0:
			return nil, &cardError{errors.New("transmit: answer of 0 bytes")}
		}
		return answer, nil
	}
	var what string
	switch message[0] {
	case ctlPowerOff:
		what, err = "power off", c.PowerOff()
	case ctlPowerOn:
		what, err = "power on", c.PowerOn()
	case ctlReset:
		what, err = "reset", c.Reset()
	case ctlATR:
		answer = c.ATR()
		if len(answer) < 2 || len(answer) > maxATR {
			return nil, &cardError{fmt.Errorf("ATR of %d bytes", len(answer))}
		}
		return answer, nil
	default:
		return nil, fmt.Errorf("%w: unknown control %02X", ErrProtocol, message[0])
	}
	if err != nil {
		return nil, &cardError{fmt.Errorf("%s: %w", what, err)}
	}
	return nil, nil
}

// sleep waits and says whether the context is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
