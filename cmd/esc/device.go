package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"tokenwright/tms/esc"
	"tokenwright/tms/esc/pcsc"
	"tokenwright/vpcd"
)

// device is a card that can be talked to, powered.
type device interface {
	esc.Transmitter
	Reader() string // where it is, in words
	ATR() []byte
	Close() error
}

// deviceFlags say where the card is.
type deviceFlags struct {
	reader string
	vpcd   int
	wait   time.Duration
}

const noPort = -1

var errNoReader = errors.New("no reader")

func (f *deviceFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.reader, "reader", "",
		"`name` of the PC/SC reader; default: the only one that holds a card")
	flags.IntVar(&f.vpcd, "vpcd", noPort,
		"be the reader on this loopback `port` and wait for a card to connect (0: any free port)")
	flags.Lookup("vpcd").DefValue = "0" // a default of none needs no mention
	flags.DurationVar(&f.wait, "wait", time.Minute, "how long to wait for a card at --vpcd")
}

// check finds what is wrong with the flags before anything is done.
func (f *deviceFlags) check() error {
	switch {
	case f.vpcd == noPort:
		return nil
	case f.reader != "":
		return usagef("--reader and --vpcd exclude each other")
	case f.vpcd < 0 || f.vpcd > 65535:
		return usagef("--vpcd: %d is not a port", f.vpcd)
	case f.wait <= 0:
		return usagef("--wait: want a time such as 30s")
	}
	return nil
}

// open reaches the card; hints go to w.
func (f *deviceFlags) open(ctx context.Context, w io.Writer) (device, error) {
	if f.vpcd != noPort {
		return listen(ctx, f.vpcd, f.wait, w)
	}
	card, err := pcsc.Open(ctx, f.reader)
	if err != nil {
		return nil, err
	}
	return card, nil
}

// socketCard is a card that connected to a reader of our own.
type socketCard struct {
	reader *vpcd.Reader
	atr    []byte
}

func listen(ctx context.Context, port int, wait time.Duration, w io.Writer) (device, error) {
	reader, err := vpcd.Listen(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoReader, err)
	}
	c, err := plugged(ctx, reader, wait, w)
	if err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return c, nil
}

func plugged(ctx context.Context, reader *vpcd.Reader, wait time.Duration, w io.Writer) (
	device, error,
) {
	// A card that keeps trying to connect needs a moment; the hint is for when there is none.
	err := waitCard(ctx, reader, min(wait, aMoment))
	if errors.Is(err, vpcd.ErrNoCard) && wait > aMoment {
		_, _ = fmt.Fprintf(w, "Waiting for a card at %s; connect one with: simcard run --vpcd %s\n",
			reader.Addr(), reader.Addr())
		err = waitCard(ctx, reader, wait-aMoment)
	}
	if err != nil {
		return nil, err
	}
	atr, err := reader.PowerOn(ctx)
	if err != nil {
		return nil, fmt.Errorf("powering the card: %w", err)
	}
	return &socketCard{reader: reader, atr: atr}, nil
}

const aMoment = 750 * time.Millisecond

// waitCard waits until a card is there; ErrNoCard when none came in time.
func waitCard(ctx context.Context, reader *vpcd.Reader, wait time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := reader.WaitCard(waiting)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: none connected to %s", vpcd.ErrNoCard, reader.Addr())
	}
	return err
}

func (c *socketCard) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	return c.reader.Transmit(ctx, cmd)
}

func (c *socketCard) Reader() string { return "socket " + c.reader.Addr().String() }

func (c *socketCard) ATR() []byte { return c.atr }

func (c *socketCard) Close() error { return c.reader.Close() }
